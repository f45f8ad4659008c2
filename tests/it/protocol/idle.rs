//! How long a connection may be idle, and how long the header of a request may take: two times.

use std::time::Duration;

use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::limits::{A_WHILE, PATIENCE, connect, read_all, write};
use crate::served::serve;

const REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n";
const LATE: &str = "HTTP/1.1 408 Request Timeout\n";
/// Longer than a test takes, in milliseconds.
const LONG: u64 = 1_000_000;

/// A server with little time for headers and much for idle connections.
fn patient_between_requests() -> Config {
    Config { header_read_ms_max: 20, keep_alive_ms_max: LONG, ..Config::default() }
}

/// Reads the answer to [`REQUEST`].
async fn read_answer(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\nok\n") {
        let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await;
        answer.push(byte.expect("the server answers").expect("the connection is open").into());
    }
    answer
}

#[tokio::test]
async fn idle_connection_outlives_the_time_of_a_header() {
    let served = serve(patient_between_requests()).await;
    let mut stream = connect(&served).await;
    for _ in 0..3 {
        tokio::time::sleep(A_WHILE).await;
        write(&mut stream, REQUEST).await;
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn header_that_has_begun_is_late_however_long_idling_may_take() {
    let served = serve(patient_between_requests()).await;
    let mut first = connect(&served).await;
    tokio::time::sleep(A_WHILE).await;
    write(&mut first, "G").await;
    assert!(read_all(&mut first).await.starts_with(LATE));
    let mut later = connect(&served).await;
    for _ in 0..2 {
        write(&mut later, REQUEST).await;
        read_answer(&mut later).await;
    }
    write(&mut later, "GET /healthz HTTP/1.1\r\nhost: te").await;
    assert!(read_all(&mut later).await.starts_with(LATE));
}

#[tokio::test]
async fn later_header_that_comes_in_drops_gains_nothing() {
    let served = serve(patient_between_requests()).await;
    let (mut from, mut to) = connect(&served).await.into_split();
    to.write_all(REQUEST.as_bytes()).await.expect("the server takes it");
    read_answer(&mut from).await;
    let drip = async {
        let mut drops = tokio::time::interval(Duration::from_millis(5));
        to.write_all(b"GET / HTTP/1.1\r\nx: ").await?;
        loop {
            drops.tick().await;
            to.write_all(b"x").await?;
        }
    };
    let dripped: Result<std::io::Result<()>, _> = tokio::time::timeout(PATIENCE, drip).await;
    dripped.expect("the server closes").expect_err("it is closed");
}

#[tokio::test]
async fn header_that_begins_late_has_all_its_time() {
    let config = Config { header_read_ms_max: LONG, keep_alive_ms_max: 200, ..Config::default() };
    let served = serve(config).await;
    let mut stream = connect(&served).await;
    let (begin, rest) = REQUEST.split_at(1);
    for _ in 0..2 {
        write(&mut stream, begin).await;
        tokio::time::sleep(2 * A_WHILE).await;
        write(&mut stream, rest).await;
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn idle_connection_is_closed_without_a_word_when_its_time_is_over() {
    let config = Config { header_read_ms_max: LONG, keep_alive_ms_max: 20, ..Config::default() };
    let served = serve(config).await;
    let mut silent = connect(&served).await;
    assert_eq!(read_all(&mut silent).await, "");
    let mut answered = connect(&served).await;
    write(&mut answered, REQUEST).await;
    let answer = read_all(&mut answered).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\n") && answer.ends_with("\n\nok\n"), "{answer}");
}
