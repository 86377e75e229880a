//! The store in memory: for tests, and a model that the databases are held against.

mod deferring;
mod linking;
mod statuses;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vci::notification::Event;
use vouchsafe_protocol::time::UnixTime;

use super::{
    AddOfferError, Batch, Deferred, EnrolError, Enrolled, Grant, Import, ImportId, InPeriod, Issue,
    IssueRefusal, Issuing, Mac, NewOffer, OfferState, Offers, Progress, Redeem, RedeemRefusal, Register,
    SealedRow, Stage, StoreError, enrol_clash, token_is_good,
};
use crate::import::RowError;

/// Everything in one process, gone with it.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Tables>,
}

#[derive(Clone, Default)]
struct Tables {
    imports: HashMap<ImportId, Progress>,
    errors: HashMap<ImportId, BTreeMap<(u64, String), RowError>>,
    named: HashMap<ImportId, HashSet<Mac>>,
    people: HashMap<(String, Mac), Person>,
    offers: HashMap<Mac, OfferState>,
    handles: HashMap<Mac, Mac>,
    tokens: HashMap<Mac, Token>,
    nonces: HashMap<Mac, UnixTime>,
    proofs: HashMap<Mac, UnixTime>,
    /// By notification id: the token, and what became of its batch.
    batches: HashMap<Mac, (Mac, HashSet<Event>)>,
    deferred: HashMap<Mac, Put>,
    lists: statuses::Lists,
    links: linking::Links,
}

/// A batch that was put off.
#[derive(Clone)]
struct Put {
    deferred: Deferred,
    reference: String,
    created_at: UnixTime,
    expires_at: UnixTime,
}

#[derive(Clone)]
struct Person {
    enrolled: Enrolled,
    import: ImportId,
    period: Option<InPeriod>,
}

#[derive(Clone, Copy)]
struct Token {
    offer: Mac,
    jkt: Option<Mac>,
    identified: bool,
    spent: bool,
    expires_at: UnixTime,
}

impl Memory {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Register for Memory {
    async fn begin_import(&self, import: &Import, _now: UnixTime) -> Result<Progress, StoreError> {
        Ok(*self.tables().imports.entry(import.id).or_default())
    }

    async fn enrol(&self, import: &Import, batch: Batch) -> Result<Progress, EnrolError> {
        let mut tables = self.tables();
        let mut progress = tables.imports.get(&import.id).copied().unwrap_or_default();
        if !(mutants::skips("store-import-place")
            || (progress.records_read == batch.from && !progress.finished))
        {
            return Err(EnrolError::Stale);
        }
        progress.rejected += batch.rejected;
        for error in batch.errors {
            tables.note(import.id, error);
        }
        let named = batch.rows.iter().map(|row| row.person).chain(batch.named);
        tables.named.entry(import.id).or_default().extend(named);
        for row in batch.rows {
            tables.enrol(import, row, &mut progress);
        }
        progress.records_read = batch.to;
        progress.finished = batch.last;
        if batch.last {
            progress.absent = tables.absent(import);
        }
        tables.imports.insert(import.id, progress);
        Ok(progress)
    }

    async fn row_errors(&self, id: ImportId) -> Result<Vec<RowError>, StoreError> {
        Ok(self.tables().errors.get(&id).map(|errors| errors.values().cloned().collect()).unwrap_or_default())
    }

    async fn person(&self, type_id: &str, person: Mac) -> Result<Option<Enrolled>, StoreError> {
        Ok(self.tables().people.get(&(type_id.to_owned(), person)).map(|found| found.enrolled.clone()))
    }

    async fn in_periods(&self, type_id: &str, whole: Mac) -> Result<Vec<Mac>, StoreError> {
        Ok(self.tables().in_periods(type_id, whole))
    }
}

impl Tables {
    /// How many the file has not named; who was named is forgotten then.
    fn absent(&mut self, import: &Import) -> u64 {
        let named = self.named.remove(&import.id).unwrap_or_default();
        let of_type = || self.people.iter().filter(|((type_id, _), _)| *type_id == import.type_id);
        let period = |found: &Person| found.period.as_ref().map(|period| period.period.clone());
        let of_file = of_type().filter(|((_, person), _)| named.contains(person));
        let periods: HashSet<_> = of_file.map(|(_, found)| period(found)).chain([None]).collect();
        let absent = of_type()
            .filter(|((_, person), found)| !named.contains(person) && periods.contains(&period(found)));
        absent.map(|_| 1).sum()
    }

    fn in_periods(&self, type_id: &str, whole: Mac) -> Vec<Mac> {
        let of = |found: &Person| found.period.as_ref().is_some_and(|period| period.whole == whole);
        let theirs = self.people.iter().filter(|((of_type, _), found)| of_type == type_id && of(found));
        theirs.map(|((_, person), _)| *person).collect()
    }

    /// The names of a person in all periods, by that in one; that alone where the type has none.
    fn siblings(&self, type_id: &str, person: Mac) -> Vec<Mac> {
        let found = self.people.get(&(type_id.to_owned(), person));
        match found.and_then(|found| found.period.as_ref()) {
            Some(period) => self.in_periods(type_id, period.whole),
            None => vec![person],
        }
    }

    fn note(&mut self, id: ImportId, error: RowError) {
        self.errors.entry(id).or_default().insert((error.line, error.column.clone()), error);
    }

    fn enrol(&mut self, import: &Import, row: SealedRow, progress: &mut Progress) {
        let key = (import.type_id.clone(), row.person);
        let existing = self.people.get(&key);
        let clash = existing.and_then(|found| enrol_clash(import, found.import, found.enrolled.facts_as_of));
        if let Some(reason) = clash {
            progress.rejected += 1;
            self.note(import.id, RowError::about_the_person(row.line, reason));
            return;
        }
        let revision = existing.map_or(0, |found| found.enrolled.revision) + 1;
        *(if revision == 1 { &mut progress.added } else { &mut progress.updated }) += 1;
        let enrolled = Enrolled { sealed: row.sealed, facts_as_of: import.facts_as_of, revision };
        self.people.insert(key, Person { enrolled, import: import.id, period: row.period });
    }
}

impl Offers for Memory {
    async fn add_offer(&self, offer: NewOffer) -> Result<(), AddOfferError> {
        let mut tables = self.tables();
        if !tables.people.contains_key(&(offer.type_id.clone(), offer.person)) {
            return Err(AddOfferError::UnknownPerson);
        }
        tables.handles.insert(offer.handle, offer.code);
        let state = OfferState {
            type_id: offer.type_id,
            person: offer.person,
            kind: offer.kind,
            tx_code: offer.tx_code,
            stage: Stage::Open,
            misses: 0,
            expires_at: offer.expires_at,
        };
        tables.offers.insert(offer.code, state);
        Ok(())
    }

    async fn offer_of_code(&self, code: Mac) -> Result<Option<OfferState>, StoreError> {
        Ok(self.tables().offers.get(&code).cloned())
    }

    async fn offer(&self, handle: Mac) -> Result<Option<OfferState>, StoreError> {
        let tables = self.tables();
        Ok(tables.handles.get(&handle).and_then(|code| tables.offers.get(code)).cloned())
    }

    async fn redeem(&self, redeem: &Redeem) -> Result<Result<(), RedeemRefusal>, StoreError> {
        let mut tables = self.tables();
        let Some(offer) = tables.offers.get_mut(&redeem.code) else {
            return Ok(Err(RedeemRefusal::UnknownCode));
        };
        let outcome = offer.redeem(redeem);
        if outcome.is_ok() {
            let token = Token {
                offer: redeem.code,
                jkt: redeem.jkt,
                identified: redeem.identified,
                spent: false,
                expires_at: redeem.token_expires_at,
            };
            tables.tokens.insert(redeem.token, token);
        }
        Ok(outcome)
    }
}

impl Issuing for Memory {
    async fn grant(&self, token: Mac) -> Result<Option<Grant>, StoreError> {
        let tables = self.tables();
        Ok(tables.tokens.get(&token).and_then(|found| {
            tables.offers.get(&found.offer).map(|offer| Grant {
                type_id: offer.type_id.clone(),
                person: offer.person,
                kind: offer.kind,
                jkt: found.jkt,
                identified: found.identified,
                expires_at: found.expires_at,
                spent: found.spent,
            })
        }))
    }

    async fn issue(&self, issue: &Issue) -> Result<Result<(), IssueRefusal>, StoreError> {
        let mut tables = self.tables();
        let before = tables.clone();
        let issued = tables.issue(issue);
        if issued.is_err() {
            *tables = before;
        }
        Ok(issued)
    }

    async fn see_proof(&self, proof: Mac, forget_at: UnixTime, now: UnixTime) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        tables.proofs.retain(|_, forget_at| now < *forget_at);
        let fresh = tables.proofs.insert(proof, forget_at).is_none();
        Ok(mutants::skips("store-proof-seen") || fresh)
    }

    async fn notify(&self, token: Mac, notification: Mac, event: Event) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some((owner, events)) = tables.batches.get_mut(&notification) else { return Ok(false) };
        if !(mutants::skips("store-notification-token") || *owner == token) {
            return Ok(false);
        }
        events.insert(event);
        Ok(true)
    }

    async fn notified(&self) -> Result<[u64; 3], StoreError> {
        let tables = self.tables();
        let told =
            |event: Event| tables.batches.values().filter(|(_, events)| events.contains(&event)).count();
        Ok(Event::ALL.map(|event| u64::try_from(told(event)).unwrap_or(u64::MAX)))
    }
}

impl Tables {
    fn issue(&mut self, issue: &Issue) -> Result<(), IssueRefusal> {
        self.spend(issue.token, &issue.nonces, issue.now)?;
        if let Some(link) = &issue.link {
            self.links.hold(link)?;
        }
        self.record(issue.token, issue.notification);
        Ok(())
    }

    /// Spends token and nonces, all or none.
    fn spend(&mut self, token: Mac, nonces: &[(Mac, UnixTime)], now: UnixTime) -> Result<(), IssueRefusal> {
        let found = self.tokens.get(&token).copied().ok_or(IssueRefusal::Token)?;
        if !token_is_good(found.spent, found.expires_at, now) {
            return Err(IssueRefusal::Token);
        }
        self.nonces.retain(|_, expires_at| *expires_at >= now);
        let fresh = nonces.iter().all(|(nonce, _)| !self.nonces.contains_key(nonce));
        if !(mutants::skips("store-nonce-used") || fresh) {
            return Err(IssueRefusal::Nonce);
        }
        self.nonces.extend(nonces.iter().copied());
        self.tokens.insert(token, Token { spent: true, ..found });
        Ok(())
    }

    fn record(&mut self, token: Mac, notification: Mac) {
        self.batches.insert(notification, (token, HashSet::new()));
    }
}
