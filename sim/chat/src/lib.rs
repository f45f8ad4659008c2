//! The deterministic simulation: the real server and real clients inside one simulated network,
//! on one thread, under a simulated clock and a seeded source of entropy.
//!
//! ```text
//!   seed ──generate──> Plan ──simulation──> History ──checker──> violations
//!                       ^  people, faults     └──transcript──> a picture
//!            scenario ──┘  (by hand)
//! ```
//!
//! In reading order: [`determinism`] makes a run a function of its seed and fingerprints it;
//! [`net`] carries the bytes; [`mod@flood`] is what an attacker does; [`plan`] is a run before it happens, [`generate`] makes one from a
//! seed and [`scenario`] by hand; [`simulation`] runs it, with `workload` for what people do,
//! `nemesis` for what goes wrong and `host` for the server; [`history`] is what happened and
//! [`words`] says it, [`watch`] is what the server said of itself, [`checker`] what must be true of
//! it all, [`coverage`] how rare it was; [`mod@sequence`] is how it looks and [`transcript`] that in
//! a terminal; [`sweep()`] runs many seeds, [`shrink`] makes a plan that fails small, and
//! [`mod@diff`] says where two runs part, and [`mod@twin`] runs a plan against a real server.
//!
//! [`testbed`] is the way in for anybody's own servers and clients.

pub use racetrack_sim::{determinism, net};
use racetrack_sim::{host, names, pulse};

pub mod flood;
pub mod options;
pub mod plan;

pub mod generate;
pub mod scenario;

pub mod simulation;

mod medium;
mod nemesis;
mod operator;
mod workload;

pub mod history;
pub mod words;

pub mod checker;
pub mod coverage;
pub mod sequence;
pub mod transcript;
pub mod watch;

pub mod diff;
pub mod shrink;
pub mod twin;

mod sweep;

pub mod testbed;

pub use medium::SimulatedConnector;
pub use options::Options;
pub use plan::Plan;
pub use racetrack_sim::SeedQueue;
pub use simulation::{Report, run};
pub use sweep::{Failure, Sweep, failure, sweep, sweep_to_first_failure};
