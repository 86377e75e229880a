//! `transaction_data`: read by a wallet, covered by key bindings, checked by a verifier.

use serde_json::{Map, Value, json};
use vouchsafe_protocol::dcql::Query;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::openid4vp::transaction_data::{
    Entry, HASHES, HASHES_ALG, NotCovered, Said, TransactionDataError, TransactionType, check, claims, read,
};

/// A type that these tests alone know.
const PAYMENT: TransactionType = TransactionType {
    name: "https://example.org/payment",
    members: &["amount", "payee"],
    is_of_form: |members| members.get("amount").is_some_and(Value::is_string),
};

fn query() -> Query {
    let one = |id: &str| json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}});
    let mut free = one("free");
    free["require_cryptographic_holder_binding"] = json!(false);
    Query::from_value(&json!({"credentials": [one("a"), one("b"), free]})).unwrap()
}

fn payment(ids: &[&str]) -> Value {
    json!({"type": PAYMENT.name, "credential_ids": ids, "amount": "12.00"})
}

fn spoil(name: &str, value: Value) -> Value {
    let mut entry = payment(&["a"]);
    entry[name] = value;
    json!([b64u(entry.to_string())])
}

fn take(sent: &Value) -> Result<Vec<Entry>, TransactionDataError> {
    read(sent, &query(), &[PAYMENT])
}

fn entries(all: &[Value]) -> Vec<Entry> {
    take(&all.iter().map(|one| b64u(one.to_string())).collect()).unwrap()
}

#[test]
pub(crate) fn a_wallet_takes_what_it_knows_and_refuses_all_else() {
    let taken = entries(&[payment(&["a", "b"])]);
    assert_eq!((taken[0].kind(), &taken[0].members()["amount"]), (PAYMENT.name, &json!("12.00")));
    assert_eq!(read(&json!([taken[0].text()]), &query(), &[]).err(), Some(TransactionDataError::Type));
    for sent in [
        json!([]),
        json!("e30"),
        json!(["e30"]),
        json!([7]),
        json!(["e30="]),
        json!([b64u("[]")]),
        json!([b64u(r#"{"type":"a","type":"b","credential_ids":["a"]}"#)]),
        spoil("credential_ids", json!("a")),
        spoil("transaction_data_hashes_alg", json!("sha-256")),
    ] {
        assert_eq!(take(&sent).err(), Some(TransactionDataError::Form), "{sent}");
    }
    for (sent, fault) in [
        (spoil("type", json!("other")), TransactionDataError::Type),
        (spoil("note", json!(1)), TransactionDataError::Member),
        (spoil("amount", json!(12)), TransactionDataError::Value),
        (spoil("credential_ids", json!(["c"])), TransactionDataError::Credential),
        (spoil("credential_ids", json!([])), TransactionDataError::Credential),
        (spoil("credential_ids", json!(["a", "free"])), TransactionDataError::Binding),
        (spoil("transaction_data_hashes_alg", json!(["sha-512"])), TransactionDataError::Algorithm),
    ] {
        assert_eq!(take(&sent).err(), Some(fault), "{sent}");
    }
    assert!(take(&spoil("transaction_data_hashes_alg", json!(["sha-512", "sha-256"]))).is_ok());
    let twice = b64u(payment(&["a"]).to_string());
    assert_eq!(take(&json!([twice, twice])).err(), Some(TransactionDataError::Twice));
}

fn answered() -> Vec<String> {
    vec!["a".to_owned(), "b".to_owned()]
}

fn said<'a>(query: &'a str, claims: &'a Map<String, Value>) -> Said<'a> {
    Said { query, hashes: claims.get(HASHES), alg: claims.get(HASHES_ALG) }
}

#[test]
pub(crate) fn each_entry_is_covered_once_by_the_text_that_was_sent() {
    let mut named = payment(&["b", "a"]);
    named["transaction_data_hashes_alg"] = json!(["sha-256"]);
    let all = entries(&[named, payment(&["b"])]);
    let [a, b] = ["a", "b"].map(|query| claims(&all, &answered(), query).unwrap());
    assert_eq!(a[HASHES], json!([b64u(sha256(all[0].text()))]));
    assert_eq!((&a[HASHES_ALG], b.get(HASHES_ALG)), (&json!("sha-256"), None));
    assert_eq!(check(&all, &[said("a", &a), said("b", &b)]), Ok(()));
    // An option without a credential that an entry names does not authorise it.
    assert!(claims(&all, &answered()[..1], "a").is_err());
    assert!(claims(&[], &answered(), "a").unwrap().is_empty());
}

#[test]
pub(crate) fn what_does_not_cover_is_refused() {
    let all = entries(&[payment(&["a", "b"])]);
    let good = claims(&all, &answered(), "a").unwrap();
    let none = Map::new();
    let result = |a: &Map<String, Value>, b: &Map<String, Value>| check(&all, &[said("a", a), said("b", b)]);
    assert_eq!(result(&good, &none), Ok(()));
    assert_eq!(result(&none, &good), Ok(()));
    assert_eq!(result(&none, &none), Err(NotCovered::Entry));
    assert_eq!(result(&good, &good), Err(NotCovered::Entry));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims.insert(name.to_owned(), value);
        result(&claims, &none)
    };
    let hash = good[HASHES][0].clone();
    assert_eq!(with(HASHES, json!([hash, "AA"])), Err(NotCovered::Unasked));
    assert_eq!(with(HASHES, json!([hash, hash])), Err(NotCovered::Unasked));
    assert_eq!(with(HASHES, json!([])), Err(NotCovered::Form));
    assert_eq!(with(HASHES, json!("x")), Err(NotCovered::Form));
    assert_eq!(with(HASHES_ALG, json!("sha-512")), Err(NotCovered::Algorithm));
    // Decoded before it is hashed: another text.
    let decoded = b64u(sha256(payment(&["a", "b"]).to_string()));
    assert_eq!(with(HASHES, json!([decoded])), Err(NotCovered::Unasked));
    // In a credential that the entry does not name.
    assert_eq!(check(&all, &[said("free", &good)]), Err(NotCovered::Unasked));
    assert_eq!(check(&[], &[said("a", &good)]), Err(NotCovered::Unasked));
    // The request names hashes, and the binding does not say which it used.
    let mut named = payment(&["a"]);
    named["transaction_data_hashes_alg"] = json!(["sha-256"]);
    let all = entries(&[named]);
    let mut silent = claims(&all, &answered(), "a").unwrap();
    silent.remove(HASHES_ALG);
    assert_eq!(check(&all, &[said("a", &silent)]), Err(NotCovered::Algorithm));
}
