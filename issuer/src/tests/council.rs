//! A council in a folder of its own, at a fixed time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use jiff::civil::date;
use tower::ServiceExt as _;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::text::{Bilingual, Env};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::IssuerEntry;
use vouchsafe_protocol::types::{CodeLists, CredentialType};
use vouchsafe_service::clock::ManualClock;
use vouchsafe_service::config::json_of_toml;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{SigningKey, install};
use vouchsafe_service::secret::ServerKey;
use vouchsafe_service::store::{Schema, Sqlite};

use crate::RegistrarFiles;
use crate::config::{AccessSettings, LimitSettings, Name, OfferSettings};
use crate::import::{self, Options};
use crate::offer::{self, Delivery, Offer, OfferRequest};
use crate::store::{MIGRATOR, SqliteStore};
use crate::types::Types;
use crate::{App, Kind, Parts, Secrets, router};

/// 21 November 2026, ten in the morning.
pub(super) const NOW: UnixTime = UnixTime(1_795_255_200);
pub(super) const ISSUER: &str = "https://issuer.larkfield.example";
pub(super) const WARDS: &str = "https://larkfield.example/lists/county-wards/1";

pub(super) const TYPE: &str = r#"
id = "residency"
vct = "https://larkfield.example/types/residency/1"
name = { en = "Larkfield residency", cy = "Preswyliaeth Larkfield" }
ttl_days = 90
batch = 30

[[attributes]]
pointer = "/name"
column = "name"
kind = "text"
answer = ["show"]
label = { en = "your name", cy = "eich enw" }

[[attributes]]
pointer = "/address"
column = "address"
kind = "text"
answer = ["show"]
label = { en = "your address", cy = "eich cyfeiriad" }

[[attributes]]
pointer = "/birth_date"
column = "date_of_birth"
kind = "date"
answer = ["prove"]
lo = "1880-01-01"
hi = "2050-12-31"
label = { en = "your date of birth", cy = "eich dyddiad geni" }

[[attributes]]
pointer = "/ward"
column = "ward"
kind = "code"
codes = "https://larkfield.example/lists/county-wards/1"
answer = ["prove"]
lo = "0"
hi = "999"
label = { en = "your ward", cy = "eich ward" }

[[attributes]]
pointer = "/tenant"
column = "tenant"
kind = "flag"
answer = ["show", "prove"]
label = { en = "whether you rent from the council", cy = "a ydych yn rhentu gan y cyngor" }
"#;

/// What an employer says of a month; the second type of a council that pays.
pub(super) const PAY: &str = r#"
id = "pay"
vct = "https://larkfield.example/types/pay/1"
name = { en = "Pay of a month", cy = "Cyflog mis" }
ttl_days = 60
batch = 3
status = true
period = "month"
period_column = "month"

[[attributes]]
pointer = "/person"
column = "number"
kind = "text"
unit = "https://larkfield.example/ids/person"
pattern = "AA-9999"
answer = ["prove"]
label = { en = "your number", cy = "eich rhif" }

[[attributes]]
pointer = "/total"
column = "total"
kind = "money"
answer = ["prove"]
lo = "0"
hi = "10000000"
label = { en = "your pay of the month", cy = "eich cyflog am y mis" }
"#;

/// Five residents; nobody else has these names, streets and dates.
pub(super) const REGISTER: &str = "\
person,name,address,date_of_birth,ward,tenant,shoe_size
LD-0041,Resident 0041,\"41 Canary Street, Larkfield\",1984-02-29,W101,no,38
LD-0042,Resident 0042,\"42 Canary Street, Larkfield\",1958-03-14,W142,yes,44
LD-0043,Resident 0043,,1949-12-01,W103,no,41
LD-0044,Resident 0044,\"44 Canary Street, Larkfield\",1955-05-05,W104,yes,40
LD-0045,Resident 0045,\"45 Canary Street, Larkfield\",1951-08-02,W105,no,42
";

/// What must never be seen outside the credentials.
pub(super) const PLANTED: [&str; 6] =
    ["Resident 00", "Canary Street", "1958-03-14", "1984-02-29", "W142", "LD-004"];

pub(super) struct Council {
    pub(super) app: Arc<App<SqliteStore>>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) ca: DevCa,
    folder: tempfile::TempDir,
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The `error` or problem code, and that nothing personal stands beside it.
    pub(super) fn refused(&self) -> (u16, String) {
        assert!(PLANTED.iter().all(|value| !self.text().contains(value)), "{}", self.text());
        assert_eq!(self.headers["cache-control"], "no-store");
        let body = self.json();
        let code = body.get("error").or_else(|| body.get("code")).and_then(|code| code.as_str());
        (self.status.as_u16(), code.unwrap_or_default().to_owned())
    }
}

pub(super) fn credential_type() -> CredentialType {
    CredentialType::from_json(&json_of_toml(TYPE).unwrap()).unwrap()
}

pub(super) fn pay_type() -> CredentialType {
    CredentialType::from_json(&json_of_toml(PAY).unwrap()).unwrap()
}

/// The type of the register with copies that are linked, and the same under another name for which an officer decides.
pub(super) fn linked_types() -> [CredentialType; 2] {
    const SINCE: &str = r#"
[[attributes]]
pointer = "/link_since"
kind = "date"
answer = ["prove"]
lo = "2020-01-01"
hi = "2119-12-31"
label = { en = "on record since", cy = "ar gofnod ers" }
"#;
    let text = format!("link = true\n{TYPE}{SINCE}");
    let first = CredentialType::from_json(&json_of_toml(&text).unwrap()).unwrap();
    let second = CredentialType {
        id: "card".to_owned(),
        vct: "https://larkfield.example/types/card/1".to_owned(),
        deferred: true,
        ..first.clone()
    };
    [first, second]
}

pub(super) fn parts(clock: Arc<ManualClock>, ca: &DevCa, registrar: RegistrarFiles) -> Parts {
    let leaf = ca.signer(ISSUER, SigningKey::generate().unwrap(), NOW).unwrap();
    let mut lists = CodeLists::default();
    lists.insert(WARDS, (0..200).map(|index| (format!("W{index}"), index)));
    Parts {
        issuer: ISSUER.to_owned(),
        name: Name {
            en: "Larkfield District Council".to_owned(),
            cy: "Cyngor Dosbarth Larkfield".to_owned(),
        },
        types: Types::new(vec![credential_type()]).unwrap(),
        lists,
        registrar,
        signer: Arc::new(leaf.key),
        chain: vec![leaf.certificate.to_vec()],
        secrets: Secrets::new(ServerKey::generate(&OsEntropy::new())),
        offers: OfferSettings::default(),
        access: AccessSettings::default(),
        status: crate::status::StatusSettings::default(),
        limits: LimitSettings::default(),
        clock,
        entropy: Arc::new(OsEntropy::new()),
    }
}

impl Council {
    pub(super) async fn new() -> Self {
        Self::with(RegistrarFiles::default()).await
    }

    pub(super) async fn with(registrar: RegistrarFiles) -> Self {
        Self::made(registrar, LimitSettings::default()).await
    }

    /// A council whose endpoints are called only so often by one part of the network.
    pub(super) async fn limited(limits: LimitSettings) -> Self {
        let council = Self::made(RegistrarFiles::default(), limits).await;
        council.import().await;
        council
    }

    /// A council with other demands on wallets.
    pub(super) async fn settled(access: AccessSettings) -> Self {
        let council = Self::built(|parts| parts.access = access).await;
        council.import().await;
        council
    }

    /// A council whose offers and nonces live so long.
    pub(super) async fn lasting(offers: OfferSettings) -> Self {
        let council = Self::built(|parts| parts.offers = offers).await;
        council.import().await;
        council
    }

    /// A council whose type is changed.
    pub(super) async fn of_type(change: impl FnOnce(&mut CredentialType)) -> Self {
        let mut changed = credential_type();
        change(&mut changed);
        Self::built(|parts| parts.types = Types::new(vec![changed]).unwrap()).await
    }

    /// A council that pays, and has imported nothing.
    pub(super) async fn paying() -> Self {
        let types = || Types::new(vec![credential_type(), pay_type()]).unwrap();
        Self::built(|parts| parts.types = types()).await
    }

    /// The same where an officer decides on each request.
    pub(super) async fn paying_after_approval() -> Self {
        let types = || Types::new(vec![CredentialType { deferred: true, ..pay_type() }]).unwrap();
        Self::built(|parts| parts.types = types()).await
    }

    /// A council whose copies are linked, of two types with one register; an officer decides on requests for the second.
    pub(super) async fn linking() -> Self {
        let council = Self::built(|parts| parts.types = Types::new(linked_types().to_vec()).unwrap()).await;
        for described in linked_types() {
            let options = Options { type_id: described.id, ..options() };
            import::run(&council.app, &council.file(REGISTER), &options, |_| {}).await.unwrap();
        }
        council
    }

    /// A council whose officer decides on each request.
    pub(super) async fn deferring() -> Self {
        let council = Self::of_type(|described| described.deferred = true).await;
        council.import().await;
        council
    }

    async fn made(registrar: RegistrarFiles, limits: LimitSettings) -> Self {
        Self::built(|parts| {
            parts.registrar = registrar;
            parts.limits = limits;
        })
        .await
    }

    async fn built(change: impl FnOnce(&mut Parts)) -> Self {
        install();
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let ca = DevCa::generate("Larkfield", NOW).unwrap();
        let mut parts = parts(Arc::clone(&clock), &ca, RegistrarFiles::default());
        change(&mut parts);
        let pools =
            Sqlite::open(&folder.path().join("issuer.sqlite"), &MIGRATOR, Schema::Migrate).await.unwrap();
        Self { app: Arc::new(App::new(parts, SqliteStore::new(pools))), clock, ca, folder }
    }

    /// A council that has imported its register.
    pub(super) async fn enrolled() -> Self {
        let council = Self::new().await;
        council.import().await;
        council
    }

    async fn import(&self) {
        let report = import::run(&self.app, &self.file(REGISTER), &options(), |_| {}).await.unwrap();
        assert_eq!((report.progress.added, report.progress.rejected), (5, 0));
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn file(&self, csv: &str) -> PathBuf {
        let path = self.folder.path().join("register.csv");
        std::fs::write(&path, csv).unwrap();
        path
    }

    pub(super) async fn offer(&self, kind: Kind) -> Offer {
        self.offer_to("LD-0042", kind, Delivery::Link).await
    }

    pub(super) async fn offer_to(&self, person: &str, kind: Kind, delivery: Delivery) -> Offer {
        let request =
            OfferRequest { type_id: "residency".to_owned(), person: person.to_owned(), kind, delivery };
        offer::create(&self.app, &request).await.unwrap()
    }

    pub(super) fn router(&self) -> Router {
        router(Arc::clone(&self.app))
    }

    pub(super) async fn call(&self, request: Request<Body>) -> Reply {
        let response = self.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.call(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) fn anchor(&self) -> Anchor {
        Anchor::from_der(self.ca.certificate().to_vec()).unwrap()
    }

    /// What a registrar would say of this council.
    pub(super) fn entry(&self) -> IssuerEntry {
        IssuerEntry {
            iss: "https://registrar.example".to_owned(),
            iat: NOW,
            exp: NOW.plus(86_400),
            reg_version: 1,
            sub: ISSUER.to_owned(),
            env: Env::Test,
            name: Bilingual { en: "Larkfield".to_owned(), cy: "Larkfield".to_owned() },
            anchors: vec![b64u(self.anchor().sha256())],
            types: vec![credential_type().vct, credential_type().proof_vct()],
        }
    }
}

pub(super) fn options() -> Options {
    Options {
        type_id: "residency".to_owned(),
        key_column: "person".to_owned(),
        facts_as_of: date(2026, 11, 20),
    }
}
