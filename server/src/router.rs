//! From URL to transport, and the layers around all of them.
//!
//! What every request must pass whatever its URL stands in `front`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::routing::get;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Config;
use crate::error::HttpError;
use crate::hub::{Hub, Transport};
use crate::metrics::ReadProcess;
use crate::pages;
use crate::source::X_REQUESTED_WITH;
use crate::transport::classic::Classic;
use crate::transport::socketio::Sockets;
use crate::transport::{poll, socketio, sse, ticket, websocket};
use crate::{metrics, openapi, origin};

/// Headers that pages of listed origins may set: what this server reads, and what tracing adds
/// (W3C Trace Context, W3C Baggage).
const ALLOWED_HEADERS: [HeaderName; 7] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("last-event-id"),
    X_REQUESTED_WITH,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];
/// How long a browser may remember that it may ask.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

/// Everything that is served, and those of it that must be told when it ends.
pub(crate) struct Served {
    pub(crate) router: Router,
    pub(crate) sockets: Sockets,
    pub(crate) classic: Arc<Classic>,
}

impl Served {
    pub(crate) fn new(hub: &Arc<Hub>, process: Option<ReadProcess>) -> Self {
        let classic = Classic::new(Arc::clone(hub));
        let http = http(Arc::clone(hub), &classic, process);
        let (router, sockets) = socketio::mount(http, Arc::clone(hub));
        Self { router, sockets, classic }
    }
}

/// The transport that a request belongs to, if it belongs to one, as its URL says.
pub(crate) fn transport(uri: &Uri) -> Option<Transport> {
    let field = |name: &str| {
        let mut pairs = uri.query().unwrap_or_default().split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    match uri.path() {
        "/api/events" if field("wait_ms").is_some_and(|wait_ms| wait_ms != "0") => {
            Some(Transport::LongPoll)
        }
        "/api/events" => Some(Transport::ShortPoll),
        "/api/stream" | "/api/ack" => Some(Transport::Sse),
        "/api/ws" => Some(Transport::WebSocket),
        "/socket.io/" if field("transport") == Some("websocket") => {
            Some(Transport::SocketIoWebSocket)
        }
        "/socket.io/" => Some(Transport::SocketIoPolling),
        _ => None,
    }
}

/// What stands below `/api/`, and is described at `/api/openapi.json`.
pub(crate) fn api() -> OpenApiRouter<Arc<Hub>> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(poll::open, poll::leave))
        .routes(routes!(poll::events))
        .routes(routes!(sse::stream))
        .routes(routes!(ticket::issue))
        .routes(routes!(websocket::upgrade))
        .routes(routes!(sse::acknowledge))
        .routes(routes!(poll::say))
        .routes(routes!(poll::next))
        .routes(routes!(openapi::document))
}

/// The plain HTTP interface; Socket.IO is mounted around it.
fn http(hub: Arc<Hub>, classic: &Arc<Classic>, process: Option<ReadProcess>) -> Router {
    let body_bytes_max = hub.config().body_bytes_max;
    let metrics = async move |State(hub): State<Arc<Hub>>, headers| {
        metrics::metrics(hub, headers, process).await
    };
    let (api, _description) = api().split_for_parts();
    api.route("/healthz", get(metrics::healthz))
        .route("/readyz", get(metrics::readyz))
        .route("/metrics", get(metrics))
        .merge(classic.routes())
        .merge(pages::routes())
        .fallback(async || HttpError::NotFound)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(hub)
}

/// Answers a method for which a path has no handler; axum adds `Allow`.
pub(crate) async fn not_allowed(method: Method) -> Result<StatusCode, HttpError> {
    if method == Method::OPTIONS {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(HttpError::MethodNotAllowed)
    }
}

/// What browsers must be told so that the pages of listed origins may read the answers; none where
/// no origin is listed.
pub(crate) fn cors(config: &Config) -> Option<CorsLayer> {
    let origins = config.allowed_origins.clone();
    let is_listed = move |origin: &HeaderValue, _: &_| {
        origin.to_str().is_ok_and(|origin| origin::is_listed(origin, &origins))
    };
    let named = config.allowed_headers.iter().map(|name| HeaderName::from(name.clone()));
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_listed))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(ALLOWED_HEADERS.into_iter().chain(named).collect::<Vec<_>>())
        .expose_headers([RETRY_AFTER])
        .max_age(PREFLIGHT_MAX_AGE);
    (!config.allowed_origins.is_empty()).then_some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_belongs_to_the_transport_that_its_url_names() {
        for (uri, expected) in [
            ("/api/events", Some(Transport::ShortPoll)),
            ("/api/events?after=6&wait_ms=0", Some(Transport::ShortPoll)),
            ("/api/events?after=6&wait_ms=30000", Some(Transport::LongPoll)),
            ("/api/stream?after=6", Some(Transport::Sse)),
            ("/api/ack", Some(Transport::Sse)),
            ("/api/ws", Some(Transport::WebSocket)),
            ("/socket.io/?EIO=4&transport=polling", Some(Transport::SocketIoPolling)),
            ("/socket.io/?EIO=4&transport=websocket", Some(Transport::SocketIoWebSocket)),
            ("/api/session", None),
            ("/metrics", None),
            ("/api/events/more", None),
        ] {
            assert_eq!(transport(&Uri::from_static(uri)), expected, "{uri}");
        }
    }
}
