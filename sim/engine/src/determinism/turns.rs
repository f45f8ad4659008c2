//! Threads that tokio starts for `spawn_blocking`, each of which runs while the simulated thread waits.
//!
//! ```text
//!   simulated thread   spawn_blocking ... other tasks ... parks                    goes on
//!                           |                               | state        state ^
//!   its thread              '- started, waits for its turn  '-> runs what is queued, ends
//! ```
//!
//! Tokio's paused clock stands still while blocking work is outstanding, so the runtime parks, with a
//! time-out, as soon as no task is ready. That wait is where the simulated thread lends its state,
//! entropy, clock and trace, to each of these threads, in the order in which they were started, and goes
//! on when the last has given it back. One thread runs at any time, and which one follows from the seed.
//!
//! A thread is given up by its pool as soon as nothing is queued: what it waits for then never comes
//! while it has its turn. Threads that anything but tokio's pool asks for are refused. A closure that
//! waits for a task waits for ever; `standstill` finds it.

#![allow(unsafe_code, reason = "threads of the C library, and the calls on a stack, are unsafe")]

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_long, c_void};
use std::hash::Hasher;
use std::ptr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use libc::{pthread_attr_t, pthread_t};
use siphasher::sip::SipHasher13;
use tokio::runtime::Handle;

use super::callers::Callers;
use super::interpose::Real;
use super::state::{self, State};

/// Calls on a stack that tell one place from another.
const CALLS_MAX: usize = 128;
/// Places that are remembered.
const PLACES_MAX: usize = 4_096;
/// The part of a futex's operation that is no flag.
const OPERATION: c_int = 0x7f;
/// What a lock of std holds for which a thread waits.
const CONTENDED: u32 = 2;
/// Where tokio starts the threads of its pool.
const POOL: &str = "tokio::runtime::blocking::";
/// Functions of tokio that need a thread and more than that: a runtime has threads that never end, and
/// names are known to no resolver.
const REFUSED: [&str; 3] = ["tokio::net", "runtime::runtime::Runtime::new", "runtime::builder::"];

thread_local! {
    /// True on a thread of tokio's pool.
    static IS_LENT_TO: Cell<bool> = const { Cell::new(false) };
}

/// A thread that waits for its turn, which never comes if this is dropped.
pub(super) struct Waiting {
    turn: Arc<Turn>,
    /// The calls under way where it was asked for.
    calls: Arc<Backtrace>,
}

pub(super) type Entry = extern "C" fn(*mut c_void) -> *mut c_void;

/// A thread to be started, which the simulated thread's filter of system calls forbids itself.
pub(super) struct Request {
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Box<Start>,
    /// Tells places apart.
    place: u64,
    calls: Arc<Backtrace>,
    done: Sender<bool>,
}

// SAFETY: whoever sends it waits for the answer, so that what the pointers point to outlives its use.
unsafe impl Send for Request {}

/// What a thread of the pool begins with.
struct Start {
    entry: Entry,
    argument: *mut c_void,
    turn: Arc<Turn>,
}

/// Hands the state over to a thread and back. A channel of std will not do: a thread that waits for one makes
/// itself known to std, which a thread of std does a moment later and only once.
#[derive(Default)]
struct Turn {
    at: Mutex<Place>,
    has_changed: Condvar,
}

/// Where the state is.
#[derive(Default)]
enum Place {
    #[default]
    Elsewhere,
    Given(Box<State>),
    /// The thread has it.
    Taken,
    GivenBack(Box<State>),
    /// The run is over.
    Never,
}

impl Turn {
    fn lock(&self) -> MutexGuard<'_, Place> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, place: Place) {
        *self.lock() = place;
        self.has_changed.notify_all();
    }

    /// What the thread waits for before it begins.
    fn take(&self) -> Option<Box<State>> {
        let is_early = |place: &mut Place| matches!(place, Place::Elsewhere);
        let waited = self.has_changed.wait_while(self.lock(), is_early);
        let mut place = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *place, Place::Taken) {
            Place::Given(state) => Some(state),
            _ => None,
        }
    }

    /// What the simulated thread waits for.
    fn take_back(&self) -> Box<State> {
        let is_away = |place: &mut Place| !matches!(place, Place::GivenBack(_));
        let waited = self.has_changed.wait_while(self.lock(), is_away);
        let mut place = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *place, Place::Taken) {
            Place::GivenBack(state) => state,
            _ => unreachable!("it was waited for"),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut place = self.turn.lock();
        if matches!(*place, Place::Elsewhere) {
            *place = Place::Never;
            self.turn.has_changed.notify_all();
        }
    }
}

/// Starts a thread if tokio's pool asks for it, on a simulated thread; false if it is refused.
///
/// # Safety
///
/// As pthread_create(3).
pub(super) unsafe fn start(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    entry: Entry,
    argument: *mut c_void,
) -> bool {
    let Some(requests) = state::with(|state| state.requests()) else { return false };
    let (turn, (done, answer)) = (Arc::<Turn>::default(), channel());
    let start = Box::new(Start { entry, argument, turn: Arc::clone(&turn) });
    let place = place();
    let calls = known(place).map_or_else(|| Arc::new(Backtrace::force_capture()), |known| known.1);
    let request = Request { thread, attributes, start, place, calls: Arc::clone(&calls), done };
    let is_started = requests.send(request).is_ok() && answer.recv() == Ok(true);
    if is_started {
        state::with(|state| state.waiting.push_back(Waiting { turn, calls }));
    }
    is_started
}

impl Request {
    /// Starts the thread, unless something else than tokio's pool asked for it. To be called on an
    /// ordinary thread.
    pub(super) fn answer(self) {
        let Self { thread, attributes, start, place, calls, done } = self;
        let is_pools = known(place).map_or_else(|| learn(place, &calls), |(is_pools, _)| is_pools);
        let is_started = is_pools && {
            let start = Box::into_raw(start);
            // SAFETY: the pointers are those of the call that waits for this answer; the thread takes
            // its start.
            let status =
                unsafe { libc::pthread_create(thread, attributes, run, start.cast::<c_void>()) };
            if status != 0 {
                // SAFETY: no thread took it.
                drop(unsafe { Box::from_raw(start) });
            }
            status == 0
        };
        let _waits = done.send(is_started);
    }
}

/// A thread of the pool.
extern "C" fn run(start: *mut c_void) -> *mut c_void {
    // SAFETY: from `Box::into_raw`, for this thread alone.
    let Start { entry, argument, turn } = *unsafe { Box::from_raw(start.cast::<Start>()) };
    let Some(state) = turn.take() else { return ptr::null_mut() };
    IS_LENT_TO.set(true);
    super::set_traps(true);
    state::take_over(state);
    let result = entry(argument);
    let state = state::lend();
    super::set_traps(false);
    if let Some(state) = state {
        turn.set(Place::GivenBack(state));
    }
    result
}

/// Lets every thread that waits have its turn.
pub(super) fn take() {
    while let Some(waiting) = state::with(|state| state.waiting.pop_front()).flatten() {
        let Some(mut state) = state::lend() else { return };
        state.asked_for_by = Some(Arc::clone(&waiting.calls));
        waiting.turn.set(Place::Given(state));
        let mut state = waiting.turn.take_back();
        state.asked_for_by = None;
        state::take_over(state);
    }
}

/// True on a thread of tokio's pool.
pub(super) fn is_lent_to() -> bool {
    IS_LENT_TO.try_with(Cell::get).unwrap_or(false)
}

type SystemCall =
    unsafe extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;

/// syscall(2), by which std and parking_lot wait for other threads. More arguments come in the same
/// registers, whether C says so or not.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    one: c_long,
    two: c_long,
    three: c_long,
    four: c_long,
    five: c_long,
    six: c_long,
) -> c_long {
    static REAL: Real = Real::named(c"syscall");
    if number == libc::SYS_futex && is_wait(two as c_int) {
        // SAFETY: a wait passes a word.
        if let Some(errno) =
            unsafe { instead_of_waiting(one as *const u32, three as u32, four != 0) }
        {
            // SAFETY: the C library's `errno` of this thread is always writable.
            unsafe { *libc::__errno_location() = errno };
            return -1;
        }
    }
    // SAFETY: the C library's function of this name has this type.
    let real = unsafe { std::mem::transmute::<*mut c_void, SystemCall>(REAL.address_or_abort()) };
    // SAFETY: the caller's promise is passed on.
    unsafe { real(number, one, two, three, four, five, six) }
}

fn is_wait(operation: c_int) -> bool {
    let operation = operation & OPERATION;
    operation == libc::FUTEX_WAIT || operation == libc::FUTEX_WAIT_BITSET
}

/// The error of a wait that is not made; nothing if it is.
unsafe fn instead_of_waiting(word: *const u32, expected: u32, is_timed: bool) -> Option<c_int> {
    if !state::is_simulated() {
        return None;
    }
    if is_lent_to() {
        // A thread of the pool that runs nothing: its time is up.
        return (is_timed && tokio::task::try_id().is_none()).then_some(libc::ETIMEDOUT);
    }
    if !is_timed && (expected == CONTENDED || !is_between_tasks()) {
        return None;
    }
    take();
    // SAFETY: whoever waits for a word passes one that is there, and changes it as an atomic one.
    let is_changed = unsafe { ptr::read_volatile(word) } != expected;
    is_changed.then_some(libc::EAGAIN)
}

/// A runtime polls no task of its own: it parks. A lock that is held by a thread outside of the simulation
/// must not let others have their turn, because when it is held follows from no seed.
fn is_between_tasks() -> bool {
    tokio::task::try_id().is_none() && Handle::try_current().is_ok()
}

type Places = BTreeMap<u64, (bool, Arc<Backtrace>)>;

/// Whether tokio's pool asks for threads there.
static PLACES: Mutex<Places> = Mutex::new(BTreeMap::new());

fn known(place: u64) -> Option<(bool, Arc<Backtrace>)> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned()
}

fn learn(place: u64, calls: &Arc<Backtrace>) -> bool {
    let callers = Callers::of(&calls.to_string(), "pthread_create");
    let functions = || callers.functions.iter();
    let first_of_tokio = functions().find(|function| function.starts_with("tokio::"));
    let is_refused = REFUSED.iter().any(|part| functions().any(|function| function.contains(part)));
    let is_pools = first_of_tokio.is_some_and(|function| function.starts_with(POOL)) && !is_refused;
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    if places.len() < PLACES_MAX {
        places.insert(place, (is_pools, Arc::clone(calls)));
    }
    is_pools
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

struct Calls {
    hasher: SipHasher13,
    count: usize,
}

/// A hash of the calls under way, equal where the same functions call each other at the same places.
fn place() -> u64 {
    extern "C" fn visit(context: *mut c_void, data: *mut c_void) -> c_int {
        // SAFETY: the unwinder passes on what it was given, and a context that it made.
        let (calls, at) = unsafe { (&mut *data.cast::<Calls>(), _Unwind_GetIP(context)) };
        calls.hasher.write_usize(at);
        calls.count += 1;
        // Anything but zero ends it.
        c_int::from(calls.count >= CALLS_MAX)
    }
    let mut calls = Calls { hasher: SipHasher13::new(), count: 0 };
    // SAFETY: `calls` outlives the walk, and nothing else looks at it.
    unsafe { _Unwind_Backtrace(visit, (&raw mut calls).cast()) };
    calls.hasher.finish()
}
