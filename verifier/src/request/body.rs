//! The body of `POST /v1/requests`: closed, and a fault names its member.

use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::json;
use vouchsafe_protocol::permission::{Payment, PaymentError};

use crate::store::{Flow, PermissionId};

/// The most bytes of a body.
const MAX_BODY: usize = 16 * 1024;
/// The longest reference, in bytes.
const MAX_REFERENCE: usize = 256;
/// The longest id of a permission, in bytes.
const MAX_ID: usize = 64;
/// The longest expected value, in bytes.
const MAX_EXPECT: usize = 1024;

/// What a service asks for. Not printed: there may be a payment in it.
#[derive(Clone)]
pub struct Ask {
    /// The policy's id.
    pub policy: String,
    /// Same device or across devices.
    pub flow: Flow,
    /// The service's own reference; stored as a salted hash alone.
    pub reference: Option<String>,
    /// What the disclosed claim must be; kept sealed.
    pub expect: Option<String>,
    /// The payment that is to be authorised.
    pub authorise: Option<Payment>,
    /// The standing permission under which the same is asked again.
    pub permission: Option<PermissionId>,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not a JSON object, or a member twice.
    #[error("the body must be one JSON object with each member once")]
    NotAnObject,
    /// A member that this call does not take.
    #[error("this call takes policy, flow, reference, expect, authorise and permission, and nothing else")]
    Unknown,
    /// The payment has a value that no payment has.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// A member is missing or not of its form; its JSON pointer.
    #[error("a member is missing or not of its form: {0}")]
    Member(&'static str),
}

impl Ask {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn parse(body: &[u8]) -> Result<Self, BodyError> {
        let members = json::object(body, MAX_BODY).map_err(|_| BodyError::NotAnObject)?;
        let policy = text(&members, "policy").ok_or(BodyError::Member("/policy"))?;
        let flow =
            text(&members, "flow").and_then(|word| Flow::parse(&word)).ok_or(BodyError::Member("/flow"))?;
        let reference = optional(&members, "reference", |value| {
            value.as_str().filter(|text| (1..=MAX_REFERENCE).contains(&text.len())).map(str::to_owned)
        });
        let expect = optional(&members, "expect", |value| {
            value.as_str().filter(|text| (1..=MAX_EXPECT).contains(&text.len())).map(str::to_owned)
        });
        let authorise = members.get("authorise").map(payment).transpose()?;
        let permission = optional(&members, "permission", |value| {
            value.as_str().filter(|id| (1..=MAX_ID).contains(&id.len())).map(|id| PermissionId(id.to_owned()))
        });
        let ask = Self {
            policy,
            flow,
            reference: reference.ok_or(BodyError::Member("/reference"))?,
            expect: expect.ok_or(BodyError::Member("/expect"))?,
            authorise,
            permission: permission.ok_or(BodyError::Member("/permission"))?,
        };
        // Last, so that a misspelt member is told by the one that it leaves missing.
        let known = ["policy", "flow", "reference", "expect", "authorise", "permission"];
        if members.keys().any(|member| !known.contains(&member.as_str())) {
            return Err(BodyError::Unknown);
        }
        Ok(ask)
    }
}

/// The three values of a payment: each there once, and nothing else.
fn payment(sent: &Value) -> Result<Payment, BodyError> {
    let members = sent.as_object().ok_or(BodyError::Member("/authorise"))?;
    let pence = members.get("pence").and_then(Value::as_u64).ok_or(BodyError::Member("/authorise/pence"))?;
    let payee = text(members, "payee").ok_or(BodyError::Member("/authorise/payee"))?;
    let reference = text(members, "reference").ok_or(BodyError::Member("/authorise/reference"))?;
    if !(mutants::skips("perm-authorise-closed") || members.len() == 3) {
        return Err(BodyError::Member("/authorise"));
    }
    Ok(Payment::new(pence, &payee, &reference)?)
}

fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name)?.as_str().map(str::to_owned)
}

/// `Some(None)` where the member is absent, `None` where it is not of its form.
fn optional<T>(
    members: &Map<String, Value>,
    name: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Option<Option<T>> {
    members.get(name).map_or(Some(None), |value| read(value).map(Some))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn fault(body: &str) -> BodyError {
        Ask::parse(body.as_bytes()).err().unwrap()
    }

    #[test]
    fn a_fault_names_its_member() {
        assert!(Ask::parse(br#"{"policy":"a","flow":"same_device","reference":"r","expect":"x"}"#).is_ok());
        assert_eq!(fault(r#"{"flow":"same_device"}"#), BodyError::Member("/policy"));
        assert_eq!(fault(r#"{"policy":"a","flow":"sideways"}"#), BodyError::Member("/flow"));
        assert_eq!(
            fault(r#"{"policy":"a","flow":"same_device","reference":""}"#),
            BodyError::Member("/reference")
        );
        assert_eq!(fault(r#"{"policy":"a","flow":"same_device","expect":{}}"#), BodyError::Member("/expect"));
        assert_eq!(
            fault(r#"{"policy":"a","flow":"same_device","expect":null}"#),
            BodyError::Member("/expect")
        );
        assert_eq!(fault(r#"{"policy":"a","policy":"a","flow":"same_device"}"#), BodyError::NotAnObject);
        let authorise =
            |payment: &str| fault(&format!(r#"{{"policy":"a","flow":"same_device","authorise":{payment}}}"#));
        let wrong = |payment: &str, member| {
            assert_eq!(authorise(payment), BodyError::Member(member), "{payment}");
        };
        wrong("null", "/authorise");
        wrong(r#"{"payee":"A","reference":"B"}"#, "/authorise/pence");
        wrong(r#"{"pence":"7","payee":"A","reference":"B"}"#, "/authorise/pence");
        wrong(r#"{"pence":-1,"payee":"A","reference":"B"}"#, "/authorise/pence");
        wrong(r#"{"pence":1,"reference":"B"}"#, "/authorise/payee");
        wrong(r#"{"pence":1,"payee":"A"}"#, "/authorise/reference");
        wrong(r#"{"pence":1,"payee":"A","reference":"B","more":1}"#, "/authorise");
        assert_eq!(authorise(r#"{"pence":0,"payee":"A","reference":"B"}"#), PaymentError::Amount.into());
        assert_eq!(authorise(r#"{"pence":1,"payee":"","reference":"B"}"#), PaymentError::Payee.into());
        assert_eq!(authorise(r#"{"pence":1,"payee":"A","reference":" B"}"#), PaymentError::Reference.into());
        for member in ["service_id", "outcome", "status"] {
            assert_eq!(
                fault(&format!(r#"{{"policy":"a","flow":"same_device","{member}":1}}"#)),
                BodyError::Unknown
            );
        }
    }
}
