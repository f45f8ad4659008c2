//! A shutdown while everybody talks: what was accepted is received, everybody is told, and it is
//! over as soon as that is so.

use std::collections::BTreeSet;
use std::time::Duration;

use client::{Options, Receiver, Sender, Sent, TcpConnector, TransportKind};
use protocol::{ClientEvent, CloseReason, Event, MessageId, Say, ServerEvent, Speaker};
use server::config::Config;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::http::ask;
use crate::served::{Served, serve};

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many messages each has heard of their own when the server is told to stop.
const SAID_BEFORE: usize = 20;

/// Two on the same transport, who talk to each other.
struct Couple {
    kind: TransportKind,
    people: [(Sender<TcpConnector>, Receiver<TcpConnector>); 2],
}

/// What came of one person's evening.
struct Told {
    /// Messages that the server said it had accepted.
    accepted: BTreeSet<MessageId>,
    /// Everything that arrived.
    events: Vec<Event>,
}

async fn couple(served: &Served, kind: TransportKind) -> Couple {
    let mut people = Vec::new();
    for _ in 0..2 {
        let connector = TcpConnector { target: served.addr, source: None };
        let options = Options {
            poll_interval: Duration::from_millis(5),
            poll_wait: PATIENCE,
            ..Options::new(served.addr.to_string())
        };
        people.push(client::open(kind, connector, options).await.expect("a session"));
    }
    Couple { kind, people: people.try_into().ok().expect("two") }
}

/// Talks until the server takes nothing more, and gives the names of what it took.
async fn talk(mut sender: Sender<TcpConnector>) -> BTreeSet<MessageId> {
    let mut accepted = BTreeSet::new();
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    for number in 0.. {
        pace.tick().await;
        let id: MessageId = format!("m-{number}").parse().expect("a short id");
        let say = Say { id: id.clone(), text: "words".into(), pair: None };
        match sender.send(ClientEvent::Say(say)).await {
            Ok(Sent::Accepted) => {
                accepted.insert(id);
            }
            Ok(Sent::Written) => {}
            Err(_) => break,
        }
    }
    accepted
}

/// Reads until the session is over, and says when enough of one's own has come back.
async fn listen(
    kind: TransportKind,
    mut receiver: Receiver<TcpConnector>,
    warm: mpsc::Sender<()>,
) -> Vec<Event> {
    let (mut events, mut own) = (Vec::<Event>::new(), 0);
    loop {
        let received = tokio::time::timeout(PATIENCE, receiver.receive()).await;
        let received = received.unwrap_or_else(|_| panic!("{kind} is told nothing in time"));
        let received = received.unwrap_or_else(|error| {
            panic!("{kind} is cut off ({error}) behind {:?}", events.last())
        });
        for event in received.events {
            if matches!(event.body, ServerEvent::Message { from: Speaker::Me, .. }) {
                own += 1;
                if own == SAID_BEFORE {
                    warm.send(()).await.expect("somebody waits for it");
                }
            }
            let is_last = matches!(event.body, ServerEvent::Closing { .. });
            events.push(event);
            if is_last {
                return events;
            }
        }
    }
}

fn messages(events: &[Event], speaker: Speaker) -> Vec<MessageId> {
    let ids = events.iter().filter_map(|event| match &event.body {
        ServerEvent::Message { from, id, .. } if *from == speaker => Some(id.clone()),
        _ => None,
    });
    ids.collect()
}

fn check(kind: TransportKind, speaker: &Told, hearer: &Told) {
    let echoed = messages(&speaker.events, Speaker::Me);
    let heard = messages(&hearer.events, Speaker::Partner);
    assert!(echoed.len() >= SAID_BEFORE, "{kind}");
    assert_eq!(echoed, heard, "{kind}: what was accepted is what was heard, in order");
    for id in &speaker.accepted {
        assert!(heard.contains(id), "{kind}: {id} was accepted and nobody heard it");
    }
    let last = speaker.events.last().map(|event| &event.body);
    let expected =
        ServerEvent::Closing { reason: CloseReason::Draining, retry_after_ms: Some(1_000) };
    assert_eq!(last, Some(&expected), "{kind}");
}

#[tokio::test]
async fn nobody_loses_a_message_that_was_accepted_and_everybody_is_told() {
    let config = Config {
        messages_per_s_max: 1_000,
        messages_burst_max: 1_000,
        drain_ms_max: 3_600_000,
        ..Config::default()
    };
    let mut served = serve(config).await;
    let mut evenings = Vec::new();
    let (warm, mut warmed) = mpsc::channel(64);
    for kind in TransportKind::ALL {
        let Couple { kind, people } = couple(&served, kind).await;
        let couple = people.map(|(sender, receiver)| {
            (tokio::spawn(talk(sender)), tokio::spawn(listen(kind, receiver, warm.clone())))
        });
        evenings.push((kind, couple));
    }
    for _ in 0..2 * TransportKind::ALL.len() {
        let warm = tokio::time::timeout(PATIENCE, warmed.recv()).await;
        warm.expect("everybody talks").expect("somebody is left");
    }
    served.shut_down();
    let asked = Instant::now();
    for (kind, couple) in evenings {
        let mut told = Vec::new();
        for (talk, listen) in couple {
            let events = listen.await.expect("the test does not panic");
            let accepted = talk.await.expect("the test does not panic");
            told.push(Told { accepted, events });
        }
        check(kind, &told[0], &told[1]);
        check(kind, &told[1], &told[0]);
    }
    // Not after an hour: the drain is over when everybody has been told.
    served.ended().await;
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
}

/// A tab was closed: its long poll was cut, and nobody will ever come for the last event.
#[tokio::test]
async fn a_drain_does_not_wait_for_a_tab_that_was_closed() {
    let config = Config {
        drain_ms_max: 3_600_000,
        resume_window_ms: 3_600_000,
        notice_interval_ms: 3_600_000,
        ..Config::default()
    };
    let mut served = serve(config).await;
    let token = served.token().await;
    let read = ask("GET /api/events?after=0").bearer(&token).of(served.addr).await;
    assert_eq!(read.json()["next"], 2);
    let poll = ask("GET /api/events?after=2&wait_ms=30000").bearer(&token);
    let parked = tokio::spawn(poll.of(served.addr));
    let metrics = async || ask("GET /metrics").of(served.addr).await.body;
    while !metrics().await.contains("racetrack_readers{transport=\"long-poll\"} 1\n") {}
    parked.abort();
    while !metrics().await.contains("racetrack_readers{transport=\"long-poll\"} 0\n") {}
    served.shut_down();
    tokio::time::timeout(PATIENCE, served.ended()).await.expect("nobody is waited for");
}
