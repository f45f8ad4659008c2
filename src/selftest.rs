//! `racetrack load selftest`: is the ruler right?

use std::collections::BTreeSet;

use loadtest::LoadError;
use loadtest::selftest::{self, Case, Mark};
use reports::units::{duration_us, or_absent};
use serde_json::{Value, json};

use crate::load::{quieten_goose, server_command};
use crate::progress::Meter;
use crate::runtime;
use reports::cli::outcome::Outcome;
use reports::cli::output::{self, Output};

pub(crate) fn run(output: &Output) -> anyhow::Result<Outcome> {
    quieten_goose();
    let meter = Meter::new();
    let command = server_command()?;
    let checked = runtime()?.block_on(selftest::run(&command, |progress| meter.show(progress)))?;
    meter.end();
    let cases = &checked.cases;
    output.result(&describe(cases), || to_json(cases))?;
    let Some(error) = &checked.ended_by else { return Ok(outcome(cases)) };
    output::fail(crate::PROGRAM, &format!("not every known length was measured: {error}"));
    let ended = match error {
        LoadError::Interrupted => Outcome::Invalid,
        _ => Outcome::Bad,
    };
    Ok(outcome(cases).max(ended))
}

/// A ruler that is off on a machine that left it no time says nothing of the ruler.
fn outcome(cases: &[Case]) -> Outcome {
    let off = cases.iter().flat_map(|case| &case.marks).filter(|mark| !mark.holds());
    off.map(|mark| if mark.excuses.is_empty() { Outcome::Bad } else { Outcome::Invalid })
        .max()
        .unwrap_or(Outcome::Good)
}

fn describe(cases: &[Case]) -> String {
    let mut text = format!(
        "{:<32} {:<18} {:>6} {:>9} {:>9} {:>9} {:>9}\n",
        "known length", "transport", "", "injected", "reported", "error", "allowed"
    );
    for case in cases {
        for mark in &case.marks {
            text.push_str(&line(case, mark));
        }
        for reason in excuses(case) {
            text.push_str(&format!("  not valid: {reason}\n"));
        }
    }
    let again: u32 = cases.iter().map(|case| case.tries - 1).sum();
    if again > 0 {
        text.push_str(&format!("measured again, because the first try was off: {again} times\n"));
    }
    text.push_str(match outcome(cases) {
        Outcome::Good => "the ruler is right",
        Outcome::Invalid => "the machine was too busy to tell whether the ruler is right",
        Outcome::Bad => "the ruler is OFF",
    });
    text
}

/// What may have made the errors that there are, each once.
fn excuses(case: &Case) -> BTreeSet<&str> {
    case.marks.iter().flat_map(|mark| &mark.excuses).map(String::as_str).collect()
}

fn line(case: &Case, mark: &Mark) -> String {
    let time = |us: u64| duration_us(us as f64);
    format!(
        "{:<32} {:<18} {:>6} {:>9} {:>9} {:>9} {:>9}{}\n",
        case.name,
        case.transport,
        mark.percentile(),
        time(mark.injected_us),
        or_absent(mark.reported_us, time),
        or_absent(mark.error_us(), |us| duration_us(us as f64)),
        time(mark.error_us_max),
        if mark.holds() { "" } else { "  OFF" },
    )
}

fn to_json(cases: &[Case]) -> Value {
    let cases_json: Vec<Value> = cases
        .iter()
        .flat_map(|case| case.marks.iter().map(move |mark| (case, mark)))
        .map(|(case, mark)| {
            json!({
                "name": format!("{}, {}, {}", case.name, case.transport, mark.percentile()),
                "injected_us": mark.injected_us,
                "reported_us": mark.reported_us,
                "error": mark.error_us(),
                "error_max": mark.error_us_max,
                "passed": mark.holds(),
                "tries": case.tries,
                "invalid": mark.excuses,
            })
        })
        .collect();
    json!({ "cases": cases_json, "passed": cases.iter().all(Case::passed) })
}
