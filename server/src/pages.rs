//! The pages that the server carries: what it is, a random chat for people, and the classic demos.
//!
//! Everything is embedded in the binary and comes from this host alone, and the policy that goes
//! with each page holds the browser to that. Nothing here is built, and nothing here knows of a
//! session: a page speaks to the server as any other client does.

use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::hub::Hub;
use crate::{fields, media};

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

/// A page with what is made of it, once for everybody.
struct Made {
    page: &'static Page,
    tag: HeaderValue,
    /// None where that is not shorter.
    compressed: Option<Bytes>,
}

static MADE: LazyLock<Vec<Made>> = LazyLock::new(|| {
    let made = |page: &'static Page| {
        let (tag, compressed) = (tag(page.content), compressed(page.content));
        Made { page, tag, compressed }
    };
    PAGES.iter().map(made).collect()
});

/// The routes of all pages, compressed for those who ask for it.
pub(crate) fn routes() -> Router<Arc<Hub>> {
    let router = PAGES.iter().enumerate().fold(Router::new(), |router, (nth, page)| {
        router.route(page.path, get(async move |headers: HeaderMap| answer(&MADE[nth], &headers)))
    });
    router.route("/pages/online", get(online))
}

/// How many people are here, for the front page.
async fn online(State(hub): State<Arc<Hub>>) -> impl IntoResponse {
    let online = hub.counts().online;
    Json(serde_json::json!({ "online": online }))
}

/// The page, or that it is still the one which the browser has.
fn answer(made: &Made, asked: &HeaderMap) -> Response {
    let Made { page, tag, compressed } = made;
    let known = [
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (VARY, HeaderValue::from_static("accept-encoding")),
        (ETAG, tag.clone()),
    ];
    if fields::none_match_names(asked, tag) {
        return (StatusCode::NOT_MODIFIED, known, GUARDS).into_response();
    }
    let content_type = [(CONTENT_TYPE, page.content_type)];
    match compressed.as_ref().filter(|_| accepts_gzip(asked)) {
        Some(gzip) => {
            let coding = [(CONTENT_ENCODING, "gzip")];
            (known, GUARDS, content_type, coding, gzip.clone()).into_response()
        }
        None => (known, GUARDS, content_type, page.content).into_response(),
    }
}

/// True when the client accepts gzip, by its name or as any coding (RFC 9110, section 12.5.3).
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let weight = |wanted: &[&str]| {
        let is_wanted =
            |name: &[u8]| wanted.iter().any(|w| name.eq_ignore_ascii_case(w.as_bytes()));
        let mut codings = media::weighted(asked, ACCEPT_ENCODING);
        codings.find(|(name, _)| is_wanted(name)).map(|(_, weight)| weight)
    };
    weight(&["gzip", "x-gzip"]).or_else(|| weight(&["*"])).is_some_and(|weight| weight > 0.0)
}

fn compressed(content: &str) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(content.as_bytes()).and_then(|()| encoder.finish());
    let gzip = written.expect("a vector takes everything");
    (gzip.len() < content.len()).then(|| gzip.into())
}

/// Weak, because the same content goes out compressed and plain.
fn tag(content: &str) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    hasher.write(content.as_bytes());
    HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish()))
        .expect("hexadecimal digits in quotation marks are a header value")
}
