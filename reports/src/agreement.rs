//! The verdict and the table of a report agree, whatever was measured: random runs, read back from the
//! finished page.

use proptest::prelude::*;

use crate::export::html;
use crate::quantile::Quantile;
use crate::run::{HistogramDump, Interval, Run, Series, ServerCost, Used};
use crate::verdict::verdict;

/// One transport of a random run.
#[derive(Debug, Clone)]
struct Drawn {
    median_us: u64,
    spread_percent: u64,
    seconds: u64,
    per_second: u64,
    cpu_us: u64,
    is_read: bool,
    is_valid: bool,
    lost: u64,
    load: u64,
    rounds: usize,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    // Values that lie near each other, so that ties, near ties and clear wins all occur.
    let latency = (prop::sample::select(vec![180, 183, 190, 200, 215, 260, 500_000]), 1..40_u64);
    let size = (1..9_u64, prop::sample::select(vec![3, 30, 400]));
    let cost = (prop::sample::select(vec![80, 82, 97, 190]), prop::bool::weighted(0.8));
    let trust = (prop::bool::weighted(0.8), prop::sample::select(vec![0, 0, 0, 1]));
    let load = (prop::sample::select(vec![1, 1, 1, 1, 2]), 0..5_usize);
    (latency, size, cost, trust, load).prop_map(|it| {
        let ((median_us, spread_percent), (seconds, per_second), (cpu_us, is_read), trust, load) =
            it;
        let ((is_valid, lost), (load, rounds)) = (trust, load);
        Drawn {
            median_us,
            spread_percent,
            seconds,
            per_second,
            cpu_us,
            is_read,
            is_valid,
            lost,
            load,
            rounds,
        }
    })
}

impl Drawn {
    fn series(&self, nth: usize) -> Series {
        let mut series = crate::sample::run(1, 1, 1).series.remove(0);
        series.transport = format!("t{nth}");
        series.intervals = (0..self.seconds).map(|second| self.interval(second)).collect();
        let latencies = || series.intervals.iter().map(|it| &it.latency_us);
        series.latency_us = crate::counts::sum(latencies());
        let delivered = series.latency_us.count();
        (series.messages.sent, series.messages.delivered) = (delivered + self.lost, delivered);
        (series.messages.scheduled, series.messages.lost) = (delivered + self.lost, self.lost);
        series.offered_per_s = (self.per_second * self.load) as f64;
        let cpu_us = self.cpu_us * delivered;
        series.server = self.is_read.then(|| ServerCost { cpu_us, ..ServerCost::default() });
        series.invalid = if self.is_valid { Vec::new() } else { vec!["a busy machine".into()] };
        series.rounds = vec![series.latency_us.clone(); self.rounds];
        series
    }

    fn interval(&self, second: u64) -> Interval {
        let base = self.median_us * (100 + second * self.spread_percent % 17) / 100;
        let step = |nth: u64| base + base * self.spread_percent * (nth % 21) / 1_000;
        let mut counts = std::collections::BTreeMap::new();
        (0..self.per_second).for_each(|nth| *counts.entry(step(nth)).or_insert(0) += 1);
        let server_cpu_us = Some(self.cpu_us * self.per_second * (95 + second * 7 % 11) / 100);
        Interval {
            second,
            sent: self.per_second,
            received: self.per_second,
            latency_us: HistogramDump(counts.into_iter().collect()),
            used: self.is_read.then(|| Used { server_cpu_us, ..Used::default() }),
            ..Interval::default()
        }
    }
}

/// The transports that are bold in the row of that name.
fn bold(page: &str, name: &str) -> Vec<usize> {
    let begins = format!(" role=\"rowheader\">{name} <small>");
    let row = page.split("<tr ").find(|row| row.contains(&begins));
    let row = row.unwrap_or_else(|| panic!("{name} is not in the table"));
    let cells = row.split("</tr>").next().expect("a row ends").split("<td ").skip(1);
    let best = cells.enumerate().filter(|(_, cell)| cell.contains("class=\"best\""));
    best.map(|(place, _)| place).collect()
}

fn check(run: &Run) -> Result<(), TestCaseError> {
    let (page, headline) = (html::page(run).into_string(), verdict(run).headline);
    for name in [
        "users",
        "offered",
        "achieved",
        "max",
        "delivered",
        "missing",
        "lost",
        "failed",
        "server memory",
        "requests",
        "bytes",
    ] {
        prop_assert_eq!(bold(&page, name), Vec::<usize>::new(), "{}", name);
    }
    for (nth, series) in run.series.iter().enumerate() {
        let name = &series.transport;
        let is_fastest = headline.contains(&format!("{name} was fastest"));
        prop_assert_eq!(bold(&page, "p50") == [nth], is_fastest, "{}: {}", name, headline);
        let is_cheapest = headline.contains(&format!("{name} had the lowest server CPU"))
            || is_fastest && headline.contains("was the lowest as well");
        prop_assert_eq!(bold(&page, "server CPU") == [nth], is_cheapest, "{}: {}", name, headline);
    }
    for (nth, series) in run.series.iter().enumerate() {
        let name = &series.transport;
        let is_told = headline.contains(&format!("{name} had the lowest p99"));
        let is_fastest = headline.contains(&format!("{name} was fastest"));
        let is_bold = bold(&page, "p99") == [nth];
        prop_assert!(!is_told || is_bold, "{}: {}", name, headline);
        let is_ranked = headline.contains("fastest: ") || headline.contains("too close");
        prop_assert!(!is_bold || !is_ranked || is_told || is_fastest, "{}: {}", name, headline);
    }
    if headline.contains("too close") || headline.contains("different loads") {
        prop_assert_eq!(bold(&page, "p50"), Vec::<usize>::new(), "{}", headline);
    }
    for (name, quantile) in
        [("p50", Quantile::P50), ("p99", Quantile::P99), ("p99.9", Quantile::P999)]
    {
        check_clear(run, name, &bold(&page, name), quantile)?;
    }
    Ok(())
}

/// What is bold has an interval below those of all others that may be compared.
fn check_clear(
    run: &Run,
    name: &str,
    bold: &[usize],
    quantile: Quantile,
) -> Result<(), TestCaseError> {
    prop_assert!(bold.len() <= 1, "{}: {:?}", name, bold);
    let Some(&best) = bold.first() else { return Ok(()) };
    let estimate = |series: &Series| series.estimates(&[quantile])[0];
    let its = estimate(&run.series[best]).expect("what is bold was measured");
    prop_assert!(run.series[best].is_valid() && run.series[best].messages.all_accounted_for());
    let others = run.series.iter().enumerate().filter(|(nth, series)| {
        *nth != best && series.is_valid() && series.messages.all_accounted_for()
    });
    for other in others.filter_map(|(_, series)| estimate(series)) {
        prop_assert!(its.high < other.low, "{}: {:?} is not clear of {:?}", name, its, other);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn verdict_and_table_of_random_runs_agree(drawn in prop::collection::vec(drawn(), 1..6)) {
        let mut run = crate::sample::run(0, 1, 1);
        run.series = drawn.iter().enumerate().map(|(nth, one)| one.series(nth)).collect();
        check(&run)?;
    }
}

#[test]
fn two_transports_within_their_intervals_are_close_and_neither_is_bold() {
    let mut run = crate::sample::run(2, 8, 400);
    run.series[1] = run.series[0].clone();
    run.series[1].transport = "copy".to_owned();
    let page = html::page(&run).into_string();
    assert!(verdict(&run).headline.contains("too close to tell apart"));
    for name in ["p50", "p99", "max", "server CPU", "requests"] {
        assert_eq!(bold(&page, name), [0; 0], "{name}");
    }
    assert!(check(&run).is_ok());
    assert_eq!(bold(&html::page(&crate::sample::run(3, 8, 400)).into_string(), "p50"), [0]);
}

#[test]
fn lowest_cost_is_bold_and_told_without_messages_enough_for_a_median() {
    let run = crate::sample::run(2, 6, 3);
    let headline = verdict(&run).headline;
    assert!(headline.starts_with("Too few messages"), "{headline}");
    assert!(headline.contains("websocket had the lowest server CPU"), "{headline}");
    assert_eq!(bold(&html::page(&run).into_string(), "server CPU"), [0]);
    assert!(check(&run).is_ok());
}

/// A percentile is the same in every file and table, whether it is known, a lower bound or absent.
#[test]
fn short_run_shows_p99_everywhere_once_ten_messages_lie_beyond_it() {
    for (rate, shown) in [(900, false), (1_100, true)] {
        let run = crate::sample::run(1, 1, rate);
        let p99 = crate::Percentiles::from(run.series[0].latencies()).p99;
        assert_eq!(p99.is_some(), shown, "{rate} messages");
        let page = html::page(&run).into_string();
        let row = page.split(" role=\"rowheader\">p99 <small>").nth(1).expect("the row of p99");
        let cell = row.split("<td ").nth(1).and_then(|it| it.split("</td>").next());
        let text = crate::units::or_absent(p99, crate::units::latency_us);
        assert!(cell.is_some_and(|it| it.contains(&format!(">{text}"))), "{text}: {cell:?}");
    }
}

#[test]
fn percentile_among_missing_messages_is_a_bound_in_table_text_and_csv() {
    let mut run = crate::sample::run(2, 5, 400);
    let series = &mut run.series[0];
    series.missing_us = HistogramDump(vec![(3_000_000, 3_000)]);
    (series.messages.lost, series.messages.sent) = (3_000, series.messages.sent + 3_000);
    let page = html::page(&run).into_string();
    let row = page.split(" role=\"rowheader\">p50 <small>").nth(1).expect("the row of p50");
    assert!(row.split("</tr>").next().expect("it ends").contains("&gt; 3.00 s"), "{row}");
    assert!(crate::comparison_table(&run).contains("> 3 s"));
    let missing = page.split(" role=\"rowheader\">missing <small>").nth(1).expect("their row");
    assert!(missing.split("</tr>").next().expect("it ends").contains("3,000"));
}
