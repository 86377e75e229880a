//! Calls by a permission's key, and what comes back: a record that is verified before anything rests on it.
//!
//! Whose keys sign records is known from the verifier's own key set, at the origin that a registered service named in its
//! signed request. A key of a name that was seen before stays the one that it was.

use serde::Deserialize;
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::jose::{NamedJwk, PublicJwk, Signer as _};
use vouchsafe_protocol::json;
use vouchsafe_protocol::permission::Jkt;
use vouchsafe_protocol::permission::call::{Call, Do};
use vouchsafe_protocol::permission::record::{Claims, Expected, Happening, MAX_RECORD, SignedError, Whose};
use vouchsafe_protocol::trust::Basis;
use vouchsafe_service::keys::Jws;
use zeroize::Zeroizing;

use super::{Kept, PermissionError, Said};
use crate::Wallet;
use crate::http::{self, Incoming, Outgoing};
use crate::vault::VaultError;

const JSON: &str = "application/json";
const JWT: &str = "application/jwt";
const KEY_SET: &str = "application/jwk-set+json";

/// The largest answer to a call taken: a record, and some links.
const MOST: usize = MAX_RECORD + 32 * 1024;

/// The largest key set taken.
const MOST_KEYS: usize = 64 * 1024;

/// What a verifier answers to a call. What it says besides is passed over.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    record: Option<String>,
    #[serde(default)]
    asks: Vec<String>,
}

/// The same, with the record verified.
pub(super) struct Told {
    pub(super) said: Option<Said>,
    pub(super) asks: Vec<String>,
}

impl Wallet {
    /// Calls the verifier by the permission's key.
    pub(super) async fn call(&self, kept: &Kept, what: Do) -> Result<Told, PermissionError> {
        let (key, iat) = (kept.key()?, self.machine.clock.now());
        let call = Call { aud: kept.verifier.clone(), iat, jti: self.new_id(), what };
        let unsigned = call.unsigned(key.public());
        let signature = key.sign_now(unsigned.signing_input()).map_err(|_| VaultError::Damaged)?;
        let body = Zeroizing::new(unsigned.finish(&signature).into_bytes());
        let url = format!("{}/permissions", kept.verifier);
        let body = Some((JWT, body));
        let request = Outgoing { url: &url, accept: JSON, body, token: None, proof: None, most: MOST };
        let answer = read(&http::send(&*self.machine.http, request).await?)?;
        let said = match answer.record {
            Some(jws) => Some(self.said(kept, jws).await?),
            None => None,
        };
        Ok(Told { said, asks: answer.asks })
    }

    /// A record, if it is this permission's, as this wallet signed it, and continues the one that is held.
    async fn said(&self, kept: &Kept, jws: String) -> Result<Said, PermissionError> {
        let (key, jkt) = (self.record_key(kept, &jws).await?, kept.jkt()?);
        let (iss, aud, now) = (&*kept.verifier, &*kept.asked.service_id, self.machine.clock.now());
        let expected = Expected { iss, aud, whose: Whose::Key(&jkt), now };
        let claims = Claims::verify(&jws, &key, &expected, &Jws).map_err(PermissionError::Record)?;
        let said = Said { jws, key, signed_at: claims.iat.0, record: claims.record };
        fits(kept, &jkt, &said)?;
        continues(kept.record.as_ref(), &said)?;
        Ok(said)
    }

    /// The key that a record names: that of the record before, else one that the verifier publishes.
    async fn record_key(&self, kept: &Kept, jws: &str) -> Result<PublicJwk, PermissionError> {
        let kid = kid(jws).ok_or(PermissionError::Record(SignedError::Malformed))?;
        let before = kept.record.as_ref().filter(|said| self::kid(&said.jws).as_ref() == Some(&kid));
        if let Some(said) = before.filter(|_| !mutants::skips("wallet-record-same-key")) {
            return Ok(said.key.clone());
        }
        let url = format!("{}/.well-known/jwks.json", kept.verifier);
        let request =
            Outgoing { url: &url, accept: KEY_SET, body: None, token: None, proof: None, most: MOST_KEYS };
        let reply = http::send(&*self.machine.http, request).await?;
        let set = json::parse(&reply.body, MOST_KEYS).ok().filter(|_| reply.status == 200);
        let set = set.ok_or(PermissionError::Key)?;
        let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
        let mut keys = keys.filter_map(|key| NamedJwk::from_value(key).ok());
        let key = keys.find(|key| key.kid.as_ref() == Some(&kid)).ok_or(PermissionError::Key)?;
        Ok(key.key)
    }
}

fn kid(jws: &str) -> Option<String> {
    Compact::parse(jws, MAX_RECORD).ok()?.header().kid().map(str::to_owned)
}

fn read(reply: &Incoming) -> Result<Answer, PermissionError> {
    match reply.status {
        200 if reply.content_type == JSON || mutants::skips("wallet-call-type") => {
            json::typed(&reply.body, MOST).map_err(|_| PermissionError::Reply)
        }
        404 => Err(PermissionError::NotThere),
        429 | 500.. => Err(PermissionError::Busy),
        _ => Err(PermissionError::Reply),
    }
}

/// Whether a record is about what this wallet signed: the same kind, entry and day, and the same policy, purpose and basis.
fn fits(kept: &Kept, jkt: &Jkt, said: &Said) -> Result<(), PermissionError> {
    let (record, value) = (&said.record, said.record.to_value());
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let of_key = record.events().iter().find_map(|event| match &event.what {
        Happening::Renewed { by, transaction, until } if by == jkt => Some((b64u(transaction), *until)),
        _ => None,
    });
    let (transaction, until) = match of_key {
        Some((transaction, until)) => (transaction, until.to_string()),
        None => (text("/permission/transaction"), text("/permission/until")),
    };
    let uses = value.pointer("/permission/uses").and_then(Value::as_u64);
    let same = record.kind() == kept.kind()
        && transaction == b64u(kept.transaction())
        && until == kept.permits.until.to_string()
        && uses == kept.permits.uses.map(u64::from);
    if !(mutants::skips("wallet-record-permission") || same) {
        return Err(PermissionError::Differs);
    }
    let version = value.pointer("/processing/purpose/version").and_then(Value::as_u64);
    let for_same = text("/permission/policy/digest") == kept.policy
        && text("/processing/purpose/@id") == kept.asked.purpose_id
        && version == Some(kept.purpose_version.into());
    if !(mutants::skips("wallet-record-purpose") || for_same) {
        return Err(PermissionError::Differs);
    }
    // A record of somebody's consent where nobody was asked for it, or the reverse, is false.
    let consent = kept.basis == Basis::Consent;
    if !(mutants::skips("wallet-record-basis") || record.is_consent() == consent) {
        return Err(PermissionError::Differs);
    }
    Ok(())
}

/// Whether a record continues the one that is held: the same but for events that came after, and signed no earlier.
pub(super) fn continues(before: Option<&Said>, said: &Said) -> Result<(), PermissionError> {
    let Some(before) = before else { return Ok(()) };
    let grows = said.record.events().starts_with(before.record.events());
    if !(mutants::skips("wallet-record-events") || grows) {
        return Err(PermissionError::Order);
    }
    let facts = |said: &Said| {
        let mut value = said.record.to_value();
        value["events"] = Value::Null;
        value
    };
    if !(mutants::skips("wallet-record-facts") || facts(before) == facts(said)) {
        return Err(PermissionError::Order);
    }
    if !(mutants::skips("wallet-record-older") || before.signed_at <= said.signed_at) {
        return Err(PermissionError::Order);
    }
    Ok(())
}
