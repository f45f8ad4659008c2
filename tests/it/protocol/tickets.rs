//! Tickets: how a page of another site, whose `EventSource` sets no header, reads the stream.

use std::time::Duration;

use serde_json::{Value, json};
use server::config::Config;
use tokio::time::Instant;

use super::raw_stream::{RawStream, begin};
use crate::http::{Answer, ask};
use crate::served::{Served, serve};

const FRIEND: &str = "https://friend.example";
/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

fn config() -> Config {
    let allowed_origins = [FRIEND, "https://other.example"];
    Config {
        allowed_origins: allowed_origins.map(|it| it.parse().expect("an origin")).to_vec(),
        notice_interval_ms: 3_600_000,
        ..Config::default()
    }
}

/// Asks for a ticket in the name of a page.
async fn issued(served: &Served, token: &str, origin: &str) -> Answer {
    ask("POST /api/ticket").bearer(token).header("origin", origin).of(served.addr).await
}

async fn ticket(served: &Served, token: &str) -> String {
    let issued = issued(served, token, FRIEND).await;
    assert_eq!((issued.status, issued.header("cache-control")), (200, Some("no-store")));
    assert_eq!(issued.header("access-control-allow-origin"), Some(FRIEND));
    issued.json()["ticket"].as_str().expect("a ticket").to_owned()
}

/// A stream as an `EventSource` of a page opens it.
async fn stream(served: &Served, ticket: &str, query: &str, headers: &[&str]) -> RawStream {
    let origin = format!("origin: {FRIEND}");
    let lines = [&[&origin[..]], headers].concat();
    begin(served, &format!("?ticket={ticket}{query}"), &lines).await
}

fn refused(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["type"].clone())
}

#[tokio::test]
async fn page_of_a_listed_origin_reads_the_stream_with_a_ticket_and_comes_back_with_it() {
    let served = serve(config()).await;
    let token = served.token().await;
    let ticket = ticket(&served, &token).await;
    let mut first = stream(&served, &ticket, "&after=0", &[]).await;
    let head = first.until("id: 2").await.to_lowercase();
    for header in [format!("access-control-allow-origin: {FRIEND}"), "text/event-stream".to_owned()]
    {
        assert!(head.contains(&header), "no {header} in {head}");
    }
    drop(first);
    let mut again = stream(&served, &ticket, "&after=0", &["last-event-id: 1"]).await;
    let text = again.until("id: 2").await;
    assert!(!text.contains("id: 1\n"), "{text}");
}

#[tokio::test]
async fn ticket_counts_for_no_other_origin_and_opens_nothing_but_the_stream() {
    let served = serve(config()).await;
    let token = served.token().await;
    let ticket = ticket(&served, &token).await;
    let target = format!("GET /api/stream?ticket={ticket}");
    let expected = (401, json!("/problems/ticket"));
    let nobody = ask(&target).of(served.addr).await;
    assert_eq!(refused(&nobody), expected, "without an origin");
    assert!(nobody.header("www-authenticate").is_some());
    for origin in ["https://other.example", "http://friend.example", "http://test", "null"] {
        let answer = ask(&target).header("origin", origin).of(served.addr).await;
        assert_eq!(refused(&answer), expected, "{origin}");
    }
    let twice = ask(&target).header("origin", FRIEND).header("origin", FRIEND);
    assert_eq!(refused(&twice.of(served.addr).await), expected, "two origins");
    for other in ["", "1-1-00", &ticket[1..], &token] {
        let ask = ask(&format!("GET /api/stream?ticket={other}")).header("origin", FRIEND);
        assert_eq!(refused(&ask.of(served.addr).await), expected, "{other:?}");
    }
    // Whoever sends a ticket means it, whatever else the request has.
    let both = ask("GET /api/stream?ticket=1-1-00").bearer(&token).header("origin", FRIEND);
    assert_eq!(refused(&both.of(served.addr).await), expected);
    for elsewhere in ["GET /api/events", "POST /api/next", "DELETE /api/session"] {
        let query = ask(&format!("{elsewhere}?ticket={ticket}")).header("origin", FRIEND);
        let bearer = ask(elsewhere).header("origin", FRIEND).bearer(&ticket);
        for ask in [query, bearer] {
            let answer = ask.of(served.addr).await;
            assert_eq!(refused(&answer), (401, json!("/problems/no-session")), "{elsewhere}");
        }
    }
}

#[tokio::test]
async fn ticket_is_for_a_page_that_says_its_origin_and_the_token() {
    let served = serve(config()).await;
    let token = served.token().await;
    let program = ask("POST /api/ticket").bearer(&token).of(served.addr).await;
    assert_eq!(refused(&program), (400, json!("/problems/bad-header")));
    let foreign = issued(&served, &token, "https://evil.example").await;
    assert_eq!(refused(&foreign), (403, json!("/problems/origin")));
    let nobody = issued(&served, "1-0", FRIEND).await;
    assert_eq!(refused(&nobody), (401, json!("/problems/no-session")));
    assert_eq!(issued(&served, &token, "http://test").await.status, 200, "an own page");
}

#[tokio::test]
async fn ticket_expires_and_the_stream_that_is_open_goes_on() {
    let served = serve(Config { ticket_ms: 300, ..config() }).await;
    let (token, partner) = served.couple().await;
    let issued_at = Instant::now();
    let answer = issued(&served, &token, FRIEND).await.json();
    assert_eq!(answer["expires_in_ms"], 300);
    let ticket = answer["ticket"].as_str().expect("a ticket").to_owned();
    let mut open = stream(&served, &ticket, "", &[]).await;
    let again = || {
        ask(&format!("HEAD /api/stream?ticket={ticket}")).header("origin", FRIEND).of(served.addr)
    };
    while again().await.status == 200 {
        assert!(issued_at.elapsed() < PATIENCE, "it does not expire");
    }
    // The server counts whole milliseconds.
    assert!(issued_at.elapsed() >= Duration::from_millis(299));
    let late = ask(&format!("GET /api/stream?ticket={ticket}")).header("origin", FRIEND);
    assert_eq!(refused(&late.of(served.addr).await), (401, json!("/problems/ticket")));
    served.say(&partner, "1", "still there").await;
    open.until("still there").await;
}

#[tokio::test]
async fn ticket_ends_with_its_session() {
    let served = serve(Config { session_lease_ms: 300, ..config() }).await;
    let token = served.token().await;
    let ticket = ticket(&served, &token).await;
    ask("DELETE /api/session").bearer(&token).of(served.addr).await;
    let begun = Instant::now();
    loop {
        let again = ask(&format!("HEAD /api/stream?ticket={ticket}")).header("origin", FRIEND);
        if again.of(served.addr).await.status == 401 {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "it outlives its session");
    }
}
