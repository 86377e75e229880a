//! A stranger's wallet (@openid4vc, dcql, @sd-jwt) against our issuer and our verifier.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vouchsafe::district::{BUS_PASS, LEISURE, residents};
use vouchsafe_issuer::Kind;
use vouchsafe_wallet::Confirmed;

use crate::peer;
use crate::town::Town;

/// How many copies a stranger asks for.
const COPIES: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_collected_and_read_by_two_others() {
    let town = Town::open().await;
    let held = town.collected(residents::MET, COPIES).await;
    let texts: Vec<&Value> =
        held.as_array().expect("copies").iter().map(|copy| &copy["credential"]).collect();
    assert_eq!(texts.len(), 10);
    let input = json!({"anchor": town.anchor(), "issued": texts});
    let (node, python) = (peer::run("read.mjs", &input, None), peer::run("read.py", &input, None));
    assert_eq!(node["issued"], python["issued"], "two readers, one meaning");
    let copies = node["issued"].as_array().expect("claims");
    let holders: BTreeSet<String> = copies.iter().map(|copy| copy["cnf"].to_string()).collect();
    assert_eq!(holders.len(), copies.len(), "each copy has a key of its own");
    for copy in copies {
        assert_eq!(copy["iss"], json!(town.world.at.issuer_origin()));
        assert_eq!(copy["vct"], "https://larkfield.example/types/residency/1");
        assert_eq!((&copy["name"], &copy["ward"]), (&json!("Resident 0042"), &json!("W102")));
        assert_eq!(copy["address"], "42 Canary Street, Larkfield");
        assert!(copy.get("birth_date").is_none(), "what is only proved is not in a plain copy");
        let members: Vec<&String> = copy["cnf"]["jwk"].as_object().expect("a key").keys().collect();
        assert_eq!(members, ["crv", "kty", "x", "y"], "the least that names a key");
    }
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_code_is_told_to_a_stranger_and_the_right_one_works_afterwards() {
    let town = Town::open().await;
    let offer = town.offer(Kind::Plain, residents::MET).await;
    let input =
        |code: &str| json!({"offer": offer.link(), "tx_code": code, "copies": 1, "anchor": town.anchor()});
    let wrong = if offer.tx_code() == "000000" { "000001" } else { "000000" };
    let refused =
        peer::try_run("wallet.mjs", &input(wrong), Some(&town.authority())).expect_err("a wrong code");
    assert!(refused.contains("invalid_grant"), "{refused}");
    let held = town.strangers_wallet(input(offer.tx_code()))["held"].clone();
    assert_eq!(held.as_array().map(Vec::len), Some(1));
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_wallet_answers_leisure_by_the_ordinary_alternative() {
    let town = Town::open().await;
    let held = town.collected(residents::MET, 4).await;
    let copies = held.as_array().expect("copies");
    let ways = [("get", "A256GCM"), ("post", "A256GCM"), ("get", "A128GCM"), ("post", "A128GCM")];
    for (copy, (method, enc)) in copies.iter().zip(ways) {
        let mut question = town.ask(LEISURE).await;
        let input = json!({"held": [copy], "request": question.link, "method": method, "enc": enc});
        let answered = town.strangers_wallet(input);
        assert_eq!(answered["status"], 200, "{method} {enc}: {answered}");
        let decision =
            town.decided(&mut question, answered["redirect_uri"].as_str().expect("a way back")).await;
        assert_eq!((&decision["outcome"], &decision["evidence"]), (&json!("met"), &json!("disclosed")));
        assert_eq!(decision["policy"]["id"], LEISURE);
    }
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_with_a_plain_wallet_is_not_met() {
    let town = Town::open().await;
    let held = town.collected(residents::NEIGHBOUR, 1).await;
    let mut question = town.ask(LEISURE).await;
    let answered = town.strangers_wallet(json!({"held": held, "request": question.link, "method": "post"}));
    let decision = town.decided(&mut question, answered["redirect_uri"].as_str().expect("a way back")).await;
    assert_eq!(decision["outcome"], "not_met");
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_with_neither_is_told_so() {
    let town = Town::open().await;
    // A stranger holds nothing that the bus pass is answered with; its wallet says so, and the page names another way.
    let held = town.collected(residents::MET, 1).await;
    let mut question = town.ask(BUS_PASS).await;
    let answered = town.strangers_wallet(json!({"held": held, "request": question.link, "method": "post"}));
    assert_eq!(answered["unmatched"], json!(["q0", "n0", "n1a", "n1b"]), "no query has a match");
    let back = answered["redirect_uri"].as_str().expect("a way back");
    let page = question.browser.open(back).await.expect("the page");
    assert!(page.contains("Take your papers to any Larkfield library."), "{page}");
    let decision = town.operator.decision(&question.id).await.expect("an answer").expect("a decision");
    assert_eq!(decision["outcome"], "declined");

    // A wallet of ours that holds nothing refuses before it sends anything, in plain words.
    let resident = town.resident(residents::MET).await;
    let question = town.ask(LEISURE).await;
    let review = resident.review(&question.link).await.expect("a review");
    let refused = resident.wallet.share(&review, Confirmed::Share).await.expect_err("nothing is held");
    assert_eq!(refused.code(), "none-held");
    assert!(refused.to_string().contains("you hold no credential that the service accepts"), "{refused}");
    assert_eq!(town.operator.decision(&question.id).await.expect("an answer"), None, "nothing was decided");
    town.world.stop().await;
}

/// What a conformance suite's wallet sends to find verifiers that check too little.
#[tokio::test(flavor = "multi_thread")]
async fn one_thing_wrong_is_refused_and_the_honest_answer_is_taken_afterwards() {
    let town = Town::open().await;
    let held = town.collected(residents::MET, 1).await;
    let mut question = town.ask(LEISURE).await;
    let spoils = [
        "credential-signature",
        "kb-signature",
        "kb-aud",
        "kb-nonce",
        "kb-iat-past",
        "kb-iat-future",
        "sd-hash",
    ];
    let input = json!({"held": held, "request": question.link, "method": "get", "spoils": spoils});
    let answered = town.strangers_wallet(input);
    for spoil in spoils {
        let refused = &answered["spoiled"][spoil];
        assert_eq!(
            (&refused["status"], &refused["error"]),
            (&json!(400), &json!("invalid_request")),
            "{spoil}"
        );
        assert!(refused.get("redirect_uri").is_none(), "{spoil}");
    }
    // The request object was fetched eight times by now, and the honest answer is taken.
    let decision = town.decided(&mut question, answered["redirect_uri"].as_str().expect("a way back")).await;
    assert_eq!(decision["outcome"], "met");
    town.world.stop().await;
}

/// What a conformance suite's wallet does to find issuers that check too little, and credentials encrypted both ways.
#[tokio::test(flavor = "multi_thread")]
async fn requests_for_credentials_that_are_refused_leave_the_token_good() {
    let town = Town::open().await;
    let offer = town.offer(Kind::Plain, residents::MET).await;
    let input =
        json!({"offer": offer.link(), "tx_code": offer.tx_code(), "issuer": town.world.at.issuer_origin()});
    let said = peer::run("issuer_faults.mjs", &input, Some(&town.authority()));
    let expected = [
        ("FailOnInvalidNonce", 400, "invalid_nonce"),
        ("FailOnMissingProof", 400, "invalid_proof"),
        ("FailOnInvalidJwtProofSignature", 400, "invalid_proof"),
        ("FailOnUnknownCredentialConfigurationId", 400, "unknown_credential_configuration"),
        ("FailOnUnknownCredentialIdentifier", 400, "unknown_credential_identifier"),
        ("FailOnUnsupportedEncryptionAlgorithm", 400, "invalid_encryption_parameters"),
        ("FailOnUnsupportedEncryption", 400, "invalid_encryption_parameters"),
        ("FailOnRequestWithAccessTokenInQuery", 400, "invalid_request"),
    ];
    assert_eq!(said["faults"].as_object().map(serde_json::Map::len), Some(expected.len()));
    for (name, status, error) in expected {
        assert_eq!(said["faults"][name], json!({"status": status, "error": error}), "{name}");
    }
    assert_eq!(said["again"], json!({"status": 401, "error": "invalid_token"}), "a token has one batch");
    let read = peer::run("read.mjs", &json!({"anchor": town.anchor(), "issued": said["held"]}), None);
    assert_eq!(read["issued"][0]["name"], "Resident 0042");
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_strangers_collect_apart() {
    let town = Town::open().await;
    let (one, other) =
        (town.collected(residents::MET, 2).await, town.collected(residents::TOO_YOUNG, 2).await);
    let texts = |held: &Value| -> Vec<Value> {
        held.as_array().expect("copies").iter().map(|copy| copy["credential"].clone()).collect()
    };
    let issued = [texts(&one), texts(&other)].concat();
    let input = json!({"anchor": town.anchor(), "issued": issued});
    let read = peer::run("read.mjs", &input, None);
    let names: Vec<&Value> =
        read["issued"].as_array().expect("claims").iter().map(|copy| &copy["name"]).collect();
    assert_eq!(names, ["Resident 0042", "Resident 0042", "Resident 0007", "Resident 0007"]);
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_object_is_as_a_conformance_suite_wants_it() {
    let town = Town::open().await;
    let questions = [town.ask(LEISURE).await, town.ask(LEISURE).await, town.ask(BUS_PASS).await];
    let links: Vec<&str> = questions.iter().map(|question| question.link.as_str()).collect();
    let input = json!({"links": links, "anchor": town.anchor()});
    let said = peer::run("request_object.mjs", &input, Some(&town.authority()));
    let keys: BTreeSet<&str> =
        said["keys"].as_array().expect("keys").iter().filter_map(Value::as_str).collect();
    assert_eq!(keys.len(), 3, "no encryption key is used for two requests");
    town.world.stop().await;
}
