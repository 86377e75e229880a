//! The credential types an issuer offers, and the code lists they name, from folders of TOML files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::types::{CodeLists, CredentialType, TypeError};
use vouchsafe_service::config::{ConfigError, json_of_toml};

use crate::kind::Kind;
use crate::offer::OfferError;

/// Why types or lists did not load. All of them are for the operator to mend.
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
    /// A file does not describe a list.
    #[error("{path} does not describe a list of codes: id, version and rows of code, index and name", path = path.display())]
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
    /// Reads every `*.toml` file of the folder.
    ///
    /// # Errors
    /// [`LoadError`] names the file to mend.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let read = |(path, text): (PathBuf, String)| {
            let value = json_of_toml(&text).map_err(|error| LoadError::Toml { path: path.clone(), error })?;
            CredentialType::from_json(&value).map_err(|error| LoadError::Type { path, error })
        };
        Self::new(toml_files(folder)?.into_iter().map(read).collect::<Result<_, _>>()?)
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

/// The configuration to offer, if the type has anything to say in that form.
pub(crate) fn offered(credential_type: &CredentialType, kind: Kind) -> Result<String, OfferError> {
    match kind {
        Kind::Plain if credential_type.showable().next().is_none() => Err(OfferError::NothingToShow),
        Kind::Proof if credential_type.provable().next().is_none() => Err(OfferError::NothingToProve),
        _ => Ok(configuration(credential_type, kind)),
    }
}

/// A published list of codes as its TOML file describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    id: String,
    version: u32,
    rows: Vec<ListRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListRow {
    code: String,
    index: u32,
    #[expect(dead_code, reason = "part of the published row; the issuer needs only the index")]
    name: Bilingual,
}

/// Reads every list of the folder; a type names one by its id, `/` and its version.
///
/// # Errors
/// [`LoadError`] names the file to mend.
pub fn load_lists(folder: &Path) -> Result<CodeLists, LoadError> {
    let mut lists = CodeLists::default();
    for (path, text) in toml_files(folder)? {
        let list: List = toml::from_str(&text).map_err(|_| LoadError::List { path })?;
        lists.insert(&format!("{}/{}", list.id, list.version), list.rows.into_iter().map(|row| (row.code, row.index)));
    }
    Ok(lists)
}

fn toml_files(folder: &Path) -> Result<Vec<(PathBuf, String)>, LoadError> {
    let unreadable = |path: &Path, error: &std::io::Error| LoadError::Unreadable { path: path.to_owned(), kind: error.kind() };
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(folder, &error))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error)).map(|text| (path, text)))
        .collect()
}
