//! The state of one simulated thread: its entropy, its clock, its trace.
//!
//! Reached from inside the C library's functions, so it never blocks, never
//! panics, and allocates only while the entries of a trace are listed and when the run has failed.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::clock::Clock;
use super::escape::Escape;
use super::trace::{self, Kind, Trace, TraceReport};

/// Keeps what the simulated programs draw apart from what a plan draws when
/// both start from the same number.
const ENTROPY_STREAM: u64 = u64::from_be_bytes(*b"entropy\0");

thread_local! {
    // This one has no destructor, so asking it is one load on every thread of the process, at any
    // time of the thread's life. The others are touched on simulated threads only, and the next
    // one by handlers of signals too.
    static IS_SIMULATED: Cell<bool> = const { Cell::new(false) };
    static TRAPPED: Cell<Option<&'static str>> = const { Cell::new(None) };
    static STATE: RefCell<Option<Box<State>>> = const { RefCell::new(None) };
}

/// Everything that is simulated on this thread.
pub(super) struct State {
    entropy: ChaCha8Rng,
    clock: Clock,
    trace: Trace,
    /// Readings that are not in the trace yet.
    reading: Option<Reading>,
    pub(super) panics: Vec<String>,
    escape: Option<Escape>,
    steps: Arc<AtomicU64>,
}

/// The same clock read again and again with nothing in between: one entry of the trace. Tokio
/// reads the clock whenever a runtime parks, and most of what a run would hash is this.
struct Reading {
    clock: libc::clockid_t,
    shown: (i64, i64),
    count: u64,
}

/// Makes the calling thread a simulated one.
///
/// `steps` counts how often the clock is set.
pub(super) fn begin(seed: u64, epoch_ms: u64, record_entries: bool, steps: Arc<AtomicU64>) {
    let mut entropy = ChaCha8Rng::seed_from_u64(seed);
    entropy.set_stream(ENTROPY_STREAM);
    let state = State {
        entropy,
        clock: Clock::starting_at(epoch_ms),
        trace: Trace::new(record_entries),
        reading: None,
        panics: Vec::new(),
        escape: None,
        steps,
    };
    STATE.with_borrow_mut(|slot| *slot = Some(Box::new(state)));
    TRAPPED.set(None);
    IS_SIMULATED.set(true);
}

/// Makes the calling thread an ordinary one again; says how the run left the simulation, if it did.
pub(super) fn end() -> (TraceReport, Option<Escape>) {
    IS_SIMULATED.set(false);
    let mut state = STATE.take().expect("`begin` came before `end` on this thread");
    state.note_reading();
    let escape = state.escape.or_else(|| TRAPPED.take().map(Escape::past));
    (state.trace.into_report(state.panics), escape)
}

/// True between [`begin`] and [`end`].
pub(super) fn is_simulated() -> bool {
    IS_SIMULATED.try_with(Cell::get).unwrap_or(false)
}

/// Notes that a function of the C library was called that is not served; false on an ordinary
/// thread, where it may be.
pub(super) fn trip(function: &'static str) -> bool {
    if !is_simulated() {
        return false;
    }
    let is_first = with(|state| state.escape.is_none()).unwrap_or(false);
    if is_first {
        // Made outside, because it allocates a lot.
        let escape = Escape::through(function);
        with(|state| state.escape = Some(escape));
    }
    true
}

/// As [`trip`], for a handler of signals: nothing is allocated.
pub(super) fn trap(way: &'static str) -> bool {
    if is_simulated() && TRAPPED.get().is_none() {
        TRAPPED.set(Some(way));
    }
    is_simulated()
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
        self.steps.fetch_add(1, Ordering::Relaxed);
        change(&mut self.clock)
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
