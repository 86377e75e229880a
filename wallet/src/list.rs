//! What the wallet holds, without values.

use serde::Serialize;
use vouchsafe_proofs::encoding::date_from;
use vouchsafe_protocol::policy::is_fresh;
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types;

use crate::status::Status;
use crate::store::{self, Count, Credential};
use crate::vault::{Vault, VaultError};
use crate::words::{Language, say};

/// A batch of copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its id in this wallet.
    pub id: String,
    /// What people call it.
    pub name: Bilingual,
    /// Who signed it.
    pub issuer: Bilingual,
    /// The type.
    pub vct: String,
    /// Whether it answers by proof.
    pub proof: bool,
    /// The date of the facts, on proof copies.
    pub facts_as_of: Option<String>,
    /// The period that its facts are the total of, `YYYY-MM`, where its type has periods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// When it ends, in Unix seconds.
    pub expires_at: i64,
    /// Names of what it says something about.
    pub attributes: Vec<Bilingual>,
    /// Copies left and used.
    pub copies: Count,
    /// Why to collect a new batch soon.
    pub refresh: Option<Refresh>,
    /// Whether it still counts, as far as is known, where its body can take it back. Where copies differ, that of the one
    /// that would be used.
    pub status: Option<Status>,
}

impl Listed {
    /// The batch in plain words.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let text = |both: &Bilingual| language.pick(&both.en, &both.cy).to_owned();
        // Credentials of one type are told apart by their periods.
        let of = self.period.as_ref().map(|period| format!(" ({period})")).unwrap_or_default();
        let credential = text(&self.name) + &of;
        let (left, all) = (self.copies.unused.to_string(), self.copies.all().to_string());
        let values = [
            ("credential", &*credential),
            ("issuer", &*text(&self.issuer)),
            ("id", &*self.id),
            ("left", &*left),
            ("all", &*all),
        ];
        let mut told = vec![say(language, "list_line", &values)];
        told.extend(self.status.as_ref().map(|status| status.words(language)));
        if self.copies.unused > 0 && self.copies.revoked > 0 {
            told.push(say(language, "status_some_revoked", &[("n", &self.copies.revoked.to_string())]));
        }
        told.extend(self.refresh.map(|refresh| refresh.words(language)));
        told.join(" ")
    }
}

/// Why a new batch should be collected while this one still serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refresh {
    /// It ends within a week.
    EndsSoon,
    /// At most a fifth of the copies is left.
    FewLeft,
    /// The facts are three weeks old; many services take them for a month.
    FactsOld,
}

impl Refresh {
    /// The key of its words.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::EndsSoon => "refresh_ends_soon",
            Self::FewLeft => "refresh_few_left",
            Self::FactsOld => "refresh_facts_old",
        }
    }

    /// The hint in plain words.
    #[must_use]
    pub fn words(self, language: Language) -> String {
        say(language, self.key(), &[])
    }
}

/// How long before its end a batch should be replaced, in seconds.
const BEFORE_END_S: i64 = 7 * 86_400;

/// How old facts may be before they should be read anew, in days.
const FACTS_DAYS: u32 = 21;

/// Whether a new batch should be collected, and the most pressing reason.
pub(crate) fn due(credential: &Credential, copies: Count, now: UnixTime) -> Option<Refresh> {
    let facts = credential.facts_as_of.as_deref().map(date_from);
    let old = matches!(facts, Some(Ok(date)) if !is_fresh(date, now.london_date(), FACTS_DAYS));
    if credential.expires_at - now.0 <= BEFORE_END_S {
        Some(Refresh::EndsSoon)
    } else if copies.unused * 5 <= copies.all() {
        Some(Refresh::FewLeft)
    } else {
        old.then_some(Refresh::FactsOld)
    }
}

/// Every batch, oldest first.
pub(crate) async fn all(vault: &Vault, now: UnixTime) -> Result<Vec<Listed>, VaultError> {
    let mut listed = Vec::new();
    for (id, credential) in store::credentials(vault).await? {
        let copies = store::count(vault, &id).await?;
        let status = store::status(vault, &id).await?;
        listed.push(Listed {
            id,
            // Of what was taken back nobody gets new copies without asking why.
            refresh: due(&credential, copies, now).filter(|_| copies.unused > 0 || copies.revoked == 0),
            proof: types::is_proof(&credential.vct),
            name: credential.name,
            issuer: credential.issuer,
            vct: credential.vct,
            facts_as_of: credential.facts_as_of,
            period: credential.period,
            expires_at: credential.expires_at,
            attributes: credential.attributes.into_iter().map(|attribute| attribute.label).collect(),
            copies,
            status,
        });
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use vouchsafe_protocol::text::Env;

    use super::*;
    use crate::store::bare_label;

    /// 2026-11-21T12:00:00Z.
    const NOW: UnixTime = UnixTime(1_795_262_400);

    #[test]
    fn a_batch_is_replaced_before_it_fails() {
        let of = |facts_as_of: &str, days: i64, unused: usize| {
            let credential = Credential {
                vct: "v/zk".to_owned(),
                iss: "https://issuer.example".to_owned(),
                issuer: bare_label("issuer"),
                env: Env::Test,
                name: bare_label("name"),
                facts_as_of: Some(facts_as_of.to_owned()),
                period: None,
                expires_at: NOW.0 + days * 86_400,
                received_at: 0,
                attributes: Vec::new(),
                anchors: Vec::new(),
            };
            due(&credential, Count { unused, spent: 30 - unused, ..Count::default() }, NOW)
        };
        assert_eq!(of("2026-11-20", 20, 30), None);
        assert_eq!(of("2026-11-20", 20, 7), None);
        assert_eq!(of("2026-11-20", 20, 6), Some(Refresh::FewLeft));
        assert_eq!(of("2026-11-20", 7, 6), Some(Refresh::EndsSoon));
        assert_eq!(of("2026-10-20", 20, 30), Some(Refresh::FactsOld));
        assert_ne!(Refresh::FewLeft.words(Language::En), Refresh::FewLeft.words(Language::Cy));
    }
}
