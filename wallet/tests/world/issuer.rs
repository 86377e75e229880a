//! An issuing body, honest or not.

pub(crate) mod card;
pub(crate) mod home;
mod marked;
pub(crate) mod payer;

use std::sync::Mutex;

use jiff::civil::Date;
use serde_json::{Map, Value, json};
use vouchsafe_proofs::commitment::{Commitment, Seed, commit};
use vouchsafe_proofs::encoding::day;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::jws::{NewHeader, sign};
use vouchsafe_protocol::jose::{Alg, KeyAgreement as _, NamedJwk, PublicJwk};
use vouchsafe_protocol::openid4vci::credential::{self, Asked, Copy, Openings, Received, ResponseKey};
use vouchsafe_protocol::openid4vci::deferred::{self, Transaction};
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_protocol::openid4vci::metadata::{
    Batch, Configuration, Display, IssuerMetadata, RequestEncryption, ResponseEncryption, ServerMetadata,
};
use vouchsafe_protocol::openid4vci::offer::{Grants, Offer, PreAuthorized, TxCode};
use vouchsafe_protocol::openid4vci::proof::{Expected, Proofs};
use vouchsafe_protocol::openid4vci::signed;
use vouchsafe_protocol::openid4vci::token::{NonceResponse, TokenRequest, TokenResponse};
use vouchsafe_protocol::sd_jwt::Builder;
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::trust::{Extract, IssuerEntry, Table};
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_protocol::zkc;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::{self, EntropyRng, OsEntropy};
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, SigningKey};
use vouchsafe_wallet::http::Incoming;

use self::home::Hidden;
use self::marked::Same;
use super::desk::{Decision, Desk, Metadata, PutOff};
use super::{ADDRESS, ISSUER, NOW, Office, WARDS, both, reply, ward_list};

pub(crate) const VCT: &str = "https://larkfield.example/types/residency/1";
/// What bodies pay.
pub(crate) const PAY_VCT: &str = "https://larkfield.example/types/wages/1";
/// The same at an address of the body's own.
pub(crate) const OWN_VCT: &str = "https://issuer.example/types/residency/1";
pub(crate) const TX_CODE: &str = "493536";
/// One more configuration of proof copies.
const SECOND: &str = "second-zk";
pub(crate) const COPIES: u32 = 3;
/// The seconds to wait before asking for what was put off.
pub(crate) const INTERVAL: u32 = 600;
/// What names a transaction.
pub(crate) const TRANSACTION: &str = "tr4nsaction";

/// What a dishonest body does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoil {
    None,
    /// Commits to another birth date than it says.
    WrongValue,
    /// Signs a birth date outside the range that it declares.
    OutOfRange,
    /// Uses one seed for all copies.
    ReusedSeed,
    /// Uses the same salts for all copies.
    SharedSalt,
    /// Puts the commitments of one copy into another.
    ForeignZkc,
    /// Numbers its copies for all to see.
    Numbered,
    /// Puts a number that is the resident's into the header of each copy.
    NumberedHeader,
    /// Writes the header of one copy otherwise than those of the others.
    OtherHeader,
    /// Puts a number that is the resident's among the digests.
    NumberedDecoy,
    /// Puts one digest of nothing into every copy of a resident.
    SameDecoy,
    /// Puts one digest of nothing more into one copy.
    OneDecoyMore,
    /// Sends the copies in clear.
    Plain,
    /// Is not in the register.
    Unregistered,
    /// Is registered for another type.
    OtherType,
    /// Binds every copy to its own key.
    OwnKey,
    /// Gives copies that end tomorrow; that is no fault.
    Brief,
    /// Has a document at the address of its type; that is no fault either.
    Documented,
    /// Says that somebody earned less than nothing.
    Negative,
    /// Commits to another text than it says.
    OtherText,
    /// Signs pence as pounds.
    WrongUnit,
    /// Gives a text a width.
    RangedText,
    /// Leaves a commitment out of one copy.
    OtherPointers,
    /// Says the total of a month that is not over.
    ForeignPeriod,
    /// Says another month in each copy.
    OwnPeriods,
    /// Says no month.
    NoPeriod,
    /// Links a copy to another secret than the wallet's.
    LinkedToAnother,
    /// Gives each copy the link of the next.
    SwappedLinks,
    /// Links no copy of a type that is linked.
    Unlinked,
    /// Links all copies but one.
    OneUnlinked,
    /// Links the copies of a type that is not.
    LinkedUnasked,
    /// Gives the link a unit, which is as good as a number.
    MarkedLink,
}

/// What a body pays somebody.
#[derive(Clone, Copy)]
pub(crate) struct Paid {
    pub(crate) person: &'static str,
    pub(crate) total: u64,
}

pub(crate) struct Issuer {
    iss: String,
    says: Mutex<Option<Hidden>>,
    facts: Mutex<&'static str>,
    spoil: Spoil,
    born: Date,
    leaf: Leaf,
    described: CredentialType,
    pub(crate) entry: Extract<IssuerEntry>,
    wards: Extract<Table>,
    key: AgreementKey,
    first: Mutex<Option<Value>>,
    busy: Mutex<Vec<&'static str>>,
    pub(crate) desk: Desk,
    /// A certificate of somebody else under the body's anchor.
    other: Leaf,
    /// An anchor that the register names for nobody here, and a certificate under it in the body's name.
    pub(crate) elsewhere: DevCa,
    foreign: Leaf,
}

impl Issuer {
    pub(crate) fn new(office: &Office<'_>, born: Date, spoil: Spoil) -> Self {
        let described = described(if spoil == Spoil::Documented { OWN_VCT } else { VCT });
        Self::of(office, ISSUER, described, born, spoil)
    }

    /// A body that states what it pays one person.
    pub(crate) fn payer(office: &Office<'_>, iss: &str, paid: Paid) -> Self {
        let issuer = Self::of(office, iss, described_pay(), super::old_resident(), Spoil::None);
        issuer.say(paid.hidden());
        issuer
    }

    fn of(office: &Office<'_>, iss: &str, described: CredentialType, born: Date, spoil: Spoil) -> Self {
        let vct = match spoil {
            Spoil::OtherType => "https://other.example/zk".to_owned(),
            _ => described.proof_vct(),
        };
        let sub = if spoil == Spoil::Unregistered { "https://someone.example" } else { iss };
        let anchor = vouchsafe_protocol::encoding::sha256(office.ca.certificate());
        let entry = office.entry(json!({"sub": sub, "env": "test", "name": name_of(iss),
            "anchors": [b64u(anchor)], "types": [vct, described.vct, payer::described().proof_vct(), card::described().proof_vct()]}));
        let leaf = |ca: &DevCa, name: &str| ca.signer(name, SigningKey::generate().unwrap(), NOW).unwrap();
        let elsewhere = DevCa::generate("elsewhere", NOW).unwrap();
        Self {
            iss: iss.to_owned(),
            says: Mutex::default(),
            facts: Mutex::new("2026-11-01"),
            spoil,
            born,
            leaf: leaf(office.ca, iss),
            other: leaf(office.ca, "https://someone.example"),
            foreign: leaf(&elsewhere, iss),
            elsewhere,
            desk: Desk::default(),
            described,
            entry,
            wards: office.entry(ward_list()),
            key: AgreementKey::generate(&OsEntropy::new()),
            first: Mutex::new(None),
            busy: Mutex::default(),
        }
    }

    /// The next call to each of these paths is refused for the rate.
    pub(crate) fn set_busy(&self, paths: &[&'static str]) {
        self.busy.lock().unwrap().extend(paths);
    }

    fn is_busy(&self, path: &str) -> bool {
        let mut busy = self.busy.lock().unwrap();
        let found = busy.iter().position(|one| *one == path);
        found.map(|at| busy.remove(at)).is_some()
    }

    pub(crate) fn described(&self) -> &CredentialType {
        &self.described
    }

    pub(crate) fn offer(&self) -> Offer {
        let tx_code = Some(TxCode::default());
        let pre_authorized = PreAuthorized { code: "c0de".to_owned(), tx_code, authorization_server: None };
        Offer {
            credential_issuer: self.iss.clone(),
            credential_configuration_ids: vec![self.described.proof_configuration()],
            grants: Grants { pre_authorized },
        }
    }

    /// An offer of two batches.
    pub(crate) fn double_offer(&self) -> Offer {
        let ids = vec![self.described.proof_configuration(), SECOND.to_owned()];
        Offer { credential_configuration_ids: ids, ..self.offer() }
    }

    /// The same for what is said of a month.
    pub(crate) fn pay_offer(&self) -> Offer {
        Offer { credential_configuration_ids: vec![payer::described().proof_configuration()], ..self.offer() }
    }

    /// The same for copies without proofs.
    pub(crate) fn plain_offer(&self) -> Offer {
        Offer { credential_configuration_ids: vec![self.described.id.clone()], ..self.offer() }
    }

    pub(crate) fn link(&self) -> String {
        Offer::link_to(&format!("{}/offers/1", self.iss))
    }

    pub(crate) async fn answer(
        &self,
        path: &str,
        body: Option<Vec<u8>>,
        bearer: Option<String>,
        now: UnixTime,
    ) -> Incoming {
        let json = |value: Value| reply(200, "application/json", value.to_string());
        if self.is_busy(path) {
            return busy();
        }
        self.desk.note(path);
        match path {
            _ if path.starts_with("status/") => self.list(&format!("{}/{path}", self.iss), now).await,
            _ if path.starts_with("types/") => match self.desk.read(|rules| rules.document.clone()) {
                Some(document) => reply(200, "application/json", document),
                None => reply(404, "text/plain", ""),
            },
            ".well-known/oauth-authorization-server" => {
                let token = format!("{}/token", self.iss);
                json(serde_json::to_value(ServerMetadata::of(&self.iss, &token)).unwrap())
            }
            "offers/1" => json(serde_json::to_value(self.offer()).unwrap()),
            "token" => {
                *self.desk.spent.lock().unwrap() = false;
                token(&body.unwrap())
            }
            "nonce" => json(serde_json::to_value(NonceResponse { c_nonce: "n".repeat(22) }).unwrap()),
            "credential" | "deferred" if bearer.as_deref() != Some("t0ken") => refused(401, "invalid_token"),
            "credential" if *self.desk.spent.lock().unwrap() => refused(401, "invalid_token"),
            "credential" => self.credential(&body.unwrap(), now).await,
            "deferred" => self.deferred(&body.unwrap()).await,
            _ => reply(404, "text/plain", ""),
        }
    }

    fn metadata(&self) -> IssuerMetadata {
        let key = NamedJwk {
            key: self.key.public().clone(),
            kid: Some("k".to_owned()),
            usage: Some("enc".to_owned()),
            alg: Some("ECDH-ES".to_owned()),
        };
        IssuerMetadata {
            credential_issuer: self.iss.clone(),
            authorization_servers: Vec::new(),
            credential_endpoint: format!("{}/credential", self.iss),
            nonce_endpoint: Some(format!("{}/nonce", self.iss)),
            deferred_credential_endpoint: Some(format!("{}/deferred", self.iss)),
            notification_endpoint: None,
            credential_request_encryption: Some(RequestEncryption::with(&key)),
            credential_response_encryption: Some(ResponseEncryption::offered()),
            batch_credential_issuance: Some(Batch { batch_size: COPIES }),
            display: Display::of(&both("Council")),
            credential_configurations_supported: [
                (self.described.id.clone(), Configuration::plain(&self.described)),
                (self.described.proof_configuration(), Configuration::proof(&self.described)),
                (SECOND.to_owned(), Configuration::proof(&self.described)),
                (payer::described().proof_configuration(), Configuration::proof(&payer::described())),
                (card::described().proof_configuration(), Configuration::proof(&card::described())),
            ]
            .into(),
            issuer_entry: Some(self.entry.jws().to_owned()),
            tables: vec![self.wards.jws().to_owned()],
        }
    }

    async fn credential(&self, body: &[u8], now: UnixTime) -> Incoming {
        let body = std::str::from_utf8(body).unwrap();
        let request = Received::encrypted(body, "k", &self.key, &RingAead).unwrap();
        let expected = Expected { issuer: &self.iss, batch_size: COPIES as usize, now };
        let proofs = Proofs::verify(&request.proofs, &expected, &Jws).unwrap();
        *self.desk.spent.lock().unwrap() = !self.desk.read(|rules| rules.reusable);
        if request.asked == Asked::Configuration(payer::described().proof_configuration()) {
            return self.paid(proofs.keys(), request.response.as_ref()).await;
        }
        let plain = request.asked == Asked::Configuration(self.described.id.clone());
        let card = request.asked == Asked::Configuration(card::described().proof_configuration());
        let links = if card { Some(self.linked(&proofs, request.link_proof.as_deref())) } else { None };
        if links.is_some() && self.desk.read(|rules| rules.other_wallet) {
            return refused(400, CredentialError::OtherWallet.as_str());
        }
        if self.desk.read(|rules| rules.put_off) {
            let put_off = PutOff { keys: proofs.keys().to_vec(), links, plain, collected: false };
            *self.desk.put_off.lock().unwrap() = Some(put_off);
            return later(TRANSACTION, request.response.as_ref());
        }
        match links {
            Some(links) => self.carded(proofs.keys(), &links, request.response.as_ref()).await,
            None => self.issued(proofs.keys(), plain, request.response.as_ref()).await,
        }
    }

    /// What was put off, once it is decided.
    async fn deferred(&self, body: &[u8]) -> Incoming {
        let body = std::str::from_utf8(body).unwrap();
        let request = deferred::Received::encrypted(body, "k", &self.key, &RingAead).unwrap();
        let (decision, other) = self.desk.read(|rules| (rules.decision, rules.other_transaction));
        let (keys, links, plain) = {
            let mut put_off = self.desk.put_off.lock().unwrap();
            let known = put_off
                .as_mut()
                .filter(|put_off| !put_off.collected && request.transaction_id == TRANSACTION);
            let Some(put_off) = known else { return refused(400, "invalid_transaction_id") };
            put_off.collected = decision == Decision::Approved;
            (put_off.keys.clone(), put_off.links.clone(), put_off.plain)
        };
        match decision {
            Decision::None if other => later("another", request.response.as_ref()),
            Decision::None => later(TRANSACTION, request.response.as_ref()),
            Decision::Refused => refused(400, "credential_request_denied"),
            Decision::Approved if self.desk.read(|rules| rules.other_wallet) => {
                refused(400, CredentialError::OtherWallet.as_str())
            }
            Decision::Approved if links.is_some() => {
                self.carded(&keys, &links.unwrap(), request.response.as_ref()).await
            }
            Decision::Approved => self.issued(&keys, plain, request.response.as_ref()).await,
        }
    }

    async fn issued(&self, keys: &[PublicJwk], plain: bool, to: Option<&ResponseKey>) -> Incoming {
        let entropy = OsEntropy::new();
        let shared = Seed::new(entropy::bytes(&entropy));
        let mut copies = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            let seed = if self.spoil == Spoil::ReusedSeed {
                shared.clone()
            } else {
                Seed::new(entropy::bytes(&entropy))
            };
            copies.push(if plain { self.plain_copy(key).await } else { self.copy(key, seed, number).await });
        }
        let response = credential::write_response(&copies, None);
        if self.spoil == Spoil::Plain {
            return reply(200, "application/json", response.to_vec());
        }
        sealed(200, &response, to)
    }

    /// The metadata, signed for who asks for that, if the body signs them.
    pub(crate) async fn discovered(&self, accept: &str, now: UnixTime) -> Incoming {
        const PATH: &str = ".well-known/openid-credential-issuer";
        if self.is_busy(PATH) {
            return busy();
        }
        self.desk.note(PATH);
        let how = self.desk.read(|rules| rules.metadata);
        if how == Metadata::Plain || !accept.starts_with(signed::MEDIA_TYPE) {
            return reply(200, "application/json", serde_json::to_vec(&self.metadata()).unwrap());
        }
        let leaf = match how {
            Metadata::SignedByOther => &self.other,
            Metadata::SignedElsewhere => &self.foreign,
            _ => &self.leaf,
        };
        let at = if how == Metadata::SignedLongAgo { now.plus(-3 * DAY) } else { now };
        let unsigned = signed::unsigned(&self.metadata(), Alg::Es256, &[&leaf.certificate], at);
        reply(200, signed::MEDIA_TYPE, sign(unsigned, &leaf.key).await.unwrap())
    }

    /// The status list at `uri`.
    pub(crate) async fn list(&self, uri: &str, now: UnixTime) -> Incoming {
        self.desk.note(uri);
        let elsewhere = self.desk.read(|rules| rules.list_elsewhere);
        self.desk.list(uri, if elsewhere { &self.foreign } else { &self.leaf }, now).await
    }

    /// Members that the desk's rules add to a copy.
    fn extras(&self) -> impl Iterator<Item = (String, Value)> {
        let integrity = self.desk.read(|rules| rules.integrity.clone()).map(Value::from);
        let named = |name: &'static str| move |value| (name.to_owned(), value);
        let status = self.desk.status().map(named("status"));
        status.into_iter().chain(integrity.map(named("vct#integrity")))
    }

    async fn copy(&self, key: &PublicJwk, seed: Seed, number: usize) -> Copy {
        let says = self.says.lock().unwrap().clone();
        if let Some(hidden) = says {
            return self.stated_copy(key, seed, &hidden).await;
        }
        let vct = self.described.proof_vct();
        let born = if self.spoil == Spoil::OutOfRange { jiff::civil::date(1700, 1, 1) } else { self.born };
        let midnight = NOW.day_start().0;
        let days = if self.spoil == Spoil::Brief { 1 } else { 90 };
        let mut claims = Map::from_iter([
            ("iss".to_owned(), json!(ISSUER)),
            ("vct".to_owned(), json!(vct)),
            ("iat".to_owned(), json!(midnight)),
            ("exp".to_owned(), json!(midnight + days * DAY)),
            ("facts_as_of".to_owned(), json!("2026-11-01")),
            ("zkc".to_owned(), self.zkc(&seed, &vct, born)),
            ("ward".to_owned(), json!("W03")),
            ("address".to_owned(), json!(ADDRESS)),
        ]);
        claims.extend(self.extras());
        if self.spoil == Spoil::Numbered {
            claims.insert("number".to_owned(), json!(42));
        }
        let own = SigningKey::generate().unwrap();
        let holder =
            if self.spoil == Spoil::OwnKey { vouchsafe_protocol::jose::Signer::public(&own) } else { key };
        let builder = Builder::new(claims).conceal("/ward").conceal("/address").holder(holder);
        let builder = builder.decoys("", usize::from(self.spoil == Spoil::OneDecoyMore && number == 0));
        let header = self.header(number);
        let entropy = OsEntropy::new();
        let issuable = match self.spoil {
            Spoil::SharedSalt => builder.build(&header, &mut Same(0)).unwrap(),
            _ => builder.build(&header, &mut EntropyRng(&entropy)).unwrap(),
        };
        let values = Map::from_iter([("/birth_date".to_owned(), json!(born.to_string()))]);
        let openings = Some(Openings::new(seed, values));
        Copy { credential: self.signed(issuable, &header).await, openings }
    }

    async fn stated_copy(&self, key: &PublicJwk, seed: Seed, hidden: &Hidden) -> Copy {
        let (vct, midnight) = (self.described.proof_vct(), NOW.day_start().0);
        let form = |pointer: &str| self.described.attribute(pointer).unwrap().form().unwrap();
        let forms: Vec<_> = hidden
            .iter()
            .map(|(pointer, value)| {
                let form = form(pointer);
                let c = value.commit(&form.unit, &seed.blinding(&self.iss, &vct, pointer));
                (*pointer, form, c)
            })
            .collect();
        let zkc = zkc::write(forms.iter().map(|(pointer, form, c)| (*pointer, form, *c)));
        let mut claims = Map::from_iter([
            ("iss".to_owned(), json!(self.iss)),
            ("vct".to_owned(), json!(vct)),
            ("iat".to_owned(), json!(midnight)),
            ("exp".to_owned(), json!(midnight + 90 * DAY)),
            ("facts_as_of".to_owned(), json!(*self.facts.lock().unwrap())),
            ("zkc".to_owned(), zkc),
        ]);
        claims.extend(self.extras());
        let header = NewHeader::new(Alg::Es256, "dc+sd-jwt").x5c(&[&self.leaf.certificate]).encode();
        let issuable =
            Builder::new(claims).holder(key).build(&header, &mut EntropyRng(&OsEntropy::new())).unwrap();
        let values = hidden.iter().map(|(pointer, value)| ((*pointer).to_owned(), json!(value))).collect();
        let openings = Some(Openings::new(seed, values));
        Copy { credential: issuable.sign(&self.leaf.key).await.unwrap(), openings }
    }

    async fn plain_copy(&self, key: &PublicJwk) -> Copy {
        let midnight = NOW.day_start().0;
        let mut claims = Map::from_iter([
            ("iss".to_owned(), json!(ISSUER)),
            ("vct".to_owned(), json!(self.described.vct)),
            ("iat".to_owned(), json!(midnight)),
            ("exp".to_owned(), json!(midnight + 90 * DAY)),
            ("facts_as_of".to_owned(), json!("2026-11-01")),
            ("ward".to_owned(), json!("W03")),
            ("address".to_owned(), json!(ADDRESS)),
        ]);
        claims.extend(self.extras());
        let header = NewHeader::new(Alg::Es256, "dc+sd-jwt").x5c(&[&self.leaf.certificate]).encode();
        let builder = Builder::new(claims).conceal("/ward").conceal("/address").holder(key);
        let issuable = builder.build(&header, &mut EntropyRng(&OsEntropy::new())).unwrap();
        Copy { credential: issuable.sign(&self.leaf.key).await.unwrap(), openings: None }
    }

    fn zkc(&self, seed: &Seed, vct: &str, born: Date) -> Value {
        let born = if self.spoil == Spoil::WrongValue { born.tomorrow().unwrap() } else { born };
        let com = |pointer: &str, v: u64| -> Commitment { commit(v, &seed.blinding(ISSUER, vct, pointer)) };
        let form = |pointer: &str| self.described.attribute(pointer).unwrap().form().unwrap();
        let (birth, ward) = (form("/birth_date"), form("/ward"));
        let birth_c = com("/birth_date", day(born).unwrap());
        let zkc = zkc::write([("/birth_date", &birth, birth_c), ("/ward", &ward, com("/ward", 3))]);
        if self.spoil == Spoil::ForeignZkc {
            return self.first.lock().unwrap().get_or_insert(zkc).clone();
        }
        zkc
    }
}

fn busy() -> Incoming {
    let mut busy = refused(429, "temporarily_unavailable");
    busy.retry_after_s = Some(0);
    busy
}

fn refused(status: u16, error: &str) -> Incoming {
    reply(status, "application/json", json!({"error": error}).to_string())
}

/// The answer that names a transaction.
fn later(transaction: &str, to: Option<&ResponseKey>) -> Incoming {
    let transaction = Transaction { transaction_id: transaction.to_owned(), interval: INTERVAL };
    sealed(202, &transaction.to_bytes(), to)
}

fn sealed(status: u16, plain: &[u8], to: Option<&ResponseKey>) -> Incoming {
    let (to, entropy) = (to.unwrap(), OsEntropy::new());
    let ephemeral = Box::new(AgreementKey::generate(&entropy));
    let rng = &mut EntropyRng(&entropy);
    let jwe = credential::seal(plain, &to.key, to.enc, ephemeral, &RingAead, rng).unwrap();
    reply(status, "application/jwt", jwe)
}

fn token(body: &[u8]) -> Incoming {
    let request = TokenRequest::parse(body).unwrap();
    if !request.tx_code_is(TX_CODE) {
        return reply(400, "application/json", r#"{"error":"invalid_grant"}"#);
    }
    let token = serde_json::to_string(&TokenResponse::bearer("t0ken".to_owned(), 300)).unwrap();
    reply(200, "application/json", token)
}

fn name_of(iss: &str) -> vouchsafe_protocol::text::Bilingual {
    match iss {
        ISSUER => both("Larkfield District Council"),
        payer => both(payer.trim_start_matches("https://")),
    }
}

/// What a body pays, and whom.
pub(crate) fn described_pay() -> CredentialType {
    CredentialType::from_json(&json!({
        "id": "wages", "vct": PAY_VCT, "name": both("Statement of pay"), "ttl_days": 90, "batch": COPIES,
        "attributes": [
            {"pointer": "/total", "column": "total", "label": both("pay"), "kind": "money",
             "answer": ["prove"], "lo": "0", "hi": "10000000"},
            {"pointer": "/person", "column": "person", "label": both("person number"), "kind": "text",
             "answer": ["prove"], "unit": "https://larkfield.example/ids/person", "pattern": "AA-9999"},
        ]
    }))
    .unwrap()
}

fn described(vct: &str) -> CredentialType {
    let list = format!("{WARDS}/1");
    CredentialType::from_json(&json!({
        "id": "residency", "vct": vct, "name": both("Proof of residence"), "ttl_days": 90, "batch": COPIES,
        "attributes": [
            {"pointer": "/birth_date", "column": "born", "label": both("date of birth"), "kind": "date",
             "answer": ["prove"], "lo": "1880-01-01", "hi": "2050-12-31"},
            {"pointer": "/ward", "column": "ward", "label": both("ward"), "kind": "code",
             "answer": ["show", "prove"], "lo": "0", "hi": "40", "codes": list},
            {"pointer": "/address", "column": "address", "label": both("address"), "kind": "text", "answer": ["show"]},
        ]
    }))
    .unwrap()
}
