//! One CSV record at a time, as facts of a type or as row errors.

use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};
use jiff::civil::Date;
use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::types::{Answer, Attribute, CodeLists, CredentialType, Month};
use zeroize::Zeroizing;

use super::report::{Reason, RowError};

/// Where the facts of a row have the period that they are the total of. No attribute can have this name.
pub(crate) const PERIOD: &str = "/period";

/// The longest cell that is read, in characters.
const CELL: usize = 1_000;

/// A column of a file and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The header's text.
    pub name: String,
    /// What it fills.
    pub fills: Fills,
}

/// What a column fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fills {
    /// It names the person.
    Person,
    /// The attributes at these pointers.
    Attributes(Vec<String>),
    /// Nothing: it is not read.
    Nothing,
}

/// Why a header does not fit the type. Names only columns that the type or the import asks for.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// No header can be read.
    #[error("the file has no header line in UTF-8")]
    Unreadable,
    /// A column is missing.
    #[error("the header has no column {0:?}")]
    Missing(String),
    /// A column stands there twice, so its cells could mean either.
    #[error("the header has the column {0:?} more than once")]
    Twice(String),
}

/// One record of the file.
pub(super) struct Record {
    /// The line on which it begins.
    pub(super) line: u64,
    /// Of a record in error, whom it names, where that can be read.
    pub(super) named: Option<Named>,
    /// What it says, or everything that is wrong with it.
    pub(super) facts: Result<Facts, Vec<RowError>>,
}

/// Whom a row names.
pub(super) struct Named {
    /// The partner's key of the person.
    pub(super) key: Zeroizing<String>,
    /// The period, where the type has periods.
    pub(super) period: Option<String>,
}

/// What a row says of one person.
pub(super) struct Facts {
    /// Of whom.
    pub(super) named: Named,
    /// Pointer to value. Attributes that are only shown may be absent; the period stands under [`PERIOD`].
    pub(super) values: Map<String, Value>,
}

/// A file being read.
pub(super) struct Rows<'a, R> {
    csv: Reader<R>,
    lists: &'a CodeLists,
    header: Vec<String>,
    key: (usize, String),
    period: Option<(usize, &'a str)>,
    facts_as_of: Date,
    cells: Vec<(usize, &'a Attribute)>,
}

impl<'a, R: Read> Rows<'a, R> {
    /// Reads the header and finds the columns that the type needs.
    pub(super) fn open(
        file: R,
        credential_type: &'a CredentialType,
        lists: &'a CodeLists,
        key_column: &str,
        facts_as_of: Date,
    ) -> Result<Self, HeaderError> {
        let mut csv = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(file);
        let header: Vec<String> =
            csv.headers().map_err(|_| HeaderError::Unreadable)?.iter().map(str::to_owned).collect();
        let key = (place(&header, key_column)?, key_column.to_owned());
        let period = credential_type.period_column();
        let period = period.map(|column| Ok((place(&header, column)?, column))).transpose()?;
        let cells = credential_type
            .attributes
            .iter()
            .filter(|attribute| !attribute.column.is_empty())
            .map(|attribute| Ok((place(&header, &attribute.column)?, attribute)))
            .collect::<Result<_, HeaderError>>()?;
        Ok(Self { csv, lists, header, key, period, facts_as_of, cells })
    }

    /// The columns and what they fill.
    pub(super) fn columns(&self) -> Vec<Column> {
        let name = |(at, name): (usize, &String)| Column { name: name.clone(), fills: self.fills(at) };
        self.header.iter().enumerate().map(name).collect()
    }

    fn fills(&self, at: usize) -> Fills {
        let cells = self.cells.iter().map(|(cell, attribute)| (*cell, attribute.pointer.as_str()));
        let all = cells.chain(self.period.map(|(cell, _)| (cell, PERIOD)));
        let pointers: Vec<String> =
            all.filter(|(cell, _)| *cell == at).map(|(_, pointer)| pointer.to_owned()).collect();
        match (at == self.key.0, pointers.is_empty()) {
            (true, _) => Fills::Person,
            (false, false) => Fills::Attributes(pointers),
            (false, true) => Fills::Nothing,
        }
    }

    /// Passes over records that an earlier run has read.
    pub(super) fn skip(&mut self, records: u64) -> io::Result<()> {
        let mut record = ByteRecord::new();
        for _ in 0..records {
            self.csv.read_byte_record(&mut record).map_err(io_error)?;
        }
        Ok(())
    }

    /// The next record, or `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let mut record = ByteRecord::new();
        if !self.csv.read_byte_record(&mut record).map_err(io_error)? {
            return Ok(None);
        }
        let line = record.position().map_or(0, csv::Position::line);
        if !(mutants::skips("store-import-cells") || record.len() == self.header.len()) {
            // Which of its cells is the key cannot be told.
            let errors = vec![RowError::about_the_person(line, Reason::Cells)];
            return Ok(Some(Record { line, named: None, facts: Err(errors) }));
        }
        let facts = self.facts(line, &record);
        let named = facts.is_err().then(|| self.named(&record)).flatten();
        Ok(Some(Record { line, named, facts }))
    }

    /// Whom a record names, as far as that can be read. One whose period cannot be read names nobody.
    fn named(&self, record: &ByteRecord) -> Option<Named> {
        let key = Zeroizing::new(self.key(record).ok()?.to_owned());
        let period = self.month(record).transpose().ok()?;
        Some(Named { key, period: period.map(|month| month.to_string()) })
    }

    /// The month that the record is the total of; `None` where the type has no periods.
    fn month(&self, record: &ByteRecord) -> Option<Result<Month, Reason>> {
        let (at, _) = self.period?;
        Some(text(record.get(at)).and_then(|text| match text {
            "" => Err(Reason::Missing),
            text => Month::parse(text).ok_or(Reason::Form),
        }))
    }

    /// The month of a record, which was over on the day of the facts: a total says that nothing is to come.
    fn period(&self, record: &ByteRecord) -> Result<Option<String>, Reason> {
        let Some(month) = self.month(record).transpose()? else { return Ok(None) };
        if !(mutants::skips("store-import-period") || month.is_over(self.facts_as_of)) {
            return Err(Reason::Period);
        }
        Ok(Some(month.to_string()))
    }

    fn key<'r>(&self, record: &'r ByteRecord) -> Result<&'r str, Reason> {
        match text(record.get(self.key.0))? {
            "" => Err(Reason::Missing),
            key => Ok(key),
        }
    }

    fn facts(&self, line: u64, record: &ByteRecord) -> Result<Facts, Vec<RowError>> {
        let mut errors = Vec::new();
        let mut note = |column: &str, reason| {
            errors.push(RowError { line, column: column.to_owned(), reason });
        };
        let key = self.key(record);
        if let Err(reason) = key {
            note(&self.key.1, reason);
        }
        let period = self.period(record);
        if let (Err(reason), Some((_, column))) = (&period, self.period) {
            note(column, *reason);
        }
        let mut values = Map::new();
        for (at, attribute) in &self.cells {
            match self.value(attribute, record.get(*at)) {
                Ok(Some(value)) => drop(values.insert(attribute.pointer.clone(), value)),
                Ok(None) => {}
                Err(reason) => note(&attribute.column, reason),
            }
        }
        match (key, period) {
            (Ok(key), Ok(period)) if errors.is_empty() => {
                values.extend(period.iter().map(|period| (PERIOD.to_owned(), Value::from(period.as_str()))));
                Ok(Facts { named: Named { key: Zeroizing::new(key.to_owned()), period }, values })
            }
            _ => Err(errors),
        }
    }

    /// The value of one cell; `None` for an empty one that may be empty.
    fn value(&self, attribute: &Attribute, cell: Option<&[u8]>) -> Result<Option<Value>, Reason> {
        let text = text(cell)?;
        if text.is_empty() {
            // Provable attributes are mandatory: a missing income kept as 0 would satisfy "below" (specs/proofs).
            let optional = mutants::skips("store-import-missing") || !attribute.may(Answer::Prove);
            return if optional { Ok(None) } else { Err(Reason::Missing) };
        }
        let value = attribute.value_of(text, self.lists)?;
        if attribute.may(Answer::Prove) {
            attribute.hidden(&value, self.lists)?;
        }
        Ok(Some(value))
    }
}

fn text(cell: Option<&[u8]>) -> Result<&str, Reason> {
    let text = std::str::from_utf8(cell.unwrap_or_default()).map_err(|_| Reason::NotText)?;
    if !(mutants::skips("store-import-length") || text.chars().count() <= CELL) {
        return Err(Reason::TooLong);
    }
    let printable = text.chars().all(|c| !c.is_control());
    if !(mutants::skips("store-import-control") || printable) {
        return Err(Reason::Form);
    }
    Ok(text)
}

fn place(header: &[String], name: &str) -> Result<usize, HeaderError> {
    let mut places = header.iter().enumerate().filter(|(_, column)| *column == name).map(|(at, _)| at);
    let at = places.next().ok_or_else(|| HeaderError::Missing(name.to_owned()))?;
    if !(mutants::skips("store-import-column-twice") || places.next().is_none()) {
        return Err(HeaderError::Twice(name.to_owned()));
    }
    Ok(at)
}

/// The reader is flexible and takes bytes, so that only reading itself can fail; no text of the error is kept.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::ErrorKind::InvalidData.into(),
    }
}
