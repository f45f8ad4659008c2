//! A run as a [`Sequence`], which `reports` draws: who told whom what, on whose lane, when.
//!
//! The history holds what people did and were told, and not when the server heard of it. That is
//! taken from the time that the server put on an event; where there is none, from the middle
//! between question and answer.

use std::collections::BTreeMap;
use std::mem::discriminant;

use protocol::{MessageId, PairId, ServerEvent};
use racetrack_sim::diagram::{self, Lanes};
use reports::sequence::{Arrow, Band, Course, Sequence};

use crate::history::{Detail, Event, Kind, Op};
use crate::model::{Chat, Report};

/// The run, ready to be drawn.
#[must_use]
pub fn sequence(report: &Report) -> Sequence {
    let lanes = Lanes::of(&Chat, report);
    let tones = tones(&report.history);
    let mut sequence = diagram::sequence(&Chat, report);
    for (event, entry) in report.history.iter().zip(&mut sequence.entries) {
        entry.course = course(event);
        entry.is_minor = is_minor(event);
    }
    sequence.arrows = arrows(report, &lanes, &tones);
    sequence.bands = bands(report, &lanes, &tones);
    sequence
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
        Op::Say { .. } => event.kind == Kind::Info && event.detail == Some(Detail::Written),
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
                let to = (lanes.server(), at_us);
                arrows.push(Arrow { from: person, to, entry, tone, is_lost });
            }
            Course::In => {
                let at_us = event.put_us().unwrap_or(event.at_us).min(event.at_us);
                let tone = messages.pair(event).and_then(|pair| tones.get(&pair).copied());
                let from = (lanes.server(), at_us);
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
                (Op::Say { id, pair, .. }, _) => drop(messages.meant.insert(id, *pair)),
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
