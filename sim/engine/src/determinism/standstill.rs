//! Waits for a run, unless it never comes to its end: a task that never waits, or a thread that is
//! blocked, lets no simulated time pass.
//!
//! What counts is the CPU time that the simulated thread spends between two moves of simulated time, and,
//! of a thread that spends none, the time that it sleeps in a system call. A machine that is busy with
//! something else, or a process that was stopped for a while, costs a run nothing of either.
//!
//! Nothing can end such a thread. `interrupt` asks it where it is, and it is left behind until the
//! process ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::interrupt::{self, At, cpu_time};
use super::state::Progress;
use super::turns::Request;

/// Time between two looks at a run.
const PAUSE: Duration = Duration::from_millis(200);
/// A wait that is none for another thread, of a pipe that nobody reads for one, may take this many
/// times as long.
const OTHER_WAITS: u32 = 10;
/// Where the system tells no CPU time, and where threads take turns, real time counts, this many times as
/// long.
const REAL_TIME: u32 = 6;

/// How long a run may stand still before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// CPU time that the simulated thread may spend between two moves of simulated time. The longest
    /// step of a service that computes much, a password hash for one, takes less.
    pub computing: Duration,
    /// Real time that the simulated thread may sleep in a system call, waiting for another thread.
    pub blocked: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { computing: Duration::from_secs(5), blocked: Duration::from_secs(3) }
    }
}

/// What a run that is under way lets others see.
pub(super) struct Watched<T> {
    pub(super) thread: JoinHandle<T>,
    pub(super) progress: Arc<Progress>,
    /// What it asks for; closed when the run is over.
    pub(super) requests: Receiver<Request>,
}

/// Why a run was given up.
#[derive(Clone, Copy)]
enum Standstill {
    Computes(Duration),
    IsBlocked,
}

impl<T> Watched<T> {
    /// What the run returns, or how it stands still, in one line.
    #[allow(clippy::disallowed_methods, reason = "real time is the subject, on an ordinary thread")]
    pub(super) fn wait(self, patience: Patience) -> Result<T, String> {
        let mut looks = Looks::at(&self.progress);
        let mut looked_at = Instant::now();
        loop {
            match self.requests.recv_timeout(PAUSE) {
                Ok(request) => request.answer(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if looked_at.elapsed() < PAUSE {
                continue;
            }
            looked_at = Instant::now();
            if let Some(standstill) = looks.look(&self.progress, patience) {
                return Err(describe(standstill, &self.progress));
            }
        }
        Ok(self.thread.join().expect("panics of the body are caught on its own thread"))
    }
}

/// What was seen of a run since simulated time moved last.
struct Looks {
    steps: u64,
    thread: i32,
    /// CPU time of the thread when this was seen first, and at the last look.
    cpu: [Option<Duration>; 2],
    /// Looks at which the thread slept, by what it waited for: another thread, anything else.
    asleep: [u32; 2],
    looks: u32,
    /// The turn went to another thread meanwhile.
    is_lent: bool,
}

impl Looks {
    fn at(progress: &Progress) -> Self {
        let steps = progress.steps.load(Ordering::Relaxed);
        let thread = progress.thread.load(Ordering::Relaxed);
        let cpu = cpu_time(thread);
        Self { steps, thread, cpu: [cpu; 2], asleep: [0; 2], looks: 0, is_lent: false }
    }

    fn look(&mut self, progress: &Progress, patience: Patience) -> Option<Standstill> {
        let now = Self::at(progress);
        if now.steps != self.steps {
            *self = now;
            return None;
        }
        self.looks += 1;
        if now.thread != self.thread {
            // Threads of tokio's pool may come and go without end. The first look is too early for any.
            *self = Self { looks: self.looks, is_lent: self.thread != 0, ..now };
        }
        let passed = PAUSE * self.looks;
        let is_unknown = self.is_lent || now.cpu[0].is_none();
        if is_unknown && passed >= patience.computing * REAL_TIME {
            return Some(Standstill::Computes(passed));
        }
        let (first, last) = (self.cpu[0]?, now.cpu[0]?);
        let is_idle = self.cpu[1].replace(last) == Some(last);
        match sleeps(self.thread).filter(|_| is_idle) {
            Some(Sleep::ForAThread) => self.asleep[0] += 1,
            Some(Sleep::Otherwise) => self.asleep[1] += 1,
            None => self.asleep = [0; 2],
        }
        let spent = last.saturating_sub(first);
        let [for_a_thread, otherwise] = self.asleep.map(|looks| PAUSE * looks);
        if spent >= patience.computing {
            return Some(Standstill::Computes(spent));
        }
        let is_blocked =
            for_a_thread >= patience.blocked || otherwise >= patience.blocked * OTHER_WAITS;
        is_blocked.then_some(Standstill::IsBlocked)
    }
}

enum Sleep {
    ForAThread,
    Otherwise,
}

/// Whether a thread of this process sleeps, and what for.
fn sleeps(thread: i32) -> Option<Sleep> {
    let read = |file| std::fs::read_to_string(format!("/proc/self/task/{thread}/{file}"));
    let stat = read("stat").ok()?;
    let state = stat.rsplit_once(") ")?.1;
    if !state.starts_with('S') {
        return None;
    }
    let call = read("syscall").unwrap_or_default();
    let is_futex = call.split(' ').next() == Some(&libc::SYS_futex.to_string());
    Some(if is_futex || call.is_empty() { Sleep::ForAThread } else { Sleep::Otherwise })
}

/// One line: who lets no time pass, on which host, and what to do.
fn describe(standstill: Standstill, progress: &Progress) -> String {
    let At { callers, runtime } = interrupt::find(progress.thread.load(Ordering::Relaxed));
    let host = runtime.and_then(|runtime| progress.host_of(runtime));
    let host = host.map(|host| format!(" on host {host:?}")).unwrap_or_default();
    let is_lent = progress.is_lent.load(Ordering::Relaxed);
    let what = match standstill {
        Standstill::Computes(spent) => {
            let who = callers.nearest().unwrap_or("a task");
            let remedy = if is_lent {
                "give spawn_blocking closures that end"
            } else {
                "in a loop, await a timer or an event (yield_now lets no time pass)"
            };
            format!(
                "{who}{host} has computed for {:.0} s without a wait; {remedy}",
                spent.as_secs_f64()
            )
        }
        Standstill::IsBlocked => {
            let who = callers.to_string();
            let who = who.strip_prefix(", ").map(|who| format!(" ({who})")).unwrap_or_default();
            if is_lent {
                format!(
                    "a closure of spawn_blocking{host} waits for a task or for another thread{who}; tasks \
                     run when the closure has returned, so let a task wait, with tokio::sync, and \
                     pass the closure what came"
                )
            } else {
                format!(
                    "a task{host} blocks its thread{who}; hold no lock of std across an await, and wait \
                     with tokio::sync"
                )
            }
        }
    };
    format!("simulated time stands still: {what}")
}
