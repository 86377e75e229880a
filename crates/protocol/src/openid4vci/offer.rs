//! Credential offers (section 4.1): by value or by reference, as a link or a QR code.
//!
//! Security: an offer is untrusted input from a letter or a page. It names an issuer; whether that issuer counts
//! is said by the registrar's entry in its metadata. The code is a secret and is not shown.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::{PRE_AUTHORIZED_GRANT, is_identifier};
use crate::form::Form;
use crate::json;

/// The most bytes of an offer or of its link.
pub const MAX_OFFER: usize = 16 * 1024;

/// The scheme of the links that we write.
pub const SCHEME: &str = "openid-credential-offer";

/// An offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The issuer identifier.
    pub credential_issuer: String,
    /// What is offered.
    pub credential_configuration_ids: Vec<String>,
    /// How it is collected.
    pub grants: Grants,
}

/// The grants of an offer; others than the pre-authorised code are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// The pre-authorised code.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:pre-authorized_code")]
    pub pre_authorized: PreAuthorized,
}

/// A pre-authorised code and whether a second code goes with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreAuthorized {
    /// The code.
    #[serde(rename = "pre-authorized_code")]
    pub code: String,
    /// Present, even if empty: a transaction code is needed, which came another way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_code: Option<TxCode>,
    /// Which of the issuer's authorisation servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_server: Option<String>,
}

impl std::fmt::Debug for PreAuthorized {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreAuthorized").field("tx_code", &self.tx_code).finish_non_exhaustive()
    }
}

/// What the transaction code looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxCode {
    /// Digits or any text; digits where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_mode: Option<InputMode>,
    /// Its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// How the resident got it; at most 300 characters, a quotation from the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a transaction code is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputMode {
    /// Digits.
    Numeric,
    /// Any text.
    Text,
}

/// Where an offer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferLink {
    /// In the link.
    Value(Box<Offer>),
    /// At an https address, to be fetched with GET.
    Reference(String),
}

/// Why an offer is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OfferError {
    /// No link, or too long.
    #[error("this is not the link of a credential offer; copy the whole link or scan the code again")]
    Link,
    /// Not exactly one of the two members.
    #[error("the link must have either credential_offer or credential_offer_uri")]
    One,
    /// The reference is not https.
    #[error("the offer is at an address that is not https")]
    Reference,
    /// A member is missing or of another type.
    #[error("the offer is malformed")]
    Malformed,
    /// The issuer identifier is not one.
    #[error("the offer names no proper issuer")]
    Issuer,
    /// Nothing is offered, or something twice.
    #[error("the offer must name each configuration once, and at least one")]
    Configurations,
    /// No pre-authorised code.
    #[error("the offer has no pre-authorised code; other ways to collect are not supported")]
    Grant,
    /// A form of a draft.
    #[error("the offer is of an older draft ({0}); only OpenID4VCI 1.0 is supported")]
    OlderDraft(&'static str),
}

impl Offer {
    /// Reads an offer that was fetched or came in a link.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn parse(text: &[u8]) -> Result<Self, OfferError> {
        let value = json::parse(text, MAX_OFFER).map_err(|_| OfferError::Malformed)?;
        older_draft(&value)?;
        if value.pointer("/grants").and_then(|grants| grants.get(PRE_AUTHORIZED_GRANT)).is_none() {
            return Err(OfferError::Grant);
        }
        let offer: Self = json::of_value(value).map_err(|_| OfferError::Malformed)?;
        offer.check()?;
        Ok(offer)
    }

    fn check(&self) -> Result<(), OfferError> {
        if !(mutants::skips("vci-offer-issuer") || is_identifier(&self.credential_issuer)) {
            return Err(OfferError::Issuer);
        }
        let ids: std::collections::BTreeSet<_> = self.credential_configuration_ids.iter().collect();
        let proper = !ids.is_empty() && ids.len() == self.credential_configuration_ids.len();
        if !(mutants::skips("vci-offer-configurations") || proper) {
            return Err(OfferError::Configurations);
        }
        let description = self.grants.pre_authorized.tx_code.as_ref().and_then(|tx| tx.description.as_ref());
        if !(mutants::skips("vci-offer-description") || description.is_none_or(|d| d.chars().count() <= 300))
        {
            return Err(OfferError::Malformed);
        }
        if self.grants.pre_authorized.code.is_empty() {
            return Err(OfferError::Grant);
        }
        Ok(())
    }

    /// The link that carries the offer itself.
    #[must_use]
    pub fn link(&self) -> String {
        let text = serde_json::to_string(self).expect("an offer is strings and integers");
        format!("{SCHEME}://?{}", crate::form::write(&[("credential_offer", &text)]))
    }

    /// The link to an offer at `uri`.
    #[must_use]
    pub fn link_to(uri: &str) -> String {
        format!("{SCHEME}://?{}", crate::form::write(&[("credential_offer_uri", uri)]))
    }
}

impl OfferLink {
    /// Reads a link of the scheme `openid-credential-offer`, `haip-vci` or https.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn parse(link: &str) -> Result<Self, OfferError> {
        let (scheme, _) = link.split_once(':').ok_or(OfferError::Link)?;
        let known = [SCHEME, "haip-vci", "https"].contains(&scheme);
        let query = link.split_once('?').map(|(_, query)| query).filter(|_| known && link.len() <= MAX_OFFER);
        let form = Form::parse(query.ok_or(OfferError::Link)?.as_bytes(), MAX_OFFER)
            .map_err(|_| OfferError::Link)?;
        match (form.member("credential_offer"), form.member("credential_offer_uri")) {
            (Some(offer), second) if second.is_none() || mutants::skips("vci-offer-one") => {
                Ok(Self::Value(Box::new(Offer::parse(offer.as_bytes())?)))
            }
            (None, Some(uri)) if uri.starts_with("https://") || mutants::skips("vci-offer-reference") => {
                Ok(Self::Reference(uri.to_owned()))
            }
            (None, Some(_)) => Err(OfferError::Reference),
            _ => Err(OfferError::One),
        }
    }
}

/// Members that went before 1.0.
fn older_draft(value: &json::Value) -> Result<(), OfferError> {
    let grant = value.pointer("/grants").and_then(|grants| grants.get(PRE_AUTHORIZED_GRANT));
    if value.get("credentials").is_some() {
        return Err(OfferError::OlderDraft("credentials"));
    }
    if grant.is_some_and(|grant| grant.get("user_pin_required").is_some()) {
        return Err(OfferError::OlderDraft("user_pin_required"));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn offer() -> Value {
        json!({"credential_issuer": "https://issuer.example", "credential_configuration_ids": ["residency-zk"],
            "grants": {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c0de", "tx_code": {"input_mode": "numeric", "length": 6}}}})
    }

    fn read(value: &Value) -> Result<Offer, OfferError> {
        Offer::parse(value.to_string().as_bytes())
    }

    #[test]
    fn offers_of_the_standard_are_read() {
        let pre_authorized = include_str!(
            "../../../../specs/vectors/openid4vci-1.0/examples/credential_offer_pre-authz_code.json"
        );
        assert!(Offer::parse(pre_authorized.as_bytes()).unwrap().grants.pre_authorized.tx_code.is_some());
        let multiple = include_str!(
            "../../../../specs/vectors/openid4vci-1.0/examples/credential_offer_multiple_credentials.json"
        );
        let offer = Offer::parse(multiple.as_bytes()).unwrap();
        let tx = offer.grants.pre_authorized.tx_code.unwrap();
        assert_eq!((tx.length, tx.input_mode), (Some(4), Some(InputMode::Numeric)));
        let reference = include_str!(
            "../../../../specs/vectors/openid4vci-1.0/examples/credential_offer_by_reference.json"
        );
        assert_eq!(
            Offer::parse(reference.as_bytes()).unwrap().grants.pre_authorized.tx_code,
            Some(TxCode::default())
        );
        let code =
            include_str!("../../../../specs/vectors/openid4vci-1.0/examples/credential_offer_authz_code.txt");
        let (_, body) = code.split_once("\n\n").unwrap();
        assert_eq!(Offer::parse(body.as_bytes()), Err(OfferError::Grant));
    }

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let offer = read(&offer()).unwrap();
        assert_eq!(OfferLink::parse(&offer.link()), Ok(OfferLink::Value(Box::new(offer))));
        let link = Offer::link_to("https://issuer.example/offers/x?y=1&z");
        assert_eq!(
            OfferLink::parse(&link),
            Ok(OfferLink::Reference("https://issuer.example/offers/x?y=1&z".into()))
        );
    }

    #[test]
    fn links_that_are_refused() {
        let both = format!("{}&credential_offer_uri=https%3A%2F%2Fa", read(&offer()).unwrap().link());
        assert_eq!(OfferLink::parse(&both), Err(OfferError::One));
        assert_eq!(OfferLink::parse("openid-credential-offer://?x=1"), Err(OfferError::One));
        assert_eq!(OfferLink::parse(&Offer::link_to("http://issuer.example/o")), Err(OfferError::Reference));
        for link in ["", "residency", "openid4vp://?credential_offer=x", "openid-credential-offer://"] {
            assert_eq!(OfferLink::parse(link), Err(OfferError::Link), "{link}");
        }
    }

    #[test]
    fn offers_that_are_refused() {
        let with = |path: &str, value: Value| {
            let mut spoiled = offer();
            *spoiled.pointer_mut(path).unwrap() = value;
            read(&spoiled).unwrap_err()
        };
        assert_eq!(with("/credential_issuer", json!("http://issuer.example")), OfferError::Issuer);
        assert_eq!(with("/credential_configuration_ids", json!([])), OfferError::Configurations);
        assert_eq!(with("/credential_configuration_ids", json!(["a", "a"])), OfferError::Configurations);
        assert_eq!(with("/grants", json!({"authorization_code": {}})), OfferError::Grant);
        let tx = json!({"pre-authorized_code": "c", "tx_code": {"description": "x".repeat(301)}});
        assert_eq!(with("/grants", json!({PRE_AUTHORIZED_GRANT: tx})), OfferError::Malformed);
        let pin = json!({"pre-authorized_code": "c", "user_pin_required": true});
        assert_eq!(
            with("/grants", json!({PRE_AUTHORIZED_GRANT: pin})),
            OfferError::OlderDraft("user_pin_required")
        );
    }

    #[test]
    fn the_code_is_not_shown() {
        assert!(!format!("{:?}", read(&offer()).unwrap()).contains("c0de"));
    }
}
