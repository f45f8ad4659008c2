//! The size of drawn runs, and what may go wrong in them.

use std::time::Duration;

use reports::Span;

use crate::fault::ChatFault;
use crate::plan::RUN_MS_MAX;

/// The size of each run, and what may go wrong in it.
pub type Options = racetrack_sim::Options<ChatFault>;

/// More clients than this make a run slower than real time.
const CLIENTS: std::ops::RangeInclusive<usize> = 2..=1_000;
/// A shorter run cannot come to rest, and a longer one could not be repeated from its plan, in milliseconds.
const SIMULATED_MS: std::ops::RangeInclusive<u64> = 8_000..=RUN_MS_MAX;

/// Whether runs of this size can be drawn.
pub(crate) fn check(options: &Options) -> Result<(), String> {
    let Options { clients, simulated_ms, .. } = options;
    if !CLIENTS.contains(clients) {
        let (min, max) = (CLIENTS.start(), CLIENTS.end());
        return Err(format!("--clients {clients}: {min} to {max} clients can be simulated"));
    }
    let span = |ms: &u64| Span(Duration::from_millis(*ms));
    let simulated = span(simulated_ms);
    match simulated_ms {
        ms if ms < SIMULATED_MS.start() => Err(format!(
            "--simulated {simulated}: a run takes at least {}, so that it can come to rest",
            span(SIMULATED_MS.start())
        )),
        ms if ms > SIMULATED_MS.end() => Err(format!(
            "--simulated {simulated}: a run takes at most {}",
            span(SIMULATED_MS.end())
        )),
        _ => Ok(()),
    }
}
