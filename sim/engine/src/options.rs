//! The size of drawn runs, and what may go wrong in them.

use serde::{Deserialize, Serialize};

use crate::fault::{AnyFault, FaultType};

/// The size of each run, and what may go wrong in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Options<F: FaultType> {
    /// Clients in each run, where the model draws them.
    pub clients: usize,
    /// Simulated time of each run, in milliseconds; a model may need more to let a run come to rest.
    pub simulated_ms: u64,
    /// The kinds of faults that may be drawn.
    pub faults: Vec<AnyFault<F>>,
    /// Whether seeds draw the order of tasks that are ready at the same time, where the model draws it.
    #[serde(default = "is_reordered")]
    pub reorder: bool,
}

fn is_reordered() -> bool {
    true
}

impl<F: FaultType> Default for Options<F> {
    /// Four clients for ten seconds, every kind of fault, and drawn orders of tasks.
    fn default() -> Self {
        Self { clients: 4, simulated_ms: 10_000, faults: AnyFault::all(), reorder: true }
    }
}
