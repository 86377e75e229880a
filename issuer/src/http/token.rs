//! The token endpoint (OpenID4VCI 6) and the nonce endpoint (OpenID4VCI 7).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use vouchsafe_protocol::openid4vci::token::{NonceResponse, TokenRequest, TokenResponse};
use vouchsafe_service::entropy;
use vouchsafe_service::store::detached;

use super::{Body, Refusal, body, is_media, secret_json};
use crate::app::App;
use crate::nonce;
use crate::store::{Redeem, Store};

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
    detached(redeem(app, request)).await?
}

async fn redeem<S: Store>(app: Arc<App<S>>, request: TokenRequest) -> Result<Response, Refusal> {
    let now = app.now();
    let token = entropy::token32(app.entropy());
    let code = app.secrets().code(&request.code);
    let tx_code = request.tx_code.as_deref().map_or("", String::as_str);
    let seconds = app.offer_settings().token_seconds;
    let redeem = Redeem {
        code,
        tx_code: app.secrets().tx_code(code, tx_code),
        token: app.secrets().token(&token),
        token_expires_at: now.plus(i64::from(seconds)),
        now,
        tx_code_tries: app.offer_settings().tx_code_tries,
    };
    app.store().redeem(&redeem).await?.inspect_err(|refusal| {
        tracing::info!(reason = %refusal, "refused a pre-authorised code");
    })?;
    Ok(secret_json(&TokenResponse::bearer(token, seconds)))
}

/// `POST /nonce`
pub(super) async fn nonce<S: Store>(State(app): State<Arc<App<S>>>) -> Response {
    secret_json(&NonceResponse { c_nonce: nonce::fresh(app.secrets(), app.now(), app.entropy()) })
}
