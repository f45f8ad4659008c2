//! `racetrack load --search`: how much each transport carries.

use loadtest::search::{Goal, Searched};
use loadtest::{LoadError, Options};
use reports::knee::{Knee, Outcome, Probe};
use reports::run::Run;
use reports::units::{duration_us, or_absent};

use crate::load;
use crate::progress::Meter;
use crate::runtime;

/// A run with a search of each transport, and the measurement of the most that it carries.
pub(crate) fn run(options: &Options, goal: Goal) -> anyhow::Result<Run> {
    let (run, options) = load::prepared(options)?;
    let meter = Meter::new();
    let searching = loadtest::search::search(
        &options,
        goal,
        |progress| meter.show_on_terminal(progress),
        |knee, probe| meter.line(&describe(knee, probe)),
    );
    let Searched { knees, series, failures, interrupted } = runtime()?.block_on(searching)?;
    meter.end();
    if interrupted && knees.iter().all(|knee| knee.probes.is_empty()) {
        return Err(LoadError::Interrupted.into());
    }
    Ok(Run { interrupted, series, failures, knees, ..run })
}

fn describe(knee: &Knee, probe: &Probe) -> String {
    let load = knee.load.told(probe.load);
    let p99 = or_absent(probe.p99_us, |us| duration_us(us as f64));
    let outcome = match probe.outcome {
        Outcome::Held => "held".to_owned(),
        Outcome::Broken => format!("broken, {}", probe.why),
        Outcome::Undecided => format!("not decided, {}", probe.why),
    };
    format!("{}: {load}: p99 {p99}: {outcome}", knee.transport)
}
