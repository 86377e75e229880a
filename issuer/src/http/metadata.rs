//! What wallets discover: OpenID4VCI 12.2, RFC 8414, and the documents of types (SD-JWT VC 6).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use vouchsafe_protocol::jose::jws;
use vouchsafe_protocol::openid4vci::metadata::{
    Batch, Configuration, Display, IssuerMetadata, RequestEncryption, ResponseEncryption, ServerMetadata,
};
use vouchsafe_protocol::openid4vci::signed;
use vouchsafe_protocol::openid4vci::type_metadata::TypeMetadata;
use vouchsafe_protocol::text::Bilingual;

use super::Refusal;
use super::language::{self, Languages};
use crate::app::App;
use crate::kind::Kind;
use crate::registrar::{self, Documents};
use crate::store::Store;
use crate::types::{configuration, named, vct};

/// `GET /.well-known/openid-credential-issuer`, as JSON or signed, in the languages that were asked for.
pub(super) async fn issuer<S: Store>(
    State(app): State<Arc<App<S>>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let files = app.registrar().clone();
    let read = tokio::task::spawn_blocking(move || registrar::read(&files)).await;
    let documents = read.map_err(|_| Refusal::Ours)?.map_err(|error| {
        tracing::error!(%error, "the registrar's documents cannot be read");
        Refusal::Ours
    })?;
    let mut metadata = describe(&app, documents);
    let languages = Languages::of(&headers);
    language::keep(&mut metadata, languages);
    let mut response = if language::accepts(&headers, signed::MEDIA_TYPE) {
        sign(&app, &metadata).await?
    } else {
        public(&metadata)
    };
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(languages.as_str()));
    fields.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    Ok(response)
}

async fn sign<S: Store>(app: &App<S>, metadata: &IssuerMetadata) -> Result<Response, Refusal> {
    let unsigned = signed::unsigned(metadata, app.signer().alg(), app.chain(), app.now());
    let token = jws::sign(unsigned, app.signer()).await.map_err(|_| Refusal::Busy)?;
    Ok(([(header::CONTENT_TYPE, signed::MEDIA_TYPE), CACHED], token).into_response())
}

/// `GET /.well-known/oauth-authorization-server`
pub(super) async fn authorization_server<S: Store>(State(app): State<Arc<App<S>>>) -> Response {
    let scopes_supported = configurations(&app).into_keys().collect();
    let server = ServerMetadata::of(app.issuer(), &at(&app, "token")).with_dpop();
    public(&ServerMetadata { scopes_supported, ..server })
}

/// Any other address: the document of a type whose `vct` it is, or nothing.
pub(super) async fn type_document<S: Store>(
    State(app): State<Arc<App<S>>>,
    method: Method,
    uri: Uri,
) -> Result<Response, Refusal> {
    let address = format!("{}{}", app.issuer(), uri.path());
    let found = named(app.types(), &address, vct).filter(|_| method == Method::GET);
    let (described, _) = found.ok_or(Refusal::NothingHere)?;
    let document = TypeMetadata::of(described, &address).to_bytes();
    let fields = [
        (header::CONTENT_TYPE, "application/json"),
        CACHED,
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    Ok((fields, document).into_response())
}

fn describe<S: Store>(app: &App<S>, documents: Documents) -> IssuerMetadata {
    let largest = app.types().largest_batch();
    let encryption_required = app.access().encryption_required;
    IssuerMetadata {
        credential_issuer: app.issuer().to_owned(),
        authorization_servers: Vec::new(),
        credential_endpoint: at(app, "credential"),
        nonce_endpoint: Some(at(app, "nonce")),
        deferred_credential_endpoint: Some(at(app, "deferred")),
        notification_endpoint: Some(at(app, "notification")),
        credential_request_encryption: Some(RequestEncryption {
            encryption_required,
            ..RequestEncryption::with(app.request_jwk())
        }),
        credential_response_encryption: Some(ResponseEncryption {
            encryption_required,
            ..ResponseEncryption::offered()
        }),
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

const CACHED: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=60");

fn public(document: &impl Serialize) -> Response {
    ([CACHED], axum::Json(document)).into_response()
}
