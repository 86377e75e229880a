//! What happened, for the resident to read: services, purposes, names of attributes and times. Never a value.
//!
//! Refused and failed requests are kept too, by their code. An entry is written in the transaction of
//! the act it tells of wherever there is one, so that nothing is shared without a trace.

use serde::{Deserialize, Serialize};
use vouchsafe_protocol::text::Bilingual;

use crate::Wallet;
use crate::store;
use crate::vault::{Change, Section, Vault, VaultError};
use crate::words::{self, Language, say};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When, in Unix seconds.
    pub at: i64,
    /// How many entries there were before: the order within one second.
    pub order: usize,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Event {
    /// A batch of copies came in.
    Received {
        /// The credential's name.
        credential: Bilingual,
        /// The body that signed it.
        issuer: Bilingual,
        /// How many copies.
        copies: usize,
    },
    /// An officer of the body decides on a batch first.
    PutOff {
        /// The credential's name.
        credential: Bilingual,
        /// The body that decides.
        issuer: Bilingual,
    },
    /// A batch that was waited for will not come.
    NotIssued {
        /// The credential's name.
        credential: Bilingual,
        /// The body that was asked.
        issuer: Bilingual,
        /// The code of the reason.
        code: String,
    },
    /// An answer was sent.
    Shared {
        /// Who asked and why.
        asked: Asked,
        /// Whether it was the separately confirmed answer that the rule is not met.
        contrary: bool,
        /// What was shown or proved, by name.
        names: Vec<Named>,
        /// Whether the service acknowledged it. `false` also stands for a crash while sending.
        acknowledged: bool,
    },
    /// The resident said no, or could not answer.
    Declined {
        /// Who asked and why.
        asked: Asked,
    },
    /// A request or an offer was refused by the wallet, or failed.
    Failed {
        /// Who asked, as far as it was verified.
        asked: Option<Asked>,
        /// The code of the refusal.
        code: String,
    },
}

/// Who asked, and what for: the register's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The stable id of the service.
    pub service_id: String,
    /// The service's name.
    pub service: Bilingual,
    /// The purpose's id.
    pub purpose_id: String,
    /// The purpose in the register's words.
    pub purpose: Bilingual,
    /// How long the service keeps the outcome, in days.
    pub retention_days: u64,
}

/// An attribute that was used, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// RFC 6901 pointer of the claim.
    pub pointer: String,
    /// What the issuing body calls it.
    pub label: Bilingual,
    /// Shown or proved.
    pub how: How,
}

/// How an attribute was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The value itself was sent.
    Shown,
    /// Only a bound was proved.
    Proved,
}

impl Entry {
    /// One line in words.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        let date = words::date(language, vouchsafe_protocol::time::UnixTime(self.at).london_date());
        let text = |both: &Bilingual| language.pick(&both.en, &both.cy).to_owned();
        match &self.event {
            Event::Received { credential, issuer, copies } => say(
                language,
                "history_received",
                &[
                    ("credential", &text(credential)),
                    ("issuer", &text(issuer)),
                    ("date", &date),
                    ("n", &copies.to_string()),
                ],
            ),
            Event::PutOff { credential, issuer } => {
                let (credential, issuer) = (text(credential), text(issuer));
                let values = [("credential", &*credential), ("issuer", &*issuer), ("date", &*date)];
                say(language, "history_put_off", &values)
            }
            Event::NotIssued { credential, issuer, code } => {
                let (credential, issuer) = (text(credential), text(issuer));
                let values = [
                    ("credential", &*credential),
                    ("issuer", &*issuer),
                    ("date", &*date),
                    ("code", code.as_str()),
                ];
                say(language, "history_not_issued", &values)
            }
            Event::Shared { asked, contrary, names, .. } => {
                let key = if *contrary { "history_contrary" } else { "history_shared" };
                let names: Vec<String> = names.iter().map(|name| text(&name.label)).collect();
                let names = names.join(", ");
                let service = text(&asked.service);
                say(language, key, &[("service", &service), ("date", &date), ("names", &names)])
            }
            Event::Declined { asked } => {
                say(language, "history_declined", &[("service", &text(&asked.service)), ("date", &date)])
            }
            Event::Failed { asked, code } => {
                let service = match asked {
                    Some(asked) => text(&asked.service),
                    None => say(language, "history_unknown", &[]),
                };
                say(language, "history_failed", &[("service", &service), ("date", &date), ("code", code)])
            }
        }
    }
}

/// The change that records `entry` under a random row id: rows do not tell times.
pub(crate) fn record(id: String, entry: &Entry) -> Change {
    Change::Put(Section::History, id, store::encode(entry))
}

/// Every entry, newest first.
pub(crate) async fn all(vault: &Vault) -> Result<Vec<Entry>, VaultError> {
    let records = vault.scan(Section::History).await?;
    let mut entries = records.iter().map(store::decode::<Entry>).collect::<Result<Vec<_>, VaultError>>()?;
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.order)));
    Ok(entries)
}

impl Wallet {
    /// An entry for what happens now.
    pub(crate) async fn entry_now(&self, event: Event) -> Result<Entry, VaultError> {
        let order = self.vault.scan(Section::History).await?.len();
        Ok(Entry { at: self.machine.clock.now().0, order, event })
    }

    /// Writes one entry.
    pub(crate) async fn record(&self, event: Event) -> Result<(), VaultError> {
        let change = record(self.new_id(), &self.entry_now(event).await?);
        self.vault.apply(vec![change], &*self.machine.entropy).await
    }
}
