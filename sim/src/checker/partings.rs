//! Whoever asks for another partner is rid of this one, and does not meet the same again while
//! anybody else waits.
//!
//! ```text
//!   ann, bob: partner_left        cyd: waiting ─────────────────> still waiting
//!                   └─────────> ann, bob: paired    although cyd was there
//! ```

use std::collections::BTreeMap;

use server::protocol::{PairId, ServerEvent, SessionId};

use super::Violation;
use super::connections::{is_calm, lets_be};
use super::view::View;
use crate::history::{Event, Kind, Op, PUT_GRAIN_US};
use crate::plan::Plan;

const NAME: &str = "partings";

/// Checks each `next` that was accepted, and each conversation of two who have just had one.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let sessions = view.sessions.iter();
    let mut violations: Vec<_> =
        sessions.flat_map(|(session, events)| kept(view, *session, events)).collect();
    // Where the clock jumps nobody knows when the server put anything anywhere.
    if !plan.moves_the_clock() {
        violations.extend(met_again(plan, view));
    }
    violations
}

/// Conversations that went on although one of the two was promised another partner.
fn kept(view: &View<'_>, session: SessionId, events: &[&Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut current = None;
    let mut asked: Option<(&Event, PairId)> = None;
    for event in events {
        match (&event.op, event.kind) {
            (Op::Next, Kind::Invoke) => asked = current.map(|pair| (*event, pair)),
            (Op::Next, kind) => {
                let Some((invoked, pair)) = asked.take().filter(|_| kind == Kind::Ok) else {
                    continue;
                };
                let goes_on = view.talk(session, pair).is_some_and(|talk| talk.ended.is_none());
                if goes_on && view.is_present_at_rest(session) {
                    let what =
                        format!("{session} asked for another partner, and kept that of {pair}");
                    violations.push(Violation::new(NAME, what, &[invoked.index, event.index]));
                }
            }
            _ => {}
        }
        current = match event.told() {
            Some(ServerEvent::Paired { pair }) => Some(*pair),
            Some(ServerEvent::PartnerLeft { .. } | ServerEvent::Waiting) => None,
            _ => current,
        };
    }
    violations
}

/// Conversations of two who had just left each other, while a third one waited.
fn met_again(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let before = befores(view);
    let mut violations = Vec::new();
    for (pair, told) in &view.pairs {
        let [(one, event), (other, _)] = told.as_slice() else { continue };
        let earlier = before.get(&(*one, *pair));
        if earlier.is_none() || earlier != before.get(&(*other, *pair)) {
            continue;
        }
        let Some(met_us) = told.iter().filter_map(|(_, event)| event.put_us()).min() else {
            continue;
        };
        let third = view.sessions.iter().find_map(|(third, events)| {
            let wait = Wait { plan, view, events, met_us };
            let waits = wait.waiting([*one, *other])?;
            (third != one && third != other).then_some((third, waits))
        });
        if let Some((third, waits)) = third {
            let what = format!("{one} and {other} met again in {pair}, while {third} waited");
            violations.push(Violation::new(NAME, what, &[waits.index, event.index]));
        }
    }
    violations
}

/// The conversation that each session had before each of its own.
fn befores(view: &View<'_>) -> BTreeMap<(SessionId, PairId), PairId> {
    let mut before = BTreeMap::new();
    for (session, events) in &view.sessions {
        let mut last = None;
        for event in events {
            let Some(ServerEvent::Paired { pair }) = event.told() else { continue };
            if let Some(last) = last.replace(*pair) {
                before.insert((*session, *pair), last);
            }
        }
    }
    before
}

/// A third session, when two others met.
struct Wait<'a> {
    plan: &'a Plan,
    view: &'a View<'a>,
    events: &'a [&'a Event],
    /// When the others met, in microseconds since the start.
    met_us: u64,
}

impl<'a> Wait<'a> {
    /// What said that it waits, if it did so all the while, with nothing in its way, and had not come
    /// from one of the two.
    fn waiting(&self, two: [SessionId; 2]) -> Option<&'a Event> {
        let is_before = |event: &&&Event| event.at_us + PUT_GRAIN_US <= self.met_us;
        let known = self.events.iter().take_while(is_before).count();
        let (before, after) = self.events.split_at(known);
        let place = before.iter().rposition(|event| event.told() == Some(&ServerEvent::Waiting))?;
        let waits = before[place];
        let session = waits.session?;
        let is_quiet = |event: &&&Event| {
            matches!(event.told(), Some(ServerEvent::Notice { .. } | ServerEvent::Lagged { .. }))
                || matches!(event.op, Op::Poll { .. } | Op::Repeated { .. })
        };
        if !before[place + 1..].iter().all(|event| is_quiet(&event)) {
            return None;
        }
        // What was told later had not been put there yet.
        let next = after.iter().find(|event| event.told().is_some() && !is_quiet(event));
        let is_later = |event: &&Event| {
            event.put_us().is_some_and(|put_us| put_us > self.met_us + PUT_GRAIN_US)
        };
        let last = before[..place].iter().rev().find_map(|event| match event.told() {
            Some(ServerEvent::Paired { pair }) => self.view.partner(*pair, session),
            _ => None,
        });
        let (who, since_us) = (waits.process.as_str(), waits.at_us);
        let was_there = is_calm(self.plan, who, since_us, self.met_us, None)
            && lets_be(self.plan, who, since_us, self.met_us);
        let comes_from_them = last.is_some_and(|last| two.contains(&last));
        (next.is_some_and(is_later) && was_there && !comes_from_them).then_some(waits)
    }
}
