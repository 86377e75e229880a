//! Standard output: words for a person, JSON for a script.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::exit::Failure;

/// One thing: as JSON, or in words.
pub(crate) fn one(json: bool, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<(), Failure> {
    let line = if json { to_json(value)? } else { words() };
    put(&line)
}

/// Several: one JSON array, or a line of words each.
pub(crate) fn list<T: Serialize>(
    json: bool,
    rows: &[T],
    words: impl Fn(&T) -> String,
) -> Result<(), Failure> {
    if json {
        return put(&to_json(&rows)?);
    }
    rows.iter().try_for_each(|row| put(&words(row)))
}

/// Remarks, a line each, for people only.
pub(crate) fn lines(json: bool, rows: &[impl Display]) -> Result<(), Failure> {
    if json { Ok(()) } else { rows.iter().try_for_each(|row| put(&row.to_string())) }
}

/// A text of several lines as it is, for a file.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    put(text.trim_end_matches('\n').trim_end_matches('\r'))
}

fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(Failure::unavailable)
}

fn put(line: &str) -> Result<(), Failure> {
    // A reader that went away (a closed pipe) is no fault of the command.
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::unavailable(error)),
        _ => Ok(()),
    }
}
