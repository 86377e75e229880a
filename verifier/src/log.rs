//! The log that is shown: checkpoints signed at intervals, tiles, and the proof that a decision is in it
//! (`specs/profiles/log.md`).
//!
//! Entries get their places in the transactions that write them; here the tree is signed as it stands. Before a new
//! checkpoint is signed, the tree is held against the newest one that was, and its edge against its entries: a database that
//! went back, or whose entries were changed, gets no second history under our key. Then the [`witnesses`] are asked.

pub mod witnesses;

use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::tlog::checkpoint::{Checkpoint, CheckpointError};
use vouchsafe_protocol::tlog::note::{Note, NoteError, NoteKey, NoteSigner};
use vouchsafe_protocol::tlog::proof::LogProof;
use vouchsafe_protocol::tlog::tile::{Kind, Tile, Tiles, bundle, needed};
use vouchsafe_protocol::tlog::tree::{self, Frontier, Hash, Plan, Subtree, TreeError, leaf_hash};
use vouchsafe_service::client::FetchError;
use vouchsafe_service::config::ConfigError;
use vouchsafe_service::keys::{Ed25519Key, KeyError};

use self::witnesses::Circle;
use crate::app::App;
use crate::config::Config;
use crate::store::{Published, Store, StoreError};

/// Where the log is, below the verifier's origin.
const PATH: &str = "/log";

/// The longest that the log may go on without a checkpoint, in seconds.
const LONGEST: u32 = 86_400;

/// Who signs checkpoints, and of which log.
pub struct LogDesk {
    signer: Ed25519Key,
    origin: String,
    key: NoteKey,
    circle: Circle,
}

/// Why the log cannot be shown. All of them are for the operator to mend.
#[derive(Debug, Error)]
pub enum LogFault {
    /// A file cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key cannot be used.
    #[error("log.key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// A log is named after the origin, and this one makes no name.
    #[error("the log is named after origin, which must have no space and no plus")]
    Name,
    /// The interval is none, or too long.
    #[error("log.every_seconds must be 1 to {LONGEST}")]
    Every,
    /// Witnesses on this machine for a live service.
    #[error("log.loopback is for test services alone")]
    Loopback,
    /// The client that asks witnesses cannot be made.
    #[error("log.authorities must hold certificates in PEM")]
    Authorities,
    /// A witness cannot be asked where it is said to be.
    #[error("the witness {0} of the log needs a plain https URL of an address that may be reached: {1}")]
    Url(String, FetchError),
    /// A witness's key is none, or not that of a witness.
    #[error("log.witnesses needs the key of each witness as it prints it, name+id+key, and each key once")]
    Witness,
}

/// Why nothing is signed or shown. All of them are for the operator.
#[derive(Debug, Error)]
pub enum LogError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key.
    #[error("the log could not be signed: {0}")]
    Note(#[from] NoteError),
    /// A checkpoint that was stored.
    #[error("a stored checkpoint cannot be read: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A hash or an entry.
    #[error("the log's tree is damaged: {0}")]
    Tree(#[from] TreeError),
    /// The tree is not a continuation of what was signed.
    #[error(
        "the log does not continue the checkpoint of {signed} entries that was signed: entries were changed or lost, or the \
         database is an old one; nothing is signed until it is restored"
    )]
    Forked {
        /// The size of that checkpoint.
        signed: u64,
    },
}

impl LogDesk {
    /// The log of a verifier; `None` where it shows none.
    ///
    /// # Errors
    /// [`LogFault`] says what to mend.
    pub fn open(config: &Config) -> Result<Option<Self>, LogFault> {
        let Some(settings) = &config.log else { return Ok(None) };
        if !(mutants::skips("log-every") || (1..=LONGEST).contains(&settings.every_seconds)) {
            return Err(LogFault::Every);
        }
        let test = config.services.iter().all(|service| service.env == Env::Test);
        let circle = Circle::open(settings, test)?;
        let signer = Ed25519Key::from_pkcs8_pem(&settings.key.read()?)?;
        let host = config.origin.split_once("://").map_or(&*config.origin, |(_, host)| host);
        let origin = format!("{host}{PATH}");
        let key = NoteSigner::new(&origin, &signer).map_err(|_| LogFault::Name)?.key().clone();
        Ok(Some(Self { signer, origin, key, circle }))
    }

    /// The log's origin, which is also the name that it signs under.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What verifies its checkpoints; its text is `name+id+base64`.
    #[must_use]
    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    /// What verifies its checkpoints: `name+id+base64`.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.key.to_string()
    }

    pub(crate) fn circle(&self) -> &Circle {
        &self.circle
    }

    async fn sign(&self, edge: &Frontier) -> Result<String, LogError> {
        let checkpoint = Checkpoint::new(&self.origin, edge.size(), edge.root())?;
        let signer = NoteSigner::new(&self.origin, &self.signer).map_err(|_| NoteError::Form)?;
        Ok(checkpoint.sign(&signer).await?.to_string())
    }
}

/// Signs the tree as it stands if it grew since the newest checkpoint, and gives the newest one: `None` where this verifier
/// shows no log.
///
/// # Errors
/// [`LogError`]; what was published stays.
pub async fn publish(app: &App) -> Result<Option<Published>, LogError> {
    let Some(desk) = app.log_desk() else { return Ok(None) };
    let store = app.store();
    let newest = store.log_checkpoint().await?;
    let edge = store.log_edge().await?;
    if let Some(newest) = newest {
        if edge.size() == newest.size && edge.root() == *checkpoint(&newest)?.root() {
            return Ok(Some(newest));
        }
        continues(store, &newest, &edge).await?;
    }
    holds(store, &edge).await?;
    let note = desk.sign(&edge).await?;
    Ok(Some(store.log_publish(Published { size: edge.size(), note }).await?))
}

/// Whether the stored edge is that of the stored entries.
async fn holds(store: &dyn Store, edge: &Frontier) -> Result<(), LogError> {
    let tiles = read(store, tree::peaks(edge.size())?, edge.size()).await?;
    let root = tree::root(edge.size(), |subtree| tiles.hash(subtree))?;
    if !(mutants::skips("log-edge-holds") || root == edge.root()) {
        return Err(TreeError::Damaged.into());
    }
    Ok(())
}

/// Whether the tree begins with the one that was signed.
async fn continues(store: &dyn Store, signed: &Published, edge: &Frontier) -> Result<(), LogError> {
    let forked = LogError::Forked { signed: signed.size };
    if edge.size() < signed.size {
        return Err(forked);
    }
    let checkpoint = checkpoint(signed)?;
    let tiles = read(store, tree::peaks(signed.size)?, edge.size()).await?;
    let root = tree::root(signed.size, |subtree| tiles.hash(subtree)).ok();
    if !(mutants::skips("log-continues") || root.as_ref() == Some(checkpoint.root())) {
        return Err(forked);
    }
    Ok(())
}

/// What we signed ourselves.
fn checkpoint(signed: &Published) -> Result<Checkpoint, LogError> {
    Ok(Checkpoint::parse(Note::parse(signed.note.as_bytes())?.dangerous_text())?)
}

/// The tiles that the hashes of these subtrees are made of.
pub(crate) async fn read(
    store: &dyn Store,
    subtrees: impl IntoIterator<Item = Subtree>,
    size: u64,
) -> Result<Tiles, LogError> {
    let mut tiles = Tiles::default();
    for tile in needed(subtrees, size).ok_or(TreeError::Range)? {
        let bytes = bytes(store, tile).await?;
        // A hash that is not there is found missing where the proof is made.
        let _ = tiles.insert(tile, &bytes);
    }
    Ok(tiles)
}

async fn bytes(store: &dyn Store, tile: Tile) -> Result<Vec<u8>, LogError> {
    let hashes: Vec<Hash> = match tile.kind() {
        Kind::Entries => {
            let entries = store.log_entries(tile.places()).await?;
            return bundle(entries.iter().map(|entry| &entry[..])).map_err(|_| TreeError::Damaged.into());
        }
        Kind::Hashes(0) => {
            store.log_entries(tile.places()).await?.iter().map(|entry| leaf_hash(entry)).collect()
        }
        Kind::Hashes(level) => store.log_hashes(level, tile.places()).await?,
    };
    Ok(hashes.concat())
}

/// A tile by its path; `None` where no checkpoint has all of it.
///
/// # Errors
/// [`LogError`].
pub async fn tile(app: &App, path: &str) -> Result<Option<(Tile, Vec<u8>)>, LogError> {
    let Ok(tile) = Tile::parse(path) else { return Ok(None) };
    let Some(newest) = shown(app).await? else { return Ok(None) };
    if !(mutants::skips("log-tile-within") || tile.is_within(newest.size)) {
        return Ok(None);
    }
    Ok(Some((tile, bytes(app.store(), tile).await?)))
}

/// The newest checkpoint; `None` before the first, and where this verifier shows no log.
///
/// # Errors
/// [`LogError`].
pub async fn shown(app: &App) -> Result<Option<Published>, LogError> {
    match app.log_desk() {
        Some(_) => Ok(app.store().log_checkpoint().await?),
        None => Ok(None),
    }
}

/// The proof that an entry is in the log, in the form that needs nothing beside it but the log's key; `None` while no
/// checkpoint has it.
///
/// # Errors
/// [`LogError`].
pub async fn proof(app: &App, entry: Hash) -> Result<Option<String>, LogError> {
    let Some(newest) = shown(app).await? else { return Ok(None) };
    let place = app.store().log_place(entry).await?.filter(|place| *place < newest.size);
    let Some(index) = place else { return Ok(None) };
    let plan = Plan::inclusion(index, newest.size)?;
    let tiles = read(app.store(), plan.needed(), newest.size).await?;
    let hashes = plan.prove(|subtree| tiles.hash(subtree))?;
    let checkpoint = Note::parse(newest.note.as_bytes())?;
    Ok(Some(LogProof { index, hashes, checkpoint }.to_string()))
}
