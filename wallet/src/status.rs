//! Whether what is held still counts, by the status lists of its issuers (draft-ietf-oauth-status-list-20).
//!
//! Looked up when the resident asks for it ([`Wallet::refresh_status`]) and at no other time. Who serves a list learns
//! that somebody with an entry in it looked, from which address, and when. A look-up while a question is being answered
//! would tell an issuer when its credentials are used, so review and answer take what was last known and fetch nothing.
//! Each list is fetched once however many copies stand in it, with all its entries: which of them is meant stays here.
//!
//! A list counts if it is at the issuer's own origin and signed under an anchor that the register named for that issuer,
//! and is no older than what it said before. One that cannot be had costs nothing: what was known is kept, and that it
//! could not be looked up is said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::x5c::{Anchor, validate};
use vouchsafe_protocol::sd_jwt;
use vouchsafe_protocol::status::{
    CLAIM, Entitled, Expected, JWT_MEDIA_TYPE, MAX_INFLATED, Received, Reference, Standing, Token,
};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::keys::Jws;

use crate::http::{self, Outgoing};
use crate::store::{self, Copy, CopyState, Credential};
use crate::vault::{Change, Section, Vault, VaultError};
use crate::words::{self, Language, say};
use crate::{Wallet, trust};

/// The largest token taken: a list at its largest, in base64 twice, and some room for the rest.
const MOST: usize = MAX_INFLATED * 2 + 64 * 1024;

/// What is known of the status of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// What its list said when it was last read; unknown before that.
    pub standing: Standing,
    /// When the list that said so was signed, in Unix seconds; absent where none was read yet.
    pub said_at: Option<i64>,
    /// Since when it could not be looked up, where the last attempt failed.
    pub failing: Option<Failing>,
}

/// A look-up that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failing {
    /// Since when, in Unix seconds.
    pub since: i64,
    /// Why, the last time.
    pub why: StatusFault,
}

/// Why a status was not learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusFault {
    /// The list is not at the issuer's own origin.
    Host,
    /// No pinned anchor counts for the issuer any more: collect a new batch.
    Anchors,
    /// Nobody answers there, or what is there is no list.
    Away,
    /// The list is too large, signed by somebody else, for another address or out of date.
    Refused,
    /// The list is older than the one that was read before.
    Older,
    /// The list has no such entry.
    Index,
}

/// What became of a look-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Refreshed {
    /// Lists that were asked for.
    pub lists: usize,
    /// Of those, lists that could not be read.
    pub failed: usize,
}

impl Status {
    /// That of a copy whose list was not read yet.
    pub(crate) fn unread() -> Self {
        Self { standing: Standing::Unknown, said_at: None, failing: None }
    }

    /// That of a fresh copy, where its issuer gave it one.
    pub(crate) fn of(held: &sd_jwt::Held) -> Option<Self> {
        held.claims().get(CLAIM).map(|_| Self::unread())
    }

    /// The same after a look-up at `now`.
    fn after(self, found: Found, now: UnixTime) -> Self {
        match found {
            Ok((standing, said_at)) => Self { standing, said_at: Some(said_at), failing: None },
            Err(why) => {
                let since = self.failing.map_or(now.0, |failing| failing.since);
                Self { failing: Some(Failing { since, why }), ..self }
            }
        }
    }

    /// The state in plain words.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let on = |at: i64| words::date(language, UnixTime(at).london_date());
        let said = self.said_at.map(on).unwrap_or_default();
        let key = match (self.said_at, self.standing) {
            (None, _) => "status_unread",
            (_, Standing::Valid) => "status_valid",
            (_, Standing::Suspended) => "status_suspended",
            (_, Standing::Revoked) => "status_revoked",
            (_, Standing::Unknown) => "status_unknown",
        };
        let told = say(language, key, &[("date", &said)]);
        let failing =
            self.failing.map(|failing| say(language, "status_failing", &[("date", &on(failing.since))]));
        failing.into_iter().fold(told, |told, failing| format!("{told} {failing}"))
    }
}

/// What a list says of a copy, and when it was signed.
type Found = Result<(Standing, i64), StatusFault>;

/// A list to be read, and whose entries are wanted.
#[derive(Default)]
struct Wanted {
    anchors: Vec<String>,
    entries: Vec<Entry>,
}

struct Entry {
    copy: String,
    idx: u64,
    said_at: Option<i64>,
}

/// Lists by issuer and address.
type Lists = BTreeMap<(String, String), Wanted>;

impl Wallet {
    /// Looks up the status of every unused copy that has one, each list once.
    ///
    /// # Errors
    /// [`VaultError`]; a list that cannot be read is no error.
    pub async fn refresh_status(&self) -> Result<Refreshed, VaultError> {
        let lists = wanted(&self.vault, self.machine.clock.now()).await?;
        let pinned = trust::pinned(&self.vault).await?;
        let anchors: Vec<Anchor> = pinned.into_iter().flat_map(|known| known.file.anchors).collect();
        let (mut done, mut found) = (Refreshed::default(), BTreeMap::new());
        for ((iss, uri), wanted) in lists {
            // The register names them for this issuer; others that are pinned vouch for others.
            let counts = |anchor: &&Anchor| {
                mutants::skips("wallet-status-anchor") || wanted.anchors.contains(&b64u(anchor.sha256()))
            };
            let anchors = anchors.iter().filter(counts).cloned().collect();
            let token = self.status_list(&iss, &uri, anchors).await;
            done.lists += 1;
            done.failed += usize::from(token.is_err());
            found.extend(wanted.entries.into_iter().map(|entry| (entry.copy.clone(), entry.read(&token))));
        }
        self.note(found).await?;
        Ok(done)
    }

    /// The list at `uri`, if it counts for `iss`.
    async fn status_list(&self, iss: &str, uri: &str, anchors: Vec<Anchor>) -> Result<Token, StatusFault> {
        if anchors.is_empty() {
            return Err(StatusFault::Anchors);
        }
        // Anywhere else somebody would learn of the holder who has no part in it.
        if !(mutants::skips("wallet-status-host") || same_origin(iss, uri)) {
            return Err(StatusFault::Host);
        }
        let request =
            Outgoing { url: uri, accept: JWT_MEDIA_TYPE, body: None, token: None, proof: None, most: MOST };
        let reply = http::send(&*self.machine.http, request).await.map_err(|_| StatusFault::Away)?;
        if !(mutants::skips("wallet-status-media") || reply.is(JWT_MEDIA_TYPE)) {
            return Err(StatusFault::Away);
        }
        let (iss, uri, now) = (iss.to_owned(), uri.to_owned(), self.machine.clock.now());
        let work = move || verify(&iss, &uri, &reply.body, &anchors, now);
        tokio::task::spawn_blocking(work).await.ok().flatten().ok_or(StatusFault::Refused)
    }

    /// Keeps what was found, in one transaction. A copy that was taken meanwhile is left alone.
    async fn note(&self, found: BTreeMap<String, Found>) -> Result<(), VaultError> {
        let _turn = self.turn.lock().await;
        let now = self.machine.clock.now();
        let mut changes = Vec::new();
        for (id, found) in found {
            let Some(record) = self.vault.read(Section::Copy, &id).await? else { continue };
            let mut copy: Copy = store::decode(&record)?;
            if copy.state == CopyState::Unused {
                let known = copy.status.take().unwrap_or_else(Status::unread);
                copy.status = Some(known.after(found, now));
                changes.push(Change::Replace(Section::Copy, record, store::encode(&copy)));
            }
        }
        self.vault.apply(changes, &*self.machine.entropy).await
    }
}

/// The lists of all unused copies that have not ended. What is revoked stays so and is not asked for again.
async fn wanted(vault: &Vault, now: UnixTime) -> Result<Lists, VaultError> {
    let credentials: BTreeMap<String, Credential> = store::credentials(vault).await?.into_iter().collect();
    let mut lists = Lists::new();
    for record in vault.scan(Section::Copy).await? {
        let copy: Copy = store::decode(&record)?;
        let live = copy.state == CopyState::Unused && !copy.is_revoked();
        let Some(credential) = credentials.get(&copy.credential) else { continue };
        let Some(text) = copy.sd_jwt.as_deref().filter(|_| live && now.0 < credential.expires_at) else {
            continue;
        };
        let Some(reference) = reference(text)? else { continue };
        let key = (credential.iss.clone(), reference.uri().to_owned());
        let list = lists.entry(key).or_default();
        list.anchors.extend(credential.anchors.iter().cloned());
        let said_at = copy.status.as_ref().and_then(|status| status.said_at);
        list.entries.push(Entry { copy: record.id, idx: reference.idx(), said_at });
    }
    Ok(lists)
}

/// Where the status of a copy stands. Its form was checked when the batch came.
fn reference(sd_jwt: &str) -> Result<Option<Reference>, VaultError> {
    let held = sd_jwt::Held::dangerous_from_store(sd_jwt).map_err(|_| VaultError::Damaged)?;
    Ok(held.claims().get(CLAIM).and_then(|claim| Reference::from_claim(claim).ok()))
}

impl Entry {
    fn read(&self, token: &Result<Token, StatusFault>) -> Found {
        let token = token.as_ref().map_err(|fault| *fault)?;
        // A suspension would be hidden by whoever replays an older list that is still valid.
        let newer = self.said_at.is_none_or(|before| before <= token.issued_at().0);
        if !(mutants::skips("wallet-status-rollback") || newer) {
            return Err(StatusFault::Older);
        }
        let standing = token.standing(self.idx).map_err(|_| StatusFault::Index)?;
        Ok((standing, token.issued_at().0))
    }
}

/// Whether two addresses have one origin.
pub(crate) fn same_origin(iss: &str, uri: &str) -> bool {
    let origin = |text: &str| Url::parse(text).map(|url| url.origin());
    matches!((origin(iss), origin(uri)), (Ok(issuer), Ok(list)) if issuer == list)
}

/// Section 8.3: the path to an anchor of the issuer, signature, signer, address and times, then the list.
fn verify(iss: &str, uri: &str, text: &[u8], anchors: &[Anchor], now: UnixTime) -> Option<Token> {
    let received = Received::jwt(text, MOST).ok()?;
    let leaf = validate(received.x5c(), anchors, now, &Jws).ok()?;
    let signer = Entitled { iss, status_signing: None };
    let expected = Expected { uri, signer, now, max_inflated: MAX_INFLATED };
    received.verify(&leaf, &expected, &Jws).ok()
}
