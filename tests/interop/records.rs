//! Records of permissions before a JSON-LD processor and a validator of JSON Schema that are not ours: they know nothing of
//! our names, and what they find are terms of the Data Privacy Vocabulary.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::peer;

const DPV: &str = "https://w3id.org/dpv#";
const DCT: &str = "http://purl.org/dc/terms/";
const OURS: &str = "urn:vouchsafe:terms:1:";

/// What ISO/IEC TS 27560:2023 makes mandatory: the term that the guide of the vocabulary has for it, by the way to it from
/// the record, and where it stands in the record.
const MANDATORY: [(&[&str], &str); 27] = [
    (&["dct:conformsTo"], "/schema_version"),
    (&["dct:identifier"], "/record_id"),
    (&["dpv:hasDataSubject"], "/pii_principal_id"),
    (&["dpv:hasProcess", "dpv:hasNotice"], "/processing/privacy_notice"),
    (&["dpv:hasProcess", "dct:language"], "/processing/language"),
    (&["dpv:hasProcess", "dpv:hasPurpose"], "/processing/purpose"),
    (&["dpv:hasProcess", "dpv:hasPersonalData"], "/processing/pii_information"),
    (&["dpv:hasProcess", "dpv:hasPersonalData", "@type"], "/processing/pii_information/0/pii_type"),
    (&["dpv:hasProcess", "dpv:hasDataController"], "/processing/pii_controllers"),
    (&["dpv:hasProcess", "dpv:hasStorageCondition"], "/processing/storage_locations"),
    (
        &["dpv:hasProcess", "dpv:hasStorageCondition", "dpv:hasLocation"],
        "/processing/storage_locations/location",
    ),
    (&["dpv:hasProcess", "dpv:hasStorageCondition"], "/processing/retention_period"),
    (
        &["dpv:hasProcess", "dpv:hasStorageCondition", "dpv:hasDuration"],
        "/processing/retention_period/duration",
    ),
    (&["dpv:hasProcess", "dpv:hasJurisdiction"], "/processing/jurisdiction"),
    (&["dpv:hasProcess", "dpv:hasRecipient"], "/processing/recipient_third_parties"),
    (&["dpv:hasProcess", "dpv:hasLegalBasis"], "/processing/lawful_basis"),
    (&["dpv:hasProcess", "dpv:hasConsentControl"], "/processing/withdrawal_method"),
    (&["dpv:hasProcess", "dpv:hasConsentControl", "dpv:isExercisedAt"], "/processing/withdrawal_method/at"),
    (&["dpv:hasEntity", "dpv:hasIdentifier"], "/parties/0/party_id"),
    (&["dpv:hasEntity", "dpv:hasAddress"], "/parties/0/party_address"),
    (&["dpv:hasEntity", "dpv:hasName"], "/parties/0/party_name"),
    (&["dpv:hasEntity", "dpv:hasContact"], "/parties/0/party_contact"),
    (&["dct:hasPart", "@list", "dct:date"], "/events/0/event_time"),
    (&["dct:hasPart", "@list", "dct:valid"], "/events/0/validity_duration"),
    (&["dct:hasPart", "@list", "dpv:isImplementedByEntity"], "/events/0/entity_id"),
    (&["dct:hasPart", "@list", "dpv:hasLegalBasis"], "/events/0/event_type"),
    (&["dct:hasPart", "@list", "dpv:hasConsentStatus"], "/events/0/event_state"),
];

fn text(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs").join(path);
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

/// What the two found in each record.
fn read(records: Value) -> Value {
    let schema = text("schemas/permission-record-1.json");
    peer::run("record.py", &json!({"schema": schema, "records": records}), None)
}

fn published() -> Map<String, Value> {
    text("vectors/vouchsafe-1/records.json").as_object().cloned().expect("an object")
}

fn iri(term: &str) -> String {
    term.replacen("dpv:", DPV, 1).replacen("dct:", DCT, 1)
}

/// All that stands at the end of a way of terms, whichever of several nodes it is in.
fn at<'v>(expanded: &'v Value, way: &[&str]) -> Vec<&'v Value> {
    let nodes = |value: &'v Value| value.as_array().map_or_else(|| vec![value], |all| all.iter().collect());
    way.iter().fold(nodes(expanded), |found, term| {
        found.into_iter().filter_map(|node| node.get(iri(term))).flat_map(nodes).collect()
    })
}

fn ids(expanded: &Value, way: &[&str]) -> Vec<String> {
    at(expanded, way).into_iter().filter_map(|node| node["@id"].as_str()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_of_the_schema_and_expand_to_the_terms_of_the_vocabulary() {
    let found = read(published().into());
    for (name, read) in found.as_object().expect("an object") {
        assert_eq!(read["faults"], json!([]), "{name}");
        let consent = name.starts_with("consent");
        let expanded = &read["expanded"];
        let kind = if consent { format!("{DPV}ConsentRecord") } else { format!("{OURS}PermissionRecord") };
        assert_eq!(at(expanded, &["@type"]), [&json!(kind)], "{name}");
        for (way, member) in MANDATORY {
            // Where the basis is another, the state and the way to withdraw are not those of consent.
            let of_consent = way.iter().any(|term| term.contains("Consent"));
            assert_eq!(at(expanded, way).is_empty(), of_consent && !consent, "{name} {member}");
        }
        assert_eq!(expanded.to_string().contains("onsent"), consent, "{name}");
    }
    let states = |name: &str, term| ids(&found[name]["expanded"], &["dct:hasPart", "@list", term]);
    assert_eq!(
        states("consent_ended", "dpv:hasConsentStatus"),
        ["ConsentGiven", "ConsentWithdrawn", "RenewedConsentGiven", "ConsentExpired"]
            .map(|s| format!("{DPV}{s}"))
    );
    assert_eq!(states("consent_refused", "dpv:hasConsentStatus"), [format!("{DPV}ConsentRefused")]);
    assert_eq!(states("consent_invalidated", "dpv:hasConsentStatus").len(), 2);
    assert_eq!(
        states("permission_withdrawn", "dpv:hasStatus"),
        ["PermissionGiven", "PermissionWithdrawn"].map(|s| format!("{OURS}{s}"))
    );
    let basis = |name: &str| ids(&found[name]["expanded"], &["dpv:hasProcess", "dpv:hasLegalBasis"]);
    assert_eq!(basis("consent"), [format!("{DPV}Consent")]);
    assert_eq!(basis("permission"), [format!("{DPV}PublicInterest")]);
}

/// A record that lacks one member of the specification is of no schema, whoever reads it.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_what_is_mandatory_is_of_no_schema() {
    let whole = published().remove("consent").expect("a record");
    let without = |member: &str| {
        let (parent, name) = member.rsplit_once('/').expect("a pointer");
        let mut record = whole.clone();
        let parent = record.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        assert!(parent.remove(name).is_some(), "{member}");
        (member.to_owned(), record)
    };
    let found = read(MANDATORY.iter().map(|(_, member)| without(member)).collect());
    for (member, read) in found.as_object().expect("an object") {
        assert_ne!(read["faults"], json!([]), "{member}");
    }
}
