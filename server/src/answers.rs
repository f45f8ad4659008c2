//! What every answer has, whoever wrote it: a router, a rule in front of it, or the accept loop.
//!
//! | field | where |
//! |---|---|
//! | `X-Content-Type-Options: nosniff` | everywhere |
//! | `Cache-Control: no-store` | where nothing else is said: no answer but a page may be kept |
//! | `Allow` | names `OPTIONS` too, which every path answers |
//! | `Access-Control-*`, `Vary` | where a page of a listed origin asks, so that it may read the answer |
//!
//! A preflight of such a page is answered here, and passes no rule and takes no place: were it refused,
//! the page could not read why. What may be shared with whom is decided in `router::cors`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CACHE_CONTROL, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request};
use axum::response::Response;
use tower::{Layer, Service};
use tower_http::cors::CorsLayer;

use crate::config::Config;
use crate::{fields, router};

/// How to finish an answer.
pub(crate) struct Answers {
    cors: Option<CorsLayer>,
}

/// The page that asks, where some may be shown the answer.
#[derive(Clone)]
pub(crate) struct Page {
    origin: HeaderValue,
    method: Method,
    is_preflight: bool,
}

impl Page {
    /// True when the browser asks whether the page may ask (Fetch standard, section 4.8).
    pub(crate) fn is_preflight(&self) -> bool {
        self.is_preflight
    }
}

impl Answers {
    pub(crate) fn new(config: &Config) -> Self {
        Self { cors: router::cors(config) }
    }

    /// The page that sends a request, where some origin is listed and the request names one.
    pub(crate) fn page<B>(&self, request: &Request<B>) -> Option<Page> {
        let headers = request.headers();
        let origin = self.cors.as_ref().and_then(|_| headers.get(ORIGIN))?.clone();
        let is_preflight = request.method() == Method::OPTIONS
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Some(Page { origin, method: request.method().clone(), is_preflight })
    }

    /// Adds what is missing. Without an answer, that of a preflight is made.
    pub(crate) async fn finish(&self, page: Option<Page>, response: Option<Response>) -> Response {
        let mut response = match (&self.cors, page) {
            (Some(cors), Some(page)) => share(cors, page, response.unwrap_or_default()).await,
            _ => response.unwrap_or_default(),
        };
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if self.cors.is_some() && !fields::has_token(headers, VARY, ORIGIN.as_str()) {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        allow_options(headers);
        response
    }
}

fn allow_options(headers: &mut HeaderMap) {
    let Some(allow) = headers.get(ALLOW).filter(|_| !fields::has_token(headers, ALLOW, "options"))
    else {
        return;
    };
    let allow = [allow.as_bytes(), b",OPTIONS"].concat();
    let allow = HeaderValue::from_bytes(&allow).expect("a value stays one with these letters");
    headers.insert(ALLOW, allow);
}

/// Lets the page read the answer, if its origin is listed.
async fn share(cors: &CorsLayer, page: Page, response: Response) -> Response {
    let mut request = Request::new(());
    // The library takes every OPTIONS for a preflight.
    *request.method_mut() = match page.method {
        Method::OPTIONS if !page.is_preflight => Method::GET,
        method => method,
    };
    request.headers_mut().insert(ORIGIN, page.origin);
    let Ok(response) = cors.layer(Answered(Some(response))).call(request).await;
    response
}

/// Has answered already.
struct Answered(Option<Response>);

impl Service<Request<()>> for Answered {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(self.0.take().unwrap_or_default()))
    }
}
