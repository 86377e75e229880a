//! Imports that go wrong, and imports that are cut off.

use std::io::{self, Read};

use jiff::civil::date;
use vouchsafe_protocol::types::CodeLists;
use vouchsafe_service::store::{Schema, Sqlite};

use super::council::{Council, PLANTED, REGISTER, options, parts};
use crate::RegistrarFiles;
use crate::import::{self, Fills, HeaderError, ImportError, Reason, RowError, run_from};
use crate::store::{MIGRATOR, Memory, Register as _, SqliteStore, Store};
use crate::{App, Parts};

const DIGEST: [u8; 32] = [7; 32];

/// A file that ends in an error after some octets, given out a few at a time.
struct Dying<'a> {
    text: &'a [u8],
    left: usize,
}

impl Read for Dying<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let count = out.len().min(self.left).min(self.text.len()).min(16);
        out[..count].copy_from_slice(&self.text[..count]);
        (self.text, self.left) = (&self.text[count..], self.left - count);
        Ok(count)
    }
}

fn parts_of(council: &Council) -> Parts {
    parts(council.clock.clone(), &council.ca, RegistrarFiles::default())
}

/// Seven records: five good, one in error, one that names a person twice.
fn register() -> String {
    format!(
        "{REGISTER}LD-0046,Resident 0046,,1800-01-01,W999,maybe,1\nLD-0041,Resident 0041,,1984-02-29,W101,no,1\n"
    )
}

async fn dies_and_goes_on<S: Store>(app: &App<S>, at: usize, batch: usize) {
    let text = register();
    let dying = Dying { text: text.as_bytes(), left: at };
    let first = run_from(app, dying, DIGEST, &options(), batch, |_| {}).await;
    assert!(first.is_err(), "cut off at {at}");
    let report = run_from(app, text.as_bytes(), DIGEST, &options(), batch, |_| {}).await.unwrap();
    let done = report.progress;
    assert_eq!((done.records_read, done.added, done.updated, done.rejected), (7, 5, 0, 2), "cut off at {at}");
    assert_eq!(report.errors.len(), 4, "cut off at {at}");
    let credential_type = super::council::credential_type();
    for number in 41..46 {
        let person = app.secrets().person(&credential_type, &format!("LD-00{number}"));
        let enrolled = app.store().person("residency", person).await.unwrap().unwrap();
        assert_eq!(enrolled.revision, 1, "cut off at {at}");
    }
    let again = run_from(app, text.as_bytes(), DIGEST, &options(), batch, |_| {}).await.unwrap();
    assert_eq!((again.progress, again.resumed_at), (done, 7));
}

#[tokio::test]
async fn an_import_cut_off_anywhere_enrols_each_row_once() {
    let council = Council::new().await;
    let length = register().len();
    for batch in [1, 3] {
        for at in 0..length {
            dies_and_goes_on(&App::new(parts_of(&council), Memory::default()), at, batch).await;
        }
    }
}

#[tokio::test]
async fn an_import_killed_at_each_row_goes_on_in_the_same_database() {
    let council = Council::new().await;
    let text = register();
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    for at in ends.filter(|at| *at < text.len()) {
        let folder = tempfile::tempdir().unwrap();
        let pools = Sqlite::open(&folder.path().join("i.sqlite"), &MIGRATOR, Schema::Migrate).await.unwrap();
        dies_and_goes_on(&App::new(parts_of(&council), SqliteStore::new(pools)), at, 1).await;
    }
}

#[tokio::test]
async fn two_runs_at_once_do_not_enrol_twice() {
    let council = Council::new().await;
    let file = council.file(REGISTER);
    let options = options();
    let runs = tokio::join!(
        import::run(&council.app, &file, &options, |_| {}),
        import::run(&council.app, &file, &options, |_| {}),
    );
    assert!(runs.0.is_ok() || runs.1.is_ok());
    let report = import::run(&council.app, &file, &options, |_| {}).await.unwrap();
    assert_eq!((report.progress.added, report.progress.updated), (5, 0));
}

/// One row after the header, and what is said of it.
async fn said_of(row: &str) -> Vec<(String, Reason)> {
    let council = Council::new().await;
    let file = council.file(&format!("person,name,address,date_of_birth,ward,tenant\n{row}\n"));
    let report = import::run(&council.app, &file, &options(), |_| {}).await.unwrap();
    assert_eq!(report.progress.added, u64::from(report.errors.is_empty()));
    for error in &report.errors {
        assert_eq!(error.line, 2);
        assert!(PLANTED.iter().all(|value| !error.to_string().contains(value)));
    }
    report.errors.into_iter().map(|error: RowError| (error.column, error.reason)).collect()
}

#[tokio::test]
async fn every_cell_is_held_against_its_kind() {
    let long = "x".repeat(1001);
    let long = format!("LD-1,{long},,1958-03-14,W142,yes");
    let cases: [(&str, &[(&str, Reason)]); 14] = [
        ("LD-1,A,B,1958-03-14,W142,yes", &[]),
        (" LD-1 ,A,, 1958-03-14 ,W142,no", &[]),
        (",A,,1958-03-14,W142,yes", &[("person", Reason::Missing)]),
        ("LD-1,A,,,W142,yes", &[("date_of_birth", Reason::Missing)]),
        ("LD-1,A,,1958-03-14,,", &[("tenant", Reason::Missing), ("ward", Reason::Missing)]),
        ("LD-1,A,,14/03/1958,W142,yes", &[("date_of_birth", Reason::Form)]),
        ("LD-1,A,,1958-02-29,W142,yes", &[("date_of_birth", Reason::Form)]),
        ("LD-1,A,,1879-12-31,W142,yes", &[("date_of_birth", Reason::Range)]),
        ("LD-1,A,,1958-03-14,X1,yes", &[("ward", Reason::Code)]),
        ("LD-1,A,,1958-03-14,W142,perhaps", &[("tenant", Reason::Form)]),
        ("LD-1,A,,1958-03-14,W142", &[("", Reason::Cells)]),
        ("LD-1,A,,1958-03-14,W142,yes,more", &[("", Reason::Cells)]),
        ("LD-1,\"A\u{7}\",,1958-03-14,W142,yes", &[("name", Reason::Form)]),
        (&long, &[("name", Reason::TooLong)]),
    ];
    for (row, expected) in cases {
        let expected: Vec<_> =
            expected.iter().map(|(column, reason)| ((*column).to_owned(), *reason)).collect();
        assert_eq!(said_of(row).await, expected, "{row}");
    }
}

#[tokio::test]
async fn a_cell_that_is_no_text_is_refused() {
    let council = Council::new().await;
    let file = council.file("");
    std::fs::write(&file, b"person,name,address,date_of_birth,ward,tenant\nLD-1,\xff,,1958-03-14,W142,yes\n")
        .unwrap();
    let report = import::run(&council.app, &file, &options(), |_| {}).await.unwrap();
    assert_eq!(report.errors, [RowError { line: 2, column: "name".to_owned(), reason: Reason::NotText }]);
}

#[tokio::test]
async fn a_header_must_name_every_column_once() {
    let council = Council::new().await;
    let refused = async |header: &str| {
        let file = council.file(&format!("{header}\n"));
        import::run(&council.app, &file, &options(), |_| {}).await.unwrap_err().to_string()
    };
    let missing = HeaderError::Missing("ward".to_owned()).to_string();
    assert_eq!(refused("person,name,address,date_of_birth,tenant").await, missing);
    let twice = HeaderError::Twice("person".to_owned()).to_string();
    assert_eq!(refused("person,person,name,address,date_of_birth,ward,tenant").await, twice);
    assert_eq!(refused("").await, HeaderError::Missing("person".to_owned()).to_string());
    // A mark at the file's start, as spreadsheets write it, is not part of the first name.
    let marked = council.file(&format!("\u{feff}{REGISTER}"));
    let preview = import::preview(&council.app, &marked, &options()).unwrap();
    let fills: Vec<_> = preview.columns.into_iter().map(|column| column.fills).collect();
    assert_eq!((&fills[0], &fills[6]), (&Fills::Person, &Fills::Nothing));
    assert_eq!(fills[3], Fills::Attributes(vec!["/birth_date".to_owned()]));
}

#[tokio::test]
async fn facts_are_neither_from_tomorrow_nor_older_than_those_held() {
    let council = Council::enrolled().await;
    let file = council.file(&format!("{REGISTER}\n"));
    let mut tomorrow = options();
    tomorrow.facts_as_of = date(2026, 11, 22);
    let refused = import::run(&council.app, &file, &tomorrow, |_| {}).await;
    assert!(matches!(refused, Err(ImportError::FactsInFuture)));
    let mut last_week = options();
    last_week.facts_as_of = date(2026, 11, 13);
    let report = import::run(&council.app, &file, &last_week, |_| {}).await.unwrap();
    assert_eq!((report.progress.updated, report.progress.rejected), (0, 5));
    assert!(report.errors.iter().all(|error| error.reason == Reason::OlderFacts));
    let mut unknown = options();
    unknown.type_id = "other".to_owned();
    assert!(matches!(import::preview(&council.app, &file, &unknown), Err(ImportError::UnknownType)));
}

#[tokio::test]
async fn a_list_that_is_not_loaded_stops_the_import_and_spoils_no_row() {
    let council = Council::new().await;
    let mut parts = parts_of(&council);
    parts.lists = CodeLists::default();
    let without = App::new(parts, council.app.store().clone());
    let stopped = run_from(&without, REGISTER.as_bytes(), DIGEST, &options(), 2, |_| {}).await;
    assert!(matches!(stopped, Err(ImportError::ListMissing(column)) if column == "ward"));
    let file = council.file(REGISTER);
    assert!(matches!(import::preview(&without, &file, &options()), Err(ImportError::ListMissing(_))));
    // The same database, once the list is there.
    let report = run_from(&council.app, REGISTER.as_bytes(), DIGEST, &options(), 2, |_| {}).await.unwrap();
    assert_eq!((report.progress.added, report.progress.rejected), (5, 0));
}

#[tokio::test]
async fn a_later_file_tells_how_many_it_does_not_name_and_keeps_them() {
    let council = Council::enrolled().await;
    // LD-0042 is gone, LD-0043 stands there in error, and a row without its cells names nobody: LD-0045.
    let later = REGISTER.lines().filter(|line| !line.starts_with("LD-0042")).map(|line| match line {
        line if line.starts_with("LD-0043") => "LD-0043,Resident 0043,,,W103,no,41",
        line if line.starts_with("LD-0045") => "LD-0045",
        line => line,
    });
    let later: Vec<&str> = later.collect();
    let file = council.file(&(later.join("\n") + "\n"));
    let mut today = options();
    today.facts_as_of = date(2026, 11, 21);
    for _ in 0..2 {
        let report = import::run(&council.app, &file, &today, |_| {}).await.unwrap();
        let done = report.progress;
        assert_eq!((done.added, done.updated, done.rejected, done.absent), (0, 2, 2, 2));
    }
    let first = import::run(&council.app, &council.file(REGISTER), &options(), |_| {}).await.unwrap();
    assert_eq!(first.progress.absent, 0);
    let person = council.app.secrets().person(&super::council::credential_type(), "LD-0042");
    assert!(council.app.store().person("residency", person).await.unwrap().is_some());
}

/// A few thousand rows in one go, as a partner body brings them: no row is slow because others came before it.
#[tokio::test]
async fn a_large_register_is_enrolled_whole() {
    let council = Council::new().await;
    let mut text = "person,name,address,date_of_birth,ward,tenant\n".to_owned();
    for number in 0..3_000 {
        text.push_str(&format!(
            "LD-{number},Resident {number:04},,19{:02}-01-01,W{},no\n",
            30 + number % 70,
            number % 200
        ));
    }
    let mut told = Vec::new();
    let report =
        import::run(&council.app, &council.file(&text), &options(), |progress| told.push(*progress)).await;
    assert_eq!(report.unwrap().progress.added, 3_000);
    assert!(told.len() >= 12 && told.windows(2).all(|pair| pair[0].records_read <= pair[1].records_read));
}
