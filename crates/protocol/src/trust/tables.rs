//! Tables keyed by birth date, and lists of codes or of spans of numbers.
//!
//! A table says when somebody born on a day reaches an age. "Reached on T" becomes one bound on the birth date,
//! the cutoff, found the same way on both sides (`specs/profiles/registrar.md`); a row is never picked by T.
//!
//! A list names values, or spans of values, in rising order. One without a gap is an interval; any other is a set.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::dates::table::PensionTable;
pub use vouchsafe_proofs::dates::table::Row as PensionRow;
use vouchsafe_proofs::encoding::day;
use vouchsafe_proofs::statement::Set;

use super::Extract;
use super::documents::Table;
use crate::encoding::b64u;
use crate::statement::decimal;
use crate::text::Bilingual;
use crate::types::CodeLists;

/// One row of a table; all rows of a table are of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// A code and its index.
    Code(CodeRow),
    /// A span of numbers.
    Span(SpanRow),
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

/// A span of numbers, both ends included, as decimals of the encoded integers. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanRow {
    /// The first.
    pub lo: String,
    /// The last.
    pub hi: String,
}

/// The most rows of a list.
pub const MAX_ROWS: usize = 65_536;

/// The least number of values that a list has, and that it leaves out of an attribute's range: among fewer, people are
/// singled out.
pub const MIN_CROWD: u128 = 4;

/// Why a table does not load.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TableError {
    /// No rows, too many, or rows of several kinds.
    #[error("a table has one to {MAX_ROWS} rows, and rows of one kind")]
    Rows,
    /// Indices of a list fall or come twice.
    #[error("the indices of a list rise from row to row, and no code comes twice")]
    Indices,
    /// Spans that are backwards, overlap, or are no decimals.
    #[error(
        "the spans of a list are decimals without leading zeros, and rise from row to row without overlap"
    )]
    Spans,
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
    Spans(Vec<[u64; 2]>),
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
        let spans: Option<Vec<_>> =
            rows.iter().map(|r| if let Row::Span(s) = r { Some(s) } else { None }).collect();
        let pension: Option<Vec<_>> =
            rows.iter().map(|r| if let Row::Pension(p) = r { Some(p.clone()) } else { None }).collect();
        if !(1..=MAX_ROWS).contains(&rows.len()) {
            return Err(TableError::Rows);
        }
        match (codes, spans, pension) {
            (Some(codes), None, None) => rising(codes).map(Self::Codes),
            (None, Some(rows), None) => spans_of(&rows).map(Self::Spans),
            (None, None, Some(rows)) => pension_table(rows).map(Self::Pension),
            _ => Err(TableError::Rows),
        }
    }
}

fn rising(codes: Vec<CodeRow>) -> Result<Vec<CodeRow>, TableError> {
    let rising = codes.windows(2).all(|pair| pair[0].index < pair[1].index);
    let distinct: std::collections::BTreeSet<_> = codes.iter().map(|c| &c.code).collect();
    if !(mutants::skips("trust-list-indices") || (rising && distinct.len() == codes.len())) {
        return Err(TableError::Indices);
    }
    Ok(codes)
}

fn spans_of(rows: &[&SpanRow]) -> Result<Vec<[u64; 2]>, TableError> {
    let span = |row: &&SpanRow| Some([decimal(&row.lo)?, decimal(&row.hi)?]);
    let spans: Vec<_> = rows.iter().map(span).collect::<Option<_>>().ok_or(TableError::Spans)?;
    // Set::of cannot make a set of one that runs backwards.
    if spans.iter().any(|[lo, hi]| lo > hi) {
        return Err(TableError::Spans);
    }
    let apart = spans.windows(2).all(|pair| pair[0][1] < pair[1][0]);
    if !(mutants::skips("trust-list-spans") || apart) {
        return Err(TableError::Spans);
    }
    Ok(spans)
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
            Contents::Spans(_) | Contents::Pension(_) => None,
        }
    }

    /// The values of a list; `None` for a table keyed by birth date.
    #[must_use]
    pub fn set(&self) -> Option<Set> {
        match &self.contents {
            Contents::Codes(codes) => Set::of(codes.iter().map(|row| [row.index.into(); 2])),
            Contents::Spans(spans) => Set::of(spans.iter().copied()),
            Contents::Pension(_) => None,
        }
    }

    /// The least and greatest birth date, where it is keyed by birth date.
    #[must_use]
    pub fn births(&self) -> Option<(Date, Date)> {
        match &self.contents {
            Contents::Pension(pension) => Some(pension.births),
            Contents::Codes(_) | Contents::Spans(_) => None,
        }
    }

    /// The last birth date that has arrived on `as_of`, encoded; `None` for a list, and where nobody or
    /// everybody has arrived.
    #[must_use]
    pub fn cutoff(&self, as_of: Date) -> Option<u64> {
        match &self.contents {
            Contents::Pension(pension) => pension.table.cutoff(as_of).ok(),
            Contents::Codes(_) | Contents::Spans(_) => None,
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
