//! A client that keeps its cursor can go on from it.
//!
//! The server may forget a session, and says so by another refusal. It never says that the cursor of
//! a session that it knows is out of bounds, because it forgets only what was acknowledged.

use std::collections::BTreeSet;

use server::config::Config;

use super::Violation;
use crate::history::{Event, Op};
use crate::plan::{Action, Plan};

const NAME: &str = "resume";
/// How the server's problem details call it.
const OUT_OF_BOUNDS: &str = "The cursor is out of bounds";

/// Checks every refusal to read, but for people who open a second tab, which acknowledges for the
/// first one.
#[must_use]
pub fn check(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    // A full mailbox forgets what was handed out to somebody who has never acknowledged anything, and
    // then says so. Only one that holds less than usual is ever full here.
    if plan.server.mailbox_events_max < Config::default().mailbox_events_max {
        return Vec::new();
    }
    let is_tab =
        |action| matches!(action, Action::SecondTab | Action::SecondPoll | Action::DoublePost);
    let tabs = plan.steps.iter().filter(|step| is_tab(step.action));
    let with_tabs: BTreeSet<_> = tabs.map(|step| step.who.as_str()).collect();
    let refused = history.iter().filter(|event| {
        let detail = event.detail.as_deref().unwrap_or_default();
        let is_reading = matches!(event.op, Op::Open { .. } | Op::Lost | Op::Poll { .. });
        is_reading && detail.contains(OUT_OF_BOUNDS) && !with_tabs.contains(event.process.as_str())
    });
    refused
        .map(|event| {
            let what = format!("{} could not go on from its own cursor", event.process);
            Violation::new(NAME, what, &[event.index])
        })
        .collect()
}
