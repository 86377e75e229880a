//! Health and metrics, for a listener that the public does not reach.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use vouchsafe_protocol::jose::BoxFuture;

use super::Metrics;

/// Whether the program can answer now: its database does, and its schema is the one it was built with.
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

#[derive(Clone)]
struct Ops {
    metrics: Metrics,
    ready: Readiness,
}

/// `/health/live`, `/health/ready` and `/metrics`.
pub fn ops_router(metrics: Metrics, ready: Readiness) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(health))
        .route("/metrics", get(render))
        .with_state(Ops { metrics, ready })
}

async fn health(State(ops): State<Ops>) -> Response {
    if (ops.ready)().await {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn render(State(ops): State<Ops>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], ops.metrics.render()).into_response()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use crate::telemetry::metrics;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn ask(path: &str, ready: bool) -> (u16, String) {
        let readiness: Readiness = Arc::new(move || Box::pin(std::future::ready(ready)));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = ops_router(metrics(), readiness).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn health_follows_readiness() {
        assert_eq!(ask("/health/live", false).await, (200, "live\n".to_owned()));
        assert_eq!(ask("/health/ready", true).await.0, 200);
        assert_eq!(ask("/health/ready", false).await.0, 503);
    }

    #[tokio::test]
    async fn metrics_are_rendered() {
        let _ = metrics();
        ::metrics::counter!("tests_total", "outcome" => "met").increment(2);
        let (status, text) = ask("/metrics", true).await;
        assert_eq!(status, 200);
        assert!(text.contains(r#"tests_total{outcome="met"} 2"#), "{text}");
    }
}
