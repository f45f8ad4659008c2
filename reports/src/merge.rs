//! The runs of several generators as the one run that they were.
//!
//! What each measured is added up, histogram by histogram and second by second, which is exact.
//! The books of what went from one generator to another are closed: for each generator, what left
//! it is set against what came from it to all others.
//!
//! ```text
//! left = came, in number and in the sum of fingerprints    all of it arrived once
//! fewer came                                               the others are lost
//! more came                                                some arrived at two generators
//! as many came, and they are others                        both of it, at least once each
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::counts::{readers, sum, without};
use crate::invalid::{Cause, Invalid};
use crate::part::{Come, Crossing, Generator, Gone, Part, Tally};
use crate::quantile::Quantile;
use crate::run::{
    Failure, GeneratorCost, HistogramDump, Interval, Messages, Run, Series, Traffic, Used,
};
use crate::units::{ABSENT, count, duration_us, or_absent, plural};

/// So many messages in doubt are tried in every combination; the fingerprints tell which it was.
const DOUBTFUL_MAX: usize = 12;
/// Clocks that are apart by more than this share of the 99th percentile make it worthless...
const APART_SHARE_MAX: f64 = 0.1;
/// ... but for so little, in microseconds. Both are what a generator may be late.
const APART_US_HARMLESS: f64 = 200.0;

/// Why runs cannot be merged, as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing was given.
    #[error("there is nothing to merge")]
    Nothing,
    /// A run of one generator that had no others.
    #[error("{0} is not the run of one generator of several: it was made without --shard")]
    NotAPart(String),
    /// Two runs that are not parts of one.
    #[error("{a} and {b} are not parts of one run: {field} is {of_a} and {of_b}")]
    Differ {
        /// The first run.
        a: String,
        /// The other.
        b: String,
        /// What they do not agree on.
        field: String,
        /// The first one's.
        of_a: String,
        /// The other's.
        of_b: String,
    },
    /// Two runs of the same shard.
    #[error("{a} and {b} are both shard {shard}")]
    Twice {
        /// The first run.
        a: String,
        /// The other.
        b: String,
        /// The shard, as `1/3`.
        shard: String,
    },
    /// A shard has no run.
    #[error(
        "shard {0} is missing: without it nobody knows what became of the messages between it and \
         the others"
    )]
    Missing(String),
}

/// A run that is known to be a part, and what to call it.
struct Shard<'a> {
    name: &'a str,
    run: &'a Run,
    part: &'a Part,
    /// What is merged of it.
    series: Vec<&'a Series>,
}

/// Where a generator failed, only the transports that all of them measured can be merged; the
/// failures say why others are missing.
fn leave_out_what_failed(shards: &mut [Shard]) {
    if shards.iter().all(|shard| shard.run.failures.is_empty()) {
        return;
    }
    let measured = |shard: &Shard| -> BTreeSet<String> {
        shard.run.series.iter().map(|series| series.transport.clone()).collect()
    };
    let by_all = shards.iter().map(measured).reduce(|all, more| &all & &more).unwrap_or_default();
    for shard in shards {
        shard.series.retain(|series| by_all.contains(&series.transport));
    }
}

/// One run of all `runs`, each with a name for messages; `command` is the command line that merges.
///
/// # Errors
///
/// They are not the parts of one run, each once.
pub fn merge(runs: &[(String, Run)], command: String) -> Result<Run, MergeError> {
    let mut shards = runs.iter().map(Shard::new).collect::<Result<Vec<_>, _>>()?;
    shards.sort_by_key(|shard| shard.part.shard);
    leave_out_what_failed(&mut shards);
    check(&shards)?;
    let first = shards.first().ok_or(MergeError::Nothing)?.run;
    let mut slos = Vec::new();
    for slo in shards.iter().flat_map(|shard| &shard.run.slos) {
        if !slos.contains(slo) {
            slos.push(slo.clone());
        }
    }
    let series = (0..shards[0].series.len()).map(|nth| {
        let of_shard = |shard: &Shard| (shard.part.shard, shard.series[nth].clone());
        merge_series(&shards.iter().map(of_shard).collect())
    });
    Ok(Run {
        command,
        slos,
        interrupted: shards.iter().any(|shard| shard.run.interrupted),
        failures: shards.iter().flat_map(Shard::failures).collect(),
        part: None,
        generators: shards.iter().map(Shard::generator).collect(),
        series: series.collect(),
        ..first.clone()
    })
}

/// What is said of a transport of which messages went from one generator to another.
pub(crate) fn crossed(series: &Series) -> Option<String> {
    if series.crossed_us.is_empty() {
        return None;
    }
    let median = |dump: &HistogramDump| {
        let estimate = dump.estimate(Quantile::P50);
        or_absent(estimate, |it| duration_us(it.value as f64))
    };
    let within = without(&series.latency_us, &series.crossed_us);
    Some(format!(
        "{} of {}'s {} went from one generator to another, so that two clocks measured them: \
         their median is {}, that of the others {}.",
        count(series.crossed_us.count()),
        series.transport,
        plural(series.latency_us.count(), "message"),
        median(&series.crossed_us),
        median(&within),
    ))
}

impl<'a> Shard<'a> {
    fn new((name, run): &'a (String, Run)) -> Result<Self, MergeError> {
        let part = run.part.as_ref().ok_or_else(|| MergeError::NotAPart(name.clone()))?;
        Ok(Self { name, run, part, series: run.series.iter().collect() })
    }

    fn label(&self) -> String {
        format!("{}/{}", self.part.shard, self.part.of)
    }

    fn failures(&self) -> Vec<Failure> {
        let told = |it: &Failure| Failure {
            transport: it.transport.clone(),
            why: format!("shard {}: {}", self.label(), it.why),
        };
        self.run.failures.iter().map(told).collect()
    }

    fn generator(&self) -> Generator {
        Generator {
            shard: self.label(),
            command: self.run.command.clone(),
            environment: self.run.environment.clone(),
        }
    }

    /// Everything that must be the same, in the order in which it is asked.
    fn fields(&self) -> Vec<(String, String)> {
        let of_series = |tell: fn(&Series) -> String| {
            self.series.iter().map(|series| tell(series)).collect::<Vec<_>>().join(", ")
        };
        let own = [
            ("schema", self.run.schema.to_string()),
            ("--seed", self.run.seed.to_string()),
            ("--start-at", self.part.start_at.clone()),
            ("the number of shards", self.part.of.to_string()),
        ];
        let measured = [
            ("the list of measured transports", of_series(|it| it.transport.clone())),
            ("the length of the windows in seconds", of_series(|it| it.duration_s.to_string())),
        ];
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        let plan = self.part.plan.iter().map(|(name, value)| (format!("--{name}"), value.clone()));
        own.into_iter().map(named).chain(plan).chain(measured.into_iter().map(named)).collect()
    }
}

fn check(shards: &[Shard]) -> Result<(), MergeError> {
    let first = shards.first().ok_or(MergeError::Nothing)?;
    for shard in &shards[1..] {
        check_alike(first, shard)?;
    }
    let mut neighbours = shards.windows(2);
    if let Some(two) = neighbours.find(|two| two[0].part.shard == two[1].part.shard) {
        let [a, b] = [two[0].name.to_owned(), two[1].name.to_owned()];
        return Err(MergeError::Twice { a, b, shard: two[0].label() });
    }
    let present: BTreeSet<u32> = shards.iter().map(|shard| shard.part.shard).collect();
    let of = first.part.of;
    match (1..=of).find(|number| !present.contains(number)) {
        None => Ok(()),
        Some(missing) => Err(MergeError::Missing(format!("{missing}/{of}"))),
    }
}

fn check_alike(a: &Shard, b: &Shard) -> Result<(), MergeError> {
    let (fields, mut others) = (a.fields(), b.fields().into_iter().collect::<BTreeMap<_, _>>());
    let differ = |field: String, of_a: Option<String>, of_b: Option<String>| {
        let [of_a, of_b] = [of_a, of_b].map(|value| value.unwrap_or_else(|| ABSENT.to_owned()));
        let [a, b] = [a.name.to_owned(), b.name.to_owned()];
        Err(MergeError::Differ { a, b, field, of_a, of_b })
    };
    for (field, of_a) in fields {
        let of_b = others.remove(&field);
        if of_b.as_ref() != Some(&of_a) {
            return differ(field, Some(of_a), of_b);
        }
    }
    match others.pop_first() {
        None => Ok(()),
        Some((field, of_b)) => differ(field, None, Some(of_b)),
    }
}

/// The same transport as each shard saw it, by the shard's number.
type Views = BTreeMap<u32, Series>;

fn merge_series(views: &Views) -> Series {
    let all = || views.values();
    let added = |of: fn(&Series) -> &HistogramDump| sum(all().map(of));
    let told = |of: fn(&Series) -> &Vec<String>| {
        let by_shard =
            views.iter().flat_map(|(shard, view)| of(view).iter().map(move |it| (shard, it)));
        by_shard.map(|(shard, it)| format!("shard {shard}/{}: {it}", views.len())).collect()
    };
    let first = views.values().next().expect("a run is merged of one shard at least");
    let mut invalid = invalid(views);
    let latency_us = added(|view| &view.latency_us);
    invalid.extend(clocks_apart(views, &latency_us));
    let closed = account(views);
    let arrivals = all().filter_map(|view| view.crossing.as_ref()).flat_map(|it| it.come.values());
    Series {
        transport: first.transport.clone(),
        beside: first.beside.clone(),
        users: all().map(|view| view.users).sum(),
        duration_s: first.duration_s,
        offered_per_s: all().map(|view| view.offered_per_s).sum(),
        achieved_per_s: all().map(|view| view.achieved_per_s).sum(),
        messages: closed.messages,
        traffic: traffic(views),
        server: all().find_map(|view| view.server),
        generator: GeneratorCost {
            cpu_us: all().map(|view| view.generator.cpu_us).sum(),
            rss_idle_bytes: all().map(|view| view.generator.rss_idle_bytes).sum(),
            rss_bytes: all().map(|view| view.generator.rss_bytes).sum(),
        },
        service_us: added(|view| &view.service_us),
        send_lag_us: added(|view| &view.send_lag_us),
        hiccups_us: added(|view| &view.hiccups_us),
        crossed_us: sum(arrivals.map(|come| &come.latency_us)),
        crossing: None,
        intervals: intervals(views),
        discarded: told(|view| &view.discarded),
        connect_s: all().filter_map(|view| view.connect_s).reduce(f64::max),
        pairing_us: added(|view| &view.pairing_us),
        by_reader: readers(all().flat_map(|view| &view.by_reader)),
        rounds: Vec::new(),
        round_starts: Vec::new(),
        notes: told(|view| &view.notes),
        missing_us_of_rounds: Vec::new(),
        missing_us: sum([&added(|view| &view.missing_us), &closed.missing_us]),
        latency_us,
        invalid,
    }
}

/// Why figures must not be trusted, with the generator that says so.
fn invalid(views: &Views) -> Vec<Invalid> {
    let by_shard =
        views.iter().flat_map(|(shard, view)| view.invalid.iter().map(move |it| (shard, it)));
    let told = |(shard, it): (&u32, &Invalid)| {
        Invalid::new(it.cause, format!("shard {shard}/{}: {}", views.len(), it.text))
    };
    by_shard.map(told).collect()
}

/// The books of all generators together.
#[derive(Default)]
struct Books {
    messages: Messages,
    /// The messages of the window that left one generator and reached no partner, by the shortest
    /// wait that any of them can have had: which of the messages they are is not known.
    missing_us: HistogramDump,
}

/// Every message of every generator, with the books between them closed.
fn account(views: &Views) -> Books {
    let mut books = Books::default();
    for view in views.values() {
        books.messages += view.messages;
    }
    books.messages.abroad = 0;
    for (origin, view) in views {
        let Some(crossing) = &view.crossing else { continue };
        let arrived: Vec<&Come> = views.values().filter_map(|it| came(it, *origin)).collect();
        arrived.iter().for_each(|come| books.messages += come.messages);
        books.close(crossing, &arrived);
    }
    books
}

impl Books {
    fn close(&mut self, crossing: &Crossing, arrived: &[&Come]) {
        let total = |of: fn(&Come) -> Tally| {
            arrived.iter().map(|come| of(come)).fold(Tally::default(), |mut total, tally| {
                total += tally;
                total
            })
        };
        let all = &mut self.messages;
        let Closed { lost, twice, refused } = settle(&crossing.window, total(|come| come.window));
        all.lost += lost;
        // Who sent them met an error.
        all.refused += refused;
        all.failed += refused;
        let astray: u64 = arrived.iter().map(|come| come.messages.misdelivered).sum();
        let missing = lost + astray + refused;
        if missing > 0 {
            let waited = HistogramDump(vec![(crossing.drained_us, missing)]);
            self.missing_us = sum([&self.missing_us, &waited]);
        }
        // A message that reached two generators was counted as delivered by both.
        all.delivered = all.delivered.saturating_sub(2 * twice);
        all.duplicated += twice;
        // Before the window only what went wrong is counted.
        let Closed { lost, twice, refused } = settle(&crossing.warm_up, total(|come| come.warm_up));
        all.scheduled += lost + twice + refused;
        all.sent += lost + twice + refused;
        all.refused += refused;
        all.failed += refused;
        all.lost += lost;
        all.duplicated += twice;
    }
}

/// What became of the messages that left one generator.
#[derive(Debug, Default, PartialEq, Eq)]
struct Closed {
    lost: u64,
    /// Received by people of two generators.
    twice: u64,
    /// Not sent after all.
    refused: u64,
}

fn settle(gone: &Gone, came: Tally) -> Closed {
    let doubtful = gone.doubtful.len() as u64;
    if let Some(arrived) = arrived_of_doubtful(gone, came) {
        return Closed { refused: doubtful - arrived, ..Closed::default() };
    }
    let lost = gone.due.count.saturating_sub(came.count);
    let twice = came.count.saturating_sub(gone.due.count + doubtful);
    match (lost, twice) {
        // As many as could be, and not the same: one is missing and another one too many.
        (0, 0) => Closed { lost: 1, twice: 1, refused: doubtful },
        (lost, twice) => Closed { lost, twice, refused: doubtful },
    }
}

/// How many of those in doubt arrived, where that explains all that came.
fn arrived_of_doubtful(gone: &Gone, came: Tally) -> Option<u64> {
    if gone.doubtful.len() > DOUBTFUL_MAX {
        return (gone.due == came).then_some(0);
    }
    let explains = |arrived: &u32| {
        let mut tally = gone.due;
        let chosen = gone.doubtful.iter().enumerate().filter(|(nth, _)| arrived >> nth & 1 == 1);
        chosen.for_each(|(_, fingerprint)| tally.add(*fingerprint));
        tally == came
    };
    let combinations = 0..1_u32 << gone.doubtful.len();
    combinations.into_iter().find(explains).map(|arrived| u64::from(arrived.count_ones()))
}

/// What came to `view` from another generator.
fn came(view: &Series, origin: u32) -> Option<&Come> {
    view.crossing.as_ref()?.come.get(&origin)
}

fn traffic(views: &Views) -> Traffic {
    let mut all = Traffic::default();
    views.values().for_each(|view| all += &view.traffic);
    all
}

/// What all generators used in a second, where all were read; one of them may have read the server.
fn used(views: &[&Interval]) -> Option<Used> {
    let all = views.iter().map(|it| it.used).collect::<Option<Vec<Used>>>()?;
    Some(Used {
        connected: all.iter().map(|it| it.connected).sum(),
        generator_cpu_us: all.iter().map(|it| it.generator_cpu_us).sum(),
        generator_rss_bytes: all.iter().map(|it| it.generator_rss_bytes).sum(),
        server_cpu_us: all.iter().find_map(|it| it.server_cpu_us),
        server_rss_bytes: all.iter().find_map(|it| it.server_rss_bytes),
    })
}

fn intervals(views: &Views) -> Vec<Interval> {
    let mut seconds: BTreeMap<u64, Vec<&Interval>> = BTreeMap::new();
    for interval in views.values().flat_map(|view| &view.intervals) {
        seconds.entry(interval.second).or_default().push(interval);
    }
    let merged = seconds.into_iter().map(|(second, views)| Interval {
        second,
        sent: views.iter().map(|it| it.sent).sum(),
        received: views.iter().map(|it| it.received).sum(),
        latency_us: sum(views.iter().map(|it| &it.latency_us)),
        missing_us: sum(views.iter().map(|it| &it.missing_us)),
        // The latest generator is what the latency of the second may be blamed on.
        send_lag_us_p99: views.iter().filter_map(|it| it.send_lag_us_p99).max(),
        used: used(&views),
    });
    merged.collect()
}

/// What is said of generators whose clocks are too far apart. What goes one way seems to take as
/// much longer as what goes the other way seems to take less; half of the difference of the two
/// medians is how far the clocks are apart, as in NTP (RFC 5905, section 8).
fn clocks_apart(views: &Views, latency_us: &HistogramDump) -> Vec<Invalid> {
    let p99_us = latency_us.estimate(Quantile::P99).map_or(0.0, |it| it.value as f64);
    let apart_us_max = (p99_us * APART_SHARE_MAX).max(APART_US_HARMLESS);
    let apart = |(one, other): (u32, u32)| {
        let median =
            |reader, origin| came(&views[&reader], origin)?.latency_us.estimate(Quantile::P50);
        let (there, back) = (median(other, one)?, median(one, other)?);
        let is_certain = there.low > back.high || back.low > there.high;
        let apart_us = (there.value as f64 - back.value as f64).abs() / 2.0;
        (is_certain && apart_us > apart_us_max).then(|| {
            let text = format!(
                "the clocks of shards {one} and {other} are about {} apart, more than the {} that \
                 a latency p99 of {} allows",
                duration_us(apart_us),
                duration_us(apart_us_max),
                duration_us(p99_us),
            );
            Invalid::new(Cause::ClocksApart, text)
        })
    };
    let numbers: Vec<u32> = views.keys().copied().collect();
    let pairs = numbers
        .iter()
        .enumerate()
        .flat_map(|(nth, one)| numbers[nth + 1..].iter().map(move |other| (*one, *other)));
    pairs.filter_map(apart).collect()
}

#[cfg(test)]
mod tests;
