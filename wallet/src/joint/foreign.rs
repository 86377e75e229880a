//! The credentials of the other person, as far as a wallet can check them: what their bodies signed, without Disclosures.
//!
//! A wallet has no register of its own. It takes a body that the policy names for the query, by a certificate under an
//! anchor of the registrar that vouches for the service; where it holds a credential of that body, under one of the
//! anchors that the register named for it then. Whether a body may issue the type, and whether the credential was taken
//! back, the service looks up.

use std::collections::BTreeMap;

use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::{Attribute, Credential};
use vouchsafe_proofs::encoding::date_from;
use vouchsafe_protocol::answer::Holding;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::x5c::{Anchor, VerifiedLeaf, validate};
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::policy::{Needed, is_fresh};
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status};
use vouchsafe_protocol::sd_jwt::{self, Unverified};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::{Month, PERIOD};
use vouchsafe_protocol::zkc;
use vouchsafe_service::keys::Jws;

use super::Refusal;
use crate::store;

/// A credential of the other person.
pub(super) struct Foreign {
    pub(super) query: String,
    /// What its body signed: the text before the first tilde.
    pub(super) jwt: String,
    pub(super) leaf: VerifiedLeaf,
    held: sd_jwt::Held,
    attributes: Vec<Attribute>,
}

impl Foreign {
    /// As a proof is bound to it.
    pub(super) fn credential(&self) -> Result<Credential, Refusal> {
        bound(&self.query, &self.held, &self.attributes)
    }
}

/// A credential as a proof is bound to it.
pub(super) fn bound(
    query: &str,
    held: &sd_jwt::Held,
    attributes: &[Attribute],
) -> Result<Credential, Refusal> {
    let values = BTreeMap::new();
    let holding = Holding { query, held, attributes, values: &values, seed: None, link: None };
    holding.credential().map_err(|_| Refusal::Credential)
}

/// What credentials are held against.
pub(super) struct Against<'a> {
    pub(super) asked: &'a Asked,
    /// Of the registrar that vouches for the service.
    pub(super) anchors: &'a [Anchor],
    /// What this wallet holds itself.
    pub(super) known: &'a [(String, store::Credential)],
    pub(super) now: UnixTime,
}

impl Against<'_> {
    /// The credentials that answer exactly `queries`, in their order.
    pub(super) fn all(
        &self,
        queries: &[&str],
        told: &BTreeMap<String, String>,
    ) -> Result<Vec<Foreign>, Refusal> {
        let exact = told.len() == queries.len();
        if !(mutants::skips("joint-queries") || exact) {
            return Err(Refusal::Queries);
        }
        let one = |query: &&str| self.one(query, told.get(*query).ok_or(Refusal::Queries)?);
        queries.iter().map(one).collect()
    }

    fn one(&self, query: &str, jwt: &str) -> Result<Foreign, Refusal> {
        let needed = self.asked.needed(query).ok_or(Refusal::Queries)?;
        if jwt.contains('~') {
            return Err(Refusal::Content);
        }
        let unread = |_| Refusal::Credential;
        let parts = Unverified::parse(&format!("{jwt}~")).map_err(|_| Refusal::Content)?;
        let path = parts.x5c().ok_or(Refusal::Credential)?;
        let leaf = validate(path, self.anchors, self.now, &Jws).map_err(|_| Refusal::Credential)?;
        let audience = self.asked.party().client_id.as_str();
        let rules = Rules { now: self.now, audience, status: Status::AsSigned };
        let held = parts.receive(&leaf, &rules, &Jws).map_err(unread)?;
        self.check_body(needed, &held, &leaf)?;
        self.check_facts(needed, &held)?;
        let claim = held.claims().get(zkc::CLAIM).ok_or(Refusal::Credential)?;
        let attributes = zkc::read(claim).map_err(|_| Refusal::Credential)?;
        Ok(Foreign { query: query.to_owned(), jwt: jwt.to_owned(), leaf, held, attributes })
    }

    /// Of the type that is asked for, by a body that counts, under an anchor that is its own.
    fn check_body(&self, needed: &Needed, held: &sd_jwt::Held, leaf: &VerifiedLeaf) -> Result<(), Refusal> {
        if !(mutants::skips("joint-type") || held.vct() == Some(&*needed.vct)) {
            return Err(Refusal::Credential);
        }
        let iss = held.iss().unwrap_or_default();
        if !(mutants::skips("joint-issuer") || needed.iss.iter().any(|accepted| accepted == iss)) {
            return Err(Refusal::Credential);
        }
        let anchor = b64u(leaf.anchor_sha256());
        let other = |(_, known): &(String, store::Credential)| {
            known.iss == iss && !known.anchors.is_empty() && !known.anchors.contains(&anchor)
        };
        if !mutants::skips("joint-anchor") && self.known.iter().any(other) {
            return Err(Refusal::Credential);
        }
        Ok(())
    }

    /// Of the period that is asked about, and as fresh as the policy wants: others would make the answer "could not
    /// tell", and cost both a copy.
    fn check_facts(&self, needed: &Needed, held: &sd_jwt::Held) -> Result<(), Refusal> {
        let text = |name: &str| held.claims().get(name).and_then(Value::as_str);
        let of_period = needed.period.as_deref().is_none_or(|wanted| text(PERIOD) == Some(wanted));
        if !(mutants::skips("joint-period") || of_period) {
            return Err(Refusal::Stale);
        }
        let facts = text(zkc::FACTS_AS_OF).and_then(|text| date_from(text).ok());
        let current = facts.is_some_and(|facts| {
            let over = |period: &str| Month::parse(period).is_some_and(|month| month.is_over(facts));
            is_fresh(facts, self.asked.as_of(), needed.max_age_days)
                && needed.period.as_deref().is_none_or(over)
        });
        if mutants::skips("joint-fresh") || current { Ok(()) } else { Err(Refusal::Stale) }
    }
}
