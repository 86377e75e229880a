//! Asking witnesses to sign the newest checkpoint (C2SP tlog-witness), and keeping their signatures with it.
//!
//! Each witness has rounds of its own: one that is away delays neither a checkpoint nor the others. It is asked from the size
//! that it signed last as far as we know, and once more from the size that it tells. What it answers counts where it verifies
//! under the key that was configured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinSet;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::pki_types::CertificateDer;
use vouchsafe_protocol::jose::pki_types::pem::PemObject as _;
use vouchsafe_protocol::tlog::note::{Kind, Note, NoteKey, NoteSignature};
use vouchsafe_protocol::tlog::tree::Plan;
use vouchsafe_protocol::tlog::witness::{AddCheckpoint, told_size};
use vouchsafe_service::client::{FetchError, Http, Reach, Reply};
use vouchsafe_service::config::ConfigError;
use vouchsafe_service::keys::Jws;

use super::{LogError, LogFault, read};
use crate::app::App;
use crate::config::{LogSettings, WitnessSettings};
use crate::store::{Published, StoreError};

/// The most bytes of a witness's answer: a few lines.
const MOST: usize = 16 * 1024;
/// How often a signature is put to a note that others put theirs to at the same time.
const TRIES: usize = 16;

/// The witnesses of a log, and the way to them.
pub(crate) struct Circle {
    http: Option<Http>,
    witnesses: Vec<Witness>,
}

struct Witness {
    url: String,
    key: NoteKey,
    /// The size that it signed last, as far as we know.
    last: AtomicU64,
}

/// What came of asking a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It signed, and its signature is shown.
    Signed,
    /// There is nothing that it has not signed.
    Nothing,
}

/// Why a witness's signature is not there.
#[derive(Debug, Error)]
pub enum AskError {
    /// It does not answer.
    #[error("it cannot be reached: {0}")]
    Away(#[from] FetchError),
    /// It refused.
    #[error("it refused with the status {0}")]
    Refused(u16),
    /// It has signed more entries than there are.
    #[error("it has signed {0} entries, more than the log has: the database is an old one")]
    Ahead(u64),
    /// It said what its key did not sign.
    #[error("its answer is not a signature by its key")]
    False,
    /// Our own log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl AskError {
    fn code(&self) -> &'static str {
        match self {
            Self::Away(_) => "away",
            Self::Refused(_) => "refused",
            Self::Ahead(_) => "ahead",
            Self::False => "false",
            Self::Log(_) => "log",
        }
    }
}

impl Circle {
    pub(super) fn open(settings: &LogSettings, test: bool) -> Result<Self, LogFault> {
        if !(mutants::skips("log-witness-loopback") || !settings.loopback || test) {
            return Err(LogFault::Loopback);
        }
        if settings.witnesses.is_empty() {
            return Ok(Self { http: None, witnesses: Vec::new() });
        }
        let reach = if settings.loopback { Reach::Loopback } else { Reach::Global };
        let path = &settings.authorities;
        let pem = std::fs::read(path)
            .map_err(|fault| ConfigError::File { path: path.clone(), kind: fault.kind() })?;
        let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let authorities = authorities.map_err(|_| LogFault::Authorities)?;
        let http = Http::new(&authorities, reach).map_err(|_| LogFault::Authorities)?;
        let mut witnesses: Vec<Witness> = Vec::new();
        for one in &settings.witnesses {
            let witness = Witness::open(one, &http)?;
            let once = witnesses.iter().all(|other| other.key != witness.key);
            if !(mutants::skips("log-witness-once") || once) {
                return Err(LogFault::Witness);
            }
            witnesses.push(witness);
        }
        Ok(Self { http: Some(http), witnesses })
    }
}

impl Witness {
    fn open(settings: &WitnessSettings, http: &Http) -> Result<Self, LogFault> {
        let url = format!("{}/add-checkpoint", settings.url.trim_end_matches('/'));
        let key = NoteKey::parse(&settings.key).map_err(|_| LogFault::Witness)?;
        if !(mutants::skips("log-witness-kind") || key.kind() == Kind::Cosignature) {
            return Err(LogFault::Witness);
        }
        http.check(&url).map_err(|fault| LogFault::Url(key.name().to_owned(), fault))?;
        Ok(Self { url, key, last: AtomicU64::new(0) })
    }
}

/// Asks every witness at its times, for as long as it is polled; at once ends where there is none to ask.
pub async fn ask_every(app: Arc<App>) {
    let every = app.config().log.as_ref().map_or(1, |settings| settings.every_seconds);
    let many = app.log_desk().map_or(0, |desk| desk.circle().witnesses.len());
    let mut all = JoinSet::new();
    for at in 0..many {
        all.spawn(rounds(Arc::clone(&app), at, Duration::from_secs(every.into())));
    }
    while all.join_next().await.is_some() {}
}

async fn rounds(app: Arc<App>, at: usize, every: Duration) {
    let mut rounds = tokio::time::interval(every);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let _ = ask(&app, at).await;
    }
}

/// Asks the witness at that place of the configuration once, counts what came of it and says what went wrong.
///
/// # Errors
/// [`AskError`]; the checkpoint is shown without it.
pub async fn ask(app: &App, at: usize) -> Result<Asked, AskError> {
    let Some(desk) = app.log_desk() else { return Ok(Asked::Nothing) };
    let circle = desk.circle();
    let Some((http, witness)) = circle.http.as_ref().zip(circle.witnesses.get(at)) else {
        return Ok(Asked::Nothing);
    };
    let result = put(app, http, witness).await;
    let word = match &result {
        Ok(Asked::Nothing) => return Ok(Asked::Nothing),
        Ok(Asked::Signed) => "signed",
        Err(fault) => fault.code(),
    };
    metrics::counter!("vouchsafe_log_witness_total", "result" => word).increment(1);
    let name = witness.key.name();
    match &result {
        Err(fault @ (AskError::Away(_) | AskError::Log(_))) => {
            tracing::warn!(witness = name, "a witness of the log did not sign: {fault}");
        }
        Err(fault) => tracing::error!(witness = name, "a witness of the log did not sign: {fault}"),
        Ok(_) => {}
    }
    result
}

async fn put(app: &App, http: &Http, witness: &Witness) -> Result<Asked, AskError> {
    let Some(newest) = app.store().log_checkpoint().await.map_err(LogError::from)? else {
        return Ok(Asked::Nothing);
    };
    let note = Note::parse(newest.note.as_bytes()).map_err(LogError::from)?;
    if note.signatures().iter().any(|line| line.is_by(&witness.key)) {
        return Ok(Asked::Nothing);
    }
    let question = Question { app, http, witness, newest: &newest, note: &note };
    let reply = question.answer().await?;
    let line = cosignature(&reply.body, &note, &witness.key).ok_or(AskError::False)?;
    witness.last.store(newest.size, Ordering::Relaxed);
    keep(app, newest, &line, &witness.key).await
}

/// What one witness is asked about one checkpoint.
struct Question<'a> {
    app: &'a App,
    http: &'a Http,
    witness: &'a Witness,
    newest: &'a Published,
    note: &'a Note,
}

impl Question<'_> {
    /// The answer with status 200: from the size that we know of, and once more from the one that is told.
    async fn answer(&self) -> Result<Reply, AskError> {
        let first = self.post(self.witness.last.load(Ordering::Relaxed)).await?;
        let reply = match first.status {
            409 => self.post(told_size(&first.body).ok_or(AskError::Refused(409))?).await?,
            _ => first,
        };
        if reply.status == 200 { Ok(reply) } else { Err(AskError::Refused(reply.status)) }
    }

    async fn post(&self, old: u64) -> Result<Reply, AskError> {
        let size = self.newest.size;
        if old > size {
            return Err(AskError::Ahead(old));
        }
        let plan = Plan::consistency(old, size).map_err(LogError::from)?;
        let tiles = read(self.app.store(), plan.needed(), size).await?;
        let proof = plan.prove(|subtree| tiles.hash(subtree)).map_err(LogError::from)?;
        let ours: Vec<_> = self.app.log_desk().map(|desk| desk.key().clone()).into_iter().collect();
        let request = AddCheckpoint { old, proof, note: self.note.only(&ours) };
        let sent = self.http.post(&self.witness.url).body("text/plain; charset=utf-8", request.to_string());
        Ok(sent.max_reply(MOST).send().await?)
    }
}

/// The line of the witness's key, if it verifies over this checkpoint.
fn cosignature(body: &[u8], note: &Note, key: &NoteKey) -> Option<NoteSignature> {
    let lines = NoteSignature::parse_lines(std::str::from_utf8(body).ok()?).ok()?;
    let line = lines.into_iter().find(|line| line.is_by(key))?;
    let alone = note.only(&[]).with(line.clone()).ok()?;
    let holds = alone.verify([key], &Jws).is_ok();
    (mutants::skips("log-witness-signature") || holds).then_some(line)
}

/// Puts the line to the note that is shown, beside those of others.
async fn keep(
    app: &App,
    mut newest: Published,
    line: &NoteSignature,
    key: &NoteKey,
) -> Result<Asked, AskError> {
    for _ in 0..TRIES {
        let note = Note::parse(newest.note.as_bytes()).map_err(LogError::from)?;
        if note.signatures().iter().any(|line| line.is_by(key)) {
            return Ok(Asked::Signed);
        }
        let size = newest.size;
        let with = note.with(line.clone()).map_err(LogError::from)?.to_string();
        if app.store().log_cosigned(newest, with).await.map_err(LogError::from)? {
            return Ok(Asked::Signed);
        }
        // Somebody else's came in between; or there is a newer checkpoint, whose signature is asked for next.
        let now = app.store().log_checkpoint().await.map_err(LogError::from)?;
        match now.filter(|now| now.size == size) {
            Some(now) => newest = now,
            None => return Ok(Asked::Signed),
        }
    }
    Err(LogError::from(StoreError::Unavailable).into())
}
