//! The checks of an answer, each step consuming the one before; pure but for the cache of certificate paths.

use std::sync::Arc;

use vouchsafe_proofs::answer::ProofFailed;
use vouchsafe_protocol::answer::{AnswerError as Wire, Committed, Complete, Granted, Judged, Presented};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::SignatureVerifier;
use vouchsafe_protocol::jose::x5c::{Anchor, VerifiedLeaf, X5cError, validate_or_cached};
use vouchsafe_protocol::openid4vp::response::{Response, ResponseError};
use vouchsafe_protocol::openid4vp::{Asked, NotAnOption};
use vouchsafe_protocol::permission::Jkt;
use vouchsafe_protocol::sd_jwt::key_binding::{self, KeyBindingError};
use vouchsafe_protocol::sd_jwt::vc::{self, Signed, Status, VcError, Verified};
use vouchsafe_protocol::sd_jwt::{Bound, ParseError, SignatureError, Unverified};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::{SKEW, UnixTime};

use crate::app::Rules;
use crate::decision::Finding;
use crate::paths::PathCache;
use crate::permissions::{Making, Permitted};
use crate::question::Question;
use crate::store::PermissionId;

/// What the verifier itself knows of the request; nothing of it comes from an answer.
pub(super) struct Pinned {
    pub(super) asked: Asked,
    pub(super) env: Env,
    /// When the request was made: no key binding is older.
    pub(super) since: UnixTime,
    pub(super) expect: Option<String>,
    pub(super) question: Arc<Question>,
    /// The permission under which it was asked again.
    pub(super) again: Option<PermissionId>,
    /// What a new permission would be called.
    pub(super) id: [u8; 16],
    pub(super) withdraw_at: String,
}

/// Presentations whose key bindings are for this request and whose signatures hold, by query id, and the grant that came
/// beside them.
pub(super) struct Authentic(Vec<(String, Signed)>, Option<String>);

/// Why an answer is refused. The fault of whoever sent it; the wallet learns the class alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Step 1 and 3: form, encryption, state.
    #[error(transparent)]
    Form(#[from] ResponseError),
    /// Step 4: not exactly one option.
    #[error(transparent)]
    Option(#[from] NotAnOption),
    /// Step 4: a presentation is malformed.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Step 5: the key binding.
    #[error(transparent)]
    Binding(#[from] KeyBindingError),
    /// Step 6: the register knows no such issuer.
    #[error("the credential's issuer is not in the register")]
    UnknownIssuer,
    /// Step 6: the certificate path.
    #[error(transparent)]
    Path(#[from] X5cError),
    /// Step 6: a signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Step 7: the claims of a credential.
    #[error(transparent)]
    Claims(#[from] VcError),
    /// Steps 7 to 10: issuer, type, completeness, commitments.
    #[error(transparent)]
    Evidence(#[from] Wire),
    /// Step 9: nothing trusted says that the type has no status.
    #[error("the credential's type has no trusted description here")]
    UnknownType,
    /// Step 12: asked again under a permission, and answered by another key.
    #[error("the answer is not by the key of the permission under which was asked")]
    OtherPermission,
    /// Step 11.
    #[error("the proof does not hold")]
    Proof,
    /// A check ended without a result. Ours to mend; the answer is refused all the same, and counts from step 7 on as any
    /// other: whoever can bring it about once could bring it about for ever.
    #[error("a check of the answer ended without a result")]
    Broken,
}

impl From<ProofFailed> for Refusal {
    fn from(ProofFailed: ProofFailed) -> Self {
        Self::Proof
    }
}

impl Refusal {
    /// A closed code for counters.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Form(_) => "form",
            Self::Option(_) => "option",
            Self::Parse(_) => "parse",
            Self::Binding(_) => "key-binding",
            Self::UnknownIssuer => "issuer",
            Self::Path(_) => "path",
            Self::Signature(_) => "signature",
            Self::Claims(_) => "claims",
            Self::Evidence(_) => "evidence",
            Self::UnknownType => "type",
            Self::OtherPermission => "permission",
            Self::Proof => "proof",
            Self::Broken => "broken",
        }
    }
}

/// Steps 4 to 6: strict parts of exactly one option, key bindings for this request, both signatures.
pub(super) fn authenticate(
    pinned: &Pinned,
    response: &Response,
    rules: &Rules,
    paths: &PathCache,
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<Authentic, Refusal> {
    let chosen = pinned.asked.choose(response.vp_token.queries())?;
    let presented = |query: &String| response.vp_token.presentation(query).map(|text| (query.clone(), text));
    let parsed = chosen.queries().iter().filter_map(presented);
    let parsed = parsed.map(|(query, text)| Ok((query, Unverified::parse(text)?)));
    let parsed = parsed.collect::<Result<Vec<_>, ParseError>>()?;
    let party = pinned.asked.party();
    let max_age = now.0.saturating_sub(pinned.since.0) + SKEW;
    let expected = key_binding::Expected { aud: &party.client_id, nonce: &party.nonce, now, max_age };
    let bound = parsed.into_iter().map(|(query, parts)| Ok((query, parts.check_binding(&expected)?)));
    let bound = bound.collect::<Result<Vec<_>, KeyBindingError>>()?;
    let signed =
        bound.into_iter().map(|(query, bound)| Ok((query, sign_off(bound, rules, paths, now, verifier)?)));
    let grant = response.vp_token.grant().map(str::to_owned);
    Ok(Authentic(signed.collect::<Result<_, Refusal>>()?, grant))
}

/// Step 6 of one presentation.
fn sign_off(
    bound: Bound,
    rules: &Rules,
    paths: &PathCache,
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<Signed, Refusal> {
    let leaf = leaf(bound.parts(), rules, paths, now, verifier)?;
    Ok(bound.check_signatures(leaf, verifier)?)
}

/// The issuer's leaf, under the anchors that the register names for the issuer that the token claims.
fn leaf(
    parts: &Unverified,
    rules: &Rules,
    paths: &PathCache,
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<Arc<VerifiedLeaf>, Refusal> {
    let anchors = anchors(parts.dangerous_claimed_issuer(), rules).ok_or(Refusal::UnknownIssuer)?;
    let x5c = parts.x5c().unwrap_or_default();
    let cached = paths.get(x5c);
    let leaf = validate_or_cached(x5c, cached.clone(), &anchors, now, verifier)?;
    if !cached.is_some_and(|cached| Arc::ptr_eq(&cached, &leaf)) {
        paths.put(&leaf);
    }
    Ok(leaf)
}

/// The anchors that count for an issuer; none for one that is not in the register.
pub(super) fn anchors_of(issuer: &str, rules: &Rules) -> Vec<Anchor> {
    anchors(Some(issuer), rules).unwrap_or_default()
}

fn anchors(issuer: Option<&str>, rules: &Rules) -> Option<Vec<Anchor>> {
    let entry = rules.register.issuer(issuer?)?.document();
    let named = |anchor: &&Anchor| entry.anchors.contains(&b64u(anchor.sha256()));
    Some(rules.trust.anchors.iter().filter(named).cloned().collect())
}

/// Steps 7 and 8.
pub(super) fn complete(
    pinned: &Pinned,
    authentic: Authentic,
    rules: &Rules,
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<Complete, Refusal> {
    let (asked, version) = (&pinned.asked, pinned.question.purpose.document().version);
    let accepted =
        authentic.0.into_iter().map(|(query, signed)| Ok((query, accept(asked, signed, rules, now)?)));
    let accepted = accepted.collect::<Result<_, Refusal>>()?;
    let presented = Presented::new(asked, accepted)?;
    let presented = presented.granted(asked, version, authentic.1.as_deref(), verifier)?;
    let trusted = presented.check_trust(asked, &rules.register, pinned.env)?;
    Ok(trusted.check_complete(asked)?)
}

/// Step 10, once the statuses were looked up.
pub(super) fn commit(pinned: &Pinned, complete: Complete, rules: &Rules) -> Result<Committed, Refusal> {
    Ok(complete.check_commitments(&pinned.asked, &rules.types)?)
}

/// Steps 11 and 12.
pub(super) fn conclude(pinned: &Pinned, committed: Committed, now: UnixTime) -> Result<Finding, Refusal> {
    let proven = committed.check_proof()?;
    let key = proven.permission_key().copied();
    let (judged, granted) = proven.judge_and_grant(&pinned.asked, pinned.expect.as_deref());
    let permitted = pinned.permitted(key, granted, now)?.map(Box::new);
    let Judged { outcome, reasons, evidence, pseudonym } = judged;
    Ok(Finding { outcome, reasons, evidence, pseudonym, permitted })
}

impl Pinned {
    /// What the answer permits: something new, or nothing but what it rests on.
    fn permitted(
        &self,
        key: Option<Jkt>,
        granted: Option<Granted>,
        now: UnixTime,
    ) -> Result<Option<Permitted>, Refusal> {
        let transaction = granted.as_ref().map(|granted| b64u(granted.transaction()));
        if let Some((id, key)) = self.again.clone().zip(key) {
            return Ok(Some(Permitted::Again { id: id.0, key: key.text(), transaction }));
        }
        let making = Making {
            id: self.id,
            at: now,
            asked: &self.asked,
            purpose: self.question.purpose.document(),
            withdraw_at: &self.withdraw_at,
        };
        let made = granted.map(|granted| making.new_permission(&granted)).transpose();
        made.map_err(|fault| {
            tracing::error!("an answer permits what cannot be recorded: {fault}");
            Refusal::Broken
        })
    }
}

/// Claim types, times and issuer of one credential (7), and whether it has a status (9): only our own description of the
/// type says so.
fn accept(asked: &Asked, signed: Signed, rules: &Rules, now: UnixTime) -> Result<Verified, Refusal> {
    let described = signed.vct().and_then(|vct| rules.types.iter().find(|known| known.has_vct(vct)));
    let Some(described) = described else { return Err(Refusal::UnknownType) };
    let status = if described.status { Status::Required } else { Status::NotInType };
    let conditions = vc::Rules { now, audience: &asked.party().client_id, status };
    Ok(signed.accept(&conditions)?)
}
