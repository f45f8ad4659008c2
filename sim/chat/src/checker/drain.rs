//! A drain loses nothing: whoever reads is told that the server closes, while it still answers. And
//! it does not last when everybody has been told.
//!
//! ```text
//!   drain ──────────────── so long as the server drains ────────────────> its connections are cut
//!     └── way of an event ──> told `closing` ── ways of a goodbye ──> exits
//! ```
//!
//! Asked are people whose connection stood when the drain began, if nothing else was in its way and
//! the drain was long enough for them to read once more. Nobody knows whom a server waits for, so its
//! exit is late only where nobody did anything to a connection for as long as a session may be kept.

use std::collections::BTreeSet;

use client::TransportKind;
use protocol::{CloseReason, ServerEvent};

use super::Violation;
use super::connections::{Connections, is_calm, lets_be};
use super::push_latency::limit_us;
use crate::fault::FaultOfChat;
use crate::history::{Event, Kind, Op};
use crate::plan::{Action, ChatPlan, FaultKind, Plan, Step};

const NAME: &str = "drain";

/// Checks each drain, and what it told where it struck anybody.
#[must_use]
pub fn check(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let mut connections = Connections::default();
    let mut violations = Vec::new();
    for event in history {
        connections.take(event);
        let Op::Fault { fault, kind, .. } = event.op else { continue };
        if event.kind != Kind::Invoke || !kind.drains() {
            continue;
        }
        let drain = Drain { plan, history, began: event, fault };
        violations.extend(drain.lasts_too_long());
        if drain.has_effect() {
            let standing = connections.standing();
            violations.extend(standing.filter_map(|(who, since_us)| drain.untold(who, since_us)));
        }
    }
    violations
}

/// A drain and what came of it.
struct Drain<'a> {
    plan: &'a Plan,
    history: &'a [Event],
    began: &'a Event,
    /// Its place in the plan.
    fault: usize,
}

impl Drain<'_> {
    fn has_effect(&self) -> bool {
        let is_effective = |event: &Event| {
            matches!(event.op, Op::Fault { fault, effect: 1.., .. } if fault == self.fault)
                && event.kind == Kind::Ok
        };
        self.history.iter().any(is_effective)
    }

    /// Somebody who had the time to read what a drain tells, and was not told.
    fn untold(&self, who: &str, since_us: u64) -> Option<Violation> {
        let Self { plan, history, began, fault } = *self;
        let person = plan.clients.iter().find(|person| person.name == who)?;
        let planned = plan.faults.get(fault)?;
        if !person.profile.transport.is_pushed() && planned.kind == FaultKind::RollingDrain {
            // A new connection goes to the other server, which knows nobody.
            return None;
        }
        let is_short = person.profile.transport == TransportKind::ShortPoll;
        let needs_us = limit_us(plan, is_short);
        let until_us = began.at_us + needs_us;
        let lasts_us = planned.for_ms.min(plan.config.server.drain_ms_max) * 1_000;
        if needs_us > lasts_us
            || until_us > plan.settings.healed_ms() * 1_000
            || !is_calm(plan, who, since_us, until_us, Some(fault))
            || !lets_be(plan, who, since_us, until_us)
        {
            return None;
        }
        let mut later = history[began.index..].iter().filter(|event| event.process == who);
        let end = later.find(|event| {
            matches!(event.told(), Some(ServerEvent::Closing { .. }))
                || matches!(event.op, Op::Lost | Op::Open { .. } | Op::Leave | Op::Vanish)
        });
        let is_told = |event: &Event| match event.told() {
            Some(ServerEvent::Closing { reason: CloseReason::Draining, .. }) => {
                event.at_us <= until_us
            }
            Some(_) => true,
            None => matches!(event.op, Op::Leave | Op::Vanish),
        };
        if end.is_some_and(is_told) {
            return None;
        }
        let evidence: Vec<_> = [began].into_iter().chain(end).map(|event| event.index).collect();
        let what = format!("{who} was not told in time that the server drains");
        Some(Violation::new(NAME, what, &evidence))
    }

    /// The exit of a server that took all the time that it had, when everybody had long been told.
    fn lasts_too_long(&self) -> Option<Violation> {
        let exited = self.exited()?;
        let server = &self.plan.config.server;
        let grain_us = self.plan.settings.tick_ms * 1_000;
        let took_us = exited.at_us - self.began.at_us;
        if took_us + grain_us < server.drain_ms_max * 1_000 || !self.is_calm(exited.at_us) {
            return None;
        }
        let told = self.all_told()?;
        let spare_us = exited.at_us.saturating_sub(told.at_us);
        (spare_us > limit_us(self.plan, false) + grain_us).then(|| {
            let what =
                format!("the server drained for {} ms after the last word", spare_us / 1_000);
            Violation::new(NAME, what, &[self.began.index, told.index, exited.index])
        })
    }

    /// The end of the server that drains, if nothing else happened to a server meanwhile.
    fn exited(&self) -> Option<&Event> {
        let later = &self.history[self.began.index + 1..];
        let next = later.iter().find(|event| match event.op {
            Op::Fault { fault, kind, .. } => fault != self.fault && kind.ends_servers(),
            Op::Exited => true,
            _ => false,
        })?;
        (next.op == Op::Exited).then_some(next)
    }

    /// Since when a session may have been kept of which nobody knows any more.
    fn known_since_us(&self) -> u64 {
        let server = &self.plan.config.server;
        let kept_ms = server.session_lease_ms + server.resume_window_ms + server.write_ms_max;
        self.began.at_us.saturating_sub(kept_ms * 1_000)
    }

    /// True when nothing was in anybody's way, from before the drain until its end.
    fn is_calm(&self, until_us: u64) -> bool {
        let (plan, since_us) = (self.plan, self.known_since_us());
        let mut people = plan.clients.iter().map(|person| person.name.as_str());
        let holds_on = |step: &Step| {
            matches!(step.action, Action::ReadSlowly | Action::Hang | Action::PowerCut)
                && (since_us..until_us).contains(&(step.at_ms * 1_000))
        };
        // The sessions of an attacker are waited for as well, and nobody knows of them.
        plan.floods().next().is_none()
            && people.all(|who| is_calm(plan, who, since_us, until_us, Some(self.fault)))
            && !plan.steps.iter().any(holds_on)
    }

    /// The last word to those who were there, if each of them left or was told that the server closes.
    fn all_told(&self) -> Option<&Event> {
        let since_us = self.known_since_us();
        let before = self.history[..self.began.index].iter();
        let recent = before.filter(|event| event.at_us >= since_us);
        let opens = |wanted: Kind| {
            let opens = recent.clone().filter(|event| matches!(event.op, Op::Open { .. }));
            opens.filter(|event| event.kind == wanted).count()
        };
        if opens(Kind::Invoke) != opens(Kind::Ok) {
            // Somebody may have come in without knowing it.
            return None;
        }
        let is_last = |event: &&Event| {
            // Whoever says so without a connection says it to nobody.
            (event.op == Op::Leave && event.kind == Kind::Ok)
                || matches!(event.told(), Some(ServerEvent::Closing { .. }))
        };
        let sessions: BTreeSet<_> = recent.clone().filter_map(|event| event.session).collect();
        let mut told = None;
        for session in sessions {
            let mut events = self.history.iter().filter(|event| event.session == Some(session));
            told = told.max(Some(events.find(is_last)?.index));
        }
        self.history.get(told?)
    }
}
