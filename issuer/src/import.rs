//! Enrolment: a partner body's register, as a CSV file, becomes rows that can be issued from.
//!
//! The file is streamed. The header is matched to the columns that the type names; a row in error is reported by line
//! and column with a reason and never with its value, and nothing can be issued from it. All rows of one import share
//! one `facts_as_of` (`specs/profiles/issuing.md`: the register's date).
//!
//! An import can be stopped anywhere and run again: the file's digest, the type's description, the key column and the
//! day name it ([`ImportId`]), batches are written all or none together with the place reached, and so each row is
//! enrolled exactly once. Running a finished import again changes nothing; another file updates people by their key.
//!
//! People whom a later file no longer names are kept and **counted** ([`Progress::absent`]): whoever imports learns how
//! many, never who. They may have moved away or died, or the file may be an extract; the program cannot tell. They can
//! still be given offers, and what they hold stays good until it ends, so an officer compares the count with what the
//! partner body says has changed, and asks it before the next offers. A record in error names its person as far as its
//! key can be read; one with more or fewer cells than the header names nobody.
//!
//! Of a type with periods each row is a person in one period, and is told from the same person's rows of other periods by
//! that: the same period once more is a correction. A period that was not over on the day of the facts is an error of its
//! row. Whom a file does not name is then counted among those of its periods.
//!
//! Leaves out: removing people.

mod report;
mod rows;

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::Path;

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::types::CredentialType;

pub use report::{Reason, RowError, errors_csv};
pub use rows::{Column, Fills, HeaderError};

use crate::app::App;
use crate::linking;
use crate::status;
use crate::store::{
    Batch, EnrolError, Import, ImportId, InPeriod, Mac, Progress, SealedRow, Store, StoreError,
};
pub(crate) use rows::PERIOD;
use rows::{Facts, Named, Rows};

/// Records written in one transaction.
const BATCH: usize = 250;

/// What to import as what.
#[derive(Clone, Debug)]
pub struct Options {
    /// The id of the credential type.
    pub type_id: String,
    /// The column whose text names a person in the partner's register.
    pub key_column: String,
    /// The day on which all rows were true.
    pub facts_as_of: Date,
}

/// What a file would bring, without bringing it.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The file's columns, in order, and what each would be used for.
    pub columns: Vec<Column>,
    /// Records in the file, the header not counted.
    pub records: u64,
    /// Records that would be refused.
    pub rejected: u64,
    /// Why, by line.
    pub errors: Vec<RowError>,
}

/// What an import did, over all its runs.
#[derive(Clone, Debug)]
pub struct Report {
    /// The import's name.
    pub id: ImportId,
    /// Counts.
    pub progress: Progress,
    /// Records that an earlier run had already read.
    pub resumed_at: u64,
    /// What was wrong with refused records, by line.
    pub errors: Vec<RowError>,
}

/// Why a file was not imported as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such type.
    #[error("no credential type has this id")]
    UnknownType,
    /// The facts cannot be from tomorrow.
    #[error("facts_as_of lies in the future; give the day on which the register was read")]
    FactsInFuture,
    /// The header does not fit the type.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The configuration is at fault, not the rows: were they refused for it, they would stay refused.
    #[error("the list of codes of the column {0:?} is not loaded; put it in the folder of lists")]
    ListMissing(String),
    /// The file cannot be read.
    #[error("the file cannot be read any further")]
    Read(#[source] io::Error),
    /// Two runs at once.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Enrol(EnrolError::Store(error))
    }
}

/// Reads the whole file and says what an import would do, apart from clashes with what the register holds already.
///
/// # Errors
/// As for [`run`], except for the store.
pub fn preview<S: Store>(app: &App<S>, file: &Path, options: &Options) -> Result<Preview, ImportError> {
    let credential_type = checked_type(app, options)?;
    let (key, day) = (options.key_column.as_str(), options.facts_as_of);
    let mut rows = Rows::open(open(file)?, credential_type, app.lists(), key, day)?;
    let mut preview = Preview { columns: rows.columns(), records: 0, rejected: 0, errors: Vec::new() };
    let mut seen = std::collections::HashSet::new();
    while let Some(record) = rows.next().map_err(ImportError::Read)? {
        preview.records += 1;
        let errors = match record.facts {
            Ok(facts) if seen.insert(person(app, credential_type, &facts.named)) => continue,
            Ok(_) => vec![RowError::about_the_person(record.line, Reason::PersonTwice)],
            Err(errors) => rows_at_fault(errors)?,
        };
        preview.rejected += 1;
        preview.errors.extend(errors);
    }
    Ok(preview)
}

/// The partner's keys in one column of a file, each once: for changes that name people and no facts.
///
/// # Errors
/// [`ImportError::Header`] and [`ImportError::Read`]; a line whose key cannot be read refuses the file.
pub fn keys(file: &Path, key_column: &str) -> Result<Vec<String>, ImportError> {
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(open(file)?);
    let header = csv.headers().map_err(|_| HeaderError::Unreadable)?;
    let at = header.iter().position(|name| name == key_column);
    let at = at.ok_or_else(|| HeaderError::Missing(key_column.to_owned()))?;
    let mut keys = std::collections::BTreeSet::new();
    for record in csv.records() {
        let record = record.map_err(|_| ImportError::Read(io::ErrorKind::InvalidData.into()))?;
        let key = record.get(at).filter(|key| !key.is_empty());
        keys.insert(key.ok_or(ImportError::Read(io::ErrorKind::InvalidData.into()))?.to_owned());
    }
    Ok(keys.into_iter().collect())
}

/// Imports the file, from where an earlier run of the same import stopped.
///
/// `told` hears of every batch once it is stored. The file is read in place, a few hundred records at a time.
///
/// # Errors
/// [`ImportError`]: what was stored before stays, and the next run goes on from there.
pub async fn run<S: Store>(
    app: &App<S>,
    file: &Path,
    options: &Options,
    told: impl FnMut(&Progress),
) -> Result<Report, ImportError> {
    let mut file = open(file)?;
    let digest = digest(&mut file).map_err(ImportError::Read)?;
    run_from(app, file, digest, options, BATCH, told).await
}

/// As [`run`], over any reader of a file with this digest.
pub(crate) async fn run_from<S: Store>(
    app: &App<S>,
    file: impl Read,
    digest: [u8; 32],
    options: &Options,
    batch: usize,
    mut told: impl FnMut(&Progress),
) -> Result<Report, ImportError> {
    let credential_type = checked_type(app, options)?;
    let (key, day) = (options.key_column.as_str(), options.facts_as_of);
    let mut rows = Rows::open(file, credential_type, app.lists(), key, day)?;
    let import = import(credential_type, options, &digest);
    let mut progress = app.store().begin_import(&import, app.now()).await?;
    let resumed_at = progress.records_read;
    if !progress.finished {
        rows.skip(resumed_at).map_err(ImportError::Read)?;
    }
    while !progress.finished {
        let batch = next_batch(app, credential_type, &mut rows, progress.records_read, batch)?;
        status::supersede(app, credential_type, options.facts_as_of, &batch.rows).await?;
        progress = app.store().enrol(&import, batch).await?;
        told(&progress);
    }
    let errors = app.store().row_errors(import.id).await?;
    tracing::info!(
        import.added_count = progress.added,
        import.updated_count = progress.updated,
        import.rejected_count = progress.rejected,
        "imported a register file"
    );
    Ok(Report { id: import.id, progress, resumed_at, errors })
}

fn checked_type<'a, S: Store>(app: &'a App<S>, options: &Options) -> Result<&'a CredentialType, ImportError> {
    let credential_type = app.types().by_id(&options.type_id).ok_or(ImportError::UnknownType)?;
    if !(mutants::skips("vci-facts-in-future") || options.facts_as_of <= app.now().london_date()) {
        return Err(ImportError::FactsInFuture);
    }
    Ok(credential_type)
}

fn next_batch<S: Store, R: Read>(
    app: &App<S>,
    credential_type: &CredentialType,
    rows: &mut Rows<'_, R>,
    from: u64,
    size: usize,
) -> Result<Batch, ImportError> {
    let mut batch = Batch { from, to: from, ..Batch::default() };
    for _ in 0..size {
        let Some(record) = rows.next().map_err(ImportError::Read)? else {
            batch.last = true;
            break;
        };
        batch.to += 1;
        match record.facts {
            Ok(facts) => batch.rows.push(sealed(app, credential_type, record.line, &facts)),
            Err(errors) => {
                batch.rejected += 1;
                batch.named.extend(record.named.map(|named| person(app, credential_type, &named)));
                batch.errors.extend(rows_at_fault(errors)?);
            }
        }
    }
    Ok(batch)
}

/// Errors that are about the row.
fn rows_at_fault(errors: Vec<RowError>) -> Result<Vec<RowError>, ImportError> {
    match errors.iter().find(|error| error.reason == Reason::NoList) {
        Some(error) => Err(ImportError::ListMissing(error.column.clone())),
        None => Ok(errors),
    }
}

fn sealed<S: Store>(app: &App<S>, credential_type: &CredentialType, line: u64, facts: &Facts) -> SealedRow {
    let person = person(app, credential_type, &facts.named);
    let mut values = facts.values.clone();
    linking::name_person(app, credential_type, &facts.named.key, &mut values);
    let sealed = app.secrets().seal_facts(&credential_type.id, person, &values, app.entropy());
    let whole = || app.secrets().person(credential_type, &facts.named.key);
    let period = facts.named.period.clone().map(|period| InPeriod { whole: whole(), period });
    SealedRow { person, line, sealed, period }
}

/// Who a row is about: the person, or the person in a period.
fn person<S: Store>(app: &App<S>, credential_type: &CredentialType, named: &Named) -> Mac {
    match &named.period {
        Some(period) => app.secrets().person_in(credential_type, &named.key, period),
        None => app.secrets().person(credential_type, &named.key),
    }
}

fn open(file: &Path) -> Result<File, ImportError> {
    File::open(file).map_err(ImportError::Read)
}

fn digest(file: &mut File) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = [0; 65_536];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    file.rewind()?;
    Ok(hash.finalize().into())
}

/// Two imports are one if the file, the type as described, the key column and the day are the same.
fn import(credential_type: &CredentialType, options: &Options, digest: &[u8; 32]) -> Import {
    let description =
        serde_json::to_vec(credential_type).expect("a type that was read from a file can be written");
    let day = options.facts_as_of.to_string();
    let mut hash = Sha256::new();
    hash.update(b"vouchsafe/v1/import");
    for part in [&digest[..], &description, options.key_column.as_bytes(), day.as_bytes()] {
        hash.update(u64::try_from(part.len()).expect("a length fits in 64 bits").to_be_bytes());
        hash.update(part);
    }
    Import {
        id: ImportId(hash.finalize().into()),
        type_id: credential_type.id.clone(),
        facts_as_of: options.facts_as_of,
    }
}
