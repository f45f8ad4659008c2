//! What a run must report, from what was done to it; and whether it did.

use std::ops::Range;
use std::time::Duration;

use reports::run::{HistogramDump, latency_histogram};
use reports::units::duration_us;
use reports::{Estimate, Quantile};

/// A delay may be reported wrong by a hundredth, or by this much where that is more: the way over
/// the loopback is part of what is measured, and not of what was injected.
const ERROR_US_MAX: u64 = 200;
const DELAY_ERROR_SHARE_MAX: f64 = 0.01;
/// A freeze by more: when within it the last bytes got through is not known exactly.
const FREEZE_ERROR_SHARE_MAX: f64 = 0.05;
/// Whom a message waits for: its sender, the relay, the server, the relay again, its reader.
const WAKE_UPS: u32 = 5;

/// One percentile as it was injected and as it was reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    quantile: Quantile,
    /// What was injected, in microseconds.
    pub injected_us: u64,
    /// What was reported, in microseconds; absent where there were too few messages.
    pub reported_us: Option<u64>,
    /// The largest error that is allowed either way, in microseconds.
    pub error_us_max: u64,
    /// Why the error says nothing of the ruler; empty where it does, and where it is within bounds.
    pub excuses: Vec<String>,
}

impl Mark {
    fn new(quantile: Quantile, injected_us: u64, latency: &HistogramDump, share_max: f64) -> Self {
        Self {
            quantile,
            injected_us,
            reported_us: latency.estimate(quantile).map(|Estimate { value, .. }| value),
            error_us_max: ERROR_US_MAX.max((injected_us as f64 * share_max) as u64),
            excuses: Vec::new(),
        }
    }

    /// Of two measurements of one length the one that tells more of the ruler. A ruler that is off
    /// is off each time, so that one right answer outweighs errors. It is off without an excuse each
    /// time too: an error that the machine may have made outweighs one that nothing explains, which
    /// the machine may have made in a way that nobody saw.
    pub(super) fn telling(self, other: Self) -> Self {
        let weight = |mark: &Self| (mark.holds(), !mark.excuses.is_empty());
        if weight(&other) > weight(&self) { other } else { self }
    }

    /// Which percentile, as `p99.9`.
    #[must_use]
    pub fn percentile(&self) -> String {
        format!("p{}", self.quantile.percent())
    }

    /// How much more was reported than was injected, in microseconds.
    #[must_use]
    pub fn error_us(&self) -> Option<i64> {
        Some(self.reported_us? as i64 - self.injected_us as i64)
    }

    /// Why an error says nothing of the ruler: a message waits for a processor several times on its
    /// way, and as late as threads woke up then, so much later can it be. None where the error is
    /// within bounds, or more than that.
    #[must_use]
    pub(super) fn excuse(&self, hiccups_us: &HistogramDump) -> Option<String> {
        let late_us = late_us(self.quantile, hiccups_us)?;
        let error_us = u64::try_from(self.error_us()?).ok().filter(|_| !self.holds())?;
        (error_us <= late_us).then(|| {
            format!(
                "{} may be {} too late: a message waits for {WAKE_UPS} threads to wake up, and \
                 threads that slept for 1 ms woke up as late as that meanwhile",
                self.percentile(),
                duration_us(late_us as f64),
            )
        })
    }

    /// True when the error is within bounds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.error_us().is_some_and(|error| error.unsigned_abs() <= self.error_us_max)
    }
}

/// How much too late a percentile of messages comes that wait for several threads, one after the
/// other, each of which wakes up as late as those that were watched. One in a hundred messages is
/// held up when one in five hundred wake-ups is, so one of the wake-ups may be a rarer one than the
/// percentile says, beside as many others as late as it does.
fn late_us(quantile: Quantile, hiccups_us: &HistogramDump) -> Option<u64> {
    let usual_us = hiccups_us.value_at(quantile)?;
    let rare_us = hiccups_us.value_at(quantile.rarer(WAKE_UPS))?;
    Some(u64::from(WAKE_UPS - 1) * usual_us + rare_us)
}

/// The marks of a run in which each reader's connection had a delay of its own. Who reads how much
/// is chance, so percentiles near the border between two delays tell nothing and are left out.
pub(super) fn delays(
    latency: &HistogramDump,
    of_readers: impl Iterator<Item = Duration>,
) -> Vec<Mark> {
    /// How far from a border chance may reach, as a share of the messages.
    const BORDER: f64 = 0.05;
    let mut delays: Vec<u64> = of_readers.map(|delay| delay.as_micros() as u64).collect();
    delays.sort_unstable();
    let at = |share: f64| {
        let place = (share * delays.len() as f64) as usize;
        delays[place.min(delays.len() - 1)]
    };
    ladder()
        .into_iter()
        .filter(|quantile| {
            let share = quantile.as_fraction();
            at((share - BORDER).max(0.0)) == at((share + BORDER).min(1.0))
        })
        .map(|quantile| {
            let injected = at(quantile.as_fraction());
            Mark::new(quantile, injected, latency, DELAY_ERROR_SHARE_MAX)
        })
        .collect()
}

/// The marks of a run that stood still for a while: a message that was meant to be sent meanwhile
/// arrives when that is over. Half of the messages and more know nothing of it.
pub(super) fn freeze(
    latency: &HistogramDump,
    intended_us: &[u64],
    frozen: &Range<u64>,
) -> Vec<Mark> {
    let mut truth = latency_histogram();
    for at_us in intended_us {
        let waits_us = if frozen.contains(at_us) { frozen.end - at_us } else { 0 };
        truth.saturating_record(waits_us);
    }
    let truth = HistogramDump::from(&truth);
    [Quantile::P90, Quantile::P99]
        .into_iter()
        .map(|quantile| {
            let injected = truth.value_at(quantile).unwrap_or_default();
            Mark::new(quantile, injected, latency, FREEZE_ERROR_SHARE_MAX)
        })
        .collect()
}

fn ladder() -> [Quantile; 4] {
    [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(latencies_us: impl Iterator<Item = u64>) -> HistogramDump {
        let mut histogram = latency_histogram();
        latencies_us.for_each(|us| histogram.saturating_record(us));
        HistogramDump::from(&histogram)
    }

    /// 16,000 messages in eight seconds, and two seconds in which nothing moves.
    fn intended_us() -> Vec<u64> {
        (0..16_000).map(|nth| nth * 500).collect()
    }
    const FROZEN: Range<u64> = 3_000_000..5_000_000;

    fn latency_us(at_us: u64) -> u64 {
        if FROZEN.contains(&at_us) { FROZEN.end - at_us + 300 } else { 300 }
    }

    fn held(marks: &[Mark]) -> Vec<bool> {
        marks.iter().map(Mark::holds).collect()
    }

    #[test]
    fn latency_from_the_intended_time_shows_the_freeze() {
        let latency = series(intended_us().into_iter().map(latency_us));
        assert_eq!(held(&freeze(&latency, &intended_us(), &FROZEN)), [true; 2]);
    }

    #[test]
    fn a_closed_loop_that_says_nothing_while_nothing_moves_is_found_out() {
        // One message waits for two seconds, and all others that were due are said after it.
        let told = intended_us().into_iter().filter(|at_us| !FROZEN.contains(at_us));
        let closed = series(told.map(latency_us).chain([2_000_000]));
        assert_eq!(held(&freeze(&closed, &intended_us(), &FROZEN)), [false; 2]);
    }

    #[test]
    fn time_from_the_actual_sending_is_found_out() {
        let service = series(intended_us().into_iter().map(|_| 300));
        assert_eq!(held(&freeze(&service, &intended_us(), &FROZEN)), [false; 2]);
    }

    #[test]
    fn a_ruler_that_is_two_per_cent_too_long_is_found_out() {
        let readers = || (0..200).map(|_| Duration::from_millis(250));
        let exact = delays(&series((0..20_000).map(|_| 250_300)), readers());
        let long = delays(&series((0..20_000).map(|_| 255_000)), readers());
        assert_eq!((held(&exact), held(&long)), (vec![true; 4], vec![false; 4]));
    }

    #[test]
    fn threads_that_woke_up_late_excuse_what_they_account_for_and_no_more() {
        let readers = || (0..200).map(|_| Duration::from_millis(500));
        let marks = |us| delays(&series((0..20_000).map(|_| us)), readers());
        let woken_late = |us| series((0..8_000).map(|_| us));
        let excused = |marks: &[Mark], late_us| {
            marks.iter().filter(|mark| mark.excuse(&woken_late(late_us)).is_some()).count()
        };
        let (exact, late, early) = (marks(500_300), marks(506_000), marks(490_000));
        assert_eq!((excused(&exact, 9_000), excused(&late, 1_500), excused(&late, 900)), (0, 4, 0));
        assert_eq!(excused(&early, 9_000), 0, "nothing arrives too early for want of a processor");
        assert!(late[0].excuse(&HistogramDump::default()).is_none(), "nobody looked");
    }

    #[test]
    fn of_the_rarest_messages_rarer_hiccups_account() {
        let readers = || (0..200).map(|_| Duration::from_millis(500));
        let marks = delays(
            &series((0..20_000).map(|nth| if nth % 400 == 0 { 520_000 } else { 500_300 })),
            readers(),
        );
        let woken_late = |one_in: u64| {
            series((0..50_000).map(|nth| if nth % one_in == 0 { 20_000 } else { 100 }))
        };
        assert_eq!(held(&marks), [true, true, true, false]);
        assert!(marks[3].excuse(&woken_late(2_000)).is_some(), "five times in 2,000 is one in 400");
        assert!(marks[3].excuse(&woken_late(10_000)).is_none(), "that is one in 2,000");
    }

    #[test]
    fn one_right_answer_outweighs_errors_and_an_excused_error_one_that_is_not() {
        let readers = || (0..200).map(|_| Duration::from_millis(500));
        let mark = |us| delays(&series((0..20_000).map(|_| us)), readers()).remove(0);
        let excused = |us| Mark { excuses: vec!["busy".to_owned()], ..mark(us) };
        let (right, off, machine) = (mark(500_300), mark(520_000), excused(530_000));
        for (one, other, telling) in [
            (&right, &off, &right),
            (&off, &right, &right),
            (&machine, &off, &machine),
            (&off, &machine, &machine),
            (&off, &off, &off),
            (&machine, &right, &right),
        ] {
            assert_eq!(&one.clone().telling(other.clone()), telling);
        }
    }

    #[test]
    fn near_the_border_between_two_delays_nothing_is_said() {
        let readers =
            (0..200).map(|nth| Duration::from_millis(if nth % 10 == 0 { 1_000 } else { 250 }));
        let told = series((0..20_000).map(|nth| if nth % 9 == 0 { 1_000_000 } else { 250_000 }));
        let marks = delays(&told, readers);
        let named: Vec<_> = marks.iter().map(Mark::percentile).collect();
        assert_eq!(named, ["p50", "p99", "p99.9"]);
        assert_eq!(held(&marks), [true; 3]);
    }

    #[test]
    fn too_few_messages_prove_nothing() {
        let readers = (0..200).map(|_| Duration::from_millis(250));
        let marks = delays(&series((0..100).map(|_| 250_000)), readers);
        assert_eq!(held(&marks), [true, true, false, false]);
    }
}
