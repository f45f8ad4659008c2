//! What one may ask of a sweep.

use serde::{Deserialize, Serialize};

use crate::plan::FaultKind;

/// The size of each run, and what may go wrong in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// People in each run.
    pub people: usize,
    /// Simulated time of each run, in milliseconds; runs are at least 8 s long, because what was
    /// disturbed must have the time to come to rest.
    pub simulated_ms: u64,
    /// The kinds of faults that may be drawn.
    pub faults: Vec<FaultKind>,
}

impl Default for Options {
    fn default() -> Self {
        Self { people: 4, simulated_ms: 10_000, faults: FaultKind::ALL.to_vec() }
    }
}
