//! What is permitted: one entry of `transaction_data` (OpenID4VP 1.0, 5.1 and 8.4), which both sides make of the policy.
//!
//! The service adds a salt, so that the entry's hash cannot be guessed, and for a payment its three values. All else
//! follows from policy and day. The entry has one text, base64url of the RFC 8785 form: a wallet makes it anew and compares
//! the texts, so nothing in it goes unread.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::encoding::{b64u, b64u_array, sha256};
use crate::json;
use crate::openid4vp::transaction_data::{Entry, TransactionDataError, TransactionType};
use crate::policy::{MOST_PENCE, Permitting, Plan, Policy};
use crate::trust::PermissionKind;

/// The four types of entries that ask for a permission.
pub const TYPES: [TransactionType; 4] = [
    TransactionType {
        name: "urn:vouchsafe:payment:1",
        members: &["salt", "until", "uses", "amount", "payee", "reference"],
        is_of_form: payment_form,
    },
    TransactionType {
        name: "urn:vouchsafe:standing:1",
        members: &["salt", "until", "uses", "every_days"],
        is_of_form: standing_form,
    },
    TransactionType {
        name: "urn:vouchsafe:sharing:1",
        members: &["salt", "until", "uses", "with"],
        is_of_form: sharing_form,
    },
    TransactionType {
        name: "urn:vouchsafe:action:1",
        members: &["salt", "until", "uses", "action"],
        is_of_form: action_form,
    },
];

/// The most characters of a payee's name.
const PAYEE: usize = 140;

/// The most characters of a payment's reference.
const REFERENCE: usize = 35;

/// The three values of a payment, as the service says them. Not shown: they are about somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Payment {
    pence: u64,
    payee: String,
    reference: String,
}

/// What is wrong with a payment. The service's fault.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PaymentError {
    /// Nothing, or beyond what any policy allows.
    #[error("the amount is not from 1 penny to a million pounds")]
    Amount,
    /// The payee's name.
    #[error(
        "the payee is not 1 to 140 printable letters, digits and signs of the Latin script, without spaces at its ends"
    )]
    Payee,
    /// The reference.
    #[error(
        "the reference is not 1 to 35 printable letters, digits and signs of the Latin script, without spaces at its ends"
    )]
    Reference,
}

impl Payment {
    /// A payment of so many pence.
    ///
    /// # Errors
    /// [`PaymentError`].
    pub fn new(pence: u64, payee: &str, reference: &str) -> Result<Self, PaymentError> {
        if !(mutants::skips("perm-pence") || (1..=MOST_PENCE).contains(&pence)) {
            return Err(PaymentError::Amount);
        }
        if !(mutants::skips("perm-payee") || is_line(payee, PAYEE)) {
            return Err(PaymentError::Payee);
        }
        if !(mutants::skips("perm-reference") || is_line(reference, REFERENCE)) {
            return Err(PaymentError::Reference);
        }
        Ok(Self { pence, payee: payee.to_owned(), reference: reference.to_owned() })
    }

    /// The amount.
    #[must_use]
    pub fn pence(&self) -> u64 {
        self.pence
    }

    /// To whom.
    #[must_use]
    pub fn payee(&self) -> &str {
        &self.payee
    }

    /// What the payee will read beside it.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

/// One line that looks like what it says: letters of English, Welsh and the languages written like them, digits and signs.
/// No control characters, nothing that turns the direction of writing, no letters of other scripts that look like these.
fn is_line(text: &str, most: usize) -> bool {
    let shown = |c: char| matches!(c, ' '..='~' | '¡'..='\u{ac}' | '®'..='ſ' | '–' | '’');
    (1..=most).contains(&text.chars().count())
        && text.chars().all(shown)
        && text.trim() == text
        && !text.contains("  ")
}

/// What is permitted, by kind.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// A payment.
    Payment(Payment),
    /// To ask the same again.
    Standing {
        /// The least number of days between two askings.
        every_days: u32,
    },
    /// To share the outcome.
    Sharing {
        /// With whom, by the id in the purpose.
        with: String,
    },
    /// An action.
    Action {
        /// By its id in the purpose.
        action: String,
    },
}

/// What an answer permits. Not shown: there may be a payment in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Terms {
    entry: Entry,
    kind: PermissionKind,
    until: Date,
    uses: Option<u32>,
    what: What,
}

/// Why no entry is made. The service's fault.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TermsError {
    /// The policy asks for no permission.
    #[error("the policy asks for no permission: leave out authorise")]
    NotAsked,
    /// A payment without its values.
    #[error("the policy asks to authorise a payment: say its pence, payee and reference")]
    NoPayment,
    /// The values of a payment where none is asked for.
    #[error("the policy asks for no payment: leave out authorise")]
    Payment,
    /// More than the policy lets be paid.
    #[error("the amount is more than at_most_pence of the policy")]
    Amount,
    /// The permission would last beyond the calendar.
    #[error("the permission would end on no day that there is")]
    Until,
}

/// The entry as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    credential_ids: Vec<String>,
    transaction_data_hashes_alg: Vec<String>,
    salt: String,
    #[serde(with = "crate::text::civil")]
    until: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uses: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payee: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    currency: String,
    pence: String,
}

impl Terms {
    /// What the policy asks to be permitted on the day `as_of`. `salt` is fresh and random, and serves this entry alone;
    /// `payment` is there exactly where the policy asks for one.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn new(
        policy: &Policy,
        plan: &Plan,
        as_of: Date,
        salt: &[u8; 16],
        payment: Option<Payment>,
    ) -> Result<Self, TermsError> {
        let said = policy.permission.as_ref().ok_or(TermsError::NotAsked)?;
        let what = what(said, payment)?;
        let until = said.until(as_of).ok_or(TermsError::Until)?;
        let mut wire = Wire {
            kind: format!("urn:vouchsafe:{}:1", said.kind.as_str()),
            credential_ids: plan.query.credentials.iter().map(|query| query.id.clone()).collect(),
            transaction_data_hashes_alg: vec!["sha-256".to_owned()],
            salt: b64u(salt),
            until,
            uses: said.uses(),
            amount: None,
            payee: None,
            reference: None,
            every_days: said.every_days,
            with: said.with.clone(),
            action: said.action.clone(),
        };
        if let What::Payment(payment) = &what {
            wire.amount = Some(Amount { currency: "GBP".to_owned(), pence: payment.pence.to_string() });
            (wire.payee, wire.reference) = (Some(payment.payee.clone()), Some(payment.reference.clone()));
        }
        let text = b64u(json::canonical(&wire).expect("an entry is strings and integers"));
        let entry = Entry::parse(&text).expect("an entry of our own has the form of one");
        Ok(Self { entry, kind: said.kind, until, uses: said.uses(), what })
    }

    /// The same of an entry that came, by what the policy says on the day `as_of`.
    ///
    /// # Errors
    /// [`TransactionDataError::Value`], [`TransactionDataError::Differs`], [`TransactionDataError::Amount`].
    pub fn of_entry(
        entry: &Entry,
        policy: &Policy,
        plan: &Plan,
        as_of: Date,
    ) -> Result<Self, TransactionDataError> {
        let salt = salt(entry.members()).ok_or(TransactionDataError::Value)?;
        let payment = policy.permission.as_ref().is_some_and(|said| said.kind == PermissionKind::Payment);
        let payment = if payment { Some(payment_of(entry.members())?) } else { None };
        let made = Self::new(policy, plan, as_of, &salt, payment).map_err(|fault| match fault {
            TermsError::Amount => TransactionDataError::Amount,
            _ => TransactionDataError::Differs,
        })?;
        // One text for one meaning: whatever else stands in it, or is written in another way, is another entry.
        if !(mutants::skips("perm-entry-differs") || made.entry.text() == entry.text()) {
            return Err(TransactionDataError::Differs);
        }
        Ok(Self { entry: entry.clone(), ..made })
    }

    /// The entry.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// SHA-256 of the entry as it is sent: by this the decision and the record name what was permitted.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.entry.text())
    }

    /// What kind of permission.
    #[must_use]
    pub fn kind(&self) -> PermissionKind {
        self.kind
    }

    /// The last day on which it may be used.
    #[must_use]
    pub fn until(&self) -> Date {
        self.until
    }

    /// How often it may be used; any number where absent.
    #[must_use]
    pub fn uses(&self) -> Option<u32> {
        self.uses
    }

    /// What is permitted.
    #[must_use]
    pub fn what(&self) -> &What {
        &self.what
    }
}

/// Whether an entry asks for a permission.
pub(crate) fn is_ours(entry: &Entry) -> bool {
    TYPES.iter().any(|known| known.name == entry.kind())
}

fn what(said: &Permitting, payment: Option<Payment>) -> Result<What, TermsError> {
    let text = |member: &Option<String>| member.clone().unwrap_or_default();
    match (said.kind, payment) {
        (PermissionKind::Payment, None) => Err(TermsError::NoPayment),
        (PermissionKind::Payment, Some(payment)) => {
            let most = said.at_most_pence.unwrap_or_default();
            if !(mutants::skips("perm-entry-amount") || payment.pence <= most) {
                return Err(TermsError::Amount);
            }
            Ok(What::Payment(payment))
        }
        (_, Some(_)) if !mutants::skips("perm-entry-payment") => Err(TermsError::Payment),
        (PermissionKind::Standing, _) => {
            Ok(What::Standing { every_days: said.every_days.unwrap_or_default() })
        }
        (PermissionKind::Sharing, _) => Ok(What::Sharing { with: text(&said.with) }),
        (PermissionKind::Action, _) => Ok(What::Action { action: text(&said.action) }),
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

/// The salt, of exactly 128 bits: of a shorter one the hash could be guessed at.
fn salt(members: &Map<String, Value>) -> Option<[u8; 16]> {
    let text = text(members, "salt")?;
    if mutants::skips("perm-salt") {
        Some(b64u_array(text).unwrap_or_default())
    } else {
        b64u_array(text).ok()
    }
}

fn payment_of(members: &Map<String, Value>) -> Result<Payment, TransactionDataError> {
    let read = || {
        let amount: Amount = json::of_value(members.get("amount")?.clone()).ok()?;
        let pence = crate::statement::decimal(&amount.pence)?;
        Payment::new(pence, text(members, "payee")?, text(members, "reference")?).ok()
    };
    read().ok_or(TransactionDataError::Value)
}

/// The form of what every type has: the values themselves are compared with the policy's.
fn common_form(members: &Map<String, Value>) -> bool {
    let number = |name: &str| members.get(name).is_none_or(Value::is_u64);
    salt(members).is_some() && text(members, "until").is_some() && number("uses")
}

fn payment_form(members: &Map<String, Value>) -> bool {
    common_form(members) && payment_of(members).is_ok()
}

fn standing_form(members: &Map<String, Value>) -> bool {
    common_form(members) && members.get("every_days").is_some_and(Value::is_u64)
}

fn sharing_form(members: &Map<String, Value>) -> bool {
    common_form(members) && text(members, "with").is_some()
}

fn action_form(members: &Map<String, Value>) -> bool {
    common_form(members) && text(members, "action").is_some()
}
