//! What a body signs about itself, and what stands at the address of its type.

use serde_json::{Value, json};
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::openid4vci::type_metadata::integrity;
use vouchsafe_protocol::trust::TrustFile;
use vouchsafe_wallet::{Collected, ReceiveError};

use crate::world::desk::{Metadata, Rules};
use crate::world::issuer::{OWN_VCT, Spoil, TX_CODE};
use crate::world::service::Rogue;
use crate::world::{World, old_resident};

/// What comes of an offer of a body with such a desk, and what the wallet then calls things.
async fn collects(spoil: Spoil, change: impl FnOnce(&mut Rules)) -> Result<Vec<Value>, ReceiveError> {
    let world = World::with(old_resident(), spoil, Rogue::None);
    world.issuer.desk.rule(change);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.issuer.link(), Some(TX_CODE)).await?;
    Ok(wallet.list().await.unwrap().iter().map(|one| json!(one)).collect())
}

/// As above, where the wallet also knows anchors that vouch for others.
async fn collects_among_many(metadata: Metadata) -> Result<Collected, ReceiveError> {
    let world = World::of(old_resident());
    world.issuer.desk.rule(|rules| rules.metadata = metadata);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.bare_wallet(directory.path()).await;
    let both = [&world.ca, &world.issuer.elsewhere];
    let anchors = both.map(|ca| Anchor::from_der(ca.certificate().to_vec()).unwrap()).to_vec();
    let file = TrustFile { registrar: world.pinned(), anchors };
    wallet.trust_add(&serde_json::to_vec(&file.to_value()).unwrap()).await.unwrap();
    wallet.receive(&world.issuer.link(), Some(TX_CODE)).await
}

#[tokio::test]
async fn signed_metadata_are_asked_for_and_a_wrong_signature_is_no_reason_to_go_on_without() {
    for (metadata, refused) in [
        (Metadata::Plain, None),
        (Metadata::Signed, None),
        (Metadata::SignedByOther, Some("metadata-signature")),
        (Metadata::SignedElsewhere, Some("metadata-signature")),
        (Metadata::SignedLongAgo, Some("metadata-time")),
    ] {
        let collected = collects_among_many(metadata).await;
        assert_eq!(collected.as_ref().err().map(ReceiveError::code), refused, "{metadata:?}");
        let of_the_anchor = collects(Spoil::None, |rules| rules.metadata = metadata).await;
        assert_eq!(of_the_anchor.err().map(|refused| refused.code()), refused, "{metadata:?}");
    }
}

/// A document of the type of proof copies.
fn document(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut document = json!({
        "vct": format!("{OWN_VCT}/zk"),
        "display": [{"locale": "en-GB", "name": "Living in Larkfield"}, {"locale": "cy", "name": "Byw yn Larkfield"}],
        "claims": [
            {"path": ["ward"], "display": [{"locale": "cy", "label": "eich ward"}, {"locale": "en", "label": "your ward"}]},
            {"path": ["address"], "display": []},
        ],
    });
    change(&mut document);
    serde_json::to_vec(&document).unwrap()
}

#[tokio::test]
async fn the_words_of_the_types_own_document_are_used() {
    let listed = collects(Spoil::Documented, |rules| rules.document = Some(document(|_| {}))).await.unwrap();
    assert_eq!(listed[0]["name"], json!({"en": "Living in Larkfield", "cy": "Byw yn Larkfield"}));
    let attributes = listed[0]["attributes"].as_array().unwrap();
    assert!(attributes.contains(&json!({"en": "your ward", "cy": "eich ward"})), "{attributes:?}");
    assert!(attributes.contains(&json!({"en": "address", "cy": "address (cy)"})), "{attributes:?}");

    // Without one, the issuer's metadata have words.
    let listed = collects(Spoil::Documented, |_| {}).await.unwrap();
    assert_eq!(listed[0]["name"]["en"], "Proof of residence");
}

#[tokio::test]
async fn a_document_that_is_not_right_is_refused_before_the_code_is_spent() {
    let other = document(|document| document["vct"] = json!("https://issuer.example/types/other/1"));
    let extending = document(|document| document["extends"] = json!("https://issuer.example/types/base/1"));
    for wrong in [other, extending, b"{}".to_vec()] {
        let world = World::with(old_resident(), Spoil::Documented, Rogue::None);
        world.issuer.desk.rule(|rules| rules.document = Some(wrong));
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.wallet(directory.path()).await;
        let refused = wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap_err();
        assert_eq!(refused.code(), "type-document", "{refused}");
        assert_eq!(world.issuer.desk.asked("token"), 0);
    }
}

/// Whether a batch is taken whose copies name `named` as the digest of a document.
async fn takes(document: Option<Vec<u8>>, named: &str) -> bool {
    let named = named.to_owned();
    let collected = collects(Spoil::Documented, |rules| {
        (rules.document, rules.integrity) = (document, Some(named));
    });
    let refused = collected.await.err().map(|refused| refused.code());
    assert!(refused.is_none_or(|code| code == "type-document"), "{refused:?}");
    refused.is_none()
}

#[tokio::test]
async fn copies_name_the_document_that_everybody_sees_and_nothing_else() {
    let text = document(|_| {});
    let digest = integrity(&text);
    assert!(takes(Some(text.clone()), &digest).await);
    assert!(!takes(Some(text.clone()), &integrity(b"another")).await);
    assert!(!takes(Some(text.clone()), &format!("{digest} sha999-0042")).await);
    assert!(!takes(Some(text), &format!("{digest}?0042")).await);
    assert!(!takes(None, &digest).await);
}

/// Whether somebody else than the issuer learns that its copies are collected.
async fn tells_others() -> bool {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    world.filled_wallet(directory.path()).await;
    world.issuer.desk.asked("https://larkfield.example/") > 0
}

#[tokio::test]
async fn nobody_but_the_issuer_is_asked_about_a_type() {
    assert!(!tells_others().await);
}

#[cfg(feature = "mutants")]
mod switches {
    use super::*;
    use crate::killed;

    #[tokio::test]
    async fn metadata() {
        killed("wallet-metadata-signature", async || {
            collects_among_many(Metadata::SignedByOther).await.is_ok()
        })
        .await;
        killed("wallet-metadata-anchor", async || {
            collects_among_many(Metadata::SignedElsewhere).await.is_ok()
        })
        .await;
    }

    #[tokio::test]
    async fn documents() {
        let text = document(|_| {});
        let digest = integrity(&text);
        killed("wallet-type-host", tells_others).await;
        killed("wallet-type-mark", async || {
            takes(Some(text.clone()), &format!("{digest} sha999-0042")).await
        })
        .await;
        killed("wallet-type-absent", async || takes(None, &digest).await).await;
    }
}
