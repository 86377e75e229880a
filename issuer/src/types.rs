//! The credential types an issuer offers, from a folder of TOML files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vouchsafe_protocol::types::{CredentialType, TypeError};
use vouchsafe_service::config::{ConfigError, json_of_toml};

use crate::kind::Kind;
use crate::offer::OfferError;

/// Why types did not load. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A folder or file cannot be read.
    #[error("{path} cannot be read: {kind}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// A file is not TOML that can be written as JSON.
    #[error("{path}: {error}", path = path.display())]
    Toml {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// A file does not describe a type.
    #[error("{path}: {error}", path = path.display())]
    Type {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: TypeError,
    },
    /// A file is no list of codes.
    #[error("{path} is no list of codes: id, version and rows of code, index and name", path = path.display())]
    List {
        /// Which file.
        path: PathBuf,
    },
    /// Two types share an id or a `vct`.
    #[error("two types share the id or the vct of {0:?}")]
    Twice(String),
    /// The folder holds no type.
    #[error("there is no type to issue")]
    None,
}

/// The types of one issuer.
#[derive(Clone, Debug)]
pub struct Types(Vec<CredentialType>);

impl Types {
    /// The most copies that any type gives in one batch: the metadata have one number for all types.
    #[must_use]
    pub fn largest_batch(&self) -> u32 {
        self.iter().map(|one| one.batch).max().unwrap_or(1)
    }

    /// Reads every `*.toml` file of the folder.
    ///
    /// # Errors
    /// [`LoadError`] names the file to mend.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let read = |(path, text): (PathBuf, String)| {
            let value = json_of_toml(&text).map_err(|error| LoadError::Toml { path: path.clone(), error })?;
            CredentialType::from_json(&value).map_err(|error| LoadError::Type { path, error })
        };
        Self::new(files(folder, "toml")?.into_iter().map(read).collect::<Result<_, _>>()?)
    }

    /// A set of types whose ids and `vct`s differ.
    ///
    /// # Errors
    /// [`LoadError::Twice`] and [`LoadError::None`].
    pub fn new(types: Vec<CredentialType>) -> Result<Self, LoadError> {
        let mut seen = BTreeSet::new();
        for one in &types {
            let names = [Kind::Plain, Kind::Proof].map(|kind| [configuration(one, kind), vct(one, kind)]);
            if !names.into_iter().flatten().all(|name| seen.insert(name)) {
                return Err(LoadError::Twice(one.id.clone()));
            }
        }
        if types.is_empty() { Err(LoadError::None) } else { Ok(Self(types)) }
    }

    /// All of them, by file name.
    pub fn iter(&self) -> impl Iterator<Item = &CredentialType> {
        self.0.iter()
    }

    /// The type with this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&CredentialType> {
        self.0.iter().find(|one| one.id == id)
    }
}

/// The credential configuration id of a type's plain or proof copies.
#[must_use]
pub fn configuration(credential_type: &CredentialType, kind: Kind) -> String {
    match kind {
        Kind::Plain => credential_type.id.clone(),
        Kind::Proof => credential_type.proof_configuration(),
    }
}

/// The `vct` of a type's plain or proof copies.
#[must_use]
pub fn vct(credential_type: &CredentialType, kind: Kind) -> String {
    match kind {
        Kind::Plain => credential_type.vct.clone(),
        Kind::Proof => credential_type.proof_vct(),
    }
}

/// How a token response names a type's plain or proof copies: a token is for one row of the register, which is one set of
/// facts.
#[must_use]
pub fn identifier(credential_type: &CredentialType, kind: Kind) -> String {
    format!("{}.facts", configuration(credential_type, kind))
}

/// The plain or proof copies of the type whose name `name` gives.
pub(crate) fn named<'a>(
    types: &'a Types,
    id: &str,
    name: impl Fn(&CredentialType, Kind) -> String,
) -> Option<(&'a CredentialType, Kind)> {
    let all = types.iter().flat_map(|one| [Kind::Plain, Kind::Proof].map(|kind| (one, kind)));
    all.into_iter().find(|(one, kind)| name(one, *kind) == id)
}

/// The configuration to offer, if the type has anything to say in that form.
pub(crate) fn offered(credential_type: &CredentialType, kind: Kind) -> Result<String, OfferError> {
    match kind {
        Kind::Plain if credential_type.showable().next().is_none() => Err(OfferError::NothingToShow),
        Kind::Proof if credential_type.provable().next().is_none() => Err(OfferError::NothingToProve),
        _ => Ok(configuration(credential_type, kind)),
    }
}

/// The files of a folder with this extension and their texts, by name.
pub(crate) fn files(folder: &Path, extension: &str) -> Result<Vec<(PathBuf, String)>, LoadError> {
    let mut paths = paths(folder).map_err(|error| unreadable(folder, &error))?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let read = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) => Err(unreadable(&path, &error)),
    };
    paths.into_iter().map(read).collect()
}

fn paths(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

fn unreadable(path: &Path, error: &std::io::Error) -> LoadError {
    LoadError::Unreadable { path: path.to_owned(), kind: error.kind() }
}
