//! Nobody says more than is allowed: so many messages at once, and then so many a second. Whoever says
//! less is heard, and whoever is refused may go on as soon as one message is paid for.
//!
//! The server's own rule is a generic cell rate algorithm (GCRA, ITU-T I.371); here it is played
//! through with the messages that were accepted, by the time at which they were put into the mailbox
//! of whoever said them. So with requests for another partner, each of which was accepted between its
//! beginning and its end. Acknowledgements are not in the history; who is refused one has had as many to
//! send as may come at once.

use std::collections::BTreeSet;

use protocol::{MessageId, Problem, Rated, ServerEvent, SessionId, Speaker};

use super::Violation;
use super::rejections::{is_too_fast, refused};
use super::resume::with_tabs;
use super::view::View;
use crate::history::{Event, Kind, Op, PUT_GRAIN_US};
use crate::plan::{Action, ChatPlan, Plan};

const NAME: &str = "rate-limit";
const US_A_SECOND: u64 = 1_000_000;

/// Checks everybody's messages, in the order in which they were accepted, and those that were refused
/// as too many.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let nexts = Rule::of_nexts(plan);
    for (session, events) in &view.sessions {
        violations.extend(nexts.exceeded_by_nexts(*session, events));
        violations.extend(nexts.denied_nexts(plan, *session, events));
        violations.extend(denied_acknowledgements(plan, *session, events));
    }
    if plan.moves_the_clock() {
        // Nobody knows when the server put anything anywhere.
        return violations;
    }
    let messages = Rule::of_messages(plan);
    for (session, events) in &view.sessions {
        violations.extend(messages.exceeded(*session, events));
        violations.extend(messages.denied(*session, events));
    }
    violations
}

/// What is allowed, in microseconds.
struct Rule {
    /// What one costs.
    price_us: u64,
    /// What may be owed.
    credit_us: u64,
    /// By how much the clocks of two hosts may differ: within a step each runs by itself.
    grain_us: u64,
}

impl Rule {
    fn of_messages(plan: &Plan) -> Self {
        Self::of(plan, plan.config.server.messages_per_s_max, plan.config.server.messages_burst_max)
    }

    fn of_nexts(plan: &Plan) -> Self {
        Self::of(plan, plan.config.server.nexts_per_s_max, plan.config.server.nexts_burst_max)
    }

    fn of(plan: &Plan, per_s_max: u32, burst_max: u32) -> Self {
        let price_us = US_A_SECOND / u64::from(per_s_max.max(1));
        let credit_us = price_us * u64::from(burst_max.max(1));
        Self { price_us, credit_us, grain_us: plan.settings.tick_ms * 1_000 }
    }

    /// Requests for another partner that were accepted beyond what is allowed, however early each of
    /// them may have been and however late the last.
    fn exceeded_by_nexts(&self, session: SessionId, events: &[&Event]) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut paid_us = 0;
        let mut begun: Option<&Event> = None;
        for event in events.iter().filter(|event| event.op == Op::Next) {
            match event.kind {
                Kind::Invoke => begun = Some(event),
                Kind::Ok => {
                    let Some(begun) = begun.take() else { continue };
                    let from_us = begun.at_us.saturating_sub(self.grain_us);
                    paid_us = from_us.max(paid_us) + self.price_us;
                    if paid_us > event.at_us + self.grain_us + self.credit_us {
                        let what = format!("{session} got more partners than are allowed");
                        violations.push(Violation::new(NAME, what, &[begun.index, event.index]));
                        paid_us = from_us;
                    }
                }
                _ => begun = None,
            }
        }
        violations
    }

    /// Requests for another partner that were refused although there were few, or for longer than one
    /// costs.
    fn denied_nexts(&self, plan: &Plan, session: SessionId, events: &[&Event]) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut asked = 0;
        for event in events {
            asked += usize::from(event.op == Op::Next && event.kind == Kind::Invoke);
            let why = match &event.op {
                Op::Next if event.kind == Kind::Fail => event.problem(),
                _ => refusal(event),
            };
            let Some(why) = why.filter(|why| is_too_fast(why, Rated::Nexts)) else { continue };
            if self.is_too_long(why) {
                let what =
                    format!("{session} is to wait for longer than a partner costs: {}", why.detail);
                violations.push(Violation::new(NAME, what, &[event.index]));
            }
            if asked < plan.config.server.nexts_burst_max as usize {
                let what = format!("{session} asked for too many partners, and for {asked} only");
                violations.push(Violation::new(NAME, what, &[event.index]));
            }
        }
        violations
    }

    /// True where somebody is to wait for longer than one costs.
    fn is_too_long(&self, why: &Problem) -> bool {
        why.retry_after_ms.is_none_or(|wait_ms| wait_ms * 1_000 > self.price_us + PUT_GRAIN_US)
    }

    /// Messages that were accepted beyond what is allowed.
    fn exceeded(&self, session: SessionId, events: &[&Event]) -> Vec<Violation> {
        let mut paid_us = 0;
        let mut violations = Vec::new();
        for event in events {
            let Some(put_us) = accepted_us(event) else { continue };
            paid_us = put_us.max(paid_us) + self.price_us;
            if paid_us > put_us + self.credit_us + PUT_GRAIN_US {
                let what = format!("{session} said more than is allowed");
                violations.push(Violation::new(NAME, what, &[event.index]));
                paid_us = put_us;
            }
        }
        violations
    }

    /// Messages that were refused although they were allowed, or for longer than one costs.
    fn denied(&self, session: SessionId, events: &[&Event]) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (place, event) in events.iter().enumerate() {
            let Some((id, why)) =
                refused(event).filter(|(_, why)| is_too_fast(why, Rated::Messages))
            else {
                continue;
            };
            if self.is_too_long(why) {
                let what =
                    format!("{session} is to wait for longer than a message costs: {}", why.detail);
                violations.push(Violation::new(NAME, what, &[event.index]));
            }
            // Of several tries, nobody knows which one this answers.
            let said = events[..place].iter().find(|said| is_said(said, id));
            let Some(said) = said else { continue };
            let said_us = said.at_us.saturating_sub(self.grain_us);
            let owed_us = self.owed_us(events, &events[..place], said_us, event.at_us);
            if owed_us + self.price_us + 2 * PUT_GRAIN_US <= self.credit_us {
                let what = format!("{session} was told that {id} is too much, and it was not");
                violations.push(Violation::new(NAME, what, &[said.index, event.index]));
            }
        }
        violations
    }

    /// What is owed at most, of messages that were accepted until `until_us`, at `now_us` or later:
    /// those of which nobody knows were accepted just then.
    fn owed_us(&self, all: &[&Event], before: &[&Event], now_us: u64, until_us: u64) -> u64 {
        let mut accepted: Vec<_> = all.iter().filter_map(|event| accepted_us(event)).collect();
        accepted.sort_unstable();
        // Two clocks, of which one tells milliseconds, need not agree on what came first.
        let until_us = until_us + 2 * PUT_GRAIN_US;
        let known = accepted.into_iter().filter(|put_us| *put_us <= until_us);
        let paid_us = known.fold(0, |paid_us: u64, put_us| paid_us.max(put_us) + self.price_us);
        paid_us.saturating_sub(now_us) + unknown(all, before) as u64 * self.price_us
    }
}

/// Acknowledgements that were refused although there cannot have been many: no more than events, and
/// those that the person repeats on purpose, each of them twice.
fn denied_acknowledgements(plan: &Plan, session: SessionId, events: &[&Event]) -> Vec<Violation> {
    let acknowledges =
        |action| matches!(action, Action::AcknowledgeAgain | Action::AcknowledgeTooFar);
    let mut told = 0;
    let mut violations = Vec::new();
    for event in events {
        told += usize::from(matches!(event.op, Op::Told { .. } | Op::Repeated { .. }));
        let is_refused = refusal(event).is_some_and(|why| is_too_fast(why, Rated::Commands));
        // A second tab acknowledges as well.
        if !is_refused || with_tabs(plan).contains(event.process.as_str()) {
            continue;
        }
        let own = plan.steps.iter().filter(|step| step.client == event.process);
        let sent = 2 * (told + own.filter(|step| acknowledges(step.action)).count());
        if sent < plan.config.server.commands_burst_max as usize {
            let what = format!("{session} acknowledged too often, and {sent} times at most");
            violations.push(Violation::new(NAME, what, &[event.index]));
        }
    }
    violations
}

/// Why a command that is no message was refused over a socket.
fn refusal(event: &Event) -> Option<&Problem> {
    match &event.op {
        Op::Refused { refusal } if refusal.id.is_none() => Some(&refusal.problem),
        _ => None,
    }
}

/// Messages that may have been accepted although no echo was ever read: but for those that were
/// refused, and not accepted at another try.
fn unknown(all: &[&Event], before: &[&Event]) -> usize {
    let invoked = before.iter().filter(|event| event.kind == Kind::Invoke);
    let mut open: BTreeSet<&MessageId> = invoked.filter_map(|event| event.said()).collect();
    for (id, _) in all.iter().filter_map(|event| refused(event)) {
        open.remove(id);
    }
    let accepted = all.iter().filter(|event| event.kind == Kind::Ok);
    open.extend(accepted.filter_map(|event| event.said()));
    for event in all {
        if let Some(ServerEvent::Message { from: Speaker::Me, id, .. }) = event.told() {
            open.remove(id);
        }
    }
    open.len()
}

/// True where that message is said.
fn is_said(event: &Event, id: &MessageId) -> bool {
    event.kind == Kind::Invoke && matches!(&event.op, Op::Say { id: said, .. } if said == id)
}

/// When a message of one's own was accepted, if this tells of one.
fn accepted_us(event: &Event) -> Option<u64> {
    match event.told()? {
        ServerEvent::Message { from: Speaker::Me, .. } => event.put_us(),
        _ => None,
    }
}
