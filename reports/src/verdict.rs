//! The whole run in one sentence that the figures can carry, and before it what takes them away.
//!
//! What failed is said first, what cannot be trusted second, and only then who was fastest:
//! a transport that lost a message or was measured badly never wins.

use crate::beside;
use crate::knee::{self, Knee};
use crate::merge::crossed;
use crate::quantile::BEYOND_MIN;
use crate::run::{Messages, Run, Series, SimulationSummary};
use crate::slo::{self, Judgement, judge};
use crate::summary::{Summary, summaries};
use crate::units::{count, duration_us, number, plural};

/// Medians that differ by less than this share are called too close to tell apart: two runs of
/// the same transport, some minutes apart on a machine that is not quite alone, differ as much.
pub(crate) const CLOSE_SHARE: f64 = 0.1;

/// How a run stands as a whole; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A message is not accounted for, an objective is broken, or a seed of the simulation failed.
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
    /// How the figures came about, where that is not obvious; one sentence each.
    pub notes: Vec<String>,
}

impl Verdict {
    /// The warnings, the headline and the notes as one paragraph.
    #[must_use]
    pub fn text(&self) -> String {
        let mut sentences = self.warnings.clone();
        sentences.push(self.headline.clone());
        sentences.extend(self.notes.iter().cloned());
        sentences.join(" ")
    }
}

/// The verdict on a run.
#[must_use]
pub fn verdict(run: &Run) -> Verdict {
    let rows = summaries(run);
    let judgements = judge(run);
    let failed: Vec<String> = rows
        .iter()
        .filter_map(unaccounted)
        .chain(run.simulation.as_ref().and_then(failing_seeds))
        .chain(of_standing(&judgements, slo::Standing::Broken))
        .collect();
    let undecided = of_standing(&judgements, slo::Standing::Undecided);
    let searched = run.knees.iter().filter_map(Knee::not_found_out);
    let invalid: Vec<String> = rows
        .iter()
        .filter_map(not_valid)
        .chain(undecided)
        .chain(interrupted(run))
        .chain(searched)
        .collect();
    let standing = match () {
        () if !failed.is_empty() => Standing::Failed,
        () if !invalid.is_empty() => Standing::Invalid,
        () if rows.is_empty() && run.knees.is_empty() && run.simulation.is_none() => {
            Standing::Empty
        }
        () => Standing::Good,
    };
    let headline = match (rows.is_empty(), &run.simulation) {
        _ if !run.knees.is_empty() => knee::all_told(&run.knees),
        (false, _) => compared(&rows),
        (true, Some(simulation)) => simulated(simulation),
        (true, None) => "This run is empty: no transport was put under load.".to_owned(),
    };
    let warnings = failed.into_iter().chain(invalid).collect();
    Verdict {
        standing,
        warnings,
        headline,
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

fn of_standing(judgements: &[Judgement], standing: slo::Standing) -> impl Iterator<Item = String> {
    judgements.iter().filter(move |it| it.standing == standing).map(|it| format!("{it}."))
}

/// What is said of a transport that lost, doubled or mixed up a message.
pub(crate) fn unaccounted(row: &Summary) -> Option<String> {
    if row.accounted {
        return None;
    }
    let faults = faults(&row.messages).join(", ");
    let sent = plural(row.messages.sent, "message");
    Some(format!("{} did not account for every message: {faults} of {sent}.", row.transport))
}

fn faults(messages: &Messages) -> Vec<String> {
    let unexplained = messages.sent.abs_diff(messages.delivered + messages.refused);
    let named = [
        (messages.lost, "lost"),
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
    let [first, second] = series.moved()?.map(|us| duration_us(us as f64));
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

/// A row that may be compared, with the median that makes it so.
type Ranked<'a> = (u64, &'a Summary);

fn compared(rows: &[Summary]) -> String {
    let mut ranked: Vec<Ranked> = rows
        .iter()
        .filter(|row| row.valid && row.accounted)
        .filter_map(|row| Some((row.latency_us.p50?, row)))
        .collect();
    ranked.sort_by_key(|&(median_us, _)| median_us);
    let Some(&fastest) = ranked.first() else {
        return nothing_to_compare(rows);
    };
    if ranked.len() == 1 {
        let name = &fastest.1.transport;
        let what = speed_and_cost(fastest);
        return if rows.len() == 1 {
            format!("{name} delivered {what}.")
        } else {
            format!("Only {name} has figures that may be compared: {what}.")
        };
    }
    let all = ranked.len() == rows.len();
    let scope = if all { "of all" } else { "of these" };
    let mut sentence =
        if all { String::new() } else { "Of those that may be compared, ".to_owned() };
    sentence.push_str(&leaders(&ranked));
    sentence.push_str(&cheapest_clause(&ranked, scope));
    sentence.push_str(&slowest_clause(&ranked));
    sentence.push('.');
    sentence
}

fn nothing_to_compare(rows: &[Summary]) -> String {
    if rows.iter().any(|row| row.valid && row.accounted) {
        format!(
            "Too few messages were delivered for a median (it needs {}), so no transport is \
             called fastest.",
            count(2 * BEYOND_MIN),
        )
    } else {
        "No transport has figures that may be compared.".to_owned()
    }
}

fn leaders(ranked: &[Ranked]) -> String {
    let fastest = ranked[0];
    let others: Vec<&str> = ranked[1..]
        .iter()
        .take_while(|&&(median_us, _)| is_close(fastest.0 as f64, median_us as f64))
        .map(|(_, row)| row.transport.as_str())
        .collect();
    let name = &fastest.1.transport;
    let what = speed_and_cost(fastest);
    if others.is_empty() {
        return format!("{name} delivered fastest: {what}");
    }
    let others = others.join(" and ");
    format!("{name} and {others} were too close to tell apart: {name} delivered {what}")
}

fn is_close(lower: f64, higher: f64) -> bool {
    higher <= lower * (1.0 + CLOSE_SHARE)
}

fn speed_and_cost((median_us, row): Ranked) -> String {
    let tail =
        row.latency_us.p99.map(|p99_us| format!(" and 99 % within {}", duration_us(p99_us as f64)));
    let cost = row.server_cpu_us_per_message.map_or_else(
        || "at a cost that could not be read".to_owned(),
        |cpu_us| format!("at {} of server CPU a message", duration_us(cpu_us)),
    );
    format!(
        "half of its messages within {}{}, {cost}",
        duration_us(median_us as f64),
        tail.unwrap_or_default(),
    )
}

/// Who cost least; nothing where the fastest and another share that.
fn cheapest_clause(ranked: &[Ranked], scope: &str) -> String {
    let mut costs: Vec<(f64, &Summary)> =
        ranked.iter().filter_map(|&(_, row)| Some((row.server_cpu_us_per_message?, row))).collect();
    costs.sort_by(|left, right| left.0.total_cmp(&right.0));
    let [(cpu_us, row), (next_us, _), ..] = costs[..] else {
        return String::new();
    };
    let fastest = ranked[0].1;
    if row.transport == fastest.transport {
        let alone = !is_close(cpu_us, next_us);
        return if alone { format!(", the least {scope}") } else { String::new() };
    }
    match fastest.server_cpu_us_per_message {
        Some(its_us) if is_close(cpu_us, its_us) => String::new(),
        _ => format!("; {} cost least {scope}, at {}", row.transport, duration_us(cpu_us)),
    }
}

/// Who was slowest; nothing where all are too close to tell apart.
fn slowest_clause(ranked: &[Ranked]) -> String {
    let &(median_us, row) = ranked.last().expect("only called with transports to rank");
    if is_close(ranked[0].0 as f64, median_us as f64) {
        return String::new();
    }
    format!("; {} was slowest, with a median of {}", row.transport, duration_us(median_us as f64))
}

#[cfg(test)]
mod tests;
