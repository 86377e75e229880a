//! What wallets discover: OpenID4VCI 12.2 and RFC 8414.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use vouchsafe_protocol::openid4vci::metadata::{
    Batch, Configuration, Display, IssuerMetadata, RequestEncryption, ResponseEncryption, ServerMetadata,
};
use vouchsafe_protocol::text::Bilingual;

use super::Refusal;
use crate::app::App;
use crate::kind::Kind;
use crate::registrar::{self, Documents};
use crate::store::Store;
use crate::types::configuration;

/// `GET /.well-known/openid-credential-issuer`
pub(super) async fn issuer<S: Store>(State(app): State<Arc<App<S>>>) -> Result<Response, Refusal> {
    let files = app.registrar().clone();
    let read = tokio::task::spawn_blocking(move || registrar::read(&files)).await;
    let documents = read.map_err(|_| Refusal::Ours)?.map_err(|error| {
        tracing::error!(%error, "the registrar's documents cannot be read");
        Refusal::Ours
    })?;
    Ok(public(&describe(&app, documents)))
}

/// `GET /.well-known/oauth-authorization-server`
pub(super) async fn authorization_server<S: Store>(State(app): State<Arc<App<S>>>) -> Response {
    public(&ServerMetadata::of(app.issuer(), &at(&app, "token")))
}

fn describe<S: Store>(app: &App<S>, documents: Documents) -> IssuerMetadata {
    let largest = app.types().iter().map(|one| one.batch).max().unwrap_or(1);
    IssuerMetadata {
        credential_issuer: app.issuer().to_owned(),
        authorization_servers: Vec::new(),
        credential_endpoint: at(app, "credential"),
        nonce_endpoint: Some(at(app, "nonce")),
        credential_request_encryption: Some(RequestEncryption::with(app.request_jwk())),
        credential_response_encryption: Some(ResponseEncryption::offered()),
        // OpenID4VCI 12.2.4: a batch size of one is said by leaving the member out.
        batch_credential_issuance: (largest > 1).then_some(Batch { batch_size: largest }),
        display: Display::of(&Bilingual { en: app.name().en.clone(), cy: app.name().cy.clone() }),
        credential_configurations_supported: configurations(app),
        issuer_entry: documents.entry,
        tables: documents.lists,
    }
}

fn configurations<S: Store>(app: &App<S>) -> BTreeMap<String, Configuration> {
    let mut all = BTreeMap::new();
    for one in app.types().iter() {
        if one.showable().next().is_some() {
            all.insert(configuration(one, Kind::Plain), Configuration::plain(one));
        }
        if one.provable().next().is_some() {
            all.insert(configuration(one, Kind::Proof), Configuration::proof(one));
        }
    }
    all
}

fn at<S: Store>(app: &App<S>, endpoint: &str) -> String {
    format!("{}/{endpoint}", app.issuer())
}

fn public(document: &impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=60")], axum::Json(document)).into_response()
}
