//! Whole answers over several credentials, as files: those of the independent model, which are accepted here, and ours,
//! which it checks. `VOUCHSAFE_BLESS=1` makes ours anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};
use vouchsafe_proofs::answer::ProofFailed;
use vouchsafe_proofs::commitment::Seed;
use vouchsafe_protocol::answer::{Granted, Holding, PROOF_CLAIM, Presented, prove};
use vouchsafe_protocol::decision::{Evidence, Outcome};
use vouchsafe_protocol::encoding::{b64, b64u, b64u_decode, sha256};
use vouchsafe_protocol::jose::x5c::validate;
use vouchsafe_protocol::jose::{PublicJwk, Signer as _};
use vouchsafe_protocol::openid4vp::request::{Expected, Unverified, Verified};
use vouchsafe_protocol::openid4vp::{Asked, Chosen, transaction_data};
use vouchsafe_protocol::permission::{Grant, Jkt};
use vouchsafe_protocol::sd_jwt::key_binding::{self, Binding};
use vouchsafe_protocol::sd_jwt::vc::{self, Rules, Status};
use vouchsafe_protocol::sd_jwt::{self, Held};
use vouchsafe_protocol::status::Standing;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{Judge, Register, TrustFile};
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_protocol::zkc;

use crate::district::{PURPOSE, REGISTRAR, with_head};
use crate::joined::{Copy, Fact, Town, home, pay};
use crate::permissions::{allowing, asking, hardship};
use crate::permitted;
use crate::provider::{Key, Ring};
use crate::ways::{COUNCIL, PAY, PAYERS, fixed, hours, household, need, of_ways, types, words};

pub(crate) const PLACE: &str = "https://larkfield.example/types/place/1/zk";
const TOWN_WARDS: &str = "https://larkfield.example/lists/town-wards";
const FLOODED: &str = "https://larkfield.example/lists/flooded";
/// What stands in for chance in proofs, so that they can be made again.
const CHANCE: [u8; 32] = [4; 32];

/// Trust, register, types and requests, with the answers to them.
struct File(Value);

impl File {
    fn path(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/vectors/vouchsafe-1").join(name)
    }

    fn read(name: &str) -> Self {
        Self(serde_json::from_str(&std::fs::read_to_string(Self::path(name)).unwrap()).unwrap())
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn now(&self) -> UnixTime {
        UnixTime(self.0["now"].as_i64().unwrap())
    }

    fn trust(&self) -> TrustFile {
        TrustFile::parse(self.0["trust"].to_string().as_bytes()).unwrap()
    }

    fn judge<'t>(&self, trust: &'t TrustFile) -> Judge<'t> {
        Judge { registrar: &trust.registrar, last_seen: 0, now: self.now(), verifier: &Ring }
    }

    fn types(&self) -> Vec<CredentialType> {
        let all = self.0["types"].as_array().unwrap();
        all.iter().map(|one| CredentialType::from_json(one).unwrap()).collect()
    }

    fn exchanges(&self) -> &[Value] {
        self.0["exchanges"].as_array().unwrap()
    }

    /// Exchanges that are right in all but the proof.
    fn lies(&self) -> &[Value] {
        self.0["lies"].as_array().unwrap()
    }

    /// What a wallet makes of the request of an exchange.
    fn asked(&self, exchange: &Value) -> Verified {
        let trust = self.trust();
        let expected = Expected {
            client_id: self.text("client_id"),
            wallet_nonce: None,
            env: Env::Test,
            anchors: &trust.anchors,
            judge: self.judge(&trust),
        };
        let text = self.0["requests"][exchange["request"].as_str().unwrap()].as_str().unwrap();
        Unverified::parse(text).unwrap().verify(&expected).unwrap()
    }

    fn presented(&self, text: &str, asked: &Asked) -> vc::Verified {
        let (aud, nonce) = (asked.party().audience(), &asked.party().nonce);
        let expected = key_binding::Expected { aud: &aud, nonce, now: self.now(), max_age: 300 };
        let bound = sd_jwt::Unverified::parse(text).unwrap().check_binding(&expected).unwrap();
        let path = bound.parts().x5c().unwrap();
        let leaf = Arc::new(validate(path, &self.trust().anchors, self.now(), &Ring).unwrap());
        let claims = Held::dangerous_from_store(&covered(text)).unwrap();
        let described = self.types().into_iter().find(|one| one.has_vct(claims.vct().unwrap())).unwrap();
        let status = if described.status { Status::Required } else { Status::NotInType };
        let rules = Rules { now: self.now(), audience: &aud, status };
        bound.check_signatures(leaf, &Ring).unwrap().accept(&rules).unwrap()
    }

    /// Every check of a verifier, with lists on which nobody is marked.
    fn decided(&self, exchange: &Value) -> Result<(Outcome, Evidence), ProofFailed> {
        let (request, trust) = (self.asked(exchange), self.trust());
        let asked = request.asked();
        let register = Register::load(self.text("register"), &self.judge(&trust)).unwrap();
        let presented =
            texts(exchange).into_iter().map(|(query, text)| (query, self.presented(&text, asked)));
        let presented = Presented::new(asked, presented.collect()).unwrap();
        let grant = exchange["grant"].as_str();
        let presented = presented.granted(asked, 1, grant, &Ring).unwrap();
        let trusted = presented.check_trust(asked, &register, Env::Test).unwrap();
        let mut complete = trusted.check_complete(asked).unwrap();
        let sought = complete.take_references().len();
        complete.told(&vec![Standing::Valid; sought]);
        let proven = complete.check_commitments(asked, &self.types()).unwrap().check_proof()?;
        let (judged, granted) = proven.judge_and_grant(asked, None);
        assert_eq!(granted.as_ref().map(Granted::grant), grant, "{}", exchange["name"]);
        Ok((judged.outcome, judged.evidence))
    }
}

/// The presentations of an exchange by query.
fn texts(exchange: &Value) -> BTreeMap<String, String> {
    let token: BTreeMap<String, [String; 1]> = serde_json::from_value(exchange["vp_token"].clone()).unwrap();
    token.into_iter().map(|(query, [text])| (query, text)).collect()
}

/// The key of the permission that the answer of an exchange gives.
fn permission_key(exchange: &Value) -> Option<Jkt> {
    let header = b64u_decode(exchange["grant"].as_str()?.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    Some(Jkt::of(&PublicJwk::from_value(&header["jwk"]).unwrap()))
}

/// What a key binding covers.
fn covered(text: &str) -> String {
    text[..=text.rfind('~').unwrap()].to_owned()
}

fn accepted(name: &str, count: usize) {
    let file = File::read(name);
    assert_eq!(file.exchanges().len(), count);
    for exchange in file.exchanges() {
        assert_eq!(file.decided(exchange), Ok((Outcome::Met, Evidence::Proved)), "{}", exchange["name"]);
        assert_eq!(exchange["outcome"], "met");
    }
}

#[test]
fn whole_answers_of_the_independent_model_are_accepted() {
    accepted("model-ways.json", 6);
}

#[test]
fn whole_lies_of_the_independent_model_are_refused_for_their_proofs() {
    let file = File::read("model-ways.json");
    assert_eq!(file.lies().len(), 4);
    for lie in file.lies() {
        assert_eq!(file.decided(lie), Err(ProofFailed), "{}", lie["name"]);
    }
}

#[test]
fn our_whole_answers_are_accepted_from_the_file_alone() {
    frozen();
    accepted("ways.json", 5);
}

/// With the same chance a wallet proves what is frozen, byte by byte.
#[test]
fn whole_answers_are_proved_as_they_were() {
    let file = File::read("ways.json");
    for exchange in file.exchanges() {
        let request = file.asked(exchange);
        let asked = request.asked();
        let chosen = asked.choose(texts(exchange).keys().map(String::as_str)).unwrap();
        let chosen = permission_key(exchange).map_or(chosen.clone(), |key| chosen.permitting(key));
        let holdings: Vec<_> = texts(exchange)
            .iter()
            .map(|(query, text)| Opened::of(query, text, &exchange["held"][query]))
            .collect();
        let claims = proved(asked, &chosen, &holdings);
        let proofs = texts(exchange).into_values().filter_map(|text| {
            let payload = b64u_decode(text.rsplit('.').nth(1).unwrap()).unwrap();
            let claims: Value = serde_json::from_slice(&payload).unwrap();
            claims.get(PROOF_CLAIM).cloned()
        });
        let again = claims.values().filter_map(|one| one.get(PROOF_CLAIM).cloned());
        assert_eq!(proofs.collect::<Vec<_>>(), again.collect::<Vec<_>>(), "{}", exchange["name"]);
    }
}

/// A copy with its openings, as a wallet has it.
struct Opened {
    query: String,
    held: Held,
    attributes: Vec<vouchsafe_proofs::context::Attribute>,
    values: BTreeMap<String, zkc::Value>,
    seed: Seed,
}

impl Opened {
    fn of(query: &str, text: &str, told: &Value) -> Self {
        let held = Held::dangerous_from_store(&covered(text)).unwrap();
        let attributes = zkc::read(&held.claims()["zkc"]).unwrap();
        let value = |value: &Value| match value {
            Value::String(text) => zkc::Value::Text(text.clone()),
            number => zkc::Value::Integer(number.as_u64().unwrap()),
        };
        let values = told["values"].as_object().unwrap();
        let values = values.iter().map(|(pointer, one)| (pointer.clone(), value(one))).collect();
        let seed = b64u_decode(told["seed"].as_str().unwrap()).unwrap();
        Self { query: query.to_owned(), held, attributes, values, seed: Seed::new(seed.try_into().unwrap()) }
    }

    fn holding(&self) -> Holding<'_> {
        let Self { query, held, attributes, values, seed } = self;
        Holding { query, held, attributes, values, seed: Some(seed), link: None }
    }
}

fn proved(asked: &Asked, chosen: &Chosen, copies: &[Opened]) -> BTreeMap<String, Map<String, Value>> {
    let holdings: Vec<_> = copies.iter().map(Opened::holding).collect();
    prove(asked, chosen, &holdings, &mut ChaCha20Rng::from_seed(CHANCE)).unwrap()
}

// --- made anew ----------------------------------------------------------------------------------------------------

/// Where somebody lives, as lists divide it.
pub(crate) fn place() -> CredentialType {
    let of = |pointer: &str, kind: &str, [lo, hi]: [&str; 2]| {
        json!({"pointer": pointer, "column": "c", "kind": kind, "answer": ["prove"], "lo": lo, "hi": hi,
            "label": words("a place")})
    };
    let person = json!({"pointer": "/person", "column": "c", "kind": "text", "answer": ["prove"],
        "pattern": "AA-9999", "unit": "https://larkfield.example/ids/person", "label": words("your number")});
    let mut attributes = vec![
        person,
        of("/born", "date", ["1880-01-01", "2050-12-31"]),
        of("/ward", "code", ["0", "99"]),
        of("/plot", "number", ["0", "1000000"]),
        of("/rooms", "number", ["1", "40"]),
    ];
    attributes[2]["codes"] = json!(format!("{TOWN_WARDS}/1"));
    attributes[3]["unit"] = json!("plots");
    attributes[4]["unit"] = json!("rooms");
    let place = json!({"id": "place", "vct": PLACE.strip_suffix("/zk"), "name": words("place"), "ttl_days": 60,
        "attributes": attributes});
    CredentialType::from_json(&place).unwrap()
}

/// A list with gaps, and one of spans of which two touch.
fn lists() -> [Value; 2] {
    let ward = |i: u32| json!({"code": format!("T{i}"), "index": i, "name": words("Larkfield ward")});
    let span = |(lo, hi): (u32, u32)| json!({"lo": lo.to_string(), "hi": hi.to_string()});
    let spans: Vec<_> = (1..20)
        .map(|i| (20_000 * i, 20_000 * i + 999))
        .chain([(400_000, 400_009), (400_010, 400_050)])
        .collect();
    [
        json!({"sub": TOWN_WARDS, "version": 1, "rows": (5..95).step_by(5).map(ward).collect::<Vec<_>>()}),
        json!({"sub": FLOODED, "version": 2, "rows": spans.into_iter().map(span).collect::<Vec<_>>()}),
    ]
}

fn listed(id: &str, op: &str, list: &Value, (query, pointer): (&str, &str)) -> Value {
    json!({"id": id, "op": op, "rule": {"kind": "codes", "id": list["sub"], "version": list["version"]},
        "terms": [{"need": query, "pointer": pointer}]})
}

/// Every operation, in two ways: what somebody earns and where they live, or where they live alone.
fn support() -> Value {
    let [wards, flooded] = lists();
    let place = |id: &str| need(id, PLACE, &[COUNCIL], "me");
    let age = |id: &str, op: &str, rule: &str, query: &str| {
        json!({"id": id, "op": op, "rule": {"kind": rule, "unit": "years", "n": 60},
            "terms": [{"need": query, "pointer": "/born"}]})
    };
    let mut between = fixed("band", "in", "", &[("pay1", "/total", 1), ("pay2", "/total", 1)]);
    between.as_object_mut().unwrap().remove("k");
    (between["lo"], between["hi"]) = (json!("100000"), json!("200000"));
    let worker = json!({"id": "worker",
        "needs": [place("place"), need("pay1", PAY, &PAYERS[..1], "me"), need("pay2", PAY, &PAYERS[1..], "me")],
        "conditions": [between, fixed("less", "le", "1000000", &[("pay1", "/total", 3), ("pay2", "/total", -2)]),
            fixed("hours", "ge", "60", &[("pay1", "/hours", 1), ("pay2", "/hours", 2)]),
            fixed("same", "eq", "0", &[("pay1", "/hours", 1), ("pay2", "/hours", -1)]),
            age("old", "le", "age_at_least", "place"),
            listed("ward", "member", &wards, ("place", "/ward")),
            listed("dry", "not_member", &flooded, ("place", "/plot")),
            fixed("rooms", "ne", "9", &[("place", "/rooms", 1)])]});
    let dweller = json!({"id": "dweller", "needs": [place("alone")], "conditions": [
        listed("flooded", "member", &flooded, ("alone", "/plot")),
        listed("beyond", "not_member", &wards, ("alone", "/ward")),
        fixed("rooms", "eq", "3", &[("alone", "/rooms", 1)]),
        age("young", "ge", "age_at_most", "alone")]});
    let mut policy = of_ways(json!([worker, dweller]), "same_person");
    policy["id"] = json!("support");
    policy
}

/// What the other policies ask, and what this one does.
fn whole_purpose() -> Value {
    let [wards, flooded] = lists().map(|list| {
        let hash = b64u(sha256(with_head(list.clone()).to_string()));
        json!({"kind": "codes", "id": list["sub"], "version": list["version"], "hash": hash})
    });
    let fixed = json!({"kind": "fixed"});
    let age = |kind: &str| json!({"kind": kind, "unit": "years", "n": 60});
    let mut all = allowing();
    for (pointer, how, rule) in [
        ("/person", "eq", &fixed),
        ("/born", "le", &age("age_at_least")),
        ("/born", "ge", &age("age_at_most")),
        ("/ward", "member", &wards),
        ("/ward", "not_member", &wards),
        ("/plot", "member", &flooded),
        ("/plot", "not_member", &flooded),
        ("/rooms", "eq", &fixed),
        ("/rooms", "ne", &fixed),
    ] {
        let may = json!({"vct": PLACE, "pointer": pointer, "how": how, "rules": [rule]});
        all["may_ask"].as_array_mut().unwrap().push(may);
    }
    assert_eq!(all["sub"], PURPOSE);
    all
}

fn lives(born: &str, [ward, plot, rooms]: [u32; 3]) -> Fact {
    let mut fact = home("LF-0042", "H0001", 1);
    fact.vct = PLACE;
    fact.values = json!({"/person": "LF-0042", "/born": born, "/ward": ward, "/plot": plot, "/rooms": rooms});
    fact
}

/// Name, request, policy, and facts by query.
type Story = (&'static str, &'static str, Value, Vec<(&'static str, Fact)>);

fn stories() -> [Story; 5] {
    let (me, you) = ("LF-0042", "LF-0043");
    let other = |mut fact: Fact| {
        fact.values["/source"] = json!("LF-0042-B");
        fact
    };
    let both = vec![
        ("homea", home(me, "H0001", 2)),
        ("paya", pay(0, me, 140_000)),
        ("homeb", home(you, "H0001", 2)),
        ("payb", pay(0, you, 160_000)),
    ];
    let worker = vec![
        ("place", lives("1950-05-01", [35, 390_000, 8])),
        ("pay1", pay(0, me, 70_000)),
        ("pay2", pay(1, me, 80_000)),
    ];
    let little = vec![("pay1", pay(0, me, 70_000)), ("pay2", pay(1, me, 80_000))];
    [
        ("worker", "support", support(), worker),
        ("dweller", "support", support(), vec![("alone", lives("1980-02-29", [96, 400_020, 3]))]),
        ("household", "household", household(), both),
        ("sources", "hours", hours(), vec![("pay1", pay(0, me, 1)), ("pay2", other(pay(0, me, 2)))]),
        ("grant", "hardship", hardship(), little),
    ]
}

/// Writes the file anew where that is asked for.
fn frozen() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if std::env::var_os("VOUCHSAFE_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&made()).unwrap() + "\n";
        std::fs::write(File::path("ways.json"), text).unwrap();
    }
}

fn made() -> Value {
    let town = Town::under(whole_purpose(), &lists());
    let jwk = town.district.registrar.public().to_value();
    let mut named = jwk;
    named["kid"] = json!("r1");
    let trust =
        json!({"iss": REGISTRAR, "jwks": {"keys": [named]}, "anchors": [b64(town.district.anchor.der())]});
    let (mut requests, mut exchanges) = (Map::new(), Vec::new());
    for (name, request, policy, facts) in stories() {
        let asked =
            if policy.get("permission").is_some() { asking(&town, policy) } else { town.asked(policy) };
        let claims = town.district.request(&town.register, &asked);
        requests.entry(request).or_insert_with(|| town.district.sign_request(&claims).into());
        exchanges.push(exchange(&town, &asked, name, request, &facts));
    }
    json!({"profile": 1, "now": crate::district::NOW.0, "trust": trust, "register": town.signed, "types": types(),
        "client_id": town.district.client_id(), "requests": requests, "exchanges": exchanges})
}

fn exchange(town: &Town, asked: &Asked, name: &str, request: &str, facts: &[(&str, Fact)]) -> Value {
    let number = (name.len() * 8) as u8;
    let copies: Vec<(&str, Copy)> =
        facts.iter().zip(number..).map(|((query, fact), i)| (*query, town.copy(fact, i))).collect();
    let chosen = asked.choose(copies.iter().map(|(query, _)| *query)).unwrap();
    let key = asked.terms().is_some().then(Key::p256);
    let chosen = key.as_ref().map_or(chosen.clone(), |key| chosen.permitting(Jkt::of(key.public())));
    let holding = |(query, copy): &'_ (&str, Copy)| Opened {
        query: (*query).to_owned(),
        held: copy.held.clone(),
        attributes: copy.attributes.clone(),
        values: copy.values.clone(),
        seed: Seed::new(*copy.seed.to_bytes()),
    };
    let holdings: Vec<_> = copies.iter().map(holding).collect();
    let mut claims = proved(asked, &chosen, &holdings);
    let (mut token, mut held) = (Map::new(), Map::new());
    for (query, copy) in &copies {
        let mut extra = claims.remove(*query).unwrap_or_default();
        extra.extend(transaction_data::claims(asked.transaction_data(), chosen.queries(), query).unwrap());
        token.insert((*query).to_owned(), json!([presentation(asked, copy, extra)]));
        let value = |value: &zkc::Value| value.integer().map_or_else(|| json!(value.text()), |v| json!(v));
        let values: Map<_, _> = copy.values.iter().map(|(at, one)| (at.clone(), value(one))).collect();
        let openings = json!({"seed": b64u(*copy.seed.to_bytes()), "values": values});
        held.insert((*query).to_owned(), openings);
    }
    let mut made =
        json!({"name": name, "request": request, "vp_token": token, "held": held, "outcome": "met"});
    if let Some(key) = key {
        made["grant"] = permitted::signed(Grant::unsigned(asked, 1, key.public()).unwrap(), &key).into();
    }
    made
}

fn presentation(asked: &Asked, copy: &Copy, extra: Map<String, Value>) -> String {
    let party = asked.party();
    let aud = party.audience();
    let binding = Binding { aud: &aud, nonce: &party.nonce, issued_at: crate::district::NOW, extra };
    let unsigned = copy.held.present(&[], binding).unwrap();
    let signature = copy.key.sign_now(unsigned.signing_input());
    unsigned.finish(&signature)
}
