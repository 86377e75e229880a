//! A permission as the vault keeps it: its key, what was signed with it, and what the other side said of it since.
//!
//! It is written in the transaction that spends the copies, before the answer leaves: a stop after that loses nothing, and
//! a stop before it sent nothing. Whether the answer arrived is known when it is acknowledged; that the permission came
//! about, by a record of the verifier alone, for it comes about only where the outcome is met.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, b64u_decode, sha256};
use vouchsafe_protocol::jose::{PublicJwk, Signer as _};
use vouchsafe_protocol::openid4vp::Asked as Question;
use vouchsafe_protocol::permission::Jkt;
use vouchsafe_protocol::permission::record::{self, Record};
use vouchsafe_protocol::text::civil;
use vouchsafe_protocol::trust::{Basis, PermissionKind};
use vouchsafe_service::keys::SigningKey;
use zeroize::{Zeroize, Zeroizing};

use super::State;
use crate::history::Asked;
use crate::review::{Permits, days_between};
use crate::store;
use crate::vault::{Change, Record as Row, Section, Vault, VaultError};

/// A permission of this wallet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Its key, PKCS#8 in base64url.
    key: String,
    /// The entry that was signed, as it was received.
    entry: String,
    /// What its key signed of it.
    pub(crate) grant: String,
    /// The verifier's origin.
    pub(crate) verifier: String,
    /// The service and its purpose.
    pub(crate) asked: Asked,
    pub(crate) purpose_version: u32,
    /// The policy's digest.
    pub(crate) policy: String,
    pub(crate) basis: Basis,
    pub(crate) permits: Permits,
    /// The day of asking.
    #[serde(with = "civil")]
    pub(crate) given: Date,
    /// When it was signed, in Unix seconds.
    pub(crate) at: i64,
    /// What the answer showed as it stands, by pointer: an answer under it shows no more.
    pub(crate) shown: BTreeSet<String>,
    /// Whether the service acknowledged the answer.
    pub(crate) taken: bool,
    /// How often it was answered under it again, and on which day last.
    pub(crate) uses: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_use: Option<String>,
    /// When the resident took it back here, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) withdrawing: Option<i64>,
    /// The row of the history that tells so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) withdrawn_entry: Option<String>,
    /// The verifier's record, as it was last received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<Said>,
}

/// A record of the verifier that was verified.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// As it was signed.
    pub(crate) jws: String,
    /// The key that signed it, as the verifier published it.
    pub(crate) key: PublicJwk,
    /// When it was signed, in Unix seconds.
    pub(crate) signed_at: i64,
    /// What it says.
    pub(crate) record: Record,
}

/// Key and payee are for this wallet alone.
impl Drop for Kept {
    fn drop(&mut self) {
        self.key.zeroize();
        self.entry.zeroize();
    }
}

/// Why the entry of a permission is not signed once more.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotAgain {
    /// It was permitted and taken, and serves one permission.
    #[error("this was permitted before, and is permitted once")]
    Given,
    /// It was taken back, or is over.
    #[error("the permission was taken back, or is over")]
    Over,
}

/// What is known when a permission is signed.
pub(crate) struct Signed {
    pub(crate) key: SigningKey,
    pub(crate) grant: String,
    pub(crate) verifier: String,
    pub(crate) asked: Asked,
    pub(crate) purpose_version: u32,
    pub(crate) basis: Basis,
    pub(crate) permits: Permits,
    pub(crate) at: i64,
    pub(crate) shown: BTreeSet<String>,
}

impl Kept {
    /// A permission that is being signed; nothing where the question asks for none.
    pub(crate) fn signed(question: &Question, signed: Signed) -> Option<Self> {
        let Signed { key, grant, verifier, asked, purpose_version, basis, permits, at, shown } = signed;
        Some(Self {
            key: b64u(key.to_pkcs8_der().as_slice()),
            entry: question.terms()?.entry().text().to_owned(),
            grant,
            verifier,
            asked,
            purpose_version,
            policy: question.policy().digest_text(),
            basis,
            permits: Permits { again: None, ..permits },
            given: question.as_of(),
            at,
            shown,
            taken: false,
            uses: 0,
            last_use: None,
            withdrawing: None,
            withdrawn_entry: None,
            record: None,
        })
    }

    pub(crate) fn key(&self) -> Result<SigningKey, VaultError> {
        let der = Zeroizing::new(b64u_decode(&self.key).map_err(|_| VaultError::Damaged)?);
        SigningKey::from_pkcs8_der(&der).map_err(|_| VaultError::Damaged)
    }

    /// By which everybody knows the permission.
    pub(crate) fn jkt(&self) -> Result<Jkt, VaultError> {
        Ok(Jkt::of(self.key()?.public()))
    }

    /// SHA-256 of the entry.
    pub(crate) fn transaction(&self) -> [u8; 32] {
        sha256(&self.entry)
    }

    pub(crate) fn entry(&self) -> &str {
        &self.entry
    }

    pub(crate) fn kind(&self) -> PermissionKind {
        self.permits.kind()
    }

    /// The day of the last answer under it.
    pub(crate) fn last(&self) -> Date {
        let used = self.last_use.as_deref().and_then(|day| day.parse().ok());
        used.unwrap_or(self.given)
    }

    /// How it stands on a day, as far as this wallet knows.
    pub(crate) fn state(&self, today: Date) -> State {
        let said = self.record.as_ref().map(|said| said.record.state());
        match said {
            Some(record::State::Withdrawn) => State::Withdrawn,
            Some(record::State::Invalidated | record::State::Refused) => State::Ended,
            Some(record::State::Expired) => State::Expired,
            _ if self.permits.until < today => State::Expired,
            _ if self.withdrawing.is_some() => State::Withdrawing,
            Some(record::State::Given | record::State::Renewed) => State::Given,
            None => State::Sent,
        }
    }

    /// Whether the resident lets the service rely on it on that day, whatever the other side says.
    pub(crate) fn stands(&self, today: Date) -> bool {
        matches!(self.state(today), State::Sent | State::Given)
    }

    /// Whether an answer on that day is one under it, and not the first that never arrived.
    pub(crate) fn is_use(&self, today: Date) -> bool {
        self.taken || self.record.is_some() || self.given < today
    }

    /// Whether its entry may be signed once more on that day.
    ///
    /// # Errors
    /// [`NotAgain`].
    pub(crate) fn may_repeat(&self, today: Date) -> Result<(), NotAgain> {
        if !(mutants::skips("wallet-perm-over") || self.stands(today)) {
            return Err(NotAgain::Over);
        }
        let open = self.kind() == PermissionKind::Standing || !self.is_use(today);
        if !(mutants::skips("wallet-perm-again") || open) {
            return Err(NotAgain::Given);
        }
        Ok(())
    }

    /// Whether it can be asked about again on that day: a standing permission, its interval over, and uses left.
    pub(crate) fn is_due(&self, today: Date) -> bool {
        let Some(every) = self.permits.every_days() else { return false };
        let enough = i64::from(days_between(self.last(), today)) >= i64::from(every);
        let left = self.permits.uses.is_none_or(|most| self.uses < most);
        self.stands(today)
            && (left || mutants::skips("wallet-standing-uses"))
            && (enough || mutants::skips("wallet-standing-every"))
    }
}

/// Room for the record and the grant, the only long parts.
fn encoded(kept: &Kept) -> Zeroizing<Vec<u8>> {
    let said = kept.record.as_ref().map_or(0, |said| 4 * said.jws.len());
    store::encode_long(kept, said + 4 * kept.entry.len())
}

/// The change that keeps a new permission.
pub(crate) fn insert(id: String, kept: &Kept) -> Change {
    Change::Insert(Section::Permission, id, encoded(kept))
}

/// The change that keeps one that was read and is still as it was.
pub(crate) fn replace(row: Row, kept: &Kept) -> Change {
    Change::Replace(Section::Permission, row, encoded(kept))
}

/// All of them, oldest first.
pub(crate) async fn all(vault: &Vault) -> Result<Vec<(Row, Kept)>, VaultError> {
    let rows = vault.scan(Section::Permission).await?.into_iter();
    let mut all: Vec<(Row, Kept)> =
        rows.map(|row| store::decode(&row).map(|kept| (row, kept))).collect::<Result<_, _>>()?;
    all.sort_by(|(a, x), (b, y)| (x.at, &a.id).cmp(&(y.at, &b.id)));
    Ok(all)
}

/// That of this number.
pub(crate) async fn find(vault: &Vault, id: &str) -> Result<Option<(Row, Kept)>, VaultError> {
    let Some(row) = vault.read(Section::Permission, id).await? else { return Ok(None) };
    let kept = store::decode(&row)?;
    Ok(Some((row, kept)))
}

/// The entries of the standing ones, each with the day on which it was given.
pub(crate) async fn standing(vault: &Vault) -> Result<Vec<(String, Date)>, VaultError> {
    let all = all(vault).await?.into_iter().map(|(_, kept)| kept);
    let standing = all.filter(|kept| kept.kind() == PermissionKind::Standing);
    Ok(standing.map(|kept| (kept.entry.clone(), kept.given)).collect())
}

/// That of the very entry that a question carries.
pub(crate) async fn by_entry(vault: &Vault, question: &Question) -> Result<Option<(Row, Kept)>, VaultError> {
    let Some(terms) = question.terms() else { return Ok(None) };
    Ok(all(vault).await?.into_iter().find(|(_, kept)| kept.entry == terms.entry().text()))
}
