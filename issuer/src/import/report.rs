//! What is said about a row that was not enrolled: line, column and reason, never the value.

use std::fmt;

use vouchsafe_protocol::types::ValueError;

/// Why a row, or one cell of it, was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The cell is empty and the type needs it.
    Missing,
    /// The cell is not of the attribute's kind.
    Form,
    /// The cell lies outside the range that the type declares.
    Range,
    /// The cell is not a code of the attribute's list.
    Code,
    /// The cell does not fit the attribute's pattern.
    Pattern,
    /// The list of codes is not loaded: the issuer's configuration is at fault, not the row.
    NoList,
    /// The cell is longer than any attribute may be.
    TooLong,
    /// The cell is not UTF-8 text.
    NotText,
    /// The row has more or fewer cells than the header.
    Cells,
    /// The period of the row was not over on the day of the facts.
    Period,
    /// The same person stands on an earlier line of this file.
    PersonTwice,
    /// The register holds newer facts about this person.
    OlderFacts,
}

const REASONS: [Reason; 12] = [
    Reason::Missing,
    Reason::Form,
    Reason::Range,
    Reason::Code,
    Reason::Pattern,
    Reason::NoList,
    Reason::TooLong,
    Reason::NotText,
    Reason::Cells,
    Reason::Period,
    Reason::PersonTwice,
    Reason::OlderFacts,
];

impl Reason {
    /// The code for scripts and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Form => "form",
            Self::Range => "range",
            Self::Code => "code",
            Self::Pattern => "pattern",
            Self::NoList => "no_list",
            Self::TooLong => "too_long",
            Self::NotText => "not_text",
            Self::Cells => "cells",
            Self::Period => "period",
            Self::PersonTwice => "person_twice",
            Self::OlderFacts => "older_facts",
        }
    }

    /// The inverse of [`Reason::as_str`].
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        REASONS.into_iter().find(|reason| reason.as_str() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is empty; the type needs it",
            Self::Form => "does not have the form of its kind, such as 2001-12-31 for a date",
            Self::Range => "lies outside the range that the type declares",
            Self::Code => "is not in the list of codes",
            Self::Pattern => "does not fit the pattern of its attribute",
            Self::NoList => "cannot be checked: load the list of codes first",
            Self::TooLong => "is longer than 1,000 characters",
            Self::NotText => "is not UTF-8 text; save the file as UTF-8",
            Self::Cells => "has more or fewer cells than the header",
            Self::Period => "names a period that was not over on the day of the facts",
            Self::PersonTwice => "names a person who stands on an earlier line of this file",
            Self::OlderFacts => "names a person about whom the register holds newer facts",
        })
    }
}

impl From<ValueError> for Reason {
    fn from(error: ValueError) -> Self {
        match error {
            ValueError::Form => Self::Form,
            ValueError::Range => Self::Range,
            ValueError::Code => Self::Code,
            ValueError::NoList => Self::NoList,
            ValueError::Pattern => Self::Pattern,
        }
    }
}

/// One thing wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The line of the file on which the row begins; the header is line 1.
    pub line: u64,
    /// The column's name, as the type or the import names it; empty when the whole row is meant.
    pub column: String,
    /// What is wrong.
    pub reason: Reason,
}

impl RowError {
    /// An error about whom the row is about.
    #[must_use]
    pub fn about_the_person(line: u64, reason: Reason) -> Self {
        Self { line, column: String::new(), reason }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column.as_str() {
            "" => write!(f, "line {}: the row {}", self.line, self.reason),
            column => write!(f, "line {}: {column} {}", self.line, self.reason),
        }
    }
}

/// The errors as CSV, to hand back to the partner body. A cell that a spreadsheet would run as a formula is quoted.
#[must_use]
pub fn errors_csv(errors: &[RowError]) -> String {
    let mut out = String::from("line,column,code,reason\n");
    for error in errors {
        let cells = [error.column.as_str(), error.reason.as_str(), &error.reason.to_string()].map(cell);
        out.push_str(&format!("{},{}\n", error.line, cells.join(",")));
    }
    out
}

fn cell(text: &str) -> String {
    let neutral = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{neutral}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_code() {
        for reason in REASONS {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
    }

    #[test]
    fn a_formula_is_not_exported_as_one() {
        let error = RowError { line: 3, column: "=HYPERLINK(\"x\")".to_owned(), reason: Reason::Form };
        assert!(errors_csv(&[error]).contains("3,\"'=HYPERLINK(\"\"x\"\")\",\"form\","));
    }
}
