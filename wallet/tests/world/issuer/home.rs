//! What bodies say of people who live together and are paid: texts and numbers that are only proved, changed from one
//! person to the next.

use serde_json::json;
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_protocol::zkc;

use super::super::old_resident;
use super::{COPIES, Issuer, Office, Paid, Spoil, both};

/// Who lives together.
pub(crate) const HOME_VCT: &str = "https://larkfield.example/types/home/1";

/// What is hidden in a body's copies, by pointer.
pub(crate) type Hidden = Vec<(&'static str, zkc::Value)>;

impl Paid {
    pub(super) fn hidden(self) -> Hidden {
        vec![
            ("/total", zkc::Value::Integer(self.total)),
            ("/person", zkc::Value::Text(self.person.to_owned())),
        ]
    }
}

/// What a body says of somebody's household.
pub(crate) fn home(person: &'static str, household: &'static str) -> Hidden {
    vec![
        ("/person", zkc::Value::Text(person.to_owned())),
        ("/household", zkc::Value::Text(household.to_owned())),
        ("/adults", zkc::Value::Integer(2)),
    ]
}

impl Issuer {
    /// A body that states who lives together.
    pub(crate) fn register_of_homes(office: &Office<'_>, iss: &str) -> Self {
        Self::of(office, iss, described_home(), old_resident(), Spoil::None)
    }

    /// From now on the copies hide this.
    pub(crate) fn say(&self, hidden: Hidden) {
        *self.says.lock().unwrap() = Some(hidden);
    }

    /// From now on it pays this.
    pub(crate) fn pay(&self, person: &'static str, total: u64) {
        self.say(Paid { person, total }.hidden());
    }

    /// From now on the facts are of this day.
    pub(crate) fn date_facts(&self, day: &'static str) {
        *self.facts.lock().unwrap() = day;
    }
}

/// Who lives together.
pub(crate) fn described_home() -> CredentialType {
    let text = |pointer: &str, label: &str, unit: &str, pattern: &str| {
        json!({"pointer": pointer, "column": label, "label": both(label), "kind": "text", "answer": ["prove"],
            "unit": unit, "pattern": pattern})
    };
    CredentialType::from_json(&json!({
        "id": "home", "vct": HOME_VCT, "name": both("Household"), "ttl_days": 90, "batch": COPIES,
        "attributes": [
            text("/person", "person number", "https://larkfield.example/ids/person", "AA-9999"),
            text("/household", "household number", "https://larkfield.example/ids/household", "A9999"),
            {"pointer": "/adults", "column": "adults", "label": both("adults"), "kind": "number", "unit": "adults",
             "answer": ["prove"], "lo": "1", "hi": "20"},
        ]
    }))
    .unwrap()
}
