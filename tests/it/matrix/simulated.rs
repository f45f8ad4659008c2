//! The matrix inside the simulated network, where a seed decides every delay.

use sim::guest::{address, guest};

use super::cells::Place;
use super::pairs;

/// Each seed is another network: other delays, another order of what happens at once.
const SEEDS: u64 = 2;

#[test]
fn every_transport_with_every_other() {
    let mut failed = Vec::new();
    for seed in 0..SEEDS {
        for (one, other) in pairs() {
            let visit = async move |connector| {
                Place { connector, host: address() }.cell(one, other).await;
            };
            if let (Err(error), _) = guest(seed, super::server(), visit) {
                failed.push(format!("seed {seed}, {one} with {other}: {error}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
