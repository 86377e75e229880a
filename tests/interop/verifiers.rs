//! Our wallet against a stranger's verifier (@openid4vc/openid4vp), whose answers are read by two others.
//!
//! Our wallet answers only a service and a purpose that the registrar vouches for, so the script passes on entries that
//! the district's registrar signed, with a policy or without one. What the wallet says to a stranger without them is tested too.

use serde_json::{Value, json};
use vouchsafe::demo::resident::Resident;
use vouchsafe::district::{LEISURE, residents};
use vouchsafe_issuer::Kind;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_service::dev_ca::Leaf;
use vouchsafe_wallet::review::Wish;
use vouchsafe_wallet::{Confirmed, Fault};

use crate::peer::{self, Server};
use crate::town::{Town, material, payload};

const STRANGER: &str = "https://stranger.example";

/// A stranger that asks what the district's own policy `leisure` asks.
struct Stranger {
    server: Server,
    request: Value,
}

impl Stranger {
    async fn new(town: &Town) -> Self {
        let leaf = town.signer(STRANGER);
        let client_id = format!("x509_hash:{}", b64u(sha256(&leaf.certificate)));
        let mut server = Server::start("verifier.mjs", &town.tls());
        server.said_text("origin");
        Self { server, request: request(town, &leaf, &client_id).await }
    }

    /// The link to its request, with `change`.
    fn asks(&mut self, method: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut request = self.request.clone();
        request["method"] = json!(method);
        change(&mut request);
        self.server.tell(&request);
        self.server.said_text("link")
    }

    /// What two independent readers find in the answer that came, which is the same; and the query it answers.
    fn reads(&mut self, town: &Town) -> (String, Value) {
        let said = self.server.said();
        let answers = said["vp_token"].as_object().expect("presentations by query");
        assert_eq!(answers.len(), 1, "one query is answered: {said}");
        let (query, presentations) = answers.iter().next().expect("one");
        let presented = json!([{"text": presentations[0], "aud": said["aud"], "nonce": said["nonce"]}]);
        let input = json!({"anchor": town.anchor(), "presented": presented});
        let (node, python) = (peer::run("read.mjs", &input, None), peer::run("read.py", &input, None));
        assert_eq!(node["presented"], python["presented"], "two readers, one meaning");
        (query.clone(), node["presented"][0].clone())
    }
}

/// The query and the registrar's documents of our own service, the service's entry made out to the stranger.
async fn request(town: &Town, leaf: &Leaf, client_id: &str) -> Value {
    let question = town.ask(LEISURE).await;
    let link: Vec<(String, String)> =
        url::Url::parse(&question.link).expect("a link").query_pairs().into_owned().collect();
    let uri = link.iter().find(|(name, _)| name == "request_uri").map(|(_, uri)| uri).expect("an address");
    let reply = town.world.client().expect("a client").get(uri).send().await.expect("a request object");
    let ours = payload(std::str::from_utf8(&reply.body).expect("a JWS"));
    let mut infos = ours["verifier_info"].clone();
    let entry = infos[0]["data"].as_str().expect("the service's entry").to_owned();
    infos[0]["data"] = json!(town.registered(&entry, |entry| {
        entry["sub"] = json!(STRANGER);
        entry["name"] = json!({"en": "A stranger's swimming pool", "cy": "Pwll nofio dieithryn"});
        entry["client_ids"] = json!([client_id]);
    }));
    let mut request = material(leaf);
    request["client_id"] = json!(client_id);
    request["dcql_query"] = ours["dcql_query"].clone();
    request["verifier_info"] = infos;
    request["signed"] = json!(true);
    request
}

async fn with_copies(town: &Town, kind: Kind) -> Resident {
    let resident = town.resident(residents::MET).await;
    let offer = town.offer(kind, residents::MET).await;
    assert_eq!(resident.receive(&offer.link(), offer.tx_code()).await.expect("copies"), 30);
    resident
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_stranger_gets_a_plain_answer_that_two_others_read() {
    let town = Town::open().await;
    let (resident, mut stranger) = (with_copies(&town, Kind::Plain).await, Stranger::new(&town).await);
    for method in ["get", "post"] {
        let link = stranger.asks(method, |_| {});
        let page = resident.read(&link).await.expect("a review");
        assert!(page.contains("A stranger's swimming pool"), "{page}");
        let back = resident.share(&link).await.expect("an answer");
        assert!(back.ends_with("/done"), "{back}");
        let (query, claims) = stranger.reads(&town);
        assert_eq!((query.as_str(), &claims["ward"]), ("q1", &json!("W102")), "{method}");
        assert!(claims.get("name").is_none() && claims.get("address").is_none(), "nothing else is shown");
    }
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unusual_requests_are_answered_too() {
    let town = Town::open().await;
    let (resident, mut stranger) = (with_copies(&town, Kind::Plain).await, Stranger::new(&town).await);
    let link = stranger.asks("post", |request| request["unusual"] = json!(true));
    resident.share(&link).await.expect("an answer to a long nonce, a long state and what nobody knows");
    assert_eq!(stranger.reads(&town).1["ward"], "W102");

    // Keys of other kinds and uses stand before the one that an answer can be encrypted to.
    let unusable = json!([
        {"kty": "OKP", "crv": "X25519", "kid": "x", "use": "enc", "alg": "ECDH-ES", "x": b64u([9; 32])},
        {"kty": "RSA", "kid": "r", "use": "enc", "alg": "RSA-OAEP-256", "n": b64u([0xc1; 256]), "e": "AQAB"},
        {"kty": "future", "kid": "f"},
    ]);
    let link = stranger.asks("get", |request| request["extra_keys"] = unusable);
    resident.share(&link).await.expect("an answer to the one usable key");
    assert_eq!(stranger.reads(&town).1["ward"], "W102");
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_a_reader_without_proofs_a_proof_is_an_ordinary_presentation() {
    let town = Town::open().await;
    let (resident, mut stranger) = (with_copies(&town, Kind::Proof).await, Stranger::new(&town).await);
    let link = stranger.asks("post", |_| {});
    resident.share(&link).await.expect("an answer");
    let (query, claims) = stranger.reads(&town);
    assert_eq!(query, "q0");
    assert!(claims["zkc"]["/ward"].is_object() && claims.get("ward").is_none(), "{claims}");
    town.world.stop().await;
}

/// As other people's software asks: a query in DCQL alone, for a purpose that the registrar signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_without_a_policy_gets_what_it_needs_and_what_was_added() {
    let town = Town::open().await;
    let (resident, mut stranger) = (with_copies(&town, Kind::Plain).await, Stranger::new(&town).await);
    let vct = "https://larkfield.example/types/residency/1";
    let one = |id: &str, claim: &str| json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": [{"path": [claim]}]});
    let query = json!({"credentials": [one("home", "ward"), one("post", "address")],
        "credential_sets": [{"options": [["home"]]}, {"options": [["post"]], "required": false}]});
    let ask = |request: &mut Value| {
        infos(request).truncate(2);
        let purpose = infos(request)[1]["data"].as_str().expect("an entry").to_owned();
        infos(request)[1]["data"] = json!(town.registered(&purpose, |purpose| {
            let may =
                |claim: &str| json!({"vct": vct, "pointer": format!("/{claim}"), "how": "show", "rules": []});
            purpose["may_ask"] = json!([may("ward"), may("address")]);
        }));
        request["dcql_query"] = query.clone();
    };
    let adding = |parts: &[usize]| Wish { adding: parts.to_vec(), ..Wish::default() };
    let mut answers = async |wish: Wish| {
        let link = stranger.asks("post", ask);
        let review = resident.wallet.review_wishing(&link, &wish).await.expect("a review");
        resident.wallet.share(&review, Confirmed::Share).await.expect("an answer");
        // The stranger's own library has checked the answer against its query.
        let said = stranger.server.said();
        let presented = said["vp_token"].as_object().expect("presentations by query").iter();
        let presented =
            presented.map(|(_, all)| json!({"text": all[0], "aud": said["aud"], "nonce": said["nonce"]}));
        let input = json!({"anchor": town.anchor(), "presented": presented.collect::<Vec<_>>()});
        let (node, python) = (peer::run("read.mjs", &input, None), peer::run("read.py", &input, None));
        assert_eq!(node["presented"], python["presented"], "two readers, one meaning");
        node["presented"].clone()
    };
    let needed = answers(Wish::default()).await;
    assert_eq!((needed.as_array().map(Vec::len), &needed[0]["ward"]), (Some(1), &json!("W102")));
    let more = answers(adding(&[1])).await;
    assert_eq!((more.as_array().map(Vec::len), &more[0]["ward"]), (Some(2), &json!("W102")));
    assert_eq!(more[1]["address"], "42 Canary Street, Larkfield");
    assert!(more[0].get("address").is_none() && more[1].get("ward").is_none(), "each shows its own: {more}");
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_hears_a_no_and_nothing_more() {
    let town = Town::open().await;
    let (resident, mut stranger) = (town.resident(residents::MET).await, Stranger::new(&town).await);
    let link = stranger.asks("post", |_| {});
    resident.decline(&link).await.expect("a no");
    assert_eq!(stranger.server.said(), json!({"error": "access_denied", "same_state": true}));
    town.world.stop().await;
}

/// The wallet's code, what the stranger would like, whether it hears of the refusal, and what it does for its wish.
/// Only whom the registrar knows is told that the request was refused: to anybody else the wallet says nothing.
type Refusal = (&'static str, &'static str, bool, fn(&mut Value));

#[tokio::test(flavor = "multi_thread")]
async fn what_our_wallet_refuses_of_a_stranger() {
    let town = Town::open().await;
    let (resident, mut stranger) = (with_copies(&town, Kind::Plain).await, Stranger::new(&town).await);
    const REFUSALS: [Refusal; 6] = [
        ("register-extracts", "to ask as others ask", false, |request| {
            request["verifier_info"] = Value::Null
        }),
        ("register-extracts", "to ask without the registrar's word", false, |request| infos(request).clear()),
        ("register-extracts", "to ask without a purpose", true, |request| drop(infos(request).remove(1))),
        ("query", "to see more than its policy says", true, |request| {
            let claims = json!([{"path": ["ward"]}, {"path": ["address"]}]);
            request["dcql_query"]["credentials"][1]["claims"] = claims;
        }),
        ("unknown-service", "to be somebody else", false, |request| {
            let entry = payload(infos(request)[0]["data"].as_str().expect("an entry"));
            let (header, claims) =
                (b64u(r#"{"alg":"ES256","typ":"vouchsafe-service+jwt","kid":"own"}"#), entry);
            infos(request)[0]["data"] =
                json!(format!("{header}.{}.{}", b64u(claims.to_string()), b64u([7; 64])));
        }),
        ("unsigned", "to ask in the link itself", false, |request| {
            let query = json!({"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": ["https://stranger.example/types/any"]}});
            request["signed"] = json!(false);
            request["verifier_info"] = Value::Null;
            request["dcql_query"] = json!({"credentials": [query]});
        }),
    ];
    for (code, what, heard, wish) in REFUSALS {
        let link = stranger.asks("get", wish);
        let Err(refused) = resident.wallet.review(&link).await else { panic!("the wallet allows {what}") };
        assert_eq!((refused.code(), refused.fault()), (code, Fault::RefusedByUs), "{what}: {refused}");
        if heard {
            let told = json!({"error": "invalid_request", "same_state": true});
            assert_eq!(stranger.server.said(), told, "{what}");
        }
    }
    // What is asked properly is answered as ever.
    let link = stranger.asks("get", |_| {});
    resident.share(&link).await.expect("an answer");
    town.world.stop().await;
}

fn infos(request: &mut Value) -> &mut Vec<Value> {
    request["verifier_info"].as_array_mut().expect("a list")
}
