//! `racetrack sim diff A B`: the first event at which two runs part.

use std::fmt::Write;

use chat_sim::Chat;
use clap::Args;
use racetrack_sim::diff::{Diff as Parting, diff};
use serde_json::{Value, json};

use crate::outcome::Outcome;
use crate::output::Output;
use crate::show::Subject;
use crate::world::World;

/// Lines that are shown of what one plan has and the other has not: plans of two seeds have nothing
/// in common.
const ONLY_SHOWN_MAX: usize = 12;

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A plan: its file, or the number of its seed
    #[arg(value_name = "A")]
    first: Subject,
    /// Another
    #[arg(value_name = "B")]
    second: Subject,
    #[command(flatten)]
    world: World,
}

impl Diff {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let plans = [self.first.plan(&self.world)?, self.second.plan(&self.world)?];
        let [first, second] = plans.map(|plan| chat_sim::run(&plan, false));
        let found = diff(&Chat, &first, &second);
        let name = |name: &str, report: &chat_sim::Report| {
            format!("{name} ({})", if report.passed() { "passes" } else { "fails" })
        };
        let names = [name("A", &first), name("B", &second)];
        let text = describe_parting(&found, [&names[0], &names[1]]);
        output.result(&text, || {
            let run = |report: &chat_sim::Report| {
                let failure = racetrack_sim::failure(&Chat, report.plan.seed, report);
                json!({
                    "seed": report.plan.seed,
                    "failed": failure.is_some(),
                    "checker": failure.map(|failure| failure.checker),
                    "trace_hash": format!("{:016x}", report.trace.hash),
                    "events": report.history.len(),
                })
            };
            let mut json = json!({ "equal": found.is_none(), "a": run(&first), "b": run(&second) });
            if let (Some(json), Value::Object(parting)) = (json.as_object_mut(), json!(found)) {
                json.extend(parting);
            }
            json
        })?;
        Ok(Outcome::Good)
    }
}

/// Where two runs part, in words; `names` says what each is.
pub(crate) fn describe_parting(found: &Parting, names: [&str; 2]) -> String {
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
