//! Offers by reference: OpenID4VCI 4.1.3.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;

use super::{Refusal, secret_json};
use crate::app::App;
use crate::offer;
use crate::store::Store;
use crate::types::configuration;

/// `GET /offers/{handle}`. Looking does not use an offer up: links are opened by previews too.
pub(super) async fn offer<S: Store>(
    State(app): State<Arc<App<S>>>,
    named: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    // Octets that are no text name nothing.
    let Path(handle) = named.map_err(|_| Refusal::NothingHere)?;
    let found = app.store().offer(app.secrets().handle(&handle)).await?.ok_or(Refusal::NothingHere)?;
    found.check_open(app.now()).map_err(|_| Refusal::OfferOver)?;
    let credential_type = app.types().by_id(&found.type_id).ok_or(Refusal::OfferOver)?;
    let code = app.secrets().code_of(&handle);
    Ok(secret_json(&offer::document(app.issuer(), configuration(credential_type, found.kind), &code)))
}
