//! Every type of the wire as a file: a change of the wire is a change of a file.
//!
//! `UPDATE_EXPECT=1` writes the files anew. Each is also read back, so that what was once sent
//! can still be understood.

use std::fmt::Debug;

use expect_test::{ExpectFile, expect_file};
use protocol::{
    Batch, ClientEvent, CloseReason, Event, LeftReason, MessageId, Opened, PairId, Problem,
    Refusal, Say, Seq, ServerEvent, ServerFrame, SessionId, Speaker,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn check<T>(value: &T, golden: ExpectFile)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let text = serde_json::to_string_pretty(value).expect("the wire is plain data") + "\n";
    golden.assert_eq(&text);
    let read: T = serde_json::from_str(&golden.data()).expect("a golden file can be read");
    assert_eq!(read, *value);
}

fn id(text: &str) -> MessageId {
    text.parse().expect("a short id")
}

fn server_events() -> Vec<Event> {
    let message =
        |from| ServerEvent::Message { from, id: id("a-1"), text: "안녕, \"you\"".into() };
    let left = |reason| ServerEvent::PartnerLeft { reason };
    let closing = |reason, retry_after_ms| ServerEvent::Closing { reason, retry_after_ms };
    let bodies = [
        ServerEvent::Welcome { session: SessionId(7), online: 2 },
        ServerEvent::Waiting,
        ServerEvent::Paired { pair: PairId(9) },
        message(Speaker::Me),
        message(Speaker::Partner),
        left(LeftReason::Left),
        left(LeftReason::Skipped),
        left(LeftReason::Lost),
        ServerEvent::Notice { online: 1_000 },
        ServerEvent::Lagged { missed: 3 },
        closing(CloseReason::Left, None),
        closing(CloseReason::Lost, None),
        closing(CloseReason::Slow, None),
        closing(CloseReason::Draining, Some(1_000)),
    ];
    let numbered = (1..).zip(bodies);
    let at = |seq| format!("2025-01-01T00:00:00.{seq:03}Z");
    numbered.map(|(seq, body)| Event { seq: Seq(seq), at: at(seq), body }).collect()
}

fn problem() -> Problem {
    Problem {
        kind: "/problems/stale-pair".to_owned(),
        title: "The partner has left".to_owned(),
        status: 409,
        detail: "the conversation p9 is over".to_owned(),
        limit: None,
        retry_after_ms: None,
    }
}

#[test]
fn server_events_look_like_this() {
    check(&server_events(), expect_file!["golden/server_events.json"]);
}

#[test]
fn client_events_look_like_this() {
    let say = |pair| Say { id: id("a-1"), text: "안녕".into(), pair };
    let events = vec![
        ClientEvent::Say(say(Some(PairId(9)))),
        ClientEvent::Say(say(None)),
        ClientEvent::Next { pair: Some(PairId(9)) },
        ClientEvent::Next { pair: None },
        ClientEvent::Leave,
        ClientEvent::Ack { seq: Seq(12) },
    ];
    check(&events, expect_file!["golden/client_events.json"]);
}

#[test]
fn answers_look_like_this() {
    let opened = Opened { session: SessionId(7), token: "7-00ff".to_owned(), next: Seq(0) };
    check(&opened, expect_file!["golden/opened.json"]);
    let events = server_events().split_off(12);
    check(&Batch { events, next: Seq(14) }, expect_file!["golden/batch.json"]);
    check(&Batch { events: Vec::new(), next: Seq(14) }, expect_file!["golden/empty_batch.json"]);
}

#[test]
fn frames_look_like_this() {
    let opened = Opened { session: SessionId(7), token: "7-00ff".to_owned(), next: Seq(0) };
    let refused = |id| ServerFrame::Refused(Refusal { id, problem: problem() });
    let mut frames = vec![ServerFrame::Opened(opened), refused(Some(id("a-1"))), refused(None)];
    frames.extend(server_events().into_iter().map(ServerFrame::Event));
    check(&frames, expect_file!["golden/server_frames.json"]);
}

#[test]
fn refusals_look_like_this() {
    check(&problem(), expect_file!["golden/problem.json"]);
    let refusals = vec![
        Refusal { id: Some(id("a-1")), problem: problem() },
        Refusal { id: None, problem: problem() },
    ];
    check(&refusals, expect_file!["golden/refusals.json"]);
}

#[test]
fn the_golden_events_are_all_that_there_are() {
    // Whoever adds an event is sent here by the compiler, and adds it to the golden file as well.
    let name = |event: &ServerEvent| match event {
        ServerEvent::Welcome { .. } => 0,
        ServerEvent::Waiting => 1,
        ServerEvent::Paired { .. } => 2,
        ServerEvent::Message { from: Speaker::Me, .. } => 3,
        ServerEvent::Message { from: Speaker::Partner, .. } => 4,
        ServerEvent::PartnerLeft { reason: LeftReason::Left } => 5,
        ServerEvent::PartnerLeft { reason: LeftReason::Skipped } => 6,
        ServerEvent::PartnerLeft { reason: LeftReason::Lost } => 7,
        ServerEvent::Notice { .. } => 8,
        ServerEvent::Lagged { .. } => 9,
        ServerEvent::Closing { reason: CloseReason::Left, .. } => 10,
        ServerEvent::Closing { reason: CloseReason::Lost, .. } => 11,
        ServerEvent::Closing { reason: CloseReason::Slow, .. } => 12,
        ServerEvent::Closing { reason: CloseReason::Draining, .. } => 13,
    };
    let places: Vec<_> = server_events().iter().map(|event| name(&event.body)).collect();
    assert_eq!(places, (0..14).collect::<Vec<_>>());
}

#[test]
fn what_is_not_the_wire_is_not_understood() {
    let wrong = [
        r#"{"type":"shout","text":"hi"}"#,
        r#"{"type":"say","id":"","text":"hi"}"#,
        r#"{"type":"say","text":"hi"}"#,
        r#"{"type":"ack","seq":-1}"#,
        r#"{"id":"a-1","text":"hi"}"#,
    ];
    for text in wrong {
        assert!(serde_json::from_str::<ClientEvent>(text).is_err(), "{text}");
    }
    let wrong = [
        r#"{"type":"opened","session":7}"#,
        r#"{"type":"refused"}"#,
        r#"{"type":"waiting"}"#,
        r#"{"type":"shouted","seq":1,"at":"2025-01-01T00:00:00.000Z"}"#,
    ];
    for text in wrong {
        assert!(serde_json::from_str::<ServerFrame>(text).is_err(), "{text}");
    }
    let longest = "x".repeat(protocol::MESSAGE_ID_CHARS_MAX);
    assert!(longest.parse::<MessageId>().is_ok());
    assert!((longest + "x").parse::<MessageId>().is_err());
}
