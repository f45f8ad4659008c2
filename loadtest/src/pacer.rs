//! The metronome: one task that walks the schedule and wakes each person when it is time.
//!
//! The runtime's own timer rounds to whole milliseconds, which alone would be a send lag as long
//! as the latencies to be measured; see [`crate::timer`]. The worker that wakes for the timer also
//! runs the person who was woken, so a message is on its way after one wake-up of one thread. It
//! gets up a little early, but never blocks a worker while it waits: the cores belong to the
//! server and the clients.

use std::io;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::schedule::Due;
use crate::timer::FineTimer;

/// The longest that the pacer gets up before an entry is due.
const EARLY_MAX: Duration = Duration::from_micros(200);

/// The running metronome; dropping it stops it.
#[derive(Debug)]
pub struct Pacer(JoinHandle<()>);

impl Pacer {
    /// Calls `wake` for each entry of `due` when `clock` shows its time, in order, in a task of
    /// the current runtime. `wake` must be quick: all that is due waits for it.
    ///
    /// # Errors
    ///
    /// The operating system refused a timer.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time.
    pub fn start(
        due: Vec<Due>,
        clock: Clock,
        wake: impl Fn(Due) + Send + 'static,
    ) -> io::Result<Self> {
        let mut timer = FineTimer::new(earliness(&due))?;
        Ok(Self(tokio::spawn(async move {
            for due in due {
                if let Err(error) = timer.sleep_until(clock, due.at_us).await {
                    unreachable!("an armed timer is readable sooner or later: {error}");
                }
                wake(due);
            }
        })))
    }
}

/// How long before each entry the pacer gets up: as much as keeps its waiting below a tenth of a
/// core, because at thousands of messages a second the cores hardly sleep anyway.
fn earliness(due: &[Due]) -> Duration {
    let (Some(first), Some(last)) = (due.first(), due.last()) else {
        return Duration::ZERO;
    };
    let gap_us = (last.at_us - first.at_us) / due.len() as u64;
    Duration::from_micros(gap_us / 10).min(EARLY_MAX)
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn due(at_us: u64, number: u32) -> Due {
        Due { at_us, person: 0, number }
    }

    #[tokio::test]
    async fn everybody_is_woken_in_order_and_never_early() {
        let clock = Clock::starting_in(Duration::from_millis(1));
        let (woken, mut received) = mpsc::unbounded_channel();
        let plan: Vec<Due> = (0..20).map(|n| due(u64::from(n / 2) * 500, n)).collect();
        let pacer = Pacer::start(plan.clone(), clock, move |due| {
            woken.send((due, clock.now_us())).expect("the test still listens");
        })
        .expect("a timer");
        for expected in plan {
            let (due, at_us) = received.recv().await.expect("the pacer is running");
            assert_eq!(due, expected);
            assert!(at_us >= due.at_us, "{at_us} is before {}", due.at_us);
        }
        drop(pacer);
    }

    #[test]
    fn waiting_early_costs_a_tenth_of_a_core_at_most() {
        let at_rate = |per_s: u64| {
            let plan: Vec<Due> = (0..1_000).map(|n| due(n * 1_000_000 / per_s, 0)).collect();
            earliness(&plan)
        };
        assert_eq!(at_rate(100), EARLY_MAX);
        assert_eq!(at_rate(5_000), Duration::from_micros(19));
        assert_eq!(earliness(&[]), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_dropped_pacer_wakes_nobody_any_more() {
        let clock = Clock::starting_in(Duration::ZERO);
        let (woken, mut received) = mpsc::unbounded_channel();
        let in_an_hour = due(3_600_000_000, 0);
        let pacer = Pacer::start(vec![in_an_hour], clock, move |due| {
            woken.send(due).expect("the test still listens");
        })
        .expect("a timer");
        drop(pacer);
        assert_eq!(received.recv().await, None, "the task has ended without a wake-up");
    }
}
