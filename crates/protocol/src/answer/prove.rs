//! The wallet's side: a proof for one option, and the claims that carry it.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_proofs::answer::{self, Openings};
use vouchsafe_proofs::commitment::Seed;
use vouchsafe_proofs::context::{self, Attribute, IssuerKey};

use super::{PROOF_CLAIM, PROOF_HASH_CLAIM};
use crate::encoding::{b64u, sha256};
use crate::openid4vp::{Asked, Chosen};
use crate::sd_jwt::Held;
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
    /// The statements.
    #[error(transparent)]
    Proof(#[from] answer::ProveError),
}

/// The further claims of each key binding, by query id.
pub type AnswerClaims = BTreeMap<String, Map<String, Value>>;

/// Proves every statement that applies to `chosen`, over copies that answer exactly its queries.
///
/// The result goes into the key bindings: the proof on the first presentation that a statement names, its hash
/// on the others. It is empty where no statement applies.
///
/// # Errors
/// [`ProveError`]; that a statement is not met shows here and nowhere else.
pub fn prove(
    asked: &Asked,
    chosen: &Chosen,
    holdings: &[Holding<'_>],
    rng: &mut dyn CryptoRngCore,
) -> Result<AnswerClaims, ProveError> {
    let ordered = in_order(chosen, holdings)?;
    let statements = asked.statements(chosen);
    if statements.is_empty() {
        return Ok(AnswerClaims::new());
    }
    let credentials = ordered.iter().map(held_credential).collect::<Result<_, _>>()?;
    let context = asked.context(chosen, credentials);
    let bytes = answer::prove(&context, &statements, &openings(&ordered), rng)?;
    let named = chosen
        .queries()
        .iter()
        .filter(|query| statements.iter().any(|s| s.terms.iter().any(|t| t.query == **query)));
    Ok(named.enumerate().map(|(i, query)| (query.clone(), carrying(&bytes, i == 0))).collect())
}

fn in_order<'h, 'a>(
    chosen: &Chosen,
    holdings: &'h [Holding<'a>],
) -> Result<Vec<&'h Holding<'a>>, ProveError> {
    let find =
        |query: &String| holdings.iter().find(|holding| holding.query == query).ok_or(ProveError::Option);
    let ordered: Vec<_> = chosen.queries().iter().map(find).collect::<Result<_, _>>()?;
    if ordered.len() == holdings.len() { Ok(ordered) } else { Err(ProveError::Option) }
}

fn held_credential(holding: &&Holding<'_>) -> Result<context::Credential, ProveError> {
    let held = holding.held;
    let leaf = held.x5c().first().map(sha256).ok_or(ProveError::Copy)?;
    let name = |text: Option<&str>| text.map(str::to_owned).ok_or(ProveError::Copy);
    let facts = Facts { iss: name(held.iss())?, vct: name(held.vct())?, leaf, jwt: held.issuer_jwt_sha256() };
    Ok(credential(holding.query, facts, held.holder().thumbprint(), holding.attributes.to_vec()))
}

/// What a proof binds of a credential's signature.
pub struct Facts {
    pub(super) iss: String,
    pub(super) vct: String,
    pub(super) leaf: [u8; 32],
    pub(super) jwt: [u8; 32],
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
    }
}

/// Value and blinding of every committed attribute.
fn openings(holdings: &[&Holding<'_>]) -> Openings {
    let mut openings = Openings::new();
    for holding in holdings {
        let (Some(seed), Some(iss), Some(vct)) = (holding.seed, holding.held.iss(), holding.held.vct())
        else {
            continue;
        };
        for (pointer, value) in holding.values {
            // A text has no integer: nothing can be said of it but that it equals another, or does not.
            let Some(v) = value.integer() else { continue };
            openings.add(holding.query, pointer, v, seed.blinding(iss, vct, pointer));
        }
    }
    openings
}

fn carrying(bytes: &[u8], first: bool) -> Map<String, Value> {
    let (name, value) =
        if first { (PROOF_CLAIM, b64u(bytes)) } else { (PROOF_HASH_CLAIM, b64u(sha256(bytes))) };
    Map::from_iter([(name.to_owned(), Value::from(value))])
}
