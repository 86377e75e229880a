//! A small world in one process: a registrar, an issuing body and a service, honest or not, behind the wallet's `Http`.

pub(crate) mod desk;
pub(crate) mod issuer;
pub(crate) mod permits;
pub(crate) mod service;

use std::path::Path;
use std::sync::Arc;

use jiff::civil::{Date, date};
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::jose::{Alg, PublicJwk, Signer as _};
use vouchsafe_protocol::text::{Bilingual, Env};
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::trust::{Document, Extract, Judge, Registrar, TrustFile, unsigned};
use vouchsafe_service::clock::{Clock as _, ManualClock};
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{Jws, SigningKey, install};
use vouchsafe_wallet::http::{Http, HttpError, Incoming, Outgoing, Sending};
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::{Machine, Wallet};
use zeroize::Zeroizing;

pub(crate) const REGISTRAR: &str = "https://registrar.example";
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const PAYERS: [&str; 2] = ["https://one.example", "https://two.example"];
pub(crate) const PENSION: &str = "https://registrar.example/pension-age";
pub(crate) const WARDS: &str = "https://registrar.example/larkfield-wards";
pub(crate) const PASSPHRASE: &[u8] = b"four words and one more";

/// 21 November 2026, noon.
pub(crate) const NOW: UnixTime = UnixTime(1_795_262_400);

/// Values that must turn up nowhere but in sealed copies.
pub(crate) const ADDRESS: &str = "1 Canary Row";

pub(crate) fn both(text: &str) -> Bilingual {
    Bilingual { en: text.to_owned(), cy: format!("{text} (cy)") }
}

/// The attack fails as things are, and succeeds once its check is gone.
pub(crate) async fn killed(name: &str, attack: impl AsyncFn() -> bool) {
    assert!(!attack().await, "{name}: the attack succeeds with every check in place");
    #[cfg(feature = "mutants")]
    assert!(vouchsafe_mutants::without_async(name, attack()).await, "{name}: another check stops the attack");
}

/// Everybody but the wallet.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) registrar: SigningKey,
    pub(crate) ca: DevCa,
    pub(crate) issuer: issuer::Issuer,
    /// Two bodies that pay one resident.
    pub(crate) payers: [issuer::Issuer; 2],
    pub(crate) service: service::Service,
}

impl World {
    /// A resident born on that day, in ward 3.
    pub(crate) fn of(born: Date) -> Arc<Self> {
        Self::with(born, issuer::Spoil::None, service::Rogue::None)
    }

    pub(crate) fn with(born: Date, spoil: issuer::Spoil, rogue: service::Rogue) -> Arc<Self> {
        install();
        let clock = Arc::new(ManualClock::at(NOW));
        let registrar = SigningKey::generate().unwrap();
        let ca = DevCa::generate("world", NOW).unwrap();
        let office = Office { registrar: &registrar, ca: &ca };
        let issuer = issuer::Issuer::new(&office, born, spoil);
        let service = service::Service::new(&office, rogue);
        let paid = |total| issuer::Paid { person: "AB-0042", total };
        let payers = [(PAYERS[0], 90_000), (PAYERS[1], 50_000)]
            .map(|(iss, total)| issuer::Issuer::payer(&office, iss, paid(total)));
        Arc::new(Self { clock, registrar, ca, issuer, payers, service })
    }

    /// A world in which one of the two payers states, instead, who lives together.
    pub(crate) fn of_couples() -> Arc<Self> {
        let world = Self::of(old_resident());
        let mut world = Arc::into_inner(world).unwrap();
        let office = Office { registrar: &world.registrar, ca: &world.ca };
        world.payers[1] = issuer::Issuer::register_of_homes(&office, PAYERS[1]);
        Arc::new(world)
    }

    pub(crate) fn trust_file(&self) -> Vec<u8> {
        let file = TrustFile { registrar: self.pinned(), anchors: self.anchors() };
        serde_json::to_vec(&file.to_value()).unwrap()
    }

    pub(crate) fn pinned(&self) -> Registrar {
        pinned(&self.registrar)
    }

    pub(crate) fn anchors(&self) -> Vec<Anchor> {
        vec![Anchor::from_der(self.ca.certificate().to_vec()).unwrap()]
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// A wallet in `directory` that trusts this world.
    pub(crate) async fn wallet(self: &Arc<Self>, directory: &Path) -> Wallet {
        let wallet = self.bare_wallet(directory).await;
        wallet.trust_add(&self.trust_file()).await.unwrap();
        wallet
    }

    pub(crate) async fn bare_wallet(self: &Arc<Self>, directory: &Path) -> Wallet {
        let machine = Machine {
            http: Arc::new(Door(Arc::clone(self))),
            clock: self.clock.clone(),
            entropy: Arc::new(OsEntropy::new()),
            env: Env::Test,
        };
        Wallet::open(directory, PASSPHRASE, Cost::LEAST, machine).await.unwrap()
    }

    /// A wallet that has collected its batch.
    pub(crate) async fn filled_wallet(self: &Arc<Self>, directory: &Path) -> Wallet {
        let wallet = self.wallet(directory).await;
        wallet.receive(&self.issuer.link(), Some(issuer::TX_CODE)).await.unwrap();
        wallet
    }
}

impl World {
    /// A wallet that has collected what both bodies pay.
    pub(crate) async fn paid_wallet(self: &Arc<Self>, directory: &Path) -> Wallet {
        let wallet = self.wallet(directory).await;
        for payer in &self.payers {
            wallet.receive(&payer.link(), Some(issuer::TX_CODE)).await.unwrap();
        }
        wallet
    }
}

fn pinned(key: &SigningKey) -> Registrar {
    let key: PublicJwk = key.public().clone();
    Registrar { iss: REGISTRAR.to_owned(), keys: vec![("r1".to_owned(), key)] }
}

/// The registrar at its desk, while the world is made.
pub(crate) struct Office<'a> {
    pub(crate) registrar: &'a SigningKey,
    pub(crate) ca: &'a DevCa,
}

impl Office<'_> {
    /// Signs an entry and reads it back as everybody does.
    pub(crate) fn sign<D: Document>(&self, document: &D) -> Extract<D> {
        let unsigned = unsigned(document, Alg::Es256, "r1");
        let signature = self.registrar.sign_now(unsigned.signing_input()).unwrap();
        let registrar = pinned(self.registrar);
        let judge = Judge { registrar: &registrar, last_seen: 0, now: NOW, verifier: &Jws };
        judge.verify(&unsigned.finish(&signature)).unwrap()
    }

    /// Members of an entry in JSON, with those that every entry has.
    pub(crate) fn entry<D: Document>(&self, mut members: Value) -> Extract<D> {
        for (name, value) in [
            ("iss", json!(REGISTRAR)),
            ("iat", json!(NOW.0 - 3600)),
            ("exp", json!(NOW.0 + 6 * DAY)),
            ("reg_version", json!(7)),
        ] {
            members[name] = value;
        }
        self.sign(&serde_json::from_value(members).unwrap())
    }
}

pub(crate) fn pension_table() -> Value {
    json!({"sub": PENSION, "version": 1, "rows": [{"from": "1880-01-01", "to": "2050-12-31",
        "years": 66, "months": 0, "overflow": "last_day"}]})
}

pub(crate) fn ward_list() -> Value {
    let row =
        |index: u32, name: &str| json!({"code": format!("W{index:02}"), "index": index, "name": both(name)});
    json!({"sub": WARDS, "version": 1, "rows": [row(2, "North"), row(3, "Mill"), row(4, "South")]})
}

/// The wallet's way to the world.
struct Door(Arc<World>);

impl Http for Door {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        Box::pin(async move {
            let (before, after) = self.0.issuer.desk.call();
            self.stop(before).await;
            let reply = self.answer(request).await;
            self.stop(after).await;
            reply
        })
    }
}

impl Door {
    /// Whoever waits for the wallet to get here drops it.
    async fn stop(&self, stop: bool) {
        if stop {
            self.0.issuer.desk.stopped.notify_one();
            std::future::pending::<()>().await;
        }
    }

    async fn payer(
        &self,
        at: usize,
        path: &str,
        body: Option<Vec<u8>>,
        bearer: Option<String>,
        accept: &str,
    ) -> Incoming {
        let (payer, now) = (&self.0.payers[at], self.0.now());
        if path.starts_with(".well-known/openid-c") {
            return payer.discovered(accept, now).await;
        }
        payer.answer(path, body, bearer, now).await
    }

    async fn answer(&self, request: Outgoing<'_>) -> Result<Incoming, HttpError> {
        let body = request.body.map(|(_, body)| body.to_vec());
        let (host, path) = request.url.trim_start_matches("https://").split_once('/').unwrap();
        let bearer = request.token.map(str::to_owned);
        match host {
            "issuer.example" if path.starts_with(".well-known/openid-c") => {
                Ok(self.0.issuer.discovered(request.accept, self.0.now()).await)
            }
            "issuer.example" => Ok(self.0.issuer.answer(path, body, bearer, self.0.now()).await),
            "one.example" => Ok(self.payer(0, path, body, bearer, request.accept).await),
            "two.example" => Ok(self.payer(1, path, body, bearer, request.accept).await),
            "lists.example" => Ok(self.0.issuer.list(request.url, self.0.now()).await),
            "verify.example" => self.0.service.answer(path, body, self.0.now()),
            _ => {
                self.0.issuer.desk.note(request.url);
                Err(HttpError::Unreachable)
            }
        }
    }
}

pub(crate) fn reply(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Incoming {
    let body = Zeroizing::new(body.into());
    Incoming { status, content_type: content_type.to_owned(), retry_after_s: None, dpop_nonce: None, body }
}

pub(crate) fn old_resident() -> Date {
    date(1950, 2, 28)
}

pub(crate) fn young_resident() -> Date {
    date(1990, 2, 28)
}

/// Changes the claims of a JWS and signs it again with `key`.
pub(crate) fn altered(jws: &str, key: &SigningKey, change: impl FnOnce(&mut Value)) -> String {
    let parts: Vec<&str> = jws.split('.').collect();
    let payload = vouchsafe_protocol::encoding::b64u_decode(parts[1]).unwrap();
    let mut claims: Value = serde_json::from_slice(&payload).unwrap();
    change(&mut claims);
    let input = format!("{}.{}", parts[0], b64u(claims.to_string()));
    let signature = key.sign_now(input.as_bytes()).unwrap();
    format!("{input}.{}", b64u(signature))
}
