//! What goes into a mailbox is pushed at once, as long as nothing is in the way.
//!
//! Each event says when the server put it there. In the two quiet times of a run, before anything
//! goes wrong and after everything has healed, whoever reads must have it within its way. Only
//! people whose connection stands are asked.

use std::collections::{BTreeMap, BTreeSet};

use client::TransportKind;
use server::config::Config;

use super::Violation;
use super::view::View;
use crate::fault::FaultOfChat;
use crate::flood::Flood;
use crate::history::{Event, Kind, Op, Phase};
use crate::plan::{Action, Fault, Person, Plan};

const NAME: &str = "push-latency";
/// What an event may take beyond its way: a tick here and there, a burst in front of it.
const SLACK_US: u64 = 300_000;
/// Ways of a poll that was just answered: its answer, a new connection, the next question, and the
/// answer that holds the event.
const TRIPS: u64 = 5;
/// How long after the healing connections are made again, at most.
const MENDING_US: u64 = 1_500_000;

/// Checks each event that was put into a mailbox while nothing was in the way of its reader.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let quiet = Quiet::of(plan, view);
    let mut violations = Vec::new();
    let mut readers: BTreeMap<&str, Reader<'_>> = BTreeMap::new();
    for event in view.history {
        let process = event.process.as_str();
        match &event.op {
            Op::Told { .. } => {
                let reader = readers.entry(process).or_default();
                let put_us = event.put_us().filter(|put_us| *put_us < event.at_us);
                if let (Some(put_us), Some(since)) = (put_us, reader.reads_since)
                    && put_us > since.at_us
                    && quiet.lasts(process, put_us)
                    && event.at_us - put_us > quiet.limit_us(process)
                {
                    let ms = (event.at_us - put_us) / 1_000;
                    let what = format!("an event reached {process} after {ms} ms");
                    violations.push(Violation::new(NAME, what, &[since.index, event.index]));
                }
                // The first event shows that the connection stands.
                reader.reads_since.get_or_insert(event);
            }
            Op::Lost | Op::Open { .. } | Op::Leave | Op::Vanish => {
                readers.insert(process, Reader::default());
            }
            Op::Poll { .. } if event.kind == Kind::Info => {
                readers.insert(process, Reader::default());
            }
            _ => {}
        }
    }
    violations
}

#[derive(Default)]
struct Reader<'a> {
    reads_since: Option<&'a Event>,
}

/// When nothing is in the way of whom, in microseconds since the start.
struct Quiet<'a> {
    plan: &'a Plan,
    first_fault_us: u64,
    healed_us: u64,
    settled_us: u64,
    /// When people first do what holds up their own reading, by name.
    first_trouble_us: BTreeMap<&'a str, u64>,
    /// Who reads only now and then.
    short_pollers: BTreeSet<&'a str>,
}

impl<'a> Quiet<'a> {
    fn of(plan: &'a Plan, view: &View<'_>) -> Self {
        let at_us = |phase| view.phase(phase).map_or(0, |event| event.at_us);
        let polls = |person: &&Person| person.profile.transport == TransportKind::ShortPoll;
        let short_pollers = plan.clients.iter().filter(polls);
        let mut first_trouble_us = BTreeMap::new();
        for step in plan.steps.iter().filter(|step| is_trouble(step.action)) {
            let earliest = first_trouble_us.entry(step.client.as_str()).or_insert(u64::MAX);
            *earliest = (*earliest).min(step.at_ms * 1_000);
        }
        // More than one answer holds, where people may say more at once than usual: the partner waits.
        let overflows =
            plan.config.server.messages_burst_max > Config::default().messages_burst_max;
        let floods = plan.steps.iter().filter(|step| overflows && step.action == Action::Flood);
        let disturbs = |fault: &&Fault| match fault.kind.flood() {
            None => true,
            // A partner who floods fills the own mailbox with what has to be read first.
            Some(flood) => matches!(flood, Flood::Next | Flood::Say),
        };
        let disturbed_ms = plan.faults.iter().filter(disturbs).map(|fault| fault.at_ms);
        let first_ms = disturbed_ms.chain(floods.map(|step| step.at_ms)).min();
        Self {
            plan,
            first_fault_us: first_ms.map_or(u64::MAX, |at_ms| at_ms * 1_000),
            healed_us: at_us(Phase::Healed),
            settled_us: at_us(Phase::Settled),
            first_trouble_us,
            short_pollers: short_pollers.map(|person| person.name.as_str()).collect(),
        }
    }

    /// What an event may take to a person.
    fn limit_us(&self, who: &str) -> u64 {
        limit_us(self.plan, self.short_pollers.contains(who))
    }

    /// True when nothing is in the way of an event that is put into the mailbox of `who` at `put_us`.
    fn lasts(&self, who: &str, put_us: u64) -> bool {
        let until_us = put_us.saturating_add(self.limit_us(who));
        let trouble_us = self.first_trouble_us.get(who).copied().unwrap_or(u64::MAX);
        let before = until_us < self.first_fault_us.min(trouble_us).min(self.healed_us);
        let after = put_us > self.healed_us + MENDING_US && until_us < self.settled_us;
        before || after
    }
}

/// What an event may take to somebody who reads, in microseconds.
pub(super) fn limit_us(plan: &Plan, is_short_poller: bool) -> u64 {
    let settings = &plan.settings;
    let asks_every_ms = if is_short_poller { plan.config.poll_interval_ms } else { 0 };
    let way_ms = TRIPS * (settings.latency_ms_max + settings.tick_ms);
    (asks_every_ms + way_ms) * 1_000 + SLACK_US
}

/// True for what people do to their own connections.
pub(super) fn is_trouble(action: Action) -> bool {
    match action {
        Action::Join
        | Action::Say
        | Action::Repeat
        | Action::RepeatEarlier
        | Action::SayTooMuch
        | Action::AcknowledgeAgain
        | Action::AcknowledgeTooFar
        | Action::Guess
        | Action::Next => false,
        // A burst takes its time on a narrow way, and so does a long message.
        Action::Flood | Action::SayMuch => true,
        Action::DoublePost
        | Action::Abort
        | Action::AbortAnswer
        | Action::SecondPoll
        | Action::SecondTab
        | Action::FreshTab
        | Action::ReadSlowly
        | Action::GoAway
        | Action::ComeBack
        | Action::Leave
        | Action::Vanish
        | Action::PowerCut
        | Action::Hang => true,
    }
}
