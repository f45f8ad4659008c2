//! What a run shows: who was told what, when it happened on the server, when it arrived.

use std::fmt;

use chat_sim::Report;
use chat_sim::history::{Kind, Op, Phase};
use chat_sim::scenario::Scenario;
use chat_sim::transcript::{short_names, story, transcript};
use chat_sim::words::told;
use protocol::Event;

/// 2025-01-01T00:00:00Z, when every simulation begins.
const EPOCH_MS: i64 = 1_735_689_600_000;

/// A run in which every checker was content.
pub(super) struct Seen {
    report: Report,
    /// Everything that anybody was told before all left.
    told: Vec<Told>,
}

/// One event, as somebody was told it; times are since the start.
#[derive(Debug, Clone)]
pub(super) struct Told {
    who: String,
    words: String,
    /// When the server put it into the mailbox.
    pub(super) happened_ms: u64,
    /// When the person had it.
    pub(super) arrived_ms: u64,
}

impl Seen {
    pub(super) fn run(scenario: &Scenario) -> Self {
        let mut report = scenario.run();
        let is_end = |op: &Op| matches!(op, Op::Phase { phase: Phase::Settled });
        let end = report.history.iter().position(|event| is_end(&event.op));
        report.history.truncate(end.expect("a run that passed has come to rest"));
        let names = short_names(&report.history);
        let events = report.history.iter().filter_map(|event| match &event.op {
            Op::Told { event: told } => Some((event, told)),
            _ => None,
        });
        let told = events.map(|(event, body)| Told {
            who: event.process.clone(),
            words: names.shorten(&told(&body.body)),
            happened_ms: server_ms(body),
            arrived_ms: event.at_us / 1_000,
        });
        Self { told: told.collect(), report }
    }

    /// What a person was told, until everybody left in the end.
    pub(super) fn story(&self, who: &str) -> String {
        story(&self.report, who) + "\n"
    }

    /// The same of several people, under their names.
    pub(super) fn stories(&self, people: &[&str]) -> String {
        let story = |who: &&str| format!("{who}:\n{}", self.story(who));
        people.iter().map(story).collect()
    }

    /// How often somebody was told this.
    pub(super) fn count(&self, who: &str, words: &str) -> usize {
        self.all(who, words).count()
    }

    /// The first time that somebody was told this, if ever.
    pub(super) fn find(&self, who: &str, words: &str) -> Option<&Told> {
        self.all(who, words).next()
    }

    /// The first time that somebody was told this.
    pub(super) fn told(&self, who: &str, words: &str) -> &Told {
        let found = self.find(who, words);
        found.unwrap_or_else(|| panic!("{who} was never told {words:?}\n{self}"))
    }

    /// The last that somebody was told, notices apart.
    pub(super) fn last(&self, who: &str) -> &str {
        let told = self.told.iter().rev();
        let mut words = told.filter(|told| told.who == who).map(|told| told.words.as_str());
        words.find(|words| !words.starts_with("notice")).unwrap_or_default()
    }

    /// When a message was first sent, if it was.
    pub(super) fn said_ms(&self, message: &str) -> Option<u64> {
        self.when(|kind, op| match op {
            Op::Say { id, .. } => kind == Kind::Invoke && id.as_str() == message,
            _ => false,
        })
    }

    /// True when the server said so, by its answer or by its echo.
    pub(super) fn is_accepted(&self, message: &str) -> bool {
        let answered = self.when(|kind, op| match op {
            Op::Say { id, .. } => kind == Kind::Ok && id.as_str() == message,
            _ => false,
        });
        let echo = format!("me {message}");
        answered.is_some() || self.told.iter().any(|told| told.words == echo)
    }

    /// True when the server said no, in either transport's way.
    pub(super) fn is_refused(&self, message: &str) -> bool {
        let refused = self.when(|kind, op| match op {
            Op::Say { id, .. } => kind == Kind::Fail && id.as_str() == message,
            Op::Refused { refusal } => refusal.id.as_ref().is_some_and(|id| id.as_str() == message),
            _ => false,
        });
        refused.is_some()
    }

    /// The polls of a person that came back without an event, as the moments when they were
    /// asked and answered.
    pub(super) fn empty_polls(&self, who: &str) -> Vec<(u64, u64)> {
        let mut asked = None;
        let mut empty = Vec::new();
        for event in self.report.history.iter().filter(|event| event.process == who) {
            let Op::Poll { after } = event.op else { continue };
            if let (Kind::Ok, Some((cursor, at_us))) = (event.kind, asked)
                && self.next_cursor(who, event.index) == Some(cursor)
            {
                empty.push((at_us / 1_000, event.at_us / 1_000));
            }
            asked = (event.kind == Kind::Invoke).then_some((after, event.at_us));
        }
        empty
    }

    fn next_cursor(&self, who: &str, index: usize) -> Option<protocol::Seq> {
        let mut later = self.report.history[index..].iter().filter(|event| event.process == who);
        later.find_map(|event| match (&event.op, event.kind) {
            (Op::Poll { after }, Kind::Invoke) => Some(*after),
            _ => None,
        })
    }

    /// When a poll of a person was lost with its connection.
    pub(super) fn poll_lost_ms(&self, who: &str) -> Option<u64> {
        let mut events = self.report.history.iter().filter(|event| event.process == who);
        let lost =
            events.find(|event| matches!((&event.op, event.kind), (Op::Poll { .. }, Kind::Info)));
        lost.map(|event| event.at_us / 1_000)
    }

    fn all(&self, who: &str, words: &str) -> impl Iterator<Item = &Told> {
        self.told.iter().filter(move |told| told.who == who && told.words == words)
    }

    fn when(&self, wanted: impl Fn(Kind, &Op) -> bool) -> Option<u64> {
        let found = self.report.history.iter().find(|event| wanted(event.kind, &event.op));
        found.map(|event| event.at_us / 1_000)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&transcript(&self.report))
    }
}

fn server_ms(event: &Event) -> u64 {
    let at: jiff::Timestamp = event.at.parse().expect("the server writes RFC 3339");
    (at.as_millisecond() - EPOCH_MS) as u64
}
