//! An issuer of totals, honest or not: what it signs of a month, before it is signed.

use std::cell::Cell;

use serde_json::{Map, Value, json};
use vouchsafe_proofs::commitment::{Commitment, Seed};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::openid4vci::batch::{BatchError, Expected, Received, receive};
use vouchsafe_protocol::openid4vci::credential::{Copy, Openings};
use vouchsafe_protocol::time::DAY;
use vouchsafe_protocol::types::{CodeLists, CredentialType, Period};
use vouchsafe_protocol::zkc;

use crate::district::{District, ISSUER, NOW, spoiled, with_head};
use crate::provider::Ring;
use crate::types::pay;

pub(crate) const PERSON: &str = "LD-0042";

/// One copy before it is signed.
pub(crate) struct Draft {
    pub(crate) seed: u8,
    pub(crate) claims: Value,
    pub(crate) values: Map<String, Value>,
}

pub(crate) struct Payer {
    district: District,
    vct: String,
}

impl Payer {
    pub(crate) fn new() -> Self {
        let vct = CredentialType::from_json(&pay()).unwrap().proof_vct();
        Self { district: District::new(), vct }
    }

    /// The commitment of the copy with this seed.
    pub(crate) fn commitment(&self, seed: u8, pointer: &str, unit: &str, value: &zkc::Value) -> Commitment {
        value.commit(unit, &Seed::new([seed; 32]).blinding(ISSUER, &self.vct, pointer))
    }

    /// The batch that is received when each copy is spoiled before it is signed.
    pub(crate) fn pays(&self, spoil: impl Fn(usize, &mut Draft)) -> Result<Vec<Received>, BatchError> {
        self.pays_by(Some(Period::Month), spoil)
    }

    /// The same where the metadata say something else of periods.
    pub(crate) fn pays_by(
        &self,
        period: Option<Period>,
        spoil: impl Fn(usize, &mut Draft),
    ) -> Result<Vec<Received>, BatchError> {
        self.received(period, None, spoil)
    }

    /// The same for copies that are to be linked so.
    pub(crate) fn pays_linked(
        &self,
        links: Option<&[Commitment]>,
        spoil: impl Fn(usize, &mut Draft),
    ) -> Result<Vec<Received>, BatchError> {
        self.received(Some(Period::Month), links, spoil)
    }

    fn received(
        &self,
        period: Option<Period>,
        links: Option<&[Commitment]>,
        spoil: impl Fn(usize, &mut Draft),
    ) -> Result<Vec<Received>, BatchError> {
        let copies = (0..3).map(|i| {
            let mut draft = self.draft(i);
            spoil(i, &mut draft);
            let credential = self.district.issue(i, draft.claims, i as u64);
            Copy { credential, openings: Some(Openings::new(Seed::new([draft.seed; 32]), draft.values)) }
        });
        let entry = spoiled(&self.district.issuer_entry(), "/types", json!([self.vct]));
        let (keys, lists) = (self.district.keys(), CodeLists::default());
        let expected = Expected {
            issuer: &serde_json::from_value(with_head(entry)).unwrap(),
            anchors: std::slice::from_ref(&self.district.anchor),
            vct: &self.vct,
            keys: &keys,
            lists: &lists,
            period,
            links,
            now: NOW,
        };
        receive(copies.collect(), &expected, &Ring)
    }

    fn draft(&self, i: usize) -> Draft {
        let seed = i as u8 + 1;
        let values = json!({"/person": PERSON, "/total": 184_000, "/assets": "5000000000"});
        let values = values.as_object().cloned().unwrap();
        let described = CredentialType::from_json(&pay()).unwrap();
        let members: Vec<_> = described
            .provable()
            .map(|attribute| {
                let hidden = attribute.hidden(&values[&attribute.pointer], &CodeLists::default()).unwrap();
                let c = self.commitment(seed, &attribute.pointer, attribute.unit(), &hidden);
                (attribute.pointer.as_str(), attribute.form().unwrap(), c)
            })
            .collect();
        let zkc = zkc::write(members.iter().map(|(pointer, form, c)| (*pointer, form, *c)));
        let status = json!({"status_list": {"idx": 7 * i, "uri": format!("{ISSUER}/status/a")}});
        let day = NOW.day_start().0;
        let claims = json!({"iss": ISSUER, "vct": self.vct, "iat": day, "exp": day + 30 * DAY,
            "facts_as_of": "2026-11-01", "period": "2026-10", "status": status, "zkc": zkc});
        Draft { seed, claims, values }
    }
}

impl Draft {
    /// Puts another commitment under a pointer.
    pub(crate) fn recommit(&mut self, pointer: &str, c: Commitment) {
        self.claims["zkc"][pointer]["c"] = json!(b64u(c.0));
    }
}

/// A month that nobody else has.
pub(crate) fn own_month() -> impl Fn() -> String {
    let next = Cell::new(0);
    move || {
        next.set(next.get() + 1);
        format!("2026-0{}", next.get())
    }
}
