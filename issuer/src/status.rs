//! The status of what was issued: entries for new copies, changes by officers and by the register, publication.
//!
//! A change never shows at once. All changes wait for the next publication, which comes at fixed times
//! ([`StatusSettings`]), signs every list anew and replaces all of them in one transaction: who reads the
//! lists sees that of all holders some changed, and at the same moment all entries of each of them. With few changes in a
//! period that crowd is small; longer periods make it larger and news older.
//!
//! A list whose copies have all run out is needed by nobody: it goes with the publication after that, with its entries.
//!
//! Leaves out: history, lists of lists, withdrawing single copies (copies are alike, and no officer knows them apart).

pub(crate) mod shelf;

use jiff::civil::Date;
use serde::Deserialize;
use vouchsafe_protocol::status::{Bits, List, OWN_PATH, OutOfRange, Publication, Reference, Standing};
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_service::entropy;

use crate::app::App;
use crate::config::SettingsError;
use crate::store::{
    Asked, Change, Mac, PublishedList, Reserve, ReserveRefusal, SealedRow, Shard, Snapshot, Store, StoreError,
};

/// How often a publication is tried anew when changes keep coming between.
const TRIES: usize = 5;

/// Seconds for which a list is kept after the last of its copies ran out: clocks differ, and holders may still look.
const KEPT: i64 = DAY;

/// Entries removed in one transaction, and transactions after one publication: nobody waits long for either.
const SLICE: u32 = 10_000;
const SLICES: usize = 10;

/// How large status lists are, and when they are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusSettings {
    /// Minutes between publications, which are at multiples of them since midnight UTC of 1 January 1970. A change shows
    /// after this long at most, and after as long again to whoever has kept the list before.
    pub every_minutes: u32,
    /// Hours for which a published list says something: how long publication may fail before nothing can be told.
    pub valid_hours: u32,
    /// Entries of a list, a power of two; half of them are ever used.
    pub entries: u32,
}

impl Default for StatusSettings {
    fn default() -> Self {
        Self { every_minutes: 15, valid_hours: 24, entries: 1 << 20 }
    }
}

impl StatusSettings {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`SettingsError::Bounds`] names the key to mend.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !(1..=1440).contains(&self.every_minutes) {
            return Err(SettingsError::Bounds("status.every_minutes"));
        }
        // A list must outlive the publication after the next, or one that fails would leave everybody in doubt.
        if !(1..=168).contains(&self.valid_hours) || self.valid_seconds() < 2 * self.period_seconds() {
            return Err(SettingsError::Bounds("status.valid_hours"));
        }
        if !(1 << 10..=1 << 22).contains(&self.entries) || !self.entries.is_power_of_two() {
            return Err(SettingsError::Bounds("status.entries"));
        }
        Ok(())
    }

    fn period_seconds(&self) -> i64 {
        i64::from(self.every_minutes) * 60
    }

    fn valid_seconds(&self) -> i64 {
        i64::from(self.valid_hours) * 3600
    }
}

/// Why no lists were published, or no entries were handed out.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum StatusError {
    /// There is no such type, or its copies have no status.
    #[error("no credential type with a status has this id")]
    UnknownType,
    /// The person's copies are suspended.
    #[error(transparent)]
    Refused(#[from] ReserveRefusal),
    /// The key could not sign.
    #[error("the signing key could not sign; check the key store")]
    Sign,
    /// Changes kept coming.
    #[error("changes kept coming while the lists were made; try again")]
    Overtaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<OutOfRange> for StatusError {
    fn from(_: OutOfRange) -> Self {
        Self::Store(StoreError::Damaged)
    }
}

/// What a publication did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// How many lists there are.
    pub lists: usize,
    /// How many people's changes it took.
    pub changes: u64,
}

/// Entries for the copies of one batch, which runs out at `until`; none for a type without a status. Used up, whatever
/// becomes of the copies.
///
/// # Errors
/// [`StatusError`].
pub async fn references<S: Store>(
    app: &App<S>,
    credential_type: &CredentialType,
    person: Mac,
    count: usize,
    until: UnixTime,
) -> Result<Vec<Reference>, StatusError> {
    if !credential_type.status {
        return Ok(Vec::new());
    }
    let count = u32::try_from(count).expect("a batch has at most 30 copies");
    // A shard can fill up between finding and reserving it; a fresh one cannot.
    loop {
        let shard = match app.store().open_shard().await? {
            Some(shard) => shard,
            None => add_shard(app).await?,
        };
        let type_id = credential_type.id.clone();
        let reserve = Reserve { shard, type_id, person, count, until };
        match app.store().reserve(&reserve, app.entropy()).await? {
            Ok(drawn) => return drawn.into_iter().map(|idx| reference(app, &reserve.shard, idx)).collect(),
            Err(ReserveRefusal::Full) => drop(add_shard(app).await?),
            Err(refusal) => return Err(refusal.into()),
        }
    }
}

fn reference<S: Store>(app: &App<S>, shard: &str, idx: u64) -> Result<Reference, StatusError> {
    Reference::new(idx, &uri(app, shard)).map_err(|_| StatusError::Store(StoreError::Damaged))
}

fn uri<S: Store>(app: &App<S>, shard: &str) -> String {
    format!("{}{OWN_PATH}{shard}", app.issuer())
}

/// A shard is published before it is used: its first list says nothing of anybody.
async fn add_shard<S: Store>(app: &App<S>) -> Result<String, StatusError> {
    let entries = u64::from(app.status_settings().entries);
    let shard = Shard { name: entropy::id16(app.entropy()), entries, marked: Vec::new() };
    let list = sign(app, &shard, app.now()).await?;
    app.store().add_shard(entries, &list).await?;
    Ok(shard.name)
}

async fn sign<S: Store>(app: &App<S>, shard: &Shard, now: UnixTime) -> Result<PublishedList, StatusError> {
    let settings = app.status_settings();
    let entries = usize::try_from(shard.entries).map_err(|_| StoreError::Damaged)?;
    let mut list = List::new(Bits::Two, entries);
    for (idx, standing) in &shard.marked {
        list.set(*idx, standing.value().unwrap_or(1))?;
    }
    let uri = uri(app, &shard.name);
    let (expires_at, ttl) = (now.plus(settings.valid_seconds()), settings.period_seconds());
    let publication = Publication { uri: &uri, issued_at: now, expires_at, ttl, list: &list };
    let (jwt, cwt) = publication.sign(app.signer(), app.chain()).await.map_err(|_| StatusError::Sign)?;
    Ok(PublishedList { shard: shard.name.clone(), jwt, cwt, issued_at: now, expires_at, ttl })
}

/// Publishes every list, with the changes that wait.
///
/// # Errors
/// [`StatusError`]; then what was published before stays.
pub async fn publish<S: Store>(app: &App<S>) -> Result<Published, StatusError> {
    for _ in 0..TRIES {
        let now = app.now();
        let snapshot = app.store().snapshot().await?;
        let lists = signed(app, &snapshot, now).await?;
        if app.store().publish(&snapshot, &lists, now).await? {
            tidy(app, now).await;
            app.shelf().look_again();
            tracing::info!(
                lists_count = lists.len(),
                changes_count = snapshot.changes,
                "published the status lists"
            );
            return Ok(Published { lists: lists.len(), changes: snapshot.changes });
        }
    }
    Err(StatusError::Overtaken)
}

/// Removes lists that nobody needs, a slice at a time. What fails here fails no publication: the next one tries again.
async fn tidy<S: Store>(app: &App<S>, now: UnixTime) {
    for _ in 0..SLICES {
        match app.store().clean(now.minus(KEPT), SLICE).await {
            Ok(true) => tracing::info!("removed entries of a status list whose copies have all run out"),
            Ok(false) => return,
            Err(_) => return tracing::warn!("status lists that nobody needs could not be removed"),
        }
    }
}

async fn signed<S: Store>(
    app: &App<S>,
    snapshot: &Snapshot,
    now: UnixTime,
) -> Result<Vec<PublishedList>, StatusError> {
    let mut lists = Vec::with_capacity(snapshot.shards.len());
    for shard in &snapshot.shards {
        lists.push(sign(app, shard, now).await?);
    }
    Ok(lists)
}

/// Publishes if a time of the schedule has passed since the last publication; `None` if none has.
///
/// # Errors
/// [`StatusError`].
pub async fn publish_due<S: Store>(app: &App<S>) -> Result<Option<Published>, StatusError> {
    let period = app.status_settings().period_seconds();
    let slot = |at: UnixTime| at.0.div_euclid(period);
    if slot(app.now()) <= slot(app.store().published_at().await?) {
        return Ok(None);
    }
    publish(app).await.map(Some)
}

/// Asks to revoke the copies of the people whose facts these rows change: what those copies say is no longer so. Comes before
/// the rows are written, so that a crash between the two leaves nobody's old copies good.
pub(crate) async fn supersede<S: Store>(
    app: &App<S>,
    credential_type: &CredentialType,
    facts_as_of: Date,
    rows: &[SealedRow],
) -> Result<(), StoreError> {
    if !credential_type.status {
        return Ok(());
    }
    let type_id = credential_type.id.as_str();
    let open = |person, sealed: &[u8]| {
        app.secrets().open_facts(type_id, person, sealed).map_err(|_| StoreError::Damaged)
    };
    let mut changes = Vec::new();
    for row in rows {
        let Some(kept) = app.store().person(type_id, row.person).await? else { continue };
        let newer = kept.facts_as_of <= facts_as_of;
        if newer && open(row.person, &kept.sealed)? != open(row.person, &row.sealed)? {
            changes.push(Change { type_id, person: row.person, to: Standing::Revoked });
        }
    }
    if !changes.is_empty() {
        app.store().ask(&changes).await?;
    }
    Ok(())
}

/// Asks for a change of all copies that the people with these keys have of a type, of all periods where it has periods. In
/// effect with the next publication.
///
/// # Errors
/// [`StatusError`]; then nothing was noted.
pub async fn change<S: Store>(
    app: &App<S>,
    type_id: &str,
    keys: &[String],
    to: Standing,
) -> Result<Vec<Asked>, StatusError> {
    let credential_type = app.types().by_id(type_id).filter(|one| one.status);
    let credential_type = credential_type.ok_or(StatusError::UnknownType)?;
    let (mut changes, mut rows) = (Vec::new(), Vec::with_capacity(keys.len()));
    for key in keys {
        let names = names(app, credential_type, key).await?;
        rows.push(names.len());
        changes.extend(names.into_iter().map(|person| Change { type_id, person, to }));
    }
    let mut of_rows = app.store().ask(&changes).await?.into_iter();
    let asked: Vec<_> = rows.into_iter().map(|count| together(of_rows.by_ref().take(count))).collect();
    let waiting = asked.iter().filter(|one| **one == Asked::Waiting).count();
    tracing::info!(changes_count = waiting, "noted changes of status");
    Ok(asked)
}

/// As the register's rows name a person: once, or once for each period.
pub(crate) async fn names<S: Store>(
    app: &App<S>,
    credential_type: &CredentialType,
    key: &str,
) -> Result<Vec<Mac>, StoreError> {
    let whole = app.secrets().person(credential_type, key);
    match credential_type.period {
        None => Ok(vec![whole]),
        Some(_) => app.store().in_periods(&credential_type.id, whole).await,
    }
}

/// As the rows of all types name a person.
pub(crate) async fn every_name<S: Store>(app: &App<S>, key: &str) -> Result<Vec<Mac>, StoreError> {
    let mut all = Vec::new();
    for one in app.types().iter() {
        all.extend(names(app, one, key).await?);
    }
    Ok(all)
}

/// What became of one person's change, over all periods.
fn together(of_periods: impl Iterator<Item = Asked>) -> Asked {
    of_periods.fold(Asked::Nobody, |all, one| match (all, one) {
        (Asked::Waiting, _) | (_, Asked::Waiting) => Asked::Waiting,
        (Asked::Final, _) | (_, Asked::Final) => Asked::Final,
        _ => Asked::Nobody,
    })
}
