//! The sequence in a terminal: a lifeline for everybody, the server's among them, time running
//! down, a row an event.
//!
//! ```text
//!           ann                             server                        bob
//!           long-poll                                               websocket
//!   0.500   |- says ann-1 to p1 ----------->|                               |
//!   0.510 ! |                               |----------- #3 partner ann-1 ->|
//!   0.520   = cut-reset of bob ==============================================
//! ```
//!
//! `!` marks what contradicts a promise.

use super::{Course, Entry, Sequence, seconds};

/// Columns of a terminal that a sequence fills at most.
const WIDTH: usize = 100;
/// What stands before the first lifeline: the time and a mark.
const MARGIN: usize = 11;
/// The room between two lifelines at most.
const GAP_MAX: usize = 32;
/// The room between two lifelines at least; where there is less, there are no lifelines.
const GAP_MIN: usize = 18;

/// How much of a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything but what is minor.
    Whole,
    /// Nothing behind the last event that contradicts a promise.
    UntilTheEvidence,
}

/// The sequence as text, of at most 100 columns as long as there is room for lifelines.
#[must_use]
pub fn text(sequence: &Sequence, detail: Detail) -> String {
    let evidence = sequence.findings.iter().flat_map(|finding| finding.evidence.iter().copied());
    let last = match detail {
        Detail::Whole => None,
        Detail::UntilTheEvidence => evidence.max(),
    };
    let is_told = |entry: &&Entry| {
        let is_late = last.is_some_and(|last| entry.index > last);
        !is_late && (!entry.is_minor || sequence.is_evidence(entry))
    };
    let told: Vec<_> = sequence.entries.iter().filter(is_told).collect();
    let drawing = Drawing::of(sequence);
    let mut lines = drawing.as_ref().map_or_else(Vec::new, Drawing::heads);
    for entry in &told {
        let mark = if sequence.is_evidence(entry) { '!' } else { ' ' };
        let stem = format!("{:>8} {mark} ", seconds(entry.at_us));
        match &drawing {
            Some(drawing) => lines.push(drawing.row(&stem, entry)),
            None => {
                let told = if entry.course == Course::In { "< " } else { "" };
                lines.push(format!("{stem}{}: {told}{}", entry.who, entry.words));
            }
        }
    }
    let more = sequence.entries.len()
        - sequence.entries.iter().filter(|e| last.is_none_or(|last| e.index <= last)).count();
    if more > 0 {
        lines.push(format!(
            "{:>8}   and {more} more events, up to the end at {} s",
            "...",
            seconds(sequence.ended_us)
        ));
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Where the lifelines are.
struct Drawing<'a> {
    sequence: &'a Sequence,
    lifelines: Vec<usize>,
}

impl<'a> Drawing<'a> {
    fn of(sequence: &'a Sequence) -> Option<Self> {
        let gaps = sequence.lanes.len().checked_sub(1)?.max(1);
        let gap = ((WIDTH - 1 - MARGIN) / gaps).min(GAP_MAX);
        let lifelines = (0..sequence.lanes.len()).map(|lane| MARGIN + lane * gap).collect();
        (gap >= GAP_MIN).then_some(Self { sequence, lifelines })
    }

    /// From the first lifeline to the last.
    fn span(&self) -> usize {
        self.lifelines.last().map_or(WIDTH, |last| last + 1) - MARGIN
    }

    /// The names and what to know of them, at their lifelines.
    fn heads(&self) -> Vec<String> {
        let lanes = || self.sequence.lanes.iter().enumerate();
        let names = lanes().map(|(lane, it)| (lane, it.name.as_str()));
        let notes = lanes().map(|(lane, it)| (lane, it.note.as_str()));
        vec![self.at_lifelines(names), self.at_lifelines(notes)]
    }

    fn at_lifelines<'b>(&self, words: impl Iterator<Item = (usize, &'b str)>) -> String {
        let mut line = Line::new(WIDTH);
        for (lane, words) in words {
            let (at, length) = (self.lifelines[lane], words.chars().count());
            line.put(if self.is_right(lane) { (at + 1).saturating_sub(length) } else { at }, words);
        }
        line.text()
    }

    /// Lanes on the server's right have their words on their left.
    fn is_right(&self, lane: usize) -> bool {
        lane > self.sequence.server
    }

    fn row(&self, stem: &str, entry: &Entry) -> String {
        let mut line = Line::new(WIDTH);
        line.put(0, stem);
        for at in &self.lifelines {
            line.put(*at, "|");
        }
        match (entry.course, entry.lane) {
            (Course::Out | Course::In, Some(lane)) if lane != self.sequence.server => {
                self.arrow(&mut line, entry, lane);
            }
            (Course::Across, _) | (_, None) => {
                let rule = "=".repeat(self.span());
                line.put(MARGIN, &rule);
                line.put(MARGIN + 1, &format!(" {} ", cut(&entry.words, WIDTH - MARGIN - 4)));
            }
            (_, Some(lane)) => {
                let at = self.lifelines[lane];
                let room = if self.is_right(lane) { at - MARGIN } else { WIDTH - at };
                let words = cut(&entry.words, room.saturating_sub(2));
                let length = words.chars().count();
                line.put(if self.is_right(lane) { at - 1 - length } else { at + 2 }, &words);
            }
        }
        line.text()
    }

    /// An arrow between a lane and the server, with the words on it, at the person's end.
    fn arrow(&self, line: &mut Line, entry: &Entry, lane: usize) {
        let (person, server) = (self.lifelines[lane], self.lifelines[self.sequence.server]);
        let (left, right) = (person.min(server), person.max(server));
        line.put(left + 1, &"-".repeat(right - left - 1));
        let goes_right = (entry.course == Course::Out) != self.is_right(lane);
        if goes_right {
            line.put(right - 1, ">")
        } else {
            line.put(left + 1, "<")
        }
        let words = format!(" {} ", cut(&entry.words, right - left - 5));
        let length = words.chars().count();
        line.put(if self.is_right(lane) { right - 2 - length } else { left + 2 }, &words);
    }
}

/// A row of letters that can be written over.
struct Line(Vec<char>);

impl Line {
    fn new(width: usize) -> Self {
        Self(vec![' '; width])
    }

    /// Writes words from a place on; what does not fit is left out.
    fn put(&mut self, from: usize, words: &str) {
        for (place, letter) in self.0.iter_mut().skip(from).zip(words.chars()) {
            *place = letter;
        }
    }

    fn text(&self) -> String {
        self.0.iter().collect()
    }
}

/// The words, or as many letters of them as there is room for.
fn cut(words: &str, room: usize) -> String {
    if words.chars().count() <= room {
        return words.to_owned();
    }
    words.chars().take(room.saturating_sub(2)).chain("..".chars()).collect()
}
