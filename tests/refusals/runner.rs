//! What every row means, whatever its surface.
//!
//! 1. The attack is refused with exactly the row's status and code.
//! 2. With `consumed = false` the honest answer to the same transaction is accepted afterwards; with `true` it is
//!    refused.
//! 3. With the check `mutant` switched off, the same attack is accepted, or ends as `instead` says.
//!
//! A row without `mutant` names no check that could go missing alone: the form of a type refuses it, or two checks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vouchsafe_mutants::without_async;

/// The areas; a file belongs to the area that its name begins with.
const AREAS: [&str; 13] = [
    "dc-api",
    "sd-jwt",
    "key-binding",
    "openid4vp",
    "openid4vci",
    "proofs",
    "jose",
    "jwe",
    "status-list",
    "dcql",
    "ways",
    "policy",
    "permission",
];

/// The fewest rows with a mutant in each area.
const FEWEST: usize = 25;

/// Every surface that a row may name.
const SURFACES: [&str; 18] = [
    "issuer",
    "sd-jwt",
    "key-binding",
    "proofs",
    "request",
    "answer",
    "page",
    "jose",
    "credential-response",
    "status-list",
    "status-fetch",
    "dc-request",
    "dc-answer",
    "dcql",
    "ways",
    "policy",
    "webhook",
    "permission",
];

/// One attack. Closed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Unique over all files.
    pub(crate) id: String,
    /// What says that it must be refused.
    pub(crate) clause: String,
    /// Where it is tried: [`Surface::NAME`].
    pub(crate) surface: String,
    /// How the honest artefact is changed: a name that the surface knows.
    pub(crate) mutation: String,
    /// The check that refuses it.
    pub(crate) mutant: Option<String>,
    /// What is seen of the refusal.
    pub(crate) status: u16,
    /// The code that the other side sees.
    pub(crate) code: String,
    /// The code that only we see, where the surface counts one.
    pub(crate) reason: Option<String>,
    /// Whether the transaction is over after the attack.
    pub(crate) consumed: bool,
    /// How the attack ends with its check gone: a reason or a code; absent means that it is accepted.
    pub(crate) instead: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    refusals: Vec<Row>,
}

/// What came of something that was submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The HTTP status; 200 for what was accepted, whatever the surface.
    pub(crate) status: u16,
    /// The code that the other side sees; empty for what was accepted.
    pub(crate) code: String,
    /// The code that only we see; empty where there is none.
    pub(crate) reason: String,
}

impl Seen {
    pub(crate) fn is_accepted(&self) -> bool {
        self.status == 200
    }

    fn is_refusal_of(&self, row: &Row) -> bool {
        let same_reason = row.reason.as_ref().is_none_or(|reason| *reason == self.reason);
        self.status == row.status && self.code == row.code && same_reason
    }
}

/// A door at which attacks are tried.
pub(crate) trait Surface {
    /// The name in the column `surface`.
    const NAME: &'static str;

    /// One transaction that waits for an answer.
    type Case;

    /// The world that the door belongs to.
    async fn new() -> Self;

    /// A fresh transaction, of the kind that `mutation` needs.
    async fn open(&self, mutation: &str) -> Self::Case;

    /// Makes the artefact with `mutation` applied, and submits it. Panics on a name that is not known.
    async fn attack(&self, case: &Self::Case, mutation: &str) -> Seen;

    /// Makes the honest artefact for the same transaction, and submits it.
    async fn honest(&self, case: &Self::Case) -> Seen;
}

/// Runs every row of a surface.
pub(crate) async fn run<S: Surface>() {
    assert!(SURFACES.contains(&S::NAME), "{} is not among the surfaces", S::NAME);
    let surface = S::new().await;
    let mut wrong = Vec::new();
    for row in rows().into_values().flatten().filter(|row| row.surface == S::NAME) {
        if let Err(what) = check(&surface, &row).await {
            wrong.push(format!("{} ({}): {what}", row.id, row.clause));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

async fn check<S: Surface>(surface: &S, row: &Row) -> Result<(), String> {
    let case = surface.open(&row.mutation).await;
    let seen = surface.attack(&case, &row.mutation).await;
    if !seen.is_refusal_of(row) {
        return Err(format!("refused otherwise: {seen:?}"));
    }
    let honest = surface.honest(&case).await;
    if honest.is_accepted() == row.consumed {
        return Err(format!("the honest answer afterwards: {honest:?}"));
    }
    let Some(mutant) = &row.mutant else { return Ok(()) };
    let case = surface.open(&row.mutation).await;
    let seen = without_async(mutant, surface.attack(&case, &row.mutation)).await;
    let as_stated = match &row.instead {
        None => seen.is_accepted(),
        Some(end) => !seen.is_refusal_of(row) && (*end == seen.reason || *end == seen.code),
    };
    if as_stated { Ok(()) } else { Err(format!("without {mutant}: {seen:?}")) }
}

/// Every row, by file.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration, and this is its one setting")]
fn rows() -> BTreeMap<PathBuf, Vec<Row>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("refusals");
    let more = std::env::var_os("VOUCHSAFE_REFUSALS_DIR").unwrap_or_default();
    let more = std::env::split_paths(&more).filter(|folder| !folder.as_os_str().is_empty());
    std::iter::once(own)
        .chain(more)
        .flat_map(|folder| files(&folder))
        .map(|file| (file.clone(), read(&file)))
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let all = entries.map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

fn read(file: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(file).unwrap();
    toml::from_str::<File>(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display())).refusals
}

#[test]
fn rows_are_of_their_form() {
    let mut ids = BTreeSet::new();
    for row in rows().into_values().flatten() {
        assert!(SURFACES.contains(&row.surface.as_str()), "{}: no such surface", row.id);
        assert!(!row.clause.is_empty(), "{}: no clause", row.id);
        assert!(row.status != 200, "{}: 200 is no refusal", row.id);
        assert!(ids.insert(row.id.clone()), "{}: the id is there twice", row.id);
    }
}

#[test]
fn every_area_has_enough_rows() {
    let rows = rows();
    for area in AREAS {
        let of_area =
            |file: &PathBuf| file.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with(area));
        let count = rows.iter().filter(|(file, _)| of_area(file)).flat_map(|(_, rows)| rows);
        let count = count.filter(|row| row.mutant.is_some()).count();
        assert!(count >= FEWEST, "{area} has {count} rows with a mutant");
    }
}
