//! Events in a few words, for transcripts, evidence and stories.

use protocol::{ServerEvent, Speaker};

use crate::history::{Event, Kind, Op};
use crate::operator::MESSAGES;

/// One event in a few words.
#[must_use]
pub fn describe(event: &Event) -> String {
    let detail = event.detail.as_ref().map(ToString::to_string).unwrap_or_default();
    let detail = detail.as_str();
    match (&event.op, event.kind) {
        (Op::Open { resumes: None, .. }, Kind::Invoke) => "opens".to_owned(),
        (Op::Open { resumes: Some(after), .. }, Kind::Invoke) => format!("resumes after {after}"),
        (Op::Open { .. }, Kind::Ok) => "is in".to_owned(),
        (Op::Open { .. }, _) => format!("does not get in: {detail}"),
        (Op::Say { id, pair, .. }, Kind::Invoke) => {
            format!("says {id} to {pair} {detail}").trim_end().to_owned()
        }
        (Op::Say { id, .. }, Kind::Ok) => format!("{id} accepted"),
        (Op::Say { id, .. }, _) => format!("{id}: {detail}"),
        (Op::Next, Kind::Invoke) => "wants another partner".to_owned(),
        (Op::Leave, Kind::Invoke) => "leaves".to_owned(),
        (Op::Next, _) => "next: ".to_owned() + stage(event.kind, detail),
        (Op::Leave, _) => "leave: ".to_owned() + stage(event.kind, detail),
        (Op::Vanish, _) => format!("vanishes {detail}").trim_end().to_owned(),
        (Op::Poll { after }, Kind::Invoke) => format!("polls after {after}"),
        (Op::Poll { after }, Kind::Ok) => format!("poll after {after} answered"),
        (Op::Poll { after }, _) => format!("poll after {after}: {detail}"),
        (Op::Told { event }, _) => format!("< {} {}", event.seq, told(&event.body)),
        (Op::Repeated { seq }, _) => format!("< {seq} again"),
        (Op::Refused { refusal }, _) => format!("< refused: {}", refusal.problem.detail),
        (Op::Lost, _) => format!("loses the connection: {detail}"),
        (Op::Fault { kind, .. }, Kind::Invoke) => format!("*** {kind}"),
        (Op::Fault { kind, effect, .. }, _) => format!("*** {kind} done, touched {effect}"),
        (Op::Exited, _) => "*** the server that drained has exited".to_owned(),
        (Op::Phase { phase }, _) => format!("--- {phase:?}"),
        (Op::Gauges { gauges }, _) => {
            let is_held = |name: &str, count: u64| {
                count > 0 && name != "ready" && !name.starts_with(MESSAGES)
            };
            let held = gauges.iter().filter(|(name, count)| is_held(name, **count));
            let held: Vec<_> = held.map(|(name, count)| format!("{name} {count}")).collect();
            format!("the server holds {} and nothing else", held.join(", "))
        }
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
