//! Waits for a run, unless it never comes to its end: a task that goes round in circles, and never waits
//! for anything, lets no simulated time pass.
//!
//! Nothing can end such a thread. It is left behind, and goes round until the process ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::state::Progress;

/// How long to wait between two looks. A process that was stopped for a while looks once, so that time
/// does not count.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks in a row at which nothing has moved until a run is given up: longer than any step takes.
pub(super) const LOOKS_MAX: u32 = 30;

/// What is said of such a run.
pub(super) const STANDS_STILL: &str = "a task never waits, so simulated time stands still: it computes without end, goes round in a loop \
     (of yield_now for one), or blocks the thread";

/// What a run that is under way lets others see.
pub(super) struct Watched<T> {
    pub(super) thread: JoinHandle<T>,
    pub(super) progress: Arc<Progress>,
    /// Closed when the run is over.
    pub(super) over: Receiver<()>,
}

impl<T> Watched<T> {
    /// What the run returns, or nothing if it stands still for so many looks.
    pub(super) fn wait(self, looks_max: u32) -> Option<T> {
        let (mut steps, mut looks) = (0, 0);
        while let Err(RecvTimeoutError::Timeout) = self.over.recv_timeout(PAUSE) {
            let before = std::mem::replace(&mut steps, self.progress.steps.load(Ordering::Relaxed));
            looks = if steps == before { looks + 1 } else { 0 };
            if looks == looks_max {
                return None;
            }
        }
        Some(self.thread.join().expect("panics of the body are caught on its own thread"))
    }
}
