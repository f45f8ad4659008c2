//! One run beside another: which percentiles differ by more than chance, and more than two runs of
//! the same differ anyway.
//!
//! For each percentile of each transport that both runs have, the ratio of the second to the first
//! with its 95 % interval: that of order statistics or that of the block bootstrap, whichever is the
//! wider, or that of the rounds. A difference is called one when the interval lies outside of what is
//! too close to tell, and when both were measured in three rounds or more: what changes from one start
//! of a server to the next is in no single run. Single runs of one and the same server on a shared
//! machine would be told apart in one of eight percentiles.
//!
//! A percentile that lies among messages that never arrived is slower than any that is known, whatever
//! else disturbed the run.

use std::fmt;

use serde::Serialize;

use crate::confidence::{Difference, Ratio, difference};
use crate::invalid;
use crate::missing::Latency;
use crate::quantile::{Estimate, Quantile};
use crate::run::{Run, Series};
use crate::text::wrap;
use crate::units::{ABSENT, latency, number, plural};
use crate::verdict::Standing;

mod page;
#[cfg(test)]
mod tests;

pub use page::page;

const LADDER: [Quantile; 4] = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999];

/// A percentile of two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Transport and percentile, as `websocket p99`.
    pub name: String,
    /// The first run's, in microseconds; absent where it lies among messages that never arrived.
    pub a: Option<u64>,
    /// The second run's.
    pub b: Option<u64>,
    /// What the first run's exceeds, where it lies among messages that never arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a_more_than: Option<u64>,
    /// What the second run's exceeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b_more_than: Option<u64>,
    /// The 95 % interval of the second divided by the first; absent where one of them is not known.
    pub interval: Option<(f64, f64)>,
    /// What can be said.
    pub verdict: Verdict,
    #[serde(skip)]
    transport: String,
    #[serde(skip)]
    quantile: Quantile,
    /// Each run's own, with its interval.
    #[serde(skip)]
    estimates: [Option<Estimate>; 2],
}

/// What can be said of the second run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its percentile is lower.
    Faster,
    /// Its percentile is higher.
    Slower,
    /// Nothing beyond chance.
    NoDifference,
    /// They differ, and how much one measurement differs from the next is not known.
    Unrepeated,
    /// The figures of one of them are not valid.
    Undecided,
}

/// Every percentile that both runs have, transport by transport in the order of the first.
#[must_use]
pub fn compare(a: &Run, b: &Run) -> Vec<Compared> {
    twins(a, b).flat_map(|(one, other)| compare_series(one, other)).collect()
}

/// How the second run stands as a whole: not good where something is slower, not valid where
/// something cannot be told.
#[must_use]
pub fn standing(compared: &[Compared]) -> Standing {
    let is = |verdict| compared.iter().any(|it| it.verdict == verdict);
    match () {
        () if compared.is_empty() => Standing::Empty,
        () if is(Verdict::Slower) => Standing::Failed,
        () if is(Verdict::Undecided) || is(Verdict::Unrepeated) => Standing::Invalid,
        () => Standing::Good,
    }
}

/// The transports that both runs have.
fn twins<'a>(a: &'a Run, b: &'a Run) -> impl Iterator<Item = (&'a Series, &'a Series)> {
    let twin = |one: &Series| b.series.iter().find(|other| other.transport == one.transport);
    a.series.iter().filter_map(move |one| Some((one, twin(one)?)))
}

fn compare_series(a: &Series, b: &Series) -> Vec<Compared> {
    let is_valid = a.is_valid() && b.is_valid();
    let is_repeated = a.is_repeated() && b.is_repeated();
    let estimates = a.estimates(&LADDER).into_iter().zip(b.estimates(&LADDER));
    let percentile =
        |(quantile, (of_a, of_b)): (Quantile, (Option<Estimate>, Option<Estimate>))| {
            let (one, other) = (a.latencies().at(quantile)?, b.latencies().at(quantile)?);
            let interval = of_a.zip(of_b).map(|(one, other)| Ratio::new(&one, &other).interval);
            Some(Compared {
                name: format!("{} p{}", a.transport, quantile.percent()),
                a: one.known(),
                b: other.known(),
                a_more_than: one.more_than(),
                b_more_than: other.more_than(),
                interval,
                verdict: among_missing(one, other).unwrap_or_else(|| {
                    match interval.map(difference) {
                        None => Verdict::Undecided,
                        Some(_) if !is_valid => Verdict::Undecided,
                        Some(None) => Verdict::NoDifference,
                        Some(Some(_)) if !is_repeated => Verdict::Unrepeated,
                        Some(Some(Difference::Lower)) => Verdict::Faster,
                        Some(Some(Difference::Higher)) => Verdict::Slower,
                    }
                }),
                transport: a.transport.clone(),
                quantile,
                estimates: [of_a, of_b],
            })
        };
    LADDER.into_iter().zip(estimates).filter_map(percentile).collect()
}

/// What is said where a percentile lies among messages that never arrived; none where neither does.
fn among_missing(one: Latency, other: Latency) -> Option<Verdict> {
    let is_beyond = |least_us: u64, known_us: u64| {
        difference((least_us as f64 / known_us.max(1) as f64, f64::INFINITY)).is_some()
    };
    match (one, other) {
        (Latency::Known(_), Latency::Known(_)) => None,
        (Latency::Known(known), Latency::MoreThan(least)) if is_beyond(least, known) => {
            Some(Verdict::Slower)
        }
        (Latency::MoreThan(least), Latency::Known(known)) if is_beyond(least, known) => {
            Some(Verdict::Faster)
        }
        _ => Some(Verdict::Undecided),
    }
}

/// What must be known beside the table, a sentence each: figures that are not valid and why, what
/// the percentiles leave out, and what else differs between the runs.
#[must_use]
pub fn notes(a: &Run, b: &Run) -> Vec<String> {
    let mut notes = Vec::new();
    for (one, other) in twins(a, b) {
        for (run, series) in [("A", one), ("B", other)] {
            let reasons = series.reasons().join("; ");
            if !reasons.is_empty() {
                let transport = &series.transport;
                notes.push(format!("{transport} of {run} is not valid: {reasons}."));
            }
        }
        if !are_loaded_alike(one, other) {
            let [of_a, of_b] = [one, other].map(|it| {
                let users = plural(it.users, "user");
                format!("{users} and {} messages/s", number(it.offered_per_s))
            });
            notes.push(format!("{} carried {of_a} in A, {of_b} in B.", one.transport));
        }
    }
    for transport in twins(a, b).map(|(one, _)| &one.transport) {
        for advice in [a, b].into_iter().flat_map(|run| invalid::of_series(run, transport)) {
            if !notes.iter().any(|note| note == advice) {
                notes.push(advice.to_owned());
            }
        }
    }
    for (run, one, other) in [("A", a, b), ("B", b, a)] {
        for series in &one.series {
            if other.series.iter().all(|it| it.transport != series.transport) {
                notes.push(format!("{} is in {run} alone.", series.transport));
            }
        }
    }
    let machine = |run: &Run| (run.environment.cpu.clone(), run.environment.cores);
    if machine(a) != machine(b) {
        notes.push("A and B were measured on different machines.".to_owned());
    }
    if a.environment.profile != b.environment.profile {
        let [of_a, of_b] = [a, b].map(|run| &run.environment.profile);
        notes.push(format!("A was measured with a {of_a} build, B with a {of_b} build."));
    }
    notes
}

/// As many users who send as much.
fn are_loaded_alike(one: &Series, other: &Series) -> bool {
    crate::ranking::are_loads_alike(
        (one.users, one.offered_per_s),
        (other.users, other.offered_per_s),
    )
}

impl Compared {
    /// Each run's value as people read it.
    fn values(&self) -> [String; 2] {
        [latency(self.a, self.a_more_than), latency(self.b, self.b_more_than)]
    }

    /// The interval of the ratio as people read it.
    fn ratio(&self) -> String {
        self.interval.map_or_else(
            || ABSENT.to_owned(),
            |(low, high)| format!("{} to {}", number(low), number(high)),
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NoDifference => "no difference",
            Self::Unrepeated => "not repeated",
            Self::Undecided => "not valid",
        })
    }
}

/// What to do where single runs differ; none where that is not the case.
fn advice(compared: &[Compared]) -> Option<&'static str> {
    compared.iter().any(|it| it.verdict == Verdict::Unrepeated).then_some(
        "not repeated: they differ, but two measurements of the same may; load --repeat 3 or more, \
         for both, tells",
    )
}

/// The comparison for a terminal: the table, and below it the notes.
#[must_use]
pub fn describe(compared: &[Compared], notes: &[String]) -> String {
    let notes = notes.iter().map(|note| format!("\n{}", wrap(note)));
    [table(compared)].into_iter().chain(notes).collect()
}

/// The comparison as a table for a terminal.
#[must_use]
pub fn table(compared: &[Compared]) -> String {
    let mut text = format!("{:<28} {:>9} {:>9}  {:<16} B is\n", "latency", "A", "B", "B / A, 95 %");
    for it in compared {
        let ([a, b], ratio) = (it.values(), it.ratio());
        text.push_str(&format!("{:<28} {a:>9} {b:>9}  {ratio:<16} {}\n", it.name, it.verdict));
    }
    if let Some(advice) = advice(compared) {
        text.push_str(&format!("\n{advice}\n"));
    }
    text
}
