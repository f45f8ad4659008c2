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
pub struct Pulses(Rc<RefCell<BTreeMap<String, Pulse>>>);

struct Pulse {
    runtime: RuntimeMetrics,
    total: [u64; 3],
    /// What was recorded last.
    beats: [u64; 3],
}

impl Pulses {
    /// Feels the runtime of the caller's host, which is `host`, from now on: the one that it had
    /// before is gone.
    pub fn feel(&self, host: &str) {
        determinism::set_host(host);
        let runtime = Handle::current().metrics();
        let pulse = Pulse { runtime, total: [0; 3], beats: [0; 3] };
        self.0.borrow_mut().insert(host.to_owned(), pulse);
    }

    /// Records what has changed. To be called between two steps.
    pub fn record(&self) {
        let at_us = clock::elapsed().as_micros() as u64;
        for (host, pulse) in self.0.borrow_mut().iter_mut() {
            let total = pulse.total();
            let beats = [0, 1, 2].map(|index| total[index].wrapping_sub(pulse.total[index]));
            pulse.total = total;
            if std::mem::replace(&mut pulse.beats, beats) != beats {
                trace::timers(at_us, host, beats);
            }
        }
    }
}

impl Pulse {
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
