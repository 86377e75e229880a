//! A council enrols its register, and Resident 0042 gets a letter.

use std::collections::BTreeSet;

use jiff::civil::date;
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::jose::jws::sign;
use vouchsafe_protocol::jose::{Alg, Signer as _};
use vouchsafe_protocol::openid4vci::metadata::{IssuerMetadata, ServerMetadata};
use vouchsafe_protocol::openid4vci::offer::OfferLink;
use vouchsafe_protocol::text::{Bilingual, Env};
use vouchsafe_protocol::time::DAY;
use vouchsafe_protocol::trust::{CodeRow, Judge, Registrar, Row, Table, TrustFile, unsigned};
use vouchsafe_service::keys::{Jws, SigningKey};

use super::council::{Council, ISSUER, NOW, PLANTED, REGISTER, WARDS, credential_type, options};
use super::wallet::Wallet;
use crate::RegistrarFiles;
use crate::import;
use crate::offer::{Delivery, Language, Letter};
use crate::store::{Issuing as _, Register as _};
use crate::{Kind, registrar};

#[tokio::test]
async fn a_council_enrols_its_register_and_resident_0042_gets_a_letter() {
    let council = Council::new().await;

    // The officer looks before importing, and nothing happens yet.
    let file = council.file(&REGISTER.replace("1951-08-02", "2 August 1951"));
    let preview = import::preview(&council.app, &file, &options()).unwrap();
    assert_eq!((preview.records, preview.rejected), (5, 1));
    assert_eq!(
        preview.errors[0].to_string(),
        "line 6: date_of_birth does not have the form of its kind, such as 2001-12-31 for a date"
    );
    let person = council.app.secrets().person(&credential_type(), "LD-0042");
    assert_eq!(council.app.store().person("residency", person).await.unwrap(), None);

    // Then the file is imported: four of five can be issued to.
    let mut told = 0;
    let report = import::run(&council.app, &file, &options(), |_| told += 1).await.unwrap();
    assert_eq!((report.progress.added, report.progress.rejected, report.errors.len(), told), (4, 1, 1, 1));
    let enrolled = council.app.store().person("residency", person).await.unwrap().unwrap();
    assert_eq!(enrolled.facts_as_of, date(2026, 11, 20));

    // The letter has the link on one page and the code on the other.
    let offer = council.offer_to("LD-0042", Kind::Proof, Delivery::Letter).await;
    let recipient = vec!["Resident 0042".to_owned(), "42 Canary Street & Co".to_owned()];
    let letter = offer.letter(&council.app, &Letter { recipient, language: Language::English }).unwrap();
    let (first, second) = letter.split_once("</section>").unwrap();
    assert!(first.contains(&offer.link()) && first.contains("<svg") && !first.contains(offer.tx_code()));
    assert!(second.contains(offer.tx_code()) && !second.contains(&offer.address()));
    assert!(first.contains("42 Canary Street &#38; Co") && first.contains("18 December 2026"));

    // The wallet follows the link.
    let wallet = Wallet::new(&council, 30);
    let OfferLink::Reference(address) = OfferLink::parse(&offer.link()).unwrap() else {
        panic!("by reference")
    };
    assert_eq!(address, offer.address());
    let fetched = wallet.offer(&offer).await;
    assert_eq!(fetched.credential_configuration_ids, ["residency-zk"]);
    let metadata = wallet.metadata().await;
    assert_eq!(metadata.offered(&fetched.credential_configuration_ids).unwrap().len(), 1);
    let server = council.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(
        ServerMetadata::parse(&server.body, ISSUER).unwrap().token_endpoint,
        format!("{ISSUER}/token")
    );

    // It collects thirty copies and finds every one in order.
    let token = wallet.token(&offer).await;
    let nonce = wallet.nonce().await;
    let reply = wallet.ask_encrypted(&token, &nonce).await;
    let copies = wallet.open(&reply);
    let visible: Vec<String> = copies.iter().map(|copy| plain_text(&copy.credential)).collect();
    let received = wallet.keep(copies, &credential_type().proof_vct());
    assert_eq!(received.len(), 30);
    for (copy, visible) in received.iter().zip(&visible) {
        let values = &copy.opened.as_ref().unwrap().values;
        let hidden = ["/birth_date", "/ward", "/tenant"].map(|pointer| values[pointer].integer());
        assert_eq!(hidden, [Some(130_829), Some(142), Some(1)]);
        assert_eq!(copy.held.claims()["name"], "Resident 0042");
        assert_eq!(
            (copy.facts_as_of, copy.expires_at.0),
            (Some(date(2026, 11, 20)), (NOW.0 / DAY + 90) * DAY)
        );
        assert!(!visible.contains("1958-03-14") && !visible.contains("W142"), "only proved, never shown");
    }

    // The offer is used up, and whoever finds the letter gets nothing.
    assert_eq!(
        council.get(address.strip_prefix(ISSUER).unwrap()).await.refused(),
        (410, "offer-over".to_owned())
    );
    let again = wallet.ask_token(&fetched.grants.pre_authorized.code, Some(offer.tx_code())).await;
    assert_eq!(again.refused(), (400, "invalid_grant".to_owned()));
    let spent = council.app.store().grant(council.app.secrets().token(&token)).await.unwrap().unwrap();
    assert!(spent.spent);

    // Neither values nor secrets are in the database.
    let handle = address.rsplit('/').next().unwrap();
    let seed = b64u(received[0].opened.as_ref().unwrap().seed.to_bytes().as_slice());
    let secrets = [handle, &fetched.grants.pre_authorized.code, offer.tx_code(), &token, &nonce, &seed];
    for secret in PLANTED.iter().chain(&secrets) {
        assert!(!is_stored(&council, secret), "{secret}");
    }
}

/// Every part of a credential that can be read without its openings.
fn plain_text(credential: &str) -> String {
    let parts = credential.split(['~', '.']).filter_map(|part| b64u_decode(part).ok());
    parts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

fn is_stored(council: &Council, text: &str) -> bool {
    ["issuer.sqlite", "issuer.sqlite-wal"].iter().any(|name| {
        let bytes = std::fs::read(council.folder().join(name)).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn a_wallet_that_knows_no_proofs_collects_plain_copies_in_clear() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 3);
    let offer = council.offer(Kind::Plain).await;
    let token = wallet.token(&offer).await;
    let reply = wallet.ask_plain(&token, &wallet.nonce().await).await;
    let received = wallet.keep(wallet.open(&reply), &credential_type().vct);
    for copy in &received {
        assert!(!copy.held.claims().contains_key("zkc") && !copy.held.claims().contains_key("birth_date"));
        assert_eq!(
            (&copy.held.claims()["address"], &copy.held.claims()["tenant"]),
            (&"42 Canary Street, Larkfield".into(), &true.into())
        );
    }
}

#[tokio::test]
async fn plain_copies_can_be_collected_encrypted_too() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 2);
    let token = wallet.token(&council.offer(Kind::Plain).await).await;
    let request = wallet.wish("residency", wallet.proofs(&wallet.nonce().await).await);
    let reply = wallet.ask(&token, super::wallet::JWT, wallet.sealed(&request).await).await;
    assert_eq!(wallet.keep(wallet.open(&reply), &credential_type().vct).len(), 2);
}

#[tokio::test]
async fn a_row_that_lacks_what_is_only_shown_has_as_many_digests() {
    let council = Council::enrolled().await;
    let mut counts = BTreeSet::new();
    for person in ["LD-0042", "LD-0043"] {
        let wallet = Wallet::new(&council, 1);
        let offer = council.offer_to(person, Kind::Proof, Delivery::Link).await;
        let reply = wallet.ask_encrypted(&wallet.token(&offer).await, &wallet.nonce().await).await;
        let copies = wallet.open(&reply);
        let payload = b64u_decode(copies[0].credential.split('.').nth(1).unwrap()).unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        counts.insert(payload["_sd"].as_array().unwrap().len());
        wallet.keep(copies, &credential_type().proof_vct());
    }
    assert_eq!(counts, BTreeSet::from([3]));
}

#[tokio::test]
async fn a_later_register_updates_people_by_their_key() {
    let council = Council::enrolled().await;
    let mut later = options();
    later.facts_as_of = date(2026, 11, 21);
    let moved = REGISTER.replace("W142", "W143");
    let report = import::run(&council.app, &council.file(&moved), &later, |_| {}).await.unwrap();
    assert_eq!((report.progress.added, report.progress.updated), (0, 5));
    let wallet = Wallet::new(&council, 1);
    let token = wallet.token(&council.offer(Kind::Proof).await).await;
    let reply = wallet.ask_encrypted(&token, &wallet.nonce().await).await;
    let received = wallet.keep(wallet.open(&reply), &credential_type().proof_vct());
    assert_eq!(received[0].opened.as_ref().unwrap().values["/ward"].integer(), Some(143));
    assert_eq!(received[0].facts_as_of, Some(date(2026, 11, 21)));
}

#[tokio::test]
async fn the_letter_speaks_welsh_and_the_terminal_shows_a_picture() {
    let council = Council::enrolled().await;
    let offer = council.offer_to("LD-0042", Kind::Plain, Delivery::Letter).await;
    let letter = Letter { recipient: Vec::new(), language: Language::Welsh };
    let page = offer.letter(&council.app, &letter).unwrap();
    for words in
        ["<html lang=\"cy\">", "Preswyliaeth Larkfield", "Cyngor Dosbarth Larkfield", "18 Rhagfyr 2026"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("Larkfield residency"));
    assert!(offer.qr_text().unwrap().lines().count() > 20);
    let OfferLink::Value(inside) = OfferLink::parse(&offer.link_by_value()).unwrap() else {
        panic!("by value")
    };
    assert_eq!(inside.credential_configuration_ids, ["residency"]);
}

/// The type is set in points, and nothing is smaller than twelve.
#[test]
fn the_letter_is_legible() {
    let page = include_str!("../../templates/letter.html");
    let sizes = page
        .split("font-size: ")
        .skip(1)
        .map(|rest| rest.split("pt").next().unwrap().parse::<u32>().unwrap());
    assert!(sizes.into_iter().all(|size| size >= 12));
    for banned in ["GDS Transport", "@font-face", "govuk-crest", "http://", "src="] {
        assert!(!page.contains(banned), "{banned}");
    }
}

#[tokio::test]
async fn what_the_registrar_signed_is_passed_on_as_it_stands_now() {
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("lists");
    std::fs::create_dir(&lists).unwrap();
    let key = SigningKey::generate().unwrap();
    let (id, version) = WARDS.rsplit_once('/').unwrap();
    let name = Bilingual { en: "Ward".to_owned(), cy: "Ward".to_owned() };
    let rows =
        (100..103).map(|index| Row::Code(CodeRow { code: format!("W{index}"), index, name: name.clone() }));
    let table = Table {
        iss: "https://registrar.example".to_owned(),
        iat: NOW,
        exp: NOW.plus(DAY),
        reg_version: 1,
        sub: id.to_owned(),
        version: version.parse().unwrap(),
        rows: rows.collect(),
    };
    let table = sign(unsigned(&table, Alg::Es256, "r1"), &key).await.unwrap();
    std::fs::write(lists.join("wards.jws"), format!("{table}\n")).unwrap();
    let files = RegistrarFiles { entry: Some(folder.path().join("issuer.jws")), lists: Some(lists.clone()) };
    assert_eq!(registrar::code_lists(&files).unwrap().index(WARDS, "W102"), Some(102));

    std::fs::write(folder.path().join("issuer.jws"), "of yesterday").unwrap();
    let council = Council::with(files).await;
    let entry = sign(unsigned(&council.entry(), Alg::Es256, "r1"), &key).await.unwrap();
    std::fs::write(folder.path().join("issuer.jws"), format!("{entry}\n")).unwrap();

    let metadata: IssuerMetadata = Wallet::new(&council, 0).metadata().await;
    let trust = serde_json::json!({"iss": "https://registrar.example", "jwks": {"keys": [pinned(&key)]}, "anchors": []});
    let registrar: Registrar = TrustFile::parse(trust.to_string().as_bytes()).unwrap().registrar;
    let judge = Judge { registrar: &registrar, last_seen: 0, now: NOW, verifier: &Jws };
    let vct = credential_type().proof_vct();
    assert_eq!(metadata.entry(&judge, Env::Test, &[&vct]).unwrap().document().sub, ISSUER);
    assert_eq!(metadata.tables(&judge).unwrap().code_lists().index(WARDS, "W100"), Some(100));

    // A list that is not signed yet is known and not passed on.
    let unsigned = "id = \"urn:list\"\nversion = 2\n[[rows]]\ncode = \"A\"\nindex = 7\nname = { en = \"A\", cy = \"A\" }\n";
    std::fs::write(lists.join("other.toml"), unsigned).unwrap();
    let files = RegistrarFiles { entry: None, lists: Some(lists.clone()) };
    assert_eq!(registrar::code_lists(&files).unwrap().index("urn:list/2", "A"), Some(7));
    assert_eq!(registrar::read(&files).unwrap().lists.len(), 1);

    std::fs::write(lists.join("other.jws"), "not signed").unwrap();
    assert!(registrar::code_lists(&files).is_err());
}

fn pinned(key: &SigningKey) -> serde_json::Value {
    let mut jwk = key.public().to_value();
    jwk["kid"] = "r1".into();
    jwk
}
