//! While nobody comes or goes, the figures that an operator sees are those of the people. The messages that a
//! server counts for a transport are those that its people have said. And a server that drains welcomes nobody.
//!
//! ```text
//!   somebody came, went or lost a connection      asked      everything has settled
//!        │<──── time-outs pass, QUIET_US ─────────>│<── nobody comes or goes ──>│
//! ```
//!
//! Asked is a server at rest, because people and server learn of each other's doings at different
//! times. What it holds in the end is a matter of `leaks`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use client::TransportKind;
use protocol::{ServerEvent, Speaker};

use super::Violation;
use super::connections::is_calm;
use super::view::View;
use crate::fault::FaultOfChat;
use crate::flood::Flood;
use crate::history::{Event, Kind, Op};
use crate::operator::{DEPTHS, MESSAGES, OPERATOR, SCRAPE_MS};
use crate::plan::{Action, ChatPlan, FaultKind, Plan};

const NAME: &str = "metrics";
/// How long the server may hold what nobody knows of any more: a write that nobody acknowledges,
/// then the window to resume, in microseconds.
const QUIET_US: u64 = 3_000_000;
/// How long people may not know of what the server has told them, in microseconds.
const TOLD_US: u64 = 1_000_000;

/// Checks the last figures from before people left, and what is said of a server that drains.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let mut violations = at_rest(plan, view);
    violations.extend(messages(plan, view.history));
    violations.extend(while_draining(plan, view.history));
    violations
}

fn at_rest(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let Some(settled) = view.settled else { return Vec::new() };
    let history = &view.history[..settled.index];
    let asked = history.iter().rev().find_map(|event| match &event.op {
        Op::Gauges { gauges } => Some((event, gauges)),
        _ => None,
    });
    let Some((asked, gauges)) = asked.filter(|(asked, _)| is_quiet(history, asked)) else {
        return Vec::new();
    };
    let mut violations = Vec::new();
    for (name, expected) in expected(plan, view).into_iter().chain([depth(view, asked, gauges)]) {
        let value = gauges.get(name).copied().unwrap_or_default();
        if !expected.contains(&value) {
            let what = format!("of {name} the server counts {value}, not {}", told(expected));
            violations.push(Violation::new(NAME, what, &[asked.index]));
        }
    }
    violations
}

/// What the figures can be, with the people who are there.
fn expected(plan: &Plan, view: &View<'_>) -> BTreeMap<&'static str, RangeInclusive<u64>> {
    let (mut people, mut talking, mut streams) = (0, 0, 0);
    for (session, events) in &view.sessions {
        if !view.is_present_at_rest(*session) {
            continue;
        }
        people += 1;
        let word = view.last_word(*session);
        talking += u64::from(matches!(word, Some((_, ServerEvent::Paired { .. }))));
        streams += u64::from(events.first().is_some_and(|event| has_stream(plan, &event.process)));
    }
    BTreeMap::from([
        ("sessions", people..=people),
        ("sessions_closed", 0..=0),
        ("pairs", talking / 2..=talking / 2),
        ("waiting", people - talking..=people - talking),
        // Who polls reads only now and then.
        ("readers", streams..=people),
        // One for the next head count, one for a lease where nobody reads, one for a full mailbox.
        ("timers", people..=3 * people),
        ("parked", 0..=0),
        ("ready", 1..=1),
        // The one that asks is there too, and whoever polls may be.
        ("connections", streams + 1..=u64::MAX),
    ])
}

/// What mailboxes held whenever something was put there: at least that, and what had been put there
/// in the same millisecond, which nobody can have acknowledged meanwhile.
fn depth(
    view: &View<'_>,
    asked: &Event,
    gauges: &BTreeMap<String, u64>,
) -> (&'static str, RangeInclusive<u64>) {
    let [count, sum] = DEPTHS;
    let put = |event: &Event| match &event.op {
        Op::Told { event: told } => Some((told.seq, event.put_us()?)),
        _ => None,
    };
    let here = view.sessions.iter().filter(|(session, _)| view.is_present_at_rest(**session));
    let at_once = here.map(|(_, events)| {
        let before = events.iter().filter(|event| event.index < asked.index);
        let put: BTreeMap<_, _> = before.filter_map(|event| put(event)).collect();
        let pairs = put.iter().zip(put.iter().skip(1));
        pairs.filter(|((seq, at), (next, next_at))| seq.next() == **next && at == next_at).count()
    });
    let looks = gauges.get(count).copied().unwrap_or_default();
    (sum, looks + at_once.sum::<usize>() as u64..=u64::MAX)
}

/// Transports that the server tells apart, and that one person may use one after the other.
const TOGETHER: [&[TransportKind]; 4] = [
    &[TransportKind::ShortPoll, TransportKind::LongPoll],
    &[TransportKind::Sse],
    &[TransportKind::Websocket],
    &[TransportKind::SocketioPolling, TransportKind::SocketioWebsocket],
];

/// The last figures of a server that has been the only one.
fn messages(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let asked = history.iter().rev().find_map(|event| match &event.op {
        Op::Gauges { gauges } => Some((event, gauges)),
        _ => None,
    });
    let Some((asked, gauges)) = asked else { return Vec::new() };
    let is_told = gauges.keys().any(|name| name.starts_with(MESSAGES));
    if !is_told || plan.faults.iter().any(|fault| fault.kind.ends_servers()) {
        return Vec::new();
    }
    let violation = |kinds: &[TransportKind]| {
        let names = kinds.iter().map(|kind| format!("{MESSAGES}{{transport=\"{kind}\"}}"));
        let count: u64 = names.filter_map(|name| gauges.get(&name)).sum();
        let expected = said(plan, &history[..asked.index], asked.at_us, kinds);
        let what = format!("of the messages of {} the server counts {count}, not ", kinds[0]);
        (!expected.contains(&count))
            .then(|| Violation::new(NAME, what + &told(expected), &[asked.index]))
    };
    TOGETHER.into_iter().filter_map(violation).collect()
}

/// How many messages of the people of these transports were accepted: those at least that they had heard
/// themselves in time, and at most those that they wanted to say, where none is forgotten and said anew. Some
/// poll beside what they have, and may be counted for either.
fn said(
    plan: &Plan,
    history: &[Event],
    asked_us: u64,
    kinds: &[TransportKind],
) -> RangeInclusive<u64> {
    let polls_too = plan.steps.iter().filter(|step| step.action == Action::SecondPoll);
    let polls_too: BTreeSet<_> = polls_too.map(|step| step.client.as_str()).collect();
    let people = plan.clients.iter().filter(|person| kinds.contains(&person.profile.transport));
    let people: BTreeSet<_> = people.map(|person| person.name.as_str()).collect();
    let are_polls = kinds.contains(&TransportKind::ShortPoll);
    let (mut heard, mut said) = (BTreeSet::new(), BTreeSet::new());
    for event in history {
        let who = event.process.as_str();
        let (is_one, may_poll) = (people.contains(who), polls_too.contains(who));
        match (&event.op, event.told()) {
            (Op::Say { id, .. }, _) if is_one || are_polls && may_poll => drop(said.insert(id)),
            (_, Some(ServerEvent::Message { from: Speaker::Me, id, .. }))
                if is_one
                    && (are_polls || !may_poll)
                    && event.at_us + SCRAPE_MS * 1_000 < asked_us =>
            {
                heard.insert(id);
            }
            _ => {}
        }
    }
    // What an attacker says, over WebSockets, is not in the history.
    let is_flooded = kinds.contains(&TransportKind::Websocket)
        && plan.floods().any(|(flood, _, _)| flood == Flood::Say);
    let is_unbounded = is_flooded || said.len() > plan.config.server.message_ids_max;
    let most = if is_unbounded { u64::MAX } else { said.len() as u64 };
    heard.len() as u64..=most
}

/// A server that was told to stop, and would still have new people.
fn while_draining(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let mut drain = None;
    let mut violations = Vec::new();
    for event in history {
        match &event.op {
            Op::Fault { fault, kind, .. }
                if *kind == FaultKind::Drain && event.kind == Kind::Invoke =>
            {
                drain = Some((*fault, event));
            }
            Op::Exited => drain = None,
            Op::Fault { kind, .. } if *kind == FaultKind::Drain => drain = None,
            Op::Gauges { gauges } => {
                let Some((fault, began)) = drain else { continue };
                let is_alone = is_calm(plan, OPERATOR, began.at_us, event.at_us, Some(fault));
                if is_alone && gauges.get("ready") != Some(&0) {
                    let what = "a server that drains says that new people are welcome".to_owned();
                    violations.push(Violation::new(NAME, what, &[began.index, event.index]));
                }
            }
            _ => {}
        }
    }
    violations
}

/// True when nobody has come, gone or lost a connection for long enough, nor has been paired lately,
/// and nobody does before everything has settled.
fn is_quiet(history: &[Event], asked: &Event) -> bool {
    let moved = |event: &&Event| match &event.op {
        Op::Open { .. } | Op::Leave | Op::Vanish | Op::Lost => true,
        Op::Poll { .. } => event.kind == Kind::Info,
        _ => false,
    };
    let paired = |event: &&Event| {
        matches!(
            event.told(),
            Some(
                ServerEvent::Welcome { .. }
                    | ServerEvent::Waiting
                    | ServerEvent::Paired { .. }
                    | ServerEvent::PartnerLeft { .. }
                    | ServerEvent::Closing { .. }
            )
        )
    };
    let is_before = |event: Option<&Event>, for_us: u64| {
        event.is_none_or(|event| event.at_us + for_us < asked.at_us)
    };
    is_before(history.iter().rev().find(moved), QUIET_US)
        && is_before(history.iter().rev().find(paired), TOLD_US)
}

fn told(expected: RangeInclusive<u64>) -> String {
    match expected.into_inner() {
        (least, most) if least == most => least.to_string(),
        (least, u64::MAX) => format!("{least} or more"),
        (least, most) => format!("{least} to {most}"),
    }
}

fn has_stream(plan: &Plan, who: &str) -> bool {
    let person = plan.clients.iter().find(|person| person.name == who);
    person.is_some_and(|person| person.profile.transport.is_pushed())
}
