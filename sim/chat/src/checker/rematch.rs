//! Whoever asks for another partner is rid of this one, and does not meet the same again while
//! anybody else waits.
//!
//! ```text
//!   ann, bob: partner_left        cyd: waiting ─────────────────> still waiting
//!                   └─────────> ann, bob: paired    although cyd was there
//! ```

use std::collections::BTreeMap;

use protocol::{LeftReason, PairId, ServerEvent, SessionId};
use server::config::Config;

use super::Violation;
use super::connections::is_undisturbed;
use super::view::View;
use crate::history::{Event, Kind, Op, PUT_GRAIN_US};
use crate::plan::{ChatPlan, Plan};

const NAME: &str = "rematch";
/// How long somebody must have been in good order to count as there, in microseconds.
const QUIET_US: u64 = 1_000_000;

/// Checks each `next` that was accepted, and each conversation of two who have just had one.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let sessions = view.sessions.iter();
    let mut violations: Vec<_> =
        sessions.flat_map(|(session, events)| kept(view, *session, events)).collect();
    // Where the clock jumps nobody knows when the server put anything anywhere. And where mailboxes are
    // small, somebody who waits is kept back until what was read is acknowledged.
    let keeps_back = plan.config.server.mailbox_events_max < Config::default().mailbox_events_max;
    if !plan.moves_the_clock() && !keeps_back {
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

/// Conversations of two who had just left each other, while a third one was there.
fn met_again(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let before = befores(view);
    let mut violations = Vec::new();
    for (pair, told) in &view.pairs {
        let [(one, event), (other, _)] = told.as_slice() else { continue };
        let Some(met_us) = told.iter().filter_map(|(_, event)| event.put_us()).min() else {
            continue;
        };
        let last = |who: &SessionId| before.get(&(*who, *pair)).copied();
        let third = match (last(one), last(other)) {
            (Some(last), Some(too)) if last == too => {
                let mut others = view.sessions.iter();
                others.find_map(|(third, events)| {
                    let wait = Wait { plan, view, events, met_us };
                    let waits = wait.waiting([*one, *other])?;
                    (third != one && third != other).then_some((*third, waits))
                })
            }
            (Some(of_one), Some(of_other)) => {
                let both = [(*one, of_one, *other, of_other), (*other, of_other, *one, of_one)];
                both.into_iter().find_map(|(waits, mine, comes, theirs)| {
                    let is_again = view.partner(mine, waits) == Some(comes);
                    let parting = Parting { plan, view, pair: theirs, met_us };
                    is_again.then(|| parting.left_over(waits, comes)).flatten()
                })
            }
            _ => None,
        };
        if let Some((third, was_there)) = third {
            let what = format!("{one} and {other} met again in {pair}, while {third} waited");
            violations.push(Violation::new(NAME, what, &[was_there.index, event.index]));
        }
    }
    violations
}

/// Two who part in the moment in which one of them meets somebody again: the other one of them was
/// there as well.
struct Parting<'a> {
    plan: &'a Plan,
    view: &'a View<'a>,
    /// The conversation that ends.
    pair: PairId,
    met_us: u64,
}

impl<'a> Parting<'a> {
    /// Whoever was left over, and could have met the one who waited, instead of the one who `comes`.
    fn left_over(&self, waits: SessionId, comes: SessionId) -> Option<(SessionId, &'a Event)> {
        let third = self.view.partner(self.pair, comes)?;
        self.parted(comes)?;
        let left = self.parted(third)?;
        let waited = Wait {
            plan: self.plan,
            view: self.view,
            events: self.view.sessions.get(&waits)?,
            met_us: self.met_us,
        };
        waited.since()?;
        let from_us = left.at_us.saturating_sub(QUIET_US);
        let was_there = is_undisturbed(self.plan, &left.process, from_us, left.at_us);
        (third != waits && was_there).then_some((third, left))
    }

    /// What told somebody of the parting, if it was put there in the moment of the meeting.
    fn parted(&self, who: SessionId) -> Option<&'a Event> {
        let skipped = ServerEvent::PartnerLeft { reason: LeftReason::Skipped };
        let ended = self.view.talk(who, self.pair)?.ended?;
        (ended.told() == Some(&skipped) && ended.put_us() == Some(self.met_us)).then_some(ended)
    }
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
    /// What said that it waits, if it was told nothing else until then.
    fn since(&self) -> Option<(usize, &'a Event)> {
        let is_before = |event: &&&Event| event.at_us + PUT_GRAIN_US <= self.met_us;
        let known = self.events.iter().take_while(is_before).count();
        let before = &self.events[..known];
        let place = before.iter().rposition(|event| event.told() == Some(&ServerEvent::Waiting))?;
        let is_all = before[place + 1..].iter().all(|event| is_quiet(event));
        is_all.then_some((place, before[place]))
    }

    /// What said that it waits, if it did so all the while, with nothing in its way, and had not come
    /// from one of the two.
    fn waiting(&self, two: [SessionId; 2]) -> Option<&'a Event> {
        let (place, waits) = self.since()?;
        let session = waits.session?;
        // What was told later had not been put there yet.
        let next = self.events[place + 1..].iter().find(|event| !is_quiet(event));
        let is_later = |event: &&Event| {
            event.put_us().is_some_and(|put_us| put_us > self.met_us + PUT_GRAIN_US)
        };
        let last = self.events[..place].iter().rev().find_map(|event| match event.told() {
            Some(ServerEvent::Paired { pair }) => self.view.partner(*pair, session),
            _ => None,
        });
        let (who, since_us) = (waits.process.as_str(), waits.at_us);
        let was_there = is_undisturbed(self.plan, who, since_us, self.met_us);
        let comes_from_them = last.is_some_and(|last| two.contains(&last));
        (next.is_some_and(is_later) && was_there && !comes_from_them).then_some(waits)
    }
}

/// Nothing that ends waiting.
fn is_quiet(event: &Event) -> bool {
    matches!(event.told(), Some(ServerEvent::Notice { .. } | ServerEvent::Lagged { .. }))
        || matches!(event.op, Op::Poll { .. } | Op::Repeated { .. })
}
