//! The size of drawn runs, and what may go wrong in them.

use crate::fault::ChatFault;

/// The size of each run, and what may go wrong in it.
pub type Options = racetrack_sim::Options<ChatFault>;
