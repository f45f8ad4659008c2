//! `diff A B`: the first event at which two runs diverge.

use std::fmt::Write;

use clap::Args;
use reports::cli::{Outcome, Output};
use serde_json::{Value, json};

use super::CommandLine;
use super::show::Subject;
use super::size::RunSize;
use crate::diff::{self, diff};
use crate::fault::FaultType;
use crate::model::Model;
use crate::report::Report;
use crate::run::run;
use crate::sweep::failure;

/// Lines that are shown of what one plan has and the other has not: plans of two seeds have nothing
/// in common.
const ONLY_SHOWN_MAX: usize = 12;

/// Two plans.
#[derive(Debug, Args)]
pub struct Diff<F: FaultType> {
    /// A plan: its file, or the number of its seed
    #[arg(value_name = "A")]
    first: Subject,
    /// Another
    #[arg(value_name = "B")]
    second: Subject,
    #[command(flatten)]
    size: RunSize<F>,
}

impl<F: FaultType> Diff<F> {
    pub(super) fn run<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        let plans = [self.first.plan(cli, &self.size)?, self.second.plan(cli, &self.size)?];
        let [first, second] = plans.map(|plan| run(&cli.model, &plan, false));
        let found = diff(&cli.model, &first, &second);
        let name = |name: &str, report: &Report<M>| {
            format!("{name} ({})", if report.passed() { "passes" } else { "fails" })
        };
        let names = [name("A", &first), name("B", &second)];
        let text = describe_divergence(&found, [&names[0], &names[1]]);
        output.result(&text, || {
            let summary = |report: &Report<M>| {
                let failure = failure(&cli.model, report.plan.seed, report);
                json!({
                    "seed": report.plan.seed,
                    "failed": failure.is_some(),
                    "checker": failure.map(|failure| failure.checker),
                    "trace_hash": format!("{:016x}", report.trace.hash),
                    "events": report.history.len(),
                })
            };
            let mut json =
                json!({ "equal": found.is_none(), "a": summary(&first), "b": summary(&second) });
            if let (Some(json), Value::Object(divergence)) = (json.as_object_mut(), json!(found)) {
                json.extend(divergence);
            }
            json
        })?;
        Ok(Outcome::Good)
    }
}

/// Where two runs diverge, in words; `names` says what each is.
pub(super) fn describe_divergence(found: &diff::Diff, names: [&str; 2]) -> String {
    let mut text = String::new();
    let plans = [&found.plans.only_first, &found.plans.only_second];
    for (name, only) in names.iter().zip(plans) {
        for line in only.iter().take(ONLY_SHOWN_MAX) {
            let _infallible = writeln!(text, "only {name} has: {line}");
        }
        let more = only.len().saturating_sub(ONLY_SHOWN_MAX);
        if more > 0 {
            let _infallible = writeln!(text, "and {more} more that only {name} has");
        }
    }
    for (field, [ours, theirs]) in &found.plans.settings {
        let _infallible =
            writeln!(text, "{field}: {ours} in {}, {theirs} in {}", names[0], names[1]);
    }
    if found.is_none() {
        return text + "both runs are the same to the end\n";
    }
    if let Some([ours, theirs]) = &found.other_time {
        let _infallible = writeln!(text, "the same at another time:\n  {ours}\n  {theirs}");
    }
    if found.then.iter().all(Vec::is_empty) {
        return text + "both do the same, in the same order\n";
    }
    let _infallible =
        writeln!(text, "{} events are the same in both; the last of them:", found.shared);
    for line in &found.before {
        let _infallible = writeln!(text, "    {line}");
    }
    for (name, then) in names.iter().zip(&found.then) {
        let _infallible = writeln!(text, "then {name}:");
        for line in then {
            let _infallible = writeln!(text, "    {line}");
        }
        if then.is_empty() {
            let _infallible = writeln!(text, "    (is over)");
        }
    }
    text
}
