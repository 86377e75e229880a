//! Copies that are linked to a wallet's secret: each person is held to one, over all types, until the counter forgets it.

use jiff::civil::{Date, date};
use serde_json::{Value, json};
use vouchsafe_proofs::commitment::{Blinding, Commitment};
use vouchsafe_proofs::encoding::day;
use vouchsafe_proofs::pseudonym::LinkSecret;
use vouchsafe_proofs::sigma::link::registration::{Asked, NewCopy, blindings, prove};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::jws::sign;
use vouchsafe_protocol::openid4vci::credential::Copy;
use vouchsafe_protocol::openid4vci::proof;
use vouchsafe_protocol::types::{CredentialType, LINK_SINCE};
use vouchsafe_protocol::zkc;
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};

use super::bound::Bound;
use super::council::{Council, ISSUER, REGISTER, Reply, linked_types, options};
use super::wallet::{JWT, Wallet};
use crate::import;
use crate::issue::IssueError;
use crate::offer::{Delivery, Offer, OfferRequest};
use crate::store::{Mac, Register as _, Verdict};
use crate::{Kind, deferral, linking, offer};

const OTHER_WALLET: &str = "urn:vouchsafe:other_wallet:1";

/// A link secret, and what the copies of one request are linked to.
struct Secret {
    x: LinkSecret,
    links: Vec<Commitment>,
}

impl Secret {
    fn new(byte: u8) -> Self {
        Self { x: LinkSecret::from_canonical_bytes([byte; 32]).unwrap(), links: Vec::new() }
    }

    /// The sealed request of a wallet for linked copies.
    async fn request(&mut self, wallet: &Wallet<'_>, described: &CredentialType) -> String {
        let (nonce, vct, entropy) = (wallet.nonce().await, described.proof_vct(), OsEntropy::new());
        let rng = &mut EntropyRng(&entropy);
        let asked = Asked { issuer: ISSUER, vct: &vct, c_nonce: &nonce };
        let t: Vec<Blinding> = blindings(&asked, wallet.keys.len(), &self.x, rng);
        self.links = t.iter().map(|t| self.x.commit(t)).collect();
        let (mut copies, mut proofs) = (Vec::new(), Vec::new());
        for (key, link) in wallet.keys.iter().zip(&self.links) {
            copies.push(NewCopy { holder_key: key.public().thumbprint(), link: *link });
            let now = wallet.council.app.now();
            let unsigned = proof::unsigned_linked(key.public(), ISSUER, &nonce, link, now);
            proofs.push(sign(unsigned, key).await.unwrap());
        }
        let proof = prove(&asked, &copies, &self.x, &t, rng).unwrap();
        let mut request: Value =
            serde_json::from_slice(&wallet.wish(&described.proof_configuration(), proofs)).unwrap();
        request["link_proof"] = json!(b64u(proof));
        wallet.sealed(request.to_string().as_bytes()).await
    }
}

async fn offered(council: &Council, type_id: &str, person: &str) -> Offer {
    let (type_id, person) = (type_id.to_owned(), person.to_owned());
    let request = OfferRequest { type_id, person, kind: Kind::Proof, delivery: Delivery::Link };
    offer::create(&council.app, &request).await.unwrap()
}

/// Collects for a person with the wallet of a secret.
async fn collect<'a>(council: &'a Council, person: &str, secret: &mut Secret) -> (Wallet<'a>, Reply) {
    let [residency, _] = linked_types();
    let wallet = Wallet::new(council, 2);
    let token = wallet.token(&offered(council, "residency", person).await).await;
    let request = secret.request(&wallet, &residency).await;
    let reply = wallet.ask(&token, JWT, request).await;
    (wallet, reply)
}

/// The batch, with every check that a wallet makes of it, and since when it says that the secret is registered.
fn since(wallet: &Wallet<'_>, reply: &Reply, secret: &Secret, described: &CredentialType) -> u64 {
    let copies: Vec<Copy> = wallet.open(reply);
    let received = wallet.keep_linked(copies, &described.proof_vct(), Some(&secret.links));
    let days =
        received.iter().map(|copy| copy.opened.as_ref().unwrap().values[LINK_SINCE].integer().unwrap());
    let days: std::collections::BTreeSet<u64> = days.collect();
    assert_eq!((received.len(), days.len()), (2, 1));
    for copy in received {
        let claim = copy.held.claims()[zkc::CLAIM].clone();
        assert_eq!(zkc::link(&claim).unwrap(), Some(secret.links[copy.key]));
    }
    days.into_iter().next().unwrap()
}

fn number(date: Date) -> u64 {
    day(date).unwrap()
}

fn refused() -> (u16, String) {
    (400, OTHER_WALLET.to_owned())
}

#[tokio::test]
async fn a_second_wallet_is_sent_to_the_counter_and_collects_after_it() {
    let council = Council::linking().await;
    let [residency, _] = linked_types();
    let (mut first, mut second, mut neighbours) = (Secret::new(9), Secret::new(8), Secret::new(7));
    let (wallet, reply) = collect(&council, "LD-0042", &mut first).await;
    assert_eq!(since(&wallet, &reply, &first, &residency), number(date(2026, 11, 21)));
    // Another day, another batch: the same secret, and the day is that of the registration.
    council.clock.advance(86_400);
    let (wallet, reply) = collect(&council, "LD-0042", &mut first).await;
    assert_eq!(since(&wallet, &reply, &first, &residency), number(date(2026, 11, 21)));

    let (_, reply) = collect(&council, "LD-0042", &mut second).await;
    assert_eq!(reply.refused(), refused());
    assert!(reply.json()["error_description"].as_str().unwrap().contains("counter"));
    // Nor does a resident's wallet collect for a neighbour.
    let (_, reply) = collect(&council, "LD-0041", &mut first).await;
    assert_eq!(reply.refused(), refused());
    let (wallet, reply) = collect(&council, "LD-0041", &mut neighbours).await;
    assert_eq!(since(&wallet, &reply, &neighbours, &residency), number(date(2026, 11, 22)));

    council.clock.advance(86_400);
    assert!(!linking::release(&council.app, "LD-0043").await.unwrap());
    assert!(linking::release(&council.app, "LD-0042").await.unwrap());
    let (wallet, reply) = collect(&council, "LD-0042", &mut second).await;
    assert_eq!(since(&wallet, &reply, &second, &residency), number(date(2026, 11, 23)));
    let (_, reply) = collect(&council, "LD-0042", &mut first).await;
    assert_eq!(reply.refused(), refused());
}

#[tokio::test]
async fn a_wallet_that_was_replaced_collects_for_nobody_again() {
    let council = Council::linking().await;
    let [residency, _] = linked_types();
    let (mut lost, mut new) = (Secret::new(9), Secret::new(8));
    collect(&council, "LD-0042", &mut lost).await;
    assert!(linking::release(&council.app, "LD-0042").await.unwrap());
    // Neither before the new one nor after it, and not for a neighbour.
    for person in ["LD-0042", "LD-0041"] {
        let (_, reply) = collect(&council, person, &mut lost).await;
        assert_eq!(reply.refused(), refused(), "{person}");
    }
    let (wallet, reply) = collect(&council, "LD-0042", &mut new).await;
    assert_eq!(since(&wallet, &reply, &new, &residency), number(date(2026, 11, 21)));
    assert!(linking::release(&council.app, "LD-0042").await.unwrap());
    let (_, reply) = collect(&council, "LD-0042", &mut lost).await;
    assert_eq!(reply.refused(), refused());
}

/// Of every type, linked or not: whoever has the lost wallet has what it was about to collect.
#[tokio::test]
async fn what_was_open_when_a_wallet_was_replaced_is_over() {
    let council = Council::linking().await;
    let [residency, _] = linked_types();
    let (mut lost, mut new) = (Secret::new(9), Secret::new(8));
    collect(&council, "LD-0042", &mut lost).await;
    let letter = council.offer(Kind::Plain).await;
    let wallet = Wallet::new(&council, 2);
    let code = wallet.offer(&letter).await.grants.pre_authorized.code;
    let token = wallet.token(&offered(&council, "residency", "LD-0042").await).await;
    let (late, late_token, put) = put_off(&council, &mut lost).await;
    approve(&council).await;
    assert!(linking::release(&council.app, "LD-0042").await.unwrap());

    let reply = wallet.ask_token(&code, Some(letter.tx_code())).await;
    assert_eq!(reply.refused(), (400, "invalid_grant".to_owned()));
    let request = new.request(&wallet, &residency).await;
    assert_eq!(wallet.ask(&token, JWT, request).await.refused(), (401, "invalid_token".to_owned()));
    let denied = (400, "credential_request_denied".to_owned());
    assert_eq!(collected(&late, &late_token, &put).await.refused(), denied);
    let (wallet, reply) = collect(&council, "LD-0042", &mut new).await;
    assert_eq!(since(&wallet, &reply, &new, &residency), number(date(2026, 11, 21)));
}

#[tokio::test]
async fn a_refusal_uses_nothing_up() {
    let council = Council::linking().await;
    let [residency, _] = linked_types();
    let (mut first, mut second) = (Secret::new(9), Secret::new(8));
    collect(&council, "LD-0042", &mut first).await;
    let wallet = Wallet::new(&council, 2);
    let token = wallet.token(&offered(&council, "residency", "LD-0042").await).await;
    let other = second.request(&wallet, &residency).await;
    assert_eq!(wallet.ask(&token, JWT, other).await.refused(), refused());
    // The token is as it was: the wallet that is registered has its copies by it.
    let own = first.request(&wallet, &residency).await;
    let reply = wallet.ask(&token, JWT, own).await;
    assert_eq!(since(&wallet, &reply, &first, &residency), number(date(2026, 11, 21)));
}

/// Asks for the copies that an officer decides on; the transaction, if it was put off.
async fn put_off<'a>(council: &'a Council, secret: &mut Secret) -> (Bound<'a>, String, Reply) {
    let [_, card] = linked_types();
    let bound = Bound::new(council, 2);
    let token = bound.token(&offered(council, "card", "LD-0042").await).await;
    let request = secret.request(&bound.wallet, &card).await;
    let reply = bound.call("/credential", JWT, &token, request).await;
    (bound, token, reply)
}

async fn approve(council: &Council) {
    for waiting in deferral::waiting(&council.app, Some("LD-0042")).await.unwrap() {
        deferral::decide(&council.app, &waiting.reference, Verdict::Approve).await.unwrap();
    }
}

async fn collected(bound: &Bound<'_>, token: &str, reply: &Reply) -> Reply {
    let transaction = bound.wallet.transaction(reply);
    let wish: Value = serde_json::from_slice(&bound.wallet.wish("card-zk", Vec::new())).unwrap();
    let key = &wish["credential_response_encryption"];
    let body = json!({"transaction_id": transaction, "credential_response_encryption": key}).to_string();
    bound.call("/deferred", JWT, token, bound.wallet.sealed(body.as_bytes()).await).await
}

#[tokio::test]
async fn a_person_is_one_over_all_types_and_when_a_batch_comes_late() {
    let council = Council::linking().await;
    let [_, card] = linked_types();
    let (mut first, mut second) = (Secret::new(9), Secret::new(8));
    // Put off while nobody is registered: the secret is registered with the batch, not with the request.
    let (late, late_token, put) = put_off(&council, &mut second).await;
    let (_, reply) = collect(&council, "LD-0042", &mut first).await;
    assert_eq!(reply.status, 200);
    approve(&council).await;
    assert_eq!(collected(&late, &late_token, &put).await.refused(), refused());
    // With another secret nothing is put off at all.
    let (_, _, reply) = put_off(&council, &mut Secret::new(7)).await;
    assert_eq!(reply.refused(), refused());
    assert!(deferral::waiting(&council.app, None).await.unwrap().is_empty());
    // The same wallet gets the other type.
    let (bound, token, reply) = put_off(&council, &mut first).await;
    approve(&council).await;
    let reply = collected(&bound, &token, &reply).await;
    assert_eq!(since(&bound.wallet, &reply, &first, &card), number(date(2026, 11, 21)));
    // What was open is over after the counter.
    linking::release(&council.app, "LD-0042").await.unwrap();
    let denied = (400, "credential_request_denied".to_owned());
    assert_eq!(collected(&late, &late_token, &put).await.refused(), denied);
}

#[tokio::test]
async fn a_row_from_before_the_type_was_linked_is_imported_again_first() {
    let council = Council::linking().await;
    let [residency, _] = linked_types();
    let secrets = council.app.secrets();
    let person = secrets.person(&residency, "LD-0042");
    let row = council.app.store().person("residency", person).await.unwrap().unwrap();
    let mut facts = secrets.open_facts("residency", person, &row.sealed).unwrap();
    assert!(facts.remove(zkc::LINK).is_some());
    let linked = linking::Linked { nym: Mac([1; 32]), links: Vec::new() };
    let refused = linking::to_register(&council.app, &mut facts, &linked).await.unwrap_err();
    assert_eq!(refused, linking::LinkError::Row(IssueError::Facts));
    assert!(facts.get(LINK_SINCE).is_none());
}

#[tokio::test]
async fn metadata_say_what_is_linked_and_plain_copies_are_not() {
    let council = Council::linking().await;
    let wallet = Wallet::new(&council, 1);
    let metadata = wallet.metadata().await;
    let linked = |id: &str| metadata.credential_configurations_supported[id].link;
    assert!(linked("residency-zk") && linked("card-zk") && !linked("residency") && !linked("card"));
    let offer = council.offer(Kind::Plain).await;
    let token = wallet.token(&offer).await;
    let reply = wallet.ask_plain(&token, &wallet.nonce().await).await;
    let [residency, _] = linked_types();
    assert_eq!(wallet.keep(wallet.open(&reply), &residency.vct).len(), 1);
    // The row asks for no column that only the issuer fills.
    assert!(!REGISTER.lines().next().unwrap().contains("link"));
    let preview = import::preview(&council.app, &council.file(REGISTER), &options()).unwrap();
    assert_eq!((preview.records, preview.rejected), (5, 0));
}
