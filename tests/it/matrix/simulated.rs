//! The matrix inside the simulated network, where a seed decides every delay.

use client::TransportKind;
use sim::guest::{address, guest};

use super::cells::Place;

/// Each seed is another network: other delays, another order of what happens at once.
const SEEDS: u64 = 4;

#[test]
fn every_transport_with_every_other() {
    for (seed, one, other) in (0..SEEDS).flat_map(|seed| {
        TransportKind::ALL
            .into_iter()
            .flat_map(move |one| TransportKind::ALL.map(|other| (seed, one, other)))
    }) {
        let visit = async move |connector| {
            Place { connector, host: address() }.cell(one, other).await;
        };
        let (visited, _) = guest(seed, super::server(), visit);
        visited.unwrap_or_else(|error| panic!("seed {seed}, {one} and {other}: {error}"));
    }
}
