//! A request without a policy, as other people's software makes it: a query in DCQL alone (sections 5.1 and 6).
//!
//! The registrar's word is needed all the same: who asks, what for, and what may be seen for it. What the query asks is
//! told and shown as it stands; there is nothing to prove, because statements mean something under a policy only.

use std::fmt;

use jiff::civil::Date;
use vouchsafe_mutants as mutants;

use super::carried::{Against, Asking};
use super::request::RequestError;
use super::transaction_data::{self, Entry};
use super::{Asked, Party};
use crate::dcql::{FORMAT, Query};
use crate::policy::{NotCovered, covers};
use crate::trust::{Extract, How, Purpose, ServiceEntry};

/// What a request asks.
#[derive(Clone, Debug)]
pub enum Question {
    /// Whether a policy is met.
    Policy(Box<Asked>),
    /// To be shown what a query names.
    Plain(Box<PlainAsked>),
}

impl Question {
    /// Who asks.
    #[must_use]
    pub fn party(&self) -> &Party {
        match self {
            Self::Policy(asked) => asked.party(),
            Self::Plain(asked) => asked.party(),
        }
    }

    /// The day of asking.
    #[must_use]
    pub fn as_of(&self) -> Date {
        match self {
            Self::Policy(asked) => asked.as_of(),
            Self::Plain(asked) => asked.as_of(),
        }
    }
}

/// A query alone, with who asks it.
#[derive(Clone)]
pub struct PlainAsked {
    party: Party,
    query: Query,
    as_of: Date,
    transaction_data: Vec<Entry>,
}

impl fmt::Debug for PlainAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainAsked")
            .field("party", &self.party)
            .field("as_of", &self.as_of)
            .finish_non_exhaustive()
    }
}

impl PlainAsked {
    /// Who asks.
    #[must_use]
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// What for.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The day of asking.
    #[must_use]
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// The transaction data that the answer must cover, as it was sent.
    #[must_use]
    pub fn transaction_data(&self) -> &[Entry] {
        &self.transaction_data
    }
}

impl Asking<'_> {
    /// Step 9 of a request without a policy: the query asks for nothing that its purpose does not name.
    pub(super) fn plainly(
        &self,
        service: &Extract<ServiceEntry>,
        purpose: &Purpose,
        against: &Against<'_>,
    ) -> Result<PlainAsked, RequestError> {
        let query = Query::from_value(self.dcql_query).map_err(RequestError::Dcql)?;
        if !(mutants::skips("vp-plain-statements") || query.statements.is_empty()) {
            return Err(RequestError::Statements);
        }
        let mut ours = query.clone();
        // What is asked in another format is nothing that could be answered here.
        ours.credentials.retain(|credential| credential.format == FORMAT);
        covers(purpose, &ours)
            .and_then(|()| covers_types(purpose, &ours))
            .map_err(RequestError::OverAsking)?;
        let entries = self.transaction_data.map(|sent| transaction_data::read(sent, &query, against.types));
        let transaction_data =
            entries.transpose().map_err(RequestError::TransactionData)?.unwrap_or_default();
        let as_of = self.iat.london_date();
        Ok(PlainAsked { party: self.party(service), query, as_of, transaction_data })
    }
}

/// Whether the purpose lets something be seen of every type: to show a credential says that one has it, even where no
/// claim of it is shown.
fn covers_types(purpose: &Purpose, query: &Query) -> Result<(), NotCovered> {
    let seen = |vct: &str| purpose.may_ask.iter().any(|may| may.vct == vct && may.how == How::Show);
    for credential in &query.credentials {
        let other = credential.vct_values().into_iter().find(|vct| !seen(vct));
        if let Some(vct) = other.filter(|_| !mutants::skips("vp-plain-type")) {
            return Err(NotCovered { vct: vct.to_owned(), pointer: String::new(), how: "show" });
        }
    }
    Ok(())
}
