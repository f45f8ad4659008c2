//! The state of one simulated thread: its entropy, its clock, its trace.
//!
//! Reached from inside the C library's functions, so it never blocks, never
//! panics, and allocates only while the entries of a trace are listed and when the run has failed.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::clock::Clock;
use super::escape::Escape;
use super::outside::Outside;
use super::trace::{self, Kind, Trace, TraceReport};

/// Keeps what the simulated programs draw apart from what a plan draws when
/// both start from the same number.
const ENTROPY_STREAM: u64 = u64::from_be_bytes(*b"entropy\0");

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
    /// The first call of the run that the simulation does not serve.
    pub(super) escape: OnceLock<Escape>,
}

/// Everything that is simulated on this thread.
pub(super) struct State {
    entropy: ChaCha8Rng,
    clock: Clock,
    trace: Trace,
    /// Readings that are not in the trace yet.
    reading: Option<Reading>,
    pub(super) panics: Vec<String>,
    progress: Arc<Progress>,
}

/// The same clock read again and again with nothing in between: one entry of the trace. Tokio
/// reads the clock whenever a runtime parks, and most of what a run would hash is this.
struct Reading {
    clock: libc::clockid_t,
    shown: (i64, i64),
    count: u64,
}

/// Makes the calling thread a simulated one, which shows its `progress` to others.
pub(super) fn begin(seed: u64, epoch_ms: u64, record_entries: bool, progress: Arc<Progress>) {
    let mut entropy = ChaCha8Rng::seed_from_u64(seed);
    entropy.set_stream(ENTROPY_STREAM);
    let state = State {
        entropy,
        clock: Clock::starting_at(epoch_ms),
        trace: Trace::new(record_entries),
        reading: None,
        panics: Vec::new(),
        progress,
    };
    STATE.with_borrow_mut(|slot| *slot = Some(Box::new(state)));
    TRAPPED.set(None);
    IS_SIMULATED.set(true);
}

/// Makes the calling thread an ordinary one again.
pub(super) fn end() -> TraceReport {
    IS_SIMULATED.set(false);
    let mut state = STATE.take().expect("`begin` came before `end` on this thread");
    state.note_reading();
    if let Some((way, outside)) = TRAPPED.take() {
        state.note_escape(Escape::past(way, outside));
    }
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

    fn note_escape(&self, escape: Escape) {
        // Only the first one is told.
        let _other_than_the_first = self.progress.escape.set(escape);
    }

    fn has_escaped(&self) -> bool {
        self.progress.escape.get().is_some()
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
