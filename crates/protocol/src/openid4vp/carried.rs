//! What a request carries about itself, whichever way it came: the registrar's documents, the policy, and that it asks
//! for what they say (steps 7 to 9 of the wallet's verification).

use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::ReplyTo;

use super::plain::Question;
use super::request::{CONTEXT, ContextInfo, Info, POLICY, PURPOSE, RequestError, SERVICE, TABLE};
use super::transaction_data::{self, TransactionDataError, TransactionType};
use super::verify::Given;
use super::{Asked, Party, ResponseKey};
use crate::dcql::Query;
use crate::json;
use crate::permission;
use crate::policy::{Policy, covers_permission, covers_plan};
use crate::text::Env;
use crate::time::UnixTime;
use crate::trust::{Extract, Judge, Purpose, ServiceEntry, Table, Tables};

/// What a wallet holds it against.
#[derive(Clone, Copy)]
pub(super) struct Against<'a> {
    pub(super) env: Env,
    pub(super) judge: Judge<'a>,
    pub(super) types: &'a [TransactionType],
    /// Standing permissions that it gave.
    pub(super) given: &'a [Given<'a>],
}

/// A request whose signature holds.
pub(super) struct Asking<'a> {
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) state_sha256: [u8; 32],
    pub(super) reply_to: ReplyTo,
    pub(super) response_key: Option<&'a ResponseKey>,
    pub(super) iat: UnixTime,
    pub(super) dcql_query: &'a Value,
    pub(super) transaction_data: Option<&'a Value>,
    pub(super) verifier_info: &'a [Info],
}

/// A request that the registrar vouches for, and that asks for what its policy says or its purpose allows.
pub(super) struct Vouched<A = Asked> {
    pub(super) service: Extract<ServiceEntry>,
    pub(super) purpose: Extract<Purpose>,
    pub(super) asked: A,
    pub(super) reg_version: u64,
}

impl Asking<'_> {
    /// A request by a policy, or one that carries nothing of a policy: a query alone.
    pub(super) fn vouched(&self, against: &Against<'_>) -> Result<Vouched<Question>, RequestError> {
        if self.verifier_info.iter().any(|info| [TABLE, POLICY, CONTEXT].contains(&info.format.as_str())) {
            let Vouched { service, purpose, asked, reg_version } = self.by_policy(against)?;
            return Ok(Vouched { service, purpose, asked: Question::Policy(Box::new(asked)), reg_version });
        }
        let (service, purpose) = self.registered(&in_order(self.verifier_info)?, against)?;
        let reg_version = service.document().reg_version;
        let asked = self.plainly(&service, purpose.document(), against)?;
        Ok(Vouched { service, purpose, asked: Question::Plain(Box::new(asked)), reg_version })
    }

    /// A request by a policy.
    pub(super) fn by_policy(&self, against: &Against<'_>) -> Result<Vouched, RequestError> {
        let carried = Carried::read(self.verifier_info)?;
        let (service, purpose) = carried.authorise(self, against)?;
        let reg_version = service.document().reg_version;
        let tables = carried.tables(against, reg_version)?;
        let asked = carried.recompute(self, &service, tables)?;
        // The registrar's limit, whatever the policy says.
        covers_plan(purpose.document(), asked.plan()).map_err(RequestError::OverAsking)?;
        let asked =
            self.permitting(asked, purpose.document(), against).map_err(RequestError::TransactionData)?;
        Ok(Vouched { service, purpose, asked, reg_version })
    }

    /// The entries of types that are known, and the permission that the policy asks for and the purpose allows.
    fn permitting(
        &self,
        asked: Asked,
        purpose: &Purpose,
        against: &Against<'_>,
    ) -> Result<Asked, TransactionDataError> {
        covers_permission(purpose, asked.policy())?;
        let types = [against.types, &permission::TYPES].concat();
        let entries =
            self.transaction_data.map(|sent| transaction_data::read(sent, &asked.plan().query, &types));
        // 5.1: what is not known must be refused, never passed over.
        let entries = entries.transpose()?.unwrap_or_default();
        let sent = entries.first().filter(|_| entries.len() == 1);
        let known = sent.and_then(|sent| against.given.iter().find(|given| given.entry == sent.text()));
        match (known, sent) {
            (Some(given), Some(sent)) => asked.taking_again(sent.clone(), given.on),
            _ => asked.taking(entries),
        }
    }

    /// Step 8: the registrar knows this service under this client id and lets it ask for this purpose.
    fn registered(
        &self,
        known: &[&Info],
        against: &Against<'_>,
    ) -> Result<(Extract<ServiceEntry>, Extract<Purpose>), RequestError> {
        text(known, SERVICE)?;
        let purpose = text(known, PURPOSE)?;
        let service = known_service(self.verifier_info, self.client_id, against)?;
        let entry = service.document();
        let purpose = against.judge.verify::<Purpose>(purpose).map_err(RequestError::Purpose)?;
        if !(mutants::skips("vp-service-purpose") || entry.purposes.contains(&purpose.document().sub)) {
            return Err(RequestError::PurposeNotAllowed);
        }
        one_register(entry.reg_version, purpose.document().reg_version)?;
        Ok((service, purpose))
    }

    pub(super) fn party(&self, service: &Extract<ServiceEntry>) -> Party {
        Party {
            service: service.document().sub.clone(),
            client_id: self.client_id.to_owned(),
            nonce: self.nonce.to_owned(),
            state_sha256: self.state_sha256,
            reply_to: self.reply_to.clone(),
            encryption_key: self.response_key.map(|response| response.key.key.thumbprint()),
        }
    }
}

/// Step 7: each kind once, in order; unknown kinds are passed over.
fn in_order(all: &[Info]) -> Result<Vec<&Info>, RequestError> {
    const KNOWN: [&str; 5] = [SERVICE, PURPOSE, TABLE, POLICY, CONTEXT];
    let known: Vec<_> = all.iter().filter(|info| KNOWN.contains(&info.format.as_str())).collect();
    let place = |info: &Info| KNOWN.iter().position(|format| *format == info.format);
    let rises = |pair: &[&Info]| {
        place(pair[0]) < place(pair[1]) || (pair[0].format == TABLE && pair[1].format == TABLE)
    };
    if !(mutants::skips("vp-info-order") || known.windows(2).all(rises)) {
        return Err(RequestError::Info);
    }
    Ok(known)
}

fn one<'a>(known: &[&'a Info], format: &str) -> Result<&'a Value, RequestError> {
    known.iter().find(|info| info.format == format).map(|info| &info.data).ok_or(RequestError::Info)
}

fn text<'a>(known: &[&'a Info], format: &str) -> Result<&'a str, RequestError> {
    one(known, format)?.as_str().ok_or(RequestError::Info)
}

/// The service that the registrar knows under this client id and in this environment.
pub(super) fn known_service(
    all: &[Info],
    client_id: &str,
    against: &Against<'_>,
) -> Result<Extract<ServiceEntry>, RequestError> {
    let jws = all.iter().find(|info| info.format == SERVICE).and_then(|info| info.data.as_str());
    let service = against
        .judge
        .verify::<ServiceEntry>(jws.ok_or(RequestError::Info)?)
        .map_err(RequestError::Service)?;
    let entry = service.document();
    if !(mutants::skips("vp-service-client-id") || entry.client_ids.iter().any(|id| id == client_id)) {
        return Err(RequestError::OtherService);
    }
    if !(mutants::skips("vp-service-env") || entry.env == against.env) {
        return Err(RequestError::Env);
    }
    Ok(service)
}

/// All entries of a register have its version: extracts of two registers say what no registrar said at one time.
pub(super) fn one_register(a: u64, b: u64) -> Result<(), RequestError> {
    if !(mutants::skips("vp-one-register") || a == b) {
        return Err(RequestError::TwoRegisters);
    }
    Ok(())
}

/// What a request by a policy carries about itself.
struct Carried<'a> {
    known: Vec<&'a Info>,
    tables: Vec<&'a str>,
    policy: &'a Value,
    context: ContextInfo,
}

impl<'a> Carried<'a> {
    fn read(all: &'a [Info]) -> Result<Self, RequestError> {
        let known = in_order(all)?;
        let tables = known.iter().filter(|info| info.format == TABLE).map(|info| info.data.as_str());
        let tables = tables.map(|data| data.ok_or(RequestError::Info)).collect::<Result<_, _>>()?;
        let context = json::of_value(one(&known, CONTEXT)?.clone()).map_err(|_| RequestError::Info)?;
        let policy = one(&known, POLICY)?;
        Ok(Self { known, tables, policy, context })
    }

    /// Step 8, and that the policy is for the registered purpose.
    fn authorise(
        &self,
        asking: &Asking<'_>,
        against: &Against<'_>,
    ) -> Result<(Extract<ServiceEntry>, Extract<Purpose>), RequestError> {
        let (service, purpose) = asking.registered(&self.known, against)?;
        let wanted = self.policy.get("purpose").and_then(Value::as_str);
        if !(mutants::skips("vp-policy-purpose") || wanted == Some(&purpose.document().sub)) {
            return Err(RequestError::OtherPurpose);
        }
        Ok((service, purpose))
    }

    fn tables(&self, against: &Against<'_>, reg_version: u64) -> Result<Tables, RequestError> {
        let mut tables = Tables::default();
        for jws in &self.tables {
            let table = against.judge.verify::<Table>(jws).map_err(RequestError::Table)?;
            let (id, version) = (&table.document().sub, table.document().version);
            if !(mutants::skips("vp-table-once") || tables.table(id, version).is_none()) {
                return Err(RequestError::Info);
            }
            one_register(reg_version, table.document().reg_version)?;
            tables.insert(&table);
        }
        Ok(tables)
    }

    /// Step 9: policy, day, statements, query and options are what the policy gives on the day of asking.
    fn recompute(
        &self,
        asking: &Asking<'_>,
        service: &Extract<ServiceEntry>,
        tables: Tables,
    ) -> Result<Asked, RequestError> {
        let policy = Policy::from_json(self.policy.clone()).map_err(|_| RequestError::Policy)?;
        if !(mutants::skips("vp-policy-digest") || self.context.policy_digest == policy.digest_text()) {
            return Err(RequestError::PolicyDigest);
        }
        // A free choice of day would bisect a birth date.
        if !(mutants::skips("vp-as-of") || self.context.as_of == asking.iat.london_date()) {
            return Err(RequestError::AsOf);
        }
        let party = asking.party(service);
        let asked = Asked::new(party, policy, tables, self.context.as_of).map_err(RequestError::Plan)?;
        check_query(asking.dcql_query, &self.context, &asked)?;
        Ok(asked)
    }
}

fn check_query(sent: &Value, context: &ContextInfo, asked: &Asked) -> Result<(), RequestError> {
    let planned = asked.plan();
    let query = Query::from_value(sent).map_err(RequestError::Dcql)?;
    // As sent, member by member: the proof is bound to this array.
    let statements = sent.get("statements").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    let expected =
        serde_json::to_value(&planned.query.statements).expect("statements are strings and integers");
    if !(mutants::skips("vp-plan-statements") || statements == expected) {
        return Err(RequestError::Statements);
    }
    let same = query.credentials == planned.query.credentials
        && query.credential_sets == planned.query.credential_sets;
    if !(mutants::skips("vp-plan-query") || same) {
        return Err(RequestError::Query);
    }
    if !(mutants::skips("vp-plan-options") || context.options == planned.options) {
        return Err(RequestError::Options);
    }
    if !(mutants::skips("vp-plan-pseudonym") || context.pseudonym == planned.pseudonym) {
        return Err(RequestError::Pseudonym);
    }
    Ok(())
}
