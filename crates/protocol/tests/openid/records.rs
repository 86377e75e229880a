//! Records of permissions, and the calls of their keys.

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::jose::Alg;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::permission::Jkt;
use vouchsafe_protocol::permission::call::{Call, CallError, Do};
use vouchsafe_protocol::permission::record::{
    About, Claims, Event, Expected, Happening, Record, RecordError, Route, SignedError, State, Whose,
};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::Purpose;

use crate::district::{NOW, SERVICE, spoiled};
use crate::joined::Town;
use crate::permissions::{action, allowing, asking, hardship, registered, sharing, standing, town};
use crate::permitted::signed;
use crate::provider::{Key, Ring};
use crate::schema::Schema;
use crate::ways::{meals, types};

const ORIGIN: &str = "https://verifier.example";
const WITHDRAW: &str = "https://verifier.example/permissions";

/// The permission's key, the same in every test of the file's form.
fn jkt() -> Jkt {
    Jkt::from_text(&b64u([3; 32])).unwrap()
}

fn at(hours: i64, what: Happening) -> Event {
    Event { at: NOW.plus(hours * 3600), what }
}

fn withdrawn() -> Happening {
    Happening::Withdrawn { route: Route::Wallet }
}

fn renewed(key: [u8; 32]) -> Happening {
    let by = Jkt::from_text(&b64u(key)).unwrap();
    Happening::Renewed { by, transaction: [9; 32], until: "2027-06-01".parse().unwrap() }
}

fn of(
    asked: &Asked,
    purpose: &Purpose,
    principal: Option<Jkt>,
    first: Happening,
) -> Result<Record, RecordError> {
    let about = About { id: [0xab; 16], principal, asked, purpose, withdraw_at: WITHDRAW };
    Record::new(&about, at(0, first))
}

fn consent() -> Value {
    spoiled(&allowing(), "/basis", json!("consent"))
}

fn record(purpose: Value, policy: Value) -> Record {
    let town = Town::of(types(), purpose.clone());
    of(&asking(&town, policy), &registered(purpose), Some(jkt()), Happening::Given).unwrap()
}

// --- events -------------------------------------------------------------------------------------------------------

#[test]
pub(crate) fn events_follow_one_another() {
    use Happening::{Expired, Given, Invalidated, Refused};
    let open = [Given, renewed([4; 32])];
    let ended = [withdrawn(), Expired];
    let closed = [Invalidated];
    let state = |events: &[Happening]| {
        let mut record = record(allowing(), hardship());
        let mut more = events.iter().zip(1..).map(|(what, hour)| at(hour, what.clone()));
        more.try_for_each(|event| record.append(event)).map(|()| record.state())
    };
    assert_eq!(state(&[]), Ok(State::Given));
    assert_eq!(state(&[withdrawn()]), Ok(State::Withdrawn));
    assert_eq!(state(&[Expired]), Ok(State::Expired));
    assert_eq!(state(&[Invalidated]), Ok(State::Invalidated));
    assert_eq!(state(&[renewed([4; 32])]), Ok(State::Renewed));
    // What ended stays ended, but for a renewal by a new permission.
    for end in ended {
        assert_eq!(state(&[end.clone(), renewed([4; 32])]), Ok(State::Renewed));
        for next in [Given, Refused, withdrawn(), Expired, Invalidated] {
            assert_eq!(state(&[end.clone(), next]), Err(RecordError::Order));
        }
    }
    for end in closed {
        assert_eq!(state(&[end, renewed([4; 32])]), Err(RecordError::Order));
    }
    for before in open {
        for next in [Given, Refused] {
            assert_eq!(state(&[before.clone(), next]), Err(RecordError::Order));
        }
    }
    // Nobody renews with a key that is known already.
    assert_eq!(state(&[renewed([3; 32])]), Err(RecordError::Renewal));
    assert_eq!(state(&[renewed([4; 32]), withdrawn(), renewed([4; 32])]), Err(RecordError::Renewal));
    for end in [withdrawn(), Expired, Invalidated] {
        assert!(!state(&[end]).unwrap().allows());
    }
    assert!(State::Given.allows() && State::Renewed.allows() && !State::Refused.allows());
}

#[test]
pub(crate) fn a_record_begins_with_what_was_said() {
    let (town, purpose) = (town(), registered(allowing()));
    let asked = asking(&town, hardship());
    let of = |principal, first| of(&asked, &purpose, principal, first).map(|record| record.state());
    assert_eq!(of(Some(jkt()), Happening::Given), Ok(State::Given));
    assert_eq!(of(None, Happening::Refused), Ok(State::Refused));
    assert_eq!(of(None, Happening::Given), Err(RecordError::Principal));
    assert_eq!(of(Some(jkt()), Happening::Refused), Err(RecordError::Principal));
    for first in [withdrawn(), renewed([4; 32]), Happening::Expired, Happening::Invalidated] {
        assert_eq!(of(Some(jkt()), first), Err(RecordError::Order));
    }
    let silent = super::records::of(&town.asked(meals()), &purpose, Some(jkt()), Happening::Given);
    assert_eq!(silent.err(), Some(RecordError::NoPermission));
    let without = registered(crate::ways::purpose());
    let silent = super::records::of(&asked, &without, Some(jkt()), Happening::Given);
    assert_eq!(silent.err(), Some(RecordError::NoFacts));
}

#[test]
pub(crate) fn events_are_in_order_and_not_without_end() {
    let mut record = record(allowing(), hardship());
    assert_eq!(record.append(at(-1, withdrawn())), Err(RecordError::Time));
    assert_eq!((record.state(), record.events().len()), (State::Given, 1));
    assert_eq!(record.append(at(0, withdrawn())), Ok(()));
    for key in 10..72 {
        assert_eq!(record.append(at(1, renewed([key; 32]))), Ok(()));
    }
    assert_eq!(record.events().len(), 64);
    assert_eq!(record.append(at(1, renewed([99; 32]))), Err(RecordError::Full));
}

// --- form ---------------------------------------------------------------------------------------------------------

/// All that ISO/IEC TS 27560 makes mandatory, by the term that the guide of the vocabulary names for it.
const MANDATORY: [(&str, &str); 27] = [
    ("/schema_version", "dct:conformsTo"),
    ("/record_id", "dct:identifier"),
    ("/pii_principal_id", "dpv:hasDataSubject"),
    ("/processing/privacy_notice", "dpv:hasNotice"),
    ("/processing/language", "dct:language"),
    ("/processing/purpose", "dpv:hasPurpose"),
    ("/processing/pii_information", "dpv:hasPersonalData"),
    ("/processing/pii_information/0/pii_type", "@type"),
    ("/processing/pii_controllers", "dpv:hasDataController"),
    ("/processing/storage_locations", "dpv:hasStorageCondition"),
    ("/processing/storage_locations/location", "dpv:hasLocation"),
    ("/processing/retention_period", "dpv:hasStorageCondition"),
    ("/processing/retention_period/duration", "dpv:hasDuration"),
    ("/processing/jurisdiction", "dpv:hasJurisdiction"),
    ("/processing/recipient_third_parties", "dpv:hasRecipient"),
    ("/processing/withdrawal_method", "dpv:hasConsentControl"),
    ("/processing/withdrawal_method/at", "dpv:isExercisedAt"),
    ("/parties/0/party_id", "dpv:hasIdentifier"),
    ("/parties/0/party_address", "dpv:hasAddress"),
    ("/parties/0/party_name", "dpv:hasName"),
    ("/parties/0/party_contact", "dpv:hasContact"),
    ("/parties/0/party_type", "@type"),
    ("/events/0/event_time", "dct:date"),
    ("/events/0/validity_duration", "dct:valid"),
    ("/events/0/entity_id", "dpv:isImplementedByEntity"),
    ("/events/0/event_type", "dpv:hasLegalBasis"),
    ("/events/0/event_state", "dpv:hasConsentStatus"),
];

fn term<'r>(record: &'r Value, pointer: &str) -> &'r str {
    let meaning = &record["@context"][pointer.rsplit('/').next().unwrap()];
    meaning.as_str().or_else(|| meaning["@id"].as_str()).unwrap_or_default()
}

#[test]
fn a_consent_record_has_every_mandatory_member_of_the_specification() {
    let written = record(consent(), hardship()).to_value();
    for (pointer, meaning) in MANDATORY {
        assert!(written.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer}");
        assert_eq!(term(&written, pointer), meaning, "{pointer}");
    }
    assert_eq!(written["@type"], "dpv:ConsentRecord");
    assert_eq!(written["schema_version"], "https://w3id.org/dpv/schema/dpv-27560#record");
    assert_eq!(written["processing"]["lawful_basis"], "dpv:Consent");
    assert_eq!(written["processing"]["withdrawal_method"]["@type"], "dpv:WithdrawConsent");
    assert_eq!(written["events"][0]["event_type"], "dpv:ExpressedConsent");
    assert_eq!(written["events"][0]["event_state"], "dpv:ConsentGiven");
    // Every member has a meaning.
    let meant = written["@context"].as_object().unwrap();
    let mut open = vec![&written];
    while let Some(value) = open.pop() {
        for (name, inner) in value.as_object().into_iter().flatten().filter(|(name, _)| *name != "@context") {
            assert!(
                name.starts_with('@') || meant.contains_key(name) || ["en", "cy"].contains(&name.as_str()),
                "{name}"
            );
            open.push(inner);
        }
        open.extend(value.as_array().into_iter().flatten());
    }
}

/// Where the basis is another, nothing in the record speaks of consent.
#[test]
fn a_permission_record_speaks_of_no_consent() {
    for (basis, term) in [
        ("public_task", "dpv:PublicInterest"),
        ("legal_obligation", "dpv:LegalObligation"),
        ("contract", "dpv:Contract"),
    ] {
        let purpose = spoiled(&allowing(), "/basis", json!(basis));
        let mut made = record(purpose, hardship());
        made.append(at(1, withdrawn())).unwrap();
        assert!(!made.is_consent());
        let written = made.to_value();
        assert!(!written.to_string().contains("onsent"), "{written}");
        assert_eq!(written["@type"], "vs:PermissionRecord");
        assert_eq!(
            (&written["processing"]["lawful_basis"], &written["events"][0]["event_type"]),
            (&json!(term), &json!(term))
        );
        assert_eq!(written["events"][1]["event_state"], "vs:PermissionWithdrawn");
        assert_eq!(written["events"][1]["method"], "wallet");
        // The same structure: only two members are called otherwise.
        for (pointer, meaning) in MANDATORY {
            assert!(written.pointer(pointer).is_some(), "{pointer}");
            let own = ["/processing/withdrawal_method", "/events/0/event_state"].contains(&pointer);
            assert_eq!(term_is(&written, pointer, meaning), !own, "{pointer}");
        }
    }
    assert!(record(consent(), hardship()).is_consent());
}

fn term_is(record: &Value, pointer: &str, meaning: &str) -> bool {
    term(record, pointer) == meaning
}

#[test]
fn records_are_of_the_published_schema() {
    let schema = Schema::read("permission-record-1.json");
    for purpose in [allowing(), consent()] {
        for policy in [hardship(), sharing()] {
            let mut made = record(purpose.clone(), policy);
            for (hour, what) in [(1, withdrawn()), (2, renewed([4; 32])), (3, Happening::Invalidated)] {
                made.append(at(hour, what)).unwrap();
            }
            assert!(schema.holds(&made.to_value()));
        }
    }
    let town = town();
    let refused = of(&asking(&town, hardship()), &registered(allowing()), None, Happening::Refused).unwrap();
    assert!(schema.holds(&refused.to_value()));
    // Without any one of what is mandatory a record is of another form, and so is one that mixes the two kinds.
    let written = record(consent(), hardship()).to_value();
    for (pointer, _) in MANDATORY {
        assert!(!schema.holds(&spoiled(&written, pointer, Value::Null)), "{pointer}");
    }
    for (pointer, value) in [
        ("/@type", json!("vs:PermissionRecord")),
        ("/processing/lawful_basis", json!("dpv:PublicInterest")),
        ("/events/0/event_state", json!("vs:PermissionGiven")),
        ("/events/0/event_type", json!("dpv:PublicInterest")),
        ("/permission/amount", json!("12000")),
        ("/permission/uses", json!(0)),
        ("/events", json!([])),
    ] {
        assert!(!schema.holds(&spoiled(&written, pointer, value)), "{pointer}");
    }
}

#[test]
fn a_record_holds_no_value_of_anybody() {
    for purpose in [allowing(), consent()] {
        let text = record(purpose, hardship()).to_value().to_string();
        for value in ["12000", "Housing Trust", "RENT", "0042", "70000", "80000"] {
            assert!(!text.contains(value), "{value}");
        }
    }
    let written = record(allowing(), hardship()).to_value();
    assert_eq!(
        written["pii_principal_id"],
        format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", b64u([3; 32]))
    );
    assert_eq!(written["@id"], "urn:uuid:abababab-abab-4bab-abab-abababababab");
    let asked: Vec<_> = written["processing"]["pii_information"].as_array().unwrap().iter().collect();
    assert_eq!(asked.len(), 3);
    assert_eq!(
        *asked[2],
        json!({"pii_type": "dpv:PersonalData", "pii_attribute_id": format!("{}#/total", crate::ways::PAY), "how": "proved"})
    );
    // Who refused has no key, and is named by this record alone.
    let (town, purpose) = (town(), registered(allowing()));
    let refused = of(&asking(&town, hardship()), &purpose, None, Happening::Refused).unwrap();
    let written = refused.to_value();
    assert_eq!(written["pii_principal_id"], "urn:uuid:abababab-abab-4bab-abab-abababababab#principal");
    assert_eq!(Record::from_value(&written).unwrap().state(), State::Refused);
    assert!(!format!("{refused:?}").contains("abab"));
}

#[test]
fn a_record_with_a_third_party_names_it_whole() {
    let written = record(allowing(), sharing()).to_value();
    assert_eq!(written["permission"]["uses"], 3);
    assert_eq!(written["parties"][1]["party_id"], "https://foodbank.example");
    assert_eq!(written["parties"][1]["party_type"], json!(["dpv:ThirdParty", "dpv:NonProfitOrganisation"]));
    let recipients = written["processing"]["recipient_third_parties"].as_array().unwrap();
    assert_eq!(recipients.last().unwrap()["@id"], "https://foodbank.example");
}

#[test]
pub(crate) fn a_record_is_read_as_it_was_written_and_in_no_other_way() {
    for (purpose, policy) in [(allowing(), hardship()), (consent(), sharing())] {
        let mut made = record(purpose, policy);
        made.append(at(1, withdrawn())).unwrap();
        made.append(at(2, renewed([4; 32]))).unwrap();
        made.append(at(3, Happening::Expired)).unwrap();
        let written = made.to_value();
        let read = Record::from_value(&written).unwrap();
        assert!(read == made && read.events() == made.events());
        assert_eq!(
            (read.state(), read.until().to_string(), *read.transaction()),
            (State::Expired, "2027-06-01".into(), [9; 32])
        );
        assert!(read.is_of(&jkt()) && read.is_of(&Jkt::from_text(&b64u([4; 32])).unwrap()));
        assert_eq!(read.principal(), Some(&jkt()));
    }
    let written = record(allowing(), hardship()).to_value();
    let refused = |pointer: &str, value: Value| Record::from_value(&spoiled(&written, pointer, value)).err();
    assert_eq!(refused("/processing/jurisdiction", json!("GB-WLS")), None);
    for (pointer, value) in [
        ("/@context/event_state", json!("dpv:hasConsentStatus")),
        ("/@type", json!("dpv:ConsentRecord")),
        ("/schema_version", json!("https://w3id.org/dpv/schema/dpv-27560#record")),
        ("/processing/lawful_basis", json!("dpv:Consent")),
        ("/processing/lawful_basis", json!("dpv:VitalInterest")),
        ("/processing/note", json!(1)),
        ("/record_id", json!("00000000-0000-4000-8000-000000000000")),
        ("/pii_principal_id", json!("Resident 0042")),
        ("/events/0/entity_id", json!("https://larkfield.example")),
        ("/events/0/event_type", json!("dpv:Contract")),
        ("/events/0/event_state", json!("dpv:ConsentGiven")),
        ("/events/0/event_time", json!("2026-11-21T20:26:40+00:00")),
        ("/events/0/validity_duration", json!("2030-01-01")),
        ("/events/0/method", json!("wallet")),
        ("/permission/transaction", json!("AA")),
        ("/permission/uses", json!(null)),
        ("/permission/kind", json!("loan")),
        ("/events", json!([])),
        ("/parties", json!([])),
    ] {
        let is_refused = refused(pointer, value.clone());
        let null = pointer == "/permission/uses";
        assert_eq!(is_refused.is_none(), null, "{pointer} {value}: {is_refused:?}");
    }
    // An impossible order is refused wherever it comes from.
    let first = written["events"][0].clone();
    assert_eq!(refused("/events/-", first), Some(RecordError::Order));
}

// --- published ----------------------------------------------------------------------------------------------------

/// One of every kind, as it comes to be: what readers of JSON-LD and of our schema are given to read.
fn published() -> Value {
    let grown = |purpose: Value, policy: Value, more: &[Happening]| {
        let mut made = record(purpose, policy);
        more.iter().zip(1..).for_each(|(what, hour)| made.append(at(hour, what.clone())).unwrap());
        made.to_value()
    };
    let (town, purpose) = (town(), registered(consent()));
    let refused = of(&asking(&town, hardship()), &purpose, None, Happening::Refused).unwrap();
    json!({
        "consent": grown(consent(), action(), &[]),
        "consent_ended": grown(consent(), sharing(), &[withdrawn(), renewed([4; 32]), Happening::Expired]),
        "consent_invalidated": grown(consent(), standing(), &[Happening::Invalidated]),
        "consent_refused": refused.to_value(),
        "permission": grown(allowing(), hardship(), &[]),
        "permission_withdrawn": grown(allowing(), sharing(), &[withdrawn()]),
    })
}

#[test]
fn the_published_records_are_ours() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/vouchsafe-1/records.json");
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if std::env::var_os("VOUCHSAFE_BLESS").is_some() {
        std::fs::write(path, serde_json::to_string_pretty(&published()).unwrap() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(kept, published());
    for (name, record) in kept.as_object().unwrap() {
        assert!(Record::from_value(record).is_ok(), "{name}");
    }
}

// --- signed -------------------------------------------------------------------------------------------------------

fn claims(record: Record) -> Claims {
    Claims { iss: ORIGIN.into(), aud: SERVICE.into(), jti: b64u([1; 16]), iat: NOW.plus(7200), record }
}

#[test]
pub(crate) fn both_sides_check_a_signed_record() {
    let mut made = record(allowing(), hardship());
    made.append(at(1, withdrawn())).unwrap();
    let key = Key::p256();
    let token = |claims: &Claims| signed(claims.unsigned(Alg::Es256, "r1"), &key);
    let good = claims(made.clone());
    let (holder, digest) = (jkt(), *made.transaction());
    let wallet = Expected { iss: ORIGIN, aud: SERVICE, whose: Whose::Key(&holder), now: NOW.plus(7200) };
    let service = Expected { whose: Whose::Transaction(&digest), ..wallet };
    let verify = |text: &str, expected: &Expected<'_>| Claims::verify(text, key.public(), expected, &Ring);
    for expected in [&wallet, &service] {
        let read = verify(&token(&good), expected).unwrap();
        assert!(read == good && read.record.state() == State::Withdrawn);
    }
    let err = |claims: &Claims, expected: &Expected<'_>| verify(&token(claims), expected).err();
    let other = |change: fn(&mut Claims)| {
        let mut changed = good.clone();
        change(&mut changed);
        err(&changed, &wallet)
    };
    assert_eq!(other(|c| c.iss = "https://other.example".into()), Some(SignedError::Issuer));
    assert_eq!(other(|c| c.aud = "https://other.example".into()), Some(SignedError::Service));
    assert_eq!(other(|c| c.jti = "1".into()), Some(SignedError::Jti));
    assert_eq!(other(|c| c.iat = NOW.plus(7261)), Some(SignedError::Time));
    // Signed before what it says happened.
    assert_eq!(other(|c| c.iat = NOW.plus(3539)), Some(SignedError::Time));
    let (stranger, nothing) = (Jkt::from_text(&b64u([5; 32])).unwrap(), [0; 32]);
    assert_eq!(
        err(&good, &Expected { whose: Whose::Key(&stranger), ..wallet }),
        Some(SignedError::Permission)
    );
    assert_eq!(
        err(&good, &Expected { whose: Whose::Transaction(&nothing), ..wallet }),
        Some(SignedError::Permission)
    );
    // A record of one service under another's name.
    let elsewhere = Expected { aud: "https://other.example", ..wallet };
    assert_eq!(other(|_| ()), None);
    let mut moved = good.clone();
    moved.aud = "https://other.example".into();
    assert_eq!(err(&moved, &elsewhere), Some(SignedError::Service));
    let text = token(&good);
    assert_eq!(
        Claims::verify(&text, Key::p256().public(), &wallet, &Ring).err(),
        Some(SignedError::Signature)
    );
    let payload: Value =
        serde_json::from_slice(&b64u_decode(text.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let malformed = spoiled(&payload, "/record/events/1/event_state", json!("vs:PermissionGiven"));
    let header =
        vouchsafe_protocol::jose::jws::NewHeader::new(Alg::Es256, "vouchsafe-permission+jwt").kid("r1");
    let forged = crate::district::sign(&key, &header, &malformed);
    assert_eq!(verify(&forged, &wallet).err(), Some(SignedError::Malformed));
}

// --- calls --------------------------------------------------------------------------------------------------------

#[test]
pub(crate) fn a_call_is_made_by_the_permissions_key_just_now() {
    let key = Key::p256();
    let call = Call { aud: ORIGIN.into(), iat: NOW, jti: b64u([1; 16]), what: Do::Withdraw };
    let text = signed(call.unsigned(key.public()), &key);
    let verify = |text: &str, now: UnixTime| Call::verify(text, ORIGIN, now, 300, &Ring);
    let called = verify(&text, NOW).unwrap();
    assert!(called.jkt() == Jkt::of(key.public()) && called.key() == key.public());
    assert_eq!(
        (called.what(), called.jti(), called.forget_at()),
        (Do::Withdraw, b64u([1; 16]).as_str(), NOW.plus(361))
    );
    // As long as it is taken its jti is remembered.
    assert!(verify(&text, NOW.plus(360)).is_ok());
    assert_eq!(verify(&text, NOW.plus(361)).err(), Some(CallError::Time));
    assert_eq!(verify(&text, NOW.minus(61)).err(), Some(CallError::Time));
    assert_eq!(
        Call::verify(&text, "https://other.example", NOW, 300, &Ring).err(),
        Some(CallError::Audience)
    );
    let header = json!({"alg": "ES256", "typ": "vouchsafe-permission-call+jwt", "jwk": key.public()});
    let claims = serde_json::to_value(&call).unwrap();
    assert_eq!(claims, json!({"aud": ORIGIN, "iat": NOW.0, "jti": b64u([1; 16]), "do": "withdraw"}));
    let made = |header: &Value, claims: &Value| {
        let input = format!("{}.{}", b64u(header.to_string()), b64u(claims.to_string()));
        verify(&format!("{input}.{}", b64u(key.sign_now(input.as_bytes()))), NOW).err()
    };
    assert_eq!(made(&header, &claims), None);
    assert_eq!(made(&header, &spoiled(&claims, "/do", json!("state"))), None);
    for (member, value, fault) in [
        ("jti", json!("1"), CallError::Jti),
        ("do", json!("delete"), CallError::Form),
        ("do", Value::Null, CallError::Form),
        ("permission", json!("all"), CallError::Form),
    ] {
        assert_eq!(made(&header, &spoiled(&claims, &format!("/{member}"), value)), Some(fault), "{member}");
    }
    for (member, value, fault) in [
        ("typ", json!("vouchsafe-grant+jwt"), CallError::Form),
        ("kid", json!("k"), CallError::Form),
        ("jwk", json!(Key::p256().public()), CallError::Signature),
        ("jwk", spoiled(&header["jwk"], "/use", json!("sig")), CallError::Key),
    ] {
        assert_eq!(made(&spoiled(&header, &format!("/{member}"), value), &claims), Some(fault), "{member}");
    }
}
