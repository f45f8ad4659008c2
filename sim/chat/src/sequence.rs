//! A run as a [`Sequence`], which `reports` draws: who told whom what, on whose lane, when.
//!
//! The history holds what people did and were told, and not when the server heard of it. That is
//! taken from the time that the server put on an event; where there is none, from the middle
//! between question and answer.

use std::collections::BTreeMap;
use std::mem::discriminant;

use protocol::{MessageId, PairId, ServerEvent};
use reports::sequence::{Arrow, Band, Course, Entry, Finding, Lane, Sequence, Trouble};

use crate::checker::{self, Violation, findings};
use crate::history::{Event, Kind, Op, Phase};
use crate::plan::{Fault, Struck};
use crate::simulation::Report;
use crate::transcript::Names;
use crate::words::{describe, told};

/// The run, ready to be drawn.
#[must_use]
pub fn sequence(report: &Report) -> Sequence {
    let lanes = Lanes::of(report);
    let names = Names::of(&report.history);
    let tones = tones(&report.history);
    let words = |violation: &Violation| names.shorten(&violation.to_string());
    let finding = |found: checker::Finding<'_>| Finding {
        what: words(found.cause),
        evidence: found.cause.evidence.clone(),
        consequences: found.consequences.into_iter().map(words).collect(),
    };
    Sequence {
        title: format!("seed {}", report.plan.seed),
        facts: facts(report),
        findings: findings(&report.violations).into_iter().map(finding).collect(),
        entries: entries(report, &lanes, &names),
        arrows: arrows(report, &lanes, &tones),
        bands: bands(report, &lanes, &tones),
        troubles: troubles(report, &lanes),
        phases: phases(report),
        ended_us: report.history.last().map_or(0, |event| event.at_us),
        server: lanes.server,
        lanes: lanes.lanes,
    }
}

/// Everybody by name, the server in the middle.
struct Lanes {
    lanes: Vec<Lane>,
    server: usize,
}

impl Lanes {
    fn of(report: &Report) -> Self {
        let mut people: Vec<_> = report.plan.people.iter().collect();
        people.sort_by(|one, other| one.name.cmp(&other.name));
        let lane = |name: &str, note: &str| Lane { name: name.to_owned(), note: note.to_owned() };
        let mut lanes: Vec<_> =
            people.iter().map(|person| lane(&person.name, person.transport.name())).collect();
        let server = lanes.len().div_ceil(2);
        lanes.insert(server, lane("server", ""));
        Self { lanes, server }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.name == name)
    }

    fn all(&self) -> Vec<usize> {
        (0..self.lanes.len()).collect()
    }
}

fn facts(report: &Report) -> Vec<(String, String)> {
    let settings = &report.plan.settings;
    let fact = |name: &str, words: String| (name.to_owned(), words);
    let latency = (settings.latency_ms_min, settings.latency_ms_max);
    vec![
        fact("seed of the plan", report.plan.seed.to_string()),
        fact("trace hash", format!("{:016x}", report.trace.hash)),
        fact("people", report.plan.people.len().to_string()),
        fact("steps", report.plan.steps.len().to_string()),
        fact("faults", report.plan.faults.len().to_string()),
        fact("client hosts", settings.client_hosts.to_string()),
        fact("latency", format!("{} to {} ms", latency.0, latency.1)),
        fact("tick", format!("{} ms", settings.tick_ms)),
    ]
}

fn entries(report: &Report, lanes: &Lanes, names: &Names) -> Vec<Entry> {
    let words = names.shorten_all(report.history.iter().map(|event| words(report, lanes, event)));
    let entries = report.history.iter().zip(words);
    entries
        .map(|(event, words)| Entry {
            index: event.index,
            at_us: event.at_us,
            who: event.process.clone(),
            lane: lanes.place(&event.process),
            course: course(event),
            words,
            is_minor: is_minor(event),
        })
        .collect()
}

fn words(report: &Report, lanes: &Lanes, event: &Event) -> String {
    match &event.op {
        // The arrow says that it was told.
        Op::Told { event } => format!("{} {}", event.seq, told(&event.body)),
        Op::Fault { fault, kind, .. } if event.kind == Kind::Invoke => {
            let fault = report.plan.faults.get(*fault);
            let befallen = fault.map_or_else(Vec::new, |fault| befallen(report, lanes, fault));
            if befallen.is_empty() || befallen.contains(&lanes.server) {
                return kind.name().to_owned();
            }
            let names = befallen.iter().map(|lane| lanes.lanes[*lane].name.as_str());
            format!("{kind} of {}", names.collect::<Vec<_>>().join(", "))
        }
        // What befalls everybody is ruled off from the rest by other means than in a line of text.
        _ => describe(event).trim_start_matches(['*', '-', ' ']).to_owned(),
    }
}

fn course(event: &Event) -> Course {
    match (&event.op, event.kind) {
        (Op::Fault { .. } | Op::Exited | Op::Phase { .. } | Op::Gauges { .. }, _) => Course::Across,
        (Op::Told { .. } | Op::Repeated { .. } | Op::Refused { .. }, _) => Course::In,
        (Op::Vanish | Op::Lost, _) => Course::Stays,
        (_, Kind::Invoke) => Course::Out,
        (_, Kind::Ok | Kind::Fail) => Course::In,
        (_, Kind::Info | Kind::Observe) => Course::Stays,
    }
}

/// Polls come and go without end; only those that did not end well are of interest. That a socket
/// took what was written to it says nothing.
fn is_minor(event: &Event) -> bool {
    match event.op {
        Op::Poll { .. } => event.kind != Kind::Info,
        Op::Say { .. } => event.kind == Kind::Info && event.detail.as_deref() == Some("written"),
        _ => false,
    }
}

/// Conversations in order of appearance, which gives their names and colours.
fn tones(history: &[Event]) -> BTreeMap<PairId, usize> {
    let mut tones = BTreeMap::new();
    for event in history {
        if let Some(ServerEvent::Paired { pair }) = event.told() {
            let next = tones.len();
            tones.entry(*pair).or_insert(next);
        }
    }
    tones
}

fn arrows(report: &Report, lanes: &Lanes, tones: &BTreeMap<PairId, usize>) -> Vec<Arrow> {
    let history = &report.history;
    let messages = Messages::of(history);
    let mut arrows = Vec::new();
    for event in history.iter().filter(|event| !is_minor(event)) {
        let Some(lane) = lanes.place(&event.process) else { continue };
        let (person, entry) = ((lane, event.at_us), event.index);
        match course(event) {
            Course::Out => {
                let (at_us, is_lost) = match messages.heard_by_server(history, event) {
                    Some(at_us) => (at_us.max(event.at_us), false),
                    None => (event.at_us, true),
                };
                let tone = messages.pair(event).and_then(|pair| tones.get(&pair).copied());
                let to = (lanes.server, at_us);
                arrows.push(Arrow { from: person, to, entry, tone, is_lost });
            }
            Course::In => {
                let at_us = event.put_us().unwrap_or(event.at_us).min(event.at_us);
                let tone = messages.pair(event).and_then(|pair| tones.get(&pair).copied());
                let from = (lanes.server, at_us);
                arrows.push(Arrow { from, to: person, entry, tone, is_lost: false });
            }
            Course::Stays | Course::Across => {}
        }
    }
    arrows
}

/// What the history says of each message.
struct Messages<'a> {
    /// The conversation that it was meant for.
    meant: BTreeMap<&'a MessageId, PairId>,
    /// When the server put it into a mailbox for the first time.
    stored_us: BTreeMap<&'a MessageId, u64>,
}

impl<'a> Messages<'a> {
    fn of(history: &'a [Event]) -> Self {
        let mut messages = Self { meant: BTreeMap::new(), stored_us: BTreeMap::new() };
        for event in history {
            match (&event.op, event.told()) {
                (Op::Say { id, pair }, _) => drop(messages.meant.insert(id, *pair)),
                (_, Some(ServerEvent::Message { id, .. })) => {
                    let at_us = event.put_us().unwrap_or(event.at_us);
                    messages.stored_us.entry(id).or_insert(at_us);
                }
                _ => {}
            }
        }
        messages
    }

    fn pair(&self, event: &Event) -> Option<PairId> {
        match (&event.op, event.told()) {
            (Op::Say { pair, .. }, _) | (_, Some(ServerEvent::Paired { pair })) => Some(*pair),
            (_, Some(ServerEvent::Message { id, .. })) => self.meant.get(id).copied(),
            _ => None,
        }
    }

    /// When the server heard of what begins here, if anything says that it did.
    fn heard_by_server(&self, history: &[Event], begun: &Event) -> Option<u64> {
        if let Op::Say { id, .. } = &begun.op
            && let Some(at_us) = self.stored_us.get(id).filter(|at_us| **at_us >= begun.at_us)
        {
            return Some(*at_us);
        }
        let mut later = history[begun.index + 1..].iter();
        let ended = later.find(|event| {
            event.process == begun.process
                && discriminant(&event.op) == discriminant(&begun.op)
                && event.kind != Kind::Observe
        })?;
        let is_answered = matches!(ended.kind, Kind::Ok | Kind::Fail);
        is_answered.then_some(begun.at_us.midpoint(ended.at_us))
    }
}

/// The conversations of each person, from when they were told of one until they were told that it
/// is over, or let go.
fn bands(report: &Report, lanes: &Lanes, tones: &BTreeMap<PairId, usize>) -> Vec<Band> {
    let mut bands = Vec::new();
    let mut open: BTreeMap<usize, (u64, usize)> = BTreeMap::new();
    for event in &report.history {
        let Some(lane) = lanes.place(&event.process) else { continue };
        let paired = match event.told() {
            Some(ServerEvent::Paired { pair }) => tones.get(pair).copied(),
            _ => None,
        };
        if paired.is_some() || ends_a_conversation(event) {
            let ended =
                open.remove(&lane).map(|(begun_us, tone)| band(lane, begun_us, event.at_us, tone));
            bands.extend(ended);
        }
        if let Some(tone) = paired {
            open.insert(lane, (event.at_us, tone));
        }
    }
    let end_us = report.history.last().map_or(0, |event| event.at_us);
    bands.extend(
        open.into_iter().map(|(lane, (begun_us, tone))| band(lane, begun_us, end_us, tone)),
    );
    bands
}

fn band(lane: usize, begun_us: u64, end_us: u64, tone: usize) -> Band {
    Band { lane, span_us: (begun_us, end_us), name: format!("p{}", tone + 1), tone }
}

fn ends_a_conversation(event: &Event) -> bool {
    let is_told = matches!(
        event.told(),
        Some(ServerEvent::PartnerLeft { .. } | ServerEvent::Waiting | ServerEvent::Closing { .. })
    );
    is_told || matches!((&event.op, event.kind), (Op::Vanish, _) | (Op::Leave, Kind::Ok))
}

fn troubles(report: &Report, lanes: &Lanes) -> Vec<Trouble> {
    let mut begun: BTreeMap<usize, u64> = BTreeMap::new();
    let mut troubles = Vec::new();
    for event in &report.history {
        let Op::Fault { fault, kind, effect } = event.op else { continue };
        if event.kind == Kind::Invoke {
            begun.insert(fault, event.at_us);
            continue;
        }
        let from_us = begun.remove(&fault).unwrap_or(event.at_us);
        let lanes = report.plan.faults.get(fault).map(|fault| befallen(report, lanes, fault));
        troubles.push(Trouble {
            name: kind.name().to_owned(),
            effect: if effect == 0 { "no effect".to_owned() } else { format!("touched {effect}") },
            span_us: (from_us, event.at_us),
            lanes: lanes.unwrap_or_default(),
        });
    }
    troubles
}

/// The lanes of those whom a fault befalls.
fn befallen(report: &Report, lanes: &Lanes, fault: &Fault) -> Vec<usize> {
    let people = &report.plan.people;
    match fault.kind.struck() {
        Struck::Host => {
            let host = fault.target % report.plan.settings.client_hosts.max(1);
            let there = people.iter().filter(|person| person.host == host);
            there.filter_map(|person| lanes.place(&person.name)).collect()
        }
        Struck::Person => {
            let person = people.get(fault.target % people.len().max(1));
            person.and_then(|person| lanes.place(&person.name)).into_iter().collect()
        }
        Struck::All => lanes.all(),
        Struck::Nobody => Vec::new(),
    }
}

fn phases(report: &Report) -> Vec<(u64, String)> {
    let begun = report.history.iter().filter_map(|event| match event.op {
        Op::Phase { phase: Phase::Healed } => Some((event.at_us, "settle".to_owned())),
        Op::Phase { phase: Phase::Settled } => Some((event.at_us, "forget".to_owned())),
        _ => None,
    });
    std::iter::once((0, "disturb".to_owned())).chain(begun).collect()
}
