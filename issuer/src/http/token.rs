//! The token endpoint (OpenID4VCI 6) and the nonce endpoint (OpenID4VCI 7).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vci::authorization::Detail;
use vouchsafe_protocol::openid4vci::token::{Grant, NonceResponse, TokenRequest, TokenResponse};
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::entropy;
use vouchsafe_service::store::detached;

use super::access::{Unproved, proofs, prove};
use super::{Body, Refusal, body, is_media, secret_json};
use crate::app::App;
use crate::nonce::{self, Use};
use crate::store::{Mac, OfferState, Redeem, RedeemRefusal, Store};
use crate::types::{configuration, identifier, named};

/// `POST /token`
pub(super) async fn token<S: Store>(
    State(app): State<Arc<App<S>>>,
    headers: HeaderMap,
    sent: Body,
) -> Result<Response, Refusal> {
    if !is_media(&headers, "application/x-www-form-urlencoded") {
        return Err(Refusal::Media);
    }
    let request = TokenRequest::parse(&body(sent)?)?;
    // Every offer of ours asks for one.
    request.check_tx_code(true)?;
    let proofs = proofs(&headers).map_err(|_| Refusal::at_server(Unproved::Proof))?;
    detached(answer(app, request, proofs)).await?
}

async fn answer<S: Store>(
    app: Arc<App<S>>,
    request: TokenRequest,
    proofs: Vec<String>,
) -> Result<Response, Refusal> {
    let bound = bound_key(&app, &proofs).await?;
    // An authorisation code is redeemed in an arm of its own.
    match &request.grant {
        Grant::PreAuthorized { code, tx_code } => {
            let tx_code = tx_code.as_deref().map_or("", String::as_str);
            redeem(&app, &request, code, tx_code, bound).await
        }
    }
}

/// The key that the token will be bound to; none for a wallet that sends no proof, where the settings allow it.
async fn bound_key<S: Store>(app: &App<S>, proofs: &[String]) -> Result<Option<Mac>, Refusal> {
    if proofs.is_empty() {
        let allowed = mutants::skips("vci-bearer-allowed") || app.access().bearer;
        return if allowed { Ok(None) } else { Err(Refusal::at_server(Unproved::Proof)) };
    }
    prove(app, proofs, "/token", None).await.map(Some).map_err(Refusal::at_server)
}

async fn redeem<S: Store>(
    app: &App<S>,
    request: &TokenRequest,
    code: &str,
    tx_code: &str,
    bound: Option<Mac>,
) -> Result<Response, Refusal> {
    let now = app.now();
    let token = entropy::token32(app.entropy());
    let code = app.secrets().code(code);
    // An unknown code takes the same way as a known one, with terms that are never used.
    let offer = app.store().offer_of_code(code).await?;
    let seconds = offer.as_ref().map_or(0, |offer| token_seconds(app, offer, bound));
    let redeem = Redeem {
        code,
        tx_code: app.secrets().tx_code(code, tx_code),
        objection: offer.as_ref().and_then(|offer| objection(app, request, offer, bound)),
        token: app.secrets().token(&token),
        jkt: bound,
        identified: request.details.is_some(),
        token_expires_at: now.plus(i64::from(seconds)),
        now,
        tx_code_tries: app.offer_settings().tx_code_tries,
    };
    app.store().redeem(&redeem).await?.inspect_err(|refusal| {
        tracing::info!(reason = %refusal, "refused a pre-authorised code");
    })?;
    let offer = offer.ok_or(Refusal::Ours)?;
    Ok(secret_json(&granted(app, request, &offer, token, bound.is_some(), seconds)))
}

/// Whether the offer's type is issued only once an officer has approved.
fn is_deferred<S: Store>(app: &App<S>, offer: &OfferState) -> bool {
    app.types().by_id(&offer.type_id).is_some_and(|found| found.deferred)
}

/// How long the token lives: some minutes, or as long as a batch that is put off may take.
fn token_seconds<S: Store>(app: &App<S>, offer: &OfferState, bound: Option<Mac>) -> u32 {
    if bound.is_some() && is_deferred(app, offer) {
        let seconds = i64::from(app.access().deferred_days) * DAY;
        return u32::try_from(seconds).expect("sixty days are below 2^32 seconds");
    }
    app.offer_settings().token_seconds
}

/// What speaks against a token although the code is good: more is asked for than was offered, or it cannot be given
/// without a key.
fn objection<S: Store>(
    app: &App<S>,
    request: &TokenRequest,
    offer: &OfferState,
    bound: Option<Mac>,
) -> Option<RedeemRefusal> {
    let offered = app.types().by_id(&offer.type_id).map(|found| configuration(found, offer.kind));
    let of_it = |detail: &Detail| {
        offered.as_deref() == Some(&detail.credential_configuration_id) && detail.is_for(app.issuer())
    };
    let details = request.details.as_deref().unwrap_or_default();
    if !(mutants::skips("vci-details-offered") || details.iter().all(of_it)) {
        return Some(RedeemRefusal::OtherDetails);
    }
    // OpenID4VCI 5.1.2: an unknown scope is ignored; a known one of something else is more than was granted.
    let other = |scope: &String| {
        named(app.types(), scope, configuration).is_some() && offered.as_ref() != Some(scope)
    };
    let none_other = !request.scopes.iter().any(other);
    if !(mutants::skips("vci-scope-offered") || none_other) {
        return Some(RedeemRefusal::OtherScope);
    }
    let short = bound.is_some() || !is_deferred(app, offer);
    (!(mutants::skips("vci-deferred-bound") || short)).then_some(RedeemRefusal::Unbound)
}

fn granted<S: Store>(
    app: &App<S>,
    request: &TokenRequest,
    offer: &OfferState,
    token: String,
    is_bound: bool,
    seconds: u32,
) -> TokenResponse {
    let mut response = match is_bound {
        true => TokenResponse::dpop(token, seconds),
        false => TokenResponse::bearer(token, seconds),
    };
    if let Some(found) = app.types().by_id(&offer.type_id) {
        let configuration = configuration(found, offer.kind);
        if request.details.is_some() {
            let identifier = identifier(found, offer.kind);
            response.authorization_details = vec![Detail::granted(&configuration, identifier)];
        }
        // RFC 6749 5.1: said where it may differ from what was asked for.
        response.scope = (!request.scopes.is_empty()).then_some(configuration);
    }
    response
}

/// `POST /nonce`
pub(super) async fn nonce<S: Store>(State(app): State<Arc<App<S>>>) -> Response {
    let c_nonce = nonce::fresh(app.secrets(), Use::Credential, app.now(), app.entropy());
    secret_json(&NonceResponse { c_nonce })
}
