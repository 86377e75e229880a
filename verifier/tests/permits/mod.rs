//! A world in which policies ask for permissions, and a wallet that gives them.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::jws::Unsigned;
use vouchsafe_protocol::jose::{NamedJwk, PublicJwk};
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::link::Link;
use vouchsafe_protocol::openid4vp::request::{
    Expected as Expecting, Given as GivenBefore, Question, Unverified, Verified,
};
use vouchsafe_protocol::openid4vp::response::VpToken;
use vouchsafe_protocol::openid4vp::transaction_data;
use vouchsafe_protocol::permission::call::{Call, Do};
use vouchsafe_protocol::permission::record::{Claims, Expected, Record, Whose};
use vouchsafe_protocol::permission::{Grant, Jkt, KEY_CLAIM};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::Judge;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::entropy::{OsEntropy, id16};
use vouchsafe_service::keys::{Jws, SigningKey};

use crate::callers::call;
use crate::world::{BUS_KEY, BUSES, ORIGIN, World, json_of, path_of, text_of};

/// What the registrar says of the one purpose besides.
const PERMISSIONS: &str = r#"
permissions = ["payment", "standing", "action"]
actions = [{ id = "remind", text = { en = "Remind you.", cy = "Eich atgoffa." } }]
recheck_days = 7
[purposes.record]
controller = { id = "https://buses.larkfield.example", name = "Larkfield Buses", address = "1 High Street", contact = "https://buses.larkfield.example/contact", type = "for_profit" }
notice = "https://buses.larkfield.example/privacy"
storage = { en = "In the town.", cy = "Yn y dref." }
jurisdiction = "GB-WLS"
rights = { en = "You can ask what is kept.", cy = "Gallwch ofyn beth a gedwir." }
"#;

const POLICIES: [(&str, &str, &str); 4] = [
    ("hardship", "in_person", "kind = \"payment\"\nfor_days = 30\nat_most_pence = 20000"),
    ("remind", "in_person", "kind = \"action\"\nfor_days = 30\naction = \"remind\"\nuses = 2"),
    ("again", "in_person", "kind = \"standing\"\nfor_days = 30\nevery_days = 7"),
    ("at-home", "same_device", "kind = \"standing\"\nfor_days = 30\nevery_days = 7"),
];

/// The small world, where four policies ask for a permission.
pub(crate) async fn world() -> World {
    let world = World::new().await;
    let sources = world.sources.replace("reg_version = 3", "reg_version = 4");
    let sources = sources.replace("purposes = []", "purposes = [\"pass\"]");
    world.sign(&format!("{sources}{PERMISSIONS}")).await;
    let folder = world.folder.path().join("policies");
    let plain = std::fs::read_to_string(folder.join("counter.toml")).unwrap();
    for (id, binding, asks) in POLICIES {
        let policy = plain.replace("\"counter\"", &format!("\"{id}\"")).replace("in_person", binding);
        std::fs::write(folder.join(format!("{id}.toml")), format!("{policy}\n[permission]\n{asks}\n"))
            .unwrap();
        std::fs::copy(folder.join("counter.cases.toml"), folder.join(format!("{id}.cases.toml"))).unwrap();
    }
    world.restart().await
}

/// The payment of every story here.
pub(crate) fn payment() -> Value {
    json!({"pence": 12_000, "payee": "Larkfield Housing Trust", "reference": "RENT 0042"})
}

pub(crate) fn body(policy: &str) -> Value {
    let mut body = json!({"policy": policy, "flow": "cross_device"});
    if policy == "hardship" {
        body["authorise"] = payment();
    }
    body
}

pub(crate) async fn ask(world: &World, body: &Value) -> Value {
    let response = world.post_json("/v1/requests", BUS_KEY, body).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    json_of(response).await
}

pub(crate) async fn fetched(world: &World, opened: &Value) -> Verified {
    world.fetch(opened["qr_text"].as_str().unwrap()).await
}

pub(crate) fn signed(unsigned: Unsigned, key: &SigningKey) -> String {
    let signature = key.sign_now(unsigned.signing_input()).unwrap();
    unsigned.finish(&signature)
}

/// What an answer gives, and what an attack may change of it.
pub(crate) struct Giving {
    pub(crate) claims: Map<String, Value>,
    pub(crate) grant: Option<String>,
}

/// A request by a policy, whichever way it was verified.
pub(crate) trait ByPolicy {
    fn of_policy(&self) -> &Asked;
}

impl ByPolicy for Asked {
    fn of_policy(&self) -> &Asked {
        self
    }
}

impl ByPolicy for Question {
    fn of_policy(&self) -> &Asked {
        let Self::Policy(asked) = self else { panic!("it is by a policy") };
        asked
    }
}

/// What an honest wallet gives with the key of a permission.
pub(crate) fn giving<A: ByPolicy>(request: &Verified<A>, key: &SigningKey) -> Giving {
    let asked = request.asked().of_policy();
    let chosen = asked.option(0).unwrap();
    let mut claims = transaction_data::claims(asked.transaction_data(), chosen.queries(), "q0").unwrap();
    claims.insert(KEY_CLAIM.to_owned(), json!(Jkt::of(key.public()).text()));
    let grant = Grant::unsigned(asked, 1, key.public()).map(|unsigned| signed(unsigned, key));
    Giving { claims, grant }
}

/// Posts the answer of somebody who is old enough.
pub(crate) async fn post<A: ByPolicy>(
    world: &World,
    request: &Verified<A>,
    giving: Giving,
) -> Response<Body> {
    let known = world.clock.now().minus(86_400).london_date().to_string();
    let copy = world.copy("1950-01-01", &known).await;
    let party = request.asked().of_policy().party();
    let shown = copy.present_with(&party.client_id, &party.nonce, world.clock.now(), giving.claims);
    let vp_token = VpToken::new([("q0".to_owned(), shown)].into());
    let vp_token = match giving.grant {
        Some(grant) => vp_token.with_grant(grant),
        None => vp_token,
    };
    world.post_form(path_of(request.response_uri()), world.form_of(request, vp_token)).await
}

/// A permission that was given: its key, and the ids of the request and of our API.
pub(crate) struct Given {
    pub(crate) key: SigningKey,
    pub(crate) request: String,
    pub(crate) id: String,
    pub(crate) code: String,
}

/// The whole way from asking to a permission.
pub(crate) async fn given(world: &World, policy: &str) -> Given {
    let opened = ask(world, &body(policy)).await;
    let request = fetched(world, &opened).await;
    let key = SigningKey::generate().unwrap();
    let posted = post(world, &request, giving(&request, &key)).await;
    assert_eq!(posted.status(), StatusCode::OK);
    let id = opened["id"].as_str().unwrap().to_owned();
    let told = world.decision(&id).await;
    let text = |member: &str| told["permission"][member].as_str().unwrap().to_owned();
    Given { key, request: id, id: text("id"), code: text("withdrawal_code") }
}

/// Fetches a request that asks again, and verifies it as a wallet does that gave this entry on that day.
pub(crate) async fn fetched_again(
    world: &World,
    link: &str,
    entry: &str,
    on: jiff::civil::Date,
) -> Verified<Question> {
    let link = Link::parse(link).unwrap();
    let text = world.get(path_of(&link.request_uri)).await;
    assert_eq!(text.status(), StatusCode::OK);
    let text = text_of(text).await;
    let judge =
        Judge { registrar: &world.trust.registrar, last_seen: 0, now: world.clock.now(), verifier: &Jws };
    let expected = Expecting {
        client_id: &link.client_id,
        wallet_nonce: None,
        env: Env::Test,
        anchors: &world.trust.anchors,
        judge,
    };
    let given = GivenBefore { entry, on };
    Unverified::parse(&text).unwrap().verify_question_again(&expected, &[given]).unwrap()
}

/// A call of the API about a permission.
pub(crate) async fn about(
    world: &World,
    method: Method,
    id: &str,
    what: &str,
    body: &str,
) -> (StatusCode, Value) {
    let path = format!("/v1/permissions/{id}{what}");
    let json = [("content-type", "application/json")];
    let answered = call(world, method, &path, Some(BUS_KEY), &json, body).await;
    (answered.status(), json_of(answered).await)
}

/// How a permission stands, by the check.
pub(crate) async fn check(world: &World, id: &str, body: &Value) -> Value {
    let (status, told) = about(world, Method::POST, id, "/check", &body.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    told
}

pub(crate) async fn state(world: &World, id: &str) -> String {
    check(world, id, &json!({})).await["state"].as_str().unwrap().to_owned()
}

/// A call by a permission's key, made now.
pub(crate) fn said(world: &World, key: &SigningKey, what: Do) -> String {
    let jti = id16(&OsEntropy::new());
    let said = Call { aud: ORIGIN.to_owned(), iat: world.clock.now(), jti, what };
    signed(said.unsigned(key.public()), key)
}

/// Posts a call by a permission's key.
pub(crate) async fn tell(world: &World, text: &str) -> (StatusCode, Value) {
    let headers = [("content-type", "application/jwt")];
    let answered = call(world, Method::POST, "/permissions", None, &headers, text).await;
    (answered.status(), json_of(answered).await)
}

/// The published key that signed a token.
async fn record_key(world: &World, token: &str) -> PublicJwk {
    let header = vouchsafe_protocol::encoding::b64u_decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let jwks = json_of(world.get("/.well-known/jwks.json").await).await;
    let keys = jwks["keys"].as_array().unwrap().iter().map(|key| NamedJwk::from_value(key).unwrap());
    keys.into_iter().find(|key| key.kid.as_deref() == header["kid"].as_str()).unwrap().key
}

/// A signed record, checked as the wallet with that key does.
pub(crate) async fn record(world: &World, token: &Value, key: &SigningKey) -> Record {
    let token = token.as_str().unwrap();
    let whose = Jkt::of(key.public());
    let expected = Expected { iss: ORIGIN, aud: BUSES, whose: Whose::Key(&whose), now: world.clock.now() };
    Claims::verify(token, &record_key(world, token).await, &expected, &Jws).unwrap().record
}
