//! How fast a run of 1,000 clients is: each sends one request a simulated second, over a connection that stays open, to a small axum
//! service.
//!
//! ```sh
//! cargo bench -p racetrack-sim --bench thousand_clients
//! ```

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark says what it has measured")]

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use nix::time::{ClockId, clock_gettime};
use racetrack_sim::{Client, Sim, scenario};

const CLIENTS: u64 = 1_000;
/// Requests of each client, and simulated seconds of a run.
const SECONDS: u64 = 100;
/// The figure is the median of so many runs.
const ROUNDS: u64 = 3;

async fn visit(client: Client<u64>) -> Result<(), Box<dyn std::error::Error>> {
    let number: u64 = client.name().parse()?;
    tokio::time::sleep(Duration::from_millis(number * 1_000 / CLIENTS)).await;
    let stream = TokioIo::new(client.connect("shop").await?);
    let (mut sender, connection) = handshake(stream).await?;
    tokio::task::spawn_local(connection);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..SECONDS {
        ticks.tick().await;
        let request = Request::get("/").header("host", "shop").body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?.into_body().collect().await?;
        client.record(answer.to_bytes().len() as u64);
    }
    Ok(())
}

fn shop(sim: &mut Sim<u64>) {
    sim.host("shop", |listener| {
        axum::serve(listener, Router::new().route("/", get(|| async { "hello" })))
    });
    for number in 0..CLIENTS {
        sim.client(&number.to_string(), visit);
    }
    sim.checker("all-answers", |history| {
        assert_eq!(history.len() as u64, CLIENTS * SECONDS, "every request is answered");
        Vec::new()
    });
}

fn main() {
    let settings = |tick_ms| {
        move |settings: &mut racetrack_sim::Settings| {
            (settings.tick_ms, settings.disturb_ms) = (tick_ms, (SECONDS + 10) * 1_000);
        }
    };
    for tick_ms in [1, 5, 10] {
        let mut rounds: Vec<_> = (0..ROUNDS)
            .map(|seed| {
                let race = scenario(shop).seed(seed).settings(settings(tick_ms));
                let (clock, before) = (Instant::now(), processor_time());
                race.run().expect("every client is answered");
                (clock.elapsed(), processor_time() - before)
            })
            .collect();
        rounds.sort_unstable();
        let (wall, spent) = rounds[rounds.len() / 2];
        println!(
            "{CLIENTS} clients, a request a second each, ticks of {tick_ms} ms: {:.0} simulated seconds a second ({:.2} s of \
             processor time for {SECONDS} s)",
            SECONDS as f64 / wall.as_secs_f64(),
            spent.as_secs_f64(),
        );
    }
}

/// What all threads of this process have spent so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.expect("the system counts the processor time of every process").into()
}
