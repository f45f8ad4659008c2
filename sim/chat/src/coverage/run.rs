//! A finished run, arranged for those who ask what it was in.

use std::collections::BTreeMap;

use client::TransportKind;

use crate::fault::{ChatFault, ChatFaultKind};
use crate::flood::Flood;
use crate::history::{Event, Op};
use crate::model::Report;
use racetrack_sim::capture::CapturedEvent;

pub(super) struct Run<'a> {
    pub(super) history: &'a [Event],
    /// What was seen at the server, in order.
    pub(super) sights: &'a [CapturedEvent],
    /// How the person of a session came in.
    transports: BTreeMap<u64, TransportKind>,
    people: BTreeMap<&'a str, TransportKind>,
}

impl<'a> Run<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let people = report.plan.clients.iter();
        let people: BTreeMap<_, _> =
            people.map(|person| (person.name.as_str(), person.profile.transport)).collect();
        let of = |event: &Event| Some((event.session?.0, *people.get(event.process.as_str())?));
        let transports = report.history.iter().filter_map(of).collect();
        Self { history: &report.history, sights: &report.captured, transports, people }
    }

    /// Whether an event of the history is like that.
    pub(super) fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.history.iter().any(wanted)
    }

    /// The sights of that name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a CapturedEvent> {
        self.sights.iter().filter(move |sight| sight.name == name)
    }

    /// Whether something of that name was seen, and is like that.
    pub(super) fn saw(&self, name: &str, wanted: impl Fn(&CapturedEvent) -> bool) -> bool {
        self.all(name).any(wanted)
    }

    /// Whether two things of these names were seen in one tick, and are like that together. One
    /// thing is not two.
    pub(super) fn in_one_tick(
        &self,
        [one, other]: [&str; 2],
        wanted: impl Fn(&CapturedEvent, &CapturedEvent) -> bool,
    ) -> bool {
        self.sights.chunk_by(|earlier, later| earlier.at == later.at).any(|tick| {
            tick.iter().filter(|sight| sight.name == one).any(|first| {
                let others = tick.iter().filter(|sight| sight.name == other);
                others
                    .filter(|second| !std::ptr::eq(first, *second))
                    .any(|second| wanted(first, second))
            })
        })
    }

    pub(super) fn transport_of(&self, sight: &CapturedEvent) -> Option<TransportKind> {
        self.transports.get(&sight.field("session")?).copied()
    }

    pub(super) fn transport(&self, event: &Event) -> Option<TransportKind> {
        self.people.get(event.process.as_str()).copied()
    }

    /// Whether an attacker was answered who flooded the server so.
    pub(super) fn was_flooded_by(&self, flood: Flood) -> bool {
        self.was_struck_by(ChatFaultKind::Model(ChatFault::Flood(flood)))
    }

    /// Whether a fault of that kind struck and touched something.
    pub(super) fn was_struck_by(&self, wanted: impl Into<ChatFaultKind>) -> bool {
        let wanted = wanted.into();
        self.has(|event| matches!(event.op, Op::Fault { kind, effect: 1.., .. } if kind == wanted))
    }
}
