//! Whether the figures of a run may be trusted. It judges the generator, never the server.
//!
//! A slow server is a result. A generator that was late, or that took the processor away from the
//! server it measures, is not.

use std::time::Duration;

use reports::units::duration_us;
use reports::{Cause, Invalid, Quantile};

use crate::recorder::Figures;

/// A send lag below this is never held against a run, in microseconds: it is what waking a thread
/// and a task costs on a machine with few cores.
const SEND_LAG_US_HARMLESS: u64 = 200;
/// The share of the scheduled messages that must have been sent before the window closed.
const SENT_SHARE_MIN: f64 = 0.99;
/// The share of its cores that the generator may use.
const GENERATOR_SHARE_MAX: f64 = 0.80;
/// The share of all cores that generator and server may use together.
const MACHINE_SHARE_MAX: f64 = 0.95;
/// Cores that other programs must have used to be mentioned.
const CORES_NOTICEABLE: f64 = 0.1;

/// What is judged, besides the figures.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    /// Messages of the window whose sender had a partner.
    pub sendable: u64,
    /// Processor time of the generator over the window, in microseconds.
    pub generator_cpu_us: u64,
    /// Processor time of the server, where it runs on this machine, in microseconds.
    pub server_cpu_us: Option<u64>,
    /// Processor time of all other programs of this machine, where it is known, in microseconds.
    pub others_cpu_us: Option<u64>,
    /// Length of the window.
    pub window: Duration,
    /// Cores that the run may use.
    pub cores: usize,
}

/// Why the figures must not be trusted; empty when they may be. The rules:
///
/// 1. Send lag p99 is at most a tenth of latency p99, or 200 us where that is more. Where there are
///    too few messages for p99, the highest percentile below it that there are enough for is judged.
/// 2. At least 99 % of the messages that could be sent were sent before the window closed.
///    Messages of a person without a partner could not.
/// 3. The generator used at most 80 % of the cores it may call its own. With a server on the same
///    machine one core is the server's: on two cores the generator has one, so 80 % of one core.
///    With the server elsewhere all cores are the generator's.
/// 4. With the server on the same machine, both together used at most 95 % of all cores. Above
///    that they queue for a core, and how long a message waits depends on the generator's work as
///    much as on the server's. This is also why the search for the most that a server carries
///    wants a second machine.
#[must_use]
pub fn reasons(figures: &Figures, evidence: &Evidence) -> Vec<Invalid> {
    [
        late(figures, evidence),
        short(figures, evidence),
        generator_busy(evidence),
        machine_full(evidence),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn late(figures: &Figures, evidence: &Evidence) -> Option<Invalid> {
    let quantile = judged(figures.latency.len().min(figures.send_lag.len()));
    let lag_us = figures.send_lag.value_at_quantile(quantile.as_fraction());
    let latency_us = figures.latency.value_at_quantile(quantile.as_fraction());
    let lag_us_max = (latency_us / 10).max(SEND_LAG_US_HARMLESS);
    (lag_us > lag_us_max).then(|| {
        let percent = quantile.percent();
        let (cause, disturbance) = disturbance(evidence);
        let text = format!(
            "send lag p{percent} is {}, more than the {} that a latency p{percent} of {} allows\
             {disturbance}",
            duration_us(lag_us as f64),
            duration_us(lag_us_max as f64),
            duration_us(latency_us as f64),
        );
        Invalid::new(cause, text)
    })
}

/// The percentile by which a window of so many messages is judged: the highest up to p99 that a report
/// shows of them. p99 of a hundred messages is one of them.
fn judged(messages: u64) -> Quantile {
    let ladder = [Quantile::P99, Quantile::P95, Quantile::P90];
    let shown = ladder.into_iter().find(|quantile| messages >= quantile.samples_min());
    shown.unwrap_or(Quantile::P50)
}

/// The usual reason for a late generator on a machine that is not alone; a hint and no verdict,
/// because in a container the count may cover cores that the run never had.
fn disturbance(evidence: &Evidence) -> (Cause, String) {
    let used = cores_used(evidence.others_cpu_us.unwrap_or(0), evidence.window);
    if used < CORES_NOTICEABLE {
        return (Cause::GeneratorLate, String::new());
    }
    let cores = evidence.cores;
    (Cause::OthersBusy, format!("; other programs used {used:.1} of {cores} cores meanwhile"))
}

fn short(figures: &Figures, evidence: &Evidence) -> Option<Invalid> {
    let share = figures.sent_in_time as f64 / evidence.sendable.max(1) as f64;
    (share < SENT_SHARE_MIN).then(|| {
        let (sent, sendable) = (figures.sent_in_time, evidence.sendable);
        let text = format!("only {sent} of {sendable} scheduled messages were sent in the window");
        Invalid::new(Cause::ScheduleMissed, text)
    })
}

fn generator_busy(evidence: &Evidence) -> Option<Invalid> {
    let reserved = usize::from(evidence.server_cpu_us.is_some());
    let own = evidence.cores.saturating_sub(reserved).max(1);
    let used = cores_used(evidence.generator_cpu_us, evidence.window);
    (used > GENERATOR_SHARE_MAX * own as f64).then(|| {
        let text = format!(
            "the generator used {used:.2} of the {own} cores it may use; 80 % is the limit"
        );
        Invalid::new(Cause::GeneratorBusy, text)
    })
}

fn machine_full(evidence: &Evidence) -> Option<Invalid> {
    let both_us = evidence.generator_cpu_us + evidence.server_cpu_us?;
    let used = cores_used(both_us, evidence.window);
    let cores = evidence.cores;
    (used > MACHINE_SHARE_MAX * cores as f64).then(|| {
        let text = format!(
            "generator and server together used {used:.2} of {cores} cores; 95 % is the limit"
        );
        Invalid::new(Cause::MachineFull, text)
    })
}

fn cores_used(cpu_us: u64, window: Duration) -> f64 {
    cpu_us as f64 / (window.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use reports::run::latency_histogram;

    use super::*;

    fn figures(lag_us: u64, latency_us: u64) -> Figures {
        let mut figures = Figures {
            latency: latency_histogram(),
            service: latency_histogram(),
            send_lag: latency_histogram(),
            intervals: Vec::new(),
            sent_in_time: 1_000,
            received_in_window: 1_000,
        };
        figures.send_lag.saturating_record_n(lag_us, 1_000);
        figures.latency.saturating_record_n(latency_us, 1_000);
        figures
    }

    fn evidence() -> Evidence {
        Evidence {
            sendable: 1_000,
            generator_cpu_us: 5_000_000,
            server_cpu_us: Some(5_000_000),
            others_cpu_us: None,
            window: Duration::from_secs(10),
            cores: 2,
        }
    }

    #[track_caller]
    fn expect_one(reasons: &[Invalid], cause: Cause, part: &str) {
        let are_as_expected = |it: &[Invalid]| match it {
            [one] => one.cause == cause && one.text.contains(part),
            _ => false,
        };
        assert!(are_as_expected(reasons), "{reasons:?}");
    }

    #[test]
    fn a_punctual_generator_on_a_half_idle_machine_is_believed() {
        assert_eq!(reasons(&figures(190, 1_000), &evidence()), Vec::<Invalid>::new());
        assert_eq!(reasons(&figures(900, 10_000), &evidence()), Vec::<Invalid>::new());
    }

    #[test]
    fn a_late_generator_is_not_believed() {
        expect_one(
            &reasons(&figures(300, 1_000), &evidence()),
            Cause::GeneratorLate,
            "send lag p99 is 300 µs",
        );
        expect_one(
            &reasons(&figures(1_200, 10_000), &evidence()),
            Cause::GeneratorLate,
            "send lag p99",
        );
    }

    #[test]
    fn short_window_is_judged_by_a_percentile_that_its_report_shows() {
        let of = |messages: u64| judged(messages).percent();
        assert_eq!([5, 100, 300, 999, 1_000].map(of), ["50", "90", "95", "95", "99"]);
        let mut figures = figures(100, 1_000);
        figures.send_lag.reset();
        figures.latency.reset();
        figures.send_lag.saturating_record_n(100, 290);
        figures.send_lag.saturating_record_n(9_000, 10);
        figures.latency.saturating_record_n(1_000, 300);
        assert_eq!(reasons(&figures, &evidence()), Vec::<Invalid>::new(), "ten of 300 were late");
        figures.send_lag.saturating_record_n(9_000, 10);
        expect_one(&reasons(&figures, &evidence()), Cause::GeneratorLate, "send lag p95 is 9");
    }

    #[test]
    fn a_late_generator_is_told_who_else_was_busy() {
        let disturbed = Evidence { others_cpu_us: Some(12_000_000), ..evidence() };
        let reasons = reasons(&figures(300, 1_000), &disturbed);
        expect_one(&reasons, Cause::OthersBusy, "; other programs used 1.2 of 2 cores meanwhile");
    }

    #[test]
    fn a_generator_that_did_not_keep_its_schedule_is_not_believed() {
        let mut figures = figures(100, 1_000);
        figures.sent_in_time = 989;
        expect_one(&reasons(&figures, &evidence()), Cause::ScheduleMissed, "only 989 of 1000");
    }

    #[test]
    fn a_generator_beside_its_server_may_use_four_fifths_of_the_other_core() {
        let busy = Evidence { generator_cpu_us: 8_500_000, ..evidence() };
        expect_one(
            &reasons(&figures(100, 1_000), &busy),
            Cause::GeneratorBusy,
            "0.85 of the 1 cores",
        );
        let remote = Evidence { server_cpu_us: None, ..busy };
        assert!(reasons(&figures(100, 1_000), &remote).is_empty());
    }

    #[test]
    fn a_machine_without_idle_time_is_not_believed() {
        let full = Evidence { server_cpu_us: Some(14_500_000), ..evidence() };
        expect_one(&reasons(&figures(100, 1_000), &full), Cause::MachineFull, "1.95 of 2 cores");
    }
}
