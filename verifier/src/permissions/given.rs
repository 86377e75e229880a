//! A permission as an answer gives it, until the transaction that decides.

use std::fmt;

use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::answer::Granted;
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::permission::Jkt;
use vouchsafe_protocol::permission::record::{About, Event, Happening, Record, RecordError};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{PermissionKind, Purpose};
use vouchsafe_service::secret::same;

use super::{GIVEN, bound, code, key_tag};
use crate::app::{App, Unavailable};
use crate::decision::Closing;
use crate::store::{Day, Effect, NewPermission, Permission, PermissionId, Request, Stands, Tag, Tenant};

/// What an answer permits, between answer and decision. It is about somebody, and is not printed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Permitted {
    /// A permission that is new.
    New(Box<New>),
    /// The one under which it was asked again.
    Again {
        /// The permission's id.
        id: String,
        /// The thumbprint of the key that answered.
        key: String,
        /// SHA-256 of the entry, where the answer meets the policy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transaction: Option<String>,
    },
}

/// A permission that is given.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    id: String,
    transaction: String,
    grant: String,
    record: Record,
    /// The sealed entry, where it can be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
}

impl fmt::Debug for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permitted(…)")
    }
}

/// What a permission is made of besides the grant: known before the answer is judged.
pub(crate) struct Making<'a> {
    pub(crate) id: [u8; 16],
    pub(crate) at: UnixTime,
    pub(crate) asked: &'a Asked,
    pub(crate) purpose: &'a Purpose,
    pub(crate) withdraw_at: &'a str,
}

impl Making<'_> {
    /// What the grant gives.
    pub(crate) fn new_permission(&self, granted: &Granted) -> Result<Permitted, RecordError> {
        let about = About {
            id: self.id,
            principal: Some(*granted.jkt()),
            asked: self.asked,
            purpose: self.purpose,
            withdraw_at: self.withdraw_at,
        };
        let record = Record::new(&about, Event { at: self.at, what: Happening::Given })?;
        Ok(Permitted::New(Box::new(New {
            id: format!("perm_{}", b64u(self.id)),
            transaction: b64u(granted.transaction()),
            grant: granted.grant().to_owned(),
            record,
            entry: None,
        })))
    }
}

impl Permitted {
    /// What the decision names it by.
    #[must_use]
    pub fn transaction(&self) -> Option<String> {
        match self {
            Self::New(new) => Some(new.transaction.clone()),
            Self::Again { transaction, .. } => transaction.clone(),
        }
    }

    /// The permission under which it was asked again.
    #[must_use]
    pub fn again(&self) -> Option<PermissionId> {
        match self {
            Self::New(_) => None,
            Self::Again { id, .. } => Some(PermissionId(id.clone())),
        }
    }

    /// Whether the answer is by the key of the permission under which was asked; of a new one, by its own.
    pub(crate) async fn is_by_its_key(&self, app: &App, tenant: &Tenant) -> Result<bool, Unavailable> {
        let Self::Again { id, key, .. } = self else { return Ok(true) };
        let found = app.store().permission(tenant, &PermissionId(id.clone())).await?;
        let tag = Jkt::from_text(key).map(|key| key_tag(app.vault(), &key));
        // A permission that is no more has no key: the transaction that decides says so.
        let same = found.is_none_or(|row| tag.is_some_and(|tag| same(&tag.0, &row.key.0)));
        Ok(mutants::skips("perm-again-key") || same)
    }

    /// Keeps the entry of a standing permission for later, sealed; of others it is erased with the request.
    pub(crate) fn keep(&mut self, app: &App, request: &Request, entry: &str) {
        let Self::New(new) = self else { return };
        if new.record.kind() != PermissionKind::Standing {
            return;
        }
        let id = PermissionId(new.id.clone());
        new.entry = Some(b64u(app.vault().seal_entry(entry, &request.service, &id, app.entropy())));
    }

    /// What the deciding transaction writes of it.
    pub(crate) fn effects(&self, app: &App, closing: &Closing<'_>) -> Vec<Effect> {
        match self {
            Self::New(new) => new.effects(app, closing),
            Self::Again { .. } => Vec::new(),
        }
    }
}

impl New {
    fn effects(&self, app: &App, closing: &Closing<'_>) -> Vec<Effect> {
        let Some(permission) = self.row(app, closing) else { return Vec::new() };
        let id = permission.id.clone();
        let row = (&permission.service, &id, permission.events);
        let written = app.records().write(app.vault(), row, self.record.clone(), closing.at, app.entropy());
        let code = super::letter::tag(app.vault(), &code(app.vault(), &permission.tenant(), &id));
        let new = NewPermission { permission, code, grant: self.grant.clone(), first: written.event };
        vec![Effect::Permission(Box::new(new)), Effect::Leaf(written.leaf), Effect::Tell(id, GIVEN)]
    }

    /// The row; none where the record names no key, which no record of something given does.
    fn row(&self, app: &App, closing: &Closing<'_>) -> Option<Permission> {
        let (request, question) = (closing.request, closing.question);
        let (policy, key): (_, &Jkt) = (&question.policy, self.record.principal()?);
        let said = policy.permission.as_ref()?;
        let today = Day::of(question.as_of);
        let mut row = Permission {
            service: request.service.clone(),
            env: request.env,
            id: PermissionId(self.id.clone()),
            key: key_tag(app.vault(), key),
            policy_id: policy.id.clone(),
            policy_digest: policy.digest_text(),
            asked_digest: request.asked_digest,
            given_at: closing.at,
            given_day: today,
            until: Day::of(self.record.until()),
            asked_day: today,
            every_days: said.every_days.map_or(0, i64::from),
            uses_left: said.uses().map(i64::from),
            retention_days: question.purpose.document().retention_days.into(),
            state: Stands::Given,
            events: 1,
            bound: Tag([0; 32]),
            entry: self.entry.as_deref().and_then(|sealed| b64u_decode(sealed).ok()),
        };
        row.bound = bound(app.vault(), &row);
        Some(row)
    }
}
