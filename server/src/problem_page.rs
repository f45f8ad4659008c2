//! A refusal as a page, for a browser that navigates to an address which is not there or which is for
//! programs.
//!
//! `Accept` decides: a browser that navigates asks for `text/html`, `fetch`, `EventSource` and
//! programs do not, and get problem details. The page has both languages and no script. It shows
//! nothing that the request contained.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use crate::error::Title;
use crate::media;
use crate::pages::{self, HTML};

const TEMPLATE: &str = include_str!("problem_page.html");
const HTML_TYPES: [&str; 2] = ["text/html", "application/xhtml+xml"];
const JSON_TYPES: [&str; 2] = ["application/problem+json", "application/json"];

/// True if the client names HTML among what it accepts, and prefers no JSON to it.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let html = quality(headers, &HTML_TYPES);
    html > 0.0 && html >= quality(headers, &JSON_TYPES)
}

/// Returns the answer as it is unless it is a problem, which becomes a page where one is wanted.
pub(crate) fn present(mut response: Response, is_wanted: bool) -> Response {
    let Some(&Title(title)) = response.extensions().get() else {
        return response;
    };
    response.headers_mut().append(VARY, HeaderValue::from(ACCEPT));
    if !is_wanted {
        return response;
    }
    let page = page(response.status(), title);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(HTML));
    headers.extend(pages::GUARDS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response.map(|_| Body::from(page))
}

/// The highest quality of these media types, of which wildcards name none.
fn quality(headers: &HeaderMap, media_types: &[&str]) -> f32 {
    let is_one =
        |name: &[u8]| media_types.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    let named = media::ranges(headers).filter(|(name, _)| is_one(name));
    named.map(|(_, quality)| quality).fold(0.0, f32::max)
}

fn page(status: StatusCode, title: &str) -> String {
    let (english, korean) = describe(status);
    TEMPLATE
        .replace("{status}", status.as_str())
        .replace("{title}", title)
        .replace("{english}", english)
        .replace("{korean}", korean)
}

fn describe(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => {
            ("There is nothing at this address.", "이 주소에는 아무것도 없습니다.")
        }
        StatusCode::METHOD_NOT_ALLOWED => (
            "This address is for programs. It does not take the kind of request that your browser has sent.",
            "프로그램을 위한 주소입니다. 브라우저가 보낸 종류의 요청은 받지 않습니다.",
        ),
        StatusCode::UNAUTHORIZED => (
            "This address is for programs, and answers only within a session.",
            "프로그램을 위한 주소이며, 세션이 있어야 응답합니다.",
        ),
        StatusCode::UPGRADE_REQUIRED => (
            "This address is for programs that speak WebSocket.",
            "웹소켓을 쓰는 프로그램을 위한 주소입니다.",
        ),
        StatusCode::FORBIDDEN => (
            "The server does not take this request from the page that made it.",
            "서버가 이 페이지에서 보낸 요청을 받지 않습니다.",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            "Too many requests or connections come from your address. Try again later.",
            "같은 주소에서 온 요청이나 연결이 너무 많습니다. 잠시 후 다시 시도해 주세요.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "The server is full or shutting down. Try again later.",
            "접속자가 너무 많거나 서버가 종료되는 중입니다. 잠시 후 다시 시도해 주세요.",
        ),
        _ => ("The server cannot answer this request.", "서버가 이 요청에 응답할 수 없습니다."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &[&'static str], is_page: bool) {
        let value = |line: &str| HeaderValue::from_bytes(line.as_bytes()).expect("a value");
        let values = accept.iter().map(|line| (ACCEPT, value(line)));
        assert_eq!(is_wanted(&values.collect()), is_page, "{accept:?}");
    }

    #[test]
    fn accept_that_names_html_first_gets_a_page() {
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        check(&[chromium], true);
        check(&["application/xml", "Text/HTML; charset=utf-8"], true);
        check(&["text/html;q=0.9, application/json;q=0.5"], true);
        // An element that is not understood hides no other.
        check(&["\u{e9}, text/html"], true);
        for programs in ["*/*", "application/json, text/plain, */*", "text/event-stream", "text/*"]
        {
            check(&[programs], false);
        }
        check(&["application/json, text/html;q=0.9"], false);
        check(&["text/html;q=0"], false);
        check(&["text/html;q=much"], false);
        check(&[], false);
    }
}
