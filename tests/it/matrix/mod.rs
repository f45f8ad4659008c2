//! Every transport with every other: the table of guarantees, cell by cell.
//!
//! `cells` is what two people do, over any byte stream. The same cells run over the sockets of
//! the operating system (`real`) and inside the simulated network (`simulated`).

mod cells;
mod person;

mod real;
mod simulated;

use client::TransportKind;
use server::config::Config;

/// A server that is patient with bursts and quick to give up who is gone. Heartbeats are rare: a
/// client answers them only while somebody waits for events, and here people speak for long.
fn server() -> Config {
    Config {
        messages_burst_max: 1_000,
        session_lease_ms: 3_000,
        resume_window_ms: 3_000,
        ..Config::default()
    }
}

fn pairs() -> impl Iterator<Item = (TransportKind, TransportKind)> {
    let ones = TransportKind::ALL.into_iter();
    ones.flat_map(|one| TransportKind::ALL.map(|other| (one, other)))
}
