//! What an answer permits besides, as the resident reads it before signing.
//!
//! It is told from the entry that was verified and from the register's words about the purpose, never from words of the
//! service. Whether it is called an agreement follows from the purpose's lawful basis alone: where that is not consent,
//! nothing here speaks of it (`specs/profiles/permission.md`, "Three things that are kept apart").

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::transaction_data::TransactionDataError;
use vouchsafe_protocol::permission::{Terms, What};
use vouchsafe_protocol::text::{Bilingual, civil};
use vouchsafe_protocol::trust::{Basis, PermissionKind, Purpose, RecordFacts, ThirdParty};

use super::page::Writer;
use crate::words::{self, Language, pounds, say};

/// What is permitted with an answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permits {
    /// What.
    pub what: Permitted,
    /// The last day on which it may be used.
    #[serde(with = "civil")]
    pub until: Date,
    /// How often it may be used; any number where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// Who is responsible, where records are kept, what rights there are: the register's words.
    pub record: RecordFacts,
    /// The permission of this wallet by which the question comes again, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
}

/// What is permitted, by kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Permitted {
    /// A payment.
    Payment {
        /// How much.
        pence: u64,
        /// To whom.
        payee: String,
        /// What the payee reads beside it.
        reference: String,
    },
    /// To be asked the same again.
    Standing {
        /// The least number of days between two askings.
        every_days: u32,
    },
    /// To share the outcome.
    Sharing {
        /// With whom.
        with: ThirdParty,
    },
    /// An action.
    Action {
        /// The register's words for it.
        text: Bilingual,
    },
}

/// There may be a payment in it: the kind is all that is printed to find faults.
impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permits").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl Permits {
    /// What a request asks to be permitted; nothing where it asks for nothing.
    ///
    /// # Errors
    /// [`TransactionDataError::Differs`] where the register has no words for it: what cannot be told is not signed.
    pub(crate) fn of(asked: &Asked, purpose: &Purpose) -> Result<Option<Self>, TransactionDataError> {
        let Some(terms) = asked.terms() else { return Ok(None) };
        let told = Permitted::of(terms, purpose).zip(purpose.record.clone());
        let (what, record) = told.ok_or(TransactionDataError::Differs)?;
        Ok(Some(Self { what, until: terms.until(), uses: terms.uses(), record, again: None }))
    }

    /// What kind.
    #[must_use]
    pub fn kind(&self) -> PermissionKind {
        match &self.what {
            Permitted::Payment { .. } => PermissionKind::Payment,
            Permitted::Standing { .. } => PermissionKind::Standing,
            Permitted::Sharing { .. } => PermissionKind::Sharing,
            Permitted::Action { .. } => PermissionKind::Action,
        }
    }

    /// The least number of days between two askings, of a standing permission.
    #[must_use]
    pub fn every_days(&self) -> Option<u32> {
        match self.what {
            Permitted::Standing { every_days } => Some(every_days),
            _ => None,
        }
    }

    /// What is permitted, until when and how often, a line each.
    pub(crate) fn lines(&self, language: Language) -> Vec<String> {
        let until = words::date(language, self.until);
        let pick = |text: &Bilingual| language.pick(&text.en, &text.cy).to_owned();
        let say = |key: &str, values: &[(&str, &str)]| say(language, key, values);
        let date = ("date", until.as_str());
        match &self.what {
            Permitted::Payment { pence, payee, reference } => {
                let amount = pounds(*pence);
                let values = [("amount", &*amount), ("payee", payee), ("reference", reference)];
                vec![say("permit_payment", &values), say("permit_payment_once", &[date])]
            }
            Permitted::Standing { every_days } => {
                let n = every_days.to_string();
                let n = ("n", n.as_str());
                let mut lines = vec![say("permit_standing", &[date, n])];
                lines.extend(self.counted(language));
                for key in ["permit_standing_self", "permit_standing_read", "permit_standing_known"] {
                    lines.push(say(key, &[]));
                }
                lines.push(say("permit_standing_flip", &[n]));
                lines
            }
            Permitted::Sharing { with } => {
                let name = pick(&with.name);
                let party = [("address", with.address.as_str()), ("contact", with.contact.as_str())];
                let mut lines = vec![say("permit_sharing", &[("name", &name), date])];
                lines.push(say("permit_sharing_party", &party));
                lines.push(self.often(language));
                lines
            }
            Permitted::Action { text } => {
                let text = pick(text);
                vec![say("permit_action", &[("text", &text), date]), self.often(language)]
            }
        }
    }

    /// How often, where a number says so.
    fn counted(&self, language: Language) -> Option<String> {
        self.uses.map(|_| self.often(language))
    }

    fn often(&self, language: Language) -> String {
        match self.uses {
            None => say(language, "permit_uses_any", &[]),
            Some(1) => say(language, "permit_uses_once", &[]),
            Some(n) => say(language, "permit_uses", &[("n", &n.to_string())]),
        }
    }

    /// What kind of thing it is, in a word or two and without a value.
    #[must_use]
    pub fn name(&self, language: Language) -> String {
        kind_name(language, self.kind())
    }
}

/// What people call a kind of permission.
pub(crate) fn kind_name(language: Language, kind: PermissionKind) -> String {
    say(language, &format!("permit_kind_{}", kind.as_str()), &[])
}

impl Permitted {
    fn of(terms: &Terms, purpose: &Purpose) -> Option<Self> {
        Some(match terms.what() {
            What::Payment(payment) => Self::Payment {
                pence: payment.pence(),
                payee: payment.payee().to_owned(),
                reference: payment.reference().to_owned(),
            },
            What::Standing { every_days } => Self::Standing { every_days: *every_days },
            What::Sharing { with } => Self::Sharing { with: purpose.third_party(with)?.clone() },
            What::Action { action } => Self::Action { text: purpose.action(action)?.text.clone() },
        })
    }
}

/// The lawful basis as messages are named after it.
pub(crate) fn basis_key(basis: Basis) -> &'static str {
    match basis {
        Basis::PublicTask => "public_task",
        Basis::LegalObligation => "legal_obligation",
        Basis::Contract => "contract",
        Basis::Consent => "consent",
    }
}

/// How long and where the record of a permission is kept, and why.
pub(crate) fn kept_lines(language: Language, basis: Basis, days: u64, record: &RecordFacts) -> Vec<String> {
    let n = days.to_string();
    let kept = match days {
        0 => say(language, "keep_record_not_at_all", &[]),
        _ => say(language, &format!("keep_record_{}", basis_key(basis)), &[("n", &n)]),
    };
    let storage = language.pick(&record.storage.en, &record.storage.cy);
    vec![kept, say(language, "keep_record_where", &[("text", storage)])]
}

/// How it is taken back, what that means, and how to object.
pub(crate) fn back_lines(language: Language, basis: Basis, record: &RecordFacts) -> Vec<String> {
    let back = if basis == Basis::Consent { "take_back_agreement" } else { "take_back_permission" };
    let (who, rights) = (&record.controller, language.pick(&record.rights.en, &record.rights.cy));
    let object = [("name", who.name.as_str()), ("contact", who.contact.as_str())];
    vec![
        say(language, back, &[]),
        say(language, "take_back_means", &[]),
        say(language, "take_back_object", &object),
        say(language, "take_back_rights", &[("text", rights)]),
        say(language, "take_back_notice", &[("address", &record.notice)]),
    ]
}

impl Writer<'_> {
    /// What the answer permits besides: exactly what is signed.
    pub(super) fn permits(&self) -> Vec<String> {
        let Some(permits) = &self.facts.permits else { return Vec::new() };
        let mut lines = permits.lines(self.language);
        let signed = if self.facts.basis == Basis::Consent { "agree_signed" } else { "permit_signed" };
        lines.push(self.say(signed, &[]));
        lines.push(self.say("permit_recorded", &[]));
        lines.extend(permits.again.as_ref().map(|id| self.say("permit_again", &[("id", id)])));
        lines
    }

    /// The heading of that part.
    pub(super) fn permits_heading(&self) -> &'static str {
        if self.facts.basis == Basis::Consent { "heading_agrees" } else { "heading_permits" }
    }

    pub(super) fn permit_kept(&self) -> Vec<String> {
        let Some(permits) = &self.facts.permits else { return Vec::new() };
        let days = self.facts.asked.retention_days;
        kept_lines(self.language, self.facts.basis, days, &permits.record)
    }

    /// What "share" is called: where the lawful basis is consent, and nowhere else, it is to agree.
    pub(super) fn share_key(&self) -> &'static str {
        match (self.facts.basis == Basis::Consent, self.facts.permits.is_some()) {
            (false, false) => "choice_share",
            (false, true) => "choice_permit",
            (true, false) => "choice_agree",
            (true, true) => "choice_agree_permit",
        }
    }
}
