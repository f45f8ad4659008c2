//! From the books to the figures: histograms and one entry a second, in one pass at the end.
//!
//! The ledger holds the three times of every message anyway, so the histograms are filled after
//! the run: nothing but the ledger is touched while the run is measured, and the figures agree
//! with the account of the messages by construction.

use std::ops::Range;

use hdrhistogram::Histogram;
use reports::run::{HistogramDump, Interval, latency_histogram};

use crate::ledger::{Fate, Ledger, Record};

/// What the books say about time.
#[derive(Debug)]
pub struct Figures {
    /// Receipt less intended sending, in microseconds.
    pub latency: Histogram<u64>,
    /// Receipt less actual sending, in microseconds.
    pub service: Histogram<u64>,
    /// Actual less intended sending, in microseconds.
    pub send_lag: Histogram<u64>,
    /// One entry a second of the window.
    pub intervals: Vec<Interval>,
    /// Messages of the window that were sent before the window closed.
    pub sent_in_time: u64,
    /// Messages received in the window, whenever they were due.
    pub received_in_window: u64,
}

impl Figures {
    /// Reads `ledger` for the messages that were due in `window`, in microseconds.
    ///
    /// The three histograms hold the messages of the window. An interval counts what was sent and
    /// received in its second, messages of the warm-up among them; its latencies are those of the
    /// messages that were due in it, whenever they arrived, so that all intervals together are the
    /// latencies of the window, and a second in which nothing moved shows what that cost.
    #[must_use]
    pub fn read(ledger: &Ledger, window: &Range<u64>) -> Self {
        let mut figures = Self {
            latency: latency_histogram(),
            service: latency_histogram(),
            send_lag: latency_histogram(),
            intervals: Vec::new(),
            sent_in_time: 0,
            received_in_window: 0,
        };
        let mut seconds = Seconds::new(window);
        ledger.for_each(|record| {
            seconds.add(record);
            let is_due = window.contains(&record.intended_us);
            if is_due && let Some(latency_us) = figures.add(record, window.end) {
                seconds.add_latency(record.intended_us, latency_us);
            }
        });
        figures.received_in_window = seconds.received();
        figures.intervals = seconds.finish();
        figures
    }

    /// Its latency, where it has one.
    fn add(&mut self, record: &Record, window_end_us: u64) -> Option<u64> {
        let sent_us = record.sent_us?;
        // What another generator sent is in its own figures.
        if !record.foreign {
            self.send_lag.saturating_record(sent_us.saturating_sub(record.intended_us));
            self.sent_in_time += u64::from(sent_us < window_end_us);
        }
        // What reached a stranger has no latency to the partner.
        let received_us = record.received_us.filter(|_| record.fate() != Fate::Misdelivered)?;
        let latency_us = received_us.saturating_sub(record.intended_us);
        self.latency.saturating_record(latency_us);
        self.service.saturating_record(received_us.saturating_sub(sent_us));
        Some(latency_us)
    }
}

/// The window, cut into seconds.
struct Seconds {
    window: Range<u64>,
    send_lags_us: Vec<Vec<u64>>,
    received: Vec<u64>,
    latencies_us: Vec<Vec<u64>>,
}

impl Seconds {
    fn new(window: &Range<u64>) -> Self {
        let count = (window.end - window.start).div_ceil(1_000_000) as usize;
        let seconds = || vec![Vec::new(); count];
        Self {
            window: window.clone(),
            send_lags_us: seconds(),
            received: vec![0; count],
            latencies_us: seconds(),
        }
    }

    fn add(&mut self, record: &Record) {
        let own_us = record.sent_us.filter(|_| !record.foreign);
        let sent = own_us.and_then(|at_us| Some((at_us, self.second(at_us)?)));
        if let Some((at_us, second)) = sent {
            self.send_lags_us[second].push(at_us.saturating_sub(record.intended_us));
        }
        if let Some(second) = record.received_us.and_then(|at_us| self.second(at_us)) {
            self.received[second] += 1;
        }
    }

    fn add_latency(&mut self, intended_us: u64, latency_us: u64) {
        if let Some(second) = self.second(intended_us) {
            self.latencies_us[second].push(latency_us);
        }
    }

    fn second(&self, at_us: u64) -> Option<usize> {
        self.window.contains(&at_us).then(|| ((at_us - self.window.start) / 1_000_000) as usize)
    }

    fn received(&self) -> u64 {
        self.received.iter().sum()
    }

    /// One histogram serves all seconds in turn: a histogram is large, its dump is small.
    fn finish(self) -> Vec<Interval> {
        let mut histogram = latency_histogram();
        let counts = self.send_lags_us.into_iter().zip(self.received);
        counts
            .zip(self.latencies_us)
            .zip(0..)
            .map(|(((send_lags_us, received), latencies_us), second)| {
                fill(&mut histogram, &send_lags_us);
                let is_spoken = !send_lags_us.is_empty();
                let send_lag_us_p99 = is_spoken.then(|| histogram.value_at_quantile(0.99));
                fill(&mut histogram, &latencies_us);
                Interval {
                    second,
                    sent: send_lags_us.len() as u64,
                    received,
                    latency_us: HistogramDump::from(&histogram),
                    missing_us: HistogramDump::default(),
                    send_lag_us_p99,
                    used: None,
                }
            })
            .collect()
    }
}

fn fill(histogram: &mut Histogram<u64>, values: &[u64]) {
    histogram.reset();
    for &value in values {
        histogram.saturating_record(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Due, Schedule};
    use crate::shard::Shard;

    const WINDOW: Range<u64> = 1_000_000..3_000_000;

    /// A ledger in which each `(intended, sent, received)` is one message of person 0, in order.
    fn books(messages: &[(u64, u64, Option<u64>)]) -> Ledger {
        let due =
            messages.iter().zip(0..).map(|(&(at_us, ..), number)| Due { at_us, person: 0, number });
        let schedule = Schedule { due: due.collect(), people: 2 };
        let ledger = Ledger::new(1, &schedule, Shard::WHOLE);
        for (&(_, sent_us, received_us), number) in messages.iter().zip(0..) {
            let id = ledger.send(0, number, 9, sent_us);
            if let Some(at_us) = received_us {
                ledger.receive(1, Some(9), &id, at_us);
            }
        }
        ledger
    }

    #[test]
    fn latency_runs_from_the_intended_time_and_service_from_the_actual_one() {
        let ledger = books(&[(1_000_000, 1_000_300, Some(1_000_900))]);
        let figures = Figures::read(&ledger, &WINDOW);
        assert_eq!(figures.latency.max(), 900);
        assert_eq!(figures.service.max(), 600);
        assert_eq!(figures.send_lag.max(), 300);
    }

    #[test]
    fn a_frozen_sender_is_charged_for_every_message_that_was_due() {
        let frozen: Vec<_> =
            (0..100).map(|n| (1_000_000 + n * 10_000, 2_000_000, Some(2_000_100))).collect();
        let figures = Figures::read(&books(&frozen), &WINDOW);
        assert!(figures.service.value_at_quantile(0.99) <= 100);
        assert!(figures.latency.value_at_quantile(0.5) > 490_000);
        assert!(figures.send_lag.value_at_quantile(0.5) > 490_000);
    }

    #[test]
    fn the_warm_up_is_in_no_histogram_but_the_seconds_count_what_was_sent_and_received() {
        let ledger = books(&[
            (900_000, 900_000, Some(1_100_000)),
            (1_500_000, 1_500_000, Some(2_500_000)),
            (2_900_000, 3_100_000, Some(3_200_000)),
        ]);
        let figures = Figures::read(&ledger, &WINDOW);
        assert_eq!(figures.latency.len(), 2);
        assert_eq!(figures.sent_in_time, 1);
        assert_eq!(figures.received_in_window, 2);
        let seconds: Vec<_> = figures
            .intervals
            .iter()
            .map(|second| (second.second, second.sent, second.received))
            .collect();
        assert_eq!(seconds, [(0, 1, 1), (1, 0, 1)]);
        let lags: Vec<_> = figures.intervals.iter().map(|it| it.send_lag_us_p99).collect();
        assert_eq!(lags, [Some(0), None]);
    }

    #[test]
    fn the_latencies_of_all_seconds_together_are_those_of_the_window() {
        let ledger = books(&[
            (900_000, 900_000, Some(1_100_000)),
            (1_500_000, 1_500_000, Some(2_500_000)),
            (1_600_000, 1_700_000, Some(1_800_000)),
            (2_900_000, 3_100_000, Some(3_200_000)),
        ]);
        let figures = Figures::read(&ledger, &WINDOW);
        let counts: Vec<_> = figures.intervals.iter().map(|it| it.latency_us.count()).collect();
        assert_eq!(counts, [2, 1], "by when they were due");
        let together = reports::counts::sum(figures.intervals.iter().map(|it| &it.latency_us));
        assert_eq!(together, HistogramDump::from(&figures.latency));
    }

    #[test]
    fn a_lost_message_has_a_send_lag_and_no_latency() {
        let figures = Figures::read(&books(&[(1_000_000, 1_000_020, None)]), &WINDOW);
        assert_eq!((figures.send_lag.len(), figures.latency.len()), (1, 0));
    }
}
