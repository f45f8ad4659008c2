//! Several measurements of the same, one behind the other, as one.
//!
//! What changes from one start of a server to the next is in no single measurement, so a
//! comparison that matters repeats all of them in turns. Histograms and counts add up exactly;
//! memory, and how long people took to connect, is the mean; each round's latency is kept beside the sum, so that the rounds can be
//! compared with one another.

use crate::counts::{readers, sum};
use crate::invalid::{self, Invalid};
use crate::run::{GeneratorCost, HistogramDump, Series, ServerCost};

/// The rounds of one transport as one series; none where there are no rounds.
///
/// A round whose figures are not valid is thrown away, and that is said, as long as more than half
/// of the rounds are left; otherwise the whole is not valid. A round with a message that is not
/// accounted for is never thrown away.
#[must_use]
pub fn joined(rounds: Vec<Series>) -> Option<Series> {
    let total = rounds.len();
    let is_kept = |round: &Series| round.invalid.is_empty() || !round.messages.all_accounted_for();
    let (kept, thrown_away): (Vec<Series>, Vec<Series>) = rounds.into_iter().partition(is_kept);
    let (used, thrown_away) = match 2 * kept.len() > total {
        true => (kept, thrown_away),
        false => (kept.into_iter().chain(thrown_away).collect(), Vec::new()),
    };
    let latencies = used.iter().map(|round| round.latency_us.clone()).collect();
    let missing: Vec<HistogramDump> = used.iter().map(|round| round.missing_us.clone()).collect();
    let invalid = folded(used.iter().map(|round| &round.invalid[..]));
    let count = used.len() as u64;
    let mut sum = used.into_iter().reduce(added)?;
    if count > 1 {
        sum.invalid = invalid;
        sum.rounds = latencies;
        if missing.iter().any(|round| !round.is_empty()) {
            sum.missing_us_of_rounds = missing;
        }
        sum.generator.rss_bytes /= count;
        sum.generator.rss_idle_bytes /= count;
        sum.connect_s = sum.connect_s.map(|connect_s| connect_s / count as f64);
        sum.by_reader.iter_mut().for_each(|readers| readers.users /= count);
        if let Some(server) = &mut sum.server {
            server.rss_bytes /= count;
            server.rss_idle_bytes /= count;
        }
    }
    sum.discarded.extend(thrown_away.iter().map(|round| invalid::text_of(&round.invalid)));
    Some(sum)
}

/// The reasons of all rounds, each cause once, with the figures of the first and the number of rounds
/// that it was said of.
fn folded<'a>(rounds: impl ExactSizeIterator<Item = &'a [Invalid]>) -> Vec<Invalid> {
    let total = rounds.len();
    let mut reasons: Vec<(&Invalid, usize)> = Vec::new();
    for reason in rounds.flatten() {
        match reasons.iter_mut().find(|(known, _)| known.is_alike(reason)) {
            Some((_, times)) => *times += 1,
            None => reasons.push((reason, 1)),
        }
    }
    let told = |(reason, times): (&Invalid, usize)| match total {
        1 => reason.clone(),
        _ => Invalid::new(reason.cause, format!("{} (in {times} of {total} rounds)", reason.text)),
    };
    reasons.into_iter().map(told).collect()
}

/// One behind the other, with memory added up.
fn added(one: Series, other: Series) -> Series {
    let duration_s = one.duration_s + other.duration_s;
    let a_second = |of: fn(&Series) -> f64| {
        (of(&one) * one.duration_s + of(&other) * other.duration_s) / duration_s
    };
    let (offered_per_s, achieved_per_s) =
        (a_second(|it| it.offered_per_s), a_second(|it| it.achieved_per_s));
    let (mut messages, mut traffic) = (one.messages, one.traffic.clone());
    messages += other.messages;
    traffic += &other.traffic;
    let later = one.intervals.last().map_or(0, |last| last.second + 1);
    let mut round_starts = one.round_starts;
    if round_starts.is_empty() {
        round_starts.push(0);
    }
    round_starts.push(later);
    let shifted = other.intervals.into_iter().map(|mut interval| {
        interval.second += later;
        interval
    });
    Series {
        duration_s,
        offered_per_s,
        achieved_per_s,
        messages,
        traffic,
        server: one.server.zip(other.server).map(|(one, other)| ServerCost {
            cpu_us: one.cpu_us + other.cpu_us,
            rss_idle_bytes: one.rss_idle_bytes + other.rss_idle_bytes,
            rss_bytes: one.rss_bytes + other.rss_bytes,
        }),
        generator: GeneratorCost {
            cpu_us: one.generator.cpu_us + other.generator.cpu_us,
            rss_idle_bytes: one.generator.rss_idle_bytes + other.generator.rss_idle_bytes,
            rss_bytes: one.generator.rss_bytes + other.generator.rss_bytes,
        },
        latency_us: sum([&one.latency_us, &other.latency_us]),
        missing_us: sum([&one.missing_us, &other.missing_us]),
        service_us: sum([&one.service_us, &other.service_us]),
        hiccups_us: sum([&one.hiccups_us, &other.hiccups_us]),
        send_lag_us: sum([&one.send_lag_us, &other.send_lag_us]),
        pairing_us: sum([&one.pairing_us, &other.pairing_us]),
        by_reader: readers(one.by_reader.iter().chain(&other.by_reader)),
        connect_s: one.connect_s.zip(other.connect_s).map(|(one, other)| one + other),
        intervals: one.intervals.into_iter().chain(shifted).collect(),
        invalid: union(one.invalid, other.invalid),
        discarded: [one.discarded, other.discarded].concat(),
        notes: union(one.notes, other.notes),
        round_starts,
        ..one
    }
}

fn union<T: PartialEq>(mut one: Vec<T>, other: Vec<T>) -> Vec<T> {
    for it in other {
        if !one.contains(&it) {
            one.push(it);
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invalid::Cause;

    /// A run of one transport with its own latencies.
    fn round(seconds: u64, rate: u64) -> Series {
        crate::sample::run(1, seconds, rate).series.remove(0)
    }

    fn invalid(mut series: Series) -> Series {
        series.invalid.push("the machine was busy".into());
        series
    }

    #[test]
    fn rounds_add_up_and_memory_is_their_mean() {
        let (one, other) = (round(5, 400), round(10, 100));
        let sum = joined(vec![one.clone(), other.clone()]).expect("two rounds");
        assert_eq!(sum.duration_s, 15.0);
        assert_eq!(sum.latency_us.count(), one.latency_us.count() + other.latency_us.count());
        assert_eq!(sum.messages.delivered, one.messages.delivered + other.messages.delivered);
        assert!(sum.messages.all_accounted_for());
        assert!((sum.offered_per_s - 200.0).abs() < 1e-9, "{}", sum.offered_per_s);
        let rss = |series: &Series| series.server.expect("the sample has one").rss_bytes;
        assert_eq!(rss(&sum), u64::midpoint(rss(&one), rss(&other)));
        assert_eq!(sum.rounds, [one.latency_us, other.latency_us]);
    }

    #[test]
    fn the_seconds_of_a_round_come_behind_those_of_the_one_before() {
        let sum = joined(vec![round(3, 400), round(2, 400)]).expect("two rounds");
        let seconds: Vec<u64> = sum.intervals.iter().map(|it| it.second).collect();
        assert_eq!(seconds, [0, 1, 2, 3, 4]);
        assert_eq!(sum.round_starts, [0, 3]);
    }

    #[test]
    fn a_round_that_is_not_valid_is_thrown_away_and_that_is_said() {
        let rounds = vec![round(5, 400), invalid(round(5, 900)), round(5, 400)];
        let sum = joined(rounds).expect("three rounds");
        assert_eq!((sum.rounds.len(), sum.duration_s), (2, 10.0));
        assert_eq!(sum.discarded, ["the machine was busy"]);
        assert!(sum.invalid.is_empty());
    }

    #[test]
    fn where_half_of_the_rounds_are_not_valid_the_whole_is_not() {
        let sum = joined(vec![round(5, 400), invalid(round(5, 400))]).expect("two rounds");
        assert_eq!((sum.rounds.len(), sum.invalid.len()), (2, 1));
    }

    #[test]
    fn reason_that_differs_only_in_its_figures_is_told_once_with_how_often() {
        let late = |us: u64| Invalid::new(Cause::GeneratorLate, format!("it was {us} µs late"));
        let busy = |us: u64, other: Option<Invalid>| {
            let mut series = round(5, 400);
            series.invalid = [late(us)].into_iter().chain(other).collect();
            series
        };
        let full = Invalid::new(Cause::GeneratorBusy, "it was full");
        let rounds = vec![busy(234, None), busy(251, Some(full)), busy(400, None)];
        assert_eq!(
            joined(rounds).expect("three rounds").invalid,
            [
                Invalid::new(Cause::GeneratorLate, "it was 234 µs late (in 3 of 3 rounds)"),
                Invalid::new(Cause::GeneratorBusy, "it was full (in 1 of 3 rounds)"),
            ]
        );
    }

    #[test]
    fn missing_messages_of_rounds_add_up_and_are_kept_round_by_round() {
        let mut lossy = round(5, 400);
        lossy.missing_us = HistogramDump(vec![(3_000_000, 2)]);
        let sum = joined(vec![round(5, 400), lossy.clone()]).expect("two rounds");
        assert_eq!(sum.missing_us, lossy.missing_us);
        let of_rounds: Vec<_> = sum.latencies_of_rounds().map(|it| it.missing.count()).collect();
        assert_eq!(of_rounds, [0, 2]);
        let sum = joined(vec![round(5, 400), round(5, 400)]).expect("two rounds");
        assert_eq!(sum.missing_us_of_rounds, []);
    }

    #[test]
    fn a_lost_message_is_never_thrown_away() {
        let mut lossy = invalid(round(5, 400));
        (lossy.messages.delivered, lossy.messages.lost) = (lossy.messages.delivered - 1, 1);
        let sum = joined(vec![round(5, 400), lossy, round(5, 400)]).expect("three rounds");
        assert_eq!(sum.messages.lost, 1);
        assert_eq!(sum.invalid, ["the machine was busy (in 1 of 3 rounds)".into()]);
    }

    #[test]
    fn one_round_is_what_it_was() {
        let one = round(5, 400);
        let sum = joined(vec![one.clone()]).expect("a round");
        let json = |series: &Series| serde_json::to_value(series).expect("a series is plain data");
        assert_eq!(json(&sum), json(&one));
        assert!(joined(Vec::new()).is_none());
    }
}
