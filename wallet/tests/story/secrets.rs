//! A service that asks for what opens commitments gets none of it, however it asks and whoever let it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use vouchsafe_proofs::commitment::Seed;
use vouchsafe_protocol::encoding::{b64u, b64u_array, b64u_decode};

use super::world::ISSUER;
use super::world::issuer::{VCT, card};
use super::world::service::{SECRETS, presentations};
use super::*;

/// Seeds, blindings, the link secret and keys in a vault, each as its bytes.
async fn secrets_of(wallet: &Wallet) -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    for record in wallet.vault().scan(Section::Seed).await.unwrap() {
        let opened: Value = serde_json::from_slice(&record.plain).unwrap();
        let seed: [u8; 32] = b64u_array(opened["seed"].as_str().unwrap()).unwrap();
        let vcts = [format!("{VCT}/zk"), card::described().proof_vct()];
        for attribute in opened["attributes"].as_array().unwrap() {
            let pointer = attribute["pointer"].as_str().unwrap();
            let r = |vct: &String| Seed::new(seed).blinding(ISSUER, vct, pointer).to_bytes().to_vec();
            secrets.extend(vcts.iter().map(r));
        }
        secrets.push(seed.to_vec());
        secrets.extend(opened["link"].as_str().map(|link| b64u_decode(link).unwrap()));
    }
    let link = wallet.vault().scan(Section::Link).await.unwrap().remove(0);
    let link: Value = serde_json::from_slice(&link.plain).unwrap();
    secrets.push(b64u_decode(link["x"].as_str().unwrap()).unwrap());
    // PKCS#8 of a key on P-256: its private number.
    let keys = wallet.vault().scan(Section::HolderKey).await.unwrap();
    secrets.extend(keys.iter().map(|key| key.plain[36..68].to_vec()));
    secrets
}

/// A text, and all that is written in it as base64url, through and through.
fn unfolded(text: &str) -> Vec<Vec<u8>> {
    let mut all = vec![text.as_bytes().to_vec()];
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    for bytes in words.filter(|word| word.len() > 20).filter_map(|word| b64u_decode(word).ok()) {
        all.extend(std::str::from_utf8(&bytes).map(unfolded).unwrap_or_default());
        all.push(bytes);
    }
    all
}

fn holds(text: &str, secret: &[u8]) -> bool {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let forms = [secret.to_vec(), b64u(secret).into_bytes(), hex.into_bytes()];
    let within = |hay: &Vec<u8>| forms.iter().any(|form| hay.windows(form.len()).any(|part| part == form));
    unfolded(text).iter().any(within)
}

async fn collected(world: &Arc<World>, directory: &std::path::Path) -> Wallet {
    let wallet = world.wallet(directory).await;
    wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
    wallet.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    wallet
}

#[tokio::test]
async fn whoever_asks_for_what_opens_a_commitment_gets_nothing_of_it() {
    let world = World::with(old_resident(), Spoil::None, Rogue::SeedAsking);
    let directory = tempfile::tempdir().unwrap();
    let wallet = collected(&world, directory.path()).await;
    let secrets = secrets_of(&wallet).await;
    assert!(secrets.len() > 4 * COPIES as usize && secrets.iter().all(|secret| secret.len() == 32));
    let mut answered = BTreeSet::new();
    for vct in [format!("{VCT}/zk"), card::described().proof_vct()] {
        for pointer in SECRETS {
            world.service.ask_to_see(&vct, pointer);
            let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
            if wallet.share(&review, Confirmed::Share).await.is_ok() {
                answered.insert(pointer);
            }
        }
    }
    // What every service sees of a copy anyway, and of it not what it hides.
    assert!(answered.iter().all(|pointer| pointer.starts_with("/zkc")), "{answered:?}");
    assert!(!answered.contains("/zkc/~1birth_date/r"));
    let posts = world.service.posts();
    assert!(!posts.is_empty(), "some of it is in the open");
    for text in posts.iter().flat_map(|post| presentations(&world, post)) {
        assert!(secrets.iter().all(|secret| !holds(&text, secret)), "an answer opens a commitment");
    }
    let history = format!("{:?}", wallet.history().await.unwrap());
    assert!(secrets.iter().all(|secret| !holds(&history, secret)));
}

/// A proof is made with all of them, and holds none; and what looks for them would find one.
#[tokio::test]
async fn a_proof_holds_nothing_that_opens_a_commitment() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = collected(&world, directory.path()).await;
    let secrets = secrets_of(&wallet).await;
    for name in [false, true] {
        if name {
            world.service.ask_name("swim");
        }
        let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
        wallet.share(&review, Confirmed::Share).await.unwrap();
    }
    let posts = world.service.posts();
    assert_eq!(posts.len(), 2);
    for text in posts.iter().flat_map(|post| presentations(&world, post)) {
        assert!(secrets.iter().all(|secret| !holds(&text, secret)), "an answer opens a commitment");
        let (rest, last) = text.rsplit_once('.').unwrap();
        let told = format!(r#"{{"note":"{}"}}"#, b64u(&secrets[0]));
        assert!(holds(&format!("{rest}.{}~{last}", b64u(told)), &secrets[0]));
    }
}
