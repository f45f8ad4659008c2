//! The long-polling server as it began: parked requests, announcements, the delayed greeting.

use std::time::Duration;

use expect_test::expect;
use server::config::Config;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::http::{Answer, ask};
use crate::served::{Served, serve};

/// A server that parks one request at a time, and that for this long.
fn one_place(poll_wait_ms_max: u64) -> Config {
    Config { parked_max: 1, poll_wait_ms_max, ..Config::default() }
}

/// Parks a request and returns when the server has it.
async fn park(served: &Served, method: &str) -> JoinHandle<Answer> {
    let parked = tokio::spawn(ask(&format!("{method} /longpolling")).of(served.addr));
    until_parked(served, 1).await;
    parked
}

async fn until_parked(served: &Served, how_many: usize) {
    let line = format!("racetrack_parked {how_many}\n");
    while !ask("GET /metrics").of(served.addr).await.body.contains(&line) {}
}

#[tokio::test]
async fn each_request_ends_after_its_own_time() {
    let served = serve(Config { poll_wait_ms_max: 300, ..Config::default() }).await;
    let ask_for = |method: &'static str| {
        let asked = Instant::now();
        let parked = ask(&format!("{method} /longpolling")).of(served.addr);
        async move { (parked.await, asked.elapsed()) }
    };
    let both = tokio::join!(ask_for("GET"), ask_for("POST"));
    for (answer, took) in [both.0, both.1] {
        assert_eq!((answer.status, answer.body.as_str()), (200, "End/\n"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(took >= Duration::from_millis(300), "{took:?}");
    }
}

#[tokio::test]
async fn an_announcement_answers_those_who_are_parked_at_once() {
    for method in ["GET", "POST"] {
        let served = serve(one_place(3_600_000)).await;
        let parked = park(&served, method).await;
        let announced = ask("POST /announce").text("여기요").of(served.addr).await;
        assert_eq!((announced.status, announced.body.as_str()), (202, ""));
        let answer = parked.await.expect("the test does not panic");
        assert_eq!((answer.status, answer.body.as_str()), (200, "여기요\n"));
    }
}

#[tokio::test]
async fn a_closed_connection_is_forgotten() {
    let served = serve(one_place(3_600_000)).await;
    let parked = park(&served, "GET").await;
    parked.abort();
    until_parked(&served, 0).await;
    let parked = park(&served, "GET").await;
    ask("POST /announce").text("still here?").of(served.addr).await;
    assert_eq!(parked.await.expect("the test does not panic").body, "still here?\n");
}

#[tokio::test]
async fn more_than_may_be_parked_are_told_to_come_back() {
    let served = serve(one_place(3_600_000)).await;
    let _parked = park(&served, "GET").await;
    let answer = ask("GET /longpolling").of(served.addr).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    expect![[r#"{"type":"/problems/full","title":"The server is full","status":503,"detail":"as many requests are parked as the server allows; come back later","retry_after_ms":1000}"#]].assert_eq(&answer.body);
}

#[tokio::test]
async fn an_announcement_is_short_text_and_not_too_many_come_at_once() {
    let config = Config { messages_per_s_max: 1, messages_burst_max: 8, ..Config::default() };
    let served = serve(config).await;
    let announce = |text: &str| ask("POST /announce").text(text).of(served.addr);
    let refused = async |text: &str| {
        let answer = announce(text).await;
        format!("{} {}", answer.status, answer.json()["type"])
    };
    expect![[r#"400 "/problems/bad-body""#]].assert_eq(&refused("").await);
    let long = "x".repeat(4_097);
    expect![[r#"413 "/problems/message-too-long""#]].assert_eq(&refused(&long).await);
    let longer = "x".repeat(20_000);
    expect![[r#"413 "/problems/body-too-large""#]].assert_eq(&refused(&longer).await);
    assert_eq!(announce("one").await.status, 202);
    assert_eq!(announce("two").await.status, 202);
    let answer = announce("three").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("4")));
}

#[tokio::test]
async fn an_address_that_never_stops_announcing_leaves_something_to_the_others() {
    let loopback = "127.0.0.0/8".parse().expect("a network");
    let (messages_per_s_max, messages_burst_max) = (1, 8);
    let trusted_proxies = vec![loopback];
    let config =
        Config { messages_per_s_max, messages_burst_max, trusted_proxies, ..Config::default() };
    let served = serve(config).await;
    let announce = async |from: &str| {
        let announcement = ask("POST /announce").header("x-forwarded-for", from).text("here");
        announcement.of(served.addr).await.status
    };
    for nth in 0..20 {
        let expected = if nth < 2 { 202 } else { 429 };
        assert_eq!(announce("2001:db8::1").await, expected, "{nth}");
    }
    assert_eq!(announce("2001:db8::ffff").await, 429, "of the same network");
    for other in ["192.0.2.1", "2001:db8:1::1"] {
        assert_eq!(announce(other).await, 202, "{other}");
    }
}

#[tokio::test]
async fn a_shutdown_answers_those_who_are_parked() {
    let mut served = serve(one_place(3_600_000)).await;
    let parked = park(&served, "GET").await;
    served.shut_down();
    let answer = parked.await.expect("the test does not panic");
    assert_eq!((answer.status, answer.body.as_str()), (200, "End/\n"));
    served.ended().await;
}

#[tokio::test]
async fn the_greeting_takes_a_second_and_other_paths_are_not_there() {
    let served = serve(Config::default()).await;
    let asked = Instant::now();
    let answer = ask("GET /hello").of(served.addr).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "Hello World\n"));
    assert!(asked.elapsed() >= Duration::from_secs(1));
    assert_eq!(ask("GET /hello/there").of(served.addr).await.status, 404);
}
