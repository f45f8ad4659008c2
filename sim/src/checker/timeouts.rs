//! A parked poll is answered within its wait, once the network lets the answer through.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{Event, Kind, Op, Phase};
use crate::plan::Plan;

const NAME: &str = "timeouts";
/// What a poll may take beyond its wait and its way: connecting, and waiting for the next tick.
const SLACK_MS: u64 = 300;
/// Round trips of a poll on a new connection: one to connect, one to ask.
const TRIPS: u64 = 4;

/// Checks every poll that began after the network healed and ended before people left.
#[must_use]
pub fn check(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let settings = &plan.settings;
    let limit_ms =
        settings.poll_wait_ms + TRIPS * (settings.latency_ms_max + settings.tick_ms) + SLACK_MS;
    let mut parked: BTreeMap<&str, &Event> = BTreeMap::new();
    let mut healed = false;
    let mut violations = Vec::new();
    for event in history {
        match &event.op {
            Op::Phase { phase: Phase::Healed } => healed = true,
            Op::Phase { phase: Phase::Settled } => {
                let late = parked.values().filter(|begun| overdue(begun, event, limit_ms));
                violations.extend(late.map(|begun| violation(begun, event)));
                return violations;
            }
            Op::Poll { .. } if event.kind == Kind::Invoke && healed => {
                parked.insert(&event.process, event);
            }
            Op::Poll { .. } => {
                let begun = parked.remove(event.process.as_str());
                let late = begun.filter(|begun| overdue(begun, event, limit_ms));
                violations.extend(late.map(|begun| violation(begun, event)));
            }
            Op::Leave | Op::Vanish => drop(parked.remove(event.process.as_str())),
            _ => {}
        }
    }
    violations
}

fn overdue(begun: &Event, ended: &Event, limit_ms: u64) -> bool {
    ended.at_us - begun.at_us > limit_ms * 1_000
}

fn violation(begun: &Event, ended: &Event) -> Violation {
    let ms = (ended.at_us - begun.at_us) / 1_000;
    let what = format!("a poll of {} was parked for {ms} ms", begun.process);
    Violation::new(NAME, what, &[begun.index, ended.index])
}
