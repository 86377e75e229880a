//! Frozen vectors, both ways.

use std::fs;

use serde_json::json;

use super::*;
use crate::hex::to_hex;

/// Frozen, made here, and checked by the independent model; the model's own are accepted.
#[test]
fn frozen_links_are_what_the_code_makes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/vouchsafe-1/link.json");
    let x = secret(5);
    let made = json!({
        "pseudonyms": [shown_vector(&x, "a", "2026"), shown_vector(&x, "b", "2027"), shown_vector(&secret(6), "a", "2026")],
        "registrations": [batch_vector(&x, 1), batch_vector(&x, 3), batch_vector(&secret(6), registration::MOST)],
    });
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if std::env::var_os("VOUCHSAFE_BLESS").is_some() {
        fs::write(path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let frozen: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(frozen, made);
}

fn shown_vector(x: &LinkSecret, t: &str, epoch: &str) -> Value {
    let case = Case::of(x, t, epoch);
    let (proof, mut after) = (case.proof(), start());
    assert!(case.holds_in(&mut after, 4, &proof));
    json!({
        "index": 4,
        "service": "https://buses.example",
        "action": "pass",
        "epoch": epoch,
        "context": case.item4.context,
        "base": to_hex(&scope(epoch).base().compress().0),
        "secret": to_hex(&*x.to_bytes()),
        "blinding": to_hex(&*blinding(t).to_bytes()),
        "commitment": to_hex(&case.link.encoding),
        "pseudonym": to_hex(&case.item4.value),
        "proof": to_hex(&proof),
        "checkpoint": to_hex(&transcript::challenge(&after)),
    })
}

fn batch_vector(x: &LinkSecret, count: usize) -> Value {
    let batch = Batch::of(x, count);
    let copy = |(copy, t): (&NewCopy, &Blinding)| {
        json!({
            "holder_key": to_hex(&copy.holder_key),
            "blinding": to_hex(&*t.to_bytes()),
            "commitment": to_hex(&copy.link.0),
        })
    };
    json!({
        "issuer": batch.issuer,
        "type": batch.vct,
        "c_nonce": batch.c_nonce,
        "base": to_hex(&registration_base(batch.issuer).compress().0),
        "secret": to_hex(&*x.to_bytes()),
        "copies": batch.copies.iter().zip(&batch.t).map(copy).collect::<Vec<_>>(),
        "pseudonym": to_hex(&registration_nym(x).to_bytes()),
        "proof": to_hex(&batch.proof(x)),
    })
}

/// Proofs of the model's own.
#[test]
fn links_of_the_independent_model_hold() {
    let text = include_str!("../../../../../../specs/vectors/vouchsafe-1/model-link.json");
    let made: Value = serde_json::from_str(text).unwrap();
    let (shown, batches) =
        (made["pseudonyms"].as_array().unwrap(), made["registrations"].as_array().unwrap());
    assert_eq!((shown.len(), batches.len()), (2, 2));
    for one in shown {
        let [service, action, epoch] = ["service", "action", "epoch"].map(|name| one[name].as_str().unwrap());
        let x = LinkSecret::from_canonical_bytes(bytes(&one["secret"])).unwrap();
        let item4 = x.pseudonym(&Scope::new(service, action, epoch).unwrap());
        assert_eq!(item4.context, one["context"].as_str().unwrap());
        assert_eq!(to_hex(&item4.value), one["pseudonym"].as_str().unwrap());
        let link = Hidden::new(&Commitment(bytes(&one["commitment"]))).unwrap();
        let (mut t, proof) = (start(), unhex(one["proof"].as_str().unwrap()));
        assert!(verify_vartime(&mut t, one["index"].as_u64().unwrap(), &link, &item4, &proof));
        assert_eq!(to_hex(&transcript::challenge(&t)), one["checkpoint"].as_str().unwrap());
    }
    for one in batches {
        let [issuer, vct, c_nonce] = ["issuer", "type", "c_nonce"].map(|name| one[name].as_str().unwrap());
        let copy = |copy: &Value| NewCopy {
            holder_key: bytes(&copy["holder_key"]),
            link: Commitment(bytes(&copy["commitment"])),
        };
        let copies: Vec<NewCopy> = one["copies"].as_array().unwrap().iter().map(copy).collect();
        let proof = unhex(one["proof"].as_str().unwrap());
        let registered = registration::verify_vartime(&Asked { issuer, vct, c_nonce }, &copies, &proof);
        assert_eq!(to_hex(&registered.unwrap().to_bytes()), one["pseudonym"].as_str().unwrap());
    }
}

fn bytes(text: &Value) -> [u8; 32] {
    unhex(text.as_str().unwrap()).try_into().unwrap()
}
