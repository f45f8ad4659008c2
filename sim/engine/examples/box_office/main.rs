//! A box office under the simulation: an ordinary axum service, three buyers, and a checker.
//!
//! ```sh
//! cargo run -p racetrack-sim --example box_office -- --first                  # finds the seed at which a seat is sold twice
//! SELLING=careful cargo run -p racetrack-sim --example box_office             # a seat is sold once
//! cargo run -p racetrack-sim --example box_office -- --help                   # the other commands
//! ```

mod service;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use racetrack_sim::{Client, FaultKind, History, HyperConnector, Sim, Violation, cli};
use serde::{Deserialize, Serialize};
use service::Selling;
use tokio::time::{sleep, timeout};

const SEATS: usize = 10;

/// What a buyer records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Event {
    Bought { order: String, seat: usize },
    Retried { order: String },
}

type Error = Box<dyn std::error::Error>;
/// An HTTP client that keeps its connections in a pool.
type Http = HttpClient<HyperConnector, Full<Bytes>>;

fn hasty(sim: &mut Sim<Event>) {
    box_office(sim, Selling::Hasty);
}

fn careful(sim: &mut Sim<Event>) {
    box_office(sim, Selling::Careful);
}

fn box_office(sim: &mut Sim<Event>, selling: Selling) {
    sim.host("office", move |listener| axum::serve(listener, service::router(SEATS, selling)));
    for name in ["ann", "bob", "cyd"] {
        sim.client(name, buy);
    }
    // Every kind but those that end the process: the office keeps its seats in memory.
    let ends = [FaultKind::Crash, FaultKind::CrashBlackHole];
    sim.faults(FaultKind::ALL.into_iter().filter(|kind| !ends.contains(kind)));
    sim.checker("seat-sold-once", seat_sold_once);
    sim.sometimes("an answer was lost", |history| {
        history.any(|event| matches!(event.what, Event::Retried { .. }))
    });
}

/// Orders one seat, and asks again with the same number when the answer is lost.
async fn buy(client: Client<Event>) -> Result<(), Error> {
    let http = HttpClient::builder(TokioExecutor::new()).build(client.hyper_connector());
    let order = format!("{}-1", client.name());
    loop {
        match timeout(Duration::from_secs(1), ask(&http, &order)).await {
            Ok(Ok(seat)) => {
                client.record(Event::Bought { order, seat });
                return Ok(());
            }
            _ => client.record(Event::Retried { order: order.clone() }),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn ask(http: &Http, order: &str) -> Result<usize, Error> {
    let request = Request::post("http://office/seats").header("content-type", "application/json");
    let request = request.body(Full::from(serde_json::to_vec(order)?))?;
    let answer = http.request(request).await?.into_body().collect().await?;
    Ok(serde_json::from_slice(&answer.to_bytes())?)
}

/// No seat belongs to two orders.
fn seat_sold_once(history: &History<Event>) -> Vec<Violation> {
    let mut sold = BTreeMap::new();
    let mut violations = Vec::new();
    for event in history {
        let Event::Bought { order, seat } = &event.what else { continue };
        if let Some((other, index)) = sold.insert(seat, (order, event.index)) {
            let what = format!("seat {seat} was sold to {other} and to {order}");
            violations.push(Violation::because(what, &[index, event.index]));
        }
    }
    violations
}

fn main() -> ExitCode {
    match std::env::var("SELLING").is_ok_and(|selling| selling == "careful") {
        true => cli::main(careful),
        false => cli::main(hasty),
    }
}

#[cfg(test)]
mod tests {
    use racetrack_sim::{explore, prove};

    use super::*;

    #[test]
    fn hasty_office_sells_a_seat_twice_within_ten_seeds() {
        let explored = explore(hasty).seeds(0..10).try_run();
        let text = explored.map(|explored| explored.replayed).expect_err("it fails").to_string();
        assert!(text.contains(" failed: seat-sold-once: "), "{text}");
    }

    #[test]
    fn careful_office_sells_each_seat_once() {
        let explored = explore(careful).seeds(0..150).require_states().run();
        assert_eq!(explored.sweep.seeds, 150);
    }

    #[test]
    fn both_offices_run_alike_twice() {
        assert_eq!(prove(hasty).seeds(0..4).run(), prove(hasty).seeds(0..4).run());
        assert_eq!(prove(careful).seeds(0..4).run(), prove(careful).seeds(0..4).run());
    }
}
