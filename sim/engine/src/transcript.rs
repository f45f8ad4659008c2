//! A run as text: a lifeline for each client, and the evidence.

use std::fmt::Write;

use reports::sequence::{Detail, text};

use crate::history::Event;
use crate::model::Model;
use crate::report::Report;
use crate::violation::{Finding, findings};

/// The transcript of a run, and what the checkers found in it.
#[must_use]
pub fn transcript<M: Model>(model: &M, report: &Report<M>) -> String {
    text(&model.sequence(report), Detail::Whole) + &evidence(model, report)
}

/// The transcript up to the last event that contradicts an invariant, and what the checkers found.
#[must_use]
pub fn brief<M: Model>(model: &M, report: &Report<M>) -> String {
    text(&model.sequence(report), Detail::UntilTheEvidence) + &evidence(model, report)
}

/// One event as evidence, in one line.
pub fn line<M: Model>(model: &M, event: &Event<M::Record>) -> String {
    let Event { index, at_us, process, .. } = event;
    format!("[{index}] {:.3} s {process}: {}", *at_us as f64 / 1e6, model.describe(event))
}

fn evidence<M: Model>(model: &M, report: &Report<M>) -> String {
    let mut text = String::new();
    let found = findings(&report.violations, |violation| model.is_total(violation));
    for Finding { cause, consequences } in found {
        writeln!(text, "\n{cause}").expect("writing to a string succeeds");
        for index in &cause.evidence {
            if let Some(event) = report.history.get(*index) {
                writeln!(text, "    {}", line(model, event)).expect("writing to a string succeeds");
            }
        }
        for consequence in consequences {
            writeln!(text, "  also {consequence}").expect("writing to a string succeeds");
        }
    }
    model.short_names(&report.history).shorten(&text)
}
