//! What was measured, in a line: which transports, under which load, for how long.
//!
//! It says nothing of how it went; that is the verdict's.

use crate::run::{Run, Series};
use crate::units::{count, duration_us, number};
use crate::verdict::listed;

/// More transports than this are counted and not listed.
const LISTED_MAX: usize = 3;

/// Rates that differ by less than this share are told as one: schedules of one rate are drawn over
/// windows of their own.
const RATES_ALIKE_SHARE: f64 = 0.05;

/// What a run measured: `websocket and sse: 1,000 users, 400 messages/s, 10 s each`.
pub(crate) fn headline(run: &Run) -> String {
    if let Some(knee) = run.knees.first() {
        let names = subject(run.knees.iter().map(|it| it.transport.as_str()));
        let within = duration_us(knee.p99_us_max as f64);
        let most = match knee.load {
            crate::knee::Load::Rate => "highest rate",
            crate::knee::Load::People => "most users",
        };
        return format!("{names}: {most} with p99 within {within}");
    }
    match (&run.series[..], &run.simulation) {
        ([], Some(simulation)) => format!("simulation of seeds {}", simulation.seeds),
        ([], None) => "nothing was measured".to_owned(),
        (series, _) => {
            let names = subject(series.iter().map(|it| it.transport.as_str()));
            format!("{names}: {}", load(series))
        }
    }
}

fn subject<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(str::to_owned).collect();
    match names.len() {
        0..=LISTED_MAX => listed(&names),
        many => format!("{many} transports"),
    }
}

fn load(series: &[Series]) -> String {
    let users = span(series.iter().map(|it| it.users as f64), 0.0, |it| count(it as u64));
    let rate = span(series.iter().map(|it| it.offered_per_s), RATES_ALIKE_SHARE, number);
    let each = if series.len() > 1 { " each" } else { "" };
    format!("{users} users, {rate} messages/s, {}{each}", window(series))
}

/// `10 s`, or `3 rounds of 10 s`.
fn window(series: &[Series]) -> String {
    let rounds = |it: &Series| it.rounds.len().max(1);
    let seconds = |it: &Series| it.duration_s / rounds(it) as f64;
    let lengths = span(series.iter().map(seconds), 0.01, number);
    match series.iter().map(rounds).max().unwrap_or(1) {
        1 => format!("{lengths} s"),
        many => format!("{many} rounds of {lengths} s"),
    }
}

/// One value, where all are alike within that share of the highest, or the lowest and the highest.
fn span(values: impl Iterator<Item = f64>, share: f64, show: impl Fn(f64) -> String) -> String {
    let (low, high) = values
        .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    match high - low <= share * high {
        true => show(high),
        false => format!("{} to {}", show(low), show(high)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headline_names_transports_load_and_length() {
        let told = |transports| headline(&crate::sample::run(transports, 5, 400));
        assert_eq!(told(1), "websocket: 1,000 users, 400 messages/s, 5 s");
        let two = "websocket and long-poll: 1,000 users, 400 messages/s, 5 s each";
        assert_eq!(told(2), two);
        assert_eq!(told(6), "6 transports: 1,000 users, 400 messages/s, 5 s each");
    }

    #[test]
    fn loads_and_lengths_that_differ_are_spans_and_rounds_are_counted() {
        let mut run = crate::sample::run(2, 6, 400);
        run.series[0].offered_per_s = 100.0;
        run.series[1].rounds = vec![run.series[1].latency_us.clone(); 3];
        run.series[0].rounds = run.series[1].rounds.clone();
        let told =
            "websocket and long-poll: 1,000 users, 100 to 400 messages/s, 3 rounds of 2 s each";
        assert_eq!(headline(&run), told);
    }

    #[test]
    fn a_search_a_simulation_and_an_empty_run_are_told_as_such() {
        let mut run = crate::sample::run(0, 1, 1);
        assert_eq!(headline(&run), "simulation of seeds 0..200");
        run.simulation = None;
        assert_eq!(headline(&run), "nothing was measured");
        run.knees = crate::sample::knees();
        let told = "websocket, long-poll and short-poll: highest rate with p99 within 50 ms";
        assert_eq!(headline(&run), told);
    }
}
