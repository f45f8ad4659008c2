//! A history for people: a column for each person, time running down.

use std::collections::BTreeMap;
use std::fmt::Write;

use server::protocol::ServerEvent;

use crate::history::{Event, Kind, Op};
use crate::simulation::Report;
use crate::words::{describe, told};

/// The width of a person's column.
const COLUMN: usize = 30;
/// More people than this are told apart by name instead of by column.
const COLUMNS_MAX: usize = 5;

/// The transcript of a run, and what the checkers found in it.
#[must_use]
pub fn transcript(report: &Report) -> String {
    let mut text = sequence(report);
    let names = Names::of(&report.history);
    for violation in &report.violations {
        writeln!(text, "\n{violation}").expect("writing to a string succeeds");
        for index in &violation.evidence {
            if let Some(event) = report.history.get(*index) {
                writeln!(text, "    {event}").expect("writing to a string succeeds");
            }
        }
    }
    names.shorten(&text)
}

fn sequence(report: &Report) -> String {
    let marked: Vec<_> = report.violations.iter().flat_map(|found| &found.evidence).collect();
    let mut people: Vec<_> = report.plan.people.iter().collect();
    people.sort_by(|one, other| one.name.cmp(&other.name));
    let columns = people.len() <= COLUMNS_MAX;
    let mut text = String::new();
    if columns {
        let heads = people.iter().map(|person| format!("{} ({})", person.name, person.transport));
        let heads: String = heads.map(|head| format!("{head:COLUMN$}")).collect();
        writeln!(text, "{:>8}   {}", "s", heads.trim_end()).expect("writing to a string succeeds");
    }
    for event in report.history.iter().filter(|event| is_shown(event)) {
        let column = people.iter().position(|person| person.name == event.process);
        let indent = match column {
            Some(column) if columns => column * COLUMN,
            _ => 0,
        };
        let who = match column {
            Some(_) if columns => String::new(),
            _ => format!("{}: ", event.process),
        };
        let mark = if marked.contains(&&event.index) { '!' } else { ' ' };
        let seconds = event.at_us as f64 / 1e6;
        let words = describe(event);
        writeln!(text, "{seconds:8.3} {mark} {:indent$}{who}{words}", "")
            .expect("writing to a string succeeds");
    }
    text
}

/// Polls come and go without end; only those that did not end well are of interest.
fn is_shown(event: &Event) -> bool {
    !matches!(event.op, Op::Poll { .. }) || event.kind == Kind::Info
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
