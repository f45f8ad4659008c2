//! The whole run in one sentence that the figures can carry, and before it what takes them away.
//!
//! What failed is said first, what cannot be trusted second, and only then who was fastest:
//! a transport that lost a message or was measured badly never wins.

use crate::beside;
use crate::figure::{self, Figure, P50, P99, Row, SERVER_CPU};
use crate::invalid;
use crate::knee::{self, Knee};
use crate::merge::crossed;
use crate::quantile::Quantile;
use crate::ranking::{Ranking, are_loaded_alike, rank};
use crate::run::{Failure, Messages, Run, Series, SimulationSummary};
use crate::slo::{self, Judgement, judge};
use crate::summary::{Summary, summaries};
use crate::units::{count, latency_us, number, or_absent, plural};

/// Medians that differ by less than this share are called too close to tell apart: two runs of
/// the same transport, some minutes apart on a machine that is not quite alone, differ as much.
pub(crate) const CLOSE_SHARE: f64 = 0.1;

/// How a run stands as a whole; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A transport could not be measured to the end, a message did not arrive as it should, an
    /// objective is broken, or a seed of the simulation failed.
    Failed,
    /// Everything arrived, but the figures must not be trusted or are not all.
    Invalid,
    /// Nothing was measured or simulated.
    Empty,
    /// Done and good.
    Good,
}

/// What a run says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it stands.
    pub standing: Standing,
    /// What must be known first, one sentence each; empty when the run is good.
    pub warnings: Vec<String>,
    /// Which transport delivered fastest, at what cost, as one sentence.
    pub headline: String,
    /// What to do about figures that decide nothing, a sentence a cause, each once; empty where the server
    /// decided all of them.
    pub advice: Vec<String>,
    /// How the figures came about, where that is not obvious; one sentence each.
    pub notes: Vec<String>,
}

impl Verdict {
    /// Every sentence, in the order in which it is read.
    pub fn sentences(&self) -> impl Iterator<Item = &String> {
        self.warnings.iter().chain([&self.headline]).chain(&self.advice).chain(&self.notes)
    }

    /// All sentences as one paragraph.
    #[must_use]
    pub fn text(&self) -> String {
        self.sentences().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// The verdict on a run.
#[must_use]
pub fn verdict(run: &Run) -> Verdict {
    let rows = summaries(run);
    let judgements = judge(run);
    let failed: Vec<String> = failures(run)
        .into_iter()
        .chain(rows.iter().filter_map(unaccounted))
        .chain(run.simulation.as_ref().and_then(failing_seeds))
        .chain(of_standing(&judgements, slo::Standing::Broken))
        .collect();
    let undecided = of_standing(&judgements, slo::Standing::Undecided);
    let searched = run.knees.iter().filter_map(Knee::not_found_out);
    let undecidable: Vec<String> = rows
        .iter()
        .filter_map(not_valid)
        .chain(undecided)
        .chain(interrupted(run))
        .chain(searched)
        .collect();
    let standing = match () {
        () if !failed.is_empty() => Standing::Failed,
        () if !undecidable.is_empty() => Standing::Invalid,
        () if rows.is_empty() && run.knees.is_empty() && run.simulation.is_none() => {
            Standing::Empty
        }
        () => Standing::Good,
    };
    let headline = match (rows.is_empty(), &run.simulation) {
        _ if !run.knees.is_empty() => knee::all_told(&run.knees),
        (false, _) => compared(&figure::rows(run)),
        (true, Some(simulation)) => simulated(simulation),
        (true, None) if !run.failures.is_empty() => "No transport was measured.".to_owned(),
        (true, None) => "This run is empty: no transport was put under load.".to_owned(),
    };
    let warnings = failed.into_iter().chain(undecidable).collect();
    Verdict {
        standing,
        warnings,
        headline,
        advice: invalid::advice(run, &judgements),
        notes: rows
            .iter()
            .filter_map(measured_again)
            .chain(beside::sentences(run))
            .chain(noted(run))
            .chain(run.series.iter().filter_map(moved))
            .chain(run.series.iter().filter_map(crossed))
            .collect(),
    }
}

/// What failed, each reason once.
fn failures(run: &Run) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for Failure { transport, why } in &run.failures {
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, transports)) => transports.push(transport.clone()),
            None => reasons.push((why, vec![transport.clone()])),
        }
    }
    let told = |(why, transports): &(&str, Vec<String>)| {
        let stop = if why.ends_with(['.', '?']) { "" } else { "." };
        format!("{} failed: {why}{stop}", listed(transports))
    };
    reasons.iter().map(told).collect()
}

fn of_standing(judgements: &[Judgement], standing: slo::Standing) -> impl Iterator<Item = String> {
    judgements.iter().filter(move |it| it.standing == standing).map(|it| format!("{it}."))
}

/// What is said of a transport that lost, doubled or mixed up a message, or did not take it.
pub(crate) fn unaccounted(row: &Summary) -> Option<String> {
    if row.accounted {
        return None;
    }
    let faults = faults(&row.messages).join(", ");
    // What was never sent is not among the messages that were.
    let (number, what) = match row.messages.failed {
        0 => (row.messages.sent, ""),
        _ => (row.messages.scheduled, " that were due"),
    };
    let all = plural(number, "message");
    let transport = &row.transport;
    Some(format!("{transport} did not account for every message: {faults} of {all}{what}."))
}

fn faults(messages: &Messages) -> Vec<String> {
    let unexplained = messages.sent.abs_diff(messages.delivered + messages.refused);
    let named = [
        (messages.lost, "lost"),
        (messages.failed, "failed"),
        (messages.duplicated, "duplicated"),
        (messages.misdelivered, "misdelivered"),
        (messages.out_of_order, "out of order"),
    ];
    let mut faults: Vec<String> = named
        .into_iter()
        .filter(|&(number, _)| number > 0)
        .map(|(number, what)| format!("{} {what}", count(number)))
        .collect();
    if faults.is_empty() && unexplained > 0 {
        faults.push(format!("{} unexplained", count(unexplained)));
    }
    faults
}

/// What is said of figures that must not be trusted.
pub(crate) fn not_valid(row: &Summary) -> Option<String> {
    let reasons = row.invalid.join("; ");
    let reasons = reasons.trim_end_matches('.');
    (!row.valid).then(|| format!("The figures of {} are not valid: {reasons}.", row.transport))
}

fn interrupted(run: &Run) -> Option<String> {
    let last = run.series.last().filter(|_| run.interrupted)?;
    Some(format!(
        "The run was interrupted: {} is the last that was measured, for {} s.",
        last.transport,
        number(last.duration_s),
    ))
}

fn noted(run: &Run) -> impl Iterator<Item = String> {
    let notes = run.series.iter().map(|it| it.notes.iter().map(|note| (&it.transport, note)));
    notes.flatten().map(|(transport, note)| format!("{transport}: {note}."))
}

fn measured_again(row: &Summary) -> Option<String> {
    let last = row.discarded.last()?.trim_end_matches('.');
    let times = plural(row.discarded.len() as u64, "measurement");
    let were = if row.discarded.len() == 1 { "was" } else { "were" };
    Some(format!("{times} of {} {were} thrown away as not valid: {last}.", row.transport))
}

fn moved(series: &Series) -> Option<String> {
    let [first, second] = series.moved()?.map(latency_us);
    Some(format!(
        "The figures of {} were still moving: the median of the first half of the window is {first}, \
         that of the second {second}; a longer --warm-up is needed, or a machine to itself.",
        series.transport,
    ))
}

fn failing_seeds(simulation: &SimulationSummary) -> Option<String> {
    let (seed, checker) = simulation.failures.first()?;
    Some(format!(
        "{} of {} simulated seeds failed, the first of them seed {seed} ({checker}).",
        count(simulation.failures.len() as u64),
        count(simulation.seeds_run),
    ))
}

fn simulated(simulation: &SimulationSummary) -> String {
    let ran = plural(simulation.seeds_run, "seed");
    let outcome = match simulation.failures.len() as u64 {
        0 => "without a failure".to_owned(),
        failures => format!("with {}", plural(failures, "failure")),
    };
    format!("The simulation ran {ran} {outcome}; no transport was put under load.")
}

fn compared(rows: &[Row]) -> String {
    let trusted: Vec<&Row> = rows.iter().filter(|row| row.may_be_compared()).collect();
    let known: Vec<&Row> =
        trusted.iter().copied().filter(|row| row.summary.latency_us.p50.is_some()).collect();
    match known[..] {
        [] if trusted.is_empty() => "No transport has figures that may be compared.".to_owned(),
        [] => with_cheapest(
            rows,
            format!(
                "Too few messages were delivered for a median (it needs {}), so no transport is \
                 called the fastest.",
                count(Quantile::P50.samples_min()),
            ),
        ),
        [row] if rows.len() == 1 => format!("{}: {}.", row.name(), speed_and_cost(row)),
        [row] if trusted.len() == 1 => format!(
            "Only {} has figures that may be compared: {}.",
            row.name(),
            speed_and_cost(row)
        ),
        _ if !are_loaded_alike(rows) => {
            "The transports carried different loads, so none is called the fastest.".to_owned()
        }
        [row] => with_cheapest(
            rows,
            format!(
                "Only {} has messages enough for a median: {}.",
                row.name(),
                speed_and_cost(row)
            ),
        ),
        _ => ranked(rows, known.len() == rows.len()),
    }
}

/// The sentence, and behind it the transport of the lowest cost, which needs no median.
fn with_cheapest(rows: &[Row], sentence: String) -> String {
    let cheapest = cheapest(rows, &Ranking::default(), &rank(&SERVER_CPU, rows));
    [sentence].into_iter().chain(cheapest).collect::<Vec<_>>().join(" ")
}

/// Who leads by the median, who by the cost, and who comes last, as far as intervals can tell.
fn ranked(rows: &[Row], are_all: bool) -> String {
    let (speed, cost) = (rank(&P50, rows), rank(&SERVER_CPU, rows));
    let tail = rank(&P99, rows).best();
    let mut sentences = vec![leaders(rows, &speed, tail, are_all)];
    sentences.extend(tail.filter(|best| speed.best() != Some(*best)).map(|best| {
        let row = &rows[best];
        format!("{} had the lowest p99: {}.", row.name(), shown(&P99, row))
    }));
    sentences.extend(cheapest(rows, &speed, &cost));
    sentences.extend(speed.worst.map(|worst| {
        let row = &rows[worst];
        format!("{} was slowest: p50 {}.", row.name(), shown(&P50, row))
    }));
    sentences.join(" ")
}

/// Who leads by the median; of those who share the lead p99 is told too, unless one has the lowest.
fn leaders(rows: &[Row], speed: &Ranking, tail: Option<usize>, are_all: bool) -> String {
    let scope = if are_all { "" } else { "Of those that may be compared, " };
    if let Some(best) = speed.best() {
        let row = &rows[best];
        return format!("{scope}{} was fastest: {}.", row.name(), speed_and_cost(row));
    }
    let leaders: Vec<&Row> = speed.leaders.iter().map(|place| &rows[*place]).collect();
    let each = |of: &dyn Fn(&Row) -> String| {
        listed(&leaders.iter().map(|row| of(row)).collect::<Vec<_>>())
    };
    let are_tied = tail.is_none() && leaders.iter().all(|row| (P99.measured)(row).is_some());
    let tail =
        if are_tied { format!(", p99 {}", each(&|row| shown(&P99, row))) } else { String::new() };
    format!(
        "{scope}{} were too close to tell apart: p50 {}{tail}.",
        each(&|row| row.name().to_owned()),
        each(&|row| shown(&P50, row)),
    )
}

/// Whose cost is clear of all others'.
fn cheapest(rows: &[Row], speed: &Ranking, cost: &Ranking) -> Option<String> {
    let best = cost.best()?;
    let row = &rows[best];
    Some(if speed.best() == Some(best) {
        "Its server CPU per message was the lowest as well.".to_owned()
    } else {
        format!(
            "{} had the lowest server CPU: {} per message.",
            row.name(),
            shown(&SERVER_CPU, row)
        )
    })
}

fn speed_and_cost(row: &Row) -> String {
    let tail = (P99.measured)(row).map(|_| format!(", p99 {}", shown(&P99, row)));
    let cost = match (SERVER_CPU.measured)(row) {
        Some(_) => format!("{} of server CPU per message", shown(&SERVER_CPU, row)),
        None => "server CPU unknown".to_owned(),
    };
    format!("p50 {}{}, {cost}", shown(&P50, row), tail.unwrap_or_default())
}

fn shown(figure: &Figure, row: &Row) -> String {
    or_absent((figure.measured)(row), |it| (figure.show)(it.value))
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
