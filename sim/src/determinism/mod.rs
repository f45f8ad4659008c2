//! What makes a run a function of its seed: a thread whose entropy and clocks
//! are simulated, and a fingerprint of everything that happened on it.
//!
//! [`simulated`] runs a closure on a fresh thread. On that thread the C
//! library's `getrandom`, `getentropy` and `clock_gettime` are served from a
//! seeded generator and from [`clock`]; on every other thread of the process
//! they are the system's own. Each draw, each clock read and whatever else is
//! told to [`trace`] goes into one running hash. Equal hashes mean equal runs.
//!
//! The thread must be fresh because std keeps the keys of its hash maps per
//! thread and steps them with each map: on a used thread the first map of a
//! run would hash differently from the first map of the run before it.
//!
//! Threads that the closure starts itself are not simulated.

pub mod clock;
mod interpose;
mod panics;
mod state;
pub mod trace;

#[cfg(test)]
mod tests;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use trace::{Counts, Divergence, Entry, Kind, TraceReport};

/// Simulated programs nest deeply in unoptimised builds.
const STACK_BYTES: usize = 8 << 20;

/// Runs `body` on a fresh simulated thread and waits for it.
///
/// Entropy follows from `seed`; the wall clock starts at `epoch_ms`
/// (milliseconds since 1970) and stands still until `body` moves it with
/// [`clock::set_now`]. With `record_entries` the report lists every entry of
/// the trace, at the price of memory.
///
/// The simulation ends when `body` returns: what the thread's own destructors
/// do after it, and the drop of the returned value, are not part of the run.
///
/// # Errors
///
/// The text of every panic on the thread, one a line with its place, if `body`
/// panicked. Panics that `body` caught are in [`TraceReport::panics`].
///
/// # Panics
///
/// If this binary was linked so that the interposition has no effect.
pub fn simulated<T, F>(
    seed: u64,
    epoch_ms: u64,
    record_entries: bool,
    body: F,
) -> (Result<T, String>, TraceReport)
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    static READY: Once = Once::new();
    READY.call_once(|| {
        panics::install_hook();
        assert_effective();
    });
    run(seed, epoch_ms, record_entries, body)
}

fn run<T, F>(
    seed: u64,
    epoch_ms: u64,
    record_entries: bool,
    body: F,
) -> (Result<T, String>, TraceReport)
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let simulated = thread::Builder::new()
        .name(format!("seed-{seed}"))
        .stack_size(STACK_BYTES)
        .spawn(move || {
            state::begin(seed, epoch_ms, record_entries);
            let outcome = catch_unwind(AssertUnwindSafe(body));
            let report = state::end();
            let outcome = outcome.map_err(|payload| panics::describe(&report.panics, &*payload));
            (outcome, report)
        })
        .expect("the system can start one more thread");
    simulated.join().expect("panics of the body are caught on its own thread")
}

/// Proves once a process that std and the crates around it reach the
/// interposed functions: a run that only seems deterministic is worse than none.
fn assert_effective() {
    const EPOCH_MS: u64 = 86_400_000;
    assert!(
        interpose::is_exported(),
        "the simulation's `getrandom` is not in the dynamic symbol table of this executable, so \
         crates that look it up with `dlsym` miss it: the linker was told to hide it"
    );
    let (probe, report) = run(0, EPOCH_MS, false, || {
        let hash = RandomState::new().hash_one(0);
        #[allow(clippy::disallowed_methods, reason = "asks whether the clock is simulated")]
        let now = SystemTime::now();
        (hash, now)
    });
    let (_, now) = probe.expect("the probe does not panic");
    assert_eq!(report.counts.entropy, 1, "std does not draw its entropy from the simulation");
    assert_eq!(
        now,
        UNIX_EPOCH + Duration::from_millis(EPOCH_MS),
        "std does not read its clocks from the simulation"
    );
}
