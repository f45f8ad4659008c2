//! The matrix inside the simulated network, where a seed decides every delay.

use chat_sim::SimulatedConnector;
use racetrack_sim::{PORT, Sim, scenario};

use super::cells::Place;
use super::pairs;

/// Each seed is another network: other delays, another order of what happens at once.
const SEEDS: u64 = 2;
const SERVER: &str = "server";

#[test]
fn every_transport_with_every_other() {
    let mut failed = Vec::new();
    for seed in 0..SEEDS {
        for (one, other) in pairs() {
            let both = move |sim: &mut Sim<()>| {
                sim.host(SERVER, |listener| {
                    server::serve(listener, super::server(), std::future::pending())
                });
                sim.client("somebody", move |client| async move {
                    let connector = SimulatedConnector(client.connector(SERVER));
                    Place { connector, host: format!("{SERVER}:{PORT}") }.cell(one, other).await;
                    Ok(())
                });
            };
            if let Err(error) = scenario(both).seed(seed).run() {
                failed.push(format!("seed {seed}, {one} with {other}: {error}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
