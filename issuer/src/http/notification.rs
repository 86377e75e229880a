//! The notification endpoint: OpenID4VCI 11.
//!
//! What is kept is that an event was told of a batch, once for each event; its description is not.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use vouchsafe_protocol::openid4vci::errors::NotificationError;
use vouchsafe_protocol::openid4vci::notification::Notification;
use vouchsafe_service::store::detached;

use super::access::Presented;
use super::{Body, Refusal, body, is_media, no_store};
use crate::app::App;
use crate::store::Store;

/// `POST /notification`
pub(super) async fn notification<S: Store>(
    State(app): State<Arc<App<S>>>,
    uri: Uri,
    headers: HeaderMap,
    sent: Body,
) -> Result<Response, Refusal> {
    let presented = Presented::read("/notification", &uri, &headers)?;
    if !is_media(&headers, "application/json") {
        return Err(Refusal::Media);
    }
    detached(note(Arc::clone(&app), presented, body(sent)?)).await?
}

async fn note<S: Store>(app: Arc<App<S>>, presented: Presented, body: Bytes) -> Result<Response, Refusal> {
    let access = presented.authorise(&app).await?;
    let notification = Notification::parse(&body)?;
    let id = app.secrets().notification(&notification.notification_id);
    if !app.store().notify(access.token, id, notification.event).await? {
        return Err(NotificationError::InvalidNotificationId.into());
    }
    tracing::info!(kind = notification.event.as_str(), "heard what became of a batch");
    Ok(no_store(StatusCode::NO_CONTENT))
}
