//! A finished run, arranged for those who ask what it was in.

use std::collections::BTreeMap;

use client::TransportKind;

use crate::history::{Event, Op};
use crate::plan::FaultKind;
use crate::simulation::Report;
use crate::watch::Sight;

pub(super) struct Run<'a> {
    pub(super) history: &'a [Event],
    /// What was seen at the server, in order.
    pub(super) sights: &'a [Sight],
    /// How the person of a session came in.
    transports: BTreeMap<u64, TransportKind>,
    people: BTreeMap<&'a str, TransportKind>,
}

impl<'a> Run<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let people = report.plan.people.iter();
        let people: BTreeMap<_, _> =
            people.map(|person| (person.name.as_str(), person.transport)).collect();
        let of = |event: &Event| Some((event.session?.0, *people.get(event.process.as_str())?));
        let transports = report.history.iter().filter_map(of).collect();
        Self { history: &report.history, sights: &report.sights, transports, people }
    }

    /// Whether an event of the history is like that.
    pub(super) fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.history.iter().any(wanted)
    }

    /// The sights of that name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a Sight> {
        self.sights.iter().filter(move |sight| sight.name == name)
    }

    /// Whether something of that name was seen, and is like that.
    pub(super) fn saw(&self, name: &str, wanted: impl Fn(&Sight) -> bool) -> bool {
        self.all(name).any(wanted)
    }

    /// Whether two things of these names were seen in one tick, and are like that together. One
    /// thing is not two.
    pub(super) fn in_one_tick(
        &self,
        [one, other]: [&str; 2],
        wanted: impl Fn(&Sight, &Sight) -> bool,
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

    pub(super) fn transport_of(&self, sight: &Sight) -> Option<TransportKind> {
        self.transports.get(&sight.session()?).copied()
    }

    pub(super) fn transport(&self, event: &Event) -> Option<TransportKind> {
        self.people.get(event.process.as_str()).copied()
    }

    /// Whether a fault of that kind struck and touched something.
    pub(super) fn was_struck_by(&self, wanted: FaultKind) -> bool {
        self.has(|event| matches!(event.op, Op::Fault { kind, effect: 1.., .. } if kind == wanted))
    }
}
