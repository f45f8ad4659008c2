//! A plan of the chat against real servers: processes of `racetrack serve`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use racetrack_sim::Program;
use serde_json::Value;
use server::config::Config;

use crate::history::{Note, Op};
use crate::plan::{Action, Plan};

/// What a drain may take beyond what the server allows itself.
const DRAIN_SLACK: Duration = Duration::from_secs(5);

/// The server of a plan: `program serve` with its limits, and with no others that this process was told.
#[must_use]
pub fn program(plan: &Plan, program: &Path) -> Program {
    let config = &plan.config.server;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RACETRACK_") {
            command.env_remove(name);
        }
    }
    command.args(["serve", "--until-input-ends"]).args(arguments(config)).env("RUST_LOG", "warn");
    let ends_within = Some(config.drain_max() + DRAIN_SLACK);
    Program { command, address_in, ends_within }
}

/// The address in the line `listening on http://ADDR`.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix("listening on http://")?.parse().ok()
}

/// Every limit as a flag: flags are named after the fields.
fn arguments(config: &Config) -> Vec<String> {
    let config = Config { addr: SocketAddr::from(([127, 0, 0, 1], 0)).into(), ..config.clone() };
    let Ok(Value::Object(fields)) = serde_json::to_value(config) else { return Vec::new() };
    let values = fields.into_iter().filter_map(|(name, value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Array(items) if items.is_empty() => return None,
            Value::Array(items) => {
                let items = items.iter().filter_map(Value::as_str);
                items.collect::<Vec<_>>().join(",")
            }
            value => value.to_string(),
        };
        Some([format!("--{}", name.replace('_', "-")), value])
    });
    values.flatten().collect()
}

/// A real kernel always tells that a client is gone, and no program of a live run hangs alone.
pub(crate) fn possible(mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        if matches!(step.action, Action::PowerCut | Action::Hang) {
            step.action = Action::Vanish;
        }
    }
    plan
}

/// Moves the time of an event from a run that began at `began_ms` to one that began at `epoch_ms`.
pub(crate) fn rebase(record: &mut Note, began_ms: u64, epoch_ms: u64) {
    let Op::Told { event: told } = &mut record.op else { return };
    let Ok(at) = told.at.parse::<Timestamp>() else { return };
    let rebased_ms = at.as_millisecond() - began_ms as i64 + epoch_ms as i64;
    if let Ok(rebased) = Timestamp::from_millisecond(rebased_ms) {
        told.at = format!("{rebased:.3}");
    }
}

#[cfg(test)]
mod tests {
    use racetrack_sim::Model;

    use super::*;
    use crate::generate;
    use crate::model::Chat;
    use crate::options::Options;
    use crate::plan::Action::{Hang, PowerCut, Vanish};

    #[test]
    fn live_plan_keeps_all_but_silent_ends() {
        for seed in 0..20 {
            let plan = generate::plan(seed, &Options::default());
            let live = Chat.live_plan(plan.clone());
            assert!(live.clients == plan.clients && live.faults == plan.faults, "seed {seed}");
            let acts = |plan: &Plan| plan.steps.iter().map(|step| step.action).collect::<Vec<_>>();
            let vanishing =
                |action| if matches!(action, PowerCut | Hang) { Vanish } else { action };
            let expected: Vec<_> = acts(&plan).into_iter().map(vanishing).collect();
            assert!(acts(&live) == expected, "seed {seed}");
        }
    }

    #[test]
    fn address_is_found_in_the_line_that_tells_it() {
        let found = address_in("listening on http://127.0.0.1:3000\n");
        assert_eq!(found, Some(SocketAddr::from(([127, 0, 0, 1], 3000))));
        assert_eq!(address_in("listening"), None);
    }
}
