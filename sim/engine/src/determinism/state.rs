//! The state of one simulated thread: its entropy, its clock, its trace.
//!
//! Reached from inside the C library's functions, so it never blocks, never
//! panics, and allocates only while the entries of a trace are listed and when the run has failed.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::runtime;

use super::budget::TaskBudget;
use super::clock::Clock;
use super::escape::Escape;
use super::interrupt;
use super::outside::Outside;
use super::trace::{self, Kind, Trace, TraceReport};
use super::turns::{self, Request, Waiting};

/// Keeps what the simulated programs draw apart from what a plan draws when
/// both start from the same number.
const ENTROPY_STREAM: u64 = u64::from_be_bytes(*b"entropy\0");

/// Keeps what the order of tasks draws apart from both.
const ORDER_STREAM: u64 = u64::from_be_bytes(*b"order\0\0\0");

thread_local! {
    // This one has no destructor, so asking it is one load on every thread of the process, at any
    // time of the thread's life. The others are touched on simulated threads only, and the next
    // one by handlers of signals too.
    static IS_SIMULATED: Cell<bool> = const { Cell::new(false) };
    static TRAPPED: Cell<Option<(&'static str, Outside)>> = const { Cell::new(None) };
    static STATE: RefCell<Option<Box<State>>> = const { RefCell::new(None) };
}

/// What other threads may see of a run that is under way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How often simulated time was moved.
    pub(super) steps: AtomicU64,
    /// The thread that simulates, by the system's number; 0 before it begins.
    pub(super) thread: AtomicI32,
    /// It is one of tokio's pool.
    pub(super) is_lent: AtomicBool,
    /// The simulated hosts and their present runtimes.
    hosts: Mutex<Vec<(runtime::Id, String)>>,
    /// The first call of the run that the simulation does not serve.
    pub(super) escape: OnceLock<Escape>,
}

impl Progress {
    /// Notes that `host` has this runtime from now on.
    fn set_host(&self, host: &str, runtime: runtime::Id) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|(_, known)| known != host);
        hosts.push((runtime, host.to_owned()));
    }

    /// The host that has this runtime, the last one that is known to have had it.
    pub(super) fn host_of(&self, runtime: runtime::Id) -> Option<String> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, host) = hosts.iter().rev().find(|(known, _)| *known == runtime)?;
        Some(host.clone())
    }
}

/// Everything that is simulated on this thread.
pub(super) struct State {
    entropy: ChaCha8Rng,
    order: ChaCha8Rng,
    /// None while tasks keep tokio's budget.
    task_budget: Option<TaskBudget>,
    clock: Clock,
    trace: Trace,
    /// Readings that are not in the trace yet.
    reading: Option<Reading>,
    pub(super) panics: Vec<String>,
    /// Threads of tokio's pool whose turn is yet to come.
    pub(super) waiting: VecDeque<Waiting>,
    /// On such a thread, the calls under way where it was asked for.
    pub(super) asked_for_by: Option<Arc<Backtrace>>,
    requests: Sender<Request>,
    progress: Arc<Progress>,
}

/// The same clock read again and again with nothing in between: one entry of the trace. Tokio
/// reads the clock whenever a runtime parks, and most of what a run would hash is this.
struct Reading {
    clock: libc::clockid_t,
    shown: (i64, i64),
    count: u64,
}

/// Makes the calling thread a simulated one, which shows its `progress` to others and sends its
/// `requests` for threads to one of them.
pub(super) fn begin(
    seed: u64,
    epoch_ms: u64,
    record_entries: bool,
    progress: Arc<Progress>,
    requests: Sender<Request>,
) {
    let mut entropy = ChaCha8Rng::seed_from_u64(seed);
    entropy.set_stream(ENTROPY_STREAM);
    let mut order = ChaCha8Rng::seed_from_u64(seed);
    order.set_stream(ORDER_STREAM);
    let state = State {
        entropy,
        order,
        task_budget: None,
        clock: Clock::starting_at(epoch_ms),
        trace: Trace::new(record_entries),
        reading: None,
        panics: Vec::new(),
        waiting: VecDeque::new(),
        asked_for_by: None,
        requests,
        progress,
    };
    take_over(Box::new(state));
}

/// Makes the calling thread the simulated one.
pub(super) fn take_over(state: Box<State>) {
    state.progress.thread.store(interrupt::this_thread(), Ordering::Relaxed);
    state.progress.is_lent.store(turns::is_lent_to(), Ordering::Relaxed);
    STATE.with_borrow_mut(|slot| *slot = Some(state));
    TRAPPED.set(None);
    IS_SIMULATED.set(true);
}

/// Makes the calling thread an ordinary one; nothing if it is one already.
pub(super) fn lend() -> Option<Box<State>> {
    if !is_simulated() {
        return None;
    }
    IS_SIMULATED.set(false);
    let state = STATE.take()?;
    if let Some((way, outside)) = TRAPPED.take() {
        state.note_escape(Escape::past(way, outside));
    }
    Some(state)
}

/// Makes the calling thread an ordinary one again.
pub(super) fn end() -> TraceReport {
    let mut state = lend().expect("`begin` came before `end` on this thread");
    state.note_reading();
    state.trace.into_report(state.panics)
}

/// True between [`begin`] and [`end`].
pub(super) fn is_simulated() -> bool {
    IS_SIMULATED.try_with(Cell::get).unwrap_or(false)
}

/// Notes that something was asked for that is not served; false on an ordinary thread, where it
/// may be.
pub(super) fn trip(way: &'static str, outside: Outside) -> bool {
    if !is_simulated() {
        return false;
    }
    if !has_escaped() {
        // Made outside, because it allocates a lot.
        let escape = Escape::through(way, outside);
        with(|state| state.note_escape(escape));
    }
    true
}

/// As [`trip`], where nothing may be allocated.
pub(super) fn trap(way: &'static str, outside: Outside) -> bool {
    if is_simulated() && !has_escaped() {
        TRAPPED.set(Some((way, outside)));
    }
    is_simulated()
}

/// True on a simulated thread whose run has left the simulation.
pub(super) fn has_escaped() -> bool {
    let is_noted = with(|state| state.has_escaped()).unwrap_or(false);
    is_noted || is_simulated() && TRAPPED.get().is_some()
}

/// Runs `f` on the state of this thread, or returns `None` on an ordinary
/// thread and when `f` itself, or an allocation below it, comes back here.
pub(super) fn with<R>(f: impl FnOnce(&mut State) -> R) -> Option<R> {
    if !is_simulated() {
        return None;
    }
    STATE.try_with(|slot| slot.try_borrow_mut().ok()?.as_deref_mut().map(f)).ok().flatten()
}

impl State {
    /// Fills `bytes` from the seed.
    pub(super) fn draw(&mut self, bytes: &mut [u8]) {
        // The getrandom crate asks for nothing once a process, to see whether
        // the call works: no draw, and in no trace.
        if bytes.is_empty() {
            return;
        }
        self.entropy.fill_bytes(bytes);
        self.record(Kind::Entropy, self.clock.elapsed_us(), trace::digest(&[bytes]));
    }

    /// True so often in a hundred. Not in the trace, which shows what comes of it.
    pub(super) fn draw_order(&mut self, percent: u8) -> bool {
        self.order.next_u32() % 100 < u32::from(percent)
    }

    /// Shortens turns from now on to at most so many units; 0 does not.
    pub(super) fn limit_task_budgets(&mut self, seed: u64, units_max: u8) {
        self.task_budget = (units_max > 0).then(|| TaskBudget::new(seed, units_max));
    }

    /// Whether turns are shortened at all.
    pub(super) fn has_task_budget(&self) -> bool {
        self.task_budget.is_some()
    }

    /// The units that the present turn keeps; none where it is not shortened. Not in the trace, as the order.
    pub(super) fn draw_task_budget(&mut self) -> Option<usize> {
        self.task_budget.as_mut()?.draw()
    }

    /// Reads `clock` in (seconds, nanoseconds), or `None` for a clock that is
    /// not simulated.
    pub(super) fn read_clock(&mut self, clock: libc::clockid_t) -> Option<(i64, i64)> {
        if self.has_escaped() {
            // The run has failed: what waits for real time, which it never gets, comes to its end.
            self.note_reading();
            self.clock.hurry();
        }
        if let Some(reading) = self.reading.as_mut().filter(|reading| reading.clock == clock) {
            reading.count += 1;
            return Some(reading.shown);
        }
        let shown = self.clock.read(clock)?;
        self.note_reading();
        self.reading = Some(Reading { clock, shown, count: 1 });
        Some(shown)
    }

    /// Changes the clocks, which show something new from then on.
    pub(super) fn set_clock<R>(&mut self, change: impl FnOnce(&mut Clock) -> R) -> R {
        self.note_reading();
        self.progress.steps.fetch_add(1, Ordering::Relaxed);
        change(&mut self.clock)
    }

    fn note_escape(&self, mut escape: Escape) {
        escape.asked_for_by.clone_from(&self.asked_for_by);
        // Only the first one is told.
        let _other_than_the_first = self.progress.escape.set(escape);
    }

    fn has_escaped(&self) -> bool {
        self.progress.escape.get().is_some()
    }

    /// Where to ask for threads.
    pub(super) fn requests(&self) -> Sender<Request> {
        self.requests.clone()
    }

    /// Notes that `host` has this runtime from now on.
    pub(super) fn set_host(&self, host: &str, runtime: runtime::Id) {
        self.progress.set_host(host, runtime);
    }

    /// The time since the start of the simulation.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.elapsed
    }

    /// Adds one entry to the trace, behind the readings that came before it.
    pub(super) fn record(&mut self, kind: Kind, at_us: u64, digest: u64) {
        self.note_reading();
        self.trace.record(kind, at_us, digest);
    }

    fn note_reading(&mut self) {
        let Some(Reading { clock, shown: (seconds, nanoseconds), count }) = self.reading.take()
        else {
            return;
        };
        let digest = trace::digest(&[
            &clock.to_le_bytes(),
            &seconds.to_le_bytes(),
            &nanoseconds.to_le_bytes(),
            &count.to_le_bytes(),
        ]);
        self.trace.record(Kind::Clock, self.clock.elapsed_us(), digest);
    }
}
