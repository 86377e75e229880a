//! The verifier's side: from presentations whose signatures hold to a proof that holds.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use serde_json::Value;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::answer::{self, Given, ProofFailed};
use vouchsafe_proofs::commitment::Commitment;
use vouchsafe_proofs::context::{Attribute, Context};
use vouchsafe_proofs::statement::Statement;

use super::prove::{Facts, credential};
use super::{PROOF_CLAIM, PROOF_HASH_CLAIM};
use crate::dcql::Incomplete;
use crate::encoding::{b64u, b64u_decode, sha256};
use crate::openid4vp::transaction_data::{self, NotCovered, Said};
use crate::openid4vp::{Asked, Chosen, NotAnOption};
use crate::sd_jwt::vc::Verified;
use crate::status::{Reference, Standing};
use crate::text::Env;
use crate::trust::{IssuerEntry, Register};
use crate::types::{CredentialType, PERIOD, is_proof};
use crate::zkc;

/// Why an answer is refused after its signatures held. The fault of whoever sent it; nothing is decided by it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AnswerError {
    /// Not exactly one option.
    #[error(transparent)]
    Option(#[from] NotAnOption),
    /// A type that its query does not ask for, or that the policy does not accept.
    #[error("a credential is of another type than was asked for")]
    Type,
    /// An issuer that the policy or the register does not accept for this type.
    #[error("a credential's issuer does not count for this policy")]
    Issuer,
    /// Signed under another anchor than the register names for its issuer.
    #[error("a credential is signed under an anchor that is not its issuer's")]
    Anchor,
    /// Type, claims or presentations that were asked for are missing.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// Facts of another period, or of none that everybody sees.
    #[error("a credential is not of the period that was asked about")]
    Period,
    /// No trusted description of the type.
    #[error("the credential's type has no trusted description here")]
    UnknownType,
    /// Commitments missing, malformed, or other than the type declares.
    #[error("the credential's commitments are not those that its type declares")]
    Commitments,
    /// A proof missing, twice, or where none belongs.
    #[error("the proof is not carried where it belongs")]
    Carriage,
    /// No pseudonym where one was asked for, or one of no form.
    #[error("the answer does not show the pseudonym that was asked for")]
    Pseudonym,
    /// A status that nobody has looked up.
    #[error("a credential's status was not looked up")]
    StatusOpen,
    /// Transaction data that is not covered, or that nobody asked for.
    #[error(transparent)]
    TransactionData(#[from] NotCovered),
}

/// Presentations, each verified for itself, that are exactly those of one option.
pub struct Presented {
    chosen: Chosen,
    credentials: Vec<(String, Verified)>,
}

impl Presented {
    /// Joins the presentations of an answer, by query id, and puts them in DCQL order.
    ///
    /// # Errors
    /// [`AnswerError::Option`].
    pub fn new(asked: &Asked, mut presented: BTreeMap<String, Verified>) -> Result<Self, AnswerError> {
        let chosen = asked.choose(presented.keys().map(String::as_str))?;
        let take = |query: &String| presented.remove(query).map(|verified| (query.clone(), verified));
        let credentials = chosen.queries().iter().filter_map(take).collect();
        Ok(Self { chosen, credentials })
    }

    /// Step 7: each issuer may issue this type, in this environment, under the anchor that was found, and the
    /// policy accepts it.
    ///
    /// # Errors
    /// [`AnswerError::Type`], [`AnswerError::Issuer`], [`AnswerError::Anchor`].
    pub fn check_trust(self, asked: &Asked, register: &Register, env: Env) -> Result<Trusted, AnswerError> {
        for (query, credential) in &self.credentials {
            let needed = asked.needed(query).ok_or(AnswerError::Type)?;
            if !(mutants::skips("vp-issuer-accepted") || needed.iss.iter().any(|iss| iss == credential.iss()))
            {
                return Err(AnswerError::Issuer);
            }
            let entry = register.issuer(credential.iss()).ok_or(AnswerError::Issuer)?;
            check_entry(entry.document(), credential, env)?;
        }
        Ok(Trusted { chosen: self.chosen, credentials: self.credentials })
    }
}

fn check_entry(entry: &IssuerEntry, credential: &Verified, env: Env) -> Result<(), AnswerError> {
    // SD-JWT VC: what an issuer may issue is never said by the credential.
    if !(mutants::skips("vp-issuer-type") || entry.types.iter().any(|vct| vct == credential.vct())) {
        return Err(AnswerError::Issuer);
    }
    if !(mutants::skips("vp-issuer-env") || entry.env == env) {
        return Err(AnswerError::Issuer);
    }
    let anchor = b64u(credential.issuer().anchor_sha256());
    if !(mutants::skips("vp-issuer-anchor") || entry.anchors.contains(&anchor)) {
        return Err(AnswerError::Anchor);
    }
    Ok(())
}

/// Presentations whose issuers count.
pub struct Trusted {
    chosen: Chosen,
    credentials: Vec<(String, Verified)>,
}

impl Trusted {
    /// Step 8: each presentation answers its own query, with every claim that was asked for.
    ///
    /// # Errors
    /// [`AnswerError::Incomplete`], [`AnswerError::Period`], [`AnswerError::TransactionData`].
    pub fn check_complete(self, asked: &Asked) -> Result<Complete, AnswerError> {
        let shown = self.credentials.iter().map(|(id, credential)| (id.as_str(), vec![credential.into()]));
        asked.plan().query.check_answer(&shown.collect())?;
        self.credentials.iter().try_for_each(|(query, credential)| check_period(asked, query, credential))?;
        let said: Vec<_> = self.credentials.iter().map(|(id, credential)| said(id, credential)).collect();
        transaction_data::check(asked.transaction_data(), &said)?;
        let Self { chosen, credentials } = self;
        Ok(Complete { chosen, credentials, sought: 0, standing: Standing::Valid })
    }
}

/// The period is what its issuer shows to everybody: a Disclosure of that name would be no part of the copy's form.
fn check_period(asked: &Asked, query: &str, credential: &Verified) -> Result<(), AnswerError> {
    let Some(wanted) = asked.needed(query).and_then(|needed| needed.period.as_deref()) else { return Ok(()) };
    let period = credential.always_visible(PERIOD).and_then(Value::as_str);
    if !(mutants::skips("vp-period") || period == Some(wanted)) {
        return Err(AnswerError::Period);
    }
    Ok(())
}

/// A status to be looked up, and whose lists count. Dropped when that is done.
pub struct Sought {
    /// The credential's issuer.
    pub iss: String,
    /// Where the status stands.
    pub reference: Reference,
}

fn said<'a>(query: &'a str, credential: &'a Verified) -> Said<'a> {
    let claim = |name| credential.binding_claim(name);
    Said { query, hashes: claim(transaction_data::HASHES), alg: claim(transaction_data::HASHES_ALG) }
}

/// Presentations that answer the query.
pub struct Complete {
    chosen: Chosen,
    credentials: Vec<(String, Verified)>,
    /// References that were given away and not heard of again.
    sought: usize,
    standing: Standing,
}

impl Complete {
    /// Step 9, its first half: the references, each once. Nothing of them stays here.
    pub fn take_references(&mut self) -> Vec<Sought> {
        let take = |(_, credential): &mut (String, Verified)| {
            let reference = credential.take_status()?;
            Some(Sought { iss: credential.iss().to_owned(), reference })
        };
        let sought: Vec<_> = self.credentials.iter_mut().filter_map(take).collect();
        self.sought += sought.len();
        sought
    }

    /// Step 9, its second half: what the lists say. Of several credentials the worst counts.
    pub fn told(&mut self, standings: &[Standing]) {
        self.sought = self.sought.saturating_sub(standings.len());
        self.standing = standings.iter().copied().fold(self.standing, Standing::max);
    }

    fn check_status(&self) -> Result<(), AnswerError> {
        let taken = self.credentials.iter().all(|(_, credential)| !credential.has_status());
        if !(mutants::skips("vp-status-open") || (taken && self.sought == 0)) {
            return Err(AnswerError::StatusOpen);
        }
        Ok(())
    }

    /// Step 10: the commitments have the form that trusted metadata declares, and the proof is carried where it
    /// belongs.
    ///
    /// # Errors
    /// [`AnswerError::StatusOpen`] before step 9; [`AnswerError::UnknownType`], [`AnswerError::Commitments`],
    /// [`AnswerError::Carriage`].
    pub fn check_commitments(
        self,
        asked: &Asked,
        types: &[CredentialType],
    ) -> Result<Committed, AnswerError> {
        self.check_status()?;
        let statements = asked.statements(&self.chosen);
        let bytes = carried(self.credentials.iter().map(Carrier::of), &statements)?;
        let contexts = self.credentials.iter().map(|(query, verified)| {
            let (attributes, link) = commitments(verified, types)?;
            let facts = Facts {
                link,
                iss: verified.iss().to_owned(),
                vct: verified.vct().to_owned(),
                leaf: verified.issuer().sha256(),
                jwt: verified.issuer_jwt_sha256(),
            };
            Ok(credential(query, facts, verified.holder().thumbprint(), attributes))
        });
        let contexts = contexts.collect::<Result<_, AnswerError>>()?;
        let context = asked.context(&self.chosen, contexts);
        let proof = Proof::new(asked, context, statements, bytes)?;
        let Self { chosen, credentials, standing, .. } = self;
        Ok(Committed { chosen, credentials, proof, standing })
    }
}

/// What a proof copy commits to: its attributes, and the link secret where its type is linked.
type Commitments = (Vec<Attribute>, Option<Commitment>);

/// The commitments of a proof copy, each as its type declares it; none of a plain copy.
fn commitments(verified: &Verified, types: &[CredentialType]) -> Result<Commitments, AnswerError> {
    let described = types.iter().find(|t| t.has_vct(verified.vct())).ok_or(AnswerError::UnknownType)?;
    if !is_proof(verified.vct()) {
        return Ok((Vec::new(), None));
    }
    let claim = verified.claims().get(zkc::CLAIM).ok_or(AnswerError::Commitments)?;
    // Through a Disclosure its holder would choose what the issuer vouches for.
    if !(mutants::skips("zk-visible") || verified.always_visible(zkc::CLAIM).is_some()) {
        return Err(AnswerError::Commitments);
    }
    let attributes = zkc::read(claim).map_err(|_| AnswerError::Commitments)?;
    let declared = |attribute: &Attribute| {
        described.attribute(&attribute.pointer).and_then(crate::types::Attribute::form)
    };
    let as_declared =
        |attribute: &Attribute| declared(attribute).is_some_and(|form| zkc::is_of(attribute, &form));
    // Encoding, unit and width come from us; a credential that says otherwise is another claim under this name.
    if !(mutants::skips("zk-form") || attributes.iter().all(as_declared)) {
        return Err(AnswerError::Commitments);
    }
    if !(mutants::skips("zk-slots") || attributes.len() == described.provable().count()) {
        return Err(AnswerError::Commitments);
    }
    let link = zkc::link(claim).map_err(|_| AnswerError::Commitments)?;
    if !(mutants::skips("zk-link-slot") || link.is_some() == described.link) {
        return Err(AnswerError::Commitments);
    }
    Ok((attributes, link))
}

/// The claims of one key binding that may carry a proof.
#[derive(Clone, Copy)]
struct Carrier<'a> {
    query: &'a str,
    proof: Option<&'a Value>,
    hash: Option<&'a Value>,
}

impl<'a> Carrier<'a> {
    fn of((query, verified): &'a (String, Verified)) -> Self {
        Self {
            query,
            proof: verified.binding_claim(PROOF_CLAIM),
            hash: verified.binding_claim(PROOF_HASH_CLAIM),
        }
    }
}

/// The proof's bytes: on the first presentation that a statement names, its hash on the others, nowhere else.
fn carried<'a>(
    carriers: impl Iterator<Item = Carrier<'a>>,
    statements: &[Statement],
) -> Result<Option<Vec<u8>>, AnswerError> {
    let mut bytes = None;
    for carrier in carriers {
        let named = statements.iter().any(|s| s.terms.iter().any(|term| term.query == carrier.query));
        match (&bytes, named) {
            (None, true) => bytes = Some(first(carrier)?),
            (Some(bytes), true) => other(bytes, carrier)?,
            (_, false) => {
                let none = carrier.proof.is_none() && carrier.hash.is_none();
                if !(mutants::skips("zk-carriage-unnamed") || none) {
                    return Err(AnswerError::Carriage);
                }
            }
        }
    }
    Ok(bytes)
}

fn first(carrier: Carrier<'_>) -> Result<Vec<u8>, AnswerError> {
    if !(mutants::skips("zk-carriage-first-hash") || carrier.hash.is_none()) {
        return Err(AnswerError::Carriage);
    }
    let text = carrier.proof.and_then(Value::as_str).ok_or(AnswerError::Carriage)?;
    if text.len() > answer::MAX_LENGTH.div_ceil(3) * 4 {
        return Err(AnswerError::Carriage);
    }
    b64u_decode(text).map_err(|_| AnswerError::Carriage)
}

fn other(bytes: &[u8], carrier: Carrier<'_>) -> Result<(), AnswerError> {
    if !(mutants::skips("zk-carriage-second-proof") || carrier.proof.is_none()) {
        return Err(AnswerError::Carriage);
    }
    let same = carrier.hash.and_then(Value::as_str) == Some(&b64u(sha256(bytes)));
    if !(mutants::skips("zk-carriage-hash") || same) {
        return Err(AnswerError::Carriage);
    }
    Ok(())
}

struct Proof {
    context: Context,
    statements: Vec<Statement>,
    bytes: Vec<u8>,
    /// Found together with others.
    verdict: Option<Result<(), ProofFailed>>,
}

impl Proof {
    /// What is to be checked; nothing where nothing was asked to be proved. The value of the pseudonym stands in the proof
    /// alone, and what it is for comes from us alone.
    fn new(
        asked: &Asked,
        mut context: Context,
        statements: Vec<Statement>,
        bytes: Option<Vec<u8>>,
    ) -> Result<Option<Self>, AnswerError> {
        let Some(bytes) = bytes else {
            return if asked.scope().is_some() { Err(AnswerError::Pseudonym) } else { Ok(None) };
        };
        let shown = answer::dangerous_claimed_pseudonym(&context, &statements, &bytes);
        if let Some(item4) = &mut context.authorisation.pseudonym {
            item4.value = shown.ok_or(AnswerError::Pseudonym)?.to_bytes().to_vec();
        }
        Ok(Some(Self { context, statements, bytes, verdict: None }))
    }

    /// The name that it shows its sender by, once it holds.
    fn known_as(&self) -> Option<[u8; 32]> {
        self.context.authorisation.pseudonym.as_ref()?.value.as_slice().try_into().ok()
    }

    fn check(&self) -> Result<(), ProofFailed> {
        self.verdict.unwrap_or_else(|| answer::verify(&self.context, &self.statements, &self.bytes))
    }

    fn given(&self) -> Given<'_> {
        Given { context: &self.context, statements: &self.statements, bytes: &self.bytes }
    }
}

/// Presentations ready for the one dear check.
pub struct Committed {
    chosen: Chosen,
    credentials: Vec<(String, Verified)>,
    proof: Option<Proof>,
    standing: Standing,
}

impl Committed {
    /// Step 11: the proof holds for this request and these credentials. Nothing to do without statements. Takes
    /// no reference, so that it can run in a pool.
    ///
    /// # Errors
    /// [`ProofFailed`], which says nothing more.
    pub fn check_proof(self) -> Result<Proven, ProofFailed> {
        let (proved, known_as) = (self.proof.is_some(), self.proof.as_ref().and_then(Proof::known_as));
        if let Some(proof) = self.proof {
            proof.check()?;
        }
        let Self { chosen, credentials, standing, .. } = self;
        Ok(Proven { chosen, credentials, proved, known_as, standing })
    }
}

/// Step 11 for many at once, which is cheaper: [`Committed::check_proof`] then gives the verdict that was found here, and
/// it is the one that it finds alone. A wrong proof spoils no other's.
///
/// `rng` gives the weights, after all proofs are there; it must be the system's.
pub fn check_proofs<'a>(committed: impl IntoIterator<Item = &'a mut Committed>, rng: &mut dyn CryptoRngCore) {
    let mut proofs: Vec<&mut Proof> = committed.into_iter().filter_map(|one| one.proof.as_mut()).collect();
    let given: Vec<Given<'_>> = proofs.iter().map(|proof| proof.given()).collect();
    let verdicts = answer::verify_all(&given, rng);
    for (proof, verdict) in proofs.iter_mut().zip(verdicts) {
        proof.verdict = Some(if mutants::skips("zk-proofs-together") { Ok(()) } else { verdict });
    }
}

/// An answer that verifies fully. Only its meaning is left to be judged.
pub struct Proven {
    pub(super) chosen: Chosen,
    pub(super) credentials: Vec<(String, Verified)>,
    pub(super) proved: bool,
    pub(super) known_as: Option<[u8; 32]>,
    pub(super) standing: Standing,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use serde_json::json;
    use vouchsafe_proofs::statement::Predicate;

    fn statements(queries: &[&str]) -> Vec<Statement> {
        queries.iter().map(|query| Statement::of(query, query, "/x", Predicate::Le(1))).collect()
    }

    fn carry(claims: &[(&str, Value, Value)], named: &[&str]) -> Result<Option<Vec<u8>>, AnswerError> {
        let carriers = claims.iter().map(|(query, proof, hash)| Carrier {
            query,
            proof: Some(proof).filter(|value| !value.is_null()),
            hash: Some(hash).filter(|value| !value.is_null()),
        });
        carried(carriers, &statements(named))
    }

    #[test]
    fn the_proof_is_on_the_first_and_its_hash_on_the_others() {
        let (proof, hash) = (json!(b64u([1, 2, 3])), json!(b64u(sha256([1, 2, 3]))));
        let good = [
            ("a", json!(null), json!(null)),
            ("b", proof.clone(), json!(null)),
            ("c", json!(null), hash.clone()),
        ];
        assert_eq!(carry(&good, &["b", "c"]).unwrap(), Some(vec![1, 2, 3]));
        assert_eq!(carry(&good[..1], &[]).unwrap(), None);
        let refused = |claims: &[(&str, Value, Value)], named: &[&str]| {
            assert_eq!(carry(claims, named), Err(AnswerError::Carriage));
        };
        refused(&good, &["c"]);
        refused(&good, &["a", "b"]);
        refused(&[("a", proof.clone(), json!(null))], &[]);
        refused(&[("a", json!(null), hash.clone())], &[]);
        refused(&[("a", proof.clone(), hash.clone())], &["a"]);
        refused(&[("a", proof.clone(), json!(null)), ("b", proof.clone(), hash)], &["a", "b"]);
        refused(&[("a", proof.clone(), json!(null)), ("b", json!(null), json!(null))], &["a", "b"]);
        refused(&[("a", proof, json!(null)), ("b", json!(null), json!(b64u([0; 32])))], &["a", "b"]);
        refused(&[("a", json!("A"), json!(null))], &["a"]);
        refused(&[("a", json!([1]), json!(null))], &["a"]);
        refused(&[("a", json!("A".repeat(29_999)), json!(null))], &["a"]);
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn switches_are_noticed() {
        let (proof, hash, none) = (json!(b64u([1, 2, 3])), json!(b64u(sha256([1, 2, 3]))), json!(null));
        let attack = |name, second: (Value, Value)| {
            let claims = [("a", proof.clone(), none.clone()), ("b", second.0, second.1)];
            assert!(carry(&claims, &["a", "b"]).is_err(), "{name}");
            assert!(mutants::without(name, || carry(&claims, &["a", "b"]).is_ok()), "{name}");
        };
        attack("zk-carriage-second-proof", (proof.clone(), hash));
        attack("zk-carriage-hash", (none.clone(), json!(b64u([0; 32]))));
    }
}
