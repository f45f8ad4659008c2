//! Somebody's own axum service, clients and checker on the simulated network.
//!
//! ```sh
//! cargo run -p racetrack-chat-sim --example bring_your_own             # finds the seed at which a seat is sold twice
//! cargo run -p racetrack-chat-sim --example bring_your_own -- careful  # 500 seeds, every promise kept
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod box_office;

use std::collections::BTreeMap;
use std::process::ExitCode;

use axum::body::Bytes;
use box_office::Habit;
use chat_sim::net::Cut;
use chat_sim::testbed::{Client, Noted, Run, Testbed};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde::Serialize;

const SEATS: usize = 10;
const BUYERS: [&str; 3] = ["ann", "bob", "cyd"];

/// What a buyer notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
enum Event {
    Lost(String),
    Got { order: String, seat: usize },
}

/// Each orders one seat, and asks again with the same number when the answer is lost.
async fn buy(client: Client<Event>) -> turmoil::Result {
    let order = format!("{}-1", client.name());
    loop {
        match ask(&client, &order).await {
            Ok(seat) => {
                client.note(Event::Got { order, seat });
                return Ok(());
            }
            Err(error) => client.note(Event::Lost(error.to_string())),
        }
    }
}

async fn ask(client: &Client<Event>, order: &str) -> turmoil::Result<usize> {
    let stream = TokioIo::new(client.connect("office").await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let body = Full::<Bytes>::from(serde_json::to_vec(order)?);
    let request = Request::post("/seats").header("host", "office");
    let request = request.header("content-type", "application/json").body(body)?;
    let answer = sender.send_request(request).await?.into_body().collect().await?;
    Ok(serde_json::from_slice(&answer.to_bytes())?)
}

/// One seed: three buyers at once, and bob's connections are reset while he waits.
fn run(seed: u64, habit: Habit) -> Run<Event> {
    let mut testbed = Testbed::new(seed)
        .latency_ms(1..=20)
        .server("office", move |listener| async move {
            axum::serve(listener, box_office::service(SEATS, habit)).await
        })
        .trouble(30, |network| network.cut("bob", Cut::Reset));
    for buyer in BUYERS {
        testbed = testbed.client(buyer, buy);
    }
    testbed.run().unwrap_or_else(|error| panic!("seed {seed}: {error}"))
}

/// The checker: no seat belongs to two orders.
fn sold_twice(history: &[Noted<Event>]) -> Option<String> {
    let mut owners = BTreeMap::new();
    history.iter().find_map(|noted| {
        let Event::Got { order, seat } = &noted.what else { return None };
        let other = owners.insert(seat, order)?;
        Some(format!("seat {seat} was sold to {other} and, at {:?}, to {order}", noted.at))
    })
}

fn main() -> ExitCode {
    let is_careful = std::env::args().nth(1).is_some_and(|habit| habit == "careful");
    let habit = if is_careful { Habit::Careful } else { Habit::Hasty };
    let runs = (0..500).map(|seed| (seed, run(seed, habit)));
    let found = runs.filter_map(|(seed, run)| Some((seed, sold_twice(&run.history)?))).next();
    let Some((seed, what)) = found else {
        println!("500 seeds: every seat was sold once");
        return ExitCode::SUCCESS;
    };
    println!("seed {seed}: {what}");
    run(seed, habit).history.iter().for_each(|noted| println!("  {noted:?}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hasty_office_is_found_out_and_a_careful_one_is_not_accused() {
        assert!((0..20).any(|seed| sold_twice(&run(seed, Habit::Hasty).history).is_some()));
        let runs: Vec<_> = (0..100).map(|seed| run(seed, Habit::Careful)).collect();
        assert!(runs.iter().all(|run| sold_twice(&run.history).is_none()));
        assert!(runs.iter().any(|run| run.struck[0] > 0), "bob's connection was never reset");
    }

    #[test]
    fn a_seed_is_one_run() {
        assert_eq!(run(3, Habit::Hasty).trace.hash, run(3, Habit::Hasty).trace.hash);
    }
}
