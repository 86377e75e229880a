//! What somebody agrees to is the page that they have read.
//!
//! A command that agrees is another process than the one that showed the review, and a request that is fetched again may
//! be another one. So the vault keeps what was shown: the request as it was fetched, and SHA-256 of its page. Whoever agrees
//! in a later process does so to that request: it is verified and rendered again, and goes no further where its page has
//! become another, for what the wallet holds may have changed. The page is taken in both languages, whichever was shown;
//! nothing stands on it that changes by the second, so nothing is left out. Agreeing ends it: the next time, the page
//! is read again.
//!
//! Where the page stays on the screen of the process that answers, a [`Review`] is what was read, and nothing of this is
//! needed.

use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::openid4vp::link::Link;
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_service::entropy::Entropy;

use super::{Fetched, Page, Review, ReviewError, Wish};
use crate::Wallet;
use crate::store;
use crate::vault::{Change, Record, Section, Vault, VaultError};
use crate::words::Language;

/// How many pages are kept at most; the one that ends first makes room.
const MOST: usize = 8;

/// What a page is about: agreeing to answer alone is not agreeing to anything else.
pub(crate) enum About<'a> {
    /// An answer, by the request's link.
    Answer(&'a str),
    /// An invitation of another wallet, by the request's link.
    Joining(&'a str),
    /// Taking part, by SHA-256 of the invitation.
    Invitation([u8; 32]),
}

impl About<'_> {
    fn key(&self) -> String {
        let (kind, text): (&str, &[u8]) = match self {
            Self::Answer(link) => ("answer", link.as_bytes()),
            Self::Joining(link) => ("join", link.as_bytes()),
            Self::Invitation(hash) => ("contribute", hash),
        };
        b64u(sha256([kind.as_bytes(), b" ", text].concat()))
    }
}

/// A page that can be kept as shown.
pub struct Reading {
    about: String,
    page: String,
    fetched: Fetched,
    ends: UnixTime,
}

impl Reading {
    pub(crate) fn new(about: &About<'_>, page: impl Fn(Language) -> Page, review: &Review) -> Self {
        let both = [Language::En, Language::Cy].map(|language| sha256(page(language).to_string()));
        let (fetched, ends) = (review.fetched().clone(), review.request().expires_at());
        Self { about: about.key(), page: b64u(sha256(both.concat())), fetched, ends }
    }
}

/// A page that was shown.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    about: String,
    page: String,
    pub(crate) fetched: Fetched,
    until: i64,
}

/// A link as it is kept.
pub(crate) fn named(link: &str) -> Result<String, ReviewError> {
    Ok(Link::parse(link.trim())?.to_string())
}

/// The page is the one that was shown.
pub(crate) fn check(seen: Option<&Seen>, now: &Reading) -> Result<(), ReviewError> {
    let same = seen.is_none_or(|seen| seen.page == now.page);
    if mutants::skips("wallet-read-same") || same { Ok(()) } else { Err(ReviewError::Changed) }
}

/// Deletes the pages whose time is over.
pub(crate) async fn forget_ended(
    vault: &Vault,
    now: UnixTime,
    entropy: &dyn Entropy,
) -> Result<(), VaultError> {
    let mut changes = Vec::new();
    for (record, seen) in all(vault).await? {
        changes.extend((seen.until <= now.0).then(|| Change::Delete(Section::Read, record.id)));
    }
    vault.apply(changes, entropy).await
}

async fn all(vault: &Vault) -> Result<Vec<(Record, Seen)>, VaultError> {
    let records = vault.scan(Section::Read).await?;
    records.into_iter().map(|record| store::decode(&record).map(|seen| (record, seen))).collect()
}

impl Wallet {
    /// Keeps that a page was shown, for a later process that agrees to it: until its request ends, a day at most.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn shown(&self, reading: &Reading) -> Result<(), VaultError> {
        let Reading { about, page, fetched, ends } = reading;
        let now = self.machine.clock.now();
        let (mut changes, mut others) = (Vec::new(), Vec::new());
        for (record, seen) in all(&self.vault).await? {
            if seen.about == *about || seen.until <= now.0 {
                changes.push(Change::Delete(Section::Read, record.id));
            } else {
                others.push((seen.until, record.id));
            }
        }
        others.sort();
        let over = (others.len() + 1).saturating_sub(MOST);
        changes.extend(others.drain(..over).map(|(_, id)| Change::Delete(Section::Read, id)));
        let until = ends.0.min(now.plus(DAY).0);
        let seen = Seen { about: about.clone(), page: page.clone(), fetched: fetched.clone(), until };
        let bytes = store::encode_long(&seen, 2 * fetched.len());
        changes.push(Change::Insert(Section::Read, self.new_id(), bytes));
        self.vault.apply(changes, &*self.machine.entropy).await
    }

    /// As [`Wallet::review_wishing`], of the request as it was when its page was last shown ([`Wallet::shown`]): what is
    /// agreed to then is what was read. Nothing is fetched.
    ///
    /// # Errors
    /// As [`Wallet::review_wishing`], [`ReviewError::Unread`] and [`ReviewError::Changed`].
    pub async fn review_as_read(&self, link: &str, wish: &Wish) -> Result<Review, ReviewError> {
        let review = async {
            let seen = self.seen(&About::Answer(&named(link)?)).await?;
            let review = self.look_at(link, wish, None, seen.as_ref()).await?;
            check(seen.as_ref(), &review.reading())?;
            Ok(review)
        };
        let review = review.await;
        self.noted_review(review).await
    }

    /// What was shown about this.
    pub(crate) async fn seen(&self, about: &About<'_>) -> Result<Option<Seen>, ReviewError> {
        let (key, now) = (about.key(), self.machine.clock.now());
        let mut known = all(&self.vault).await?.into_iter().map(|(_, seen)| seen);
        let lasts = |seen: &Seen| mutants::skips("wallet-read-ended") || now.0 < seen.until;
        let seen = known.find(|seen| seen.about == key && lasts(seen));
        if !(mutants::skips("wallet-read-first") || seen.is_some()) {
            return Err(ReviewError::Unread);
        }
        Ok(seen)
    }

    /// Deletes what was shown about this: it is agreed to.
    pub(crate) async fn forget(&self, reading: &Reading) -> Result<(), VaultError> {
        let all = all(&self.vault).await?.into_iter();
        let those = all.filter(|(_, seen)| seen.about == reading.about);
        let changes = those.map(|(record, _)| Change::Delete(Section::Read, record.id)).collect();
        self.vault.apply(changes, &*self.machine.entropy).await
    }
}
