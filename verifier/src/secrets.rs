//! The secrets of an open request, and how they are kept.
//!
//! Handles, nonce, `state`, codes and sessions are stored as HMACs under the server key, each kind under a label
//! of its own. What has to come back is sealed, bound to the table and the row; the row loses it when it closes.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, b64u_array, b64u_decode};
use vouchsafe_service::entropy::{self, Entropy};
use vouchsafe_service::keys::AgreementKey;
use vouchsafe_service::secret::{Sealer, ServerKey, same};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::store::{Day, Once, PermissionId, RequestId, ServiceId, Tag};

/// How long a typed code is, in letters of five bits.
pub const CODE_LETTERS: usize = 8;

/// What a tag is of; each kind is keyed apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The handle in `request_uri` and `response_uri`.
    Handle,
    /// The hosted page's handle.
    Page,
    /// A value that may be used once.
    Once(Once),
    /// The typed code.
    Code,
    /// The page's session cookie.
    Session,
    /// A `response_code`.
    Response,
    /// A sender's address prefix.
    Prefix,
    /// What an answer showed, in its row.
    Finding,
    /// A decision's signing input, in its row.
    Decision,
    /// An access token.
    Token,
    /// The id of a client's assertion.
    Assertion,
    /// The id of a proof of a token's key, with the key.
    Proof,
    /// An `Idempotency-Key`.
    Repeat,
    /// The body that came with one.
    RepeatBody,
    /// Where a list goes on.
    Cursor,
    /// What a request is called in problems, on pages and in the log.
    Reference,
    /// The id of a message to a service.
    Event,
    /// The thumbprint of a permission's key.
    PermissionKey,
    /// What the code of a letter is made of.
    LetterCode,
    /// The code of a letter, as it is looked up.
    Letter,
    /// What a permission's row says.
    Permission,
    /// The signing input of a permission's record, in its row.
    Record,
    /// The id of a call by a permission's key, with the key.
    Call,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::Page => "page",
            Self::Once(Once::Nonce) => "nonce",
            Self::Once(Once::State) => "state",
            Self::Code => "code",
            Self::Session => "session",
            Self::Response => "response",
            Self::Prefix => "prefix",
            Self::Finding => "finding",
            Self::Decision => "decision",
            Self::Token => "token",
            Self::Assertion => "assertion",
            Self::Proof => "proof",
            Self::Repeat => "repeat",
            Self::RepeatBody => "repeat body",
            Self::Cursor => "cursor",
            Self::Reference => "reference",
            Self::Event => "event",
            Self::PermissionKey => "permission key",
            Self::LetterCode => "letter code",
            Self::Letter => "letter",
            Self::Permission => "permission",
            Self::Record => "record",
            Self::Call => "permission call",
        }
    }
}

/// The secrets of one open request. Never printed, wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct OpenSecrets {
    /// The nonce of the request object.
    pub nonce: String,
    /// Its `state`.
    pub state: String,
    /// The handle in `request_uri` and `response_uri`.
    pub handle: String,
    /// The hosted page's handle.
    pub page: String,
    /// The typed code.
    pub code: String,
    /// The private number of the response-encryption key, base64url.
    key: String,
    /// What the service expects of the applicant.
    pub expect: Option<String>,
    /// The entry of the permission that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The number of the day on which that was given, where it is asked again under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_day: Option<i64>,
}

impl OpenSecrets {
    /// Fresh secrets for a new request.
    #[must_use]
    pub fn draw(entropy: &dyn Entropy, expect: Option<String>, entry: Option<String>) -> Self {
        let key = AgreementKey::generate(entropy);
        Self {
            nonce: entropy::token32(entropy),
            state: entropy::token32(entropy),
            handle: entropy::token32(entropy),
            page: entropy::token32(entropy),
            code: entropy::code(entropy, CODE_LETTERS),
            key: b64u(key.to_bytes().as_slice()),
            expect,
            entry,
            given_day: None,
        }
    }

    /// The same for a request under the permission that was given on that day, by this entry.
    #[must_use]
    pub fn again(entropy: &dyn Entropy, expect: Option<String>, entry: String, given: Day) -> Self {
        let mut secrets = Self::draw(entropy, expect, Some(entry));
        secrets.given_day = Some(given.0);
        secrets
    }

    /// The day on which the entry was given, where it is asked again under it.
    #[must_use]
    pub fn given_day(&self) -> Option<Date> {
        self.given_day.map(|day| Day(day).date())
    }

    /// The key to which the wallet encrypts.
    #[must_use]
    pub fn key(&self) -> Option<AgreementKey> {
        let bytes = Zeroizing::new(b64u_array::<32>(&self.key).ok()?);
        AgreementKey::from_bytes(&bytes).ok()
    }
}

/// Keys for what is stored.
pub struct Vault {
    key: ServerKey,
    sealer: Sealer,
}

impl Vault {
    /// A vault under the server key.
    #[must_use]
    pub fn new(key: ServerKey) -> Self {
        let sealer = key.sealer("requests");
        Self { key, sealer }
    }

    /// The tag under which `value` is stored.
    #[must_use]
    pub fn tag(&self, kind: Kind, value: &str) -> Tag {
        self.tag_bytes(kind, value.as_bytes())
    }

    /// As [`Vault::tag`], of any bytes.
    #[must_use]
    pub fn tag_bytes(&self, kind: Kind, value: &[u8]) -> Tag {
        Tag(self.key.hmac(kind.label(), value))
    }

    /// `text` with a tag behind its last dot, for a row whose text we act on later. Whoever can write to the
    /// database, and no more, can neither put a text of their own there nor move one.
    #[must_use]
    pub fn bind(&self, kind: Kind, service: &ServiceId, id: &RequestId, text: &str) -> String {
        format!("{text}.{}", b64u(self.place(kind, service, id, text).0))
    }

    /// The text that [`Vault::bind`] bound to this row; `None` when it was altered or moved.
    #[must_use]
    pub fn bound<'t>(
        &self,
        kind: Kind,
        service: &ServiceId,
        id: &RequestId,
        kept: &'t str,
    ) -> Option<&'t str> {
        let (text, tag) = kept.rsplit_once('.')?;
        let expected = self.place(kind, service, id, text);
        let ours = b64u_array::<32>(tag).is_ok_and(|tag| same(&tag, &expected.0));
        (mutants::skips("store-row-bound") || ours).then_some(text)
    }

    fn place(&self, kind: Kind, service: &ServiceId, id: &RequestId, text: &str) -> Tag {
        self.tag(kind, &format!("{}\n{text}", row(service, id)))
    }

    /// Seals a request's secrets for its row.
    #[must_use]
    pub fn seal(
        &self,
        secrets: &OpenSecrets,
        service: &ServiceId,
        id: &RequestId,
        entropy: &dyn Entropy,
    ) -> Vec<u8> {
        let plain = Zeroizing::new(serde_json::to_vec(secrets).expect("strings serialise"));
        self.sealer.seal(&plain, row(service, id).as_bytes(), entropy)
    }

    /// Opens what [`Vault::seal`] made for the same row; `None` when it was altered, moved or sealed elsewhere.
    #[must_use]
    pub fn open(&self, sealed: &[u8], service: &ServiceId, id: &RequestId) -> Option<OpenSecrets> {
        let plain = self.sealer.open(sealed, row(service, id).as_bytes()).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

impl Vault {
    /// Seals the entry of a permission for its row.
    #[must_use]
    pub fn seal_entry(
        &self,
        entry: &str,
        service: &ServiceId,
        id: &PermissionId,
        entropy: &dyn Entropy,
    ) -> Vec<u8> {
        self.sealer.seal(entry.as_bytes(), permission_row(service, id).as_bytes(), entropy)
    }

    /// Opens what [`Vault::seal_entry`] made for the same row.
    #[must_use]
    pub fn open_entry(&self, sealed: &[u8], service: &ServiceId, id: &PermissionId) -> Option<String> {
        let plain = self.sealer.open(sealed, permission_row(service, id).as_bytes()).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }

    /// Seals a place in the feed of that name: places are counted over all tenants, and tell nobody how many there are.
    #[must_use]
    pub fn seal_place(&self, feed: &str, position: i64, entropy: &dyn Entropy) -> String {
        b64u(self.sealer.seal(&position.to_be_bytes(), format!("outbox\n{feed}").as_bytes(), entropy))
    }

    /// Opens what [`Vault::seal_place`] made for the same feed; `None` for everything else.
    #[must_use]
    pub fn open_place(&self, feed: &str, sealed: &str) -> Option<i64> {
        let sealed = b64u_decode(sealed).ok()?;
        let plain = self.sealer.open(&sealed, format!("outbox\n{feed}").as_bytes()).ok()?;
        Some(i64::from_be_bytes(plain.as_slice().try_into().ok()?))
    }
}

/// Table and row, with a separator that neither id holds.
fn row(service: &ServiceId, id: &RequestId) -> String {
    format!("requests\n{}\n{}", service.0, id.0)
}

fn permission_row(service: &ServiceId, id: &PermissionId) -> String {
    format!("permissions\n{}\n{}", service.0, id.0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use vouchsafe_service::entropy::OsEntropy;

    #[test]
    fn secrets_open_in_their_own_row_alone() {
        let entropy = OsEntropy::new();
        let vault = Vault::new(ServerKey::generate(&entropy));
        let secrets = OpenSecrets::draw(&entropy, Some("\"x\"".into()), Some("e30".into()));
        let (service, id) = (ServiceId("s".into()), RequestId("r".into()));
        let sealed = vault.seal(&secrets, &service, &id, &entropy);
        let again = vault.open(&sealed, &service, &id).unwrap();
        assert_eq!((&again.nonce, &again.expect), (&secrets.nonce, &secrets.expect));
        assert!(again.key().is_some());
        assert!(vault.open(&sealed, &service, &RequestId("q".into())).is_none());
        assert!(vault.open(&sealed, &ServiceId("t".into()), &id).is_none());
        assert!(!sealed.windows(8).any(|window| window == &secrets.nonce.as_bytes()[..8]));
    }

    #[test]
    fn a_text_counts_in_its_own_row_alone() {
        let vault = Vault::new(ServerKey::generate(&OsEntropy::new()));
        let (service, id) = (ServiceId("s".into()), RequestId("r".into()));
        let kept = vault.bind(Kind::Decision, &service, &id, "header.claims");
        assert_eq!(vault.bound(Kind::Decision, &service, &id, &kept), Some("header.claims"));
        assert_eq!(vault.bound(Kind::Finding, &service, &id, &kept), None);
        assert_eq!(vault.bound(Kind::Decision, &service, &RequestId("q".into()), &kept), None);
        assert_eq!(vault.bound(Kind::Decision, &ServiceId("t".into()), &id, &kept), None);
        for altered in [kept.replace("claims", "claimz"), "header.claims".into(), "x".into(), String::new()] {
            assert_eq!(vault.bound(Kind::Decision, &service, &id, &altered), None, "{altered}");
        }
    }

    #[test]
    fn a_place_opens_in_its_own_feed_alone() {
        let entropy = OsEntropy::new();
        let vault = Vault::new(ServerKey::generate(&entropy));
        let sealed = vault.seal_place("one", 42, &entropy);
        assert_eq!(vault.open_place("one", &sealed), Some(42));
        assert_eq!(vault.open_place("other", &sealed), None);
        for strange in ["", "AAAA", "!", &sealed[1..], &sealed[..sealed.len() - 4]] {
            assert_eq!(vault.open_place("one", strange), None, "{strange}");
        }
    }

    #[test]
    fn one_value_has_a_tag_for_each_kind() {
        let vault = Vault::new(ServerKey::generate(&OsEntropy::new()));
        assert_ne!(vault.tag(Kind::Handle, "x"), vault.tag(Kind::Page, "x"));
        assert_eq!(vault.tag(Kind::Code, "x"), vault.tag(Kind::Code, "x"));
    }
}
