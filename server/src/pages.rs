//! The pages that the server carries: what it is, a random chat for people, and the classic demos.
//!
//! Everything is embedded in the binary and comes from this host alone, and the policy that goes
//! with each page holds the browser to that. Nothing here is built, and nothing here knows of a
//! session: a page speaks to the server as any other client does.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::compression::CompressionLayer;

use crate::fields;
use crate::hub::Hub;

pub(crate) const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const MODULE: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Only what came from here may run, be loaded or be spoken to, and text never becomes markup.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

/// What guards every page, beside what [every answer](crate::answers) has.
pub(crate) const GUARDS: [(HeaderName, &str); 2] =
    [(CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "no-referrer")];

/// One embedded file: where it is asked for, what it is, and what is in it.
struct Page {
    path: &'static str,
    content_type: &'static str,
    content: &'static str,
}

macro_rules! pages {
    ($($path:literal $content_type:ident $file:literal)*) => {
        &[$(Page {
            path: $path,
            content_type: $content_type,
            content: include_str!(concat!("pages/", $file)),
        }),*]
    };
}

const PAGES: &[Page] = pages! {
    "/" HTML "index.html"
    "/chat" HTML "chat.html"
    "/echo" HTML "echo.html"
    "/longpolling.html" HTML "longpolling.html"
    "/pages/style.css" CSS "style.css"
    "/pages/icon.svg" SVG "icon.svg"
    "/pages/index.js" MODULE "index.js"
    "/pages/chat.js" MODULE "chat.js"
    "/pages/echo.js" MODULE "echo.js"
    "/pages/longpolling.js" MODULE "longpolling.js"
    "/pages/page.js" MODULE "page.js"
    "/pages/words.js" MODULE "words.js"
    "/pages/composer.js" MODULE "composer.js"
    "/pages/log.js" MODULE "log.js"
    "/pages/wire.js" MODULE "wire.js"
    "/pages/conversation.js" MODULE "conversation.js"
    "/pages/reasons.js" MODULE "reasons.js"
    "/pages/backoff.js" MODULE "backoff.js"
    "/pages/keeping.js" MODULE "keeping.js"
    "/pages/transports.js" MODULE "transports.js"
    "/pages/transport.js" MODULE "transport.js"
    "/pages/http.js" MODULE "http.js"
    "/pages/polling.js" MODULE "polling.js"
    "/pages/short-poll.js" MODULE "short-poll.js"
    "/pages/long-poll.js" MODULE "long-poll.js"
    "/pages/sse.js" MODULE "sse.js"
    "/pages/websocket.js" MODULE "websocket.js"
    "/pages/socketio-chat.js" MODULE "socketio-chat.js"
    "/pages/socketio.js" MODULE "socketio.js"
    "/pages/engine.js" MODULE "engine.js"
};

/// The routes of all pages, compressed for those who ask for it.
pub(crate) fn routes() -> Router<Arc<Hub>> {
    let router = PAGES.iter().fold(Router::new(), |router, page| {
        router.route(page.path, get(async move |headers: HeaderMap| answer(page, &headers)))
    });
    router.route("/pages/online", get(online)).layer(CompressionLayer::new().gzip(true))
}

/// How many people are here, for the front page.
async fn online(State(hub): State<Arc<Hub>>) -> impl IntoResponse {
    let online = hub.counts().online;
    Json(serde_json::json!({ "online": online }))
}

/// The page, or that it is still the one which the browser has.
fn answer(page: &Page, asked: &HeaderMap) -> Response {
    let tag = tag(page.content);
    let cached = [(CACHE_CONTROL, HeaderValue::from_static("no-cache")), (ETAG, tag.clone())];
    if fields::none_match_names(asked, &tag) {
        return (StatusCode::NOT_MODIFIED, cached, GUARDS).into_response();
    }
    (cached, GUARDS, [(CONTENT_TYPE, page.content_type)], page.content).into_response()
}

/// Weak, because the same content goes out compressed and plain.
fn tag(content: &str) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    hasher.write(content.as_bytes());
    HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish()))
        .expect("hexadecimal digits in quotation marks are a header value")
}
