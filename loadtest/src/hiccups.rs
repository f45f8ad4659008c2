//! How late this process is woken, whatever it is that it wants to do.
//!
//! On each core that this process may use a thread sleeps for a millisecond at a time and notes by
//! how much it slept too long, as Gil Tene's jHiccup does. It has nothing to do with messages, so
//! what it sees is the machine: other programs, a hypervisor that takes the core away, a process
//! that was stopped. A latency below the hiccups of the same time says nothing of the server.
//!
//! A core each, because a hypervisor takes away one at a time: a thread that is free to move meets
//! only what happens to the core that it happens to be on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hdrhistogram::Histogram;
use reports::run::latency_histogram;
use tokio::time::Instant;

use crate::cores;

/// How long the thread sleeps at a time.
const INTERVAL: Duration = Duration::from_millis(1);

/// The sleeping threads, from their start until they are finished or dropped.
#[derive(Debug)]
pub(crate) struct Hiccups {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Histogram<u64>>>,
}

impl Hiccups {
    /// # Errors
    ///
    /// The operating system has no thread left.
    pub(crate) fn start() -> io::Result<Self> {
        let mut hiccups = Self { stop: Arc::default(), threads: Vec::new() };
        for core in cores::of_this_thread() {
            let told = Arc::clone(&hiccups.stop);
            let sleeping = move || {
                if let Some(core) = core {
                    cores::stay_on(core);
                }
                sleep_until_told(&told)
            };
            let thread = thread::Builder::new().name("hiccups".to_owned()).spawn(sleeping)?;
            hiccups.threads.push(thread);
        }
        Ok(hiccups)
    }

    /// By how much each sleep was too long, on all cores, in microseconds; takes a millisecond.
    pub(crate) fn finish(mut self) -> Histogram<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = latency_histogram();
        for thread in self.threads.drain(..) {
            all += thread.join().expect("sleeping and counting never panics");
        }
        all
    }
}

impl Drop for Hiccups {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread that sleeps is what is measured, and nothing here is ever simulated"
)]
fn sleep_until_told(told: &AtomicBool) -> Histogram<u64> {
    let mut hiccups = latency_histogram();
    loop {
        let asleep = Instant::now();
        thread::sleep(INTERVAL);
        record(&mut hiccups, asleep.elapsed().saturating_sub(INTERVAL));
        if told.load(Ordering::Relaxed) {
            return hiccups;
        }
    }
}

/// Enters a delay, and all those that somebody would have met who had wanted to wake within it: a
/// second of standstill is one sleep that was too long, and a thousand moments that were missed.
fn record(hiccups: &mut Histogram<u64>, late: Duration) {
    let [late_us, interval_us] = [late, INTERVAL].map(|time| time.as_micros() as u64);
    hiccups.saturating_record_n(late_us, 1);
    let mut missed_us = late_us;
    while missed_us > 2 * interval_us {
        missed_us -= interval_us;
        hiccups.saturating_record(missed_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_counts_for_every_moment_that_it_covered() {
        let mut hiccups = latency_histogram();
        (0..900).for_each(|_| record(&mut hiccups, Duration::from_micros(60)));
        record(&mut hiccups, Duration::from_millis(100));
        assert_eq!(hiccups.len(), 900 + 99);
        assert!((99_900..=100_100).contains(&hiccups.max()));
        let p95 = hiccups.value_at_quantile(0.95);
        assert!((45_000..=55_000).contains(&p95), "half of the standstill: {p95}");
    }

    #[test]
    fn sleeps_are_counted_and_a_dropped_thread_ends() {
        let begun = Instant::now();
        let hiccups = Hiccups::start().expect("a thread");
        let threads = hiccups.threads.len() as u64;
        let counted = hiccups.finish().len();
        let fit = threads * (1 + begun.elapsed().as_millis() as u64);
        assert!((threads..=fit).contains(&counted), "{counted} sleeps, and no more than {fit} fit");
        let dropped = Hiccups::start().expect("a thread");
        let stop = Arc::clone(&dropped.stop);
        drop(dropped);
        while Arc::strong_count(&stop) > 1 {
            thread::yield_now();
        }
    }
}
