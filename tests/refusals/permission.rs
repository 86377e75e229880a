//! Permissions at the verifier's doors: what is asked to be permitted, what an answer gives, what is said by a permission's
//! key, and what a service asks about it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Map, Value, json};
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::openid4vp::transaction_data;
use vouchsafe_protocol::permission::{GRANT_MEMBER, GRANT_TYP, Jkt, KEY_CLAIM, call};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::{OsEntropy, id16};
use vouchsafe_service::keys::SigningKey;
use vouchsafe_service::limits::AddressPrefix;

use crate::answer::encrypted_with;
use crate::forge::{Credential, public, sign};
use crate::runner::{Seen, Surface, run};
use crate::world::{BUS_KEY, BUSES, NOON, ORIGIN, Opened, World, json_of, seen};

struct Permission(World);

/// A transaction: a request that waits for its answer, and a permission that was given before.
struct Case {
    opened: Opened,
    key: SigningKey,
    given: Option<(SigningKey, String)>,
}

/// What a key signs, part by part.
struct Paper {
    header: Value,
    claims: Value,
    key: SigningKey,
}

impl Paper {
    fn new(typ: &str, key: &SigningKey, claims: Value) -> Self {
        let header = json!({"alg": "ES256", "typ": typ, "jwk": public(key)});
        Self { header, claims, key: key.clone() }
    }

    fn sign(&self) -> String {
        sign(&self.header.to_string(), &self.claims.to_string(), &self.key)
    }
}

impl Surface for Permission {
    const NAME: &'static str = "permission";

    type Case = Case;

    async fn new() -> Self {
        Self(World::permitting().await)
    }

    async fn open(&self, mutation: &str) -> Case {
        let policy = if mutation.ends_with("-unasked") { "plain" } else { "remind" };
        let key = SigningKey::generate().unwrap();
        let door = mutation.split('-').next().unwrap();
        let given = if ["call", "check"].contains(&door) { Some(self.given().await) } else { None };
        Case { opened: self.0.ask(policy).await, key, given }
    }

    async fn attack(&self, case: &Case, mutation: &str) -> Seen {
        match mutation.split_once('-').unwrap() {
            ("ask", what) => self.ask(&asking(what)).await,
            ("answer", what) => self.answer(case, what).await,
            ("call", what) => self.call(case, what).await,
            ("check", what) => self.check(case, what).await,
            _ => panic!("permission: no mutation {mutation}"),
        }
    }

    async fn honest(&self, case: &Case) -> Seen {
        if case.given.is_some() {
            return self.call(case, "honestly").await;
        }
        let asked = self.ask(&asking("honestly")).await;
        if asked.is_accepted() { self.answer(case, "honestly").await } else { asked }
    }
}

/// The body of a question with a payment.
fn asking(what: &str) -> Value {
    let mut body = json!({"policy": "hardship", "flow": "cross_device",
        "authorise": {"pence": 12_000, "payee": "Larkfield Housing Trust", "reference": "RENT 0042"}});
    match what {
        "honestly" => {}
        "without" => drop(body.as_object_mut().unwrap().remove("authorise")),
        "with-more" => body["authorise"]["iban"] = json!("GB00"),
        "too-much" => body["authorise"]["pence"] = json!(20_001),
        "for-nothing" => body["authorise"]["pence"] = json!(0),
        "in-another-script" => body["authorise"]["payee"] = json!("Lаrkfield"),
        "with-spaces" => body["authorise"]["reference"] = json!(" RENT"),
        "in-words" => body["authorise"]["pence"] = json!("12000"),
        "in-parts-of-a-penny" => body["authorise"]["pence"] = json!(12_000.5),
        "to-nobody" => drop(body["authorise"].as_object_mut().unwrap().remove("payee")),
        "with-a-long-payee" => body["authorise"]["payee"] = json!("a".repeat(141)),
        "with-a-long-reference" => body["authorise"]["reference"] = json!("a".repeat(36)),
        "turned-round" => body["authorise"]["payee"] = json!("Larkfield\u{202e}TNER"),
        "with-two-lines" => body["authorise"]["reference"] = json!("RENT\nPAID"),
        "unasked" => body["policy"] = json!("plain"),
        "of-an-action" => body["policy"] = json!("remind"),
        _ => panic!("permission: no question {what}"),
    }
    body
}

impl Permission {
    /// A permission that somebody gave, by its key and its id.
    async fn given(&self) -> (SigningKey, String) {
        let (opened, key) = (self.0.ask("remind").await, SigningKey::generate().unwrap());
        let id = opened.api["id"].as_str().unwrap().to_owned();
        let case = Case { opened, key, given: None };
        assert!(self.answer(&case, "honestly").await.is_accepted());
        let request = Request::get(format!("/v1/requests/{id}"));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {BUS_KEY}"));
        let standing = json_of(self.0.send(request.body(Body::empty()).unwrap()).await).await;
        (case.key, standing["permission"]["id"].as_str().unwrap().to_owned())
    }

    async fn ask(&self, body: &Value) -> Seen {
        let seen = seen(self.0.post_json("/v1/requests", BUS_KEY, body).await).await;
        Seen { status: if seen.status == 201 { 200 } else { seen.status }, ..seen }
    }

    async fn answer(&self, case: &Case, what: &str) -> Seen {
        let asked = case.opened.request.asked();
        let chosen = asked.option(0).unwrap();
        let mut claims: Map<String, Value> =
            transaction_data::claims(asked.transaction_data(), chosen.queries(), "q0").unwrap();
        let paper = grant(case, what);
        if what != "without-key" && (asked.terms().is_some() || what == "key-unasked") {
            claims.insert(KEY_CLAIM.to_owned(), json!(Jkt::of(case.key.public()).text()));
        }
        let token = Credential::plain(&self.0.ca).sign();
        let binding = token.bind(case.opened.client_id(), case.opened.nonce(), claims);
        let shown = BTreeMap::from([("q0".to_owned(), token.covered() + &binding.sign())]);
        let mut more = Map::new();
        if what != "without-grant" && (asked.terms().is_some() || what == "grant-unasked") {
            more.insert(GRANT_MEMBER.to_owned(), json!(paper.sign()));
        }
        self.0.submit(case.opened.answer_path(), encrypted_with(&case.opened, &shown, more)).await
    }

    async fn call(&self, case: &Case, what: &str) -> Seen {
        let (key, _) = case.given.as_ref().unwrap();
        let claims = json!({"aud": ORIGIN, "iat": NOON.0, "jti": id16(&OsEntropy::new()), "do": "state"});
        let mut paper = Paper::new(call::TYP, key, claims);
        match what {
            "honestly" | "twice" => {}
            "for-another" => paper.claims["aud"] = json!(BUSES),
            "of-tomorrow" => paper.claims["iat"] = json!(NOON.0 + 86_400),
            "of-yesterday" => paper.claims["iat"] = json!(NOON.0 - 86_400),
            "with-a-short-id" => paper.claims["jti"] = json!(b64u([7; 8])),
            "with-more-in-its-header" => paper.header["kid"] = json!("1"),
            "with-more-in-it" => paper.claims["nonce"] = json!("n"),
            "of-another-type" => paper.header["typ"] = json!(GRANT_TYP),
            "for-something-else" => paper.claims["do"] = json!("renew"),
            "signed-by-another" => paper.key = case.key.clone(),
            "by-nobody" => paper = Paper::new(call::TYP, &case.key, paper.claims),
            _ => panic!("permission: no call {what}"),
        }
        let text = paper.sign();
        if what == "twice" {
            assert!(self.say(&text).await.is_accepted());
        }
        self.say(&text).await
    }

    /// Each call from another part of the network, so that none is refused for those before it.
    async fn say(&self, text: &str) -> Seen {
        let [a, b, ..] = sha256(text);
        let from = AddressPrefix::of(Ipv4Addr::new(10, a, b, 0).into());
        let request =
            Request::post("/permissions").header(header::CONTENT_TYPE, "application/jwt").extension(from);
        seen(self.0.send(request.body(Body::from(text.to_owned())).unwrap()).await).await
    }

    async fn check(&self, case: &Case, what: &str) -> Seen {
        let (_, id) = case.given.as_ref().unwrap();
        let body = match what {
            "under-another-policy" => r#"{"policy":"x"}"#,
            "with-more" => r#"{"used":true}"#,
            "with-a-word" => r#"{"use":"yes"}"#,
            "of-one-that-is-not-there" => {
                return self.post_check("perm_AAAAAAAAAAAAAAAAAAAAAA", "{}").await;
            }
            "with-one-key-twice" => {
                assert!(self.post_check(id, r#"{"use":true}"#).await.is_accepted());
                r#"{"use": true}"#
            }
            _ => panic!("permission: no check {what}"),
        };
        self.post_check(id, body).await
    }

    async fn post_check(&self, id: &str, body: &str) -> Seen {
        let request = Request::post(format!("/v1/permissions/{id}/check"))
            .header(header::AUTHORIZATION, format!("Bearer {BUS_KEY}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "one");
        seen(self.0.send(request.body(Body::from(body.to_owned())).unwrap()).await).await
    }
}

/// The grant of an answer, spoiled or not.
fn grant(case: &Case, what: &str) -> Paper {
    let asked = case.opened.request.asked();
    let policy = asked.policy();
    let day = UnixTime::of_day(asked.as_of()).unwrap();
    let transaction = asked.terms().map_or([0; 32], |terms| terms.digest());
    let claims = json!({"aud": BUSES, "iat": day.0, "transaction": b64u(transaction),
        "policy": policy.digest_text(), "purpose": policy.body().purpose, "purpose_version": 1});
    let mut paper = Paper::new(GRANT_TYP, &case.key, claims);
    match what {
        "grant-for-another" => paper.claims["aud"] = json!(ORIGIN),
        "grant-of-another-day" => paper.claims["iat"] = json!(day.0 - 86_400),
        "grant-of-something-else" => paper.claims["transaction"] = json!(b64u([7; 32])),
        "grant-under-another-policy" => paper.claims["policy"] = json!(b64u([7; 32])),
        "grant-for-another-purpose" => paper.claims["purpose_version"] = json!(2),
        "grant-with-more-in-its-header" => paper.header["kid"] = json!("1"),
        "grant-with-more-in-its-key" => paper.header["jwk"]["kid"] = json!("1"),
        "grant-with-more-in-it" => paper.claims["nonce"] = json!("n"),
        "grant-of-another-type" => paper.header["typ"] = json!(call::TYP),
        "grant-signed-by-another" => paper.key = SigningKey::generate().unwrap(),
        "grant-by-another-key" => {
            let other = SigningKey::generate().unwrap();
            paper = Paper::new(GRANT_TYP, &other, paper.claims);
        }
        _ => {}
    }
    paper
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions() {
    run::<Permission>().await;
}
