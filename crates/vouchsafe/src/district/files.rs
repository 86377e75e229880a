//! The district's folder: plain files, secrets readable by their owner alone.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use vouchsafe_protocol::encoding::{b64u, sha256};

use super::keys::Keys;
use super::{Addresses, Databases};
use crate::exit::Failure;

/// A folder that exists, by its absolute path.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(|e| cannot("created", dir, &e))?;
        dir.canonicalize().map(Self).map_err(|e| cannot("found", dir, &e))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.join(name)).ok()
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        self.put(name, text, false)
    }

    pub(super) fn write_secret(&self, name: &str, text: &str) -> Result<(), Failure> {
        self.put(name, text, true)
    }

    fn put(&self, name: &str, text: &str, secret: bool) -> Result<(), Failure> {
        let path = self.0.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| cannot("created", parent, &e))?;
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        if secret {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|e| cannot("written", &path, &e))
    }

    /// What the words in braces of the district's files stand for.
    pub(super) fn words(&self, at: &Addresses, databases: &Databases, keys: &Keys) -> Words {
        let [payer_one, payer_two] = at.payer_origins();
        Words(vec![
            ("{payer_one}", payer_one),
            ("{payer_two}", payer_two),
            ("{issuer_database}", databases.place("issuer")),
            ("{verifier_database}", databases.place("verifier")),
            ("{dir}", self.0.display().to_string()),
            ("{issuer}", at.issuer_origin()),
            ("{issuer_address}", at.issuer.to_string()),
            ("{bureau}", at.bureau_origin()),
            ("{bureau_address}", at.bureau.to_string()),
            ("{verifier}", at.verifier_origin()),
            ("{verifier_address}", at.verifier.to_string()),
            ("{ops_address}", at.ops.to_string()),
            ("{schools_port}", at.schools.port().to_string()),
            ("{client_id}", format!("x509_hash:{}", b64u(sha256(&keys.request_leaf)))),
            ("{anchor}", b64u(sha256(&keys.anchor))),
        ])
    }
}

/// Replacements of words in braces.
pub(super) struct Words(Vec<(&'static str, String)>);

impl Words {
    pub(super) fn fill(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |text, (word, value)| text.replace(word, value))
    }
}

fn cannot(done: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::unavailable(format!("{} could not be {done}: {}", path.display(), error.kind()))
}
