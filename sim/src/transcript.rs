//! A history for people: a column for each person, time running down.

use std::collections::BTreeMap;
use std::fmt::Write;

use server::protocol::{ServerEvent, Speaker};

use crate::history::{Event, Kind, Op};
use crate::simulation::Report;

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

/// One event in a few words.
#[must_use]
pub fn describe(event: &Event) -> String {
    let detail = event.detail.as_deref().unwrap_or_default();
    match (&event.op, event.kind) {
        (Op::Open { resumes: None, .. }, Kind::Invoke) => "opens".to_owned(),
        (Op::Open { resumes: Some(after), .. }, Kind::Invoke) => format!("resumes after {after}"),
        (Op::Open { .. }, Kind::Ok) => "is in".to_owned(),
        (Op::Open { .. }, _) => format!("does not get in: {detail}"),
        (Op::Say { id, pair }, Kind::Invoke) => format!("says {id} to {pair}"),
        (Op::Say { id, .. }, Kind::Ok) => format!("{id} accepted"),
        (Op::Say { id, .. }, _) => format!("{id}: {detail}"),
        (Op::Next, Kind::Invoke) => "wants another partner".to_owned(),
        (Op::Leave, Kind::Invoke) => "leaves".to_owned(),
        (Op::Next, _) => "next: ".to_owned() + stage(event.kind, detail),
        (Op::Leave, _) => "leave: ".to_owned() + stage(event.kind, detail),
        (Op::Vanish, _) => "vanishes".to_owned(),
        (Op::Poll { after }, _) => format!("poll after {after}: {detail}"),
        (Op::Told { event }, _) => format!("< {} {}", event.seq, told(&event.body)),
        (Op::Refused { refusal }, _) => format!("< refused: {}", refusal.problem.detail),
        (Op::Lost, _) => format!("loses the connection: {detail}"),
        (Op::Fault { kind, .. }, Kind::Invoke) => format!("*** {kind}"),
        (Op::Fault { kind, effect, .. }, _) => format!("*** {kind} done, touched {effect}"),
        (Op::Phase { phase }, _) => format!("--- {phase:?}"),
        (Op::Gauges { gauges }, _) => format!("the server holds {gauges:?}"),
    }
}

fn stage(kind: Kind, detail: &str) -> &str {
    if kind == Kind::Ok { "done" } else { detail }
}

/// What a person is told, in a few words.
#[must_use]
pub fn told(event: &ServerEvent) -> String {
    match event {
        ServerEvent::Welcome { online, .. } => format!("welcome, {online} online"),
        ServerEvent::Waiting => "waiting".to_owned(),
        ServerEvent::Paired { pair } => format!("paired {pair}"),
        ServerEvent::Message { from: Speaker::Me, id, .. } => format!("me {id}"),
        ServerEvent::Message { from: Speaker::Partner, id, .. } => format!("partner {id}"),
        ServerEvent::PartnerLeft { reason } => format!("partner left: {reason:?}").to_lowercase(),
        ServerEvent::Notice { online } => format!("notice, {online} online"),
        ServerEvent::Lagged { missed } => format!("lagged, {missed} missed"),
        ServerEvent::Closing { reason, .. } => format!("closing: {reason:?}").to_lowercase(),
    }
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
