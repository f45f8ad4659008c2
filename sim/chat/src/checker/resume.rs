//! A client that keeps its cursor can go on from it.
//!
//! The server may forget a session, and says so by another refusal. It never says that the cursor of
//! a session that it knows is out of bounds, because it forgets only what was acknowledged. There is
//! one exception: where a mailbox is full, and its client has never acknowledged anything, it forgets
//! what it has handed out. A stream that is taken up again acknowledges nothing with that.

use std::collections::{BTreeMap, BTreeSet};

use client::TransportKind;
use protocol::{Seq, SessionId};
use server::config::Config;

use super::Violation;
use crate::history::{Event, Kind, Op};
use crate::plan::{Action, Plan};

const NAME: &str = "resume";
/// The kind of the problem.
pub(super) const OUT_OF_BOUNDS: &str = "cursor";

/// Checks every refusal to read, but for people with a second tab, which acknowledges for the first
/// one.
#[must_use]
pub fn check(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let with_tabs = with_tabs(plan);
    let mut acknowledged = Acknowledged::of(plan);
    let mut violations = Vec::new();
    for event in history {
        acknowledged.take(event);
        let is_reading = matches!(event.op, Op::Open { .. } | Op::Lost | Op::Poll { .. });
        let is_refused = is_reading && event.is_refused_as(OUT_OF_BOUNDS);
        let is_promised = acknowledged.by(event) && !with_tabs.contains(event.process.as_str());
        if is_refused && is_promised {
            let what = format!("{} could not go on from its own cursor", event.process);
            violations.push(Violation::new(NAME, what, &[event.index]));
        }
    }
    violations
}

/// People who read on in a second tab now and then. One poll more, from the cursor of the first tab, is
/// not ahead of it.
pub(super) fn with_tabs(plan: &Plan) -> BTreeSet<&str> {
    let is_tab = |action| matches!(action, Action::SecondTab | Action::FreshTab);
    let tabs = plan.steps.iter().filter(|step| is_tab(step.action));
    tabs.map(|step| step.client.as_str()).collect()
}

/// Who is known to have acknowledged something, in which session.
struct Acknowledged<'a> {
    /// Nobody's mailbox is ever full, so that it does not matter.
    by_all: bool,
    short_pollers: BTreeSet<&'a str>,
    sessions: BTreeSet<SessionId>,
    /// When each session was last told something, in microseconds since the start.
    told_us: BTreeMap<SessionId, u64>,
}

impl<'a> Acknowledged<'a> {
    fn of(plan: &'a Plan) -> Self {
        let usual = Config::default();
        let Config { mailbox_events_max, mailbox_bytes_max, messages_burst_max, .. } =
            plan.config.server;
        let people = plan.clients.iter();
        let short = people.filter(|person| person.profile.transport == TransportKind::ShortPoll);
        Self {
            // Only one that holds less than usual, or is given more, is ever full here.
            by_all: mailbox_events_max >= usual.mailbox_events_max
                && mailbox_bytes_max >= usual.mailbox_bytes_max
                && messages_burst_max <= usual.messages_burst_max,
            short_pollers: short.map(|person| person.name.as_str()).collect(),
            sessions: BTreeSet::new(),
            told_us: BTreeMap::new(),
        }
    }

    fn by(&self, event: &Event) -> bool {
        self.by_all || event.session.is_some_and(|session| self.sessions.contains(&session))
    }

    /// Asking with a cursor acknowledges, and the answer shows that the server was asked.
    fn take(&mut self, event: &Event) {
        let Some(session) = event.session else { return };
        let acknowledges = match &event.op {
            Op::Poll { after } => event.kind == Kind::Ok && *after > Seq(0),
            // What comes later came with the answer to a later question.
            Op::Told { .. } if self.short_pollers.contains(event.process.as_str()) => {
                let before = self.told_us.insert(session, event.at_us);
                before.is_some_and(|before_us| before_us < event.at_us)
            }
            _ => false,
        };
        if acknowledges {
            self.sessions.insert(session);
        }
    }
}
