//! An issuing body in this process: its real routes, a store in memory, a clock that is set by hand.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use jiff::civil::date;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vouchsafe_issuer::config::{AccessSettings, LimitSettings, Name, OfferSettings, StatusSettings};
use vouchsafe_issuer::import::{self, Options};
use vouchsafe_issuer::offer::{self, Delivery, Offer, OfferRequest};
use vouchsafe_issuer::store::Memory;
use vouchsafe_issuer::types::Types;
use vouchsafe_issuer::{App, Kind, Parts, RegistrarFiles, Secrets, router};
use vouchsafe_protocol::openid4vci::metadata::IssuerMetadata;
use vouchsafe_protocol::types::{CodeLists, CredentialType};
use vouchsafe_service::clock::ManualClock;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{SigningKey, install};
use vouchsafe_service::secret::ServerKey;

use crate::world::{ISS, NOON};

const REGISTER: &str = "\
person,name,born
LD-0042,Resident 0042,1958-03-14
LD-0043,Resident 0043,1949-12-01
LD-0044,Resident 0044,1955-05-05
";

/// Whose wallet most cases are about; one whose wallet is on record; and one whose is not.
pub(super) const HOLDER: &str = "LD-0042";
pub(super) const NEIGHBOUR: &str = "LD-0043";
pub(super) const NEWCOMER: &str = "LD-0044";

/// The type whose copies are linked.
pub(super) const LINKED: &str = "pass";

pub(super) struct Office {
    pub(super) app: Arc<App<Memory>>,
    pub(super) clock: Arc<ManualClock>,
    router: Router,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) nonce: Option<String>,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// The code of an OAuth body or of a problem.
    pub(super) fn code(&self) -> String {
        let body = self.json();
        let code = body.get("error").or_else(|| body.get("code"));
        code.and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

fn described(id: &str, deferred: bool) -> CredentialType {
    CredentialType::from_json(&described_as(id, deferred)).unwrap()
}

/// The same with copies that are linked.
fn linked(id: &str) -> CredentialType {
    let mut described = described_as(id, false);
    described["link"] = json!(true);
    let words = json!({"en": "on record since", "cy": "ar gofnod ers"});
    described["attributes"].as_array_mut().unwrap().push(json!(
        {"pointer": "/link_since", "kind": "date", "answer": ["prove"], "lo": "2020-01-01", "hi": "2119-12-31",
         "label": words}
    ));
    CredentialType::from_json(&described).unwrap()
}

fn described_as(id: &str, deferred: bool) -> Value {
    let words = |text: &str| json!({"en": text, "cy": text});
    json!({
        "id": id, "vct": format!("https://larkfield.example/types/{id}/1"), "name": words(id), "ttl_days": 30,
        "batch": 5, "deferred": deferred,
        "attributes": [
            {"pointer": "/name", "column": "name", "kind": "text", "answer": ["show"], "label": words("name")},
            {"pointer": "/birth_date", "column": "born", "kind": "date", "answer": ["prove"],
             "lo": "1880-01-01", "hi": "2050-12-31", "label": words("date of birth")},
        ]
    })
}

impl Office {
    pub(super) async fn new() -> Self {
        install();
        let clock = Arc::new(ManualClock::at(NOON));
        let ca = DevCa::generate("Larkfield", NOON).unwrap();
        let leaf = ca.signer(ISS, SigningKey::generate().unwrap(), NOON).unwrap();
        let name = Name { en: "Larkfield".to_owned(), cy: "Larkfield".to_owned() };
        let often = 1_000_000;
        let limits = LimitSettings {
            offers_per_minute: often,
            token_per_minute: often,
            nonce_per_minute: often,
            credential_per_minute: often,
            deferred_per_minute: often,
            notification_per_minute: often,
            status_per_minute: often,
        };
        let parts = Parts {
            issuer: ISS.to_owned(),
            name,
            types: Types::new(vec![
                described("residency", false),
                described("parking", true),
                linked(LINKED),
            ])
            .unwrap(),
            lists: CodeLists::default(),
            signer: Arc::new(leaf.key),
            chain: vec![leaf.certificate.to_vec()],
            secrets: Secrets::new(ServerKey::generate(&OsEntropy::new())),
            registrar: RegistrarFiles::default(),
            offers: OfferSettings::default(),
            access: AccessSettings::default(),
            status: StatusSettings::default(),
            limits,
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(OsEntropy::new()),
        };
        let app = Arc::new(App::new(parts, Memory::default()));
        let folder = tempfile::tempdir().unwrap();
        let register = folder.path().join("register.csv");
        std::fs::write(&register, REGISTER).unwrap();
        for type_id in ["residency", "parking", LINKED] {
            let key_column = "person".to_owned();
            let options =
                Options { type_id: type_id.to_owned(), key_column, facts_as_of: date(2026, 11, 20) };
            let report = import::run(&app, &register, &options, |_| {}).await.unwrap();
            assert_eq!(report.progress.added, 3);
        }
        Self { router: router(Arc::clone(&app)), app, clock }
    }

    pub(super) async fn offer(&self, type_id: &str, person: &str, kind: Kind) -> Offer {
        let (type_id, person) = (type_id.to_owned(), person.to_owned());
        let request = OfferRequest { type_id, person, kind, delivery: Delivery::Letter };
        offer::create(&self.app, &request).await.unwrap()
    }

    /// The code in an offer.
    pub(super) async fn code(&self, offer: &Offer) -> String {
        let path = offer.address().strip_prefix(ISS).unwrap().to_owned();
        let reply = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        let grant = "/grants/urn:ietf:params:oauth:grant-type:pre-authorized_code/pre-authorized_code";
        reply.json().pointer(grant).unwrap().as_str().unwrap().to_owned()
    }

    /// A nonce for copies' keys, and one for tokens' keys.
    pub(super) async fn nonces(&self) -> (String, String) {
        let reply = self.send(Request::post("/nonce").body(Body::empty()).unwrap()).await;
        (reply.json()["c_nonce"].as_str().unwrap().to_owned(), reply.nonce.unwrap())
    }

    pub(super) async fn metadata(&self) -> IssuerMetadata {
        let path = "/.well-known/openid-credential-issuer";
        let reply = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        IssuerMetadata::parse(&reply.body, ISS).unwrap()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let nonce = response.headers().get("dpop-nonce").map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec();
        Reply { status, nonce, body }
    }
}
