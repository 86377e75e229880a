//! One CSV record at a time, as facts of a type or as row errors.

use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};
use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::types::{Answer, Attribute, CodeLists, CredentialType};
use zeroize::Zeroizing;

use super::report::{Reason, RowError};

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
    /// Of a record in error, the partner's key of the person, where that can be read.
    pub(super) named: Option<Zeroizing<String>>,
    /// What it says, or everything that is wrong with it.
    pub(super) facts: Result<Facts, Vec<RowError>>,
}

/// What a row says of one person.
pub(super) struct Facts {
    /// The partner's key of the person.
    pub(super) key: Zeroizing<String>,
    /// Pointer to value. Attributes that are only shown may be absent.
    pub(super) values: Map<String, Value>,
}

/// A file being read.
pub(super) struct Rows<'a, R> {
    csv: Reader<R>,
    lists: &'a CodeLists,
    header: Vec<String>,
    key: (usize, String),
    cells: Vec<(usize, &'a Attribute)>,
}

impl<'a, R: Read> Rows<'a, R> {
    /// Reads the header and finds the columns that the type needs.
    pub(super) fn open(
        file: R,
        credential_type: &'a CredentialType,
        lists: &'a CodeLists,
        key_column: &str,
    ) -> Result<Self, HeaderError> {
        let mut csv = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(file);
        let header: Vec<String> =
            csv.headers().map_err(|_| HeaderError::Unreadable)?.iter().map(str::to_owned).collect();
        let key = (place(&header, key_column)?, key_column.to_owned());
        let cells = credential_type
            .attributes
            .iter()
            .map(|attribute| Ok((place(&header, &attribute.column)?, attribute)))
            .collect::<Result<_, HeaderError>>()?;
        Ok(Self { csv, lists, header, key, cells })
    }

    /// The columns and what they fill.
    pub(super) fn columns(&self) -> Vec<Column> {
        let name = |(at, name): (usize, &String)| Column { name: name.clone(), fills: self.fills(at) };
        self.header.iter().enumerate().map(name).collect()
    }

    fn fills(&self, at: usize) -> Fills {
        let pointers: Vec<String> =
            self.cells.iter().filter(|(cell, _)| *cell == at).map(|(_, a)| a.pointer.clone()).collect();
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
        let named = facts.is_err().then(|| self.key(&record).ok()).flatten();
        Ok(Some(Record { line, named: named.map(|key| Zeroizing::new(key.to_owned())), facts }))
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
        let mut values = Map::new();
        for (at, attribute) in &self.cells {
            match self.value(attribute, record.get(*at)) {
                Ok(Some(value)) => drop(values.insert(attribute.pointer.clone(), value)),
                Ok(None) => {}
                Err(reason) => note(&attribute.column, reason),
            }
        }
        match key {
            Ok(key) if errors.is_empty() => Ok(Facts { key: Zeroizing::new(key.to_owned()), values }),
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
