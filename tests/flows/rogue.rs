//! A service that rewrites its own purpose.
//!
//! The parking operator has a valid request certificate, is in the register, and may ask for one purpose. Its own
//! request is shown as the registrar words it. Whatever else it says that it asks for, the wallet refuses, says why,
//! and sends nothing.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vouchsafe::demo::resident::Resident;
use vouchsafe_protocol::encoding::{b64, b64u, b64u_decode, sha256};
use vouchsafe_protocol::json::canonical;
use vouchsafe_protocol::openid4vp::client_id;
use vouchsafe_protocol::openid4vp::link::{Link, Method};
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::SigningKey;
use vouchsafe_wallet::history::Event;
use vouchsafe_wallet::http::{Http, HttpError, Incoming, Outgoing, Sending};
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Fault, Machine, Wallet};
use zeroize::Zeroizing;

use crate::house::{HONEST, House, Line, PASSPHRASE};

const PARKING: &str = "https://parking.larkfield.example";
const PERMIT: &str = "https://larkfield.example/purposes/parking-permit";
const FLATTERY: &str = "To give you a present.";

#[tokio::test(flavor = "multi_thread")]
async fn a_service_cannot_describe_its_own_purpose() {
    let house = House::open().await;
    let rogue = Rogue::new(&house).await;
    let line = Arc::new(RogueLine { line: house.line.clone(), object: Mutex::default() });
    let wallet = wallet(&house, line.clone()).await;

    // What the registrar said of it is shown in the registrar's words.
    line.carry(rogue.request(|_| {}));
    let page = wallet.review(&rogue.link()).await.unwrap().page(Language::En).to_string();
    assert!(
        page.contains("Larkfield Parking") && page.contains("To decide about a parking permit."),
        "{page}"
    );

    for (code, what, attack) in ATTACKS {
        line.carry(rogue.request(|infos| attack(&rogue, infos)));
        let Err(refused) = wallet.review(&rogue.link()).await else { panic!("the wallet took {what}") };
        assert_eq!((refused.code(), refused.fault()), (code, Fault::RefusedByUs), "{what}: {refused}");
        assert!(!refused.to_string().contains(FLATTERY), "the refusal repeats what was refused");
        let newest = wallet.history().await.unwrap().remove(0);
        assert!(matches!(newest.event, Event::Failed { code: kept, .. } if kept == code), "{what}");
    }
    // The bus operator's request is answered as ever.
    let resident = Resident { wallet };
    house.collect(&resident, HONEST).await;
    house.goes_on(&resident).await;
}

/// The wallet's code, what the service would like, and what it does for it to the two documents about itself.
type Attack = (&'static str, &'static str, fn(&Rogue, &mut Value));

const ATTACKS: [Attack; 7] = [
    ("purpose", "its own words under the registrar's name", |rogue, infos| {
        infos[1] = json!(rogue.rewritten(|_, purpose| purpose["text"]["en"] = json!(FLATTERY)));
    }),
    ("purpose", "its own words under its own key's name", |rogue, infos| {
        infos[1] = json!(rogue.rewritten(|header, purpose| {
            header["kid"] = json!("parking");
            purpose["text"]["en"] = json!(FLATTERY);
        }));
    }),
    ("purpose", "its own words without a signature", |rogue, infos| {
        let purpose = json!({"text": {"en": FLATTERY, "cy": FLATTERY}});
        let header = json!({"alg": "none", "typ": "vouchsafe-purpose+jwt", "kid": rogue.kid});
        infos[1] = json!(format!("{}.{}.", b64u(header.to_string()), b64u(purpose.to_string())));
    }),
    ("purpose", "the registrar's words changed under the registrar's signature", |rogue, infos| {
        let mut purpose = part(&rogue.purpose, 1);
        purpose["text"]["en"] = json!(FLATTERY);
        let mut parts: Vec<&str> = rogue.purpose.split('.').collect();
        let payload = b64u(purpose.to_string());
        parts[1] = &payload;
        infos[1] = json!(parts.join("."));
    }),
    ("purpose", "leave to see an address", |rogue, infos| {
        let may = json!({"vct": "https://larkfield.example/types/residency/1", "pointer": "/address", "how": "show", "rules": []});
        infos[1] = json!(rogue.rewritten(|_, purpose| purpose["may_ask"].as_array_mut().unwrap().push(may)));
    }),
    ("purpose-not-allowed", "somebody else's purpose", |rogue, infos| infos[1] = json!(rogue.bus_pass)),
    ("unknown-service", "leave to ask for somebody else's purpose", |rogue, infos| {
        let mut service = part(&rogue.service, 1);
        service["purposes"] = json!([PERMIT, part(&rogue.bus_pass, 1)["sub"]]);
        infos[0] = json!(sign(&part(&rogue.service, 0), &service, &rogue.leaf.key));
        infos[1] = json!(rogue.bus_pass);
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_says_why() {
    let house = House::open().await;
    let rogue = Rogue::new(&house).await;
    let line = Arc::new(RogueLine { line: house.line.clone(), object: Mutex::default() });
    let wallet = wallet(&house, line.clone()).await;
    let why = async |purpose: String| {
        line.carry(rogue.request(|infos| infos[1] = json!(purpose)));
        wallet.review(&rogue.link()).await.err().unwrap().to_string()
    };
    let rewritten = rogue.rewritten(|_, purpose| purpose["text"]["en"] = json!(FLATTERY));
    assert_eq!(
        why(rewritten).await,
        "the request is refused: the purpose is not the registrar's: the registrar's signature is wrong"
    );
    assert_eq!(
        why(rogue.bus_pass.clone()).await,
        "the request is refused: the service may not ask for this purpose"
    );
}

/// A wallet that trusts the district and reaches the rogue.
pub(crate) async fn wallet(house: &House, line: Arc<dyn Http>) -> Wallet {
    let machine = Machine {
        http: line,
        clock: house.clock.clone(),
        entropy: Arc::new(OsEntropy::new()),
        env: Env::Test,
    };
    let wallet =
        Wallet::open(&house.dir.path().join("wallet"), PASSPHRASE, Cost::LEAST, machine).await.unwrap();
    wallet.trust_add(&std::fs::read(house.world.district.trust_file()).unwrap()).await.unwrap();
    wallet
}

/// The parking operator, with what the registrar signed for it and what it saw of the bus operator.
struct Rogue {
    leaf: Leaf,
    kid: String,
    service: String,
    purpose: String,
    bus_pass: String,
    /// The claims of an honest request of its own.
    claims: Value,
}

impl Rogue {
    async fn new(house: &House) -> Self {
        let read = |name: &str| std::fs::read_to_string(house.world.district.dir().join(name)).unwrap();
        let authority =
            DevCa::from_pem("Larkfield anchor (development)", &read("anchor.pem"), &read("anchor.key"))
                .unwrap();
        let leaf = authority.signer(PARKING, SigningKey::generate().unwrap(), house.clock.now()).unwrap();
        let registrar = SigningKey::from_pkcs8_pem(&read("registrar.pem")).unwrap();
        // Whoever has the link of a request may fetch it: the bus operator's is the pattern.
        let question = house.ask().await;
        let seen = house.http().get(&Link::parse(&question.link).unwrap().request_uri).send().await.unwrap();
        let mut claims = part(std::str::from_utf8(&seen.body).unwrap(), 1);
        let signed = |info: usize, change: &dyn Fn(&mut Value)| {
            let jws = claims["verifier_info"][info]["data"].as_str().unwrap();
            let mut payload = part(jws, 1);
            change(&mut payload);
            sign(&part(jws, 0), &payload, &registrar)
        };
        let own = client_id(&sha256(&leaf.certificate));
        let service = signed(0, &|entry| {
            entry["sub"] = json!(PARKING);
            entry["name"] = json!({"en": "Larkfield Parking", "cy": "Parcio Larkfield"});
            entry["client_ids"] = json!([own]);
            entry["purposes"] = json!([PERMIT]);
        });
        let purpose = signed(1, &|entry| {
            entry["sub"] = json!(PERMIT);
            entry["text"] =
                json!({"en": "To decide about a parking permit.", "cy": "I benderfynu ar drwydded barcio."});
        });
        let bus_pass = signed(1, &|_| {});
        let kid = part(&purpose, 0)["kid"].as_str().unwrap().to_owned();
        claims["client_id"] = json!(own);
        claims["response_uri"] = json!(format!("{PARKING}/a/1"));
        Self { leaf, kid, service, purpose, bus_pass, claims }
    }

    fn link(&self) -> String {
        let client_id = client_id(&sha256(&self.leaf.certificate));
        Link { client_id, request_uri: format!("{PARKING}/r/1"), method: Method::Get }.to_string()
    }

    /// Its own purpose changed and signed by itself.
    fn rewritten(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let (mut header, mut purpose) = (part(&self.purpose, 0), part(&self.purpose, 1));
        change(&mut header, &mut purpose);
        sign(&header, &purpose, &self.leaf.key)
    }

    /// Its request, after `change` to the two documents about it. The policy follows the purpose that is carried.
    fn request(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut documents = json!([self.service, self.purpose]);
        change(&mut documents);
        let mut claims = self.claims.clone();
        let infos = claims["verifier_info"].as_array_mut().unwrap();
        for (info, document) in infos.iter_mut().zip(documents.as_array().unwrap()) {
            info["data"] = document.clone();
        }
        let purpose = part(documents[1].as_str().unwrap(), 1)["sub"].clone();
        let policy = infos.iter_mut().find(|info| info["format"] == "urn:vouchsafe:policy:1").unwrap();
        policy["data"]["purpose"] = if purpose.is_null() { json!(PERMIT) } else { purpose };
        let digest = b64u(sha256(canonical(&policy["data"]).unwrap()));
        infos.last_mut().unwrap()["data"]["policy_digest"] = json!(digest);
        let header =
            json!({"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": [b64(&self.leaf.certificate)]});
        sign(&header, &claims, &self.leaf.key)
    }
}

pub(crate) fn part(jws: &str, at: usize) -> Value {
    serde_json::from_slice(&b64u_decode(jws.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

pub(crate) fn sign(header: &Value, payload: &Value, key: &SigningKey) -> String {
    let input = format!("{}.{}", b64u(header.to_string()), b64u(payload.to_string()));
    let signature = key.sign_now(input.as_bytes()).unwrap();
    format!("{input}.{}", b64u(signature))
}

/// The wallet's network, with the parking operator on it.
struct RogueLine {
    line: Arc<Line>,
    object: Mutex<String>,
}

impl RogueLine {
    fn carry(&self, object: String) {
        *self.object.lock().unwrap() = object;
    }
}

impl Http for RogueLine {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        if !request.url.starts_with(PARKING) {
            return self.line.send(request);
        }
        if let Some((_, form)) = &request.body {
            assert_tells_of_a_refusal_alone(form);
            return Box::pin(async { Ok(incoming("application/json", b"{}".to_vec())) });
        }
        let object = self.object.lock().unwrap().clone().into_bytes();
        Box::pin(async { Ok(incoming("application/oauth-authz-req+jwt", object)) })
    }
}

/// A service that the register knows learns by a code that it was refused, and nothing else.
fn assert_tells_of_a_refusal_alone(form: &[u8]) {
    let told: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
    assert!(told.iter().any(|(name, _)| name == "error"), "the rogue service got an answer");
    for (name, value) in &told {
        assert!(["error", "error_description", "state"].contains(&name.as_str()), "it was told {name}");
        assert!(!value.contains(FLATTERY), "the refusal repeats what was refused");
    }
}

pub(crate) fn incoming(content_type: &str, body: Vec<u8>) -> Incoming {
    Incoming {
        status: 200,
        content_type: content_type.to_owned(),
        retry_after_s: None,
        dpop_nonce: None,
        body: Zeroizing::new(body),
    }
}
