//! The Rust that documents quote, as it stands there, compiled and run.

#![allow(unused_qualifications, reason = "documents quote it as readers would write it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::post;
use chat_sim::plan::Action::{Join, Say};
use chat_sim::plan::FaultKind::CutReset;
use chat_sim::scenario::Scenario;
use chat_sim::transcript::story;
use client::TransportKind::{LongPoll, SocketioWebsocket};
use racetrack_sim::{Client, FaultKind, History, Sim, Violation, explore};
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

/// Asks for the seat and records the answer, or that none came.
async fn buy(client: Client<Event>) -> Result<(), Box<dyn std::error::Error>> {
    let mut stream = client.connect("office").await?;
    let mut answer = String::new();
    let asked = async {
        stream.write_all(b"POST /seats HTTP/1.0\r\nhost: office\r\n\r\n").await?;
        stream.read_to_string(&mut answer).await
    };
    match asked.await {
        Ok(_) => client.record(answer.lines().last().unwrap_or_default().to_owned()),
        Err(error) => client.record(error.to_string()),
    }
    Ok(())
}

fn seat_sold_once(history: &History<Event>) -> Vec<Violation> {
    let sold: Vec<_> = history.iter().filter(|event| event.what == "yours").collect();
    match sold[..] {
        [first, second, ..] => {
            vec![Violation::because("it was sold twice", &[first.index, second.index])]
        }
        _ => Vec::new(),
    }
}

fn box_office(sim: &mut Sim<Event>) {
    sim.host("office", |listener| axum::serve(listener, service()));
    for name in ["ann", "bob", "cyd"] {
        sim.client(name, buy); // async fn(Client<Event>): client.connect("office"), client.record(..)
    }
    sim.checker("seat-sold-once", seat_sold_once); // fn(&History<Event>) -> Vec<Violation>
}

#[test]
fn a_seat_is_sold_once() {
    explore(box_office)
        .seeds(0..300)
        .faults([FaultKind::CutReset, FaultKind::Hold, FaultKind::Freeze]) // or FaultKind::ALL
        .regressions("tests/regressions") // failing plans are kept here, and run first from then on
        .run(); // panics with seed, checker, evidence, the diagram of the smallest plan, and how to run it again
}
