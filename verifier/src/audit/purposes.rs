//! The register's purposes, for a record of processing: as CSV for a table, as JSON-LD in the terms of the Data Privacy
//! Vocabulary.

use serde_json::{Value, json};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::trust::{Basis, Purpose, Register};

/// The columns, in their order.
const COLUMNS: [&str; 13] = [
    "id",
    "version",
    "text_en",
    "text_cy",
    "basis",
    "retention_days",
    "recipients_en",
    "recipients_cy",
    "attributes",
    "services",
    "other_route_en",
    "other_route_cy",
    "reg_version",
];

/// One line of CSV (RFC 4180). A cell that a program for tables would read as a formula is put behind an apostrophe.
pub(super) fn csv_line<'a>(cells: impl IntoIterator<Item = impl AsRef<str> + 'a>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| csv_cell(cell.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

fn csv_cell(text: &str) -> String {
    // White space in front is passed over by some.
    let formula = text.trim_start().starts_with(['=', '+', '-', '@']) || text.starts_with(['\t', '\r', '\n']);
    let safe = if formula && !mutants::skips("audit-formula") { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\r', '\n']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

/// The purposes as CSV.
#[must_use]
pub fn csv(register: &Register) -> String {
    let mut text = csv_line(COLUMNS);
    for purpose in register.purposes().map(|entry| entry.document()) {
        text += &csv_line(row(register, purpose));
    }
    text
}

fn row(register: &Register, purpose: &Purpose) -> [String; 13] {
    let recipients = |word: fn(&Bilingual) -> &String| {
        purpose.recipients.iter().map(|one| word(one).as_str()).collect::<Vec<_>>().join("; ")
    };
    [
        purpose.sub.clone(),
        purpose.version.to_string(),
        purpose.text.en.clone(),
        purpose.text.cy.clone(),
        basis(purpose.basis).0.to_owned(),
        purpose.retention_days.to_string(),
        recipients(|one| &one.en),
        recipients(|one| &one.cy),
        attributes(purpose).join("; "),
        services(register, purpose).join("; "),
        purpose.other_route.en.clone(),
        purpose.other_route.cy.clone(),
        purpose.reg_version.to_string(),
    ]
}

/// Our word, and the term.
fn basis(basis: Basis) -> (&'static str, &'static str) {
    match basis {
        Basis::PublicTask => ("public_task", "dpv:PublicInterest"),
        Basis::LegalObligation => ("legal_obligation", "dpv:LegalObligation"),
        Basis::Contract => ("contract", "dpv:Contract"),
        Basis::Consent => ("consent", "dpv:Consent"),
    }
}

/// What may be asked: type and claim, each once.
fn attributes(purpose: &Purpose) -> Vec<String> {
    let mut all: Vec<String> =
        purpose.may_ask.iter().map(|ask| format!("{}#{}", ask.vct, ask.pointer)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Who may ask for it.
fn services<'r>(register: &'r Register, purpose: &Purpose) -> Vec<&'r str> {
    let asks = register.services().map(|entry| entry.document());
    asks.filter(|service| service.purposes.contains(&purpose.sub))
        .map(|service| service.sub.as_str())
        .collect()
}

/// The purposes as JSON-LD, its context inlined.
#[must_use]
pub fn jsonld(register: &Register) -> Value {
    let all: Vec<Value> = register.purposes().map(|entry| linked(register, entry.document())).collect();
    json!({"@context": context(), "purposes": all})
}

fn linked(register: &Register, purpose: &Purpose) -> Value {
    let services: Vec<Value> =
        services(register, purpose).into_iter().map(|id| json!({"id": id, "type": "dpv:Service"})).collect();
    let recipients: Vec<Value> =
        purpose.recipients.iter().map(|name| json!({"type": "dpv:Recipient", "name": name})).collect();
    let data: Vec<Value> = attributes(purpose)
        .into_iter()
        .map(|id| json!({"type": "dpv:PersonalData", "identifier": id}))
        .collect();
    json!({
        "id": address(&purpose.sub),
        "type": "dpv:Purpose",
        "identifier": purpose.sub,
        "version": purpose.version.to_string(),
        "text": purpose.text,
        "lawful_basis": basis(purpose.basis).1,
        "storage": {"type": "dpv:StorageCondition", "duration": format!("P{}D", purpose.retention_days)},
        "recipients": recipients,
        "personal_data": data,
        "services": services,
        "other_route": purpose.other_route,
    })
}

/// The purpose's id where it is an address; else one made of it.
fn address(id: &str) -> String {
    if id.starts_with("https://") || id.starts_with("urn:") {
        return id.to_owned();
    }
    let encoded: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("urn:vouchsafe:purpose:{encoded}")
}

fn context() -> Value {
    let words = |term: &str| json!({"@id": term, "@container": "@language"});
    let reference = |term: &str| json!({"@id": term, "@type": "@id"});
    json!({
        "dpv": "https://w3id.org/dpv#",
        "dct": "http://purl.org/dc/terms/",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "vs": "urn:vouchsafe:terms:1:",
        "id": "@id",
        "type": "@type",
        "purposes": {"@id": "dpv:hasPurpose", "@container": "@set"},
        "identifier": "dct:identifier",
        "version": "dct:hasVersion",
        "text": words("dct:description"),
        "lawful_basis": reference("dpv:hasLegalBasis"),
        "storage": "dpv:hasStorageCondition",
        "duration": {"@id": "dpv:hasDuration", "@type": "xsd:duration"},
        "recipients": {"@id": "dpv:hasRecipient", "@container": "@set"},
        "name": words("dpv:hasName"),
        "personal_data": {"@id": "dpv:hasPersonalData", "@container": "@set"},
        "services": {"@id": "dpv:hasService", "@container": "@set"},
        "other_route": words("vs:otherRoute"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formulas() -> String {
        csv_line(["=1+1", "+44", "-5", "@a", "\t=1", " =1", "plain", "a,b", "say \"x\"", "-a,b"])
    }

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(formulas(), "'=1+1,'+44,'-5,'@a,'\t=1,' =1,plain,\"a,b\",\"say \"\"x\"\"\",\"'-a,b\"\r\n");
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_switch_that_is_noticed() {
        assert!(mutants::without("audit-formula", formulas).starts_with("=1+1,"));
    }
}
