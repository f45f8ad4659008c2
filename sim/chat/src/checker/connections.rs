//! Whose connection stands at a moment of a run, and whether anything was in its way since it last
//! brought something. It checks nothing itself.

use std::collections::BTreeMap;

use super::push_latency::is_trouble;
use crate::history::{Event, Kind, Op};
use crate::plan::{Fault, Plan};

/// What may still be under way when a fault has ended: packets that it has slowed down, in
/// microseconds.
const AFTERMATH_US: u64 = 600_000;

/// Whose connection stands, and when it last brought something, in microseconds since the start.
#[derive(Default)]
pub(super) struct Connections<'a>(BTreeMap<&'a str, u64>);

impl<'a> Connections<'a> {
    /// Takes note of the next event of the history.
    pub(super) fn take(&mut self, event: &'a Event) {
        let process = event.process.as_str();
        match (&event.op, event.kind) {
            (Op::Told { .. }, _) => drop(self.0.insert(process, event.at_us)),
            (Op::Open { .. } | Op::Lost | Op::Leave | Op::Vanish, _)
            | (Op::Poll { .. }, Kind::Info) => drop(self.0.remove(process)),
            _ => {}
        }
    }

    /// Everybody whose connection stands, and when it last brought something.
    pub(super) fn standing(&self) -> impl Iterator<Item = (&'a str, u64)> {
        self.0.iter().map(|(process, proved_us)| (*process, *proved_us))
    }

    /// When the connection of `process` last brought something, if it stands.
    pub(super) fn of(&self, process: &str) -> Option<u64> {
        self.0.get(process).copied()
    }
}

/// True when no fault but `except` has anything to do with `who` in this time.
pub(super) fn is_calm(
    plan: &Plan,
    who: &str,
    from_us: u64,
    until_us: u64,
    except: Option<usize>,
) -> bool {
    let meets = |fault: &Fault| {
        let ended_us = (fault.at_ms + fault.for_ms) * 1_000 + AFTERMATH_US;
        fault.at_ms * 1_000 <= until_us && ended_us >= from_us
    };
    let mut others = plan.faults.iter().enumerate().filter(|(index, _)| Some(*index) != except);
    !others.any(|(_, fault)| meets(fault) && plan.concerns(fault, who))
}

/// True when `who` does nothing to the own connections in this time.
pub(super) fn lets_be(plan: &Plan, who: &str, from_us: u64, until_us: u64) -> bool {
    let span = from_us.saturating_sub(AFTERMATH_US)..until_us;
    let mut steps = plan.steps.iter().filter(|step| step.client == who);
    !steps.any(|step| is_trouble(step.action) && span.contains(&(step.at_ms * 1_000)))
}

/// True when nothing is in the way of `who` in this time, neither a fault nor what they do themselves.
pub(super) fn is_undisturbed(plan: &Plan, who: &str, from_us: u64, until_us: u64) -> bool {
    is_calm(plan, who, from_us, until_us, None) && lets_be(plan, who, from_us, until_us)
}
