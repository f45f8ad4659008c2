//! While somebody floods the server from another address, everybody else gets in, stays in, and is heard.
//!
//! ```text
//!   flood ──── opens ──> is in, OPENING at most later          the same as without the flood,
//!         ──── says ───> put into the mailbox ──> heard        and no more events of the attacker
//!         ──── reads, and is never closed                      than its sessions may cause
//! ```
//!
//! An attacker has one address, and what it may have there is bounded. Whether there is room for a person
//! follows from these bounds, whatever else goes wrong; all that has to do with time is asked only of
//! people with nothing else in their way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::TransportKind;
use protocol::{CloseReason, LeftReason, MessageId, ServerEvent, Speaker};

use super::Violation;
use super::connections::{Connections, is_calm, is_undisturbed, lets_be};
use super::push_latency::limit_us;
use super::view::View;
use crate::fault::FaultOfChat;
use crate::flood::{CONNECTIONS, Flood, MESSAGE_PREFIX};
use crate::history::{Event, Kind, Op};
use crate::plan::{ChatPlan, Plan, quick_server};

const NAME: &str = "admission";
/// A client whose connection breaks asks once more by itself.
const ATTEMPTS: usize = 2;
/// Ways of everything that a client asks until it is in: three requests, each on a connection of its own
/// and answered.
const OPENING_TRIPS: u64 = 16;
/// What that may take beyond its ways.
const OPENING_SLACK_US: u64 = 300_000;
/// The kinds of problems of a user who asks for more than the own address may have.
const OWN_LIMITS: [&str; 3] = ["too-many-sessions", "opens-too-fast", "too-many-connections"];
/// The kind of the problem where there is no room.
const FULL: &str = "full";

/// Checks what people noticed since the first flood began.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let is_flood = |event: &&Event| {
        matches!(event.op, Op::Fault { kind, .. } if kind.flood().is_some())
            && event.kind == Kind::Invoke
    };
    let Some(began) = view.history.iter().find(is_flood) else { return Vec::new() };
    let flooded = Flooded { plan, view, began };
    let mut violations = flooded.turned_away();
    violations.extend(flooded.kept_out());
    violations.extend(flooded.thrown_out());
    violations.extend(flooded.heard_late());
    violations.extend(flooded.beyond_the_limits());
    violations
}

/// A run, and the event with which the first flood began.
struct Flooded<'a> {
    plan: &'a Plan,
    view: &'a View<'a>,
    began: &'a Event,
}

impl<'a> Flooded<'a> {
    /// What happened until people leave in the end.
    fn until_settled(&self) -> &'a [Event] {
        let end = self.view.settled.map_or(self.view.history.len(), |settled| settled.index);
        &self.view.history[..end]
    }

    /// The same since the flood began.
    fn since(&self) -> &'a [Event] {
        self.until_settled().get(self.began.index..).unwrap_or_default()
    }

    fn violation(&self, what: String, event: &Event) -> Violation {
        Violation::new(NAME, what, &[self.began.index, event.index])
    }

    /// People who were told that the server is full, although the attackers' addresses and all that people
    /// ever asked for fit into it together.
    fn turned_away(&self) -> Vec<Violation> {
        let server = &self.plan.config.server;
        let attackers = self.plan.floods().count();
        let fits = |each_max: usize, max: usize, asked: usize| {
            each_max > 0 && attackers.saturating_mul(each_max) + asked * ATTEMPTS <= max
        };
        let mut asked = 0;
        let mut violations = Vec::new();
        for event in self.view.history {
            let Op::Open { .. } = event.op else { continue };
            asked += usize::from(event.kind == Kind::Invoke);
            let is_full = event.is_refused_as(FULL);
            if is_full
                && fits(server.sessions_per_address_max, server.sessions_max, asked)
                && fits(server.connections_per_address_max, server.connections_max, asked)
            {
                let what = format!("{} was told that the server is full", event.process);
                violations.push(self.violation(what, event));
            }
        }
        violations
    }

    /// People who wanted to come in, and were not let in or not in time.
    fn kept_out(&self) -> Vec<Violation> {
        let settings = &self.plan.settings;
        let limit_us =
            OPENING_TRIPS * (settings.latency_ms_max + settings.tick_ms) * 1_000 + OPENING_SLACK_US;
        let since = self.since();
        let mut violations = Vec::new();
        for (place, asked) in since.iter().enumerate() {
            let Op::Open { resumes, .. } = asked.op else { continue };
            let until_us = asked.at_us + limit_us;
            let has_time = since.last().is_some_and(|last| last.at_us > until_us);
            let who = asked.process.as_str();
            if asked.kind != Kind::Invoke
                || !has_time
                || !is_undisturbed(self.plan, who, asked.at_us, until_us)
            {
                continue;
            }
            let is_answer = |event: &&Event| {
                event.process == asked.process && matches!(event.op, Op::Open { .. })
            };
            let answer = since[place + 1..].iter().find(is_answer);
            let what = match answer {
                Some(answer) if answer.at_us <= until_us => match &answer.detail {
                    Some(why) if resumes.is_none() && is_kept_out(answer) => {
                        format!("{who} was kept out: {why}")
                    }
                    _ => continue,
                },
                _ => format!("{who} was not in after {} ms", limit_us / 1_000),
            };
            let evidence = [self.began.index, asked.index];
            let evidence: Vec<_> =
                evidence.into_iter().chain(answer.map(|answer| answer.index)).collect();
            violations.push(Violation::new(NAME, what, &evidence));
        }
        violations
    }

    /// People whose session was closed, or whose connection was, with nothing else in their way.
    fn thrown_out(&self) -> Vec<Violation> {
        let grain_us = self.plan.settings.tick_ms * 1_000;
        let mut connections = Connections::default();
        let mut violations = Vec::new();
        for event in self.until_settled() {
            let who = event.process.as_str();
            if let Some(closed) = self.closed(event)
                && event.index > self.began.index
                && let Some(since_us) = connections.of(who)
                && let since_us = since_us.min(event.at_us.saturating_sub(self.cause_us(event)))
                && is_calm(self.plan, who, since_us, event.at_us + grain_us, None)
                // One thing after another: what was due long ago may be done only now.
                && lets_be(self.plan, who, 0, event.at_us + grain_us)
            {
                violations.push(self.violation(format!("{who} {closed}"), event));
            }
            connections.take(event);
        }
        violations
    }

    /// How long before its end the cause of it may lie: a session is given up long after it was last heard.
    fn cause_us(&self, event: &Event) -> u64 {
        let lost = ServerEvent::Closing { reason: CloseReason::Lost, retry_after_ms: None };
        if event.told() != Some(&lost) {
            return 0;
        }
        let server = &self.plan.config.server;
        let missed_ms = server.heartbeat_interval_ms + server.heartbeat_timeout_ms;
        (missed_ms.max(server.session_lease_ms) + server.resume_window_ms) * 1_000
    }

    /// What was closed, if the server has no limit that a good client may overstep by itself.
    fn closed(&self, event: &Event) -> Option<&'static str> {
        let (server, usual) = (&self.plan.config.server, quick_server());
        let has_room = server.mailbox_events_max >= usual.mailbox_events_max
            && server.mailbox_bytes_max >= usual.mailbox_bytes_max
            && server.messages_burst_max <= usual.messages_burst_max;
        let is_patient = server.session_lease_ms >= usual.session_lease_ms
            && server.resume_window_ms >= usual.resume_window_ms
            && server.poll_grace_ms >= usual.poll_grace_ms;
        match (&event.op, event.told()) {
            (_, Some(ServerEvent::Closing { reason: CloseReason::Slow, .. })) if has_room => {
                Some("was closed as slow")
            }
            (_, Some(ServerEvent::Closing { reason: CloseReason::Lost, .. })) if is_patient => {
                Some("was given up")
            }
            (Op::Lost, _) if has_room && is_patient && !event.is_own_doing() => {
                Some("lost the connection")
            }
            _ => None,
        }
    }

    /// Messages that were accepted, or heard, later than without a flood.
    fn heard_late(&self) -> Vec<Violation> {
        // A partner who floods may fill the own mailbox with what the partner has to read first.
        let is_told_much =
            self.plan.floods().any(|(flood, _, _)| matches!(flood, Flood::Next | Flood::Say));
        let accepting_us = limit_us(self.plan, false);
        let mut connections = Connections::default();
        let mut said: BTreeMap<&MessageId, Said<'_>> = BTreeMap::new();
        let mut violations = Vec::new();
        for event in self.view.history {
            let who = event.process.as_str();
            match (&event.op, event.told()) {
                (Op::Say { id, .. }, _) if event.kind == Kind::Invoke => {
                    let standing = connections.standing().collect();
                    said.insert(id, Said { event, standing });
                }
                (_, Some(ServerEvent::Message { from, id, .. })) => {
                    let Some(said) = said.get(id) else { continue };
                    if said.event.index < self.began.index {
                        continue;
                    }
                    let put_us = event.put_us().filter(|_| !self.plan.moves_the_clock());
                    let late_us = put_us.and_then(|put_us| put_us.checked_sub(said.event.at_us));
                    if *from == Speaker::Me
                        && let Some(late_us) = late_us.filter(|late_us| *late_us > accepting_us)
                        && said.is_undisturbed(self.plan, &said.event.process, late_us)
                    {
                        let what = format!("{id} was accepted after {} ms", late_us / 1_000);
                        violations.push(self.violation(what, event));
                    }
                    // Two hosts need not agree by more than a step.
                    let heard_us = event.at_us.saturating_sub(said.event.at_us);
                    let reading_us = limit_us(self.plan, self.is_short_poller(who));
                    if !is_told_much
                        && heard_us > accepting_us + reading_us
                        && said.is_undisturbed(self.plan, &said.event.process, heard_us)
                        && said.is_undisturbed(self.plan, who, heard_us)
                    {
                        let what = format!("{who} heard {id} after {} ms", heard_us / 1_000);
                        violations.push(self.violation(what, event));
                    }
                }
                _ => {}
            }
            connections.take(event);
        }
        violations
    }

    /// People who were left by more partners, or told more messages of an attacker, than its sessions may
    /// cause.
    fn beyond_the_limits(&self) -> Vec<Violation> {
        let view = self.view;
        // Both are told that one of them has skipped.
        let asked = view
            .history
            .iter()
            .filter(|event| event.op == Op::Next && event.kind == Kind::Invoke)
            .count();
        let nexts_max = self.caused_by_attackers(Flood::Next) + (ATTEMPTS * asked) as u64;
        let people: BTreeSet<_> = view
            .history
            .iter()
            .filter(|event| event.session.is_some())
            .map(|event| event.process.as_str())
            .collect();
        let mut violations = Vec::new();
        for name in people {
            let of_person = view.history.iter().filter(|event| event.process == name);
            let skipped = of_person.clone().filter(|event| {
                let skipped = ServerEvent::PartnerLeft { reason: LeftReason::Skipped };
                event.told() == Some(&skipped)
            });
            let told = of_person.filter(|event| match event.told() {
                Some(ServerEvent::Message { id, .. }) => id.as_str().starts_with(MESSAGE_PREFIX),
                _ => false,
            });
            if let Some(event) = skipped.clone().nth(nexts_max as usize) {
                let count = skipped.count();
                let what =
                    format!("{name} was left by {count} partners, of {nexts_max} who may skip");
                violations.push(self.violation(what, event));
            }
            let messages_max = self.caused_by_attackers(Flood::Say);
            if let Some(event) = told.clone().nth(messages_max as usize) {
                let count = told.count();
                let what = format!(
                    "{name} was told {count} messages of attackers, who may say {messages_max}"
                );
                violations.push(self.violation(what, event));
            }
        }
        violations
    }

    /// How many of these commands the sessions of all attackers may give.
    fn caused_by_attackers(&self, wanted: Flood) -> u64 {
        let floods = self.plan.floods().filter(|(flood, _, _)| *flood == wanted);
        let attacks = floods.filter_map(|(_, place, _)| self.plan.attack(place));
        let allowed = attacks.map(|attack| {
            // A step before it begins and after it ends, what is under way included.
            let grain_ms = 2 * self.plan.settings.tick_ms + self.plan.settings.latency_ms_max;
            CONNECTIONS as u64 * attack.rate.allowed(attack.lasts + Duration::from_millis(grain_ms))
        });
        allowed.sum()
    }

    fn is_short_poller(&self, who: &str) -> bool {
        let person = self.plan.clients.iter().find(|person| person.name == who);
        person.is_some_and(|person| person.profile.transport == TransportKind::ShortPoll)
    }
}

/// A refusal that is for no fault of the own address, nor for want of room.
fn is_kept_out(answer: &Event) -> bool {
    !answer.is_refused_as(FULL) && !OWN_LIMITS.iter().any(|limit| answer.is_refused_as(limit))
}

/// A message that was said, and whose connections stood then, and since when.
struct Said<'a> {
    event: &'a Event,
    standing: BTreeMap<&'a str, u64>,
}

impl Said<'_> {
    /// True when nothing was in the way of `who` until so much later, whose connection stood.
    fn is_undisturbed(&self, plan: &Plan, who: &str, for_us: u64) -> bool {
        let since_us = self.standing.get(who);
        since_us
            .is_some_and(|since_us| is_undisturbed(plan, who, *since_us, self.event.at_us + for_us))
    }
}
