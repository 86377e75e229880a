//! A service that asks, honest or not.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vouchsafe_protocol::answer::{Granted, Judged, Presented};
use vouchsafe_protocol::dcql::ClaimQuery;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::encoding::sha256;
use vouchsafe_protocol::form::Form;
use vouchsafe_protocol::jose::x5c::{Anchor, validate};
use vouchsafe_protocol::jose::{Alg, KeyAgreement as _, NamedJwk};
use vouchsafe_protocol::openid4vp::link::{Link, Method, wallet_nonce};
use vouchsafe_protocol::openid4vp::request::Draft;
use vouchsafe_protocol::openid4vp::response::{Opener, Posted};
use vouchsafe_protocol::openid4vp::{Asked, Party, ReplyTo, ResponseMode, client_id};
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status, Verified};
use vouchsafe_protocol::sd_jwt::{self, key_binding};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{
    Extract, Judge, Purpose, Register, RegisterDocument, ServiceEntry, Table, Tables,
};
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, SigningKey};
use vouchsafe_wallet::http::{HttpError, Incoming};

use super::issuer::card::described as described_card;
use super::issuer::home::{HOME_VCT, described_home};
use super::issuer::{PAY_VCT, VCT, described_pay};
use super::permits::{Permits, allow};
use super::{
    ISSUER, NOW, Office, PAYERS, PENSION, WARDS, World, altered, both, pension_table, reply, ward_list,
};

pub(crate) const NONCE: &str = "bm9uY2Utbm9uY2Utbm9uY2U";
pub(crate) const STATE: &str = "c3RhdGUtc3RhdGUtc3RhdGU";
pub(crate) const RETURN: &str = "https://verify.example/p/1/return?response_code=x";

/// What a dishonest service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rogue {
    None,
    /// Describes its purpose in its own words.
    OwnPurpose,
    /// Chooses the day of asking.
    OtherDay,
    /// Moves a bound.
    OtherBound,
    /// Asks for a claim that its policy does not name.
    ExtraClaim,
    /// Asks for what its purpose does not allow.
    OverAsking,
    /// May ask for what opens commitments, by a registrar that does not know better, and asks in DCQL alone.
    SeedAsking,
    /// Is in nobody's register.
    Stranger,
    /// Signs nothing.
    Unsigned,
    /// Speaks an older draft.
    OlderDraft,
    /// Calls the contrary of its rule "met".
    SwappedOutcomes,
    /// Does not repeat the wallet's nonce.
    OldObject,
    /// Answers with a page.
    Page,
    /// Answers with an error, and a request in its body.
    Failing,
}

/// What becomes of an answer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It arrives.
    Open,
    /// The line breaks once the answer is out.
    Breaks,
    /// The service refuses.
    Refuses,
    /// The service has no room once, and says so with this status.
    BusyOnce(u16),
}

pub(crate) struct Service {
    rogue: Rogue,
    leaf: Leaf,
    entry: Extract<ServiceEntry>,
    purpose: Extract<Purpose>,
    /// The same for which people are asked for their consent.
    consent: Extract<Purpose>,
    /// A newer version of the first.
    newer: Extract<Purpose>,
    tables: Vec<Extract<Table>>,
    key: AgreementKey,
    pub(crate) permits: Permits,
    policy: Mutex<Value>,
    line: Mutex<Line>,
    posts: Mutex<Vec<Vec<u8>>>,
    nonce: Mutex<&'static str>,
    /// A query alone, in the place of the policy.
    plain: Mutex<Option<Value>>,
}

/// Where somebody might look for what opens commitments, by pointer.
pub(crate) const SECRETS: [&str; 14] = [
    "/_seed",
    "/seed",
    "/openings",
    "/urn:vouchsafe:openings:1",
    "/urn:vouchsafe:openings:1/seed",
    "/_link",
    "/~1_link",
    "/link",
    "/birth_date",
    "/zkc",
    "/zkc/~1birth_date",
    "/zkc/~1birth_date/r",
    "/zkc/~1_link",
    "/cnf/jwk/d",
];

impl Service {
    pub(crate) fn new(office: &Office<'_>, rogue: Rogue) -> Self {
        let elsewhere = DevCa::generate("elsewhere", NOW).unwrap();
        let ca = if rogue == Rogue::Stranger { &elsewhere } else { office.ca };
        let key = SigningKey::generate().unwrap();
        let leaf = ca.signer("https://buses.example", key, NOW).unwrap();
        let tables: Vec<Extract<Table>> = vec![office.entry(pension_table()), office.entry(ward_list())];
        let client = client_id(&sha256(&leaf.certificate));
        let entry = office.entry(json!({"sub": "https://buses.example", "env": "test",
            "name": both("Larkfield Buses"), "client_ids": [client], "purposes": ["bus-pass", "reminders"]}));
        let mut consent = purpose(rogue, &tables);
        (consent["sub"], consent["basis"]) = (json!("reminders"), json!("consent"));
        let mut newer = purpose(rogue, &tables);
        newer["version"] = json!(2);
        Self {
            rogue,
            leaf,
            entry,
            purpose: office.entry(purpose(rogue, &tables)),
            consent: office.entry(consent),
            newer: office.entry(newer),
            permits: Permits::new(),
            tables,
            key: AgreementKey::generate(&OsEntropy::new()),
            policy: Mutex::new(policy()),
            line: Mutex::new(Line::Open),
            posts: Mutex::new(Vec::new()),
            nonce: Mutex::new(NONCE),
            plain: Mutex::default(),
        }
    }

    pub(crate) fn link(&self, method: Method) -> String {
        let client_id = client_id(&sha256(&self.leaf.certificate));
        Link { client_id, request_uri: "https://verify.example/r/1".to_owned(), method }.to_string()
    }

    pub(crate) fn set_line(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }

    /// Asks "n or older?" from now on.
    pub(crate) fn ask_age(&self, n: u32) {
        let mut policy = policy();
        let rule = json!({"kind": "age_at_least", "unit": "years", "n": n});
        policy["conditions"] = json!([{"id": "age", "pointer": "/birth_date", "op": "le", "rule": rule}]);
        *self.policy.lock().unwrap() = policy;
    }

    /// Asks "born on that day or before?" from now on, by a bound that only the service chose.
    pub(crate) fn ask_born_by(&self, k: u64) {
        let mut policy = policy();
        policy["conditions"] = json!([{"id": "age", "pointer": "/birth_date", "op": "le", "rule": {"kind": "fixed"},
            "k": k.to_string()}]);
        *self.policy.lock().unwrap() = policy;
    }

    /// Asks "n or younger?" from now on.
    pub(crate) fn ask_age_at_most(&self, n: u32) {
        let mut policy = policy();
        let rule = json!({"kind": "age_at_most", "unit": "years", "n": n});
        policy["conditions"] = json!([{"id": "age", "pointer": "/birth_date", "op": "ge", "rule": rule}]);
        *self.policy.lock().unwrap() = policy;
    }

    /// Asks to see the ward from now on, which must be in the list, or be `equals`.
    pub(crate) fn ask_ward(&self, equals: Option<&str>) {
        let mut policy = policy();
        policy["accept"] = json!([{"vct": VCT, "iss": [ISSUER], "max_age_days": 400}]);
        let mut condition = policy["conditions"][1].clone();
        if let Some(ward) = equals {
            condition = json!({"id": "home", "pointer": "/ward", "op": "show", "equals": ward});
        }
        policy["conditions"] = json!([condition]);
        *self.policy.lock().unwrap() = policy;
    }

    /// Asks whether two bodies together pay so much, and that they pay one person.
    pub(crate) fn ask_pay(&self, least: u64) {
        let mut policy = policy();
        let members = policy.as_object_mut().unwrap();
        members.remove("accept");
        members.remove("conditions");
        let need = |id: &str, iss: &str| {
            json!({"id": id, "vct": format!("{PAY_VCT}/zk"), "iss": [iss], "max_age_days": 400,
            "person": "me", "person_at": "/person"})
        };
        let term = |need: &str| json!({"need": need, "pointer": "/total"});
        policy["ways"] = json!([{"id": "payers", "needs": [need("pay1", PAYERS[0]), need("pay2", PAYERS[1])],
            "conditions": [{"id": "enough", "op": "ge", "rule": {"kind": "fixed"}, "k": least.to_string(),
                "terms": [term("pay1"), term("pay2")]}]}]);
        *self.policy.lock().unwrap() = policy;
    }

    /// Asks since when the wallet is on record, and for a name to know the resident by again.
    pub(crate) fn ask_name(&self, action: &str) {
        let mut policy = policy();
        policy["subject_binding"] = json!("pseudonym");
        policy["pseudonym"] = json!({"action": action, "epoch": "month"});
        policy["accept"] =
            json!([{"vct": described_card().proof_vct(), "iss": [ISSUER], "max_age_days": 400}]);
        // On record before 1 January 2027.
        policy["conditions"] = json!([{"id": "since", "pointer": "/link_since", "op": "le", "k": "155959",
            "rule": {"kind": "fixed"}}]);
        *self.policy.lock().unwrap() = policy;
    }

    /// Asks two people who live together whether they are paid so much together.
    pub(crate) fn ask_couple(&self, least: u64) {
        self.ask_couple_how(least, &json!([]));
    }

    /// The same with more conditions.
    pub(crate) fn ask_couple_how(&self, least: u64, more: &Value) {
        let mut policy = policy();
        let members = policy.as_object_mut().unwrap();
        members.remove("accept");
        members.remove("conditions");
        members.insert("subject".to_owned(), json!("same_household"));
        let need = |id: &str, vct: &str, iss: &str, person: &str| {
            json!({"id": id, "vct": format!("{vct}/zk"), "iss": [iss], "max_age_days": 60,
            "person": person, "person_at": "/person"})
        };
        let term =
            |need: &str, pointer: &str, coeff: i64| json!({"need": need, "pointer": pointer, "coeff": coeff});
        let fixed = json!({"kind": "fixed"});
        let mut conditions = json!([
            {"id": "home", "op": "eq", "rule": fixed,
             "terms": [term("homea", "/household", 1), term("homeb", "/household", -1)]},
            {"id": "two", "op": "eq", "rule": fixed, "k": "2", "terms": [term("homea", "/adults", 1)]},
            {"id": "enough", "op": "ge", "rule": fixed, "k": least.to_string(),
             "terms": [term("paya", "/total", 1), term("payb", "/total", 1)]},
        ]);
        conditions.as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
        policy["ways"] = json!([{"id": "couple", "needs": [
            need("homea", HOME_VCT, PAYERS[1], "a"), need("paya", PAY_VCT, PAYERS[0], "a"),
            need("homeb", HOME_VCT, PAYERS[1], "b"), need("payb", PAY_VCT, PAYERS[0], "b"),
        ], "conditions": conditions}]);
        *self.policy.lock().unwrap() = policy;
    }

    /// Asks to be shown this of copies of `vct` from now on, by no policy.
    pub(crate) fn ask_to_see(&self, vct: &str, pointer: &str) {
        let claim = ClaimQuery::at(pointer);
        let one = json!({"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": [claim]});
        *self.plain.lock().unwrap() = Some(json!({"credentials": [one]}));
    }

    /// Changes the policy, whatever it is.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.policy.lock().unwrap());
    }

    /// Asks anew: under another nonce.
    pub(crate) fn ask_again(&self, nonce: &'static str) {
        *self.nonce.lock().unwrap() = nonce;
    }

    /// Accepts facts of that age at most from now on.
    pub(crate) fn accept_facts(&self, max_age_days: u32) {
        let mut policy = self.policy.lock().unwrap();
        let needs = match policy.get("ways") {
            Some(_) => &mut policy["ways"][0]["needs"],
            None => &mut policy["accept"],
        };
        for need in needs.as_array_mut().unwrap() {
            need["max_age_days"] = json!(max_age_days);
        }
    }

    pub(crate) fn posts(&self) -> Vec<Vec<u8>> {
        self.posts.lock().unwrap().clone()
    }

    pub(crate) fn answer(
        &self,
        path: &str,
        body: Option<Vec<u8>>,
        now: UnixTime,
    ) -> Result<Incoming, HttpError> {
        match (path, body) {
            (path, body) if path.starts_with("r/") => Ok(self.request(body.as_deref(), now)),
            ("a/1", Some(body)) => self.take(body),
            ("permissions", Some(body)) => self.permits.call(&body, now),
            (".well-known/jwks.json", None) => Ok(self.permits.jwks()),
            _ => Ok(reply(404, "text/plain", "")),
        }
    }

    fn take(&self, body: Vec<u8>) -> Result<Incoming, HttpError> {
        self.posts.lock().unwrap().push(body);
        let mut line = self.line.lock().unwrap();
        match *line {
            Line::Open => Ok(reply(200, "application/json", json!({"redirect_uri": RETURN}).to_string())),
            Line::Breaks => Err(HttpError::Unreachable),
            Line::Refuses => Ok(reply(400, "application/json", r#"{"error":"invalid_request"}"#)),
            Line::BusyOnce(status) => {
                *line = Line::Open;
                let mut busy = reply(status, "application/json", "{}");
                busy.retry_after_s = Some(0);
                Ok(busy)
            }
        }
    }

    /// What a verifier publishes of the service.
    pub(crate) fn published(&self) -> Value {
        let tables: Vec<_> = self.tables.iter().map(Extract::jws).collect();
        json!({"services": [self.entry.jws()], "purposes": [self.purpose.jws()], "tables": tables,
            "policies": [*self.policy.lock().unwrap()]})
    }

    fn named_key(&self) -> NamedJwk {
        let (kid, usage, alg) = (Some("e".to_owned()), Some("enc".to_owned()), Some("ECDH-ES".to_owned()));
        NamedJwk { key: self.key.public().clone(), kid, usage, alg }
    }

    /// The service's own record of what it asked on the day of `now`.
    pub(crate) fn asked(&self, now: UnixTime) -> Asked {
        let mut tables = Tables::default();
        self.tables.iter().for_each(|table| tables.insert(table));
        let party = Party {
            service: self.entry.document().sub.clone(),
            client_id: client_id(&sha256(&self.leaf.certificate)),
            nonce: self.nonce.lock().unwrap().to_string(),
            state_sha256: sha256(STATE),
            reply_to: ReplyTo::ResponseUri("https://verify.example/a/1".to_owned()),
            encryption_key: Some(self.key.public().thumbprint()),
        };
        let policy = Policy::from_json(self.policy.lock().unwrap().clone()).unwrap();
        self.permits.authorising(Asked::new(party, policy, tables, now.london_date()).unwrap())
    }

    /// What it asks for, as the registrar signed it.
    pub(crate) fn purpose(&self) -> &Purpose {
        self.registered().document()
    }

    fn registered(&self) -> &Extract<Purpose> {
        let consent = self.policy.lock().unwrap()["purpose"] == "reminders";
        match (consent, self.permits.purpose_is_newer()) {
            (true, _) => &self.consent,
            (false, true) => &self.newer,
            (false, false) => &self.purpose,
        }
    }

    fn request(&self, body: Option<&[u8]>, now: UnixTime) -> Incoming {
        let sent = body.and_then(|body| wallet_nonce(body).unwrap());
        let asked = self.asked(now);
        let draft = Draft {
            asked: &asked,
            state: STATE,
            mode: ResponseMode::DirectPostJwt,
            encryption_key: Some(&self.named_key()),
            service: &self.entry,
            purpose: self.registered(),
            wallet_nonce: sent.as_deref(),
            iat: now,
            exp: now.plus(600),
        };
        let unsigned = draft.unsigned(Alg::Es256, &[self.leaf.certificate.to_vec()]);
        let signature = self.leaf.key.sign_now(unsigned.signing_input()).unwrap();
        let object = self.spoilt(&unsigned.finish(&signature));
        let media_type =
            if self.rogue == Rogue::Page { "text/html" } else { "application/oauth-authz-req+jwt" };
        reply(if self.rogue == Rogue::Failing { 500 } else { 200 }, media_type, object)
    }

    fn spoilt(&self, object: &str) -> String {
        let key = &self.leaf.key;
        let change = |change: &dyn Fn(&mut Value)| altered(object, key, change);
        if let Some(alter) = self.permits.altered() {
            return change(&alter);
        }
        if let Some(query) = self.plain.lock().unwrap().clone() {
            return change(&|claims| {
                claims["dcql_query"] = query.clone();
                // The service and its purpose; what follows belongs to a policy.
                claims["verifier_info"].as_array_mut().unwrap().truncate(2);
            });
        }
        match self.rogue {
            Rogue::OwnPurpose => change(&|claims| {
                let data = &mut claims["verifier_info"][1]["data"];
                let own = altered(data.as_str().unwrap(), key, |purpose| {
                    purpose["text"]["en"] = json!("Nothing much")
                });
                *data = json!(own);
            }),
            Rogue::OtherDay => change(&|claims| context(claims)["as_of"] = json!("2026-11-22")),
            Rogue::OtherBound => {
                change(&|claims| claims["dcql_query"]["statements"][0]["k"] = json!("131000"))
            }
            Rogue::ExtraClaim => change(&|claims| {
                claims["dcql_query"]["credentials"][0]["claims"] = json!([{"path": ["address"]}])
            }),
            Rogue::OlderDraft => change(&|claims| claims["presentation_definition"] = json!({})),
            Rogue::SwappedOutcomes => {
                change(&|claims| context(claims)["options"][1]["outcome"] = json!("met"))
            }
            Rogue::OldObject => change(&|claims| claims["wallet_nonce"] = json!("b".repeat(43))),
            Rogue::Unsigned => {
                let payload = object.split('.').nth(1).unwrap();
                let header = json!({"alg": "none", "typ": "oauth-authz-req+jwt"}).to_string();
                format!("{}.{payload}.", vouchsafe_protocol::encoding::b64u(header))
            }
            Rogue::None
            | Rogue::OverAsking
            | Rogue::SeedAsking
            | Rogue::Stranger
            | Rogue::Page
            | Rogue::Failing => object.to_owned(),
        }
    }
}

fn context(claims: &mut Value) -> &mut Value {
    let infos = claims["verifier_info"].as_array_mut().unwrap();
    &mut infos.last_mut().unwrap()["data"]
}

fn policy() -> Value {
    json!({"id": "bus-pass", "version": 1, "purpose": "bus-pass", "subject": "same_person",
    "subject_binding": "same_device", "other_route": both("Bring a letter."),
    "accept": [{"vct": format!("{VCT}/zk"), "iss": [ISSUER], "max_age_days": 400}],
    "conditions": [
        {"id": "age", "pointer": "/birth_date", "op": "le", "rule": {"kind": "table", "id": PENSION, "version": 1}},
        {"id": "home", "pointer": "/ward", "op": "in", "rule": {"kind": "codes", "id": WARDS, "version": 1}},
    ]})
}

fn purpose(rogue: Rogue, tables: &[Extract<Table>]) -> Value {
    let vct = format!("{VCT}/zk");
    let hash = |at: usize| vouchsafe_protocol::encoding::b64u(tables[at].payload_sha256());
    let mut birth = vec![json!({"kind": "table", "id": PENSION, "version": 1, "hash": hash(0)})];
    birth.push(json!({"kind": "fixed"}));
    birth.push(json!({"kind": "age_at_most", "unit": "years", "n": 80}));
    birth.extend((55..70).map(|n| json!({"kind": "age_at_least", "unit": "years", "n": n})));
    let codes = json!([{"kind": "codes", "id": WARDS, "version": 1, "hash": hash(1)}]);
    let ask = |pointer: &str, how: &str, rules: &Value| json!({"vct": vct, "pointer": pointer, "how": how, "rules": rules});
    let birth = Value::from(birth);
    let mut may_ask = vec![ask("/birth_date", "le", &birth), ask("/birth_date", "ge", &birth)];
    may_ask.push(json!({"vct": VCT, "pointer": "/ward", "how": "show", "rules": []}));
    let fixed = json!([{"kind": "fixed"}]);
    let pay = |pointer: &str, how: &str| json!({"vct": format!("{PAY_VCT}/zk"), "pointer": pointer, "how": how, "rules": fixed});
    let card = described_card().proof_vct();
    may_ask.push(json!({"vct": card, "pointer": "/link_since", "how": "le", "rules": fixed}));
    may_ask.push(json!({"vct": card, "pointer": "/_link", "how": "pseudonym", "rules": []}));
    may_ask.extend([pay("/total", "ge"), pay("/person", "eq"), pay("/person", "ne")]);
    let home = |pointer: &str, how: &str| json!({"vct": format!("{HOME_VCT}/zk"), "pointer": pointer, "how": how, "rules": fixed});
    may_ask.extend([home("/person", "eq"), home("/person", "ne")]);
    may_ask.extend([home("/household", "eq"), home("/adults", "eq"), home("/total", "ge")]);
    may_ask.push(
        json!({"vct": format!("{HOME_VCT}/zk"), "pointer": "/facts_as_of", "how": "show", "rules": []}),
    );
    may_ask.push(json!({"vct": format!("{PAY_VCT}/zk"), "pointer": "/period", "how": "show", "rules": []}));
    if rogue == Rogue::SeedAsking {
        let show = |vct: &String| {
            SECRETS.map(|pointer| json!({"vct": vct, "pointer": pointer, "how": "show", "rules": []}))
        };
        may_ask.extend([&vct, &card].into_iter().flat_map(show));
    }
    if rogue != Rogue::OverAsking {
        may_ask.extend(["in", "le", "ge"].map(|how| ask("/ward", how, &codes)));
    }
    let mut all = json!({"sub": "bus-pass", "version": 1, "text": both("To issue an older person’s bus pass."),
        "basis": "public_task", "retention_days": 90, "recipients": [], "may_ask": may_ask,
        "other_route": both("Bring a letter to any bus station.")});
    allow(&mut all);
    all
}

/// What the service reads from a post, by every check of the protocol.
pub(crate) fn judged(world: &Arc<World>, post: &[u8]) -> Outcome {
    judgement(world, post).outcome
}

/// All that the service reads from it.
pub(crate) fn judgement(world: &Arc<World>, post: &[u8]) -> Judged {
    read(world, post).1.0
}

/// What it was asked, and what the answer permits.
pub(crate) fn granted(world: &Arc<World>, post: &[u8]) -> (Asked, Option<Granted>) {
    let (asked, (_, granted)) = read(world, post);
    (asked, granted)
}

fn read(world: &Arc<World>, post: &[u8]) -> (Asked, (Judged, Option<Granted>)) {
    let service = &world.service;
    let asked = service.asked(world.now());
    let opener = Opener { kid: "e", key: &service.key, aead: &RingAead };
    let response = Posted::parse(post).unwrap().open(ResponseMode::DirectPostJwt, Some(opener)).unwrap();
    response.check_state(STATE).unwrap();
    let presented = response.vp_token.queries().map(|query| {
        let text = response.vp_token.presentation(query).unwrap();
        (query.to_owned(), verified(world, text, &asked))
    });
    let presented = Presented::new(&asked, presented.collect()).unwrap();
    let presented = presented.granted(&asked, 1, response.vp_token.grant(), &Jws).unwrap();
    let register = register(world);
    let complete =
        presented.check_trust(&asked, &register, Env::Test).unwrap().check_complete(&asked).unwrap();
    let types = [world.issuer.described().clone(), described_pay(), described_card(), described_home()];
    let proven = complete.check_commitments(&asked, &types).unwrap().check_proof().unwrap();
    let judged = proven.judge_and_grant(&asked, None);
    (asked, judged)
}

fn verified(world: &Arc<World>, text: &str, asked: &Asked) -> Verified {
    let now = world.now();
    let (aud, nonce) = (asked.party().client_id.as_str(), asked.party().nonce.as_str());
    let expected = key_binding::Expected { aud, nonce, now, max_age: key_binding::MAX_AGE };
    let bound = sd_jwt::Unverified::parse(text).unwrap().check_binding(&expected).unwrap();
    let anchors: Vec<Anchor> = world.anchors();
    let leaf = validate(bound.parts().x5c().unwrap(), &anchors, now, &Jws).unwrap();
    let rules = Rules { now, audience: aud, status: Status::NotInType };
    bound.check_signatures(Arc::new(leaf), &Jws).unwrap().accept(&rules).unwrap()
}

fn register(world: &Arc<World>) -> Register {
    let office = Office { registrar: &world.registrar, ca: &world.ca };
    let issuers = std::iter::once(&world.issuer).chain(&world.payers);
    let entries = json!({"entries": issuers.map(|issuer| issuer.entry.jws()).collect::<Vec<_>>()});
    let document: Extract<RegisterDocument> = office.entry(entries);
    let registrar = world.pinned();
    let judge = Judge { registrar: &registrar, last_seen: 0, now: world.now(), verifier: &Jws };
    Register::load(document.jws(), &judge).unwrap()
}

/// The issuer-signed part of an answer, to tell copies apart.
pub(crate) fn copy_shown(world: &Arc<World>, post: &[u8]) -> String {
    copies_shown(world, post).remove(0)
}

/// The issuer-signed parts of an answer.
pub(crate) fn copies_shown(world: &Arc<World>, post: &[u8]) -> Vec<String> {
    let opener = Opener { kid: "e", key: &world.service.key, aead: &RingAead };
    let response = Posted::parse(post).unwrap().open(ResponseMode::DirectPostJwt, Some(opener)).unwrap();
    let token = &response.vp_token;
    let signed = |query| token.presentation(query).unwrap().split('~').next().unwrap().to_owned();
    token.queries().map(signed).collect()
}

/// The presentations of an answer, whole.
pub(crate) fn presentations(world: &Arc<World>, post: &[u8]) -> Vec<String> {
    let opener = Opener { kid: "e", key: &world.service.key, aead: &RingAead };
    let response = Posted::parse(post).unwrap().open(ResponseMode::DirectPostJwt, Some(opener)).unwrap();
    let token = &response.vp_token;
    token.queries().map(|query| token.presentation(query).unwrap().to_owned()).collect()
}

/// The members of an error post.
pub(crate) fn error_of(post: &[u8]) -> (Option<String>, Option<String>, usize) {
    let form = Form::parse(post, 4096).unwrap();
    (form.member("error").map(str::to_owned), form.member("state").map(str::to_owned), form.len())
}
