//! Deterministic simulation of real-time services: servers and clients inside one simulated network, on one
//! thread, under a simulated clock and a seeded source of entropy.
//!
//! In reading order: [`determinism`] makes a run a function of its seed and fingerprints it; [`net`] carries
//! the bytes and breaks connections; [`host`] is a server's process on a simulated host; [`pulse`] records
//! what each host's runtime does; [`seeds`] hands seeds to threads; [`names`] tells unknown names from known
//! ones.

#[cfg(not(tokio_unstable))]
compile_error!(
    "the simulation needs `--cfg tokio_unstable`: without it the order of `select!` follows no \
     seed, and a panic in a spawned task passes unseen"
);

pub mod determinism;
pub mod names;
pub mod net;

pub mod host;
pub mod pulse;

pub mod seeds;

pub use seeds::SeedQueue;
