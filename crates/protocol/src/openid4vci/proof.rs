//! Proofs of possession of the keys that copies are bound to (section 8.2.1.1, appendix F.1).
//!
//! Proof type `jwt` with the key in the header. Leaves out `kid` and `x5c` (no use here), key attestations and
//! the proof types `attestation` and `di_vp`.
//!
//! Security: whoever signed a proof chose the key in its header, so a proof shows possession and nothing more.
//! The nonce must be one that this issuer gave out, still live, and it is spent for the whole request at once:
//! [`Proofs::nonce`] is for the caller's store.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::commitment::Commitment;
use vouchsafe_proofs::pseudonym::Nym;
use vouchsafe_proofs::sigma::link;
use vouchsafe_proofs::sigma::link::registration::{self, Asked, NewCopy};

use super::errors::CredentialError;
use crate::encoding::{b64u, b64u_array, b64u_decode};
use crate::jose::jws::{Compact, NewHeader, Unsigned};
use crate::jose::{Alg, PublicJwk, SignatureVerifier};
use crate::time::{SKEW, UnixTime};

/// The `typ` of a proof.
pub const TYP: &str = "openid4vci-proof+jwt";

/// How old a proof may be, in seconds.
pub const MAX_AGE: i64 = 300;

/// The most bytes of one proof.
const MAX_PROOF: usize = 4 * 1024;

/// The algorithms that proofs may be signed with.
pub const ALGORITHMS: [Alg; 1] = [Alg::Es256];

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    iat: UnixTime,
    nonce: String,
    /// What the copy for this key is to be linked to. Ours, unregistered: whatever else stands there is nothing of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<Value>,
}

/// The bytes to sign for the key `holder`, at the time `now`.
#[must_use]
pub fn unsigned(holder: &PublicJwk, issuer: &str, nonce: &str, now: UnixTime) -> Unsigned {
    write(holder, Claims { aud: issuer.to_owned(), iat: now, nonce: nonce.to_owned(), link: None })
}

/// The same for a copy that is linked: `link` is the commitment to the wallet's secret that it shall carry.
#[must_use]
pub fn unsigned_linked(
    holder: &PublicJwk,
    issuer: &str,
    nonce: &str,
    link: &Commitment,
    now: UnixTime,
) -> Unsigned {
    let link = Some(Value::from(b64u(link.0)));
    write(holder, Claims { aud: issuer.to_owned(), iat: now, nonce: nonce.to_owned(), link })
}

fn write(holder: &PublicJwk, claims: Claims) -> Unsigned {
    let header = NewHeader::new(holder.alg(), TYP).jwk(holder).encode();
    Unsigned::new(&header, &claims).expect("the claims are strings and an integer")
}

/// What proofs are checked against.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer identifier.
    pub issuer: &'a str,
    /// The most proofs, the size of a batch.
    pub batch_size: usize,
    /// The time of reading.
    pub now: UnixTime,
}

/// Keys whose possession was proved, each once, under one nonce that is still to be spent.
pub struct Proofs {
    keys: Vec<PublicJwk>,
    links: Vec<Option<Commitment>>,
    nonce: String,
}

/// A batch that is asked for with one link secret, by its proof (`specs/proofs/README.md` 6.4).
pub struct Linked {
    /// The registered pseudonym: of whoever the issuer holds it to be.
    pub nym: Nym,
    /// The commitments that the copies shall carry, in the order of the keys.
    pub links: Vec<Commitment>,
}

impl Proofs {
    /// Checks the proofs of one request.
    ///
    /// # Errors
    /// [`CredentialError::InvalidProof`], or [`CredentialError::InvalidCredentialRequest`] for too many.
    pub fn verify(
        proofs: &[String],
        expected: &Expected<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Self, CredentialError> {
        if !(mutants::skips("vci-proof-count") || proofs.len() <= expected.batch_size) {
            return Err(CredentialError::InvalidCredentialRequest);
        }
        let read: Vec<_> =
            proofs.iter().map(|proof| verify(proof, expected, verifier)).collect::<Result<_, _>>()?;
        let nonce = read.first().map(|one| one.nonce.clone()).ok_or(CredentialError::InvalidProof)?;
        if !(mutants::skips("vci-proof-one-nonce") || read.iter().all(|one| one.nonce == nonce)) {
            return Err(CredentialError::InvalidProof);
        }
        let links = read.iter().map(|one| one.link).collect();
        let keys: Vec<_> = read.into_iter().map(|one| one.key).collect();
        // One copy per key: two copies under one key could be told to be one person's.
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        if !(mutants::skips("vci-proof-distinct") || distinct.len() == keys.len()) {
            return Err(CredentialError::InvalidProof);
        }
        Ok(Self { keys, links, nonce })
    }

    /// The keys, in the order of the proofs.
    #[must_use]
    pub fn keys(&self) -> &[PublicJwk] {
        &self.keys
    }

    /// The nonce, to be looked up and spent once for the request; unknown or spent is
    /// [`CredentialError::InvalidNonce`].
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// That every copy is to carry the same link secret, by `proof`, the request's `link_proof`, for the type `vct` of
    /// `issuer`. Variable time. It counts once the issuer has compared the pseudonym with the person's.
    ///
    /// # Errors
    /// [`CredentialError::InvalidProof`]: a commitment or the proof is missing or malformed, or it does not hold.
    pub fn linked(&self, issuer: &str, vct: &str, proof: Option<&str>) -> Result<Linked, CredentialError> {
        let missing = || CredentialError::InvalidProof;
        let links: Vec<Commitment> = self.links.iter().copied().collect::<Option<_>>().ok_or_else(missing)?;
        let copy =
            |(key, link): (&PublicJwk, &Commitment)| NewCopy { holder_key: key.thumbprint(), link: *link };
        let copies: Vec<NewCopy> = self.keys.iter().zip(&links).map(copy).collect();
        let proof = proof.and_then(|proof| b64u_decode(proof).ok()).ok_or_else(missing)?;
        let asked = Asked { issuer, vct, c_nonce: &self.nonce };
        let nym = registration::verify_vartime(&asked, &copies, &proof);
        let nym = nym.or_else(|| link::shown(&proof).filter(|_| mutants::skips("vci-link-proof")));
        Ok(Linked { nym: nym.ok_or_else(missing)?, links })
    }
}

/// One proof that was checked.
struct One {
    key: PublicJwk,
    nonce: String,
    link: Option<Commitment>,
}

fn verify(
    proof: &str,
    expected: &Expected<'_>,
    verifier: &dyn SignatureVerifier,
) -> Result<One, CredentialError> {
    let invalid = |_| CredentialError::InvalidProof;
    let compact = Compact::parse(proof, MAX_PROOF).map_err(invalid)?;
    compact.check_typ(TYP).map_err(invalid)?;
    let key = key(&compact)?;
    let payload = compact.verify(TYP, &key, verifier).map_err(invalid)?;
    let members = payload.claims().map_err(|_| CredentialError::InvalidProof)?;
    // Anonymous use of a pre-authorised code has no client id to name.
    let anonymous = !members.contains_key("iss");
    if !(mutants::skips("vci-proof-iss") || anonymous) {
        return Err(CredentialError::InvalidProof);
    }
    let claims: Claims = payload.typed().map_err(|_| CredentialError::InvalidProof)?;
    check_claims(&claims, expected)?;
    let link = claims.link.as_ref().and_then(Value::as_str);
    let link = link.and_then(|link| b64u_array(link).ok()).map(Commitment);
    Ok(One { key, nonce: claims.nonce, link })
}

/// Exactly one way to name the key, and it is `jwk`.
fn key(compact: &Compact) -> Result<PublicJwk, CredentialError> {
    let header = compact.header();
    let by_jwk_alone = header.kid().is_none() && header.x5c().is_none();
    if !(mutants::skips("vci-proof-key") || by_jwk_alone) {
        return Err(CredentialError::InvalidProof);
    }
    let unattested = ["key_attestation", "trust_chain"].iter().all(|name| header.member(name).is_none());
    if !(mutants::skips("vci-proof-attestation") || unattested) {
        return Err(CredentialError::InvalidProof);
    }
    let key = header.dangerous_embedded_jwk().map_err(|_| CredentialError::InvalidProof)?;
    if !(mutants::skips("vci-proof-alg") || ALGORITHMS.contains(&key.alg())) {
        return Err(CredentialError::InvalidProof);
    }
    Ok(key)
}

fn check_claims(claims: &Claims, expected: &Expected<'_>) -> Result<(), CredentialError> {
    if !(mutants::skips("vci-proof-aud") || claims.aud == expected.issuer) {
        return Err(CredentialError::InvalidProof);
    }
    if !(mutants::skips("vci-proof-future") || claims.iat <= expected.now.plus(SKEW)) {
        return Err(CredentialError::InvalidProof);
    }
    if !(mutants::skips("vci-proof-old") || claims.iat >= expected.now.minus(MAX_AGE + SKEW)) {
        return Err(CredentialError::InvalidProof);
    }
    let present = !claims.nonce.is_empty();
    if !(mutants::skips("vci-proof-nonce") || present) {
        return Err(CredentialError::InvalidProof);
    }
    Ok(())
}
