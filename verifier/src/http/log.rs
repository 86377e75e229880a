//! The log, for anybody (C2SP tlog-tiles).

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use vouchsafe_service::problem::Problem;

use super::Name;
use crate::app::App;
use crate::log::{self, LogError};

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// A tile that is within a checkpoint never changes.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

pub(super) async fn checkpoint(State(app): State<Arc<App>>) -> Response {
    match log::shown(&app).await {
        Ok(Some(newest)) => ([(header::CONTENT_TYPE, TEXT)], newest.note).into_response(),
        Ok(None) => missing(),
        Err(fault) => failed(&fault),
    }
}

pub(super) async fn tile(State(app): State<Arc<App>>, Name(path): Name) -> Response {
    match log::tile(&app, &format!("tile/{path}")).await {
        Ok(Some((_, bytes))) => {
            ([(header::CONTENT_TYPE, BYTES), (header::CACHE_CONTROL, FOR_GOOD)], bytes).into_response()
        }
        Ok(None) => missing(),
        Err(fault) => failed(&fault),
    }
}

fn missing() -> Response {
    Problem::not_found("not-in-the-log", "No checkpoint of the log has that.").into_response()
}

fn failed(fault: &LogError) -> Response {
    match fault {
        LogError::Store(_) => {}
        fault => tracing::error!("the log cannot be shown: {fault}"),
    }
    Problem::unavailable().into_response()
}
