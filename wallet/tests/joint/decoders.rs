//! What another wallet sends is read without a panic, whatever it says: every place of each message, with everything in
//! it that no place is meant for, sealed as an honest wallet would; and the messages themselves, cut and bent.

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::KeyAgreement as _;
use vouchsafe_wallet::Wallet;

use super::Couple;
use super::double::{key_of, opened, parties, sealed};

/// What no place of a message is meant for.
fn oddities() -> Vec<Value> {
    let nested = (0..40).fold(json!(1), |inner, _| json!([inner]));
    vec![
        Value::Null,
        json!(-1),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!("\u{0}~.~"),
        json!("x".repeat(3_000)),
        json!(b64u([0xFF; 32])),
        json!([]),
        json!({}),
        Value::Array(vec![json!({"query": "paya", "pointer": "/total"}); 300]),
        nested,
    ]
}

/// Every place in a document but its root, by its pointer; of the elements of an array the first two.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.replace('/', "~1"), value)).collect()
        }
        Value::Array(elements) => {
            elements.iter().take(2).enumerate().map(|(n, value)| (n.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in children {
        let place = format!("{at}/{name}");
        all.push(place.clone());
        places(value, &place, all);
    }
}

/// The document with each oddity in each place, and once without each member.
fn bent(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    places(value, "", &mut all);
    let mut bent = Vec::new();
    for place in &all {
        bent.extend(oddities().into_iter().map(|odd| {
            let mut value = value.clone();
            *value.pointer_mut(place).unwrap() = odd;
            value
        }));
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut value = value.clone();
        if let Some(Value::Object(members)) = value.pointer_mut(parent) {
            members.remove(&name.replace("~1", "/"));
            bent.push(value);
        }
    }
    bent
}

/// Texts that are nearly the message: cut short, with a byte bent, and with a part missing.
fn broken(text: &str) -> Vec<String> {
    let steps = (0..text.len()).step_by(text.len() / 25 + 1);
    let cut = steps.clone().map(|at| text[..at].to_owned());
    let other = steps.map(|at| {
        format!("{}{}{}", &text[..at], if &text[at..=at] == "A" { "B" } else { "A" }, &text[at + 1..])
    });
    let parts = (0..5).map(|gone| {
        let kept = text.split('.').enumerate().filter(|(at, _)| *at != gone).map(|(_, part)| part);
        kept.collect::<Vec<_>>().join(".")
    });
    cut.chain(other)
        .chain(parts)
        .chain([".".repeat(200_000), "A".repeat(200_000), "{".repeat(2_000)])
        .collect()
}

/// Gives `wallet` everything that `message` could have been, and says how much of it was refused.
async fn gives(wallet: &Wallet, message: &str) -> usize {
    let (key, parties) = (key_of(wallet).await, parties(message));
    let honest = opened(message, &key);
    let bent = bent(&honest).into_iter().filter(|value| *value != honest);
    let mut refused = 0;
    for lie in bent.map(|value| sealed(&value, key.public(), &parties)).chain(broken(message)) {
        assert!(wallet.exchange(&lie).await.is_err(), "something else than was said is taken");
        refused += 1;
    }
    refused
}

#[tokio::test]
async fn contributions_that_are_bent() {
    let couple = Couple::new().await;
    let message = couple.contribution().await;
    assert!(gives(&couple.one.wallet, &message).await > 250);
    assert!(couple.one.wallet.exchange(&message).await.is_ok(), "the honest one is taken afterwards");
}

#[tokio::test]
async fn proofs_that_are_bent() {
    let couple = Couple::new().await;
    let message = couple.proof().await;
    assert!(gives(&couple.two.wallet, &message).await > 100);
    assert!(couple.two.wallet.exchange(&message).await.is_ok(), "the honest one is taken afterwards");
}

#[tokio::test]
async fn signatures_that_are_bent() {
    let couple = Couple::new().await;
    let message = couple.binding().await;
    assert!(gives(&couple.one.wallet, &message).await > 90);
    assert!(couple.one.wallet.exchange(&message).await.is_ok(), "the honest ones are taken afterwards");
}

#[tokio::test]
async fn invitations_that_are_bent() {
    let couple = Couple::new().await;
    let message = couple.invitation().await;
    let honest: Value = serde_json::from_str(&message).unwrap();
    let texts = bent(&honest).into_iter().filter(|value| *value != honest).map(|value| value.to_string());
    for text in texts.chain(broken(&message)) {
        let _ = couple.two.wallet.invited(&text).await;
    }
    assert!(couple.two.wallet.invited(&message).await.is_ok());
}
