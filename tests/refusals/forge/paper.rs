//! Credentials of the town, with anything at all behind their commitments.

use std::collections::BTreeMap;

use dalek4::Scalar;
use serde_json::{Value, json};
use vouchsafe_proofs::answer::Openings;
use vouchsafe_proofs::commitment::{Blinding, Commitment, Seed};
use vouchsafe_proofs::encoding::Text;
use vouchsafe_protocol::zkc;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::{OsEntropy, bytes};

use super::prover::{Open, Opens};
use super::{Credential, Token};
use crate::town::{COUNCIL, HOME, ONE, PAY, types};

/// What a commitment hides.
#[derive(Clone)]
pub(crate) enum Hidden {
    Number(u64),
    Text(&'static str),
    /// What no honest issuer certifies: so much less than nought.
    Minus(u64),
}

impl Hidden {
    fn scalar(&self, unit: &str) -> Scalar {
        match self {
            Self::Number(v) => Scalar::from(*v),
            Self::Minus(v) => -Scalar::from(*v),
            Self::Text(text) => Scalar::from_canonical_bytes(*Text::new(unit, text).to_bytes()).unwrap(),
        }
    }
}

/// A proof copy before its issuer signs it.
#[derive(Clone)]
pub(crate) struct Paper {
    pub(crate) iss: &'static str,
    pub(crate) vct: &'static str,
    pub(crate) values: BTreeMap<&'static str, Hidden>,
    /// Claims that everybody sees, beside the usual ones.
    pub(crate) claims: Value,
    /// Claims that stand in Disclosures.
    pub(crate) concealed: Vec<&'static str>,
    /// Members of the signed commitments that say something else: pointer, member, value.
    pub(crate) signed: Vec<(&'static str, &'static str, &'static str)>,
}

/// A copy that its issuer signed, with what opens it.
pub(crate) struct Signed {
    pub(crate) token: Token,
    values: Vec<(&'static str, String, Hidden, Blinding)>,
}

impl Paper {
    /// The pay of October, of the first payer.
    pub(crate) fn pay(person: &'static str, total: u64) -> Self {
        let values = [
            ("/person", Hidden::Text(person)),
            ("/source", Hidden::Text("LF-0042-A")),
            ("/total", Hidden::Number(total)),
            ("/hours", Hidden::Number(60)),
        ];
        Self::of(ONE, PAY, &values, json!({"period": "2026-10"}))
    }

    /// A home in zone 42, of two adults.
    pub(crate) fn home(person: &'static str) -> Self {
        let values = [
            ("/person", Hidden::Text(person)),
            ("/household", Hidden::Text("H0001")),
            ("/adults", Hidden::Number(2)),
            ("/zone", Hidden::Number(42)),
            ("/born", Hidden::Number(142_000)),
        ];
        Self::of(COUNCIL, HOME, &values, json!({}))
    }

    fn of(iss: &'static str, vct: &'static str, values: &[(&'static str, Hidden)], claims: Value) -> Self {
        let values = values.iter().cloned().collect();
        Self { iss, vct, values, claims, concealed: Vec::new(), signed: Vec::new() }
    }

    pub(crate) fn issued_by(self, iss: &'static str) -> Self {
        Self { iss, ..self }
    }

    pub(crate) fn with(mut self, pointer: &'static str, value: Hidden) -> Self {
        self.values.insert(pointer, value);
        self
    }

    pub(crate) fn sign(&self, ca: &DevCa) -> Signed {
        let described = types().into_iter().find(|one| one.has_vct(self.vct)).unwrap();
        let seed = Seed::new(bytes(&OsEntropy::new()));
        let (mut members, mut values) = (Vec::new(), Vec::new());
        for attribute in described.provable() {
            let (pointer, hidden) = self.values.get_key_value(attribute.pointer.as_str()).unwrap();
            let (form, r) = (attribute.form().unwrap(), seed.blinding(self.iss, self.vct, pointer));
            members.push((*pointer, form.clone(), Commitment(open(hidden, &form.unit, &r).commit())));
            values.push((*pointer, form.unit, hidden.clone(), r));
        }
        let mut credential = Credential::bare(ca, self.vct);
        credential.issued_by(self.iss, ca);
        credential.payload["zkc"] = zkc::write(members.iter().map(|(pointer, form, c)| (*pointer, form, *c)));
        for (pointer, member, value) in &self.signed {
            credential.payload["zkc"][*pointer][*member] = json!(value);
        }
        if self.vct == PAY {
            let uri = format!("{}/status/a", self.iss);
            credential.payload["status"] = json!({"status_list": {"idx": 0, "uri": uri}});
        }
        for (name, value) in self.claims.as_object().unwrap() {
            credential.payload[name] = value.clone();
        }
        self.concealed.iter().for_each(|name| credential.hide_visible(name));
        Signed { token: credential.sign(), values }
    }
}

fn open(hidden: &Hidden, unit: &str, r: &Blinding) -> Open {
    Open { v: hidden.scalar(unit), r: Scalar::from_canonical_bytes(*r.to_bytes()).unwrap() }
}

impl Signed {
    /// What the prover by hand opens the copy with.
    pub(crate) fn opens(&self, query: &str, opens: &mut Opens) {
        for (pointer, unit, hidden, r) in &self.values {
            opens.insert((query.to_owned(), (*pointer).to_owned()), open(hidden, unit, r));
        }
    }

    /// What an honest wallet opens it with.
    pub(crate) fn openings(&self, query: &str, openings: &mut Openings) {
        for (pointer, unit, hidden, r) in &self.values {
            match hidden {
                Hidden::Text(text) => openings.add_text(query, pointer, Text::new(unit, text), r.clone()),
                Hidden::Number(v) => openings.add(query, pointer, *v, r.clone()),
                Hidden::Minus(_) => {}
            }
        }
    }
}
