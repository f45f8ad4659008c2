//! Whoever is refused is told why, and it is true.
//!
//! * Too many messages were said by somebody who said as many as may be said at once.
//! * A message that is too long is: by one byte, because nobody here says anything longer.
//! * A conversation that is over has ended: its members are told so, or have ended it themselves.
//! * A cursor is out of bounds where somebody asks for events from it, and never where somebody names
//!   none, or acknowledges what was told before.
//! * A connection is superseded where its person has another one, and a server closes where it drains.
//! * A session that ends because its mailbox is full has one that is.

use std::collections::BTreeMap;

use protocol::{
    CloseReason, MESSAGE_ID_CHARS_MAX, MessageId, PairId, Problem, Rated, Seq, ServerEvent,
    SessionId,
};

use super::Violation;
use super::connections::{Connections, is_undisturbed};
use super::resume::{OUT_OF_BOUNDS, with_tabs};
use super::view::View;
use crate::fault::FaultOfChat;
use crate::history::{Detail, Event, Kind, Op, is_kind};
use crate::plan::{Action, ChatPlan, Fault, Plan};
use crate::workload::TEXT_BYTES_MAX;

const NAME: &str = "rejections";
/// The kind of the problem of a user who does more than a session may.
const TOO_FAST: &str = "too-fast";
/// A client whose connection breaks says it once more by itself.
const ATTEMPTS: usize = 2;
/// Places of a mailbox that no message takes.
const PLACES_RESERVED: usize = 5;

/// Checks each refusal, and each end of a session that was too slow.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let mut violations = out_of_bounds(plan, view.history);
    violations.extend(superseded(plan, view.history));
    violations.extend(draining(plan, view.history));
    violations.extend(messages(plan, view));
    let sessions = view.sessions.iter();
    violations
        .extend(sessions.filter_map(|(session, events)| was_not_slow(plan, *session, events)));
    violations
}

/// Refusals for a cursor over a connection that named none, or whose person had no other that could
/// have been ahead.
fn out_of_bounds(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let with_tabs = with_tabs(plan);
    let violation = |event: &Event| {
        let Op::Refused { refusal } = &event.op else { return None };
        let has_no_excuse = event.detail == Some(Detail::NamedNoCursor)
            || !with_tabs.contains(event.process.as_str());
        let what = format!("{} was refused for a cursor, and asked from none", event.process);
        (is_kind(&refusal.problem, OUT_OF_BOUNDS) && has_no_excuse)
            .then(|| Violation::new(NAME, what, &[event.index]))
    };
    history.iter().filter_map(violation).collect()
}

fn superseded(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let mut with_tabs = with_tabs(plan);
    let polls = plan.steps.iter().filter(|step| step.action == Action::SecondPoll);
    with_tabs.extend(polls.map(|step| step.client.as_str()));
    let mut connections = Connections::default();
    let mut violations = Vec::new();
    for event in history {
        let who = event.process.as_str();
        if is_superseded(event)
            && !with_tabs.contains(who)
            && let Some(since_us) = connections.of(who)
            && is_undisturbed(plan, who, since_us, event.at_us)
        {
            let what = format!("{who} was superseded by nobody");
            violations.push(Violation::new(NAME, what, &[event.index]));
        }
        connections.take(event);
    }
    violations
}

fn draining(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let is_drain = |fault: &Fault| fault.kind.drains();
    if plan.faults.iter().any(is_drain) {
        return Vec::new();
    }
    let told = history.iter().filter(|event| is_draining(event));
    let violation = |event: &Event| {
        let what = format!("{} was told that the server closes, and it never did", event.process);
        Violation::new(NAME, what, &[event.index])
    };
    told.map(violation).collect()
}

fn messages(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let mut meant: BTreeMap<&MessageId, Meant> = BTreeMap::new();
    let mut attempts: BTreeMap<SessionId, usize> = BTreeMap::new();
    let mut violations = Vec::new();
    for event in view.history {
        if let (Op::Say { id, pair, bytes }, Kind::Invoke) = (&event.op, event.kind) {
            meant.insert(id, Meant { pair: *pair, bytes: *bytes });
            if let Some(session) = event.session {
                *attempts.entry(session).or_default() += 1;
            }
        }
        let (Some(session), Some((id, why))) = (event.session, refused(event)) else { continue };
        let said = ATTEMPTS * attempts.get(&session).copied().unwrap_or_default();
        if is_too_fast(why, Rated::Messages)
            && said < plan.config.server.messages_burst_max as usize
        {
            let what = format!("{session} said too much, having said at most {said} messages");
            violations.push(Violation::new(NAME, what, &[event.index]));
        }
        let Some(meant) = meant.get(id) else { continue };
        if is_kind(why, "message-too-long") && meant.bytes <= plan.config.server.message_bytes_max {
            let what = format!("{id} has {} bytes, and is called too long", meant.bytes);
            violations.push(Violation::new(NAME, what, &[event.index]));
        }
        if is_kind(why, "stale-pair") {
            violations.extend(over_too_soon(view, session, meant.pair, event));
        }
    }
    violations
}

/// What is known of a message that was said.
struct Meant {
    pair: PairId,
    bytes: usize,
}

/// The message that was refused, and why.
pub(super) fn refused(event: &Event) -> Option<(&MessageId, &Problem)> {
    let problem = event.problem()?;
    match &event.op {
        Op::Say { id, .. } if event.kind == Kind::Fail => Some((id, problem)),
        Op::Refused { refusal } => Some((refusal.id.as_ref()?, problem)),
        _ => None,
    }
}

/// True where this limit of a session was exceeded.
pub(super) fn is_too_fast(why: &Problem, what: Rated) -> bool {
    is_kind(why, TOO_FAST) && why.limit == Some(what)
}

/// A user's connection is refused because there is another one.
fn is_superseded(event: &Event) -> bool {
    matches!(event.op, Op::Refused { .. }) && event.is_refused_as("superseded")
}

/// A user's command is refused because the server closes.
fn is_draining(event: &Event) -> bool {
    let is_command = matches!(event.op, Op::Say { .. } | Op::Next | Op::Refused { .. });
    is_command && event.is_refused_as("draining")
}

/// A conversation that goes on although somebody was told that it was over.
fn over_too_soon(
    view: &View<'_>,
    session: SessionId,
    pair: PairId,
    refused: &Event,
) -> Option<Violation> {
    let talk = view.talk(session, pair)?;
    if talk.ended.is_some() || !view.is_present_at_rest(session) {
        return None;
    }
    let what = format!("{session} was told that {pair} is over, and it never was");
    Some(Violation::new(NAME, what, &[talk.began.index, refused.index]))
}

/// A session that was ended as too slow with room in its mailbox.
fn was_not_slow(plan: &Plan, session: SessionId, events: &[&Event]) -> Option<Violation> {
    let (last, seq) = events.iter().find_map(|event| match &event.op {
        Op::Told { event: told } if is_slow(&told.body) => Some((*event, told.seq)),
        _ => None,
    })?;
    let acknowledged = acknowledged(plan, events, last);
    let held = seq.0.saturating_sub(1 + acknowledged.0) as usize;
    let kept = events.iter().filter_map(|event| match &event.op {
        Op::Told { event } if event.seq > acknowledged => Some(bytes(&event.body)),
        _ => None,
    });
    let full = plan.config.server.mailbox_events_max.saturating_sub(PLACES_RESERVED);
    let has_room =
        held < full && kept.sum::<usize>() + longest(plan) <= plan.config.server.mailbox_bytes_max;
    let what = format!("{session} ended as too slow, with {held} events at most");
    has_room.then(|| Violation::new(NAME, what, &[last.index]))
}

fn is_slow(told: &ServerEvent) -> bool {
    matches!(told, ServerEvent::Closing { reason: CloseReason::Slow, .. })
}

/// Up to where a session was acknowledged when its last event was put into the mailbox, as far as is
/// known: a poll that was answered before that has acknowledged what it asked for.
fn acknowledged(plan: &Plan, events: &[&Event], last: &Event) -> Seq {
    // Where the clock jumps nobody knows when that was.
    let Some(put_us) = last.put_us().filter(|_| !plan.moves_the_clock()) else { return Seq(0) };
    let polls = events.iter().filter_map(|event| match event.op {
        Op::Poll { after } if event.kind == Kind::Ok => (event.at_us <= put_us).then_some(after),
        _ => None,
    });
    polls.max().unwrap_or_default()
}

/// What a mailbox counts of an event: the text and the id of a message.
fn bytes(told: &ServerEvent) -> usize {
    match told {
        ServerEvent::Message { id, text, .. } => id.as_str().len() + text.len(),
        _ => 0,
    }
}

/// The longest message that anybody says, its id included, in bytes.
fn longest(plan: &Plan) -> usize {
    let says_much = plan.steps.iter().any(|step| step.action == Action::SayMuch);
    let text = if says_much { plan.config.server.message_bytes_max } else { TEXT_BYTES_MAX };
    text + MESSAGE_ID_CHARS_MAX
}
