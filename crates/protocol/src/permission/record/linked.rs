//! The record as JSON-LD, written and read. What is read is written again and compared as a whole, so that no member goes
//! unread.

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Attribute, Event, Happening, Header, Processing, Record, Route};
use crate::decision::PolicyRef;
use crate::encoding::{b64u, b64u_array};
use crate::json;
use crate::permission::Jkt;
use crate::text::Bilingual;
use crate::time::UnixTime;
use crate::trust::{Basis, BodyKind, Controller, RecordFacts, ThirdParty};

/// The profile of the guide that a consent record conforms to.
const CONSENT_SCHEMA: &str = "https://w3id.org/dpv/schema/dpv-27560#record";

/// Ours, for records whose basis is another.
const PERMISSION_SCHEMA: &str = "urn:vouchsafe:permission-record:1";

/// What stands in the record for people: its two languages.
const LANGUAGES: [&str; 2] = ["en", "cy"];

/// A UUID as a URN.
pub(super) fn urn(id: &[u8; 16]) -> String {
    format!("urn:uuid:{}", uuid(id))
}

fn uuid(id: &[u8; 16]) -> String {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn uuid_from(text: &str) -> Option<[u8; 16]> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    let byte = |i: usize| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..16).map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

// --- written --------------------------------------------------------------------------------------------------------

/// The whole record.
pub(super) fn write(record: &Record) -> Value {
    let consent = record.is_consent();
    let Header { id, kind, transaction, until, uses, .. } = &record.header;
    let PolicyRef { id: policy, version, digest } = &record.processing.policy;
    let mut permission = json!({"kind": kind, "transaction": b64u(transaction), "until": until.to_string(),
        "policy": {"policy_id": policy, "version": version, "digest": digest}});
    if let Some(uses) = uses {
        permission["uses"] = json!(uses);
    }
    let events: Vec<Value> = record.events.iter().map(|event| written(event, record)).collect();
    json!({
        "@context": context(consent),
        "@id": urn(id),
        "@type": if consent { "dpv:ConsentRecord" } else { "vs:PermissionRecord" },
        "schema_version": if consent { CONSENT_SCHEMA } else { PERMISSION_SCHEMA },
        "record_id": uuid(id),
        "pii_principal_id": principal(record),
        "processing": processing(&record.processing),
        "permission": permission,
        "parties": parties(&record.processing),
        "events": events,
    })
}

/// The permission's key, or somebody whom this record alone names.
fn principal(record: &Record) -> String {
    record.header.principal.as_ref().map_or_else(|| format!("{}#principal", urn(&record.header.id)), Jkt::urn)
}

fn processing(of: &Processing) -> Value {
    let withdraw = if of.basis == Basis::Consent { "dpv:WithdrawConsent" } else { "vs:WithdrawPermission" };
    let asked: Vec<Value> = of
        .asked
        .iter()
        .map(|one| json!({"pii_type": "dpv:PersonalData", "pii_attribute_id": one.id, "how": one.how}))
        .collect();
    json!({
        "@type": "dpv:Process",
        "privacy_notice": of.facts.notice,
        "language": LANGUAGES,
        "purpose": {"@id": of.purpose, "@type": "dpv:Purpose", "version": of.purpose_version, "text": of.text},
        "lawful_basis": basis(of.basis),
        "service": of.service,
        "pii_information": asked,
        "pii_controllers": [of.facts.controller.id],
        "storage_locations": {"@type": "dpv:StorageLocation", "location": of.facts.storage},
        "retention_period": {"@type": "dpv:StorageDuration", "duration": format!("P{}D", of.retention_days)},
        "jurisdiction": of.facts.jurisdiction,
        "recipient_third_parties": recipients(of),
        "withdrawal_method": {"@type": withdraw, "at": of.withdraw_at},
        "privacy_rights": {"@type": "dpv:DataSubjectRight", "text": of.facts.rights},
    })
}

/// The controller, whom the register says besides, and the third party of a permission to share.
fn recipients(of: &Processing) -> Vec<Value> {
    let controller = json!({"@id": of.facts.controller.id, "@type": "dpv:Recipient"});
    let named = of.recipients.iter().map(|name| json!({"@type": "dpv:Recipient", "name": name}));
    let with =
        of.with.iter().map(|with| json!({"@id": with.id, "@type": "dpv:ThirdParty", "name": with.name}));
    [controller].into_iter().chain(named).chain(with).collect()
}

fn parties(of: &Processing) -> Vec<Value> {
    let Controller { id, name, address, contact, kind } = &of.facts.controller;
    let controller = json!({"@id": id, "party_id": id, "party_type": ["dpv:DataController", body(*kind)],
        "party_name": name, "party_address": address, "party_contact": contact});
    let with = of.with.iter().map(|with| {
        json!({"@id": with.id, "party_id": with.id, "party_type": ["dpv:ThirdParty", body(with.kind)],
            "name": with.name, "party_name": with.name.en, "party_address": with.address,
            "party_contact": with.contact})
    });
    [controller].into_iter().chain(with).collect()
}

fn written(event: &Event, record: &Record) -> Value {
    let consent = record.is_consent();
    let basis = if consent { "dpv:ExpressedConsent" } else { basis(record.processing.basis) };
    let (state, by_subject) = state(&event.what, consent);
    let entity = if by_subject { principal(record) } else { record.processing.facts.controller.id.clone() };
    let mut written = json!({"event_time": event.at.rfc3339(), "validity_duration": valid(event, record).to_string(),
        "entity_id": entity, "event_type": basis, "event_state": state});
    match &event.what {
        Happening::Withdrawn { route } => written["method"] = json!(route),
        Happening::Renewed { by, transaction, .. } => {
            written["renewed_by"] = json!(by.urn());
            written["transaction"] = json!(b64u(transaction));
        }
        _ => {}
    }
    written
}

/// Until when the state holds: what ended holds no longer than the day on which it ended.
fn valid(event: &Event, record: &Record) -> Date {
    match event.what {
        Happening::Given => record.header.until,
        Happening::Renewed { until, .. } => until,
        _ => event.at.london_date(),
    }
}

/// The term of a state, and whether it is the resident's doing.
fn state(what: &Happening, consent: bool) -> (&'static str, bool) {
    let (term, ours, by_subject) = match what {
        Happening::Given => ("dpv:ConsentGiven", "vs:PermissionGiven", true),
        Happening::Refused => ("dpv:ConsentRefused", "vs:PermissionRefused", true),
        Happening::Renewed { .. } => ("dpv:RenewedConsentGiven", "vs:RenewedPermissionGiven", true),
        Happening::Withdrawn { .. } => ("dpv:ConsentWithdrawn", "vs:PermissionWithdrawn", true),
        Happening::Expired => ("dpv:ConsentExpired", "vs:PermissionExpired", false),
        Happening::Invalidated => ("dpv:ConsentInvalidated", "vs:PermissionInvalidated", false),
    };
    (if consent { term } else { ours }, by_subject)
}

const BASES: [(Basis, &str); 4] = [
    (Basis::PublicTask, "dpv:PublicInterest"),
    (Basis::LegalObligation, "dpv:LegalObligation"),
    (Basis::Contract, "dpv:Contract"),
    (Basis::Consent, "dpv:Consent"),
];

fn basis(of: Basis) -> &'static str {
    BASES.iter().find(|(basis, _)| *basis == of).map_or("", |(_, term)| term)
}

const BODIES: [(BodyKind, &str); 4] = [
    (BodyKind::Governmental, "dpv:GovernmentalOrganisation"),
    (BodyKind::ForProfit, "dpv:ForProfitOrganisation"),
    (BodyKind::NonProfit, "dpv:NonProfitOrganisation"),
    (BodyKind::Academic, "dpv:AcademicScientificOrganisation"),
];

fn body(of: BodyKind) -> &'static str {
    BODIES.iter().find(|(kind, _)| *kind == of).map_or("", |(_, term)| term)
}

/// How the value of a member is read.
#[derive(Clone, Copy)]
enum Form {
    /// As it stands, or an object.
    Plain,
    /// A term or an address.
    Reference,
    /// Words by language.
    Words,
    /// A literal of that type.
    Typed(&'static str),
    /// In order.
    List,
}

/// What each member means, but for the two that consent alone may call by its name.
const TERMS: [(&str, &str, Form); 50] = [
    ("dpv", "https://w3id.org/dpv#", Form::Plain),
    ("dct", "http://purl.org/dc/terms/", Form::Plain),
    ("xsd", "http://www.w3.org/2001/XMLSchema#", Form::Plain),
    ("vs", "urn:vouchsafe:terms:1:", Form::Plain),
    ("schema_version", "dct:conformsTo", Form::Reference),
    ("record_id", "dct:identifier", Form::Plain),
    ("pii_principal_id", "dpv:hasDataSubject", Form::Reference),
    ("processing", "dpv:hasProcess", Form::Plain),
    ("privacy_notice", "dpv:hasNotice", Form::Reference),
    ("language", "dct:language", Form::Plain),
    ("purpose", "dpv:hasPurpose", Form::Plain),
    ("version", "dct:hasVersion", Form::Plain),
    ("text", "dct:description", Form::Words),
    ("lawful_basis", "dpv:hasLegalBasis", Form::Reference),
    ("service", "dpv:hasService", Form::Reference),
    ("pii_information", "dpv:hasPersonalData", Form::Plain),
    ("pii_type", "@type", Form::Plain),
    ("pii_attribute_id", "dct:identifier", Form::Plain),
    ("how", "vs:how", Form::Plain),
    ("pii_controllers", "dpv:hasDataController", Form::Reference),
    ("storage_locations", "dpv:hasStorageCondition", Form::Plain),
    ("location", "dpv:hasLocation", Form::Words),
    ("retention_period", "dpv:hasStorageCondition", Form::Plain),
    ("duration", "dpv:hasDuration", Form::Typed("xsd:duration")),
    ("jurisdiction", "dpv:hasJurisdiction", Form::Plain),
    ("recipient_third_parties", "dpv:hasRecipient", Form::Plain),
    ("name", "dpv:hasName", Form::Words),
    ("at", "dpv:isExercisedAt", Form::Reference),
    ("privacy_rights", "dpv:hasRight", Form::Plain),
    ("permission", "vs:hasPermission", Form::Plain),
    ("kind", "vs:kind", Form::Plain),
    ("transaction", "vs:transaction", Form::Plain),
    ("until", "vs:until", Form::Typed("xsd:date")),
    ("uses", "vs:uses", Form::Plain),
    ("policy", "vs:policy", Form::Plain),
    ("policy_id", "dct:identifier", Form::Plain),
    ("digest", "vs:digest", Form::Plain),
    ("parties", "dpv:hasEntity", Form::Plain),
    ("party_id", "dpv:hasIdentifier", Form::Plain),
    ("party_type", "@type", Form::Plain),
    ("party_name", "dpv:hasName", Form::Plain),
    ("party_address", "dpv:hasAddress", Form::Plain),
    ("party_contact", "dpv:hasContact", Form::Plain),
    ("events", "dct:hasPart", Form::List),
    ("event_time", "dct:date", Form::Typed("xsd:dateTime")),
    ("validity_duration", "dct:valid", Form::Typed("xsd:date")),
    ("entity_id", "dpv:isImplementedByEntity", Form::Reference),
    ("event_type", "dpv:hasLegalBasis", Form::Reference),
    ("method", "dpv:hasIndicationMethod", Form::Plain),
    ("renewed_by", "vs:renewedBy", Form::Reference),
];

/// What each member means to a reader of JSON-LD.
fn context(consent: bool) -> Value {
    let own = if consent {
        ["dpv:hasConsentControl", "dpv:hasConsentStatus"]
    } else {
        ["vs:hasWithdrawal", "dpv:hasStatus"]
    };
    let more = [("withdrawal_method", own[0], Form::Plain), ("event_state", own[1], Form::Reference)];
    let meant = |(name, term, form): &(&str, &str, Form)| ((*name).to_owned(), meaning(term, *form));
    Value::Object(TERMS.iter().chain(&more).map(meant).collect())
}

fn meaning(term: &str, form: Form) -> Value {
    match form {
        Form::Plain => json!(term),
        Form::Reference => json!({"@id": term, "@type": "@id"}),
        Form::Words => json!({"@id": term, "@container": "@language"}),
        Form::Typed(of) => json!({"@id": term, "@type": of}),
        Form::List => json!({"@id": term, "@container": "@list"}),
    }
}

// --- read -----------------------------------------------------------------------------------------------------------

/// The facts and events of a record. Whether everything else in it follows from them is for the caller to see.
pub(super) fn read(value: &Value) -> Option<(Header, Processing, Vec<Event>)> {
    let permission = value.get("permission")?;
    let header = Header {
        id: uuid_from(text(value, "record_id")?)?,
        principal: Jkt::from_urn(text(value, "pii_principal_id")?),
        kind: member(permission, "kind")?,
        transaction: b64u_array(text(permission, "transaction")?).ok()?,
        until: date(permission, "until")?,
        uses: match permission.get("uses") {
            None => None,
            Some(uses) => Some(json::of_value(uses.clone()).ok()?),
        },
    };
    let policy = permission.get("policy")?;
    let policy = PolicyRef {
        id: text(policy, "policy_id")?.to_owned(),
        version: member(policy, "version")?,
        digest: text(policy, "digest")?.to_owned(),
    };
    let parties = value.get("parties")?.as_array()?;
    let processing = read_processing(value.get("processing")?, parties, policy)?;
    let events = value.get("events")?.as_array()?.iter().map(read_event).collect::<Option<_>>()?;
    Some((header, processing, events))
}

fn read_processing(of: &Value, parties: &[Value], policy: PolicyRef) -> Option<Processing> {
    let purpose = of.get("purpose")?;
    let term = text(of, "lawful_basis")?;
    let days = text(of.get("retention_period")?, "duration")?;
    let recipients = of.get("recipient_third_parties")?.as_array()?.iter();
    let named = recipients.filter(|one| one.get("@id").is_none()).map(|one| member(one, "name"));
    Some(Processing {
        service: text(of, "service")?.to_owned(),
        policy,
        purpose: text(purpose, "@id")?.to_owned(),
        purpose_version: member(purpose, "version")?,
        text: member(purpose, "text")?,
        basis: BASES.iter().find(|(_, known)| *known == term)?.0,
        asked: of.get("pii_information")?.as_array()?.iter().map(read_attribute).collect::<Option<_>>()?,
        facts: RecordFacts {
            controller: read_controller(parties.first()?)?,
            notice: text(of, "privacy_notice")?.to_owned(),
            storage: member(of.get("storage_locations")?, "location")?,
            jurisdiction: text(of, "jurisdiction")?.to_owned(),
            rights: member(of.get("privacy_rights")?, "text")?,
        },
        retention_days: days.strip_prefix('P')?.strip_suffix('D')?.parse().ok()?,
        recipients: named.collect::<Option<Vec<Bilingual>>>()?,
        with: match parties.get(1) {
            None => None,
            Some(party) => Some(read_third_party(party)?),
        },
        withdraw_at: text(of.get("withdrawal_method")?, "at")?.to_owned(),
    })
}

fn read_attribute(value: &Value) -> Option<Attribute> {
    let how = text(value, "how")?;
    let how = ["proved", "shown", "pseudonym"].into_iter().find(|known| *known == how)?;
    Some(Attribute { id: text(value, "pii_attribute_id")?.to_owned(), how })
}

fn read_controller(party: &Value) -> Option<Controller> {
    Some(Controller {
        id: text(party, "party_id")?.to_owned(),
        name: text(party, "party_name")?.to_owned(),
        address: text(party, "party_address")?.to_owned(),
        contact: text(party, "party_contact")?.to_owned(),
        kind: read_body(party)?,
    })
}

fn read_third_party(party: &Value) -> Option<ThirdParty> {
    let Controller { id, address, contact, kind, .. } = read_controller(party)?;
    Some(ThirdParty { id, name: member(party, "name")?, address, contact, kind })
}

fn read_body(party: &Value) -> Option<BodyKind> {
    let term = party.get("party_type")?.get(1)?.as_str()?;
    BODIES.iter().find(|(_, known)| *known == term).map(|(kind, _)| *kind)
}

fn read_event(value: &Value) -> Option<Event> {
    let at: jiff::Timestamp = text(value, "event_time")?.parse().ok()?;
    let (_, state) = text(value, "event_state")?.split_once(':')?;
    let what = match state {
        "ConsentGiven" | "PermissionGiven" => Happening::Given,
        "ConsentRefused" | "PermissionRefused" => Happening::Refused,
        "RenewedConsentGiven" | "RenewedPermissionGiven" => Happening::Renewed {
            by: Jkt::from_urn(text(value, "renewed_by")?)?,
            transaction: b64u_array(text(value, "transaction")?).ok()?,
            until: date(value, "validity_duration")?,
        },
        "ConsentWithdrawn" | "PermissionWithdrawn" => {
            Happening::Withdrawn { route: member::<Route>(value, "method")? }
        }
        "ConsentExpired" | "PermissionExpired" => Happening::Expired,
        "ConsentInvalidated" | "PermissionInvalidated" => Happening::Invalidated,
        _ => return None,
    };
    Some(Event { at: UnixTime(at.as_second()), what })
}

fn text<'v>(of: &'v Value, name: &str) -> Option<&'v str> {
    of.get(name).and_then(Value::as_str)
}

fn member<T: DeserializeOwned>(of: &Value, name: &str) -> Option<T> {
    json::of_value(of.get(name)?.clone()).ok()
}

fn date(of: &Value, name: &str) -> Option<Date> {
    vouchsafe_proofs::encoding::date_from(text(of, name)?).ok()
}
