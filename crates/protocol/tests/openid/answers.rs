//! Answers made by a wallet and judged by a verifier.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};
use vouchsafe_protocol::answer::{
    AnswerError, Holding, Judged, PROOF_CLAIM, PROOF_HASH_CLAIM, Presented, ProveError, prove,
};
use vouchsafe_protocol::dcql::Mismatch;
use vouchsafe_protocol::decision::{Evidence, Outcome, Reason};
use vouchsafe_protocol::jose::x5c::validate;
use vouchsafe_protocol::openid4vci::batch::Received;
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::transaction_data::NotCovered;
use vouchsafe_protocol::policy::Crowd;
use vouchsafe_protocol::sd_jwt::key_binding::{Binding, Expected};
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status, Verified};
use vouchsafe_protocol::sd_jwt::{Held, Path, Unverified};
use vouchsafe_protocol::status::{Reference, Standing};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::Register;
use vouchsafe_protocol::types::CredentialType;

use crate::district::{
    District, Extra, ISSUER, NONCE, NOW, OLD, PLAIN, PROOF, Resident, WARDS, policy, residency, spoiled,
};
use crate::provider::Ring;

struct Story {
    district: District,
    register: Register,
    asked: Asked,
}

impl Story {
    fn new() -> Self {
        Self::with(policy())
    }

    fn with(policy: Value) -> Self {
        let district = District::new();
        let register = district.register();
        let asked = district.asked(&register, policy);
        Self { district, register, asked }
    }

    fn collect(&self, resident: &Resident) -> Received {
        let vct = if resident.proof { PROOF } else { PLAIN };
        self.district.receive(vec![self.district.copy(0, resident)], vct).unwrap().remove(0)
    }

    fn collect_with_status(&self, resident: &Resident) -> Received {
        let mut copy = self.district.copy(0, resident);
        let held = Held::dangerous_from_store(&copy.credential).unwrap();
        let mut claims = Value::Object(held.claims().clone());
        claims["status"] = Reference::new(41, &format!("{ISSUER}/status/a")).unwrap().to_claim();
        copy.credential = self.district.issue(0, claims, 0);
        self.district.receive(vec![copy], PROOF).unwrap().remove(0)
    }

    fn proofs(&self, copy: &Received, option: usize, query: &str) -> Result<Extra, ProveError> {
        let (attributes, values, seed) = match &copy.opened {
            Some(opened) => (opened.attributes.clone(), opened.values.clone(), Some(&opened.seed)),
            None => (vec![], BTreeMap::new(), None),
        };
        let holding =
            Holding { query, held: &copy.held, attributes: &attributes, values: &values, seed, link: None };
        let chosen = self.asked.option(option).unwrap();
        prove(&self.asked, &chosen, &[holding], &mut ChaCha20Rng::from_seed([4; 32]))
    }

    /// What the verifier holds after the signatures.
    fn present(&self, copy: &Received, paths: &[Path], extra: Map<String, Value>) -> Verified {
        let aud = self.district.client_id();
        let binding = Binding { aud: &aud, nonce: NONCE, issued_at: NOW, extra };
        let unsigned = copy.held.present(paths, binding).unwrap();
        let signature = self.district.holders[copy.key].sign_now(unsigned.signing_input());
        let text = unsigned.finish(&signature);
        let expected = Expected { aud: &aud, nonce: NONCE, now: NOW, max_age: 300 };
        let bound = Unverified::parse(&text).unwrap().check_binding(&expected).unwrap();
        let leaf =
            validate(&self.district.issuer_x5c, std::slice::from_ref(&self.district.anchor), NOW, &Ring)
                .unwrap();
        let status = if copy.held.status().is_some() { Status::Required } else { Status::NotInType };
        let rules = Rules { now: NOW, audience: &aud, status };
        bound.check_signatures(leaf.into(), &Ring).unwrap().accept(&rules).unwrap()
    }

    fn check(&self, query: &str, verified: Verified) -> Result<Judged, Option<AnswerError>> {
        self.check_with(&self.register, &[residency()], query, verified)
    }

    fn check_with(
        &self,
        register: &Register,
        types: &[CredentialType],
        query: &str,
        verified: Verified,
    ) -> Result<Judged, Option<AnswerError>> {
        let presented = Presented::new(&self.asked, BTreeMap::from([(query.to_owned(), verified)]))?;
        let committed =
            presented.check_trust(&self.asked, register, Env::Test)?.check_complete(&self.asked)?;
        let proven = committed.check_commitments(&self.asked, types)?.check_proof().map_err(|_| None)?;
        Ok(proven.judge(&self.asked, None))
    }

    /// A proof copy's answer to the option `option`, whose query is `query`.
    fn prove(&self, resident: &Resident, option: usize, query: &str) -> Result<Judged, Option<AnswerError>> {
        let copy = self.collect(resident);
        let extra = self.proofs(&copy, option, query).unwrap();
        self.check(query, self.present(&copy, &[], extra[query].clone()))
    }

    fn show(&self, resident: &Resident) -> Result<Judged, Option<AnswerError>> {
        let copy = self.collect(resident);
        let query = self.asked.plan().query.credential("q1").unwrap();
        let paths = query.disclosures(&copy.held).unwrap();
        self.check("q1", self.present(&copy, &paths, Map::new()))
    }
}

fn judged(outcome: Outcome, reason: Reason, evidence: Evidence) -> Result<Judged, Option<AnswerError>> {
    Ok(Judged { outcome, reasons: vec![reason], evidence, pseudonym: None })
}

const YOUNG: Resident = Resident { born: "1990-05-01", ..OLD };
const OUTSIDE: Resident = Resident { ward: "W121", ..OLD };
const STALE: Resident = Resident { facts_as_of: "2026-10-01", ..OLD };

#[test]
pub(crate) fn met_and_not_met_by_proof() {
    let story = Story::new();
    assert_eq!(story.prove(&OLD, 0, "q0"), judged(Outcome::Met, Reason::ConditionsMet, Evidence::Proved));
    let contrary = judged(Outcome::NotMet, Reason::ContraryProved, Evidence::Proved);
    assert_eq!(story.prove(&YOUNG, 2, "n0"), contrary);
    assert_eq!(story.prove(&OUTSIDE, 4, "n1b"), contrary);
    assert_eq!(
        story.prove(&STALE, 0, "q0"),
        judged(Outcome::Undetermined, Reason::FactsStale, Evidence::Proved)
    );
}

#[test]
pub(crate) fn what_a_status_means() {
    let story = Story::new();
    let judge = |resident: &Resident, told: &[Standing]| {
        let copy = story.collect_with_status(resident);
        let extra = story.proofs(&copy, 0, "q0").unwrap();
        let (verified, register) = (story.present(&copy, &[], extra["q0"].clone()), &story.register);
        assert!(verified.has_status() && !verified.claims().contains_key("status"));
        let presented = Presented::new(&story.asked, BTreeMap::from([("q0".to_owned(), verified)])).unwrap();
        let trusted = presented.check_trust(&story.asked, register, Env::Test).unwrap();
        let mut complete = trusted.check_complete(&story.asked).unwrap();
        if !told.is_empty() {
            let sought = complete.take_references();
            assert_eq!((sought[0].iss.as_str(), sought[0].reference.idx()), (ISSUER, 41));
            assert!(sought.len() == 1 && complete.take_references().is_empty());
            complete.told(told);
        }
        let committed = complete.check_commitments(&story.asked, &[residency()])?;
        Ok(committed.check_proof().unwrap().judge(&story.asked, None))
    };
    let proved = |outcome, reason| judged(outcome, reason, Evidence::Proved).map_err(|_| AnswerError::Type);
    assert_eq!(judge(&OLD, &[]), Err(AnswerError::StatusOpen));
    assert_eq!(judge(&OLD, &[Standing::Valid]), proved(Outcome::Met, Reason::ConditionsMet));
    assert_eq!(judge(&OLD, &[Standing::Unknown]), proved(Outcome::Undetermined, Reason::StatusUnknown));
    assert_eq!(judge(&OLD, &[Standing::Suspended]), proved(Outcome::NotMet, Reason::Suspended));
    assert_eq!(judge(&OLD, &[Standing::Revoked]), proved(Outcome::NotMet, Reason::Revoked));
    assert_eq!(judge(&STALE, &[Standing::Valid]), proved(Outcome::Undetermined, Reason::FactsStale));
    assert_eq!(judge(&STALE, &[Standing::Revoked]), proved(Outcome::NotMet, Reason::Revoked));
}

#[test]
pub(crate) fn nobody_proves_what_is_not_so() {
    let story = Story::new();
    for (resident, option, query) in [(YOUNG, 0, "q0"), (OUTSIDE, 0, "q0"), (OLD, 2, "n0"), (OLD, 3, "n1a")] {
        let copy = story.collect(&resident);
        assert!(story.proofs(&copy, option, query).is_err(), "{query}");
    }
    // A proof of one statement is none of another, and none for another copy.
    let copy = story.collect(&YOUNG);
    let contrary = story.proofs(&copy, 2, "n0").unwrap()["n0"].clone();
    assert_eq!(story.check("q0", story.present(&copy, &[], contrary)), Err(None));
    let others = story.proofs(&story.collect(&OLD), 0, "q0").unwrap()["q0"].clone();
    assert_eq!(story.check("q0", story.present(&copy, &[], others)), Err(None));
}

#[test]
pub(crate) fn shown_values_are_judged() {
    let story = Story::new();
    let plain = |resident: &Resident| Resident { proof: false, ..resident.clone() };
    assert_eq!(story.show(&plain(&OLD)), judged(Outcome::Met, Reason::ConditionsMet, Evidence::Disclosed));
    let not_met = judged(Outcome::NotMet, Reason::ConditionNotMet, Evidence::Disclosed);
    assert_eq!(story.show(&plain(&YOUNG)), not_met);
    assert_eq!(story.show(&plain(&OUTSIDE)), not_met);
    assert_eq!(
        story.show(&plain(&STALE)),
        judged(Outcome::Undetermined, Reason::FactsStale, Evidence::Disclosed)
    );
    let nothing = story.collect(&plain(&OLD));
    assert_eq!(
        story.check("q1", story.present(&nothing, &[], Map::new())),
        Err(Some(AnswerError::Incomplete(Mismatch::Claims.into())))
    );
}

#[test]
pub(crate) fn a_proof_is_carried_where_it_belongs() {
    let story = Story::new();
    let copy = story.collect(&OLD);
    let proof = story.proofs(&copy, 0, "q0").unwrap()["q0"].clone();
    let carriage = Err(Some(AnswerError::Carriage));
    assert_eq!(story.check("q0", story.present(&copy, &[], Map::new())), carriage);
    let mut both = proof.clone();
    both.insert(PROOF_HASH_CLAIM.into(), json!("AA"));
    assert_eq!(story.check("q0", story.present(&copy, &[], both)), carriage);
    let hash = Map::from_iter([(PROOF_HASH_CLAIM.to_owned(), proof[PROOF_CLAIM].clone())]);
    assert_eq!(story.check("q0", story.present(&copy, &[], hash)), carriage);
    let plain = story.collect(&Resident { proof: false, ..OLD });
    let paths = story.asked.plan().query.credential("q1").unwrap().disclosures(&plain.held).unwrap();
    assert_eq!(story.check("q1", story.present(&plain, &paths, proof.clone())), carriage);
    for (hashes, fault) in [(json!([]), NotCovered::Form), (json!(["AA"]), NotCovered::Unasked)] {
        let mut unasked = proof.clone();
        unasked.insert("transaction_data_hashes".into(), hashes);
        let refused = story.check("q0", story.present(&copy, &[], unasked));
        assert_eq!(refused, Err(Some(AnswerError::TransactionData(fault))));
    }
}

#[test]
pub(crate) fn exactly_one_option() {
    let story = Story::new();
    let choose = |ids: &[&str]| story.asked.choose(ids.iter().copied()).map(|chosen| chosen.index()).ok();
    assert_eq!((choose(&["q0"]), choose(&["n1b"])), (Some(0), Some(4)));
    for ids in [&[][..], &["q0", "q1"], &["q0", "n0"], &["q9"]] {
        assert_eq!(choose(ids), None, "{ids:?}");
    }
    // A plain copy for a proof query, and the reverse.
    let plain = story.collect(&Resident { proof: false, ..OLD });
    assert_eq!(
        story.check("q0", story.present(&plain, &[], Map::new())),
        Err(Some(AnswerError::Incomplete(Mismatch::Type.into())))
    );
    let proof = story.collect(&OLD);
    assert_eq!(
        story.check("q1", story.present(&proof, &[], Map::new())),
        Err(Some(AnswerError::Incomplete(Mismatch::Type.into())))
    );
}

#[test]
pub(crate) fn issuers_count_by_policy_and_register() {
    let check = |policy: Value, entry: fn(&District) -> Value| {
        let story = Story::with(policy);
        let copy = story.collect(&OLD);
        let extra = story.proofs(&copy, 0, "q0").unwrap()["q0"].clone();
        let register = story.district.register_with(story.district.purpose_entry(), entry(&story.district));
        story.check_with(&register, &[residency()], "q0", story.present(&copy, &[], extra)).err().flatten()
    };
    assert_eq!(check(policy(), District::issuer_entry), None);
    let other = spoiled(&policy(), "/accept/0/iss", json!(["https://other.example"]));
    assert_eq!(check(other, District::issuer_entry), Some(AnswerError::Issuer));
    assert_eq!(
        check(policy(), |d| spoiled(&d.issuer_entry(), "/types", json!([PLAIN]))),
        Some(AnswerError::Issuer)
    );
    assert_eq!(
        check(policy(), |d| spoiled(&d.issuer_entry(), "/env", json!("live"))),
        Some(AnswerError::Issuer)
    );
    assert_eq!(
        check(policy(), |d| spoiled(&d.issuer_entry(), "/sub", json!("https://other.example"))),
        Some(AnswerError::Issuer)
    );
    assert_eq!(
        check(policy(), |d| spoiled(&d.issuer_entry(), "/anchors", json!(["AA"]))),
        Some(AnswerError::Anchor)
    );
}

#[test]
pub(crate) fn commitments_are_those_of_the_type() {
    let story = Story::new();
    let copy = story.collect(&OLD);
    let extra = story.proofs(&copy, 0, "q0").unwrap()["q0"].clone();
    let check = |types: &[CredentialType]| {
        story.check_with(&story.register, types, "q0", story.present(&copy, &[], extra.clone()))
    };
    assert_eq!(check(&[]), Err(Some(AnswerError::UnknownType)));
    let described = serde_json::to_value(residency()).unwrap();
    for (pointer, value) in [
        ("/attributes/1/lo", json!("1900-01-01")),
        ("/attributes/2/codes", json!("https://other.example/1")),
        ("/attributes/2/pointer", json!("/area")),
    ] {
        let other = CredentialType::from_json(&spoiled(&described, pointer, value)).unwrap();
        assert_eq!(check(&[other]), Err(Some(AnswerError::Commitments)), "{pointer}");
    }
    // A type that has one more provable attribute than was signed.
    let mut more = described;
    let extra_attribute = spoiled(&more["attributes"][2], "/pointer", json!("/parish"));
    more["attributes"].as_array_mut().unwrap().push(extra_attribute);
    assert_eq!(check(&[CredentialType::from_json(&more).unwrap()]), Err(Some(AnswerError::Commitments)));
}

#[test]
pub(crate) fn every_bit_of_a_proof_counts() {
    let story = Story::new();
    let copy = story.collect(&OLD);
    let good = story.proofs(&copy, 0, "q0").unwrap()["q0"].clone();
    let bytes = vouchsafe_protocol::encoding::b64u_decode(good[PROOF_CLAIM].as_str().unwrap()).unwrap();
    for i in [0, 1, 5, 6, 40, bytes.len() - 1] {
        let mut flipped = bytes.clone();
        flipped[i] ^= 1;
        let extra =
            Map::from_iter([(PROOF_CLAIM.to_owned(), json!(vouchsafe_protocol::encoding::b64u(&flipped)))]);
        assert_eq!(story.check("q0", story.present(&copy, &[], extra)), Err(None), "byte {i}");
    }
}

#[test]
pub(crate) fn a_binding_by_a_disclosed_claim() {
    let mut named = spoiled(&policy(), "/subject_binding", json!("disclosed:name"));
    named["conditions"].as_array_mut().unwrap().push(json!({"id": "who", "pointer": "/name", "op": "show"}));
    named["accept"].as_array_mut().unwrap().truncate(1);
    let story = Story::with(named);
    let copy = story.collect(&OLD);
    let extra = story.proofs(&copy, 0, "q0").unwrap()["q0"].clone();
    let query = story.asked.plan().query.credential("q0").unwrap();
    let paths = query.disclosures(&copy.held).unwrap();
    assert_eq!(paths.len(), 1);
    let judge = |expect: Option<&str>| {
        let presented = BTreeMap::from([("q0".to_owned(), story.present(&copy, &paths, extra.clone()))]);
        let trusted = Presented::new(&story.asked, presented)
            .unwrap()
            .check_trust(&story.asked, &story.register, Env::Test)
            .unwrap();
        let committed = trusted
            .check_complete(&story.asked)
            .unwrap()
            .check_commitments(&story.asked, &[residency()])
            .unwrap();
        let judged = committed.check_proof().unwrap().judge(&story.asked, expect);
        (judged.outcome, judged.reasons[0])
    };
    assert_eq!(judge(Some("Resident 0042")), (Outcome::Met, Reason::ConditionsMet));
    assert_eq!(judge(Some("Resident 0043")), (Outcome::Undetermined, Reason::ExpectedDiffers));
    assert_eq!(judge(None), (Outcome::Undetermined, Reason::ExpectedDiffers));
}

/// The bus pass, asking of the ward alone.
fn of_the_ward(condition: Value) -> Story {
    let mut whole = json!({"id": "ward", "pointer": "/ward"});
    whole.as_object_mut().unwrap().extend(condition.as_object().cloned().unwrap());
    Story::with(spoiled(&policy(), "/conditions", json!([whole])))
}

#[test]
pub(crate) fn in_a_list_and_not_in_it() {
    let rule = json!({"kind": "codes", "id": WARDS, "version": 1});
    let contrary = judged(Outcome::NotMet, Reason::ContraryProved, Evidence::Proved);
    let met = judged(Outcome::Met, Reason::ConditionsMet, Evidence::Proved);
    for (op, inside, outside) in [("member", OLD, OUTSIDE), ("not_member", OUTSIDE, OLD)] {
        let story = of_the_ward(json!({"op": op, "rule": rule}));
        assert_eq!(story.prove(&inside, 0, "q0"), met, "{op}");
        assert_eq!(story.prove(&outside, 2, "n0"), contrary, "{op}");
        assert!(story.proofs(&story.collect(&outside), 0, "q0").is_err(), "{op}");
        let shown = story.show(&Resident { proof: false, ..outside }).unwrap();
        assert_eq!((shown.outcome, shown.reasons[0]), (Outcome::NotMet, Reason::ConditionNotMet), "{op}");
        assert_eq!(story.show(&Resident { proof: false, ..inside }).unwrap().outcome, Outcome::Met, "{op}");
    }
}

#[test]
pub(crate) fn equal_to_a_number_and_other_than_it() {
    let story = of_the_ward(json!({"op": "ne", "rule": {"kind": "fixed"}, "k": "121"}));
    let met = judged(Outcome::Met, Reason::ConditionsMet, Evidence::Proved);
    let contrary = judged(Outcome::NotMet, Reason::ContraryProved, Evidence::Proved);
    assert_eq!(story.prove(&OLD, 0, "q0"), met);
    assert_eq!(story.prove(&OUTSIDE, 2, "n0"), contrary);
    assert!(story.proofs(&story.collect(&OUTSIDE), 0, "q0").is_err());
}

/// A wallet does not prove what singles its resident out, whoever planned it.
#[test]
pub(crate) fn no_proof_of_too_small_a_crowd() {
    let narrow = |hi: &str| {
        let story = of_the_ward(json!({"op": "in", "rule": {"kind": "fixed"}, "lo": "104", "hi": hi}));
        story.proofs(&story.collect(&OLD), 0, "q0").err()
    };
    assert_eq!(narrow("106"), Some(ProveError::Crowd(Crowd)));
    assert_eq!(narrow("107"), None);
}
