//! Issuing: claims become Disclosures and digests.
//!
//! RFC 9901 sections 4.2 and 6.1. Every Disclosure has 128 bits of salt of its own; the digests of a place
//! stand in the order of their values, which is the order of nothing else; decoys hide how many there are.
//! Leaves out hashes other than SHA-256.
//!
//! ```
//! use serde_json::json;
//! use vouchsafe_protocol::jose::{Alg, jws::NewHeader};
//! use vouchsafe_protocol::sd_jwt::{Builder, vc};
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! # let mut rng = ChaCha20Rng::from_seed([7; 32]);
//! let claims = json!({"iss": "https://issuer.example", "vct": "https://issuer.example/pass", "ward": "E05000001"});
//! let issuable = Builder::new(claims.as_object().cloned().unwrap_or_default())
//!     .conceal("/ward")
//!     .build(&NewHeader::new(Alg::Es256, vc::TYP).encode(), &mut rng)?;
//! let signature = [0; 64]; // the issuer's, over issuable.signing_input()
//! assert!(issuable.finish(&signature).ends_with('~'));
//! # Ok::<(), vouchsafe_protocol::sd_jwt::issue::IssueError>(())
//! ```

use std::borrow::Cow;

use rand_core::CryptoRngCore;
use serde_json::{Map, Value, json};

use super::disclose::RESERVED;
use super::vc::NEVER_DISCLOSED;
use super::{MAX_DISCLOSURES, MAX_SD_JWT};
use crate::encoding::{b64u, b64u_append, sha256};
use crate::jose::jws::{EncodedHeader, Unsigned};
use crate::jose::{PublicJwk, SignError, Signer};

const SALT: usize = 16;
const DIGEST: usize = 32;
/// Letters of a usual Disclosure, to make room for: a salt, a short name, a short value.
const TYPICAL: usize = 96;

/// Why claims could not be issued. All are the issuer's own fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// A claim to be disclosed or a place for decoys is not there.
    #[error("a claim to be disclosed, or a place for decoys, is not among the claims")]
    NoSuchClaim,
    /// SD-JWT VC 2.2.2.3: a claim that must stand in the clear.
    #[error("a claim that must stand in the clear was to be disclosed")]
    NeverDisclosed,
    /// A claim is called `_sd`, `_sd_alg` or `...`.
    #[error("a claim has a name that SD-JWT keeps for itself")]
    ReservedName,
    /// More Disclosures or bytes than a verifier takes.
    #[error("the credential would be larger than a verifier takes")]
    TooLarge,
}

/// Claims on their way to becoming an SD-JWT.
#[derive(Clone)]
pub struct Builder {
    claims: Map<String, Value>,
    work: Vec<Work>,
}

/// One thing to be hidden, and how deep in the document the place is that it is hidden in.
#[derive(Clone)]
struct Work {
    depth: usize,
    pointer: String,
    what: Hide,
}

#[derive(Clone, Copy)]
enum Hide {
    Claim,
    Decoys(usize),
}

impl Builder {
    /// Starts from all claims, each in the clear.
    #[must_use]
    pub fn new(claims: Map<String, Value>) -> Self {
        Self { claims, work: Vec::new() }
    }

    /// Makes the claim or array element at a JSON pointer (RFC 6901) selectively disclosable. Elements and
    /// members of what is concealed may be concealed as well.
    #[must_use]
    pub fn conceal(mut self, pointer: &str) -> Self {
        let depth = pointer.matches('/').count().saturating_sub(1);
        self.work.push(Work { depth, pointer: pointer.to_owned(), what: Hide::Claim });
        self
    }

    /// Adds decoy digests to the object at a JSON pointer; `""` is the whole payload.
    #[must_use]
    pub fn decoys(mut self, pointer: &str, count: usize) -> Self {
        let depth = pointer.matches('/').count();
        self.work.push(Work { depth, pointer: pointer.to_owned(), what: Hide::Decoys(count) });
        self
    }

    /// Confirms the holder's key: `cnf.jwk`.
    #[must_use]
    pub fn holder(mut self, key: &PublicJwk) -> Self {
        self.claims.insert("cnf".to_owned(), json!({"jwk": key.to_value()}));
        self
    }

    /// Makes salts, Disclosures and digests, and the token to be signed.
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn build(
        mut self,
        header: &EncodedHeader,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Issuable, IssueError> {
        check_names(&self.claims)?;
        let mut chance = Chance::fill(&self.work, rng);
        // The deepest first, so that what is inside is hidden before it is itself hidden.
        self.work.sort_by_key(|work| std::cmp::Reverse(work.depth));
        let mut payload = Value::Object(self.claims);
        let mut disclosures = String::with_capacity(self.work.len() * TYPICAL);
        for work in &self.work {
            match work.what {
                Hide::Claim => conceal(&mut payload, &work.pointer, chance.salt(), &mut disclosures)?,
                Hide::Decoys(count) => {
                    let place = payload.pointer_mut(&work.pointer).and_then(Value::as_object_mut);
                    let place = place.ok_or(IssueError::NoSuchClaim)?;
                    (0..count).try_for_each(|_| add_digest(place, chance.decoy()))?;
                }
            }
        }
        if !self.work.is_empty() {
            payload["_sd_alg"] = json!("sha-256");
        }
        let unsigned = Unsigned::new(header, &payload).map_err(|_| IssueError::TooLarge)?;
        if unsigned.signing_input().len() + disclosures.len() + 96 > MAX_SD_JWT {
            return Err(IssueError::TooLarge);
        }
        Ok(Issuable { unsigned, disclosures })
    }
}

/// A credential that lacks the issuer's signature.
#[derive(Clone)]
pub struct Issuable {
    unsigned: Unsigned,
    disclosures: String,
}

impl Issuable {
    /// The bytes to sign.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.unsigned.signing_input()
    }

    /// The credential, complete, with every Disclosure.
    #[must_use]
    pub fn finish(self, signature: &[u8]) -> String {
        let mut text = self.unsigned.finish(signature);
        text.push('~');
        text.push_str(&self.disclosures);
        text
    }

    /// Signs with a key that is held.
    ///
    /// # Errors
    /// The key could not sign, or is of another algorithm than the header names.
    pub async fn sign(self, signer: &dyn Signer) -> Result<String, SignError> {
        if self.unsigned.alg() != signer.alg() {
            return Err(SignError);
        }
        let signature = signer.sign(self.unsigned.signing_input()).await?;
        Ok(self.finish(&signature))
    }
}

/// All the randomness of one credential, drawn at once.
struct Chance {
    bytes: Vec<u8>,
    next: usize,
}

impl Chance {
    fn fill(work: &[Work], rng: &mut dyn CryptoRngCore) -> Self {
        let need = |work: &Work| match work.what {
            Hide::Claim => SALT,
            Hide::Decoys(count) => DIGEST * count,
        };
        let mut bytes = vec![0; work.iter().map(need).sum()];
        rng.fill_bytes(&mut bytes);
        Self { bytes, next: 0 }
    }

    fn salt(&mut self) -> String {
        self.take(SALT)
    }

    /// What a digest of something unknown looks like.
    fn decoy(&mut self) -> String {
        self.take(DIGEST)
    }

    fn take(&mut self, count: usize) -> String {
        let start = self.next;
        self.next += count;
        b64u(&self.bytes[start..self.next])
    }
}

fn conceal(
    payload: &mut Value,
    pointer: &str,
    salt: String,
    disclosures: &mut String,
) -> Result<(), IssueError> {
    let (parent, last) = pointer.rsplit_once('/').ok_or(IssueError::NoSuchClaim)?;
    let name = unescape(last);
    let top = parent.split('/').nth(1).unwrap_or(&name);
    if NEVER_DISCLOSED.contains(&top) {
        return Err(IssueError::NeverDisclosed);
    }
    match payload.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            let value = object.remove(name.as_ref()).ok_or(IssueError::NoSuchClaim)?;
            add_digest(object, disclosure(&(salt, name, value), disclosures)?)
        }
        Some(Value::Array(array)) => {
            let index = name.parse::<usize>().map_err(|_| IssueError::NoSuchClaim)?;
            let element = array.get_mut(index).ok_or(IssueError::NoSuchClaim)?;
            let digest = disclosure(&(salt, element.take()), disclosures)?;
            *element = json!({"...": digest});
            Ok(())
        }
        _ => Err(IssueError::NoSuchClaim),
    }
}

/// RFC 6901 4: `~1` is a slash and `~0` a tilde, which few names have.
fn unescape(name: &str) -> Cow<'_, str> {
    if name.contains('~') { name.replace("~1", "/").replace("~0", "~").into() } else { name.into() }
}

/// Writes one Disclosure and gives its digest.
fn disclosure<T: serde::Serialize>(parts: &T, disclosures: &mut String) -> Result<String, IssueError> {
    let json = serde_json::to_vec(parts).map_err(|_| IssueError::TooLarge)?;
    let start = disclosures.len();
    b64u_append(json, disclosures);
    let digest = b64u(sha256(&disclosures[start..]));
    disclosures.push('~');
    Ok(digest)
}

/// RFC 9901 4.2.4.1: the order of the digests must not tell the order of the claims.
fn add_digest(object: &mut Map<String, Value>, digest: String) -> Result<(), IssueError> {
    let digests = object.entry("_sd").or_insert_with(|| Value::Array(Vec::new()));
    let digests = digests.as_array_mut().ok_or(IssueError::ReservedName)?;
    if digests.len() == MAX_DISCLOSURES {
        return Err(IssueError::TooLarge);
    }
    let at = digests.partition_point(|other| other.as_str() < Some(&digest));
    digests.insert(at, Value::String(digest));
    Ok(())
}

fn check_names(object: &Map<String, Value>) -> Result<(), IssueError> {
    object.iter().try_for_each(|(name, value)| {
        if RESERVED.contains(&name.as_str()) { Err(IssueError::ReservedName) } else { check_value(value) }
    })
}

fn check_value(value: &Value) -> Result<(), IssueError> {
    match value {
        Value::Object(object) => check_names(object),
        Value::Array(array) => array.iter().try_for_each(check_value),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::jose::Alg;
    use crate::jose::jws::NewHeader;
    use crate::sd_jwt::vc::TYP;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    fn build(claims: Value, work: impl FnOnce(Builder) -> Builder) -> Result<Issuable, IssueError> {
        let builder = work(Builder::new(claims.as_object().cloned().unwrap()));
        builder.build(&NewHeader::new(Alg::Es256, TYP).encode(), &mut ChaCha20Rng::from_seed([1; 32]))
    }

    fn payload(issuable: &Issuable) -> Value {
        let input = std::str::from_utf8(issuable.signing_input()).unwrap();
        let payload = crate::encoding::b64u_decode(input.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice(&payload).unwrap()
    }

    #[test]
    fn concealed_claims_leave_only_sorted_digests() {
        let claims = json!({"vct": "t", "a": 1, "b": {"c": 2}, "d": [3, 4], "e~/": 5});
        let issuable = build(claims, |builder| {
            let builder =
                builder.conceal("/a").conceal("/b").conceal("/b/c").conceal("/d/0").conceal("/e~0~1");
            builder.decoys("", 3)
        });
        let payload = payload(issuable.as_ref().ok().unwrap());
        let digests: Vec<_> = payload["_sd"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(digests.len(), 6);
        assert!(digests.is_sorted());
        assert_eq!(payload["d"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["..."]);
        assert_eq!(payload["d"][1], 4);
        assert_eq!(payload["_sd_alg"], "sha-256");
        assert!(payload.get("a").is_none() && payload.get("b").is_none());
        assert_eq!(issuable.ok().unwrap().finish(&[]).matches('~').count(), 6);
    }

    #[test]
    fn claims_that_cannot_be_issued() {
        let fault = |claims, pointer: &str| build(claims, |builder| builder.conceal(pointer)).err();
        for name in NEVER_DISCLOSED {
            assert_eq!(fault(json!({name: {"x": 1}}), &format!("/{name}")), Some(IssueError::NeverDisclosed));
            assert_eq!(
                fault(json!({name: {"x": 1}}), &format!("/{name}/x")),
                Some(IssueError::NeverDisclosed)
            );
        }
        for name in RESERVED {
            assert_eq!(fault(json!({"a": [{name: 1}]}), "/a"), Some(IssueError::ReservedName));
        }
        for pointer in ["", "/b", "a", "/a/0/x", "/a/9", "/a/-"] {
            assert_eq!(fault(json!({"a": [1]}), pointer), Some(IssueError::NoSuchClaim), "{pointer}");
        }
        let much = json!({"a": "x".repeat(MAX_SD_JWT)});
        assert_eq!(fault(much, "/a"), Some(IssueError::TooLarge));
    }

    #[test]
    fn without_disclosures_there_is_no_hash_algorithm() {
        let payload = payload(&build(json!({"a": 1}), |builder| builder).ok().unwrap());
        assert_eq!(payload, json!({"a": 1}));
    }
}
