//! A session that is closed as slow has read nothing for as long as the server waits for that.
//!
//! An event that was put into the mailbox and read within that time was handed out within it, by
//! whatever transport, and however slow the network was.

use std::time::Duration;

use protocol::{CloseReason, ServerEvent, SessionId};

use super::Violation;
use super::view::View;
use crate::history::{Event, Op, PUT_GRAIN_US};
use crate::plan::{ChatPlan, Plan};

const NAME: &str = "slow";

/// Checks each session that was closed as slow.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    if plan.moves_the_clock() {
        // Nobody knows when the server put anything anywhere.
        return Vec::new();
    }
    let sessions = view.sessions.iter();
    sessions.filter_map(|(session, events)| has_read(plan, *session, events)).collect()
}

/// What a session has read that is called slow.
fn has_read(plan: &Plan, session: SessionId, events: &[&Event]) -> Option<Violation> {
    let slow = ServerEvent::Closing { reason: CloseReason::Slow, retry_after_ms: None };
    let closed = events.iter().find(|event| event.told() == Some(&slow))?;
    let closed_us = closed.put_us()?;
    let unread_us = Duration::from_millis(plan.config.server.unread_ms_max).as_micros() as u64;
    // Two clocks, of which one tells milliseconds, need not agree on what came first.
    let grain_us = PUT_GRAIN_US + plan.settings.tick_ms * 1_000;
    let since_us = (closed_us + grain_us).checked_sub(unread_us)?;
    let read = events.iter().find(|event| {
        let is_told = matches!(event.op, Op::Told { .. });
        let is_late = event.put_us().is_some_and(|put_us| put_us > since_us);
        is_told && is_late && event.at_us + grain_us < closed_us
    })?;
    let what = format!("{session} was closed as slow, and had just read");
    Some(Violation::new(NAME, what, &[read.index, closed.index]))
}
