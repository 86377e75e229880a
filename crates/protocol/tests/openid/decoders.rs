//! What others send is read without a panic, whatever it is: every decoder over valid inputs with one or two things
//! changed, over bytes of chance, and over the largest counts and lengths that its form can name.
//!
//! The cases are the same in every run. JSON, status lists and JWE have theirs beside them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use vouchsafe_proofs::answer::{self, Given};
use vouchsafe_proofs::context::Context;
use vouchsafe_proofs::statement::Statement;
use vouchsafe_protocol::answer::{Holding, PROOF_CLAIM, prove};
use vouchsafe_protocol::dcql::Query;
use vouchsafe_protocol::encoding::{b64, b64u, b64u_decode, sha256};
use vouchsafe_protocol::jose::Alg;
use vouchsafe_protocol::jose::jws::{Compact, MAX_CERTIFICATES, MAX_TOKEN, NewHeader};
use vouchsafe_protocol::jose::x5c::{Anchor, X5cError, validate};
use vouchsafe_protocol::openid4vci::credential::{self, MAX_MESSAGE, read_response, write_response};
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::request::{Expected as Asking, Unverified as Fetched};
use vouchsafe_protocol::openid4vp::response::Response;
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status};
use vouchsafe_protocol::sd_jwt::{MAX_DISCLOSURES, MAX_SD_JWT, Unverified};
use vouchsafe_protocol::statement::{MAX_TERMS, WireStatement};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::{Register, Tables};
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_protocol::zkc;

use crate::district::{District, NOW, OLD, PROOF, Resident, SERVICE, lists, policy, sign, spoiled};
use crate::provider::Ring;

/// The same cases in every run, and no file of those that failed.
fn cases(count: u32) -> ProptestConfig {
    let seed = RngSeed::Fixed(14);
    ProptestConfig { cases: count, rng_seed: seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// Where in a document, by a share of all its places, and what is done there.
type Change = (u16, u8);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec(any::<Change>(), 1..3)
}

/// What no place of ours is meant for: the ends of the integers, other types, and much of one thing.
fn oddity(which: u8, value: &Value) -> Value {
    let nested = || (0..40).fold(json!(1), |inner, _| json!([inner]));
    match which % 24 {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1e308),
        7 => json!(0xFFFF_FFFF_u64),
        8 => json!("18446744073709551615"),
        9 => json!("18446744073709551616"),
        10 => json!(""),
        11 => json!("\u{0}"),
        12 => json!("é\u{301}\u{202e}~."),
        13 => json!("x".repeat(5_000)),
        14 => json!(b64u([0xFF; 32])),
        15 => json!("9999-12-31"),
        16 => json!([]),
        17 => json!({}),
        18 => nested(),
        19 => Value::Array(vec![value.clone(); 300]),
        20 => json!({"_sd": [b64u([7; 32])], "...": "x"}),
        21 => (0..300).map(|n| (n.to_string(), value.clone())).collect::<serde_json::Map<_, _>>().into(),
        22 => value.as_str().map_or(json!(1), |text| json!(text.to_uppercase())),
        _ => value.as_str().map_or(json!("-1"), |text| json!(text.get(1..).unwrap_or_default())),
    }
}

/// Every place in a document, by its pointer.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                places(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(n, value)| places(value, &format!("{at}/{n}"), all));
        }
        _ => {}
    }
}

/// The document with each change made where it says; a quarter of the changes take the place away.
fn changed(value: &Value, changes: &[Change]) -> Value {
    let mut value = value.clone();
    for (share, how) in changes {
        let mut all = Vec::new();
        places(&value, "", &mut all);
        let place = &all[usize::from(*share) % all.len()];
        let name = place.rsplit_once('/').map(|(parent, name)| (parent.to_owned(), name.replace("~1", "/")));
        match name {
            Some((parent, name)) if *how >= 192 => match value.pointer_mut(&parent) {
                Some(Value::Object(members)) => drop(members.remove(&name)),
                Some(Value::Array(elements)) => drop(elements.pop()),
                _ => {}
            },
            _ => {
                let place = value.pointer_mut(place).unwrap();
                *place = oddity(*how, place);
            }
        }
    }
    value
}

/// The bytes with each change made where it says: another byte, four of the largest, some left out, some twice.
fn spoilt(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (share, how) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = usize::from(*share) % bytes.len();
        let end = bytes.len().min(at + 4);
        match how % 5 {
            0 => bytes[at] ^= (*how).max(1),
            1 => bytes[at..end].fill(0xFF),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            _ => bytes = [&bytes[..end], &bytes[at..]].concat(),
        }
    }
    bytes
}

/// Text as it stays after the same was done to it.
fn spoilt_text(text: &str, changes: &[Change]) -> String {
    let ascii = |byte: u8| if byte.is_ascii() { char::from(byte) } else { '~' };
    spoilt(text.as_bytes(), changes).into_iter().map(ascii).collect()
}

/// An honest proof, and all that it is checked against.
struct Proved {
    context: Context,
    statements: Vec<Statement>,
    bytes: Vec<u8>,
}

impl Proved {
    fn new(district: &District) -> Self {
        let asked = district.asked(&district.register(), policy());
        let copy = district.receive(vec![district.copy(0, &OLD)], PROOF).unwrap().remove(0);
        let opened = copy.opened.as_ref().unwrap();
        let holding = || Holding {
            query: "q0",
            held: &copy.held,
            link: None,
            attributes: &opened.attributes,
            values: &opened.values,
            seed: Some(&opened.seed),
        };
        let chosen = asked.option(0).unwrap();
        let mut extra = prove(&asked, &chosen, &[holding()], &mut ChaCha20Rng::from_seed([4; 32])).unwrap();
        let claim = extra.remove("q0").unwrap()[PROOF_CLAIM].clone();
        let context = asked.context(&chosen, vec![holding().credential().unwrap()]);
        let bytes = b64u_decode(claim.as_str().unwrap()).unwrap();
        Self { context, statements: asked.statements(&chosen), bytes }
    }

    /// Whether it is taken alone, which is also whether it is taken among others.
    fn takes(&self, bytes: &[u8]) -> bool {
        let (context, statements) = (&self.context, self.statements.as_slice());
        let alone = answer::verify(context, statements, bytes).is_ok();
        let honest = Given { context, statements, bytes: &self.bytes };
        let both = [Given { context, statements, bytes }, honest];
        let together = answer::verify_all(&both, &mut ChaCha20Rng::from_seed([5; 32]));
        assert_eq!(together.iter().map(Result::is_ok).collect::<Vec<_>>(), [alone, true]);
        assert!(
            answer::dangerous_claimed_pseudonym(context, statements, bytes).is_none(),
            "none was asked for"
        );
        alone
    }
}

#[test]
fn proofs_with_something_changed() {
    let proved = Proved::new(&District::new());
    assert!(proved.takes(&proved.bytes));
    proptest!(cases(200), |(changes in changes())| {
        let bytes = spoilt(&proved.bytes, &changes);
        prop_assert_eq!(proved.takes(&bytes), bytes == proved.bytes);
    });
    proptest!(cases(200), |(bytes in proptest::collection::vec(any::<u8>(), 0..2_000))| {
        prop_assert!(!proved.takes(&bytes));
    });
}

/// Lengths that no proof has, and every length within one as large as four bytes can say.
#[test]
fn proofs_of_lengths_that_nobody_asked_for() {
    let proved = Proved::new(&District::new());
    for length in [0, 1, 4, 10, answer::MAX_LENGTH, answer::MAX_LENGTH + 1, 1 << 20] {
        for byte in [0, 1, 0xFF] {
            assert!(!proved.takes(&vec![byte; length]), "{length} times {byte}");
        }
        let longer = [proved.bytes.as_slice(), &vec![0; length]].concat();
        assert_eq!(proved.takes(&longer), length == 0, "{length} more");
    }
    let length = u32::try_from(proved.bytes.len()).unwrap();
    for at in 0..proved.bytes.len() - 4 {
        for said in [u32::MAX, u32::MAX / 2, length + 1, 0] {
            let mut bytes = proved.bytes.clone();
            bytes[at..at + 4].copy_from_slice(&said.to_be_bytes());
            let context = (&proved.context, proved.statements.as_slice());
            let taken = answer::verify(context.0, context.1, &bytes).is_ok();
            assert_eq!(taken, bytes == proved.bytes, "{said} at {at}");
        }
    }
}

/// Every place that reads `zkc`, with the values that its openings would bring.
fn read_zkc(claim: &Value) -> usize {
    let _ = zkc::link(claim);
    let attributes = zkc::read(claim).unwrap_or_default();
    for attribute in &attributes {
        let _ = zkc::has_its_unit(attribute);
        for value in [json!("1950-05-01"), json!("W105"), json!(u64::MAX), json!(-1), json!(null)] {
            let _ = zkc::encode(attribute, &value, &lists());
        }
    }
    attributes.len()
}

fn claims_of(credential: &str) -> Value {
    let payload = b64u_decode(credential.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn commitments_with_something_changed() {
    let district = District::new();
    let claim = claims_of(&district.copy(0, &OLD).credential)[zkc::CLAIM].clone();
    assert_eq!(read_zkc(&claim), 2);
    proptest!(cases(400), |(changes in changes())| {
        read_zkc(&changed(&claim, &changes));
    });
    let member = claim["/ward"].clone();
    let many = |count: usize| (0..count).map(|n| (format!("/a{n}"), member.clone())).collect::<Value>();
    assert_eq!([64, 65, 5_000].map(|count| read_zkc(&many(count))), [64, 0, 0]);
    let wide = |name: &str, value: Value| read_zkc(&json!({"/ward": spoiled(&member, name, value)}));
    assert_eq!(wide("/b", json!(256)), 0);
    assert_eq!(
        wide("/hi", json!("18446744073709551615")),
        1,
        "the signed range is compared, not counted through"
    );
    assert_eq!(wide("/hi", json!("18446744073709551616")), 0);
}

/// A statement as both sides read it.
fn read_statement(value: &Value, tables: &Tables) -> bool {
    let Ok(statement) = serde_json::from_value::<WireStatement>(value.clone()) else { return false };
    let _ = statement.predicate(tables);
    statement.check().is_ok() && statement.to_proof(tables).is_ok()
}

/// A request, its query and one of its statements.
fn asked(district: &District) -> (Register, Value) {
    let register = district.register();
    let claims = district.request(&register, &district.asked(&register, policy()));
    (register, claims)
}

#[test]
fn statements_with_something_changed() {
    let (register, claims) = asked(&District::new());
    let mut all = Vec::new();
    places(&claims, "", &mut all);
    let is_statement =
        |place: &&String| claims.pointer(place).is_some_and(|value| value.get("terms").is_some());
    let found: Vec<_> = all.iter().filter(is_statement).map(|place| claims.pointer(place).unwrap()).collect();
    assert!(!found.is_empty() && found.iter().all(|one| read_statement(one, register.tables())));
    proptest!(cases(400), |(which: u8, changes in changes())| {
        let statement = changed(found[usize::from(which) % found.len()], &changes);
        read_statement(&statement, register.tables());
    });
    let statement = found.iter().find(|one| one["op"] == "le").unwrap();
    let terms = |count: usize| {
        let term = |n| json!({"query": "q0", "pointer": format!("/a{n}"), "coeff": 1});
        spoiled(statement, "/terms", (0..count).map(term).collect())
    };
    let counts = [1, MAX_TERMS, MAX_TERMS + 1, 10_000];
    assert_eq!(counts.map(|n| read_statement(&terms(n), register.tables())), [true, true, false, false]);
    for coeff in [i64::MIN, i64::MAX, 1 << 33, -(1 << 33), 0] {
        let odd = spoiled(statement, "/terms/0/coeff", json!(coeff));
        assert!(!read_statement(&odd, register.tables()), "{coeff}");
    }
}

#[test]
fn queries_with_something_changed() {
    let (_, claims) = asked(&District::new());
    let query = claims["dcql_query"].clone();
    assert!(Query::from_value(&query).is_ok());
    proptest!(cases(400), |(changes in changes())| {
        if let Ok(query) = Query::from_value(&changed(&query, &changes)) {
            query.credentials.iter().for_each(|one| drop(one.vct_values()));
        }
    });
    let of = |count: usize| {
        let one = |n: usize| spoiled(&query["credentials"][0], "/id", json!(format!("c{n}")));
        let credentials: Vec<_> = (0..count).map(one).collect();
        Query::from_value(&json!({"credentials": credentials})).is_ok()
    };
    assert_eq!([1, 32, 33, 10_000].map(of), [true, true, false, false]);
}

#[test]
fn policies_with_something_changed() {
    let district = District::new();
    let register = district.register();
    let party = district.asked(&register, policy()).party().clone();
    let read = |value: Value| {
        let policy = Policy::from_json(value).ok()?;
        let asked = Asked::new(party.clone(), policy, register.tables().clone(), NOW.london_date()).ok()?;
        Some(asked.options().len())
    };
    assert!(read(policy()).is_some());
    proptest!(cases(400), |(changes in changes())| {
        read(changed(&policy(), &changes));
    });
    let condition = policy()["conditions"][0].clone();
    let of = |count: usize| {
        let one = |n: usize| spoiled(&condition, "/id", json!(format!("c{n}")));
        read(spoiled(&policy(), "/conditions", (0..count).map(one).collect())).is_some()
    };
    assert_eq!([9, 33, 10_000].map(of), [false; 3]);
    let huge = json!({"kind": "fixed", "value": "99999999999999999999"});
    assert_eq!(read(spoiled(&policy(), "/conditions/0/rule", huge)), None);
}

#[test]
fn types_with_something_changed() {
    let described = json!({"id": "pay", "vct": "https://larkfield.example/types/pay/1",
        "name": {"en": "Pay", "cy": "Cyflog"}, "ttl_days": 60, "batch": 3, "status": true, "period": "month",
        "attributes": [{"pointer": "/total", "column": "total", "label": {"en": "pay", "cy": "cyflog"},
            "kind": "money", "answer": ["prove"], "lo": "0", "hi": "10000000"}]});
    assert!(CredentialType::from_json(&described).is_ok());
    proptest!(cases(400), |(changes in changes())| {
        let _ = CredentialType::from_json(&changed(&described, &changes));
    });
}

fn verified(district: &District, text: &str) -> bool {
    let (client_id, anchors) = (district.client_id(), [district.anchor.clone()]);
    let judge = district.judge();
    let expected =
        Asking { client_id: &client_id, wallet_nonce: None, env: Env::Test, anchors: &anchors, judge };
    let parsed = Fetched::parse(text);
    // What the wallet may tell a service whose request it does not take.
    let _ = Fetched::parse(text).map(|request| request.error_reply(&expected));
    parsed.and_then(|request| request.verify(&expected)).is_ok()
}

#[test]
fn request_objects_with_something_changed() {
    let district = District::new();
    let (_, claims) = asked(&district);
    let honest = district.sign_request(&claims);
    assert!(verified(&district, &honest));
    // Signed again, so that what is behind the signature is read too.
    proptest!(cases(200), |(changes in changes())| {
        verified(&district, &district.sign_request(&changed(&claims, &changes)));
    });
    proptest!(cases(300), |(changes in changes())| {
        let text = spoilt_text(&honest, &changes);
        prop_assert!(!verified(&district, &text) || text == honest);
    });
}

const RULES: Rules<'static> = Rules { now: NOW, audience: SERVICE, status: Status::NotInType };

/// A credential, and a presentation as far as it is read before its key binding is asked for.
fn received(district: &District, text: &str) -> bool {
    let leaf = validate(&district.issuer_x5c, std::slice::from_ref(&district.anchor), NOW, &Ring).unwrap();
    let Ok(parts) = Unverified::parse(text) else { return false };
    let _ = (parts.x5c(), parts.dangerous_claimed_issuer(), parts.dangerous_claimed_type());
    parts.receive(&leaf, &RULES, &Ring).is_ok()
}

fn issued(district: &District, payload: &Value, disclosures: &str) -> String {
    let header = NewHeader::new(Alg::Es256, "dc+sd-jwt").x5c(&district.issuer_x5c);
    format!("{}~{disclosures}", sign(&district.issuer, &header, payload))
}

#[test]
fn credentials_with_something_changed() {
    let district = District::new();
    let honest = district.copy(0, &Resident { proof: false, ..OLD }).credential;
    assert!(received(&district, &honest));
    let (payload, disclosures) = (claims_of(&honest), honest.split_once('~').unwrap().1);
    proptest!(cases(200), |(changes in changes())| {
        received(&district, &issued(&district, &changed(&payload, &changes), disclosures));
    });
    proptest!(cases(400), |(changes in changes())| {
        let text = spoilt_text(&honest, &changes);
        received(&district, &text);
        received(&district, &format!("{text}eyJhbGciOiJFUzI1NiJ9.e30.AA"));
    });
    // A Disclosure of anything, with its digest signed.
    let disclosure = json!(["AAAAAAAAAAAAAAAAAAAAAA", "ward", {"a": [1, "W105"]}]);
    proptest!(cases(200), |(changes in changes())| {
        let text = b64u(changed(&disclosure, &changes).to_string());
        let payload = spoiled(&payload, "/_sd/0", json!(b64u(sha256(&text))));
        received(&district, &issued(&district, &payload, &format!("{text}~")));
    });
}

#[test]
fn credentials_with_as_much_as_can_be_said() {
    let district = District::new();
    let of = |count: usize| {
        let disclosure = |n: usize| b64u(json!(["AAAAAAAAAAAAAAAAAAAAAA", format!("n{n}"), 1]).to_string());
        let texts: Vec<_> = (0..count).map(disclosure).collect();
        let digests: Vec<_> = texts.iter().map(|text| b64u(sha256(text))).collect();
        let mut payload = claims_of(&district.copy(0, &Resident { proof: false, ..OLD }).credential);
        payload["_sd"] = json!(digests);
        received(
            &district,
            &issued(&district, &payload, &texts.iter().map(|text| format!("{text}~")).collect::<String>()),
        )
    };
    assert_eq!([1, MAX_DISCLOSURES, MAX_DISCLOSURES + 1].map(of), [true, true, false]);
    for text in
        ["~".repeat(MAX_SD_JWT), "~".repeat(MAX_SD_JWT + 1), ".".repeat(MAX_TOKEN), "A".repeat(1 << 20)]
    {
        assert!(!received(&district, &text));
        assert!(Compact::parse(&text, MAX_TOKEN).is_err());
    }
}

#[test]
fn certificates_with_something_changed() {
    let district = District::new();
    let (leaf, anchors) = (district.issuer_x5c[0].clone(), [district.anchor.clone()]);
    let path = |x5c: &[Vec<u8>]| validate(x5c, &anchors, NOW, &Ring).map(drop);
    assert_eq!(path(std::slice::from_ref(&leaf)), Ok(()));
    proptest!(cases(400), |(changes in changes())| {
        let der = spoilt(&leaf, &changes);
        prop_assert!(path(std::slice::from_ref(&der)).is_err() || der == leaf);
        let _ = path(&[leaf.clone(), der.clone()]);
        let _ = Anchor::from_der(spoilt(district.anchor.der(), &changes));
    });
    // A length of four bytes in the place of each length and of whatever else is there.
    for at in 0..leaf.len() {
        let der = [&leaf[..at], &[0x84, 0xFF, 0xFF, 0xFF, 0xFF], &leaf[at..]].concat();
        assert!(path(&[der]).is_err(), "{at}");
    }
    assert_eq!(path(&vec![leaf.clone(); MAX_CERTIFICATES + 1]), Err(X5cError::Length));
    assert_eq!(path(&[]), Err(X5cError::Length));
    let header = |count: usize| json!({"alg": "ES256", "typ": "t", "x5c": vec![b64(&leaf); count]});
    let parsed =
        |count| Compact::parse(&format!("{}.e30.AA", b64u(header(count).to_string())), MAX_TOKEN).is_ok();
    assert_eq!([1, MAX_CERTIFICATES, MAX_CERTIFICATES + 1, 20].map(parsed), [true, true, false, false]);
}

#[test]
fn openings_with_something_changed() {
    let district = District::new();
    let copies: Vec<_> = (0..3).map(|i| district.copy(i, &OLD)).collect();
    let honest: Value = serde_json::from_slice(&write_response(&copies, Some("n-1"))).unwrap();
    let kept = |response: &Value| {
        let copies = read_response(response.to_string().as_bytes()).and_then(|response| response.copies());
        copies.is_ok_and(|copies| district.receive(copies, PROOF).is_ok())
    };
    assert!(kept(&honest));
    proptest!(cases(150), |(changes in changes())| {
        kept(&changed(&honest, &changes));
    });
    // Openings alone, which are a small part of a response.
    let member =
        honest["credentials"][0].as_object().unwrap().keys().find(|name| *name != "credential").unwrap();
    let openings = &honest["credentials"][0][member];
    proptest!(cases(150), |(changes in changes())| {
        let mut response = honest.clone();
        response["credentials"][0][member] = changed(openings, &changes);
        prop_assert!(!kept(&response) || response == honest);
    });
    proptest!(cases(300), |(changes in changes())| {
        let _ = read_response(&spoilt(honest.to_string().as_bytes(), &changes));
    });
    assert!(read_response(&vec![b'['; MAX_MESSAGE + 1]).is_err());
    let mut four = copies;
    four.push(district.copy(0, &OLD));
    assert!(district.receive(four, PROOF).is_err(), "one more than keys");
}

#[test]
fn answers_and_credential_requests_with_something_changed() {
    let answer = json!({"state": "s", "vp_token": {"q0": ["a.b.c~d~e.f.g"]}});
    let request = json!({"credential_configuration_id": "residency-zk", "proofs": {"jwt": ["a.b.c"]},
        "link_proof": "AA", "credential_response_encryption": {"jwk": {"kty": "EC"}, "enc": "A256GCM"}});
    assert!(Response::from_plaintext(answer.to_string().as_bytes()).is_ok());
    proptest!(cases(300), |(changes in changes())| {
        let _ = Response::from_plaintext(changed(&answer, &changes).to_string().as_bytes());
        let _ = Response::from_plaintext(&spoilt(answer.to_string().as_bytes(), &changes));
        let _ = credential::Received::plain(changed(&request, &changes).to_string().as_bytes());
        let _ = credential::Received::plain(&spoilt(request.to_string().as_bytes(), &changes));
    });
    let of = |count: usize| {
        let all: BTreeMap<_, _> = (0..count).map(|n| (format!("q{n}"), ["x"])).collect();
        Response::from_plaintext(json!({"vp_token": all}).to_string().as_bytes()).is_ok()
    };
    assert_eq!([1, 16, 17, 10_000].map(of), [true, true, false, false]);
}

/// A length of four thousand million that somebody wrote down costs no memory: what is asked of the system at the peak
/// stays far below it.
#[cfg(target_os = "linux")]
#[test]
fn lengths_that_are_only_said_take_no_memory() {
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let district = District::new();
    let (proved, before) = (Proved::new(&district), peak());
    for at in 0..proved.bytes.len().min(64) {
        let bytes = [&proved.bytes[..at], &[0xFF; 4], &proved.bytes[at..]].concat();
        assert!(answer::verify(&proved.context, &proved.statements, &bytes).is_err());
    }
    let leaf = &district.issuer_x5c[0];
    for at in 0..leaf.len() {
        let der = [&leaf[..at], &[0x84, 0xFF, 0xFF, 0xFF, 0xFF], &leaf[at..]].concat();
        assert!(validate(&[der], std::slice::from_ref(&district.anchor), NOW, &Ring).is_err());
    }
    // CBOR: arrays, maps, byte strings and texts of that length, also where a status list is expected.
    for major in [0x80_u8, 0xA0, 0x40, 0x60] {
        for length in
            [&[0x1A, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0x1B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]]
        {
            let item = [&[major | length[0]][..], &length[1..]].concat();
            let tagged = [&[0xD2, 0x84][..], &item].concat();
            for bytes in [&item, &tagged] {
                assert!(vouchsafe_protocol::status::Received::cwt(bytes, 1 << 20).is_err());
                assert!(vouchsafe_protocol::status::List::from_cbor(bytes, 1 << 20).is_err());
            }
        }
    }
    assert!(peak() - before < 1 << 20, "a gibibyte, in kibibytes");
}
