//! Every header field that the server reads or writes, against its RFC: one row a rule, the request as
//! it stands on the wire, the status, and the fields that must be there.
//!
//! And what every answer has, what HEAD may not do, and when a cookie counts.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw_socket::{open, resume, upgrade};
use super::raw_stream::stream;
use crate::http::ask;
use crate::served::{Served, serve};

/// No answer of these tests takes as long.
const PATIENCE: Duration = Duration::from_secs(20);
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";

/// Rule, further lines, what is expected.
type Row = (&'static str, &'static str, &'static str);

/// The heading of each group is its request line, with what all of its rows have. A row is the RFC and
/// section, further lines, and what is expected.
#[rustfmt::skip]
const TABLE: &[(&str, &[Row])] = &[
    ("GET /api/events HTTP/1.1\nHost: test\nX-Requested-With: it\n", &[
        ("6265 4.2.1 other cookies", "Cookie: a=b; racetrack_session=$ANN; c=d\n", "200"),
        ("6265 5.4 bytes that are not ASCII", "Cookie: name=é; racetrack_session=$ANN\n", "200"),
        ("6265 4.1.1 quoted value", "Cookie: racetrack_session=\"$ANN\"\n", "200"),
        ("6265 5.2 white space", "Cookie:a=b ;racetrack_session = $ANN ;\n", "200"),
        ("6265 5.4 several lines", "Cookie: a=é\nCookie: racetrack_session=$ANN\n", "200"),
        ("6265 5.3 same cookie twice", "Cookie: racetrack_session=$ANN; racetrack_session=$ANN\n", "200"),
        ("6265 8.6 two that differ", "Cookie: racetrack_session=$ANN; racetrack_session=$BOB\n", "400"),
        ("6265 5.4 name has a case", "Cookie: Racetrack_session=$ANN\n", "401"),
        ("9110 15.5.2 challenge", "Cookie: racetrack_session=1-0\n", "401 www-authenticate: Bearer realm=\"racetrack\""),
    ]),
    ("GET /api/events HTTP/1.1\nHost: test\n", &[
        ("9110 15.5.2 challenge", "", "401 www-authenticate: Bearer realm=\"racetrack\""),
        ("6750 2.1", "Authorization: Bearer $ANN\n", "200 cache-control: no-store"),
        ("9110 11.1 case of the scheme", "Authorization: bEARER $ANN\n", "200"),
        ("9110 11.4 several spaces", "Authorization: Bearer   $ANN  \n", "200"),
        ("9110 11.4 no space", "Authorization: Bearer$ANN\n", "401"),
        ("9110 11.4 scheme alone", "Authorization: Bearer\n", "401"),
        ("9110 11.4 another scheme", "Authorization: Basic $ANN\n", "401"),
        ("9110 5.3 no list", "Authorization: Bearer $ANN\nAuthorization: Bearer $BOB\n", "400"),
        ("9112 3.2 several Host", "Authorization: Bearer $ANN\nHost: test\n", "400"),
    ]),
    ("HEAD /api/stream HTTP/1.1\nHost: test\nAuthorization: Bearer $ANN\n", &[
        ("HTML 9.2", "", "200 content-type: text/event-stream"),
        ("HTML 9.2 last event", "Last-Event-ID: 1\n", "200"),
        ("HTML 9.2 none yet", "Last-Event-ID:\n", "200"),
        ("HTML 9.2 no sign", "Last-Event-ID: +1\n", "400"),
        ("9110 5.3 no list", "Last-Event-ID: 1\nLast-Event-ID: 2\n", "400"),
        ("HTML 9.2 out of bounds", "Last-Event-ID: 99\n", "409"),
    ]),
    ("GET /api/ws HTTP/1.1\nHost: test\nUpgrade: websocket\nSec-WebSocket-Version: 13\n", &[
        ("6455 4.1", "Connection: Upgrade\n$KEY", "101 sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("9110 7.6.1 list", "Connection: keep-alive,upgrade\n$KEY", "101"),
        ("9110 5.3 several lines", "Connection: keep-alive\nConnection: UPGRADE\n$KEY", "101"),
        ("9110 7.8 list", "Connection: Upgrade\nUpgrade: h2c\n$KEY", "101"),
        ("9110 15.5.22", "Connection: keep-alive\n$KEY", "426 upgrade: websocket"),
        ("6455 4.2.1 no key", "Connection: Upgrade\n", "400"),
        ("6455 4.2.1 short key", "Connection: Upgrade\nSec-WebSocket-Key: c2hvcnQ=\n", "400"),
        ("6455 11.3.1 two keys", "Connection: Upgrade\n$KEY$KEY", "400"),
        ("6455 11.3.5 two versions", "Connection: Upgrade\nSec-WebSocket-Version: 8\n$KEY", "426 sec-websocket-version: 13"),
        ("6455 11.3.4 several lines", "Connection: Upgrade\nSec-WebSocket-Protocol: racetrack\nSec-WebSocket-Protocol: racetrack.token.$ANN\n$KEY", "101 sec-websocket-protocol: racetrack"),
        ("6455 4.2.2 unknown protocol", "Connection: Upgrade\nSec-WebSocket-Protocol: chat, other\n$KEY", "101"),
    ]),
    ("GET /api/ws HTTP/1.1\nHost: test\nUpgrade: other, WebSocket\nConnection: Upgrade\n", &[
        ("6455 4.4 version", "Sec-WebSocket-Version: 8\n$KEY", "426 sec-websocket-version: 13"),
        ("6455 4.2.2 version", "$KEY", "426 sec-websocket-version: 13"),
        ("9110 7.8 list", "Sec-WebSocket-Version: 13\n$KEY", "101"),
    ]),
    ("POST /api/ack HTTP/1.1\nHost: test\nAuthorization: Bearer $ANN\n", &[
        ("9110 8.3", "Content-Type: application/json\nContent-Length: 9\n\n{\"seq\":0}", "202"),
        ("9110 8.3.1 case and parameters", "Content-Type: Application/JSON; Charset=\"utf-8\"\nContent-Length: 9\n\n{\"seq\":0}", "202"),
        ("9110 15.5.16", "Content-Type: text/plain\nContent-Length: 9\n\n{\"seq\":0}", "415 accept: application/json"),
        ("9110 15.5.16 none", "Content-Length: 9\n\n{\"seq\":0}", "415"),
        ("9110 8.4 coding", "Content-Type: application/json\nContent-Encoding: GZIP\nContent-Length: 9\n\n{\"seq\":0}", "415 accept-encoding: identity"),
        ("9110 8.4.1 identity", "Content-Type: application/json\nContent-Encoding: identity\nContent-Length: 9\n\n{\"seq\":0}", "202"),
        ("9112 6.3 two lengths", "Content-Type: application/json\nContent-Length: 9\nContent-Length: 8\n\n{\"seq\":0}", "400"),
        ("9112 6.1 chunked", "Content-Type: application/json\nTransfer-Encoding: chunked\n\n9\n{\"seq\":0}\n0\n\n", "202"),
        ("9112 6.1 unknown coding", "Content-Type: application/json\nTransfer-Encoding: gzip\n\n", "400"),
        ("9110 10.1.1 expectation", "Content-Type: application/json\nContent-Length: 9\nExpect: 100-Continue\n", "100"),
    ]),
    ("POST /api/next HTTP/1.1\nHost: test\nAuthorization: Bearer $ANN\n", &[
        ("9110 8.3 no body", "Content-Length: 0\n", "202"),
        ("9110 8.3 a body is not passed over", "Content-Length: 10\n\n{\"pair\":1}", "415"),
        ("9110 8.3", "Content-Type: application/json\nContent-Length: 10\n\n{\"pair\":1}", "202"),
    ]),
    ("GET /healthz HTTP/1.1\n", &[
        ("9112 3.2 no Host", "", "400"),
        ("9112 3.2 empty", "Host:\n", "400"),
        ("9110 7.2 port", "Host: test:80\n", "200"),
        ("9110 7.2 IPv6", "Host: [::1]:3000\n", "200"),
        ("9110 7.2 not a port", "Host: test:eighty\n", "400"),
        ("9110 7.2 not a port", "Host: test:99999\n", "400"),
        ("9110 4.2.4 user", "Host: user@test\n", "400"),
        ("9110 5.3 not ASCII", "Host: é\n", "400"),
    ]),
    ("GET http://test/healthz HTTP/1.1\n", &[("9112 3.2.2", "Host: other\n", "200")]),
    ("GET http://user@test/healthz HTTP/1.1\n", &[("9110 4.2.4", "Host: test\n", "400")]),
    ("GET /healthz HTTP/1.0\n", &[("9112 3.2 old client", "", "200")]),
    ("PUT /api/session HTTP/1.1\nHost: test\n", &[("9110 15.5.6", "", "405 allow: POST,DELETE,OPTIONS")]),
    ("TRACE /api/events HTTP/1.1\nHost: test\n", &[("9110 15.5.6", "", "405 allow: GET,HEAD,OPTIONS")]),
    ("PUT /socket.io/ HTTP/1.1\nHost: test\n", &[("9110 15.5.6", "", "405 allow: GET,HEAD,POST,OPTIONS")]),
    ("OPTIONS /api/session HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204 allow: POST,DELETE,OPTIONS")]),
    ("OPTIONS /api/events HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204 allow: GET,HEAD,OPTIONS")]),
    ("OPTIONS /api/stream HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204 allow: GET,HEAD,OPTIONS")]),
    ("OPTIONS /api/ws HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204 allow: GET,HEAD,OPTIONS")]),
    ("OPTIONS /api/ack HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204 allow: POST,OPTIONS")]),
    ("OPTIONS /api/messages HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204 allow: POST,OPTIONS")]),
    ("OPTIONS /api/next HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204 allow: POST,OPTIONS")]),
    ("OPTIONS /longpolling HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204 allow: GET,HEAD,POST,OPTIONS")]),
    ("OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\nHost: test\n", &[("9110 9.3.7", "", "204")]),
    ("GET /chat HTTP/1.1\nHost: test\n", &[
        ("9110 13.1.2 asterisk", "If-None-Match: *\n", "304 cache-control: no-cache"),
        ("9110 13.1.2 another", "If-None-Match: \"é\", W/\"x,y\"\n", "200"),
    ]),
];

/// Sends lines, each of which ends as HTTP wants it; gives the head of the answer.
async fn head_of(served: &Served, request: &str) -> (u16, String) {
    let (head, body) =
        request.split_once("\n\n").unwrap_or_else(|| (request.trim_end_matches('\n'), ""));
    let body = if head.contains("chunked") { body.replace('\n', "\r\n") } else { body.to_owned() };
    let request = format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"));
    let talk = async {
        let mut stream = TcpStream::connect(served.addr).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        Ok::<_, std::io::Error>(String::from_utf8(answer).expect("a head is ASCII"))
    };
    let head = tokio::time::timeout(PATIENCE, talk).await.expect("the server answers");
    let head = head.unwrap_or_else(|error| panic!("{request}: {error}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status line"), head)
}

#[tokio::test]
async fn field_is_read_and_written_as_its_rfc_says() {
    let served = serve(Config::default()).await;
    let (ann, bob) = served.couple().await;
    let mut wrong = Vec::new();
    for (heading, rows) in TABLE {
        for (rule, lines, expected) in *rows {
            let request = format!("{heading}{lines}").replace("$KEY", KEY);
            let request = request.replace("$ANN", &ann).replace("$BOB", &bob);
            let (status, head) = head_of(&served, &request).await;
            let (wanted, field) = expected.split_once(' ').unwrap_or((expected, ""));
            let has_field = field.is_empty() || head.lines().any(|line| line == field);
            if status.to_string() != wanted || !has_field {
                let line = heading.lines().next().unwrap_or_default();
                wrong.push(format!("{rule}: {line} {lines:?}: {expected}, and not\n{head}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_answer_has_nosniff_and_none_but_pages_are_kept() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    let paths = [
        "GET /",
        "GET /chat",
        "GET /pages/style.css",
        "GET /pages/online",
        "HEAD /longpolling",
        "POST /announce",
        "GET /api/openapi.json",
        "POST /api/session",
        "GET /api/events",
        "HEAD /api/stream",
        "GET /api/ws",
        "GET /nothing",
        "PUT /api/session",
        "OPTIONS /hello",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
        "GET /socket.io/?EIO=4&transport=polling",
        "GET /socket.io/?EIO=9&transport=polling",
        "GET /socket.io/1/",
        "HEAD /hello",
    ];
    for path in paths {
        for authorization in [String::new(), format!("Authorization: Bearer {token}\n")] {
            let request =
                format!("{path} HTTP/1.1\nHost: test\nContent-Length: 0\n{authorization}");
            let (_, head) = head_of(&served, &request).await;
            assert!(head.contains("x-content-type-options: nosniff\r\n"), "{path}: {head}");
            assert!(head.contains("cache-control: no-"), "{path}: {head}");
            let is_page = ["/", "/chat", "/pages/style.css"]
                .iter()
                .any(|page| *path == format!("GET {page}"));
            assert_eq!(head.contains("cache-control: no-store"), !is_page, "{path}: {head}");
        }
    }
}

#[tokio::test]
async fn head_answers_as_get_and_changes_nothing() {
    let served = serve(Config { notice_interval_ms: 3_600_000, ..Config::default() }).await;
    let token = served.token().await;
    let mut reading = stream(&served, &token, "?after=0", &[]).await;
    reading.until("id: 2").await;
    let fine = [
        ("/api/events?after=2&wait_ms=20000", 200, "content-type: application/json\r\n"),
        ("/api/stream?after=1", 200, "content-type: text/event-stream\r\n"),
        ("/api/stream?after=99", 409, "content-type: application/problem+json\r\n"),
        ("/api/events?after=99", 409, "content-type: application/problem+json\r\n"),
        ("/api/ws", 426, "upgrade: websocket\r\n"),
        ("/longpolling", 200, "content-type: text/plain; charset=utf-8\r\n"),
        ("/hello", 200, "content-type: text/plain; charset=utf-8\r\n"),
        ("/socket.io/?EIO=4&transport=polling", 200, "content-type: text/plain; charset=UTF-8\r\n"),
        ("/chat", 200, "content-type: text/html; charset=utf-8\r\n"),
    ];
    for (path, status, field) in fine {
        let upgrade = "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n";
        let lines = format!("Authorization: Bearer {token}\n{upgrade}{KEY}");
        let answer = head_of(&served, &format!("HEAD {path} HTTP/1.1\nHost: test\n{lines}")).await;
        assert_eq!(answer.0, status, "{path}: {}", answer.1);
        assert!(answer.1.contains(field), "{path}: {}", answer.1);
        let of_problem = status >= 400 || path == "/chat";
        assert!(of_problem || !answer.1.contains("content-length"), "{path}: {}", answer.1);
    }
    let metrics = ask("GET /metrics").of(served.addr).await.body;
    for line in
        ["racetrack_readers{transport=\"sse\"} 1", "racetrack_parked 0", "racetrack_sessions 1"]
    {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    // Nothing was acknowledged, nobody was superseded, and the session is not suspect.
    served.token().await;
    reading.until("paired").await;
    let events = ask("GET /api/events?after=0").bearer(&token).of(served.addr).await.json();
    assert_eq!(events["events"][0]["seq"], 1);
}

/// What a browser says of the page that sends a request, and whether the cookie counts then.
const PAGES: &[(&str, bool)] = &[
    ("", false),
    ("Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\n", true),
    ("Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: navigate\n", false),
    ("Sec-Fetch-Site: none\nSec-Fetch-Mode: navigate\n", false),
    ("Sec-Fetch-Site: none\nSec-Fetch-Mode: no-cors\n", false),
    ("Sec-Fetch-Site: same-site\nSec-Fetch-Mode: no-cors\n", false),
    ("Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\n", false),
    ("Sec-Fetch-Site: cross-site\nX-Requested-With: x\n", false),
    ("Sec-Fetch-Site: cross-site\nReferer: http://test/\n", false),
    ("Origin: http://test\n", true),
    ("Origin: http://friend.example\nSec-Fetch-Site: same-site\n", true),
    ("Origin: http://evil.example\n", false),
    ("Origin: null\n", false),
    ("Referer: http://test/page?q\n", true),
    ("Referer: http://friend.example\n", true),
    ("Referer: http://test/\nAccept: text/html,*/*;q=0.8\n", false),
    ("Referer: http://test.evil.example/\n", false),
    ("Referer: http://evil.example/http://test/\n", false),
    ("X-Requested-With: curl\n", true),
];

fn friendly() -> Config {
    let friend = "http://friend.example".parse().expect("an origin");
    Config {
        allowed_origins: vec![friend],
        notice_interval_ms: 3_600_000,
        nexts_burst_max: 1_000,
        ..Config::default()
    }
}

#[tokio::test]
async fn cookie_counts_only_for_a_page_that_may_use_it() {
    let served = serve(friendly()).await;
    let token = served.token().await;
    for (lines, counts) in PAGES {
        for (request, status) in
            [("GET /api/events?after=0", 200), ("HEAD /api/stream", 200), ("POST /api/next", 202)]
        {
            let cookie = format!("Cookie: racetrack_session={token}\nContent-Length: 0\n{lines}");
            let request = format!("{request} HTTP/1.1\nHost: test\n{cookie}");
            let (answered, _) = head_of(&served, &request).await;
            assert_eq!(answered, if *counts { status } else { 403 }, "{request}");
            let request = request.replace("Cookie: racetrack_session=", "Authorization: Bearer ");
            let by_token = head_of(&served, &request).await.0;
            let is_post_of_foreign = request.starts_with("POST")
                && (lines.contains("Origin: http://evil")
                    || lines.contains("null")
                    || lines.contains("cross-site")
                    || lines.starts_with("Sec-Fetch-Site: same-site"));
            assert_eq!(by_token == 403, is_post_of_foreign, "{request}");
        }
    }
}

#[tokio::test]
async fn foreign_page_with_the_cookie_supersedes_nobody_and_acknowledges_nothing() {
    let served = serve(friendly()).await;
    let (mut socket, token) = open(&served).await;
    let partner = served.token().await;
    socket.event("paired").await;
    served.say(&partner, "b-1", "unread").await;
    socket.event("message").await;
    let cookie = format!("Cookie: racetrack_session={token}\n");
    for path in ["/api/events?after=4", "/api/stream?after=4", "/api/ws?after=4"] {
        for page in PAGES.iter().filter_map(|(page, counts)| (!counts).then_some(page)) {
            let request = format!("GET {path} HTTP/1.1\nHost: test\n{cookie}{page}");
            let status = head_of(&served, &request).await.0;
            assert!(status == 403 || path.contains("ws"), "{status} for {request}");
        }
    }
    // A socket that a page opens says so: the foreign one is refused, and one that navigates is none.
    let navigates = [&*cookie, "Sec-Fetch-Mode: navigate"].map(str::trim);
    let refused = upgrade(&served, "?after=4", &navigates).await.refused().await;
    assert_eq!(refused, ("/problems/cookie".to_owned(), 4_403));
    served.say(&partner, "b-2", "still here").await;
    assert_eq!(socket.event("message").await["id"], "b-2");
    let mut again = resume(&served, &token, "?after=3").await;
    again.event("opened").await;
    assert_eq!(again.text().await["id"], "b-1", "it was not forgotten");
}

#[tokio::test]
async fn two_cookies_that_differ_open_no_socket() {
    let served = serve(Config::default()).await;
    let (mine, planted) = served.couple().await;
    let cookies = format!("cookie: racetrack_session={planted}; racetrack_session={mine}");
    let refused = upgrade(&served, "", &[&cookies]).await.refused().await;
    assert_eq!(refused, ("/problems/bad-header".to_owned(), 4_400));
    let letters = format!("cookie: name=é; racetrack_session={mine}");
    let mut socket = upgrade(&served, "", &[&letters]).await;
    assert_eq!(socket.text().await["token"], mine, "no new session is opened");
}

/// What comes of a Socket.IO connection that takes a session up, as text.
async fn socketio(served: &Served, auth: Value) -> String {
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = ask(&format!("GET {path}")).of(served.addr).await.body;
    let opened: Value = serde_json::from_str(&opened[1..]).expect("an open packet");
    let path = format!("{path}&sid={}", opened["sid"].as_str().expect("a name"));
    ask(&format!("POST {path}")).text(&format!("40/chat,{auth}")).of(served.addr).await;
    let mut heard = String::new();
    while !heard.contains("\"refused\"") {
        heard += &ask(&format!("GET {path}")).of(served.addr).await.body;
    }
    heard
}

#[tokio::test]
async fn refused_cursor_supersedes_nobody() {
    let served = serve(friendly()).await;
    let token = served.token().await;
    let mut reading = stream(&served, &token, "?after=0", &[]).await;
    reading.until("id: 2").await;
    for path in ["/api/events", "/api/stream"] {
        let answer = ask(&format!("GET {path}?after=99")).bearer(&token).of(served.addr).await;
        assert_eq!((answer.status, &answer.json()["type"]), (409, &json!("/problems/cursor")));
    }
    let refused = resume(&served, &token, "?after=99").await.refused().await;
    assert_eq!(refused, ("/problems/cursor".to_owned(), 4_409));
    let heard = socketio(&served, json!({ "token": token, "after": 99 })).await;
    assert!(heard.contains("/problems/cursor"), "{heard}");
    served.token().await;
    let text = reading.until("paired").await;
    assert!(!text.contains("superseded"), "{text}");
}

#[tokio::test]
async fn refusal_of_the_cookie_says_what_to_send() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    let cookie = format!("racetrack_session={token}");
    let answer = ask("GET /api/events").header("cookie", &cookie).of(served.addr).await;
    expect![[r#"{"type":"/problems/cookie","title":"The cookie does not count","status":403,"detail":"the cookie alone does not say that a page of this server sent the request; send the token as `Authorization: Bearer TOKEN`, or the header X-Requested-With"}"#]].assert_eq(&answer.body);
}
