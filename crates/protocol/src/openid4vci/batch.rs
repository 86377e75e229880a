//! What a wallet checks of a batch before it keeps it (`specs/profiles/issuing.md`).
//!
//! One thing off and the whole batch is refused: a copy that could be told from its sisters, or a commitment
//! that does not open to what the issuer said, would hurt the resident later and unseen.
//!
//! Security: the recomputed commitments are what makes the seed trustworthy; the issuer's signature covers them
//! and not the seed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::Date;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::commitment::{Commitment, Seed};
use vouchsafe_proofs::context::Attribute;
use vouchsafe_proofs::encoding::date_from;

use super::credential::{Copy, Openings};
use super::type_metadata::INTEGRITY;
use crate::encoding::{b64u, b64u_array, b64u_decode};
use crate::jose::jws::Compact;
use crate::jose::x5c::{Anchor, X5cError, validate};
use crate::jose::{PublicJwk, SignatureVerifier};
use crate::json;
use crate::sd_jwt::vc::{ReceiveError, Rules, Status};
use crate::sd_jwt::{Held, ParseError, Unverified};
use crate::status::{self, Reference};
use crate::time::{DAY, UnixTime};
use crate::trust::IssuerEntry;
use crate::types::{CodeLists, Month, PERIOD, Period, is_proof};
use crate::zkc;

/// What a batch is held against.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The registrar's entry of the issuer.
    pub issuer: &'a IssuerEntry,
    /// The configured anchors; those that the entry names count.
    pub anchors: &'a [Anchor],
    /// The `vct` of the configuration.
    pub vct: &'a str,
    /// The keys whose possession was proved.
    pub keys: &'a [PublicJwk],
    /// The signed lists of codes.
    pub lists: &'a CodeLists,
    /// The periods that the type has by the issuer's metadata; none where its copies show none.
    pub period: Option<Period>,
    /// What was sent for each of the keys as the commitment to the link secret; none where the issuer's metadata does not
    /// say that copies are linked.
    pub links: Option<&'a [Commitment]>,
    /// The time of receiving.
    pub now: UnixTime,
}

/// A copy that is kept.
pub struct Received {
    /// The credential.
    pub held: Held,
    /// Which of the proved keys it is bound to.
    pub key: usize,
    /// What opens its commitments, for a proof copy.
    pub opened: Option<Opened>,
    /// The date of its facts, where it says so.
    pub facts_as_of: Option<Date>,
    /// The period that its facts are the total of, where its type has periods.
    pub period: Option<String>,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// Openings that fit their commitments. Wiped after use, not shown.
pub struct Opened {
    /// The seed.
    pub seed: Seed,
    /// The attributes as the issuer signed them.
    pub attributes: Vec<Attribute>,
    /// What the commitments hide, by pointer.
    pub values: BTreeMap<String, zkc::Value>,
}

/// Why a batch is refused. All are the issuer's fault.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BatchError {
    /// No copies, or more than keys.
    #[error("the issuer sent no copies, or more than were asked for")]
    Count,
    /// Not an SD-JWT.
    #[error("a copy is malformed: {0}")]
    Parse(ParseError),
    /// The certificate path.
    #[error("the issuer's certificate is not accepted: {0}")]
    Certificate(X5cError),
    /// Signature or claims.
    #[error("a copy is not accepted: {0}")]
    Copy(ReceiveError),
    /// Another issuer or type than was asked.
    #[error("a copy is of another issuer or type than was asked for")]
    Other,
    /// A key that was not offered, or one twice.
    #[error("a copy is bound to a key that was not offered, or two copies to one key")]
    Key,
    /// A time that is not a whole day, or differs between copies.
    #[error("the times of the copies could tell them apart")]
    Times,
    /// A claim that is always visible and not known to be harmless.
    #[error("a copy has an always visible claim that could tell it from others")]
    Visible,
    /// A period that is not the type's, that is malformed, or that was not over on the day of the facts.
    #[error(
        "a copy is of a period that its type does not have, or that was not over on the day of its facts"
    )]
    Period,
    /// A header, a holder key or a digest that says more than it must.
    #[error("a copy has a mark in its header, holder key or digests that could tell it from others")]
    Marked,
    /// The copies do not say the same.
    #[error("the copies do not say the same")]
    Differ,
    /// A salt that is short or used twice.
    #[error("a salt is too short, or used twice")]
    Salt,
    /// Openings where none belong, or none where they do.
    #[error("the openings of a copy are missing or misplaced")]
    Openings,
    /// The commitments are malformed or differ in form between copies.
    #[error("the commitments of the copies are malformed or not of one form")]
    Commitments,
    /// A unit that its encoding does not have.
    #[error("a commitment is in a unit that its encoding does not have")]
    Unit,
    /// A commitment to a link secret that is not the one that was sent for this key, or one where none belongs.
    #[error("a copy is linked to another secret than this wallet's, or is not linked as its type says")]
    Link,
    /// Values for other attributes than those without a Disclosure.
    #[error("the openings are not for exactly the attributes without a Disclosure")]
    Values,
    /// A value without an encoding.
    #[error("a value has no integer, or no canonical form, for its attribute")]
    Value,
    /// A value outside the signed range.
    #[error("a value is outside the range that the issuer signed")]
    Range,
    /// A commitment that does not open.
    #[error("a commitment does not open to its value")]
    Opening,
    /// Two copies share a seed, a commitment or an entry of a status list, or not all have one.
    #[error("two copies share a seed, a commitment or an entry of a status list")]
    Shared,
}

/// Checks a whole batch.
///
/// # Errors
/// [`BatchError`]; then nothing of the batch is kept.
pub fn receive(
    copies: Vec<Copy>,
    expected: &Expected<'_>,
    verifier: &dyn SignatureVerifier,
) -> Result<Vec<Received>, BatchError> {
    if !(mutants::skips("vci-batch-count") || (1..=expected.keys.len()).contains(&copies.len())) {
        return Err(BatchError::Count);
    }
    let anchors = counting(expected);
    let read = copies.into_iter().map(|copy| receive_one(copy, expected, &anchors, verifier));
    let received: Vec<_> = read.collect::<Result<_, _>>()?;
    check_alike(&received)?;
    check_salts(&received)?;
    check_unshared(&received)?;
    check_marks(&received)?;
    check_statuses(&received)?;
    Ok(received)
}

/// The configured anchors that the registrar names for this issuer.
fn counting(expected: &Expected<'_>) -> Vec<Anchor> {
    let named = |anchor: &&Anchor| {
        mutants::skips("vci-batch-anchor") || expected.issuer.anchors.contains(&b64u(anchor.sha256()))
    };
    expected.anchors.iter().filter(named).cloned().collect()
}

fn receive_one(
    copy: Copy,
    expected: &Expected<'_>,
    anchors: &[Anchor],
    verifier: &dyn SignatureVerifier,
) -> Result<Received, BatchError> {
    let parts = Unverified::parse(&copy.credential).map_err(BatchError::Parse)?;
    let x5c = parts.x5c().unwrap_or_default();
    let leaf = validate(x5c, anchors, expected.now, verifier).map_err(BatchError::Certificate)?;
    let rules = Rules { now: expected.now, audience: "", status: Status::AsSigned };
    let held = parts.receive(&leaf, &rules, verifier).map_err(BatchError::Copy)?;
    check_kind(&held, expected)?;
    let key = expected.keys.iter().position(|key| key == held.holder()).ok_or(BatchError::Key)?;
    let expires_at = times(held.claims())?;
    let facts = held.disclosed().always_visible(zkc::FACTS_AS_OF);
    let facts_as_of = facts
        .map(|date| date.as_str().and_then(|text| date_from(text).ok()).ok_or(BatchError::Visible))
        .transpose()?;
    let period = period(&held, expected, facts_as_of)?;
    let opened = open(&held, copy.openings, expected)?;
    check_link(&held, key, expected)?;
    Ok(Received { held, key, opened, facts_as_of, period, expires_at })
}

fn check_kind(held: &Held, expected: &Expected<'_>) -> Result<(), BatchError> {
    if !(mutants::skips("vci-batch-iss") || held.iss() == Some(&expected.issuer.sub)) {
        return Err(BatchError::Other);
    }
    if !(mutants::skips("vci-batch-vct") || held.vct() == Some(expected.vct)) {
        return Err(BatchError::Other);
    }
    // Whatever is always visible is seen by every service: a number of one's own would link them all.
    // A digest of the type's document is the wallet's to compare with the one that everybody sees.
    const KNOWN: [&str; 10] =
        ["iss", "vct", INTEGRITY, "iat", "exp", "cnf", zkc::CLAIM, zkc::FACTS_AS_OF, PERIOD, status::CLAIM];
    let harmless = |name: &String| {
        KNOWN.contains(&name.as_str()) || held.disclosed().paths().iter().any(|path| is_claim(path, name))
    };
    if !(mutants::skips("vci-batch-visible") || held.claims().keys().all(harmless)) {
        return Err(BatchError::Visible);
    }
    Ok(())
}

/// Whether `path` is the whole top-level claim `name`.
fn is_claim(path: &[crate::sd_jwt::Step], name: &str) -> bool {
    matches!(path, [crate::sd_jwt::Step::Name(first)] if first == name)
}

/// `iat` and `exp` are whole days; the result is `exp`.
fn times(claims: &Map<String, Value>) -> Result<UnixTime, BatchError> {
    let time = |name: &str| claims.get(name).and_then(|value| json::of_value::<UnixTime>(value.clone()).ok());
    let (Some(iat), Some(exp)) = (time("iat"), time("exp")) else { return Err(BatchError::Times) };
    if !(mutants::skips("vci-batch-coarse") || (iat.0 % DAY == 0 && exp.0 % DAY == 0)) {
        return Err(BatchError::Times);
    }
    Ok(exp)
}

/// The period that a copy shows to everybody: where its type has periods and nowhere else, and one that was over on the
/// day of the facts. A total of anything else could grow, and a period of one's own would be a mark.
fn period(
    held: &Held,
    expected: &Expected<'_>,
    facts_as_of: Option<Date>,
) -> Result<Option<String>, BatchError> {
    let shown = held.disclosed().always_visible(PERIOD);
    let of_the_type = shown.is_some() == expected.period.is_some();
    if !(mutants::skips("vci-batch-period-type") || of_the_type) {
        return Err(BatchError::Period);
    }
    let Some(shown) = shown else { return Ok(None) };
    let month = shown.as_str().and_then(Month::parse).ok_or(BatchError::Period)?;
    let over = facts_as_of.is_some_and(|day| month.is_over(day));
    if !(mutants::skips("vci-batch-period-over") || over) {
        return Err(BatchError::Period);
    }
    Ok(Some(month.to_string()))
}

/// The openings of a proof copy, recomputed; none for a plain one.
fn open(
    held: &Held,
    openings: Option<Openings>,
    expected: &Expected<'_>,
) -> Result<Option<Opened>, BatchError> {
    let claim = held.disclosed().always_visible(zkc::CLAIM);
    match (is_proof(expected.vct), claim, openings) {
        (false, None, None) => Ok(None),
        (true, Some(claim), Some(openings)) => {
            let attributes = zkc::read(claim).map_err(|_| BatchError::Commitments)?;
            if !(mutants::skips("vci-batch-unit") || attributes.iter().all(zkc::has_its_unit)) {
                return Err(BatchError::Unit);
            }
            check_pointers(held, &attributes, &openings)?;
            let value = |attribute: &Attribute| open_one(held, attribute, &openings, expected);
            let values = attributes.iter().map(value).collect::<Result<_, _>>()?;
            Ok(Some(Opened { seed: openings.seed().clone(), attributes, values }))
        }
        _ => Err(BatchError::Openings),
    }
}

/// The link secret in a copy is this wallet's, under the blinding that was drawn for this key: another would be a foreign
/// name, or a mark.
fn check_link(held: &Held, key: usize, expected: &Expected<'_>) -> Result<(), BatchError> {
    let claim = held.disclosed().always_visible(zkc::CLAIM);
    let signed = claim.map(zkc::link).transpose().map_err(|_| BatchError::Commitments)?.flatten();
    if !(mutants::skips("vci-batch-link-type") || signed.is_some() == expected.links.is_some()) {
        return Err(BatchError::Link);
    }
    let (Some(signed), Some(links)) = (signed, expected.links) else { return Ok(()) };
    let sent = links.get(key).is_some_and(|sent| *sent == signed);
    if !(mutants::skips("vci-batch-link") || sent) {
        return Err(BatchError::Link);
    }
    Ok(())
}

/// The values beside the credential are those of exactly the attributes that no Disclosure shows.
fn check_pointers(held: &Held, attributes: &[Attribute], openings: &Openings) -> Result<(), BatchError> {
    let concealed = |attribute: &&Attribute| shown(held, &attribute.pointer).is_none();
    let wanted: BTreeSet<&str> = attributes.iter().filter(concealed).map(|a| a.pointer.as_str()).collect();
    let sent: BTreeSet<&str> = openings.values().keys().map(String::as_str).collect();
    if !(mutants::skips("vci-batch-values") || wanted == sent) {
        return Err(BatchError::Values);
    }
    Ok(())
}

/// The value that a Disclosure shows.
fn shown<'a>(held: &'a Held, pointer: &str) -> Option<&'a Value> {
    held.claims().get(pointer.strip_prefix('/')?)
}

fn open_one(
    held: &Held,
    attribute: &Attribute,
    openings: &Openings,
    expected: &Expected<'_>,
) -> Result<(String, zkc::Value), BatchError> {
    let pointer = &attribute.pointer;
    let value = shown(held, pointer).or_else(|| openings.values().get(pointer)).ok_or(BatchError::Values)?;
    let hidden = zkc::encode(attribute, value, expected.lists).ok_or(BatchError::Value)?;
    if !(mutants::skips("zk-open-range") || within(attribute, &hidden)) {
        return Err(BatchError::Range);
    }
    let r = openings.seed().blinding(&expected.issuer.sub, expected.vct, pointer);
    let opens = hidden.commit(&attribute.unit, &r).ct_eq(&attribute.c);
    if !(mutants::skips("zk-open-commitment") || bool::from(opens)) {
        return Err(BatchError::Opening);
    }
    Ok((pointer.clone(), hidden))
}

/// Whether an integer lies within the signed range; a text has none.
fn within(attribute: &Attribute, hidden: &zkc::Value) -> bool {
    match (attribute.range, hidden.integer()) {
        (Some(range), Some(v)) => range.lo <= v && v <= range.hi,
        (range, v) => range.is_none() && v.is_none(),
    }
}

/// Copies differ in key, salts and commitments, and in nothing else.
fn check_alike(received: &[Received]) -> Result<(), BatchError> {
    let Some(first) = received.first() else { return Ok(()) };
    let same = |name: &'static str| {
        received.iter().all(|copy| copy.held.claims().get(name) == first.held.claims().get(name))
    };
    if !(mutants::skips("vci-batch-times") || (same("iat") && same("exp"))) {
        return Err(BatchError::Times);
    }
    if !(mutants::skips("vci-batch-dataset")
        || received.iter().all(|copy| facts(&copy.held) == facts(&first.held)))
    {
        return Err(BatchError::Differ);
    }
    let forms = |copy: &Received| {
        copy.opened.as_ref().map(|opened| opened.attributes.iter().map(form).collect::<Vec<_>>())
    };
    if !(mutants::skips("vci-batch-forms") || received.iter().all(|copy| forms(copy) == forms(first))) {
        return Err(BatchError::Commitments);
    }
    let values = |copy: &Received| copy.opened.as_ref().map(|opened| opened.values.clone());
    if !(mutants::skips("vci-batch-committed") || received.iter().all(|copy| values(copy) == values(first))) {
        return Err(BatchError::Differ);
    }
    Ok(())
}

/// Everything that a copy says but for what must differ and what is compared apart.
fn facts(held: &Held) -> Map<String, Value> {
    let apart = ["cnf", "iat", "exp", zkc::CLAIM, status::CLAIM];
    held.claims()
        .iter()
        .filter(|(name, _)| !apart.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}

fn form(attribute: &Attribute) -> (String, &'static str, String, Option<(u8, u64, u64)>) {
    let range = attribute.range.map(|range| (range.b, range.lo, range.hi));
    (attribute.pointer.clone(), attribute.enc.as_str(), attribute.unit.clone(), range)
}

/// RFC 9901 9.4: at least 128 bits each, none used twice, in any copy.
fn check_salts(received: &[Received]) -> Result<(), BatchError> {
    let mut seen = HashSet::new();
    for copy in received {
        let disclosures = copy.held.text().split('~').skip(1).filter(|part| !part.is_empty());
        for disclosure in disclosures {
            let salt = salt(disclosure).ok_or(BatchError::Salt)?;
            if !(mutants::skips("vci-batch-salt-length") || salt.len() >= 22) {
                return Err(BatchError::Salt);
            }
            if !(mutants::skips("vci-batch-salt") || seen.insert(salt)) {
                return Err(BatchError::Salt);
            }
        }
    }
    Ok(())
}

fn salt(disclosure: &str) -> Option<String> {
    let parts: Vec<Value> = serde_json::from_slice(&b64u_decode(disclosure).ok()?).ok()?;
    parts.first()?.as_str().map(str::to_owned)
}

/// No two copies share a key, a seed or a commitment.
fn check_unshared(received: &[Received]) -> Result<(), BatchError> {
    let keys: BTreeSet<_> = received.iter().map(|copy| copy.key).collect();
    if !(mutants::skips("vci-batch-key") || keys.len() == received.len()) {
        return Err(BatchError::Key);
    }
    // A seed that two copies share gives them the same commitments, so the points tell of both.
    let opened = received.iter().filter_map(|copy| copy.opened.as_ref());
    let mut points = HashSet::new();
    let distinct = opened.flat_map(|copy| &copy.attributes).all(|attribute| points.insert(attribute.c));
    if !(mutants::skips("vci-batch-shared") || distinct) {
        return Err(BatchError::Shared);
    }
    Ok(())
}

/// Every service reads header, holder key and digests of each copy that it is shown: a number of one's own in them
/// would link them all, and no claim would tell.
fn check_marks(received: &[Received]) -> Result<(), BatchError> {
    let (mut headers, mut counts, mut digests) = (BTreeSet::new(), BTreeSet::new(), HashSet::new());
    for copy in received {
        let bare = serde_json::json!({"jwk": copy.held.holder().to_value()});
        if !(mutants::skips("vci-batch-cnf") || copy.held.claims().get("cnf") == Some(&bare)) {
            return Err(BatchError::Marked);
        }
        let text = copy.held.text();
        let token = Compact::parse(text.split('~').next().unwrap_or_default(), text.len())
            .map_err(|_| BatchError::Marked)?;
        let plain = token.header().is_exactly(&["alg", "typ", "x5c"]);
        if !(mutants::skips("vci-batch-header") || plain) {
            return Err(BatchError::Marked);
        }
        headers.insert(token.text().split('.').next().unwrap_or_default().to_owned());
        let payload = json::parse(token.dangerous_payload(), text.len()).map_err(|_| BatchError::Marked)?;
        // Decoys too: one that two copies share, or that is no digest, is a mark.
        let fresh = |digest: &Value| {
            digest
                .as_str()
                .is_some_and(|text| b64u_array::<32>(text).is_ok() && digests.insert(text.to_owned()))
        };
        let signed = signed_digests(&payload);
        counts.insert(signed.len());
        if !(mutants::skips("vci-batch-digests") || signed.into_iter().all(fresh)) {
            return Err(BatchError::Marked);
        }
    }
    // The facts are the same in all, so that a number of decoys of its own would tell a copy.
    if !(mutants::skips("vci-batch-digests-alike") || counts.len() <= 1) {
        return Err(BatchError::Marked);
    }
    if !(mutants::skips("vci-batch-headers-alike") || headers.len() <= 1) {
        return Err(BatchError::Marked);
    }
    Ok(())
}

/// Each copy has an entry of its own in a list, and says nothing else there; or none has a status.
fn check_statuses(received: &[Received]) -> Result<(), BatchError> {
    let claims = || received.iter().filter_map(|copy| copy.held.claims().get(status::CLAIM));
    let references: Option<HashSet<_>> = claims()
        .map(|claim| Reference::from_claim(claim).ok().filter(|reference| reference.to_claim() == *claim))
        .collect();
    if !(mutants::skips("vci-batch-status-mark") || references.is_some()) {
        return Err(BatchError::Marked);
    }
    let distinct = references.map_or(0, |references| references.len());
    let alike = claims().count() == 0 || distinct == received.len();
    if !(mutants::skips("vci-batch-status-mark") || mutants::skips("vci-batch-status-shared") || alike) {
        return Err(BatchError::Shared);
    }
    Ok(())
}

/// Every digest in the signed payload, of a Disclosure or a decoy. The depth was bounded when it was read.
fn signed_digests(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().flat_map(signed_digests).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("_sd", Value::Array(digests)) => digests.iter().collect(),
                ("...", digest) => vec![digest],
                (_, value) => signed_digests(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}
