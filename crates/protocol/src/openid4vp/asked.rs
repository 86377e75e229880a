//! What was asked: the one record from which both sides build what a proof is bound to.
//!
//! The verifier makes it from its own request row, the wallet from the request that it verified. Neither takes a
//! field of it from an answer.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::{self, ReplyTo};
use vouchsafe_proofs::encoding::day;
use vouchsafe_proofs::pseudonym::Scope;
use vouchsafe_proofs::statement::Statement;

use super::transaction_data::{Entry, TransactionDataError};
use crate::encoding::sha256;
use crate::json;
use crate::permission::{self, Jkt, Payment, Terms, TermsError};
use crate::policy::{ContextOption, Needed, Plan, PlanError, PlannedOutcome, Policy, Shown, plan};
use crate::statement::WireStatement;
use crate::trust::{PermissionKind, TableExtract, Tables};

/// Who asked, under which nonce, and where the answer goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Party {
    /// The stable service id.
    pub service: String,
    /// The client id with its prefix.
    pub client_id: String,
    /// The nonce.
    pub nonce: String,
    /// SHA-256 of the text of `state`.
    pub state_sha256: [u8; 32],
    /// Where the answer goes.
    pub reply_to: ReplyTo,
    /// The thumbprint of the response-encryption key; absent for an answer in clear.
    pub encryption_key: Option<[u8; 32]>,
}

impl Party {
    /// Who a key binding is for: the whole client id, or the origin of the page that asked through the browser, even
    /// where its request is signed (appendix A.4).
    #[must_use]
    pub fn audience(&self) -> String {
        match &self.reply_to {
            ReplyTo::ResponseUri(_) => self.client_id.clone(),
            ReplyTo::Origin(origin) => format!("origin:{origin}"),
        }
    }
}

// Nonce, state and the handle in the address let somebody else answer or look in: none is ever printed.
impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, client_id, .. } = self;
        f.debug_struct("Party")
            .field("service", service)
            .field("client_id", client_id)
            .finish_non_exhaustive()
    }
}

/// A request as it is remembered.
#[derive(Clone)]
pub struct Asked {
    party: Party,
    policy: Policy,
    tables: Tables,
    as_of: Date,
    plan: Plan,
    statements: Vec<Statement>,
    statements_sha256: [u8; 32],
    /// What the pseudonym is for, where one is asked for.
    scope: Option<Scope>,
    transaction_data: Vec<Entry>,
    /// What the answer permits, where the policy asks for a permission.
    terms: Option<Terms>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("party", &self.party)
            .field("policy", &self.policy.id)
            .field("version", &self.policy.version)
            .field("as_of", &self.as_of)
            .finish_non_exhaustive()
    }
}

/// One option of the request, chosen by the queries that were answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    index: usize,
    outcome: PlannedOutcome,
    queries: Vec<String>,
    /// The key of the permission that is given with the answer.
    permission_key: Option<Jkt>,
}

impl Chosen {
    /// Its index among the options.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// What it means when its evidence holds.
    #[must_use]
    pub fn outcome(&self) -> PlannedOutcome {
        self.outcome
    }

    /// Its queries in DCQL order.
    #[must_use]
    pub fn queries(&self) -> &[String] {
        &self.queries
    }

    /// The same with the key of the permission that is given with it: a wallet makes a fresh one for each.
    #[must_use]
    pub fn permitting(self, key: Jkt) -> Self {
        Self { permission_key: Some(key), ..self }
    }

    /// The key of the permission that is given with it.
    #[must_use]
    pub fn permission_key(&self) -> Option<&Jkt> {
        self.permission_key.as_ref()
    }
}

/// The answered queries are not exactly those of one option.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the answer does not give exactly one of the options that were asked for")]
pub struct NotAnOption;

impl Asked {
    /// The record of a request by `policy` on the day `as_of`.
    ///
    /// # Errors
    /// [`PlanError`] where the policy has no plan for the day, or one with a statement that cannot be proved.
    pub fn new(party: Party, policy: Policy, tables: Tables, as_of: Date) -> Result<Self, PlanError> {
        let plan = plan(&policy, &tables, as_of)?;
        Self::planned(party, policy, tables, as_of, plan)
    }

    fn planned(
        party: Party,
        policy: Policy,
        tables: Tables,
        as_of: Date,
        plan: Plan,
    ) -> Result<Self, PlanError> {
        let statements = plan.to_proof(&tables)?;
        // Of the service that asks, as the registrar knows it, and of no other: nobody can ask for another's names.
        let scope =
            plan.pseudonym.as_ref().map(|asked| Scope::new(&party.service, &asked.action, &asked.epoch));
        let scope = scope.map(|scope| scope.ok_or(PlanError::Pseudonym)).transpose()?;
        let sent = json::canonical(&plan.query.statements).expect("statements are strings and integers");
        Ok(Self {
            party,
            policy,
            tables,
            as_of,
            plan,
            statements,
            statements_sha256: sha256(sent),
            scope,
            transaction_data: Vec::new(),
            terms: None,
        })
    }

    /// The verifier's side: the same with the permission that the policy asks for. `salt` is fresh and random.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn authorising(self, salt: &[u8; 16], payment: Option<Payment>) -> Result<Self, TermsError> {
        let terms = Terms::new(&self.policy, &self.plan, self.as_of, salt, payment)?;
        let transaction_data = vec![terms.entry().clone()];
        Ok(Self { transaction_data, terms: Some(terms), ..self })
    }

    /// Either side: the same with entries that came, or that were kept. Where the policy asks for a permission there is
    /// exactly one entry, and it says what the policy does; elsewhere none asks for one.
    ///
    /// # Errors
    /// [`TransactionDataError`].
    pub fn taking(self, entries: Vec<Entry>) -> Result<Self, TransactionDataError> {
        let mut ours = entries.iter().filter(|entry| permission::is_ours(entry));
        let terms = match (&self.policy.permission, ours.next()) {
            (None, None) => None,
            (None, Some(_)) if mutants::skips("perm-entry-unasked") => None,
            (None, Some(_)) => return Err(TransactionDataError::Unasked),
            (Some(_), None) if mutants::skips("perm-entry-missing") => None,
            (Some(_), None) => return Err(TransactionDataError::Missing),
            (Some(_), Some(_)) if entries.len() > 1 && !mutants::skips("perm-entry-several") => {
                return Err(TransactionDataError::Several);
            }
            (Some(_), Some(entry)) => Some(Terms::of_entry(entry, &self.policy, &self.plan, self.as_of)?),
        };
        Ok(Self { transaction_data: entries, terms, ..self })
    }

    /// Either side: the same with the entry of a standing permission that was given on the day `given` and under which it
    /// is asked again, on its last day or before.
    ///
    /// # Errors
    /// [`TransactionDataError`].
    pub fn taking_again(self, entry: Entry, given: Date) -> Result<Self, TransactionDataError> {
        let terms = Terms::of_entry(&entry, &self.policy, &self.plan, given)?;
        let within = (given..=terms.until()).contains(&self.as_of);
        if !(mutants::skips("perm-entry-over") || within) {
            return Err(TransactionDataError::Differs);
        }
        // Whatever else is permitted is asked for anew, by an entry of its own.
        let standing = terms.kind() == PermissionKind::Standing || self.as_of == given;
        if !(mutants::skips("perm-entry-standing") || standing) {
            return Err(TransactionDataError::Differs);
        }
        Ok(Self { transaction_data: vec![entry], terms: Some(terms), ..self })
    }

    /// What the answer permits, where the policy asks for a permission.
    #[must_use]
    pub fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// The same with transaction data that the answer must cover.
    #[must_use]
    pub fn with_transaction_data(mut self, entries: Vec<Entry>) -> Self {
        self.transaction_data = entries;
        self
    }

    /// The transaction data that the answer must cover, as it was sent.
    #[must_use]
    pub fn transaction_data(&self) -> &[Entry] {
        &self.transaction_data
    }

    /// Who asked.
    #[must_use]
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// By which policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The tables and lists at hand.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The day of asking.
    #[must_use]
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// The query with its statements and options.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The options, in order.
    #[must_use]
    pub fn options(&self) -> &[ContextOption] {
        &self.plan.options
    }

    /// The option at `index`.
    #[must_use]
    pub fn option(&self, index: usize) -> Option<Chosen> {
        let option = self.plan.options.get(index)?;
        let queries = self.in_order(&option.queries);
        Some(Chosen { index, outcome: option.outcome, queries, permission_key: None })
    }

    /// The option whose queries are exactly those that were answered.
    ///
    /// # Errors
    /// [`NotAnOption`].
    pub fn choose<'a>(&self, answered: impl IntoIterator<Item = &'a str>) -> Result<Chosen, NotAnOption> {
        let answered: BTreeSet<&str> = answered.into_iter().collect();
        let is = |option: &ContextOption| {
            let wanted: BTreeSet<&str> = option.queries.iter().map(String::as_str).collect();
            wanted == answered || (mutants::skips("vp-one-option") && wanted.is_subset(&answered))
        };
        let index = self.plan.options.iter().position(is).ok_or(NotAnOption)?;
        self.option(index).ok_or(NotAnOption)
    }

    /// The statements that apply to an option, in the order of the request.
    #[must_use]
    pub fn statements(&self, chosen: &Chosen) -> Vec<Statement> {
        let applies = |s: &&Statement| s.terms.iter().all(|term| chosen.queries.contains(&term.query));
        self.statements.iter().filter(applies).cloned().collect()
    }

    /// The same as they were sent.
    pub fn wire_statements(&self, chosen: &Chosen) -> impl Iterator<Item = &WireStatement> {
        self.plan.statements(chosen.index)
    }

    /// The credential that answers the query `id`, as the policy wants it.
    #[must_use]
    pub fn needed(&self, id: &str) -> Option<&Needed> {
        self.plan.needed(id)
    }

    /// What an option shows, to be judged by its value.
    #[must_use]
    pub fn shown(&self, chosen: &Chosen) -> &[Shown] {
        self.plan.shown(chosen.index)
    }

    /// What the pseudonym is for, where one is asked for.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// The query of an option whose credential the pseudonym is of.
    #[must_use]
    pub fn known_by<'c>(&self, chosen: &'c Chosen) -> Option<&'c str> {
        let asked = self.plan.pseudonym.as_ref()?;
        chosen.queries.iter().find(|query| asked.queries.contains(query)).map(String::as_str)
    }

    /// What a proof for an option is bound to, with the presented credentials in DCQL order.
    ///
    /// The hashes of the transaction data stand there, and the key of the permission that is given with the option.
    ///
    /// Where a pseudonym is asked for, its context stands there, and the commitment to its secret on the one credential that
    /// it is of; its value is the caller's to add.
    #[must_use]
    pub fn context(&self, chosen: &Chosen, mut credentials: Vec<context::Credential>) -> context::Context {
        let known_by = self.known_by(chosen);
        for credential in &mut credentials {
            credential.link = credential.link.filter(|_| known_by == Some(credential.query.as_str()));
        }
        let pseudonym = self
            .scope
            .as_ref()
            .map(|scope| context::Pseudonym { context: scope.as_str().to_owned(), value: Vec::new() });
        let Party { service, client_id, nonce, state_sha256, reply_to, encryption_key } = self.party.clone();
        context::Context {
            request: context::Request { service, client_id, nonce, state_sha256, reply_to, encryption_key },
            policy: context::Policy {
                purpose: self.policy.purpose.clone(),
                id: self.policy.id.clone(),
                version: self.policy.version.into(),
                digest: *self.policy.digest(),
                statements: self.statements_sha256,
                option: chosen.index as u64,
                as_of: day(self.as_of).expect("the day of asking is after 1600"),
                tables: self.used_tables(),
            },
            authorisation: context::Authorisation {
                transactions: self.transaction_data.iter().map(|entry| sha256(entry.text())).collect(),
                pseudonym,
                permission_key: chosen.permission_key.map(|key| *key.bytes()),
            },
            credentials,
        }
    }

    /// Every table and list that a rule of the policy names, once, by id and version.
    pub fn tables_to_send(&self) -> impl Iterator<Item = &TableExtract> {
        self.policy.tables().into_iter().filter_map(|(id, version)| self.tables.table(id, version))
    }

    fn used_tables(&self) -> Vec<context::Table> {
        let used = |table: &TableExtract| context::Table {
            id: table.id().to_owned(),
            version: table.version().into(),
            hash: *table.hash(),
        };
        self.tables_to_send().map(used).collect()
    }

    fn in_order(&self, queries: &[String]) -> Vec<String> {
        let ids = self.plan.query.credentials.iter().map(|query| &query.id);
        ids.filter(|id| queries.contains(id)).cloned().collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::statement::StatementError;
    use serde_json::json;

    /// What is asked of incomes, after `spoil` has changed its plan.
    fn asked(spoil: fn(&mut Plan)) -> Result<Asked, PlanError> {
        let words = json!({"en": "Ask.", "cy": "Gofynnwch."});
        let policy = json!({"id": "meals", "version": 1, "purpose": "meals", "subject": "same_person",
            "subject_binding": "same_device", "other_route": words,
            "accept": [{"vct": "https://larkfield.example/types/income/1/zk", "iss": ["https://larkfield.example"],
                "max_age_days": 30}],
            "conditions": [{"id": "low", "pointer": "/income", "op": "le", "rule": {"kind": "fixed"}, "k": "740000"}]});
        let policy = Policy::from_json(policy).unwrap();
        let as_of = jiff::civil::date(2026, 11, 21);
        let mut plan = plan(&policy, &Tables::default(), as_of).unwrap();
        spoil(&mut plan);
        let party = Party {
            service: "https://meals.example".into(),
            client_id: "x509_hash:A".into(),
            nonce: "n".into(),
            state_sha256: [0; 32],
            reply_to: ReplyTo::ResponseUri("https://verifier.example/a/b".into()),
            encryption_key: None,
        };
        Asked::planned(party, policy, Tables::default(), as_of, plan)
    }

    #[test]
    fn no_statement_is_dropped() {
        let asked_for = asked(|_| ()).unwrap();
        assert_eq!(asked_for.statements(&asked_for.option(0).unwrap()).len(), 1);
        let fault = |spoil| asked(spoil).err();
        let of = |fault| Some(PlanError::Statement { id: "low-q0".into(), fault });
        let bounds = |plan: &mut Plan| plan.query.statements[0].k = Some("0740000".into());
        assert_eq!(fault(bounds), of(StatementError::Bounds));
        assert_eq!(fault(|plan| plan.query.statements[0].terms[0].coeff = 0), of(StatementError::Terms));
    }
}
