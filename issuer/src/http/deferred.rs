//! The deferred endpoint: OpenID4VCI 9.
//!
//! A transaction is good with the token of its request, once, when an officer has approved it. The copies are bound to the
//! keys of that request and say what the register says now.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vci::credential::Carriage;
use vouchsafe_protocol::openid4vci::deferred::Received;
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_service::keys::RingAead;
use vouchsafe_service::store::detached;

use super::access::{Access, Presented};
use super::credential::{carriage, check_encryption, copies, count, issued, later, notification, utf8};
use super::{Body, Refusal, body};
use crate::app::App;
use crate::linking::Holders;
use crate::store::{Collect, Deferred, DeferredStage, Mac, Store, StoreError};

/// `POST /deferred`
pub(super) async fn deferred<S: Store>(
    State(app): State<Arc<App<S>>>,
    uri: Uri,
    headers: HeaderMap,
    sent: Body,
) -> Result<Response, Refusal> {
    let presented = Presented::read("/deferred", &uri, &headers)?;
    let carriage = carriage(&headers)?;
    detached(answer(Arc::clone(&app), presented, carriage, body(sent)?)).await?
}

async fn answer<S: Store>(
    app: Arc<App<S>>,
    presented: Presented,
    carriage: Carriage,
    body: Bytes,
) -> Result<Response, Refusal> {
    let access = presented.authorise(&app).await?;
    let received = match carriage {
        Carriage::Plain => Received::plain(&body)?,
        Carriage::Encrypted => {
            Received::encrypted(utf8(&body)?, app.request_kid(), app.request_key(), &RingAead)?
        }
    };
    check_encryption(&app, access.grant.kind, received.carriage, received.response.as_ref())?;
    let transaction = app.secrets().transaction(&received.transaction_id);
    let found = own(&app, &access, transaction).await?;
    match found.stage {
        DeferredStage::Waiting => later(&app, received.response.as_ref(), received.transaction_id),
        DeferredStage::Refused => Err(CredentialError::CredentialRequestDenied.into()),
        DeferredStage::Collected => Err(CredentialError::InvalidTransactionId.into()),
        DeferredStage::Approved => {
            let holders = holders(&app, transaction, &found)?;
            collect(&app, &access, transaction, &holders, &received).await
        }
    }
}

/// The transaction, if it came from the request that this token was for.
async fn own<S: Store>(app: &App<S>, access: &Access, transaction: Mac) -> Result<Deferred, Refusal> {
    let found = app.store().deferred(transaction).await?.ok_or(CredentialError::InvalidTransactionId)?;
    if !(mutants::skips("vci-deferred-token") || found.token == access.token) {
        return Err(CredentialError::InvalidTransactionId.into());
    }
    Ok(found)
}

/// The keys of the request, and what it was linked to.
fn holders<S: Store>(app: &App<S>, transaction: Mac, found: &Deferred) -> Result<Holders, StoreError> {
    let sealed = found.holders.as_deref().ok_or(StoreError::Damaged)?;
    app.secrets().open_holders(transaction, sealed).map_err(|_| StoreError::Damaged)
}

async fn collect<S: Store>(
    app: &App<S>,
    access: &Access,
    transaction: Mac,
    holders: &Holders,
    received: &Received,
) -> Result<Response, Refusal> {
    let (now, grant) = (app.now(), &access.grant);
    let denied = CredentialError::CredentialRequestDenied;
    let credential_type = app.types().by_id(&grant.type_id).ok_or(denied)?;
    let (copies, link) = copies(app, grant, credential_type, grant.kind, holders, now).await?;
    let (notification, id) = notification(app);
    let response = issued(app, received.response.as_ref(), &copies, &id)?;
    let collect = Collect { transaction, notification, copies: count(&copies), link, now };
    app.store().collect(&collect).await?.map_err(Refusal::of_collect)?;
    tracing::info!(
        copies_count = collect.copies,
        kind = grant.kind.as_str(),
        "issued a batch that was put off"
    );
    Ok(response)
}
