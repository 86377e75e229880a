//! A town in which answers join several credentials: two payers, a council, and policies with ways.

use vouchsafe_protocol::types::CredentialType;
use vouchsafe_service::config::json_of_toml;

pub(crate) const PAY: &str = "https://larkfield.example/types/pay/1/zk";
pub(crate) const HOME: &str = "https://larkfield.example/types/home/1/zk";
pub(crate) const ONE: &str = "https://one.example";
pub(crate) const TWO: &str = "https://two.example";
pub(crate) const COUNCIL: &str = "https://council.example";

/// The registrar's sources, with `{anchor}` where an anchor stands.
pub(crate) const REGISTER: &str = include_str!("town/register.toml");

pub(crate) const TYPES: [(&str, &str); 2] =
    [("pay", include_str!("town/types/pay.toml")), ("home", include_str!("town/types/home.toml"))];

pub(crate) const POLICIES: [(&str, &str); 6] = [
    ("payers", include_str!("town/policies/payers.toml")),
    ("household", include_str!("town/policies/household.toml")),
    ("hours", include_str!("town/policies/hours.toml")),
    ("zones", include_str!("town/policies/zones.toml")),
    ("alone", include_str!("town/policies/alone.toml")),
    ("shown", include_str!("town/policies/shown.toml")),
];

/// A table of test cases that every policy of the town passes.
pub(crate) fn cases(policy: &str) -> &'static str {
    match policy {
        "alone" => include_str!("town/one.cases.toml"),
        _ => include_str!("town/none.cases.toml"),
    }
}

/// What the types of the town declare.
pub(crate) fn types() -> Vec<CredentialType> {
    TYPES.iter().map(|(_, text)| CredentialType::from_json(&json_of_toml(text).unwrap()).unwrap()).collect()
}
