//! The timers of a run, as far as they can be seen: what each host's runtime does from step to
//! step.
//!
//! Tokio does not say which timer fired. But the clock of a simulated host stands still while
//! there is anything to do, and jumps to the next timer when there is not: the runtime goes to
//! sleep once for each instant at which a timer is due, and the tasks that it wakes are counted.
//! Two runs in which a timer is set, fires or is taken back at different times part here, even if
//! nothing comes of it. Nothing is counted twice: only a step unlike the one before is recorded.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::runtime::{Handle, RuntimeMetrics};

use crate::determinism::{self, clock, trace};

/// The runtimes of all hosts; clones share them.
#[derive(Clone, Default)]
pub(crate) struct RuntimeTrace(Rc<RefCell<BTreeMap<String, HostTrace>>>);

struct HostTrace {
    runtime: RuntimeMetrics,
    total: [u64; 3],
    /// What was recorded last.
    counts: [u64; 3],
}

impl RuntimeTrace {
    /// Observes the runtime of the caller's host, which is `host`, from now on: the one that it had
    /// before is gone.
    pub(crate) fn observe(&self, host: &str) {
        determinism::set_host(host);
        let runtime = Handle::current().metrics();
        let trace = HostTrace { runtime, total: [0; 3], counts: [0; 3] };
        self.0.borrow_mut().insert(host.to_owned(), trace);
    }

    /// Records what has changed. To be called between two steps.
    pub(crate) fn record(&self) {
        let at_us = clock::elapsed().as_micros() as u64;
        for (host, trace) in self.0.borrow_mut().iter_mut() {
            let total = trace.total();
            let counts = [0, 1, 2].map(|index| total[index].wrapping_sub(trace.total[index]));
            trace.total = total;
            if std::mem::replace(&mut trace.counts, counts) != counts {
                trace::timers(at_us, host, counts);
            }
        }
    }
}

impl HostTrace {
    /// A simulated host has one thread, hence one worker.
    fn total(&self) -> [u64; 3] {
        let tasks = self.runtime.num_alive_tasks() as u64;
        [self.runtime.worker_park_count(0), self.polls(), tasks]
    }

    #[cfg(tokio_unstable)]
    fn polls(&self) -> u64 {
        self.runtime.worker_poll_count(0)
    }

    /// Without `--cfg tokio_unstable`, tokio does not say how often it polled tasks.
    #[cfg(not(tokio_unstable))]
    fn polls(&self) -> u64 {
        0
    }
}
