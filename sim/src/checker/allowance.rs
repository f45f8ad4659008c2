//! Nobody says more than is allowed: so many messages at once, and then so many a second.
//!
//! The server's own rule is a generic cell rate algorithm (GCRA, ITU-T I.371); here it is played
//! through with the messages that were accepted, by the time at which they were put into the mailbox
//! of whoever said them.

use std::collections::BTreeMap;

use server::protocol::{ServerEvent, SessionId, Speaker};

use super::Violation;
use super::view::View;
use crate::history::{Event, PUT_GRAIN_US};
use crate::plan::Plan;

const NAME: &str = "allowance";
const US_A_SECOND: u64 = 1_000_000;

/// Checks everybody's messages, in the order in which they were accepted.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    if plan.moves_the_clock() {
        // Nobody knows when the server put anything anywhere.
        return Vec::new();
    }
    let price_us = US_A_SECOND / u64::from(plan.server.messages_per_s_max.max(1));
    let credit_us = price_us * u64::from(plan.server.messages_burst_max.max(1));
    let mut paid_until_us: BTreeMap<SessionId, u64> = BTreeMap::new();
    let mut violations = Vec::new();
    for event in view.history {
        let (Some(session), Some(put_us)) = (event.session, accepted_us(event)) else { continue };
        let paid_us = paid_until_us.entry(session).or_default();
        *paid_us = (*paid_us).max(put_us) + price_us;
        if *paid_us > put_us + credit_us + PUT_GRAIN_US {
            let what = format!("{session} said more than is allowed");
            violations.push(Violation::new(NAME, what, &[event.index]));
            *paid_us = put_us;
        }
    }
    violations
}

/// When a message of one's own was accepted, if this tells of one.
fn accepted_us(event: &Event) -> Option<u64> {
    match event.told()? {
        ServerEvent::Message { from: Speaker::Me, .. } => event.put_us(),
        _ => None,
    }
}
