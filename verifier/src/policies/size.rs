//! How long a request by a policy is, known before anybody is asked: a wallet does not read a longer one, and its resident would
//! be told that the service is at fault.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use vouchsafe_protocol::jose::{Alg, KeyAgreement as _};
use vouchsafe_protocol::openid4vp::request::{Draft, MAX_REQUEST};
use vouchsafe_protocol::openid4vp::{Asked, Party, ReplyTo, client_id};
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::Register;
use vouchsafe_service::keys::AgreementKey;

use super::Sender;
use crate::question::Question;
use crate::request::{MODE, named, response_uri};

/// Letters of nonce, state and handle, each 32 octets.
const DRAWN: usize = 43;
/// The most letters of a wallet's nonce.
const WALLET_NONCE: usize = 256;
/// A dot and the signature, 64 octets.
const SIGNATURE: usize = 1 + 86;
/// The last second of the year 9999: a time with as many digits as any.
const LATEST: UnixTime = UnixTime(253_402_300_799);

/// A request that no wallet would read, and what takes the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// Its bytes.
    pub bytes: usize,
    /// The bytes that each table and list takes, by id and version.
    pub lists: Vec<(String, u32, usize)>,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a request by it would have {} bytes, and wallets read {MAX_REQUEST}:", self.bytes)?;
        for (id, version, bytes) in &self.lists {
            write!(f, " {bytes} for the list {id} version {version},")?;
        }
        let rest = self.bytes - self.lists.iter().map(|(_, _, bytes)| bytes).sum::<usize>();
        write!(f, " {rest} for all else; shorten what is long, or make two policies of it")
    }
}

/// The longest request by `policy`, of any service that may ask by it; `None` where nobody may, or there is no plan for the
/// day.
pub(super) fn longest(
    policy: &Arc<Policy>,
    register: &Register,
    sender: &Sender<'_>,
    as_of: Date,
) -> Option<TooLong> {
    let may = register.services().filter(|one| one.document().purposes.contains(&policy.purpose));
    let service = may.max_by_key(|one| one.jws().len())?;
    let question = Question::new(Arc::clone(policy), &service.document().sub, register, as_of).ok()?;
    // A signed text is written in base64url with the rest of the claims.
    let sent = |jws: &str| jws.len().div_ceil(3) * 4;
    let lists = question.tables.iter().map(|one| (one.id().to_owned(), one.version(), sent(one.jws())));
    Some(TooLong { bytes: bytes(&question, sender)?, lists: lists.collect() })
}

/// The bytes of a request object: as one is made, but that what is drawn for it is a text of the same length.
fn bytes(question: &Question, sender: &Sender<'_>) -> Option<usize> {
    let (drawn, wallet_nonce) = ("x".repeat(DRAWN), "x".repeat(WALLET_NONCE));
    let key = AgreementKey::from_bytes(&[1; 32]).ok()?;
    let party = Party {
        service: question.service.document().sub.clone(),
        client_id: client_id(&[0; 32]),
        nonce: drawn.clone(),
        state_sha256: [0; 32],
        reply_to: ReplyTo::ResponseUri(response_uri(sender.origin, &drawn)),
        encryption_key: Some(key.public().thumbprint()),
    };
    let policy = (*question.policy).clone();
    let asked = Asked::new(party, policy, question.tables.clone(), question.as_of).ok()?;
    let draft = Draft {
        asked: &asked,
        state: &drawn,
        mode: MODE,
        encryption_key: Some(&named(key.public())),
        service: &question.service,
        purpose: &question.purpose,
        wallet_nonce: Some(&wallet_nonce),
        iat: LATEST,
        exp: LATEST,
    };
    Some(draft.unsigned(Alg::Es256, sender.chain).signing_input().len() + SIGNATURE)
}
