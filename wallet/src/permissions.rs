//! What this wallet has permitted: what it keeps of each permission, how it asks for its record, and how it takes it back.
//!
//! A permission is known by its key alone, which is used nowhere else. With it the wallet asks the verifier for the record
//! and takes the permission back; there is no account, and no handle by which the wallet could be told anything: it asks,
//! and only when the resident has it ask (`specs/profiles/permission.md`, "Calls by the permission's key").
//!
//! What the other side says counts as far as it is a record, signed by a key that the verifier publishes, about this
//! permission as this wallet signed it, and a continuation of the record that was held before.

mod ask;
mod call;
pub(crate) mod kept;
mod page;
mod refused;

use jiff::civil::Date;
use serde::Serialize;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::permission::call::Do;
use vouchsafe_protocol::permission::record::{Happening, Route, SignedError};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::Basis;

pub use ask::{Answering, AskedAgain, Because};
pub use kept::NotAgain;
pub(crate) use kept::{Kept, Said};

use crate::Wallet;
use crate::history::{self, Asked, Ending, Event, OfPermission};
use crate::http::HttpError;
use crate::review::Permits;
use crate::store;
use crate::vault::{Change, Record as Row, Section, VaultError};

/// How a permission stands, as far as this wallet knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Signed and sent; no record of it was seen yet.
    Sent,
    /// Recorded, and in force.
    Given,
    /// Taken back here; the verifier has not recorded it yet.
    Withdrawing,
    /// Taken back, and recorded so.
    Withdrawn,
    /// Its last day is over.
    Expired,
    /// Ended by the controller.
    Ended,
}

/// A permission, as its resident is told of it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// Its number in this wallet.
    pub id: String,
    /// How it stands.
    pub state: State,
    /// Who has it and what for.
    pub asked: Asked,
    /// What was permitted.
    pub permits: Permits,
    /// The lawful basis: an agreement only where it is consent.
    pub basis: Basis,
    /// The day on which it was given.
    pub given: String,
    /// How often it was answered under it again, and on which day last.
    pub uses: u32,
    /// The day of the last such answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_use: Option<String>,
    /// What happened to it, by the verifier's record.
    pub events: Vec<Told>,
    /// When the verifier signed that record, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<i64>,
}

/// There may be a payment in it.
impl std::fmt::Debug for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permission").field("state", &self.state).finish_non_exhaustive()
    }
}

/// One event of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// When, in Unix seconds.
    pub at: i64,
    /// What: given, refused, renewed, withdrawn, expired or invalidated.
    pub what: &'static str,
    /// Which way, of a withdrawal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
}

/// A record as it was signed, with what it takes to check it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The record, as the verifier signed it.
    pub record: String,
    /// The key that signed it, as the verifier published it.
    pub key: vouchsafe_protocol::jose::PublicJwk,
    /// What this wallet signed: the permission's grant.
    pub grant: String,
    /// SHA-256 of what was permitted, by which record and decision name it.
    pub transaction: String,
}

/// Why something about a permission was not done.
#[derive(Debug, Error)]
pub enum PermissionError {
    /// There is none of that number.
    #[error("there is no permission with that number")]
    NoSuch,
    /// No record of it was seen yet.
    #[error("no record of it was received yet")]
    NoRecord,
    /// It is in force, so its key is needed.
    #[error("it is in force: take it back first")]
    InForce,
    /// The verifier knows no such permission.
    #[error("the verifier has no such permission on record")]
    NotThere,
    /// The verifier has no room, or is in trouble.
    #[error("the verifier cannot answer just now")]
    Busy,
    /// The verifier's answer is none of this protocol.
    #[error("the verifier's answer cannot be read")]
    Reply,
    /// The keys that records are signed with are not published there.
    #[error("the verifier publishes no key that signed its record")]
    Key,
    /// The record is refused.
    #[error(transparent)]
    Record(SignedError),
    /// The record says something else than was permitted.
    #[error("the record says something other than was permitted")]
    Differs,
    /// The record does not continue the one that was held.
    #[error("the record does not continue the one that was received before")]
    Order,
    /// The receipt does not say that it was taken back.
    #[error("the receipt does not say that it was taken back")]
    NotWithdrawn,
    /// The network.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Permission {
    fn of(id: &str, kept: &Kept, today: Date) -> Self {
        let events = kept.record.iter().flat_map(|said| said.record.events());
        Self {
            id: id.to_owned(),
            state: kept.state(today),
            asked: kept.asked.clone(),
            permits: kept.permits.clone(),
            basis: kept.basis,
            given: kept.given.to_string(),
            uses: kept.uses,
            last_use: kept.last_use.clone(),
            events: events.map(|event| Told::of(event.at, &event.what)).collect(),
            recorded_at: kept.record.as_ref().map(|said| said.signed_at),
        }
    }
}

impl Told {
    fn of(at: UnixTime, what: &Happening) -> Self {
        let (what, route) = match what {
            Happening::Given => ("given", None),
            Happening::Refused => ("refused", None),
            Happening::Renewed { .. } => ("renewed", None),
            Happening::Withdrawn { route } => ("withdrawn", Some(*route)),
            Happening::Expired => ("expired", None),
            Happening::Invalidated => ("invalidated", None),
        };
        Self { at: at.0, what, route }
    }
}

impl Wallet {
    fn today(&self) -> Date {
        self.machine.clock.now().london_date()
    }

    /// Every permission of this wallet, oldest first.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn permissions(&self) -> Result<Vec<Permission>, VaultError> {
        let all = kept::all(&self.vault).await?;
        Ok(all.iter().map(|(row, kept)| Permission::of(&row.id, kept, self.today())).collect())
    }

    /// The permission of that number.
    ///
    /// # Errors
    /// [`PermissionError::NoSuch`].
    pub async fn permission(&self, id: &str) -> Result<Permission, PermissionError> {
        let (row, kept) = self.kept(id).await?;
        Ok(Permission::of(&row.id, &kept, self.today()))
    }

    async fn kept(&self, id: &str) -> Result<(Row, Kept), PermissionError> {
        kept::find(&self.vault, id).await?.ok_or(PermissionError::NoSuch)
    }

    /// The record of that permission as it was signed, to be shown to anybody.
    ///
    /// # Errors
    /// [`PermissionError::NoSuch`], [`PermissionError::NoRecord`].
    pub async fn export_permission(&self, id: &str) -> Result<Exported, PermissionError> {
        let (_, kept) = self.kept(id).await?;
        let said = kept.record.as_ref().ok_or(PermissionError::NoRecord)?;
        Ok(Exported {
            record: said.jws.clone(),
            key: said.key.clone(),
            grant: kept.grant.clone(),
            transaction: b64u(kept.transaction()),
        })
    }

    /// Asks the verifier for the record of that permission.
    ///
    /// # Errors
    /// [`PermissionError`]; what was known stays known.
    pub async fn check_permission(&self, id: &str) -> Result<Permission, PermissionError> {
        let done = self.fetch_record(id).await;
        self.noted_permission(id, done.map(|(permission, _)| permission)).await
    }

    /// The record, and the requests that wait to be answered under the permission.
    async fn fetch_record(&self, id: &str) -> Result<(Permission, Vec<String>), PermissionError> {
        let (_, kept) = self.kept(id).await?;
        let told = self.call(&kept, Do::State).await?;
        if let Some(said) = told.said {
            self.keep_record(id, said).await?;
        }
        Ok((self.permission(id).await?, told.asks))
    }

    /// Takes the permission back: from now on this wallet answers nothing under it, whether the verifier can be reached or
    /// not. Where it could not, the same command says it again.
    ///
    /// # Errors
    /// [`PermissionError`] says why there is no receipt yet.
    pub async fn withdraw_permission(&self, id: &str) -> Result<Permission, PermissionError> {
        self.begin_withdrawing(id).await?;
        let done = self.withdrawn(id).await;
        self.noted_permission(id, done).await
    }

    /// Notes that the resident takes it back, before anybody is told.
    async fn begin_withdrawing(&self, id: &str) -> Result<(), PermissionError> {
        let _turn = self.turn.lock().await;
        let (row, mut kept) = self.kept(id).await?;
        if kept.withdrawing.is_some() || matches!(kept.state(self.today()), State::Withdrawn | State::Ended) {
            return Ok(());
        }
        let permission = OfPermission { id: row.id.clone(), kind: kept.kind(), again: false };
        let event = Event::Withdrew { asked: kept.asked.clone(), permission, acknowledged: false };
        let (entry_id, entry) = (self.new_id(), self.entry_now(event).await?);
        kept.withdrawing = Some(self.machine.clock.now().0);
        kept.withdrawn_entry = Some(entry_id.clone());
        let changes = vec![kept::replace(row, &kept), history::record(entry_id, &entry)];
        Ok(self.vault.apply(changes, &*self.machine.entropy).await?)
    }

    async fn withdrawn(&self, id: &str) -> Result<Permission, PermissionError> {
        let (_, kept) = self.kept(id).await?;
        if kept.state(self.today()) == State::Withdrawn {
            return self.permission(id).await;
        }
        let told = self.call(&kept, Do::Withdraw).await?;
        let said = told.said.ok_or(PermissionError::Reply)?;
        // An acknowledgement that is none must not pass for one. What had ended otherwise before is over as well.
        let over = !said.record.state().allows();
        if !(mutants::skips("wallet-receipt-withdrawn") || over) {
            return Err(PermissionError::NotWithdrawn);
        }
        self.keep_record(id, said).await?;
        self.permission(id).await
    }

    /// Keeps a record that was verified, and tells the history what it says that was not known.
    async fn keep_record(&self, id: &str, said: Said) -> Result<(), PermissionError> {
        let _turn = self.turn.lock().await;
        let (row, mut kept) = self.kept(id).await?;
        // Another call may have brought a later one meanwhile.
        call::continues(kept.record.as_ref(), &said)?;
        let mut changes = self.ended(id, &kept, &said).await?;
        kept.taken = true;
        kept.record = Some(said);
        changes.push(kept::replace(row, &kept));
        Ok(self.vault.apply(changes, &*self.machine.entropy).await?)
    }

    /// What the history is told of a record: that a withdrawal arrived, or that the permission ended otherwise.
    async fn ended(&self, id: &str, kept: &Kept, said: &Said) -> Result<Vec<Change>, VaultError> {
        let known = kept.record.as_ref().map_or(0, |said| said.record.events().len());
        let new = said.record.events().iter().skip(known).map(|event| &event.what);
        let Some(how) = new.filter_map(ending).next_back() else { return Ok(Vec::new()) };
        // Whatever ended it: what the resident said here has come to an end.
        let mut changes = match &kept.withdrawn_entry {
            Some(entry) => self.acknowledged(entry).await?,
            None => Vec::new(),
        };
        if how == Ending::Elsewhere && kept.withdrawn_entry.is_some() {
            return Ok(changes);
        }
        let permission = OfPermission { id: id.to_owned(), kind: kept.kind(), again: false };
        let event = Event::Ended { asked: kept.asked.clone(), permission, how };
        let entry = self.entry_now(event).await?;
        changes.push(history::record(self.new_id(), &entry));
        Ok(changes)
    }

    /// The row that tells of a withdrawal says from now on that it arrived; it may have been deleted.
    async fn acknowledged(&self, entry: &str) -> Result<Vec<Change>, VaultError> {
        let Some(row) = self.vault.read(Section::History, entry).await? else { return Ok(Vec::new()) };
        let mut told: history::Entry = store::decode(&row)?;
        if let Event::Withdrew { acknowledged, .. } = &mut told.event {
            *acknowledged = true;
        }
        Ok(vec![history::record(row.id, &told)])
    }

    /// Deletes a permission that is over, with its key and its record.
    ///
    /// # Errors
    /// [`PermissionError::InForce`]: without its key nobody could take it back here.
    pub async fn delete_permission(&self, id: &str) -> Result<(), PermissionError> {
        let (row, kept) = self.kept(id).await?;
        let over = matches!(kept.state(self.today()), State::Withdrawn | State::Expired | State::Ended);
        if !(mutants::skips("wallet-perm-delete") || over) {
            return Err(PermissionError::InForce);
        }
        let change = Change::Delete(Section::Permission, row.id);
        Ok(self.vault.apply(vec![change], &*self.machine.entropy).await?)
    }

    /// Keeps the code of what failed in the history.
    async fn noted_permission<T>(
        &self,
        id: &str,
        done: Result<T, PermissionError>,
    ) -> Result<T, PermissionError> {
        if let Err(failed) = &done
            && let Some((_, kept)) = kept::find(&self.vault, id).await?
        {
            // A number that there is not is a slip of the keyboard, and nothing that happened.
            let asked = Some(kept.asked.clone());
            self.record(Event::Failed { asked, code: failed.code().to_owned() }).await?;
        }
        done
    }
}

/// How an event ends a permission.
fn ending(what: &Happening) -> Option<Ending> {
    match what {
        Happening::Withdrawn { route: Route::Wallet } => Some(Ending::Elsewhere),
        Happening::Withdrawn { route: Route::Letter } => Some(Ending::Letter),
        Happening::Withdrawn { route: Route::Counter } => Some(Ending::Counter),
        Happening::Expired => Some(Ending::Expired),
        Happening::Invalidated => Some(Ending::Invalidated),
        Happening::Given | Happening::Refused | Happening::Renewed { .. } => None,
    }
}
