//! What a body does beyond handing out copies at once: status lists, decisions put off, signed metadata, documents.

use std::sync::Mutex;

use tokio::sync::Notify;
use vouchsafe_proofs::commitment::Commitment;
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::status::{Bits, JWT_MEDIA_TYPE, List, Publication, Standing};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::dev_ca::Leaf;
use vouchsafe_wallet::http::Incoming;

use super::reply;

/// Where the list of the honest body is.
pub(crate) const LIST: &str = "https://issuer.example/status/s1";

/// What the officer has decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Decision {
    #[default]
    None,
    Approved,
    Refused,
}

/// Whose signature the metadata carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Metadata {
    /// Nobody's: JSON.
    #[default]
    Plain,
    /// The body's own.
    Signed,
    /// That of somebody under the same anchor with another name.
    SignedByOther,
    /// That of the body's namesake under an anchor that the register does not name for it.
    SignedElsewhere,
    /// The body's own of some days ago.
    SignedLongAgo,
}

/// How the desk is run; tests change it as they go.
#[derive(Default)]
pub(crate) struct Rules {
    /// Where the status list is; copies have a status where it is somewhere.
    pub(crate) list: Option<&'static str>,
    /// What the list says of its first entries; the rest counts.
    pub(crate) standings: Vec<Standing>,
    /// When the list says that it was signed, other than now.
    pub(crate) list_signed_at: Option<UnixTime>,
    /// The media type that the list is sent as, other than the right one.
    pub(crate) list_media: Option<&'static str>,
    /// For how many entries the list has room, other than enough.
    pub(crate) list_room: Option<usize>,
    /// Whether nobody answers for the list.
    pub(crate) list_away: bool,
    /// Whether the list is signed under an anchor that the register does not name for the body.
    pub(crate) list_elsewhere: bool,
    /// Whether an officer decides on requests.
    pub(crate) put_off: bool,
    pub(crate) decision: Decision,
    pub(crate) metadata: Metadata,
    /// What stands at the type's address.
    pub(crate) document: Option<Vec<u8>>,
    /// `vct#integrity` of copies.
    pub(crate) integrity: Option<String>,
    /// Whether a token is good for more than one batch.
    pub(crate) reusable: bool,
    /// The transaction that the desk names when asked again, other than the right one.
    pub(crate) other_transaction: bool,
    /// Whether the body has another wallet on record for everybody.
    pub(crate) other_wallet: bool,
}

/// At which call the wallet is stopped, and whether the body has got that call by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Before(usize),
    After(usize),
}

/// What was put off, and whether it was collected.
pub(crate) struct PutOff {
    pub(crate) keys: Vec<PublicJwk>,
    pub(crate) links: Option<Vec<Commitment>>,
    pub(crate) plain: bool,
    pub(crate) collected: bool,
}

#[derive(Default)]
pub(crate) struct Desk {
    rules: Mutex<Rules>,
    asked: Mutex<Vec<String>>,
    next: Mutex<u64>,
    pub(super) put_off: Mutex<Option<PutOff>>,
    pub(super) spent: Mutex<bool>,
    /// The pseudonyms that wallets registered with, request by request.
    pub(crate) nyms: Mutex<Vec<[u8; 32]>>,
    cut: Mutex<Option<Cut>>,
    calls: Mutex<usize>,
    pub(crate) stopped: Notify,
}

impl Desk {
    /// Runs the desk in another way from now on.
    pub(crate) fn rule(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.rules.lock().unwrap());
    }

    pub(super) fn read<T>(&self, of: impl FnOnce(&Rules) -> T) -> T {
        of(&self.rules.lock().unwrap())
    }

    /// How often a path was asked for that begins so.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|one| one.starts_with(path)).count()
    }

    pub(super) fn note(&self, path: &str) {
        self.asked.lock().unwrap().push(path.to_owned());
    }

    /// Stops the wallet at a call, counted from now.
    pub(crate) fn cut(&self, cut: Option<Cut>) {
        (*self.cut.lock().unwrap(), *self.calls.lock().unwrap()) = (cut, 0);
    }

    /// One more call; whether the wallet is stopped before it, and after it.
    pub(super) fn call(&self) -> (bool, bool) {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        let cut = *self.cut.lock().unwrap();
        (cut == Some(Cut::Before(*calls)), cut == Some(Cut::After(*calls)))
    }

    /// Where the wallet called last.
    pub(crate) fn last(&self) -> String {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// The status claim of one more copy.
    pub(super) fn status(&self) -> Option<serde_json::Value> {
        let uri = self.read(|rules| rules.list)?;
        let mut next = self.next.lock().unwrap();
        *next += 1;
        Some(serde_json::json!({"status_list": {"idx": *next - 1, "uri": uri}}))
    }

    /// The list, signed with the key of `leaf`.
    pub(super) async fn list(&self, uri: &str, leaf: &Leaf, now: UnixTime) -> Incoming {
        let (standings, at, media, room, away) = self.read(|rules| {
            let media = rules.list_media.unwrap_or(JWT_MEDIA_TYPE);
            let at = rules.list_signed_at.unwrap_or(now);
            (rules.standings.clone(), at, media, rules.list_room.unwrap_or(1000), rules.list_away)
        });
        if away {
            return reply(404, "text/plain", "");
        }
        let mut list = List::new(Bits::Two, room);
        for (idx, standing) in (0..).zip(standings) {
            list.set(idx, standing.value().unwrap_or(3)).unwrap();
        }
        let expires_at = at.plus(2 * 86_400);
        let list = Publication { uri, issued_at: at, expires_at, ttl: 900, list: &list };
        let (jwt, _) = list.sign(&leaf.key, &[&leaf.certificate]).await.unwrap();
        reply(200, media, jwt)
    }
}
