//! The chat under the deterministic simulation: the real server and real clients, and what must hold of them.
//!
//! The engine is [`racetrack_sim`]; this is its first model. In reading order: [`model`] is what the engine is told; [`plan`] what a
//! plan says of the chat, [`generate`] makes one from a seed and [`scenario`] by hand; `workload` is what users do,
//! [`fault`] and [`mod@flood`] what goes wrong beside the engine's faults; [`history`] is what happened and [`words`] describes it,
//! [`checker`] what must be true of it all, [`coverage`] how rare it was; [`mod@sequence`] draws it; [`mod@live`] says how a plan runs
//! against a real server.

use racetrack_sim::names;
pub use racetrack_sim::net;

pub mod fault;
pub mod flood;
pub mod options;
pub mod plan;

pub mod generate;
pub mod scenario;

pub mod model;

mod connector;
mod operator;
mod storm;
mod workload;

pub mod history;
pub mod words;

pub mod checker;
pub mod coverage;
pub mod sequence;
pub mod transcript;

pub mod live;

#[cfg(test)]
mod diff_tests;
#[cfg(test)]
mod shrink_tests;

pub use connector::SimulatedConnector;
pub use model::{Chat, Report, run};
pub use options::Options;
pub use plan::Plan;
pub use racetrack_sim::SeedQueue;
