//! Answers with several credentials: of one person, of a household, of several payers.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};
use vouchsafe_proofs::commitment::{Blinding, Seed};
use vouchsafe_proofs::pseudonym::LinkSecret;
use vouchsafe_protocol::answer::{AnswerError, Holding, Judged, Presented, ProveError, prove};
use vouchsafe_protocol::dcql::Mismatch;
use vouchsafe_protocol::decision::{Outcome, Reason};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::x5c::validate;
use vouchsafe_protocol::jose::{Alg, Signer as _};
use vouchsafe_protocol::openid4vp::{Asked, NotAnOption};
use vouchsafe_protocol::sd_jwt::key_binding::{Binding, Expected};
use vouchsafe_protocol::sd_jwt::vc::{self, Rules, Status, Verified};
use vouchsafe_protocol::sd_jwt::{Builder, Held, Unverified};
use vouchsafe_protocol::status::{Reference, Standing};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::DAY;
use vouchsafe_protocol::trust::Register;
use vouchsafe_protocol::types::{CodeLists, CredentialType};
use vouchsafe_protocol::zkc;

use crate::district::{District, NONCE, NOW, spoiled};
use crate::provider::{Key, Ring};
use crate::ways::{COUNCIL, HOME, PAY, PAYERS, hours, household, meals, purpose, types};
use crate::whole::PLACE;

pub(crate) struct Town {
    pub(crate) district: District,
    issuers: Vec<(&'static str, Key, Vec<Vec<u8>>)>,
    pub(crate) signed: String,
    pub(crate) register: Register,
    pub(crate) types: Vec<CredentialType>,
}

/// What an issuer says of somebody.
#[derive(Clone)]
pub(crate) struct Fact {
    iss: &'static str,
    pub(crate) vct: &'static str,
    pub(crate) values: Value,
    period: &'static str,
    facts_as_of: &'static str,
    /// Whether the period stands in a Disclosure, which no honest issuer does.
    hidden: bool,
}

/// A copy with its openings and the key of its holder.
pub(crate) struct Copy {
    pub(crate) held: Held,
    /// The link secret and its blinding, of a type that is linked.
    pub(crate) link: Option<(LinkSecret, Blinding)>,
    pub(crate) key: Key,
    pub(crate) seed: Seed,
    pub(crate) attributes: Vec<vouchsafe_proofs::context::Attribute>,
    pub(crate) values: BTreeMap<String, zkc::Value>,
    x5c: Vec<Vec<u8>>,
}

pub(crate) fn pay(payer: usize, person: &str, total: u32) -> Fact {
    let values = json!({"/person": person, "/source": format!("{person}-A"), "/total": total, "/hours": 60});
    Fact { iss: PAYERS[payer], vct: PAY, values, period: "2026-10", facts_as_of: "2026-11-05", hidden: false }
}

pub(crate) fn home(person: &str, household: &str, adults: u32) -> Fact {
    let values = json!({"/person": person, "/household": household, "/adults": adults});
    Fact { iss: COUNCIL, vct: HOME, values, period: "", facts_as_of: "2026-11-05", hidden: false }
}

impl Town {
    fn new() -> Self {
        Self::of(types(), purpose())
    }

    /// The town with other types and another purpose.
    pub(crate) fn of(types: Vec<CredentialType>, purpose: Value) -> Self {
        Self::with(types, purpose, &[])
    }

    /// The town with another purpose, and with lists.
    pub(crate) fn under(purpose: Value, lists: &[Value]) -> Self {
        Self::with(types(), purpose, lists)
    }

    fn with(types: Vec<CredentialType>, purpose: Value, lists: &[Value]) -> Self {
        let district = District::new();
        let issuers: Vec<_> = [PAYERS[0], PAYERS[1], COUNCIL]
            .into_iter()
            .map(|iss| {
                let (key, x5c) = district.leaf_of(iss);
                (iss, key, x5c)
            })
            .collect();
        let entry = |iss: &str, types: &[&str]| {
            let members = json!({"sub": iss, "env": "test", "name": {"en": "Payer", "cy": "Talwr"},
                "anchors": [b64u(district.anchor.sha256())], "types": types});
            district.document("issuer", members)
        };
        let mut entries = vec![
            district.document("service", district.service_entry()),
            entry(PAYERS[0], &[PAY]),
            entry(PAYERS[1], &[PAY]),
            entry(COUNCIL, &[HOME, PLACE]),
            district.document("purpose", purpose),
        ];
        entries.extend(lists.iter().map(|list| district.document("table", list.clone())));
        let signed = district.document("register", json!({"entries": entries}));
        let register = Register::load(&signed, &district.judge()).unwrap();
        Self { district, issuers, signed, register, types }
    }

    pub(crate) fn asked(&self, policy: Value) -> Asked {
        self.district.asked(&self.register, policy)
    }

    pub(crate) fn copy(&self, fact: &Fact, number: u8) -> Copy {
        let (_, issuer, x5c) = self.issuers.iter().find(|(iss, ..)| *iss == fact.iss).unwrap();
        let (key, seed) = (Key::p256(), Seed::new([number + 1; 32]));
        let described = self.types.iter().find(|t| t.has_vct(fact.vct)).unwrap();
        let forms: Vec<_> = described
            .provable()
            .map(|a| {
                let value = a.hidden(&fact.values[&a.pointer], &CodeLists::default()).unwrap();
                (a.pointer.clone(), a.form().unwrap(), value)
            })
            .collect();
        let blinding = |pointer: &str| seed.blinding(fact.iss, fact.vct, pointer);
        let members = forms.iter().map(|(p, f, v)| (p.as_str(), f, v.commit(&f.unit, &blinding(p))));
        let mut zkc = zkc::write(members);
        // Of one secret, unless the fact says otherwise.
        let secret = fact.values["secret"].as_u64().unwrap_or(9) as u8;
        let link = described.link.then(|| {
            (
                LinkSecret::from_canonical_bytes([secret; 32]).unwrap(),
                seed.blinding(fact.iss, fact.vct, zkc::LINK),
            )
        });
        if let Some((x, t)) = link.as_ref().filter(|_| fact.values["link"] != json!("none")) {
            zkc::write_link(&mut zkc, x.commit(t));
        }
        let attributes = zkc::read(&zkc).unwrap();
        let mut claims = json!({"iss": fact.iss, "vct": fact.vct, "iat": NOW.day_start().0,
            "exp": NOW.day_start().0 + 30 * DAY, "facts_as_of": fact.facts_as_of, "zkc": zkc, "name": "Resident 0042"});
        if fact.vct == PAY {
            claims["period"] = json!(fact.period);
            claims["status"] = Reference::new(41, &format!("{}/status/a", fact.iss)).unwrap().to_claim();
        }
        let mut builder =
            Builder::new(claims.as_object().cloned().unwrap()).holder(key.public()).conceal("/name");
        if fact.hidden {
            builder = builder.conceal("/period");
        }
        let header = NewHeader::new(Alg::Es256, vc::TYP).x5c(x5c).encode();
        let issuable = builder.build(&header, &mut ChaCha20Rng::seed_from_u64(number.into())).unwrap();
        let signature = issuer.sign_now(issuable.signing_input());
        let held = Held::dangerous_from_store(&issuable.finish(&signature)).unwrap();
        let values = forms.into_iter().map(|(pointer, _, value)| (pointer, value)).collect();
        Copy { held, link, key, seed, attributes, values, x5c: x5c.clone() }
    }

    pub(crate) fn present(
        &self,
        asked: &Asked,
        query: &str,
        copy: &Copy,
        extra: Map<String, Value>,
    ) -> Verified {
        let aud = self.district.client_id();
        let binding = Binding { aud: &aud, nonce: NONCE, issued_at: NOW, extra };
        let wanted = asked.plan().query.credential(query).unwrap();
        let paths = wanted.disclosures(&copy.held).unwrap_or_default();
        let unsigned = copy.held.present(&paths, binding).unwrap();
        let signature = copy.key.sign_now(unsigned.signing_input());
        let text = unsigned.finish(&signature);
        let expected = Expected { aud: &aud, nonce: NONCE, now: NOW, max_age: 300 };
        let bound = Unverified::parse(&text).unwrap().check_binding(&expected).unwrap();
        let leaf = validate(&copy.x5c, std::slice::from_ref(&self.district.anchor), NOW, &Ring).unwrap();
        let status = if copy.held.status().is_some() { Status::Required } else { Status::NotInType };
        let rules = Rules { now: NOW, audience: &aud, status };
        bound.check_signatures(leaf.into(), &Ring).unwrap().accept(&rules).unwrap()
    }

    /// What the verifier makes of presentations with these proof claims.
    fn judge(
        &self,
        asked: &Asked,
        copies: &[(&str, Copy)],
        mut extra: BTreeMap<String, Map<String, Value>>,
        told: &[Standing],
    ) -> Result<(Outcome, Reason), Option<AnswerError>> {
        let judged = self.judged(asked, copies, &mut extra, told)?;
        Ok((judged.outcome, judged.reasons[0]))
    }

    pub(crate) fn judged(
        &self,
        asked: &Asked,
        copies: &[(&str, Copy)],
        extra: &mut BTreeMap<String, Map<String, Value>>,
        told: &[Standing],
    ) -> Result<Judged, Option<AnswerError>> {
        let presented = copies.iter().map(|(query, copy)| {
            let claims = extra.remove(*query).unwrap_or_default();
            ((*query).to_owned(), self.present(asked, query, copy, claims))
        });
        let presented = Presented::new(asked, presented.collect())?;
        let mut complete = presented.check_trust(asked, &self.register, Env::Test)?.check_complete(asked)?;
        let sought = complete.take_references().len();
        complete.told(&if told.is_empty() { vec![Standing::Valid; sought] } else { told.to_vec() });
        let proven = complete.check_commitments(asked, &self.types)?.check_proof().map_err(|_| None)?;
        Ok(proven.judge(asked, None))
    }

    pub(crate) fn copies<'q>(&self, facts: &[(&'q str, Fact)]) -> Vec<(&'q str, Copy)> {
        facts.iter().zip(0..).map(|((query, fact), i)| (*query, self.copy(fact, i))).collect()
    }

    /// An honest wallet's answer.
    fn answer(
        &self,
        asked: &Asked,
        facts: &[(&str, Fact)],
    ) -> Result<(Outcome, Reason), Option<AnswerError>> {
        let copies = self.copies(facts);
        let extra = proofs(asked, &copies).unwrap();
        self.judge(asked, &copies, extra, &[])
    }
}

pub(crate) fn proofs(
    asked: &Asked,
    copies: &[(&str, Copy)],
) -> Result<BTreeMap<String, Map<String, Value>>, ProveError> {
    let holdings: Vec<_> = copies
        .iter()
        .map(|(query, copy)| Holding {
            query,
            held: &copy.held,
            link: copy.link.as_ref().map(|(x, t)| (x, t)),
            attributes: &copy.attributes,
            values: &copy.values,
            seed: Some(&copy.seed),
        })
        .collect();
    prove(asked, &asked.option(0).unwrap(), &holdings, &mut ChaCha20Rng::from_seed([4; 32]))
}

const MET: Result<(Outcome, Reason), Option<AnswerError>> = Ok((Outcome::Met, Reason::ConditionsMet));
const ME: &str = "LF-0042";
const YOU: &str = "LF-0043";

fn both(a: Fact, b: Fact) -> [(&'static str, Fact); 2] {
    [("pay1", a), ("pay2", b)]
}

#[test]
pub(crate) fn the_pay_of_one_person_from_two_payers() {
    let town = Town::new();
    let asked = town.asked(meals());
    assert_eq!(town.answer(&asked, &both(pay(0, ME, 70_000), pay(1, ME, 80_000))), MET);
    let impossible = |facts: &[(&'static str, Fact)]| proofs(&asked, &town.copies(facts)).is_err();
    assert!(impossible(&both(pay(0, ME, 70_000), pay(1, ME, 80_001))));
    assert!(impossible(&both(pay(0, ME, 1), pay(1, YOU, 1))));
    assert!(impossible(&[("pay1", pay(0, ME, 1))]));
    let two = both(pay(0, ME, 1), pay(1, ME, 1));
    let [one, other] = two;
    assert!(impossible(&[one.clone(), other, ("pay3", one.1)]));
}

/// Somebody else's statement, or another copy, under a proof that holds for what was proved.
#[test]
pub(crate) fn a_proof_is_for_its_own_copies() {
    let town = Town::new();
    let asked = town.asked(meals());
    let mut copies = town.copies(&both(pay(0, ME, 70_000), pay(1, ME, 80_000)));
    let extra = proofs(&asked, &copies).unwrap();
    assert_eq!(town.judge(&asked, &copies, extra.clone(), &[]), MET);
    let mut swapped = extra.clone();
    let (first, second) = (swapped.remove("pay1").unwrap(), swapped.remove("pay2").unwrap());
    let swapped = BTreeMap::from([("pay1".to_owned(), second), ("pay2".to_owned(), first)]);
    assert_eq!(town.judge(&asked, &copies, swapped, &[]), Err(Some(AnswerError::Carriage)));
    for fact in [pay(1, YOU, 1), pay(1, ME, 80_000), pay(1, ME, 9_000_000)] {
        copies[1].1 = town.copy(&fact, 9);
        assert_eq!(town.judge(&asked, &copies, extra.clone(), &[]), Err(None));
    }
    let one = vec![copies.remove(0)];
    assert_eq!(town.judge(&asked, &one, extra, &[]), Err(Some(AnswerError::Option(NotAnOption))));
}

#[test]
pub(crate) fn each_need_has_its_own_issuers() {
    let town = Town::new();
    let asked = town.asked(meals());
    let wrong = town.answer(&asked, &both(pay(0, ME, 1), pay(0, ME, 1)));
    assert_eq!(wrong, Err(Some(AnswerError::Issuer)));
}

#[test]
pub(crate) fn a_period_is_the_one_that_was_asked_about() {
    let town = Town::new();
    let asked = town.asked(meals());
    let foreign = Fact { period: "2026-09", ..pay(1, ME, 1) };
    let refused = town.answer(&asked, &both(pay(0, ME, 1), foreign));
    assert_eq!(refused, Err(Some(AnswerError::Incomplete(Mismatch::Claims.into()))));
    let hidden = Fact { hidden: true, ..pay(1, ME, 1) };
    assert_eq!(town.answer(&asked, &both(pay(0, ME, 1), hidden)), Err(Some(AnswerError::Period)));
}

/// What was known before the month was over is no total: it could not be told.
#[test]
pub(crate) fn sources_that_are_not_complete() {
    let town = Town::new();
    let asked = town.asked(meals());
    let early = Fact { facts_as_of: "2026-10-31", ..pay(1, ME, 1) };
    let undetermined = |reason| Ok((Outcome::Undetermined, reason));
    assert_eq!(town.answer(&asked, &both(pay(0, ME, 1), early)), undetermined(Reason::SourcesIncomplete));
    let last = Fact { facts_as_of: "2026-11-01", ..pay(1, ME, 1) };
    assert_eq!(town.answer(&asked, &both(pay(0, ME, 1), last)), MET);
    let fresh = town.asked(spoiled(&meals(), "/ways/0/needs/1/max_age_days", json!(19)));
    let last = Fact { facts_as_of: "2026-11-01", ..pay(0, ME, 1) };
    assert_eq!(town.answer(&fresh, &both(last, pay(1, ME, 1))), MET);
    let stale = Fact { facts_as_of: "2026-11-01", ..pay(1, ME, 1) };
    assert_eq!(town.answer(&fresh, &both(pay(0, ME, 1), stale)), undetermined(Reason::FactsStale));
}

#[test]
pub(crate) fn each_status_counts() {
    let town = Town::new();
    let asked = town.asked(meals());
    let copies = town.copies(&both(pay(0, ME, 1), pay(1, ME, 1)));
    let extra = proofs(&asked, &copies).unwrap();
    let told = |told: &[Standing]| town.judge(&asked, &copies, extra.clone(), told);
    assert_eq!(told(&[Standing::Valid]), Err(Some(AnswerError::StatusOpen)));
    assert_eq!(told(&[Standing::Valid, Standing::Revoked]), Ok((Outcome::NotMet, Reason::Revoked)));
    assert_eq!(
        told(&[Standing::Unknown, Standing::Valid]),
        Ok((Outcome::Undetermined, Reason::StatusUnknown))
    );
}

#[test]
pub(crate) fn one_fact_fills_one_need() {
    let town = Town::new();
    let asked = town.asked(hours());
    let other = |source: &str| {
        let mut fact = pay(1, ME, 1);
        fact.values["/source"] = json!(source);
        fact
    };
    assert_eq!(town.answer(&asked, &both(pay(0, ME, 1), other("LF-0042-B"))), MET);
    // Two copies of one statement have one source, whatever their keys and salts.
    assert!(proofs(&asked, &town.copies(&both(pay(0, ME, 1), pay(0, ME, 1)))).is_err());
}

#[test]
pub(crate) fn two_people_of_one_household() {
    let town = Town::new();
    let asked = town.asked(household());
    let facts = |a: Fact, b: Fact, person: &str| {
        [("homea", a), ("paya", pay(0, ME, 140_000)), ("homeb", b), ("payb", pay(0, person, 160_000))]
    };
    let right = facts(home(ME, "H0001", 2), home(YOU, "H0001", 2), YOU);
    assert_eq!(town.answer(&asked, &right), MET);
    for wrong in [
        facts(home(ME, "H0001", 2), home(YOU, "H0002", 2), YOU),
        facts(home(ME, "H0001", 3), home(YOU, "H0001", 3), YOU),
        facts(home(ME, "H0001", 2), home(ME, "H0001", 2), ME),
        facts(home(ME, "H0001", 2), home(YOU, "H0001", 2), ME),
    ] {
        assert!(proofs(&asked, &town.copies(&wrong)).is_err());
    }
}
