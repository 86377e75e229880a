//! What happened, for the resident to read: services, purposes, names of attributes and times. Never a value.
//!
//! Refused and failed requests are kept too, by their code. An entry is written in the transaction of
//! the act it tells of wherever there is one, so that nothing is shared without a trace.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::trust::PermissionKind;

use crate::Wallet;
use crate::review::kind_name;
use crate::store;
use crate::vault::{Change, Section, Vault, VaultError};
use crate::words::{self, Language, say};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When, in Unix seconds.
    pub at: i64,
    /// How many entries were written before: the order within one second.
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
        /// The credentials that it was shown or proved of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        used: Vec<Used>,
        /// The permission that was given with it, or by which it was asked again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        permission: Option<OfPermission>,
        /// Whether the service acknowledged it. `false` also stands for a crash while sending.
        acknowledged: bool,
    },
    /// An answer with another person's wallet was prepared here: copies were used, nothing is with the service yet.
    Prepared {
        /// Who asked and why.
        asked: Asked,
        /// What would be proved, by name.
        names: Vec<Named>,
        /// The credentials that it would be proved of.
        used: Vec<Used>,
    },
    /// What another person's wallet needs to answer was sent to it.
    Contributed {
        /// Who asked and why.
        asked: Asked,
        /// What is proved, by name.
        names: Vec<Named>,
        /// The credentials that it is proved of.
        used: Vec<Used>,
        /// Whether this wallet has agreed to the answer: it can reach the service only then.
        agreed: bool,
    },
    /// The resident said no, or could not answer.
    Declined {
        /// Who asked and why.
        asked: Asked,
    },
    /// The resident took a permission back here.
    Withdrew {
        /// Who had it and why.
        asked: Asked,
        /// Which.
        permission: OfPermission,
        /// Whether the verifier has recorded it; until then this wallet says it again.
        acknowledged: bool,
    },
    /// A permission ended otherwise, by what the verifier recorded.
    Ended {
        /// Who had it and why.
        asked: Asked,
        /// Which.
        permission: OfPermission,
        /// How.
        how: Ending,
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

/// A permission, by its number in this wallet and its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfPermission {
    /// Its number in this wallet.
    pub id: String,
    /// What kind.
    pub kind: PermissionKind,
    /// Whether it was given before, and this was asked under it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// How a permission ended that was not taken back here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With the code of a letter.
    Letter,
    /// At a counter.
    Counter,
    /// From a wallet with the same key: a copy of this one.
    Elsewhere,
    /// Its last day is over.
    Expired,
    /// The controller ended it.
    Invalidated,
}

/// A credential that was used, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// What people call it.
    pub name: Bilingual,
    /// Who signed it.
    pub issuer: Bilingual,
}

/// How an attribute was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The value itself was sent.
    Shown,
    /// Only a bound was proved.
    Proved,
    /// The service got a name to know the resident by again. The name is not kept.
    KnownAs,
}

impl Entry {
    /// One line in words.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        let date = words::date(language, UnixTime(self.at).london_date());
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
            Event::Shared { asked, contrary, names, used, permission, .. } => {
                let again = permission.as_ref().is_some_and(|permission| permission.again);
                let key = match (contrary, again) {
                    (true, _) => "history_contrary",
                    (false, true) => "history_again",
                    (false, false) => "history_shared",
                };
                let names: Vec<String> = names.iter().map(|name| text(&name.label)).collect();
                let names = names.join(", ");
                let service = text(&asked.service);
                let line = say(language, key, &[("service", &service), ("date", &date), ("names", &names)]);
                // One credential is told by what it says; of several, which they were.
                let line = if used.len() > 1 { format!("{line} {}", from(language, used)) } else { line };
                permission.as_ref().map_or(line.clone(), |one| format!("{line} {}", one.line(language)))
            }
            Event::Withdrew { asked, permission, acknowledged } => {
                let key = if *acknowledged { "history_withdrew" } else { "history_withdrew_open" };
                permission.say(language, key, &text(&asked.service), &date)
            }
            Event::Ended { asked, permission, how } => {
                permission.say(language, how.key(), &text(&asked.service), &date)
            }
            Event::Prepared { asked, names, used } => {
                joint(language, "history_prepared", (asked, names, used), &date)
            }
            Event::Contributed { asked, names, used, agreed } => {
                let key = if *agreed { "history_contributed" } else { "history_contributed_open" };
                joint(language, key, (asked, names, used), &date)
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

impl OfPermission {
    /// What was permitted with an answer, by kind and number.
    fn line(&self, language: Language) -> String {
        let kind = kind_name(language, self.kind);
        let key = if self.again { "history_by_permission" } else { "history_permitted" };
        say(language, key, &[("kind", &kind), ("id", &self.id)])
    }

    fn say(&self, language: Language, key: &str, service: &str, date: &str) -> String {
        let kind = kind_name(language, self.kind);
        say(language, key, &[("service", service), ("date", date), ("kind", &kind), ("id", &self.id)])
    }
}

impl Ending {
    fn key(self) -> &'static str {
        match self {
            Self::Letter => "history_ended_letter",
            Self::Counter => "history_ended_counter",
            Self::Elsewhere => "history_ended_elsewhere",
            Self::Expired => "history_ended_expired",
            Self::Invalidated => "history_ended_invalidated",
        }
    }
}

/// What is said when history was deleted.
#[must_use]
pub fn deleted(language: Language, n: usize) -> String {
    let deleted = say(language, "history_deleted", &[("n", &n.to_string())]);
    format!("{deleted} {}", say(language, "history_deleted_remark", &[]))
}

/// What was told for an answer with another person's wallet.
fn joint(
    language: Language,
    key: &str,
    (asked, names, used): (&Asked, &[Named], &[Used]),
    date: &str,
) -> String {
    let text = |both: &Bilingual| language.pick(&both.en, &both.cy).to_owned();
    let names = names.iter().map(|name| text(&name.label)).collect::<Vec<_>>().join(", ");
    let values = [("service", &*text(&asked.service)), ("date", date), ("names", &*names)];
    format!("{} {}", say(language, key, &values), from(language, used))
}

/// The credentials that were used.
fn from(language: Language, used: &[Used]) -> String {
    let name = |one: &Used| {
        let (name, issuer) =
            (language.pick(&one.name.en, &one.name.cy), language.pick(&one.issuer.en, &one.issuer.cy));
        say(language, "history_credential", &[("credential", name), ("issuer", issuer)])
    };
    let all = used.iter().map(name).collect::<Vec<_>>().join(", ");
    words::say_with(language, "history_from", &[], &[("credentials", &all)])
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
        // Entries may have been deleted: the newest says how many there were.
        let newest = all(&self.vault).await?.iter().map(|entry| entry.order + 1).max();
        Ok(Entry { at: self.machine.clock.now().0, order: newest.unwrap_or_default(), event })
    }

    /// Deletes what happened before that day, or all of it; how many entries there were. What an answer with another
    /// person's wallet still needs stays, and so does what is counted of each service: a service that asked much has not
    /// asked less because its questions were forgotten.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn delete_history(&self, before: Option<Date>) -> Result<usize, VaultError> {
        let (mut changes, now) = (Vec::new(), self.machine.clock.now());
        for record in self.vault.scan(Section::History).await? {
            let entry: Entry = store::decode(&record)?;
            let open =
                matches!(entry.event, Event::Prepared { .. } | Event::Contributed { agreed: false, .. })
                    && now.0 - entry.at < DAY;
            let old = before.is_none_or(|day| UnixTime(entry.at).london_date() < day);
            changes.extend((old && !open).then(|| Change::Delete(Section::History, record.id)));
        }
        let deleted = changes.len();
        self.vault.apply(changes, &*self.machine.entropy).await?;
        Ok(deleted)
    }

    /// Writes one entry.
    pub(crate) async fn record(&self, event: Event) -> Result<(), VaultError> {
        let change = record(self.new_id(), &self.entry_now(event).await?);
        self.vault.apply(vec![change], &*self.machine.entropy).await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_credentials_of_an_answer_are_told_and_older_entries_are_read() {
        let both = |text: &str| json!({"en": text, "cy": text});
        let asked = json!({"service_id": "https://a.example", "service": both("Meals"), "purpose_id": "meals",
            "purpose": both("p"), "retention_days": 1});
        let names = json!([{"pointer": "/pay", "label": both("pay"), "how": "proved"}]);
        let event = json!({"kind": "shared", "asked": asked, "contrary": false, "names": names, "acknowledged": true});
        let mut entry: Entry =
            serde_json::from_value(json!({"at": 1_795_262_400, "order": 0, "event": event})).unwrap();
        assert_eq!(entry.line(Language::En), "Shared with Meals on 21 November 2026: pay.");
        let Event::Shared { used, .. } = &mut entry.event else { panic!("another event") };
        let name = |text: &str| Bilingual { en: text.to_owned(), cy: text.to_owned() };
        let of = |issuer: &str| Used { name: name("Income"), issuer: name(issuer) };
        *used = vec![of("One"), of("Two")];
        let line = "Shared with Meals on 21 November 2026: pay. From: “Income” (One), “Income” (Two).";
        assert_eq!(entry.line(Language::En), line);
        let kept = serde_json::to_value(&entry).unwrap();
        assert_eq!(serde_json::from_value::<Entry>(kept).unwrap(), entry);
    }
}
