//! What the registrar signed for this issuer: its entry, and the lists of codes that its types name.
//!
//! The issuer passes these documents on and believes its own configuration; wallets check them against the
//! registrar's keys. They expire within a week, so that they are read from their files whenever they are needed.

use std::path::Path;

use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::json;
use vouchsafe_protocol::trust::{Row, Table};
use vouchsafe_protocol::types::CodeLists;

use crate::config::RegistrarFiles;
use crate::types::{LoadError, files};

/// The most bytes of one document.
const MAX: usize = 1024 * 1024;

/// The documents as compact JWS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Documents {
    /// The entry about this issuer.
    pub(crate) entry: Option<String>,
    /// The lists.
    pub(crate) lists: Vec<String>,
}

/// Reads the files as they stand now.
///
/// # Errors
/// [`LoadError::Unreadable`] names the file or folder.
pub(crate) fn read(from: &RegistrarFiles) -> Result<Documents, LoadError> {
    let entry = from.entry.as_deref().map(text).transpose()?;
    let lists = from.lists.as_deref().map(|folder| files(folder, "jwt")).transpose()?.unwrap_or_default();
    Ok(Documents { entry, lists: lists.into_iter().map(|(_, text)| text.trim().to_owned()).collect() })
}

/// The indices of codes, by list.
///
/// # Errors
/// [`LoadError::List`] names the file that holds no signed list.
pub(crate) fn code_lists(from: &RegistrarFiles) -> Result<CodeLists, LoadError> {
    let mut lists = CodeLists::default();
    let Some(folder) = from.lists.as_deref() else { return Ok(lists) };
    for (path, text) in files(folder, "jwt")? {
        let table = table(text.trim()).ok_or(LoadError::List { path })?;
        let codes = table.rows.into_iter().filter_map(|row| match row {
            Row::Code(code) => Some((code.code, code.index)),
            Row::Pension(_) => None,
        });
        lists.insert(&format!("{}/{}", table.sub, table.version), codes);
    }
    Ok(lists)
}

fn table(jws: &str) -> Option<Table> {
    let compact = Compact::parse(jws, MAX).ok()?;
    json::typed(compact.dangerous_payload(), MAX).ok()
}

fn text(path: &Path) -> Result<String, LoadError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| LoadError::Unreadable { path: path.to_owned(), kind: error.kind() })?;
    Ok(text.trim().to_owned())
}
