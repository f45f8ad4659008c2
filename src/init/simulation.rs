//! Looks for races of a service, seed by seed: `cargo test --test simulation`.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::{Router, routing::post};
use racetrack_sim::{Client, FaultKind, History, Sim, Violation, explore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The service; put yours here. This one sells seats, and its race sells a seat twice.
fn service() -> Router {
    let sold = Arc::new(AtomicU32::new(0));
    let sell = async move || {
        let seat = sold.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await; // the bank takes a while
        sold.store(seat + 1, Ordering::SeqCst);
        seat.to_string()
    };
    Router::new().route("/seats", post(sell))
}

/// A client: it buys a seat, and records which.
async fn buy(client: Client<u32>) -> Result<(), Box<dyn Error>> {
    let mut stream = client.connect("office").await?;
    stream.write_all(b"POST /seats HTTP/1.0\r\nhost: office\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    client.record(answer.lines().last().unwrap_or_default().parse()?);
    Ok(())
}

/// What must hold of everything that clients recorded.
fn seat_sold_once(history: &History<u32>) -> Vec<Violation> {
    let (mut sold, mut violations) = (BTreeMap::new(), Vec::new());
    for event in history {
        if let Some(first) = sold.insert(event.what, event.index) {
            let what = format!("seat {} was sold twice", event.what);
            violations.push(Violation::because(what, &[first, event.index]));
        }
    }
    violations
}

fn box_office(sim: &mut Sim<u32>) {
    sim.host("office", |listener| axum::serve(listener, service()));
    for name in ["ann", "bob", "cyd"] {
        sim.client(name, buy);
    }
    sim.checker("seat-sold-once", seat_sold_once);
    // What goes wrong here delays, and loses nothing: these clients ask only once.
    sim.faults([FaultKind::Hold, FaultKind::LatencyStep, FaultKind::Freeze]);
}

#[test]
fn each_seat_is_sold_once() {
    explore(box_office).seeds(0..300).regressions("tests/regressions").run();
}
