//! Permissions: answers that give one, and what its key signs of it.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};
use vouchsafe_protocol::answer::{
    AnswerClaims, AnswerError, Granted, Holding, Judged, PermissionError, Presented, ProveError, prove,
};
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::jws::{NewHeader, Unsigned};
use vouchsafe_protocol::openid4vp::transaction_data;
use vouchsafe_protocol::openid4vp::{Asked, Chosen};
use vouchsafe_protocol::permission::{Grant, GrantError, Jkt, KEY_CLAIM, Payment};
use vouchsafe_protocol::status::Standing;
use vouchsafe_protocol::text::Env;

use crate::district::{SERVICE, spoiled};
use crate::joined::{Copy, Town, pay};
use crate::permissions::{SALT, action, asking, hardship, payment, sharing, standing, town};
use crate::provider::{Key, Ring};
use crate::ways::meals;

const ME: &str = "LF-0042";

/// A wallet's answer in the making: whatever an attack changes in it.
pub(crate) struct Answer {
    pub(crate) key: Key,
    extra: BTreeMap<String, Map<String, Value>>,
    grant: Option<String>,
}

pub(crate) fn signed(unsigned: Unsigned, key: &Key) -> String {
    let signature = key.sign_now(unsigned.signing_input());
    unsigned.finish(&signature)
}

fn grant(asked: &Asked, key: &Key) -> String {
    signed(Grant::unsigned(asked, 1, key.public()).unwrap(), key)
}

pub(crate) fn copies(town: &Town) -> Vec<(&'static str, Copy)> {
    town.copies(&[("pay1", pay(0, ME, 70_000)), ("pay2", pay(1, ME, 80_000))])
}

fn proved(
    asked: &Asked,
    chosen: &Chosen,
    copies: &[(&str, Copy)],
) -> Result<BTreeMap<String, Map<String, Value>>, ProveError> {
    let holdings: Vec<_> = copies
        .iter()
        .map(|(query, copy)| Holding {
            query,
            held: &copy.held,
            link: None,
            attributes: &copy.attributes,
            values: &copy.values,
            seed: Some(&copy.seed),
        })
        .collect();
    prove(asked, chosen, &holdings, &mut ChaCha20Rng::from_seed([4; 32]))
}

/// An honest answer to `asked`.
pub(crate) fn answer(asked: &Asked, copies: &[(&str, Copy)]) -> Answer {
    let key = Key::p256();
    let chosen = asked.option(0).unwrap();
    let chosen = if asked.terms().is_some() { chosen.permitting(Jkt::of(key.public())) } else { chosen };
    let mut extra = proved(asked, &chosen, copies).unwrap();
    for (query, _) in copies {
        let covered = transaction_data::claims(asked.transaction_data(), chosen.queries(), query).unwrap();
        extra.entry((*query).to_owned()).or_default().extend(covered);
    }
    let grant = asked.terms().map(|_| grant(asked, &key));
    Answer { key, extra, grant }
}

type Verdict = Result<(Judged, Option<Granted>), Option<AnswerError>>;

pub(crate) fn judged(
    town: &Town,
    asked: &Asked,
    copies: &[(&str, Copy)],
    answer: &Answer,
    told: &[Standing],
) -> Verdict {
    let presented = copies.iter().map(|(query, copy)| {
        let claims = answer.extra.get(*query).cloned().unwrap_or_default();
        ((*query).to_owned(), town.present(asked, query, copy, claims))
    });
    let presented =
        Presented::new(asked, presented.collect())?.granted(asked, 1, answer.grant.as_deref(), &Ring)?;
    let mut complete = presented.check_trust(asked, &town.register, Env::Test)?.check_complete(asked)?;
    let sought = complete.take_references().len();
    complete.told(&if told.is_empty() { vec![Standing::Valid; sought] } else { told.to_vec() });
    let proven = complete.check_commitments(asked, &town.types)?.check_proof().map_err(|_| None)?;
    Ok(proven.judge_and_grant(asked, None))
}

fn fault(verdict: Verdict) -> Option<AnswerError> {
    verdict.map(drop).expect_err("it is refused")
}

#[test]
pub(crate) fn an_answer_gives_the_permission_that_was_asked_for() {
    let town = town();
    for policy in [hardship(), standing(), sharing(), action()] {
        let asked = asking(&town, policy);
        let copies = copies(&town);
        let answer = answer(&asked, &copies);
        let (outcome, granted) = judged(&town, &asked, &copies, &answer, &[]).unwrap();
        let (granted, terms) = (granted.unwrap(), asked.terms().unwrap());
        assert_eq!((outcome.outcome, granted.transaction()), (Outcome::Met, &terms.digest()));
        assert!(*granted.jkt() == Jkt::of(answer.key.public()) && granted.key() == answer.key.public());
        assert_eq!(
            (granted.kind(), granted.until(), granted.uses()),
            (terms.kind(), terms.until(), terms.uses())
        );
        assert_eq!(Some(granted.grant()), answer.grant.as_deref());
        // Named once, beside the hash, and nobody's name in what is kept.
        assert!(
            answer.extra["pay1"].contains_key(KEY_CLAIM) && !answer.extra["pay2"].contains_key(KEY_CLAIM)
        );
        let claims = b64u_decode(granted.grant().split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let digest = asked.policy().digest_text();
        assert_eq!(
            claims,
            json!({"aud": SERVICE, "iat": 1_795_219_200, "transaction": b64u(terms.digest()), "policy": digest,
                "purpose": asked.policy().purpose, "purpose_version": 1})
        );
        assert_eq!(claims["iat"].as_i64().unwrap() % 86_400, 0);
    }
}

/// Where the outcome is not met nothing is permitted, although the answer verified.
#[test]
pub(crate) fn nothing_is_granted_where_the_outcome_is_not_met() {
    let town = town();
    let asked = asking(&town, hardship());
    let copies = copies(&town);
    let answer = answer(&asked, &copies);
    let told = [Standing::Valid, Standing::Revoked];
    let (outcome, granted) = judged(&town, &asked, &copies, &answer, &told).unwrap();
    assert_eq!((outcome.outcome, granted.is_none()), (Outcome::NotMet, true));
}

#[test]
pub(crate) fn a_key_stands_beside_the_hash_of_the_entry() {
    let town = town();
    let asked = asking(&town, hardship());
    let copies = copies(&town);
    let honest = answer(&asked, &copies);
    let with = |change: &dyn Fn(&mut AnswerClaims)| {
        let Answer { key, mut extra, grant } = answer(&asked, &copies);
        change(&mut extra);
        fault(judged(&town, &asked, &copies, &Answer { key, extra, grant }, &[]))
    };
    let refused = |fault| Some(AnswerError::Permission(fault));
    let key = json!(Jkt::of(honest.key.public()).text());
    let at = |extra: &mut BTreeMap<String, Map<String, Value>>, query: &str, value: Value| {
        extra.get_mut(query).unwrap().insert(KEY_CLAIM.to_owned(), value);
    };
    assert_eq!(
        with(&|extra| drop(extra.get_mut("pay1").unwrap().remove(KEY_CLAIM))),
        refused(PermissionError::Place)
    );
    assert_eq!(with(&|extra| at(extra, "pay2", key.clone())), refused(PermissionError::Place));
    let moved = |extra: &mut BTreeMap<String, Map<String, Value>>| {
        let key = extra.get_mut("pay1").unwrap().remove(KEY_CLAIM).unwrap();
        at(extra, "pay2", key);
    };
    assert_eq!(with(&moved), refused(PermissionError::Place));
    for other in [json!("AAAA"), json!(7), json!(b64u([0; 33]))] {
        assert_eq!(
            with(&|extra| at(extra, "pay1", other.clone())),
            refused(PermissionError::Form),
            "{other}"
        );
    }
    // Another key than the one that signed the grant.
    let other = json!(Jkt::of(Key::p256().public()).text());
    assert_eq!(with(&|extra| at(extra, "pay1", other.clone())), refused(PermissionError::OtherKey));
}

#[test]
pub(crate) fn nothing_is_given_that_was_not_asked_for() {
    let town = town();
    let (asked, silent) = (asking(&town, hardship()), town.asked(meals()));
    let copies = copies(&town);
    let mut unasked = answer(&silent, &copies);
    let refused = |fault| Some(AnswerError::Permission(fault));
    unasked.extra.get_mut("pay1").unwrap().insert(KEY_CLAIM.to_owned(), json!(b64u([0; 32])));
    assert_eq!(fault(judged(&town, &silent, &copies, &unasked, &[])), refused(PermissionError::Unasked));
    let mut granting = answer(&silent, &copies);
    granting.grant = answer(&asked, &copies).grant;
    assert_eq!(fault(judged(&town, &silent, &copies, &granting, &[])), refused(PermissionError::Unasked));
    let mut without = answer(&asked, &copies);
    without.grant = None;
    assert_eq!(fault(judged(&town, &asked, &copies, &without, &[])), refused(PermissionError::NoGrant));
    // A verifier that forgot what it asked takes no answer: that of a wallet which was asked for nothing would do.
    let forgotten = town.asked(hardship());
    let silent = answer(&forgotten, &copies);
    assert_eq!(fault(judged(&town, &forgotten, &copies, &silent, &[])), refused(PermissionError::Request));
}

/// What one request was answered with answers no other: not with another amount, payee, salt or last day.
#[test]
pub(crate) fn an_answer_is_to_its_own_entry() {
    let town = town();
    let asked = asking(&town, hardship());
    let copies = copies(&town);
    let honest = answer(&asked, &copies);
    let to = |salt: [u8; 16], payment: Payment, policy: Value| {
        town.asked(policy).authorising(&salt, Some(payment)).unwrap()
    };
    let of = |pence, payee: &str, reference: &str| Payment::new(pence, payee, reference).unwrap();
    let longer = spoiled(&hardship(), "/permission/for_days", json!(31));
    for (what, other) in [
        ("a penny more", to(SALT, of(12_001, "Larkfield Housing Trust", "RENT 0042"), hardship())),
        ("another payee", to(SALT, of(12_000, "Larkfield Housing Trusts", "RENT 0042"), hardship())),
        ("another reference", to(SALT, of(12_000, "Larkfield Housing Trust", "RENT 0043"), hardship())),
        ("another salt", to([8; 16], payment(), hardship())),
        ("another last day", to(SALT, payment(), longer)),
    ] {
        let refused = fault(judged(&town, &other, &copies, &honest, &[]));
        let other_entry = GrantError::Transaction;
        assert_eq!(refused, Some(AnswerError::Permission(PermissionError::Grant(other_entry))), "{what}");
        // With a grant for it, by the same key, the key binding still covers the first.
        let Answer { key, extra, .. } = answer(&asked, &copies);
        let granted = Some(grant(&other, &key));
        let refused = fault(judged(&town, &other, &copies, &Answer { key, extra, grant: granted }, &[]));
        assert!(matches!(refused, Some(AnswerError::TransactionData(_))), "{what}");
    }
}

/// The proof is bound to the entry and to the key: bindings signed anew over an old proof are refused for it.
#[test]
pub(crate) fn a_proof_is_for_its_own_entry_and_key() {
    let town = town();
    let asked = asking(&town, hardship());
    let copies = copies(&town);
    let honest = answer(&asked, &copies);
    let key = Key::p256();
    let mut rekeyed = honest.extra.clone();
    rekeyed.get_mut("pay1").unwrap().insert(KEY_CLAIM.to_owned(), json!(Jkt::of(key.public()).text()));
    let granted = Some(grant(&asked, &key));
    let other = Answer { key, extra: rekeyed, grant: granted };
    assert_eq!(fault(judged(&town, &asked, &copies, &other, &[])), None);
    let dearer = Payment::new(12_001, "Larkfield Housing Trust", "RENT 0042").unwrap();
    let dearer = town.asked(hardship()).authorising(&SALT, Some(dearer)).unwrap();
    let mut covering = honest.extra.clone();
    let covered =
        transaction_data::claims(dearer.transaction_data(), &["pay1".into(), "pay2".into()], "pay1");
    covering.get_mut("pay1").unwrap().extend(covered.unwrap());
    let granted = Some(grant(&dearer, &honest.key));
    let other = Answer { key: honest.key, extra: covering, grant: granted };
    assert_eq!(fault(judged(&town, &dearer, &copies, &other, &[])), None);
}

#[test]
pub(crate) fn a_wallet_proves_no_permission_without_a_key() {
    let town = town();
    let copies = copies(&town);
    let (asked, silent) = (asking(&town, hardship()), town.asked(meals()));
    let chosen = asked.option(0).unwrap();
    assert_eq!(proved(&asked, &chosen, &copies), Err(ProveError::Permission));
    let keyed = chosen.permitting(Jkt::of(Key::p256().public()));
    assert_eq!(proved(&silent, &keyed, &copies), Err(ProveError::Permission));
}

// --- grants -------------------------------------------------------------------------------------------------------

#[test]
pub(crate) fn a_grant_says_what_was_asked_for() {
    let town = town();
    let asked = asking(&town, hardship());
    let key = Key::p256();
    let honest = grant(&asked, &key);
    let verify = |text: &str, version| Grant::verify(text, &asked, version, &Ring).map(drop);
    assert_eq!(verify(&honest, 1), Ok(()));
    assert_eq!(verify(&honest, 2), Err(GrantError::Purpose));
    let claims: Value =
        serde_json::from_slice(&b64u_decode(honest.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let header = json!({"alg": "ES256", "typ": "vouchsafe-grant+jwt", "jwk": key.public()});
    let made = |header: &Value, claims: &Value| {
        let input = format!("{}.{}", b64u(header.to_string()), b64u(claims.to_string()));
        format!("{input}.{}", b64u(key.sign_now(input.as_bytes())))
    };
    assert_eq!(verify(&made(&header, &claims), 1), Ok(()));
    for (member, value, fault) in [
        ("aud", json!("https://other.example"), GrantError::Service),
        ("iat", json!(1_795_219_200 + 86_400), GrantError::Day),
        ("iat", json!(1_795_219_201), GrantError::Day),
        ("transaction", json!(b64u([0; 32])), GrantError::Transaction),
        ("policy", json!(b64u([0; 32])), GrantError::Policy),
        ("purpose", json!("https://larkfield.example/purposes/other"), GrantError::Purpose),
        ("purpose_version", json!(2), GrantError::Purpose),
        ("nonce", json!("n"), GrantError::Form),
        ("policy", Value::Null, GrantError::Form),
    ] {
        let other = made(&header, &spoiled(&claims, &format!("/{member}"), value));
        assert_eq!(verify(&other, 1), Err(fault), "{member}");
    }
    for (member, value, fault) in [
        ("typ", json!("vouchsafe-permission-call+jwt"), GrantError::Form),
        ("kid", json!("k"), GrantError::Form),
        ("jwk", Value::Null, GrantError::Form),
        ("jwk", json!({"kty": "EC"}), GrantError::Key),
        ("jwk", spoiled(&header["jwk"], "/kid", json!("Resident 0042")), GrantError::Key),
        ("jwk", json!(Key::p256().public()), GrantError::Signature),
    ] {
        let other = made(&spoiled(&header, &format!("/{member}"), value), &claims);
        assert_eq!(verify(&other, 1), Err(fault), "{member}");
    }
    let edwards = Key::ed25519();
    let other = Unsigned::new(
        &NewHeader::new(edwards.alg(), "vouchsafe-grant+jwt").jwk(edwards.public()).encode(),
        &claims,
    );
    assert_eq!(verify(&signed(other.unwrap(), &edwards), 1), Err(GrantError::Key));
    assert!(Grant::unsigned(&town.asked(meals()), 1, key.public()).is_none());
    assert_eq!(Grant::verify(&honest, &town.asked(meals()), 1, &Ring).err(), Some(GrantError::Transaction));
    // Printing a key's thumbprint tells nobody whose it is.
    assert_eq!(format!("{:?}", Jkt::of(key.public())), "Jkt(…)");
}
