//! Pages of other sites: what they may not do, and what those that are listed may.

use expect_test::{Expect, expect};
use server::config::Config;
use tokio::net::TcpStream;

use crate::http::{Answer, Ask, ask};
use crate::served::serve;

const UPGRADE: [(&str, &str); 3] = [
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Everything by which a page could make a browser act in its user's name.
const ACTS: [(&str, bool); 8] = [
    ("GET /longpolling", false),
    ("POST /api/session", false),
    ("POST /api/messages", false),
    ("POST /announce", false),
    ("DELETE /api/session", false),
    ("GET /api/ws", true),
    ("GET /socket.io/?EIO=4&transport=websocket", true),
    ("GET /socket.io/?EIO=4&transport=polling", false),
];

fn from(origin: &str, act: &str, upgrades: bool) -> Ask {
    let ask = ask(act).header("origin", origin);
    UPGRADE.iter().filter(|_| upgrades).fold(ask, |ask, (name, value)| ask.header(name, value))
}

fn check(answer: &Answer, expected: Expect) {
    let names = ["access-control-allow-origin", "access-control-allow-credentials"];
    let headers = names.map(|name| answer.header(name).unwrap_or("-"));
    expected.assert_eq(&format!("{} {}", answer.status, headers.join(" ")));
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_whatever_it_does() {
    let served = serve(Config::default()).await;
    for origin in ["http://evil.example", "null", "http://test.evil.example", "http://test:81"] {
        for (act, upgrades) in ACTS {
            let answer = from(origin, act, upgrades).of(served.addr).await;
            assert_eq!(answer.status, 403, "{act} from {origin}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{act}");
            assert_eq!(answer.json()["type"], "/problems/origin", "{act}");
        }
    }
    let answer = from("http://evil.example", "POST /api/session", false).of(served.addr).await;
    expect![[r#"{"type":"/problems/origin","title":"The origin is not allowed","status":403,"detail":"pages of this origin may not do this; the server's --allowed-origins names those that may"}"#]].assert_eq(&answer.body);
}

#[tokio::test]
async fn own_pages_and_programs_without_pages_are_not_refused() {
    let served = serve(Config::default()).await;
    // What is parked is not answered soon.
    for (act, upgrades) in ACTS.into_iter().skip(1).filter(|(_, upgrades)| !upgrades) {
        for origin in ["http://test", "http://TEST:80", "https://test"] {
            let answer = from(origin, act, upgrades).of(served.addr).await;
            assert_ne!(answer.status, 403, "{act} from {origin}");
        }
        assert_ne!(ask(act).of(served.addr).await.status, 403, "{act}");
    }
}

#[tokio::test]
async fn what_only_reads_is_answered_but_not_shown_to_the_page() {
    let served = serve(Config::default()).await;
    let answer = from("http://evil.example", "GET /healthz", false).of(served.addr).await;
    check(&answer, expect!["200 - -"]);
    let answer = from("http://evil.example", "OPTIONS /api/session", false).of(served.addr).await;
    check(&answer, expect!["204 - -"]);
}

#[tokio::test]
async fn pages_of_a_listed_origin_may_do_everything_and_see_the_answer() {
    let friend = "https://friend.example".parse().expect("an origin");
    let served = serve(Config { allowed_origins: vec![friend], ..Config::default() }).await;
    let from_friend = |act| from("https://friend.example", act, false).of(served.addr);
    check(&from_friend("POST /api/session").await, expect!["201 https://friend.example true"]);
    check(
        &from_friend("GET /socket.io/?EIO=4&transport=polling").await,
        expect!["200 https://friend.example true"],
    );
    // What is refused for another reason is shown as well.
    check(&from_friend("DELETE /api/session").await, expect!["401 https://friend.example true"]);
    let evil = from("http://evil.example", "POST /api/session", false).of(served.addr).await;
    check(&evil, expect!["403 - true"]);
}

#[tokio::test]
async fn pages_of_subdomains_and_ports_are_shown_the_answer_where_wildcards_list_them() {
    let allowed = ["https://*.friend.example", "http://localhost:*", "null"];
    let allowed_origins = allowed.map(|origin| origin.parse().expect("an origin")).to_vec();
    let served = serve(Config { allowed_origins, ..Config::default() }).await;
    for origin in ["https://a.b.friend.example", "http://localhost:5173", "null"] {
        let opened = from(origin, "POST /api/session", false).of(served.addr).await;
        let asks = from(origin, "OPTIONS /api/session", false);
        let asks = asks.header("access-control-request-method", "POST").of(served.addr).await;
        assert_eq!((opened.status, asks.status), (201, 200), "{origin}");
        for answer in [opened, asks] {
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        }
    }
    for origin in ["https://friend.example", "http://a.friend.example", "file://"] {
        let refused = from(origin, "POST /api/session", false).of(served.addr).await;
        check(&refused, expect!["403 - true"]);
    }
}

#[tokio::test]
async fn a_browser_that_asks_first_is_told_what_a_listed_page_may() {
    let friend = "https://friend.example".parse().expect("an origin");
    let allowed_headers = vec!["X-Request-Id".parse().expect("a name")];
    let config = Config { allowed_origins: vec![friend], allowed_headers, ..Config::default() };
    let served = serve(config).await;
    let preflight = |origin| {
        let ask = from(origin, "OPTIONS /api/session", false);
        ask.header("access-control-request-method", "DELETE").of(served.addr)
    };
    let answer = preflight("https://friend.example").await;
    check(&answer, expect!["200 https://friend.example true"]);
    let told = ["methods", "headers"]
        .map(|what| answer.header(&format!("access-control-allow-{what}")).unwrap_or("-"));
    expect!["GET,POST,DELETE | authorization,content-type,last-event-id,x-requested-with,traceparent,tracestate,baggage,x-request-id"]
        .assert_eq(&told.join(" | "));
    check(&preflight("http://evil.example").await, expect![["200 - true"]]);
}

#[tokio::test]
async fn page_of_a_listed_origin_reads_every_refusal_before_the_router() {
    let friend = "https://friend.example".parse().expect("an origin");
    let loopback = "127.0.0.0/8".parse().expect("a network");
    let config = Config {
        allowed_origins: vec![friend],
        trusted_proxies: vec![loopback],
        connections_per_address_max: 1,
        ..Config::default()
    };
    let served = serve(config).await;
    let from_friend = |act| from("https://friend.example", act, false);
    let host = from_friend("GET /api/events").header("host", "again").of(served.addr).await;
    check(&host, expect!["400 https://friend.example true"]);
    let encoded = from_friend("POST /api/ack").header("content-encoding", "gzip").text("x");
    check(&encoded.of(served.addr).await, expect!["415 https://friend.example true"]);
    let behind = |act| from_friend(act).header("x-forwarded-for", "203.0.113.1");
    let parked = tokio::spawn(behind("GET /longpolling").of(served.addr));
    while !ask("GET /metrics").of(served.addr).await.body.contains("racetrack_parked 1") {}
    let limited = behind("POST /api/session").of(served.addr).await;
    check(&limited, expect!["429 https://friend.example true"]);
    let evil = from("http://evil.example", "GET /healthz", false);
    let evil = evil.header("x-forwarded-for", "203.0.113.1").of(served.addr).await;
    check(&evil, expect!["429 - true"]);
    let asks = behind("OPTIONS /api/session").header("access-control-request-method", "POST");
    check(&asks.of(served.addr).await, expect!["200 https://friend.example true"]);
    parked.abort();
}

#[tokio::test]
async fn page_of_a_listed_origin_reads_when_a_refused_connection_may_come_back() {
    let friend = "https://friend.example".parse().expect("an origin");
    let config = Config {
        allowed_origins: vec![friend],
        connections_per_address_max: 1,
        ..Config::default()
    };
    let served = serve(config).await;
    let _only_one = TcpStream::connect(served.addr).await.expect("the server is there");
    let refused = from("https://friend.example", "POST /api/session", false).of(served.addr).await;
    check(&refused, expect!["429 https://friend.example true"]);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("access-control-expose-headers"), Some("retry-after"));
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    // Were the preflight refused, the page would never see why.
    let asks = from("https://friend.example", "OPTIONS /api/session", false);
    let asks = asks.header("access-control-request-method", "POST").of(served.addr).await;
    check(&asks, expect!["200 https://friend.example true"]);
    let evil = from("http://evil.example", "POST /api/session", false).of(served.addr).await;
    check(&evil, expect!["429 - true"]);
    let head = ask("HEAD /api/events").of(served.addr).await;
    assert_eq!((head.status, head.body.as_str()), (429, ""));
}
