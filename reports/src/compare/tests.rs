//! What is said of one run beside another.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::run::{HistogramDump, Interval, latency_histogram};

/// A run of ten seconds, each of which is a little faster or slower than the others as a whole,
/// as seconds are; `slower` is how much slower all of it is.
fn run(seed: u64, slower: f64) -> Run {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut all = latency_histogram();
    let mut intervals = Vec::new();
    for second in 0..10 {
        let mood = 1.0 + 0.1 * (random.random::<f64>() - 0.5);
        let mut histogram = latency_histogram();
        for _ in 0..500 {
            let waits = -(1.0 - random.random::<f64>()).ln();
            histogram.saturating_record(((200.0 + 300.0 * waits) * mood * slower) as u64);
        }
        all.add(&histogram).expect("they have the same bounds");
        let latency_us = HistogramDump::from(&histogram);
        intervals.push(Interval {
            second,
            sent: 500,
            received: 500,
            latency_us,
            ..Interval::default()
        });
    }
    let mut run = crate::sample::run(1, 1, 10);
    run.series[0].latency_us = HistogramDump::from(&all);
    run.series[0].intervals = intervals;
    run
}

/// Three rounds of it, which differ as runs do.
fn rounds(seed: u64, slower: f64) -> Run {
    let rounds = (0..3).map(|round| run(3 * seed + round, slower).series.remove(0));
    let mut whole = run(seed, slower);
    whole.series = crate::rounds::joined(rounds.collect()).into_iter().collect();
    whole
}

fn verdicts(seed: u64, slower: f64) -> Vec<Verdict> {
    let compared = compare(&rounds(2 * seed, 1.0), &rounds(2 * seed + 1, slower));
    compared.iter().map(|it| it.verdict).collect()
}

#[test]
fn a_run_beside_one_like_it_is_no_different_19_times_of_20() {
    let all: Vec<_> = (0..100).flat_map(|seed| verdicts(seed, 1.0)).collect();
    let same = all.iter().filter(|it| **it == Verdict::NoDifference).count();
    assert!(same * 20 >= all.len() * 19, "{same} of {}", all.len());
}

#[test]
fn a_fifth_slower_is_seen_in_the_median_and_in_the_99th_percentile() {
    let all: Vec<_> = (0..20).map(|seed| verdicts(seed, 1.2)).collect();
    let seen = |place: usize| all.iter().filter(|it| it[place] == Verdict::Slower).count();
    assert!(seen(0) >= 19, "p50 in {} of 20", seen(0));
    assert!(all.iter().flatten().all(|it| *it != Verdict::Faster));
    assert!((0..20).all(|seed| verdicts(seed, 0.7)[0] == Verdict::Faster));
}

#[test]
fn a_difference_of_single_runs_may_be_that_of_the_hour() {
    let compared = compare(&run(0, 1.0), &run(1, 1.5));
    assert_eq!(compared[0].verdict, Verdict::Unrepeated);
    assert!(table(&compared).ends_with("for both, tells\n"));
    assert_eq!(compare(&run(0, 1.0), &rounds(1, 1.5))[0].verdict, Verdict::Unrepeated);
    assert_eq!(compare(&run(0, 1.0), &run(1, 1.0))[0].verdict, Verdict::NoDifference);
}

#[test]
fn chance_is_never_narrower_than_that_of_order_statistics() {
    let mut one = run(1, 1.0);
    let known = |it: &Compared| it.interval.expect("both medians are known");
    let wide = known(&compare(&one, &run(2, 1.0))[0]);
    one.series[0].intervals.clear();
    let mut other = run(2, 1.0);
    other.series[0].intervals.clear();
    let narrow = known(&compare(&one, &other)[0]);
    assert!(narrow.0 >= wide.0 && narrow.1 <= wide.1, "{narrow:?} {wide:?}");
}

#[test]
fn figures_that_are_not_valid_decide_nothing() {
    let mut b = run(1, 2.0);
    b.series[0].invalid.push("a busy machine".into());
    let compared = compare(&run(0, 1.0), &b);
    assert!(compared.iter().all(|it| it.verdict == Verdict::Undecided) && !compared.is_empty());
    let notes = notes(&b, &b);
    assert_eq!(
        notes.iter().filter(|it| it.contains("close other programs")).count(),
        1,
        "{notes:?}"
    );
}

#[test]
fn a_transport_that_only_one_run_has_is_left_out() {
    let (a, b) = (crate::sample::run(3, 5, 400), crate::sample::run(1, 5, 400));
    let names: Vec<_> = compare(&a, &b).into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["websocket p50", "websocket p90", "websocket p99"]);
}

#[test]
fn the_table_fits_a_terminal() {
    let compared = compare(&rounds(0, 1.0), &rounds(1, 2.0));
    let table = table(&compared);
    assert_eq!(table.lines().count(), 1 + compared.len());
    assert!(table.lines().all(|line| line.chars().count() < 80), "{table}");
    assert!(table.contains("slower"), "{table}");
}

/// `run` with so many of its messages lost in a freeze, all of them after three seconds.
fn with_missing(mut run: Run, missing: u64) -> Run {
    let series = &mut run.series[0];
    series.missing_us = HistogramDump(vec![(3_000_000, missing)]);
    (series.messages.lost, series.messages.sent) = (missing, series.messages.sent + missing);
    run
}

#[test]
fn percentile_among_missing_messages_is_slower_and_is_not_left_out() {
    let frozen = with_missing(run(1, 1.0), 7_000);
    let compared = compare(&run(0, 1.0), &frozen);
    let p50 = &compared[0];
    assert_eq!(
        (p50.name.as_str(), p50.b, p50.b_more_than),
        ("websocket p50", None, Some(3_000_000))
    );
    assert!(compared.iter().all(|it| it.verdict == Verdict::Slower), "{compared:?}");
    assert_eq!(standing(&compared), Standing::Failed);
    let back = compare(&frozen, &run(0, 1.0));
    assert!(back.iter().all(|it| it.verdict == Verdict::Faster), "{back:?}");
    let both = compare(&frozen, &frozen);
    assert!(both.iter().all(|it| it.verdict == Verdict::Undecided), "{both:?}");
    assert!(table(&compared).contains("> 3 s"), "{}", table(&compared));
}

#[test]
fn what_percentiles_leave_out_and_what_else_differs_is_noted() {
    let mut b = with_missing(run(1, 1.0), 7);
    b.series[0].users = 500;
    b.environment.profile = "debug".to_owned();
    b.series.push(Series { transport: "sse".to_owned(), ..Series::default() });
    let told = notes(&run(0, 1.0), &b).join("\n");
    for part in [
        "websocket of B is not valid: 7 of 5,007 messages never reached the partner",
        "websocket carried 1,000 users and 10 messages/s in A, 500 users and 10 messages/s in B.",
        "sse is in B alone.",
        "A was measured with a release build, B with a debug build.",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    assert_eq!(notes(&run(0, 1.0), &run(1, 1.0)), [""; 0]);
    let (a, b) = (run(0, 1.0), with_missing(run(1, 1.0), 7));
    let described = describe(&compare(&a, &b), &notes(&a, &b));
    let widest = described.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(crate::text::WIDTH), "{described}");
    assert!(described.contains("7 of 5,007"), "{described}");
}

fn text(a: &Run, b: &Run) -> String {
    page(["yesterday", "today"], (a, b), &compare(a, b)).into_string()
}

#[test]
fn page_shows_every_percentile_with_its_transport_and_says_what_was_compared() {
    let (a, b) = (rounds(0, 1.0), rounds(1, 2.0));
    let text = text(&a, &b);
    for it in compare(&a, &b) {
        let [one, other] = it.values();
        assert!(text.contains(&one) && text.contains(&other), "{it:?}");
    }
    for part in ["verdict failed", "B is slower in websocket p50", "yesterday", "today", "svg"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    for forbidden in ["http://", "https://", "<script", " src="] {
        assert!(!text.contains(forbidden), "{forbidden} in the page");
    }
}

#[test]
fn page_says_what_to_do_where_it_cannot_tell_and_names_stay_text() {
    let mut b = run(1, 1.5);
    let text_of = text(&run(0, 1.0), &b);
    assert!(
        text_of.contains("verdict invalid") && text_of.contains("load --repeat 3"),
        "{text_of}"
    );
    let same = text(&run(0, 1.0), &run(1, 1.0));
    assert!(same.contains("verdict good") && same.contains("no slower"), "{same}");
    b.command = "<b>".to_owned();
    assert!(!text(&run(0, 1.0), &b).contains("<b>"));
}
