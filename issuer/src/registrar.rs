//! What the registrar signed for this issuer: its entry, and the lists of codes that its types name.
//!
//! The issuer passes these documents on and believes its own configuration; wallets check them against the
//! registrar's keys. They expire within a week, so that they are read from their files whenever they are needed. A list
//! may also stand in the folder as TOML, as it was before it was signed: then its indices are known and nothing of
//! it is passed on.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::json;
use vouchsafe_protocol::trust::{CodeRow, Row, Table};
use vouchsafe_protocol::types::CodeLists;

use crate::config::Config;
use crate::types::{LoadError, files};

/// The most bytes of one document.
const MAX: usize = 1024 * 1024;

/// Where the registrar's documents for this issuer are.
#[derive(Clone, Debug, Default)]
pub struct RegistrarFiles {
    /// The entry about this issuer.
    pub entry: Option<PathBuf>,
    /// The folder of lists.
    pub lists: Option<PathBuf>,
}

impl From<&Config> for RegistrarFiles {
    fn from(config: &Config) -> Self {
        Self { entry: config.registrar_extract.clone(), lists: config.lists.clone() }
    }
}

/// The documents as compact JWS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Documents {
    /// The entry about this issuer.
    pub(crate) entry: Option<String>,
    /// The lists.
    pub(crate) lists: Vec<String>,
}

/// A list as TOML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsigned {
    id: String,
    version: u32,
    rows: Vec<CodeRow>,
}

/// Reads the files as they stand now.
///
/// # Errors
/// [`LoadError::Unreadable`] names the file or folder.
pub(crate) fn read(from: &RegistrarFiles) -> Result<Documents, LoadError> {
    let entry = from.entry.as_deref().map(text).transpose()?;
    let lists = from.lists.as_deref().map(|folder| files(folder, "jws")).transpose()?.unwrap_or_default();
    Ok(Documents { entry, lists: lists.into_iter().map(|(_, text)| text.trim().to_owned()).collect() })
}

/// The indices of codes, by list.
///
/// # Errors
/// [`LoadError::List`] names the file that holds no list.
pub(crate) fn code_lists(from: &RegistrarFiles) -> Result<CodeLists, LoadError> {
    let mut lists = CodeLists::default();
    let Some(folder) = from.lists.as_deref() else { return Ok(lists) };
    let unsigned = files(folder, "toml")?.into_iter().map(|(path, text)| (path, toml::from_str(&text).ok()));
    let signed = files(folder, "jws")?.into_iter().map(|(path, text)| (path, signed(text.trim())));
    for (path, list) in unsigned.chain(signed) {
        let list: Unsigned = list.ok_or(LoadError::List { path })?;
        let codes = list.rows.into_iter().map(|row| (row.code, row.index));
        lists.insert(&format!("{}/{}", list.id, list.version), codes);
    }
    Ok(lists)
}

/// A signed list of codes, its signature left to wallets.
fn signed(jws: &str) -> Option<Unsigned> {
    let compact = Compact::parse(jws, MAX).ok()?;
    let table: Table = json::typed(compact.dangerous_payload(), MAX).ok()?;
    let code = |row| match row {
        Row::Code(code) => Some(code),
        Row::Span(_) | Row::Pension(_) => None,
    };
    let rows = table.rows.into_iter().map(code).collect::<Option<_>>()?;
    Some(Unsigned { id: table.sub, version: table.version, rows })
}

fn text(path: &Path) -> Result<String, LoadError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| LoadError::Unreadable { path: path.to_owned(), kind: error.kind() })?;
    Ok(text.trim().to_owned())
}
