//! A parked poll is answered within its wait, once the network lets the answer through; without an
//! event it is not answered before its wait is over.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{Event, Kind, Op, Phase};
use crate::plan::Plan;

const NAME: &str = "timeouts";
/// What a poll may take beyond its wait and its way: connecting, and waiting for the next tick.
const SLACK_MS: u64 = 300;
/// Round trips of a poll on a new connection: one to connect, one to ask.
const TRIPS: u64 = 4;
/// How long after the healing a poll of before may still take over the one that came after it.
const MENDING_US: u64 = 1_000_000;
/// How far clocks that go in ticks may be apart, in ticks.
const TICKS: u64 = 3;

/// Checks every poll that began after the network healed and ended before people left.
#[must_use]
pub fn check(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let settings = &plan.settings;
    let limit_ms =
        plan.config.poll_wait_ms + TRIPS * (settings.latency_ms_max + settings.tick_ms) + SLACK_MS;
    let mut parked: BTreeMap<&str, &Event> = BTreeMap::new();
    let mut healed = false;
    let mut violations = early(plan, history);
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

/// Polls that came back empty-handed too soon. Nobody is superseded any more by then: people have
/// been at rest since the healing.
fn early(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let settings = &plan.settings;
    let wait_ms = plan.config.poll_wait_ms.min(plan.config.server.poll_wait_ms_max);
    let wait_us = wait_ms.saturating_sub(TICKS * settings.tick_ms) * 1_000;
    let begins = |wanted| {
        let mut events = history.iter();
        events.find(|event| matches!(event.op, Op::Phase { phase } if phase == wanted))
    };
    let (Some(healed), Some(settled)) = (begins(Phase::Healed), begins(Phase::Settled)) else {
        return Vec::new();
    };
    let mut parked: BTreeMap<&str, &Event> = BTreeMap::new();
    let mut answered: BTreeMap<&str, (&Event, &Event)> = BTreeMap::new();
    let mut violations = Vec::new();
    for event in &history[..settled.index] {
        let process = event.process.as_str();
        // What an answer brings is noted right behind it.
        let last = answered.remove(process).filter(|_| event.told().is_none());
        if let Some((begun, ended)) = last
            && begun.at_us > healed.at_us + MENDING_US
            && ended.at_us - begun.at_us < wait_us
        {
            let ms = (ended.at_us - begun.at_us) / 1_000;
            let what = format!("a poll of {process} was answered after {ms} ms without an event");
            violations.push(Violation::new(NAME, what, &[begun.index, ended.index]));
        }
        match (&event.op, event.kind) {
            (Op::Poll { .. }, Kind::Invoke) => drop(parked.insert(process, event)),
            (Op::Poll { .. }, Kind::Ok) => {
                let begun = parked.remove(process);
                answered.extend(begun.map(|begun| (process, (begun, event))));
            }
            (Op::Poll { .. }, _) => drop(parked.remove(process)),
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
