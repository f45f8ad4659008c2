//! Deterministic simulation of real-time services: servers and clients inside one simulated network, on one
//! thread, under a simulated clock and a seeded source of entropy.
//!
//! ```text
//!   seed ──generate──> Plan ──run──> History ──checkers──> violations
//!                       ^  clients, steps, faults  └──diagram──> transcript, page
//!             by hand ──┘
//! ```
//!
//! In reading order: [`determinism`] makes a run a function of its seed and fingerprints it; [`net`] carries
//! the bytes and breaks connections; [`fault`] lists what can go wrong and [`plan`] is a run before it happens; [`model`] is what a
//! service tells the engine; [`mod@run`] runs a plan, with `backend` for the place where it runs and `nemesis` for the faults;
//! [`history`] is what happened and [`violation`] what is wrong with it; [`sweep`](mod@sweep) runs many seeds, [`shrink`] makes a failing plan small,
//! [`diff`] tells where two runs diverge, and [`diagram`], [`transcript`] and [`summary`] show runs and plans.

mod kinds;
mod local;

pub mod determinism;
pub mod names;
pub mod net;

pub mod fault;
pub mod plan;

pub mod history;
pub mod violation;

pub mod context;
pub mod injection;
pub mod life;
pub mod model;
pub mod options;

mod agent;
mod backend;
mod nemesis;
pub mod report;
pub mod run;
mod runtime_trace;

pub mod capture;
pub mod log;

pub mod service;

pub mod diagram;
pub mod summary;
pub mod transcript;

pub mod diff;
pub mod seeds;
pub mod shrink;
pub mod sweep;

#[cfg(feature = "cli")]
pub mod cli;
mod error;
pub mod explore;
pub mod live;
pub mod prove;
mod regressions;
pub mod scenario;

pub use context::Context;
pub use error::Error;
pub use explore::{Exploration, Explored, explore};
pub use fault::{AnyFault, Fault, FaultKind, FaultType, Scope};
pub use history::{Event, Kind, Mark, Noted, Phase, Record, Recorder};
pub use life::{Dialer, Disk, Life};
pub use live::{LiveReport, LiveRuns, Program, live};
pub use model::{Model, Probe};
pub use nemesis::QUIET_MIN;
#[cfg(feature = "hyper-util")]
pub use net::HyperConnector;
pub use net::{PORT, SimConnector, SimListener, SimStream};
pub use options::Options;
pub use plan::{ClientSpec, Plan, PlanError, Settings, Step};
pub use prove::{Proof, prove};
pub use report::{FaultCount, Report};
pub use run::run;
pub use scenario::{Scenario, scenario};
pub use seeds::SeedQueue;
pub use service::{Client, History, IntoModel, Note, Recorded, Service, Sim};
pub use sweep::{Failure, Sweep, failure, sweep, sweep_to_first_failure};
pub use violation::{Finding, Violation, findings};
