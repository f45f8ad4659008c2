//! Whoever is gone for good is missed: the partner is told within the time that the protocol names.
//!
//! ```text
//!   vanishes ── its way ──> suspect ── resume window ──> lost: the partner is told
//!   power cut, hung program ── a heartbeat and its time-out ──> suspect ── resume window ──> lost
//!                              or the time that writing may take, where somebody talks to them
//! ```
//!
//! Asked is after people who had one connection all the time, which stood, and after the time at
//! which the server put `partner_left` into the mailbox, however late it is read. That it is put
//! there at all is a matter of `liveness`.

use std::collections::BTreeMap;

use client::TransportKind;
use protocol::{PairId, ServerEvent, SessionId, Speaker};

use super::Violation;
use super::connections::{Connections, is_calm, lets_be};
use super::view::View;
use crate::history::{Detail, Event, Op};
use crate::plan::{ChatPlan, Plan};

const NAME: &str = "failure-detection";
/// What the end of a connection may take beyond its way: a tick here and there.
const SLACK_MS: u64 = 300;
/// Ways of the last packet, which may wait for one before it.
const TRIPS: u64 = 2;

/// Checks everybody who vanished while talking.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    if plan.moves_the_clock() {
        // Nobody knows when the server put anything anywhere.
        return Vec::new();
    }
    let mut connections = Connections::default();
    let mut talks: BTreeMap<SessionId, PairId> = BTreeMap::new();
    let mut violations = Vec::new();
    for event in view.history {
        if let (Op::Vanish, Some(session)) = (&event.op, event.session)
            && let Some(pair) = talks.get(&session)
            && let Some(since_us) = connections.of(&event.process)
        {
            let gone = Gone { event, session, pair: *pair, since_us };
            violations.extend(gone.is_missed_late(plan, view));
        }
        connections.take(event);
        match (event.told(), event.session) {
            (Some(ServerEvent::Paired { pair }), Some(session)) => {
                talks.insert(session, *pair);
            }
            (Some(ServerEvent::PartnerLeft { .. }), Some(session)) => drop(talks.remove(&session)),
            _ => {}
        }
    }
    violations
}

/// Somebody who vanished for good.
struct Gone<'a> {
    event: &'a Event,
    session: SessionId,
    pair: PairId,
    /// When the connection last brought something, in microseconds since the start.
    since_us: u64,
}

impl Gone<'_> {
    fn is_missed_late(&self, plan: &Plan, view: &View<'_>) -> Option<Violation> {
        let (at_us, who) = (self.event.at_us, self.event.process.as_str());
        let partner = view.partner(self.pair, self.session)?;
        let events = view.sessions.get(&partner)?;
        let limit_us = self.limit_ms(plan, self.is_spoken_to(events))? * 1_000;
        let until_us = at_us + limit_us;
        if !is_calm(plan, who, self.since_us, until_us, None)
            || !lets_be(plan, who, self.since_us, planned_us(plan, self.event))
        {
            return None;
        }
        let paired = ServerEvent::Paired { pair: self.pair };
        let mut later = events.iter().skip_while(|event| event.told() != Some(&paired));
        let left =
            later.find(|event| matches!(event.told(), Some(ServerEvent::PartnerLeft { .. })))?;
        let late_us = left.put_us()?.checked_sub(at_us)?;
        (late_us > limit_us).then(|| {
            let what = format!("{who} was missed after {} ms only", late_us / 1_000);
            Violation::new(NAME, what, &[self.event.index, left.index])
        })
    }

    /// Whether the partner went on talking, so that the server has something to write.
    fn is_spoken_to(&self, partner: &[&Event]) -> bool {
        partner.iter().any(|event| {
            matches!(event.told(), Some(ServerEvent::Message { from: Speaker::Me, .. }))
                && event.put_us() >= Some(self.event.at_us)
        })
    }

    /// How soon the server must miss this person; nothing where that depends on what was under way.
    fn limit_ms(&self, plan: &Plan, is_spoken_to: bool) -> Option<u64> {
        let person = plan.clients.iter().find(|person| person.name == self.event.process)?;
        let (settings, server) = (&plan.settings, &plan.config.server);
        let is_silent = matches!(self.event.detail, Some(Detail::PowerCut | Detail::Hangs));
        // One heartbeat at a time is under way.
        let heartbeat_ms = server.heartbeat_interval_ms.max(server.heartbeat_timeout_ms)
            + server.heartbeat_timeout_ms;
        // Who waits until something is written looks at no heartbeat meanwhile.
        let writes_ms = if is_spoken_to { server.write_ms_max } else { 0 };
        let noticed_ms = match person.profile.transport {
            TransportKind::Websocket | TransportKind::SocketioWebsocket if is_silent => {
                heartbeat_ms + writes_ms
            }
            transport if transport.is_pushed() && !is_silent => 0,
            _ => return None,
        };
        let way_ms = TRIPS * (settings.latency_ms_max + settings.tick_ms);
        Some(noticed_ms + way_ms + server.resume_window_ms + SLACK_MS)
    }
}

/// When the plan lets somebody vanish; what they did to their connections before that counts.
fn planned_us(plan: &Plan, gone: &Event) -> u64 {
    let steps = plan.steps.iter().filter(|step| step.client == gone.process);
    let planned = steps.map(|step| step.at_ms * 1_000).filter(|at_us| *at_us <= gone.at_us);
    planned.max().unwrap_or(gone.at_us)
}
