//! A run for people to read: a lifeline for everybody, and the evidence in words.

use std::collections::BTreeMap;
use std::fmt::Write;

use protocol::ServerEvent;
use reports::sequence::{Detail, text};

use crate::checker::{Finding, findings};
use crate::history::{Event, Kind, Op};
use crate::sequence::sequence;
use crate::simulation::Report;
use crate::words::told;

/// The transcript of a run, and what the checkers found in it.
#[must_use]
pub fn transcript(report: &Report) -> String {
    text(&sequence(report), Detail::Whole) + &evidence(report)
}

/// The transcript up to the last event that contradicts a promise, and what the checkers found.
#[must_use]
pub fn brief(report: &Report) -> String {
    text(&sequence(report), Detail::UntilTheEvidence) + &evidence(report)
}

fn evidence(report: &Report) -> String {
    let mut text = String::new();
    for Finding { cause, consequences } in findings(&report.violations) {
        writeln!(text, "\n{cause}").expect("writing to a string succeeds");
        for index in &cause.evidence {
            if let Some(event) = report.history.get(*index) {
                writeln!(text, "    {event}").expect("writing to a string succeeds");
            }
        }
        for consequence in consequences {
            writeln!(text, "  also {consequence}").expect("writing to a string succeeds");
        }
    }
    Names::of(&report.history).shorten(&text)
}

/// Short names for the ids of a run, which are long and random: `p1`, `p2` for conversations in
/// order of appearance, `ann/1`, `ann/2` for the sessions of a person.
#[derive(Debug, Default)]
pub struct Names(Vec<(String, String)>);

impl Names {
    /// The names of everything in a history.
    #[must_use]
    pub fn of(history: &[Event]) -> Self {
        let mut names = Vec::new();
        let mut sessions: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        let mut pairs = Vec::new();
        for event in history {
            if let Some(session) = event.session {
                let known = sessions.entry(&event.process).or_default();
                if !known.contains(&session) {
                    known.push(session);
                    names.push((session.to_string(), format!("{}/{}", event.process, known.len())));
                }
            }
            if let Some(ServerEvent::Paired { pair }) = event.told()
                && !pairs.contains(pair)
            {
                pairs.push(*pair);
                names.push((pair.to_string(), format!("p{}", pairs.len())));
            }
        }
        Self(names)
    }

    /// A text in which every long id is replaced by its short name.
    #[must_use]
    pub fn shorten(&self, text: &str) -> String {
        let replace = |text: String, (long, short): &(String, String)| text.replace(long, short);
        self.0.iter().fold(text.to_owned(), replace)
    }

    /// The same for many texts, each of which becomes one line. They are joined for it, because names
    /// are looked up in each text anew.
    #[must_use]
    pub fn shorten_all(&self, texts: impl Iterator<Item = String>) -> Vec<String> {
        let lines = texts.map(|text| text.replace('\n', " ")).collect::<Vec<_>>();
        self.shorten(&lines.join("\n")).lines().map(str::to_owned).collect()
    }
}

/// What one person was told, a line an event, without what every session begins with.
#[must_use]
pub fn story(report: &Report, who: &str) -> String {
    let told: Vec<_> = report
        .history
        .iter()
        .filter(|event| event.process == who)
        .filter_map(|event| match (&event.op, event.kind) {
            (Op::Told { event }, _) => match event.body {
                ServerEvent::Welcome { .. } | ServerEvent::Notice { .. } => None,
                _ => Some(told(&event.body)),
            },
            (Op::Say { id, .. }, Kind::Fail) => Some(format!("({id} refused)")),
            _ => None,
        })
        .collect();
    Names::of(&report.history).shorten(&told.join("\n"))
}
