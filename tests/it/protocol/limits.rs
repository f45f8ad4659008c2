//! What a connection may not do, and the exact answer: too slow, too large, not HTTP, too many.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use expect_test::{Expect, expect};
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::http::ask;
use crate::served::{Served, serve, serve_on};

/// Nothing here takes as long.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// What must not happen has not happened after this time, though it takes far less.
pub(super) const A_WHILE: Duration = Duration::from_millis(200);

/// A server that is soon out of patience.
fn impatient() -> Config {
    Config { header_read_ms_max: 200, body_read_ms_max: 200, ..Config::default() }
}

pub(super) async fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.addr).await.expect("the server is there")
}

pub(super) async fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("the server takes it");
}

/// Everything until the server closes, without the date.
pub(super) async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A connection that was reset has said what it said.
    let _how_it_ended = read.expect("the server closes");
    let answer = String::from_utf8(answer).expect("the server writes UTF-8");
    let lines = answer.lines().filter(|line| !line.starts_with("date: "));
    lines.map(|line| format!("{line}\n")).collect()
}

async fn check(config: Config, request: &str, expected: Expect) {
    let served = serve(config).await;
    let mut stream = connect(&served).await;
    write(&mut stream, request).await;
    expected.assert_eq(&read_all(&mut stream).await);
}

#[tokio::test]
async fn a_header_that_is_never_complete_is_408() {
    check(
        impatient(),
        "GET /healthz HTTP/1.1\r\nhost: te",
        expect![[r#"
            HTTP/1.1 408 Request Timeout
            content-type: application/problem+json
            x-content-type-options: nosniff
            cache-control: no-store
            connection: close
            content-length: 124

            {"type":"/problems/slow-header","title":"The header took too long","status":408,"detail":"the header took more than 200 ms"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_header_that_comes_in_drops_gains_nothing() {
    let served = serve(impatient()).await;
    let (mut from, mut to) = connect(&served).await.into_split();
    let drip = async {
        let mut drops = tokio::time::interval(Duration::from_millis(20));
        to.write_all(b"GET / HTTP/1.1\r\nx: ").await?;
        loop {
            drops.tick().await;
            to.write_all(b"x").await?;
        }
    };
    let mut answer = [0; 12];
    let answered = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            read = from.read_exact(&mut answer) => read.map(|_| ()),
            dripped = drip => { let _cut: std::io::Result<()> = dripped; Ok(()) }
        }
    });
    answered.await.expect("it ends in time").expect("there is an answer");
    // The server may close before the last drop arrives, and then the system may take the answer
    // back; where there is one, it is this.
    assert!([*b"HTTP/1.1 408", [0; 12]].contains(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_body_that_is_never_complete_is_408() {
    let head = "POST /api/messages HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n";
    let served = serve(impatient()).await;
    let token = served.token().await;
    let mut stream = connect(&served).await;
    let request =
        format!("{head}authorization: Bearer {token}\r\ncontent-length: 100\r\n\r\n{{\"id\":");
    write(&mut stream, &request).await;
    expect![[r#"
        HTTP/1.1 408 Request Timeout
        content-type: application/problem+json
        connection: close
        content-length: 153
        vary: accept
        x-content-type-options: nosniff
        cache-control: no-store

        {"type":"/problems/slow-body","title":"The body took too long","status":408,"detail":"Failed to buffer the request body: the body took more than 200 ms"}
    "#]].assert_eq(&read_all(&mut stream).await);
}

#[tokio::test]
async fn a_body_that_comes_in_drops_gains_nothing() {
    let served = serve(impatient()).await;
    let token = served.token().await;
    let (mut from, mut to) = connect(&served).await.into_split();
    let request = format!(
        "POST /api/messages HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: 10000\r\n\r\n"
    );
    to.write_all(request.as_bytes()).await.expect("the server takes it");
    let drip = async {
        let mut drops = tokio::time::interval(Duration::from_millis(20));
        loop {
            drops.tick().await;
            if to.write_all(b" ").await.is_err() {
                return std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            read = from.read_exact(&mut answer) => read.map(|_| ()),
            () = drip => Ok(()),
        }
    });
    read.await.expect("the server answers in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let header = format!("x: {}\r\n", "x".repeat(20_000));
    check(
        Config::default(),
        &format!("GET /healthz HTTP/1.1\r\nhost: test\r\n{header}\r\n"),
        expect![[r#"
            HTTP/1.1 431 Request Header Fields Too Large
            connection: close
            content-length: 0

        "#]],
    )
    .await;
    let headers: String = (0..101).map(|n| format!("x-{n}: x\r\n")).collect();
    check(
        Config::default(),
        &format!("GET /healthz HTTP/1.1\r\nhost: test\r\n{headers}\r\n"),
        expect![[r#"
            HTTP/1.1 431 Request Header Fields Too Large
            connection: close
            content-length: 0

        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_http_is_400() {
    let check = |nonsense| {
        let expected = expect![[r#"
            HTTP/1.1 400 Bad Request
            connection: close
            content-length: 0

        "#]];
        check(Config::default(), nonsense, expected)
    };
    check("NONSENSE\r\n\r\n").await;
    check("GET / HTTP/9.9\r\n\r\n").await;
    check("G\0T / HTTP/1.1\r\n\r\n").await;
}

#[tokio::test]
async fn a_host_that_is_missing_doubled_or_none_is_400() {
    let check = |host: &str, expected| {
        let request = format!("GET /healthz HTTP/1.1\r\n{host}connection: close\r\n\r\n");
        async move { check(Config::default(), &request, expected).await }
    };
    check("", expect![[r#"
        HTTP/1.1 400 Bad Request
        content-type: application/problem+json
        vary: accept
        x-content-type-options: nosniff
        cache-control: no-store
        connection: close
        content-length: 158

        {"type":"/problems/host","title":"The Host is not understood","status":400,"detail":"there is no Host; a request names one Host, as `Host: example.org:3000`"}
    "#]]).await;
    check("host: test\r\nhost: test\r\n", expect![[r#"
        HTTP/1.1 400 Bad Request
        content-type: application/problem+json
        vary: accept
        x-content-type-options: nosniff
        cache-control: no-store
        connection: close
        content-length: 169

        {"type":"/problems/host","title":"The Host is not understood","status":400,"detail":"there is more than one Host; a request names one Host, as `Host: example.org:3000`"}
    "#]]).await;
    check("host: te st\r\n", expect![[r#"
        HTTP/1.1 400 Bad Request
        content-type: application/problem+json
        vary: accept
        x-content-type-options: nosniff
        cache-control: no-store
        connection: close
        content-length: 157

        {"type":"/problems/host","title":"The Host is not understood","status":400,"detail":"this is no Host; a request names one Host, as `Host: example.org:3000`"}
    "#]]).await;
    check("host: me@test\r\n", expect![[r#"
        HTTP/1.1 400 Bad Request
        content-type: application/problem+json
        vary: accept
        x-content-type-options: nosniff
        cache-control: no-store
        connection: close
        content-length: 157

        {"type":"/problems/host","title":"The Host is not understood","status":400,"detail":"this is no Host; a request names one Host, as `Host: example.org:3000`"}
    "#]]).await;
}

#[tokio::test]
async fn a_client_of_http_1_0_need_not_name_the_host() {
    check(
        Config::default(),
        "GET /healthz HTTP/1.0\r\n\r\n",
        expect![[r#"
            HTTP/1.0 200 OK
            content-type: text/plain; charset=utf-8
            content-length: 3
            x-content-type-options: nosniff
            cache-control: no-store

            ok
        "#]],
    )
    .await;
}

/// A listener whose connections hold little that the peer has not taken.
fn shallow() -> tokio::net::TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_send_buffer_size(8_192).expect("a small buffer");
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    socket.listen(16).expect("a listener")
}

#[tokio::test]
async fn who_takes_nothing_of_what_is_written_is_cut() {
    let config = Config { write_ms_max: 300, ..Config::default() };
    let served = serve_on(shallow(), config);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(8_192).expect("a small buffer");
    let mut stream = socket.connect(served.addr).await.expect("the server is there");
    let request = "GET /metrics HTTP/1.1\r\nhost: test\r\n\r\n".repeat(100);
    // Asks without reading until the server takes no more, and then until it has cut.
    let asked = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, asked).await.expect("the server cuts");
    let metrics = async || ask("GET /metrics").of(served.addr).await.body;
    while !metrics().await.contains("racetrack_connections 1\n") {}
}

#[tokio::test]
async fn over_all_connections_further_ones_wait_until_there_is_room() {
    let served = serve(Config { connections_max: 1, ..Config::default() }).await;
    let first = connect(&served).await;
    let mut second = connect(&served).await;
    write(&mut second, "GET /healthz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    let early = tokio::time::timeout(A_WHILE, second.readable()).await;
    assert!(early.is_err(), "there is no room yet");
    drop(first);
    let answer = read_all(&mut second).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{answer}");
}

#[tokio::test]
async fn over_those_of_one_address_further_ones_are_429() {
    let served = serve(Config { connections_per_address_max: 2, ..Config::default() }).await;
    // Connections are counted in the order in which they were made.
    let first = connect(&served).await;
    let mut second = connect(&served).await;
    let mut third = connect(&served).await;
    expect![[r#"
        HTTP/1.1 429 Too Many Requests
        content-type: application/problem+json
        x-content-type-options: nosniff
        cache-control: no-store
        retry-after: 1
        connection: close
        content-length: 184

        {"type":"/problems/too-many-connections","title":"Too many connections","status":429,"detail":"this address has 2 connections open; close one or come back later","retry_after_ms":1000}
    "#]].assert_eq(&read_all(&mut third).await);
    write(&mut second, "GET /healthz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    let answer = read_all(&mut second).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{answer}");
    drop(first);
    while ask("GET /healthz").of(served.addr).await.status == 429 {}
    let metrics = ask("GET /metrics").of(served.addr).await.body;
    let refused = "racetrack_rejections_total{reason=\"too-many-connections\"}";
    assert!(metrics.contains(refused), "{metrics}");
}

#[tokio::test]
async fn limits_that_cannot_be_meant_are_refused_by_the_server_itself() {
    let config = Config { messages_burst_max: 0, ..Config::default() };
    let error = server::serve(shallow(), config, std::future::pending()).await;
    let error = error.expect_err("nobody could say anything");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    expect!["--messages-burst-max: 0 would let nothing through; at least 1"]
        .assert_eq(&error.to_string());
}
