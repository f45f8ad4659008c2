//! A server behind a proxy: what is believed of what the proxy says, and of whom.

use expect_test::expect;
use server::config::{Config, ForwardedBy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::ask;
use crate::served::serve;

/// What the server counts while a long poll is parked.
const PARKED: &str = "racetrack_readers{transport=\"long-poll\"} 1\n";

/// A server that believes whoever asks from here.
fn trusting() -> Config {
    let loopback = "127.0.0.0/8".parse().expect("a network");
    Config { trusted_proxies: vec![loopback], ..Config::default() }
}

#[tokio::test]
async fn the_cookie_is_secure_where_a_proxy_that_is_believed_speaks_tls() {
    let is_secure = async |config, name: &str, value: &str| {
        let served = serve(config).await;
        let answer = ask("POST /api/session").header(name, value).of(served.addr).await;
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        let is_secure = cookie.ends_with("; Secure");
        assert_eq!(cookie.starts_with("__Host-racetrack_session="), is_secure, "{cookie}");
        is_secure
    };
    assert!(is_secure(trusting(), "x-forwarded-proto", "https").await);
    assert!(!is_secure(trusting(), "x-forwarded-proto", "http").await);
    assert!(!is_secure(Config::default(), "x-forwarded-proto", "https").await, "not believed");
    assert!(!is_secure(trusting(), "forwarded", "for=1.2.3.4;proto=https").await, "not read");
    let config = Config { forwarded_by: ForwardedBy::Forwarded, ..trusting() };
    assert!(is_secure(config, "forwarded", "for=1.2.3.4;proto=https").await);
}

#[tokio::test]
async fn cookie_without_the_prefix_does_not_count_with_tls() {
    let served = serve(trusting()).await;
    let (mine, planted) = served.couple().await;
    let poll = |proto: &str, cookies: String| {
        let ask = ask("GET /api/events").header("x-forwarded-proto", proto);
        ask.header("cookie", &cookies).header("x-requested-with", "test").of(served.addr)
    };
    let own = format!("__Host-racetrack_session={mine}");
    let other = format!("racetrack_session={planted}");
    assert_eq!(poll("https", own.clone()).await.status, 200);
    assert_eq!(poll("https", other.clone()).await.status, 401, "any host of the site can set it");
    let both = poll("https", format!("{other}; {own}")).await;
    assert_eq!(both.status, 200);
    let (session, _) = mine.split_once('-').expect("a session and a secret");
    let session = u64::from_str_radix(session, 16).expect("a number");
    assert_eq!(both.json()["events"][0]["session"], session, "whichever stands first");
    assert_eq!(poll("http", own).await.status, 401);
    assert_eq!(poll("http", other).await.status, 200);
}

#[tokio::test]
async fn own_pages_are_those_of_the_host_that_the_proxy_was_asked_for() {
    let open = async |config, origin: &str| {
        let served = serve(config).await;
        let ask = ask("POST /api/session").header("origin", origin);
        let ask = ask.header("x-forwarded-host", "chat.example.org");
        ask.header("x-forwarded-proto", "https").of(served.addr).await.status
    };
    assert_eq!(open(trusting(), "https://chat.example.org").await, 201);
    assert_eq!(open(trusting(), "http://chat.example.org").await, 403, "another scheme");
    assert_eq!(open(trusting(), "https://test").await, 403, "only the proxy calls it that");
    assert_eq!(open(Config::default(), "https://chat.example.org").await, 403, "not believed");
}

#[tokio::test]
async fn upgrade_forwarded_as_wss_is_accepted_from_own_pages() {
    let served = serve(trusting()).await;
    for (proto, origin) in [("wss", "https://test"), ("ws", "http://test"), ("spdy", "http://test")]
    {
        let ask = ask("GET /api/ws").header("origin", origin).header("x-forwarded-proto", proto);
        // Not refused for the origin: what is missing is the upgrade.
        assert_eq!(ask.of(served.addr).await.status, 426, "{proto}");
    }
    let ask = ask("POST /api/session").header("x-forwarded-proto", "wss").of(served.addr).await;
    assert!(ask.header("set-cookie").is_some_and(|cookie| cookie.contains("; Secure")));
}

#[tokio::test]
async fn address_within_quotes_does_not_pass_the_limit_of_the_client() {
    let config = Config {
        connections_per_address_max: 1,
        forwarded_by: ForwardedBy::Forwarded,
        ..trusting()
    };
    let served = serve(config).await;
    let token = served.token().await;
    let poll = |forwarded: &'static str, query: &str| {
        let ask = ask(&format!("GET /api/events?{query}")).bearer(&token);
        ask.header("forwarded", forwarded).of(served.addr)
    };
    let parked = tokio::spawn(poll("for=203.0.113.9", "after=2&wait_ms=20000"));
    while !ask("GET /metrics").of(served.addr).await.body.contains(PARKED) {}
    let hidden = r#"for=203.0.113.9;host="x,for=198.51.100.1""#;
    assert_eq!(poll(hidden, "after=2").await.status, 429);
    assert_eq!(poll("for=198.51.100.1", "after=2").await.status, 200);
    assert_eq!(parked.await.expect("the test does not panic").status, 200);
}

#[tokio::test]
async fn people_behind_a_proxy_are_counted_one_by_one_and_the_proxy_is_not() {
    let config = Config { connections_per_address_max: 1, ..trusting() };
    let served = serve(config).await;
    let token = served.token().await;
    let poll = |address, wait_ms: u64| {
        let ask = ask(&format!("GET /api/events?after=2&wait_ms={wait_ms}")).bearer(&token);
        ask.header("x-forwarded-for", address).of(served.addr)
    };
    let parked = tokio::spawn(poll("203.0.113.1", 20_000));
    while !ask("GET /metrics").of(served.addr).await.body.contains(PARKED) {}
    let refused = poll("203.0.113.1", 0).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    expect![[r#"{"type":"/problems/too-many-connections","title":"Too many connections","status":429,"detail":"this address has 1 connections open; close one or come back later","retry_after_ms":1000}"#]].assert_eq(&refused.body);
    // Somebody else takes the mailbox over, which ends the parked poll and frees its place.
    assert_eq!(poll("203.0.113.2", 0).await.status, 200);
    assert_eq!(parked.await.expect("the test does not panic").status, 200);
    while poll("203.0.113.1", 0).await.status == 429 {}
}

#[tokio::test]
async fn a_socket_that_came_through_a_proxy_counts_until_it_is_closed() {
    let served = serve(Config { connections_per_address_max: 1, ..trusting() }).await;
    let health = || ask("GET /healthz").header("x-forwarded-for", "203.0.113.1").of(served.addr);
    for path in ["/api/ws", "/socket.io/?EIO=4&transport=websocket"] {
        let mut socket = TcpStream::connect(served.addr).await.expect("the server is there");
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             x-forwarded-for: 203.0.113.1\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.expect("the server takes it");
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 101", "{path}");
        assert_eq!(health().await.status, 429, "{path}");
        drop(socket);
        while health().await.status == 429 {}
    }
}
