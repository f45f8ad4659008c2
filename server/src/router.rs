//! From URL to transport, and the layers around all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::error::HttpError;
use crate::hub::Hub;
use crate::telemetry;
use crate::transport::poll;

/// The plain HTTP interface; Socket.IO is mounted around it.
pub(crate) fn router(hub: Arc<Hub>) -> Router {
    let body_bytes_max = hub.config().body_bytes_max;
    let body_read_max = Duration::from_millis(hub.config().body_read_ms_max);
    Router::new()
        .route("/api/session", post(poll::open).delete(poll::leave))
        .route("/api/events", get(poll::events))
        .route("/api/messages", post(poll::say))
        .route("/api/next", post(poll::next))
        .route("/healthz", get(telemetry::healthz))
        .route("/readyz", get(telemetry::readyz))
        .route("/metrics", get(telemetry::metrics))
        .fallback(async || HttpError::NotFound)
        .method_not_allowed_fallback(async || HttpError::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(RequestBodyTimeoutLayer::new(body_read_max))
        .with_state(hub)
}
