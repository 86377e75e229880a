//! The wallet's side: a proof for one option, and the claims that carry it.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::answer::{self, Openings};
use vouchsafe_proofs::commitment::{Blinding, Commitment, Seed};
use vouchsafe_proofs::context::{self, Attribute, IssuerKey, Pseudonym};
use vouchsafe_proofs::encoding::Text;
use vouchsafe_proofs::pseudonym::LinkSecret;

use super::{PROOF_CLAIM, PROOF_HASH_CLAIM, permitted};
use crate::encoding::{b64u, sha256};
use crate::openid4vp::{Asked, Chosen};
use crate::policy::Crowd;
use crate::sd_jwt::Held;
use crate::statement::WireStatement;
use crate::zkc;

/// A copy that answers one query.
#[derive(Clone, Copy)]
pub struct Holding<'a> {
    /// The query id.
    pub query: &'a str,
    /// The copy.
    pub held: &'a Held,
    /// Its signed attributes; empty for a plain copy.
    pub attributes: &'a [Attribute],
    /// What the commitments hide, by pointer; empty for a plain copy.
    pub values: &'a BTreeMap<String, zkc::Value>,
    /// The seed that blinds them; none for a plain copy.
    pub seed: Option<&'a Seed>,
    /// The link secret and what hides it in this copy; none for one that is not linked.
    pub link: Option<(&'a LinkSecret, &'a Blinding)>,
}

/// Why no proof was made. All are on the wallet's side.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ProveError {
    /// The copies are not exactly those of the option.
    #[error("the copies do not answer exactly the queries of the option")]
    Option,
    /// A copy without a certificate.
    #[error("a held copy has no issuer certificate")]
    Copy,
    /// A copy without a link secret, where a pseudonym is asked for.
    #[error("a held copy is linked to no secret, and the request asks for a pseudonym")]
    Link,
    /// A statement that would single its resident out.
    #[error("the request asks of too small a crowd: {0}")]
    Crowd(#[from] Crowd),
    /// A permission without a key, or a key without a permission.
    #[error("the request asks for a permission and there is no key for it, or the reverse")]
    Permission,
    /// The statements.
    #[error(transparent)]
    Proof(#[from] answer::ProveError),
}

/// The further claims of each key binding, by query id.
pub type AnswerClaims = BTreeMap<String, Map<String, Value>>;

/// Proves every statement that applies to `chosen`, over copies that answer exactly its queries.
///
/// The result goes into the key bindings: the proof on the first presentation that a statement names, its hash
/// on the others. It is empty where no statement applies. Where the request asks for a permission, `chosen` has its key
/// ([`Chosen::permitting`]), and the key binding that covers the entry names it.
///
/// # Errors
/// [`ProveError`]; that a statement is not met shows here and nowhere else.
pub fn prove(
    asked: &Asked,
    chosen: &Chosen,
    holdings: &[Holding<'_>],
    rng: &mut dyn CryptoRngCore,
) -> Result<AnswerClaims, ProveError> {
    let mut openings = Openings::new();
    holdings.iter().for_each(|holding| holding.open(&mut openings));
    let credentials = holdings.iter().map(Holding::credential).collect::<Result<_, _>>()?;
    let known_as = known_as(asked, chosen, holdings)?;
    let bytes = prove_over(asked, chosen, credentials, &openings, known_as, rng)?;
    let mut claims = bytes.map(|bytes| carried(asked, chosen, &bytes)).unwrap_or_default();
    // Every entry that asks for a permission names all queries, so it falls to the first that is answered.
    if let Some((key, query)) = chosen.permission_key().zip(chosen.queries().first()) {
        claims.entry(query.clone()).or_default().extend([permitted::claim(key)]);
    }
    Ok(claims)
}

/// The pseudonym that the request asks for, of the secret of the one copy that it is shown from.
fn known_as(
    asked: &Asked,
    chosen: &Chosen,
    holdings: &[Holding<'_>],
) -> Result<Option<Pseudonym>, ProveError> {
    let Some(scope) = asked.scope() else { return Ok(None) };
    let query = asked.known_by(chosen).ok_or(ProveError::Option)?;
    let holding = holdings.iter().find(|holding| holding.query == query).ok_or(ProveError::Option)?;
    let (x, _) = holding.link.ok_or(ProveError::Link)?;
    Ok(Some(x.pseudonym(scope)))
}

/// The proof alone, over credentials that answer exactly the queries of `chosen`, wherever their openings come from;
/// `None` where no statement applies. `known_as` is the pseudonym that is shown, where one is asked for.
///
/// # Errors
/// As [`prove`].
pub fn prove_over(
    asked: &Asked,
    chosen: &Chosen,
    credentials: Vec<context::Credential>,
    openings: &Openings,
    known_as: Option<Pseudonym>,
    rng: &mut dyn CryptoRngCore,
) -> Result<Option<Vec<u8>>, ProveError> {
    let credentials = in_order(chosen, credentials)?;
    let keyed = asked.terms().is_some() == chosen.permission_key().is_some();
    if !(mutants::skips("perm-prove-key") || keyed) {
        return Err(ProveError::Permission);
    }
    let statements = asked.statements(chosen);
    if statements.is_empty() {
        return Ok(None);
    }
    asked.wire_statements(chosen).try_for_each(|one| check_crowd(one, asked, &credentials))?;
    let mut context = asked.context(chosen, credentials);
    context.authorisation.pseudonym = known_as;
    Ok(Some(answer::prove(&context, &statements, openings, rng)?))
}

/// The claims that carry a proof: its bytes on the first presentation that a statement names, their hash on the others.
#[must_use]
pub fn carried(asked: &Asked, chosen: &Chosen, bytes: &[u8]) -> AnswerClaims {
    let statements = asked.statements(chosen);
    let named = chosen
        .queries()
        .iter()
        .filter(|query| statements.iter().any(|s| s.terms.iter().any(|t| t.query == **query)));
    named.enumerate().map(|(i, query)| (query.clone(), carrying(bytes, i == 0))).collect()
}

/// A statement about one attribute leaves enough values on each side of what its issuer may sign.
fn check_crowd(
    statement: &WireStatement,
    asked: &Asked,
    credentials: &[context::Credential],
) -> Result<(), ProveError> {
    let [term] = statement.terms.as_slice() else { return Ok(()) };
    let credential = credentials.iter().find(|credential| credential.query == term.query);
    let attribute = credential.and_then(|c| c.attributes.iter().find(|one| one.pointer == term.pointer));
    let range = attribute.and_then(|attribute| attribute.range);
    Ok(range.map_or(Ok(()), |range| Crowd::check(statement, asked.tables(), range))?)
}

fn in_order(
    chosen: &Chosen,
    mut credentials: Vec<context::Credential>,
) -> Result<Vec<context::Credential>, ProveError> {
    let mut ordered = Vec::new();
    for query in chosen.queries() {
        let place = credentials.iter().position(|one| one.query == *query).ok_or(ProveError::Option)?;
        ordered.push(credentials.swap_remove(place));
    }
    if credentials.is_empty() { Ok(ordered) } else { Err(ProveError::Option) }
}

impl Holding<'_> {
    /// The copy as a proof is bound to it.
    ///
    /// # Errors
    /// [`ProveError::Copy`].
    pub fn credential(&self) -> Result<context::Credential, ProveError> {
        let held = self.held;
        let leaf = held.x5c().first().map(sha256).ok_or(ProveError::Copy)?;
        let name = |text: Option<&str>| text.map(str::to_owned).ok_or(ProveError::Copy);
        let claim = held.disclosed().always_visible(zkc::CLAIM);
        let link = claim.and_then(|claim| zkc::link(claim).ok().flatten());
        let (iss, vct) = (name(held.iss())?, name(held.vct())?);
        let facts = Facts { iss, vct, leaf, jwt: held.issuer_jwt_sha256(), link };
        Ok(credential(self.query, facts, held.holder().thumbprint(), self.attributes.to_vec()))
    }

    /// Adds value and blinding of every committed attribute, and of the link secret.
    pub fn open(&self, openings: &mut Openings) {
        if let Some((x, t)) = self.link {
            openings.add_link(self.query, x, t);
        }
        let (Some(seed), Some(iss), Some(vct)) = (self.seed, self.held.iss(), self.held.vct()) else {
            return;
        };
        for (pointer, value) in self.values {
            let r = seed.blinding(iss, vct, pointer);
            let unit = self.attributes.iter().find(|one| one.pointer == *pointer).map(|one| &one.unit);
            match (value, unit) {
                (zkc::Value::Integer(v), _) => openings.add(self.query, pointer, *v, r),
                (zkc::Value::Text(text), Some(unit)) => {
                    openings.add_text(self.query, pointer, Text::new(unit, text), r);
                }
                // What nobody signed opens nothing: a statement that names it is refused where it is proved.
                (zkc::Value::Text(_), None) => {}
            }
        }
    }
}

/// What a proof binds of a credential's signature.
pub struct Facts {
    pub(super) iss: String,
    pub(super) vct: String,
    pub(super) leaf: [u8; 32],
    pub(super) jwt: [u8; 32],
    pub(super) link: Option<Commitment>,
}

/// One credential as a proof is bound to it; both sides make it here.
#[must_use]
pub fn credential(
    query: &str,
    facts: Facts,
    holder_key: [u8; 32],
    attributes: Vec<Attribute>,
) -> context::Credential {
    context::Credential {
        query: query.to_owned(),
        iss: facts.iss,
        issuer: IssuerKey::Certificate(facts.leaf),
        vct: facts.vct,
        jwt_sha256: facts.jwt,
        holder_key,
        attributes,
        link: facts.link,
    }
}

fn carrying(bytes: &[u8], first: bool) -> Map<String, Value> {
    let (name, value) =
        if first { (PROOF_CLAIM, b64u(bytes)) } else { (PROOF_HASH_CLAIM, b64u(sha256(bytes))) };
    Map::from_iter([(name.to_owned(), Value::from(value))])
}
