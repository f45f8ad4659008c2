//! Every transport with every other: the table of guarantees, cell by cell.
//!
//! `cells` is what two people do, over any byte stream. The same cells run over the sockets of
//! the operating system (`real`) and inside the simulated network (`simulated`).

mod cells;
mod person;

mod real;
mod simulated;

use server::config::Config;

/// A server that is patient with bursts and quick to notice who is gone.
fn server() -> Config {
    Config {
        messages_burst_max: 1_000,
        session_lease_ms: 1_500,
        resume_window_ms: 1_000,
        heartbeat_interval_ms: 500,
        heartbeat_timeout_ms: 500,
        ..Config::default()
    }
}
