//! Tables keyed by birth date, and lists of codes.
//!
//! A table says when somebody born on a day reaches an age. "Reached on T" becomes one bound on the birth date,
//! the cutoff, found the same way on both sides (`specs/profiles/registrar.md`); a row is never picked by T.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_proofs::dates::table::PensionTable;
pub use vouchsafe_proofs::dates::table::Row as PensionRow;
use vouchsafe_proofs::encoding::day;

use super::Extract;
use super::documents::Table;
use crate::encoding::b64u;
use crate::text::Bilingual;
use crate::types::CodeLists;

/// One row of a table; all rows of a table are of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// A code and its index.
    Code(CodeRow),
    /// A span of birth dates and when its people reach the age.
    Pension(PensionRow),
}

/// A code of a list. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRow {
    /// The code.
    pub code: String,
    /// Its index, the integer that a commitment holds.
    pub index: u32,
    /// What people call it.
    pub name: Bilingual,
}

/// Why a table does not load.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TableError {
    /// No rows, or rows of both kinds.
    #[error("a table has at least one row, and rows of one kind")]
    Rows,
    /// Indices of a list have gaps or an order of their own.
    #[error("the indices of a list rise by one from row to row, and no code comes twice")]
    Indices,
    /// Gaps, overlaps, or arrivals that go back.
    #[error("the rows of the table have gaps or overlaps, or somebody younger would arrive earlier")]
    Order,
}

/// Checks rows as every reader does.
///
/// # Errors
/// [`TableError`].
pub(super) fn check(rows: &[Row]) -> Result<(), TableError> {
    Contents::load(rows).map(drop)
}

/// A table with its hash, ready to be used.
#[derive(Clone, Debug)]
pub struct TableExtract {
    id: String,
    version: u32,
    hash: [u8; 32],
    jws: String,
    contents: Contents,
}

#[derive(Clone, Debug)]
enum Contents {
    Codes(Vec<CodeRow>),
    Pension(Pension),
}

/// A table that loaded, with the birth dates that it covers.
#[derive(Clone)]
struct Pension {
    table: PensionTable,
    births: (Date, Date),
}

impl std::fmt::Debug for Pension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pension({} to {})", self.births.0, self.births.1)
    }
}

impl Contents {
    fn load(rows: &[Row]) -> Result<Self, TableError> {
        let codes: Option<Vec<_>> =
            rows.iter().map(|r| if let Row::Code(c) = r { Some(c.clone()) } else { None }).collect();
        let pension: Option<Vec<_>> =
            rows.iter().map(|r| if let Row::Pension(p) = r { Some(p.clone()) } else { None }).collect();
        match (codes, pension) {
            (Some(codes), None) => consecutive(codes).map(Self::Codes),
            (None, Some(rows)) => pension_table(rows).map(Self::Pension),
            _ => Err(TableError::Rows),
        }
    }
}

fn consecutive(codes: Vec<CodeRow>) -> Result<Vec<CodeRow>, TableError> {
    let rising = codes.windows(2).all(|pair| pair[0].index.checked_add(1) == Some(pair[1].index));
    let distinct: std::collections::BTreeSet<_> = codes.iter().map(|c| &c.code).collect();
    if rising && distinct.len() == codes.len() { Ok(codes) } else { Err(TableError::Indices) }
}

fn pension_table(rows: Vec<PensionRow>) -> Result<Pension, TableError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Err(TableError::Rows) };
    let births = (first.from, last.to);
    let number = |date| day(date).map_err(|_| TableError::Order);
    let table =
        PensionTable::load(rows, number(births.0)?, number(births.1)?).map_err(|_| TableError::Order)?;
    Ok(Pension { table, births })
}

impl TableExtract {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Its id, `/`, its version: how a type names its list.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{}/{}", self.id, self.version)
    }

    /// SHA-256 of the signed payload.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The hash in base64url, as rules carry it.
    #[must_use]
    pub fn hash_text(&self) -> String {
        b64u(self.hash)
    }

    /// The signed text; empty for a table that was not signed yet.
    #[must_use]
    pub fn jws(&self) -> &str {
        &self.jws
    }

    /// The codes, where it is a list.
    #[must_use]
    pub fn codes(&self) -> Option<&[CodeRow]> {
        match &self.contents {
            Contents::Codes(codes) => Some(codes),
            Contents::Pension(_) => None,
        }
    }

    /// The least and greatest birth date, where it is keyed by birth date.
    #[must_use]
    pub fn births(&self) -> Option<(Date, Date)> {
        match &self.contents {
            Contents::Pension(pension) => Some(pension.births),
            Contents::Codes(_) => None,
        }
    }

    /// The last birth date that has arrived on `as_of`, encoded; `None` for a list, and where nobody or
    /// everybody has arrived.
    #[must_use]
    pub fn cutoff(&self, as_of: Date) -> Option<u64> {
        match &self.contents {
            Contents::Pension(pension) => pension.table.cutoff(as_of).ok(),
            Contents::Codes(_) => None,
        }
    }
}

/// The tables at hand, by id and version.
#[derive(Clone, Debug, Default)]
pub struct Tables(BTreeMap<(String, u32), TableExtract>);

impl Tables {
    /// Takes a signed table.
    pub fn insert(&mut self, table: &Extract<Table>) {
        let document = table.document();
        let (id, version) = (document.sub.clone(), document.version);
        let contents = Contents::load(&document.rows).expect("a verified table was loaded once");
        let (hash, jws) = (*table.payload_sha256(), table.jws().to_owned());
        self.0.insert((id.clone(), version), TableExtract { id, version, hash, jws, contents });
    }

    /// Takes rows that nobody signed yet, to try a policy on them; such a table does not travel.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn insert_unsigned(&mut self, id: &str, version: u32, rows: &[Row]) -> Result<(), TableError> {
        let contents = Contents::load(rows)?;
        let table = TableExtract { id: id.to_owned(), version, hash: [0; 32], jws: String::new(), contents };
        self.0.insert((id.to_owned(), version), table);
        Ok(())
    }

    /// The table of that id and version.
    #[must_use]
    pub fn table(&self, id: &str, version: u32) -> Option<&TableExtract> {
        self.0.get(&(id.to_owned(), version))
    }

    /// Those among them that are named, by id and version: what one request carries.
    #[must_use]
    pub fn only(&self, named: &[(String, u32)]) -> Self {
        Self(named.iter().filter_map(|key| Some((key.clone(), self.0.get(key)?.clone()))).collect())
    }

    /// All of them, by id and version.
    pub fn iter(&self) -> impl Iterator<Item = &TableExtract> {
        self.0.values()
    }

    /// The lists among them, as types look codes up.
    #[must_use]
    pub fn code_lists(&self) -> CodeLists {
        let mut lists = CodeLists::default();
        for table in self.iter() {
            let codes = table.codes().unwrap_or_default();
            lists.insert(&table.uri(), codes.iter().map(|row| (row.code.clone(), row.index)));
        }
        lists
    }
}
