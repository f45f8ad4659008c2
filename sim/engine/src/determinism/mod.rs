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
//! Code that asks for entropy or the time in any other way, or for anything outside of the simulation
//! (a socket, a change of a file, a wait in real time, a thread, a process), trips a wire: the run has
//! failed, with [`TraceReport::escape`] to say why. `tripwire` watches functions of the GNU C library,
//! `trap` system calls (`calls` lists them) and the time stamp counter, and `panics` the ones of
//! tokio that give the wrong advice here. None of them sees random numbers of the processor
//! (`rdrand`), addresses of memory, process and thread ids, the auxiliary vector or what is in files:
//! code that lets them decide anything is found by comparing traces only.

pub(crate) mod budget;
pub mod clock;
mod interpose;
pub(crate) mod panics;
mod standstill;
mod state;
pub mod trace;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod calls;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod filter;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod trap;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tripwire;

#[cfg_attr(not(all(target_os = "linux", target_env = "gnu")), path = "no_turns.rs")]
mod turns;

mod callers;
mod escape;
mod interrupt;
mod outside;

#[cfg(test)]
mod tests;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, mpsc};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;

use escape::Escape;
pub use standstill::Patience;
use standstill::Watched;
use state::Progress;
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
/// panicked. Panics that `body` caught are in [`TraceReport::panics`]. Or how simulated time stands still, as
/// [`TraceReport::stands_still`] says; the thread is left behind.
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
        warn_of_uncontrolled();
    });
    run(seed, epoch_ms, record_entries, Patience::default(), body)
}

fn run<T, F>(
    seed: u64,
    epoch_ms: u64,
    record_entries: bool,
    patience: Patience,
    body: F,
) -> (Result<T, String>, TraceReport)
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (progress, (asks, requests)) = (Arc::<Progress>::default(), mpsc::channel());
    let shown = Arc::clone(&progress);
    let thread = thread::Builder::new()
        .name(format!("seed-{seed}"))
        .stack_size(STACK_BYTES)
        .spawn(move || {
            set_traps(true);
            state::begin(seed, epoch_ms, record_entries, shown, asks);
            let outcome = catch_unwind(AssertUnwindSafe(body));
            let report = state::end();
            set_traps(false);
            let outcome = outcome.map_err(|payload| panics::describe(&report.panics, &*payload));
            (outcome, report)
        })
        .expect("the system can start one more thread");
    let ended = Watched { thread, progress: Arc::clone(&progress), requests }.wait(patience);
    let (outcome, mut report) =
        ended.unwrap_or_else(|how| (Err(how), TraceReport::of_a_standstill()));
    report.escape = progress.escape.get().map(Escape::describe);
    (outcome, report)
}

/// Lets the threads that tokio has started for blocking work run, before the runtimes that wait for them
/// are dropped.
pub(crate) fn finish_blocking() {
    turns::take();
}

/// Whether a task lets those go first that are ready too, so often in a hundred. The seed draws it in a
/// stream of its own, so that entropy is what it would be without.
pub(crate) fn lets_others_first(percent: u8) -> bool {
    percent > 0 && state::with(|state| state.draw_order(percent)).unwrap_or(false)
}

/// From now on the turns of this run's tasks are shortened to at most so many units of tokio's budget, as the seed draws;
/// 0 leaves tokio's order.
pub(crate) fn limit_task_budgets(seed: u64, units_max: u8) {
    state::with(|state| state.limit_task_budgets(seed, units_max));
}

/// Notes that the runtime that polls the caller is `host`'s from now on.
pub(crate) fn set_host(host: &str) {
    let runtime = Handle::current().id();
    state::with(|state| state.set_host(host, runtime));
}

/// True on a simulated thread whose run has left the simulation or on which anything has panicked: the
/// run has failed, and its loop stops after the present step.
pub fn has_failed() -> bool {
    state::has_escaped() || state::with(|state| !state.panics.is_empty()).unwrap_or(false)
}

/// What of a run does not follow from its seed because of how this program was built, in one line;
/// `None` if everything does.
///
/// Without `--cfg tokio_unstable`, tokio draws the order in which an unbiased `select!` polls its
/// branches from a hash of a counter of the whole process.
#[must_use]
pub fn uncontrolled() -> Option<&'static str> {
    const SELECT: &str = "built without `--cfg tokio_unstable`, so the order of an unbiased `select!` does not \
                          follow the seed: set the flag, or write `biased;` in each `select!`";
    (!cfg!(tokio_unstable)).then_some(SELECT)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn set_traps(are_set: bool) {
    if are_set {
        let armed = trap::arm();
        TRAPS_ARE_SET.store(armed, Ordering::Relaxed);
    } else {
        trap::disarm();
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn set_traps(_are_set: bool) {}

static TRAPS_ARE_SET: AtomicBool = AtomicBool::new(false);

/// True when system calls and the time stamp counter are watched too, and not only the functions
/// of the C library: on Linux on x86-64 that allows filters of system calls. Known after the first
/// run.
#[must_use]
pub fn watches_system_calls() -> bool {
    TRAPS_ARE_SET.load(Ordering::Relaxed)
}

/// Says once a process what does not follow from the seed.
#[allow(clippy::print_stderr, reason = "the one place that every user of the library sees")]
fn warn_of_uncontrolled() {
    if let Some(what) = uncontrolled() {
        eprintln!("simulation: {what}");
    }
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
    let (probe, report) = run(0, EPOCH_MS, false, Patience::default(), || {
        let hash = RandomState::new().hash_one(0);
        #[allow(clippy::disallowed_methods, reason = "asks whether the clock is simulated")]
        let now = SystemTime::now();
        (hash, now)
    });
    let (_, now) = probe.expect("the probe does not panic");
    assert_eq!(report.escape, None, "a run that does nothing else trips no wire");
    assert_eq!(report.counts.entropy, 1, "std does not draw its entropy from the simulation");
    assert_eq!(
        now,
        UNIX_EPOCH + Duration::from_millis(EPOCH_MS),
        "std does not read its clocks from the simulation"
    );
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    assert_watched(EPOCH_MS);
}

/// The same of the functions that are watched.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn assert_watched(epoch_ms: u64) {
    assert!(tripwire::count() > 0, "the watched functions are a part of this program");
    let (is_refused, report) = run(0, epoch_ms, false, Patience::default(), || {
        thread::Builder::new().spawn(|| ()).is_err()
    });
    assert!(
        is_refused == Ok(true) && report.escape.is_some(),
        "std starts threads in a way that the simulation does not see"
    );
}
