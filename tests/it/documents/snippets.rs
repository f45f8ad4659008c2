//! The Rust that documents quote, as it stands there, compiled and run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::post;
use chat_sim::net::Cut;
use chat_sim::plan::Action::{Join, Say};
use chat_sim::plan::FaultKind::CutReset;
use chat_sim::scenario::Scenario;
use chat_sim::testbed::{Client, Noted, Testbed};
use chat_sim::transcript::story;
use client::TransportKind::{LongPoll, SocketioWebsocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_race_that_is_kept_by_name() {
    let report = Scenario::new()
        .person("ann", LongPoll)
        .person("bob", SocketioWebsocket)
        .at(100, "ann", Join)
        .at(100, "bob", Join)
        .at(500, "ann", Say)
        .trouble(505, CutReset, "bob", 0)
        .run();
    // Whoever keeps a cursor loses nothing with a connection.
    assert!(story(&report, "bob").contains("partner ann-1"), "{}", story(&report, "bob"));
    assert!(!story(&report, "ann").contains("lost"), "{}", story(&report, "ann"));
}

/// A box office with one seat, which it sells to whoever asks first.
fn service() -> Router {
    let is_sold = Arc::new(AtomicBool::new(false));
    let sell = async move || {
        let was_sold = is_sold.swap(true, Ordering::Relaxed);
        if was_sold { "gone" } else { "yours" }
    };
    Router::new().route("/seats", post(sell))
}

type Event = String;

/// Asks for the seat and notes the answer, or that none came.
async fn buy(client: Client<Event>) -> Result<(), Box<dyn std::error::Error>> {
    let mut stream = client.connect("office").await?;
    stream.write_all(b"POST /seats HTTP/1.0\r\nhost: office\r\n\r\n").await?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer).await {
        Ok(_) => client.note(answer.lines().last().unwrap_or_default().to_owned()),
        Err(error) => client.note(error.to_string()),
    }
    Ok(())
}

fn sold_twice(history: &[Noted<Event>]) -> Option<&Noted<Event>> {
    history.iter().filter(|noted| noted.what == "yours").nth(1)
}

#[test]
fn somebodys_own_service_under_the_testbed() -> Result<(), String> {
    for seed in 0..3 {
        let run = Testbed::new(seed)
            .server("office", |listener| async { axum::serve(listener, service()).await })
            .client("ann", buy)
            .client("bob", buy)
            .trouble(30, |network| network.cut("bob", Cut::Reset))
            .run()?;
        assert_eq!(sold_twice(&run.history), None, "seed {seed}");
        assert_eq!(run.history.len(), 2, "both noted something");
    }
    Ok(())
}
