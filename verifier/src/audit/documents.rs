//! The documents that entries are of: each held against its row, its request and the log.

use vouchsafe_protocol::decision::{self, Claims, leaf};
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::json;
use vouchsafe_protocol::permission::record;
use vouchsafe_protocol::tlog::notice;
use vouchsafe_protocol::tlog::tree::Hash;

use super::rows::{DecisionRow, NoticeRow, Reader};
use super::{AuditError, Book, Fault};
use crate::permissions::{is_ours, place};
use crate::secrets::{Kind, Vault};
use crate::store::{Permission, PermissionId, RequestId, ServiceId, env_word};

const ALTERED: &str = "it was altered, moved, or not written by the verifier";

/// Every decision, and every request that should have one.
pub(super) async fn decisions(reader: &mut Reader, vault: &Vault, book: &mut Book) -> Result<(), AuditError> {
    let mut after = (String::new(), String::new());
    loop {
        let rows = reader.decisions(after).await?;
        let Some(last) = rows.last() else { break };
        after = (last.service_id.clone(), last.request_id.clone());
        for row in &rows {
            book.verdict.decisions += 1;
            decision(row, vault, book);
        }
    }
    for (service, request) in reader.undecided().await? {
        let row = format_args!("decision of request {request} of {service}");
        book.fault(Fault::new(
            "decisions",
            row,
            "request_id",
            "the request is decided, and its decision is not there",
        ));
    }
    Ok(())
}

fn decision(row: &DecisionRow, vault: &Vault, book: &mut Book) {
    let name = format!("decision of request {} of {}", row.request_id, row.service_id);
    let (service, request) = (ServiceId(row.service_id.clone()), RequestId(row.request_id.clone()));
    let Some(input) = vault.bound(Kind::Decision, &service, &request, &row.signing_input) else {
        return book.fault(Fault::new("decisions", name, "signing_input", ALTERED));
    };
    let Some(claims) = claims(input) else {
        return book.fault(Fault::new("decisions", name, "signing_input", "it is not a decision"));
    };
    for (column, holds) in [("jti", claims.jti == row.jti), ("decided_at", claims.iat.0 == row.decided_at)] {
        if !holds {
            book.fault(Fault::new("decisions", &name, column, "it is not what the decision says"));
        }
    }
    let said = [
        ("env", &row.env, env_word(claims.env)),
        ("status", &row.status, "decided"),
        ("outcome", &row.outcome, claims.outcome.as_str()),
        ("policy_id", &row.policy_id, &claims.policy.id),
    ];
    for (column, kept, said) in said {
        if kept.as_deref() != Some(said) {
            let row = format_args!("request {} of {}", row.request_id, row.service_id);
            book.fault(Fault::new(
                "requests",
                row,
                column,
                "it is not what the decision says, or is not there",
            ));
        }
    }
    book.take(&leaf(decision::TYP, input.as_bytes()), &row.service_id, "decisions", &name);
}

fn claims(input: &str) -> Option<Claims> {
    let (_, claims) = input.split_once('.')?;
    json::typed(&b64u_decode(claims).ok()?, decision::MAX_LENGTH).ok()
}

/// Every permission: its row must be bound to the server key as it stands.
pub(super) async fn permissions(
    reader: &mut Reader,
    vault: &Vault,
    book: &mut Book,
) -> Result<(), AuditError> {
    let mut after = (String::new(), String::new());
    loop {
        let rows = reader.permissions(after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.key();
        for row in rows {
            let (service, id) = row.key();
            let ours = Permission::try_from(row).is_ok_and(|row| is_ours(vault, &row));
            if !ours {
                book.fault(Fault::new(
                    "permissions",
                    format!("permission {id} of {service}"),
                    "bound",
                    ALTERED,
                ));
            }
        }
    }
}

/// Every event of a permission.
pub(super) async fn events(reader: &mut Reader, vault: &Vault, book: &mut Book) -> Result<(), AuditError> {
    let mut after = (String::new(), String::new(), i64::MIN);
    loop {
        let rows = reader.events(after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.service_id.clone(), last.permission_id.clone(), last.number);
        for row in &rows {
            book.verdict.events += 1;
            let name =
                format!("event {} of permission {} of {}", row.number, row.permission_id, row.service_id);
            let (service, id) = (ServiceId(row.service_id.clone()), PermissionId(row.permission_id.clone()));
            let at = place(&id, row.number);
            let Some(input) = vault.bound(Kind::Record, &service, &at, &row.signing_input) else {
                book.fault(Fault::new("permission_events", name, "signing_input", ALTERED));
                continue;
            };
            book.take(&leaf(record::TYP, input.as_bytes()), &row.service_id, "permission_events", &name);
        }
    }
}

/// Every entry whose document was deleted when its retention was over: it must have been in the log.
pub(super) async fn forgotten(reader: &mut Reader, book: &mut Book) -> Result<(), AuditError> {
    for leaf in reader.forgotten().await? {
        book.verdict.forgotten += 1;
        let entry: Option<Hash> = leaf.as_slice().try_into().ok();
        if entry.and_then(|entry| book.open.remove(&entry)).is_none() {
            let row = format!("leaf {}", b64u(&leaf));
            book.fault(Fault::new(
                "log_forgotten",
                row,
                "leaf",
                "no entry that is without a document is this one",
            ));
        }
    }
    Ok(())
}

/// Every statement of what is in force.
pub(super) async fn notices(reader: &mut Reader, vault: &Vault, book: &mut Book) -> Result<(), AuditError> {
    for row in reader.notices().await? {
        book.verdict.notices += 1;
        notice(&row, vault, book);
    }
    Ok(())
}

fn notice(row: &NoticeRow, vault: &Vault, book: &mut Book) {
    let name = format!("position {}, {} {}", row.position, row.what, row.id);
    let (what, id) = (ServiceId(row.what.clone()), RequestId(row.id.clone()));
    let Some(jws) = vault.bound(Kind::Notice, &what, &id, &row.jws) else {
        return book.fault(Fault::new("notices", name, "jws", ALTERED));
    };
    let compact = Compact::parse(jws, notice::MAX_LENGTH).ok();
    let claims: Option<notice::Claims> =
        compact.and_then(|it| json::typed(it.dangerous_payload(), notice::MAX_LENGTH).ok());
    let Some(claims) = claims else {
        return book.fault(Fault::new("notices", name, "jws", "it is not a statement of what is in force"));
    };
    for (column, holds) in [("jti", claims.jti == row.jti), ("digest", claims.digest == b64u(&row.digest))] {
        if !holds {
            book.fault(Fault::new("notices", &name, column, "it is not what the statement says"));
        }
    }
    let input = jws.rsplit_once('.').map_or(jws, |(input, _)| input);
    book.take(&leaf(notice::TYP, input.as_bytes()), "", "notices", &name);
}
