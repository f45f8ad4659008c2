//! Whoever is refused is told why, and it is true.
//!
//! * Too many messages were said by somebody who said as many as may be said at once.
//! * A conversation that is over has ended: its members are told so, or have ended it themselves.

use std::collections::BTreeMap;

use server::core::Rejected;
use server::protocol::{MessageId, PairId, ServerEvent, SessionId};

use super::Violation;
use super::view::View;
use crate::history::{Event, Kind, Op};
use crate::plan::Plan;

const NAME: &str = "reasons";
/// A client whose connection breaks says it once more by itself.
const ATTEMPTS: usize = 2;

/// Checks each refusal of a message.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let mut meant: BTreeMap<&MessageId, PairId> = BTreeMap::new();
    let mut attempts: BTreeMap<SessionId, usize> = BTreeMap::new();
    let mut violations = Vec::new();
    for event in view.history {
        if let (Op::Say { id, pair }, Kind::Invoke) = (&event.op, event.kind) {
            meant.insert(id, *pair);
            if let Some(session) = event.session {
                *attempts.entry(session).or_default() += 1;
            }
        }
        let (Some(session), Some((id, why))) = (event.session, refused(event)) else { continue };
        let said = ATTEMPTS * attempts.get(&session).copied().unwrap_or_default();
        if is_too_fast(why) && said < plan.server.messages_burst_max as usize {
            let what = format!("{session} said too much, having said at most {said} messages");
            violations.push(Violation::new(NAME, what, &[event.index]));
        }
        let is_over = |pair: &&PairId| why == Rejected::StalePair { meant: **pair }.to_string();
        if let Some(pair) = meant.get(id).filter(is_over) {
            violations.extend(over_too_soon(view, session, *pair, event));
        }
    }
    violations
}

/// The message that was refused, and why.
fn refused(event: &Event) -> Option<(&MessageId, &str)> {
    match &event.op {
        Op::Say { id, .. } if event.kind == Kind::Fail => Some((id, event.detail.as_deref()?)),
        Op::Refused { refusal } => Some((refusal.id.as_ref()?, &refusal.problem.detail)),
        _ => None,
    }
}

/// A conversation that goes on although somebody was told that it was over.
fn over_too_soon(
    view: &View<'_>,
    session: SessionId,
    pair: PairId,
    refused: &Event,
) -> Option<Violation> {
    let settled = view.settled?;
    let events = view.sessions.get(&session)?;
    let paired =
        events.iter().position(|event| event.told() == Some(&ServerEvent::Paired { pair }))?;
    let later = &events[paired + 1..];
    let ends_it = |event: &&&Event| {
        let is_own = matches!(event.op, Op::Next | Op::Leave | Op::Vanish);
        let is_told = matches!(
            event.told(),
            Some(
                ServerEvent::Waiting
                    | ServerEvent::Paired { .. }
                    | ServerEvent::PartnerLeft { .. }
                    | ServerEvent::Closing { .. }
            )
        );
        is_own || is_told
    };
    let end = later.iter().find(ends_it).filter(|end| end.index < settled.index);
    if end.is_some() || !view.is_present_at_rest(session) {
        return None;
    }
    let what = format!("{session} was told that {pair} is over, and it never was");
    Some(Violation::new(NAME, what, &[events[paired].index, refused.index]))
}

fn is_too_fast(why: &str) -> bool {
    let told = Rejected::TooFast { retry_after_ms: 0 }.to_string();
    told.split_once(';').is_some_and(|(reason, _)| why.starts_with(reason))
}
