//! One conversation over each transport, on the sockets of the operating system.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_sim::words::told;
use client::{Options, Receiver, Sender, TcpConnector, TransportKind};
use expect_test::expect;
use protocol::{ClientEvent, MessageId, PairId, Say, ServerEvent};
use server::config::Config;
use tokio::time::Instant;

use crate::served::{Served, serve};

/// How long a long poll of these tests may be parked: longer than any of them takes.
const WAIT: Duration = Duration::from_secs(20);
/// What is answered at once takes less, even on a machine that is busy.
const AT_ONCE: Duration = Duration::from_secs(5);

/// One person, and what was received so far.
struct Person {
    sender: Sender<TcpConnector>,
    receiver: Receiver<TcpConnector>,
    told: Vec<String>,
    pair: Option<PairId>,
}

impl Person {
    async fn join(served: &Served, kind: TransportKind) -> Self {
        let connector = TcpConnector { target: served.addr, source: None };
        let options = Options {
            poll_interval: Duration::from_millis(5),
            poll_wait: WAIT,
            ..Options::new(served.addr.to_string())
        };
        let (sender, receiver) = client::open(kind, connector, options).await.expect("a session");
        Self { sender, receiver, told: Vec::new(), pair: None }
    }

    /// Reads until this was told.
    async fn hears(&mut self, words: &str) {
        while !self.told.iter().any(|told| told == words) {
            let received = tokio::time::timeout(WAIT, self.receiver.receive()).await;
            let received = received.expect("it comes in time").expect("the session goes on");
            assert_eq!(received.refused, []);
            for event in received.events {
                if let ServerEvent::Paired { pair } = event.body {
                    self.pair = Some(pair);
                    self.told.push("paired".to_owned());
                } else {
                    self.told.push(told(&event.body));
                }
            }
        }
    }

    async fn says(&mut self, id: &str) {
        let id: MessageId = id.parse().expect("a short id");
        let say = Say { text: format!("words of {id}").into(), id, pair: self.pair };
        self.does(ClientEvent::Say(say)).await;
    }

    async fn does(&mut self, event: ClientEvent) {
        self.sender.send(event).await.expect("the server is there");
    }
}

async fn conversation(kind: TransportKind) -> String {
    let config = Config { notice_interval_ms: 3_600_000, ..Config::default() };
    let served = serve(config).await;
    let mut ann = Person::join(&served, kind).await;
    ann.hears("waiting").await;
    let mut bob = Person::join(&served, kind).await;
    ann.hears("paired").await;
    bob.hears("paired").await;
    ann.says("ann-1").await;
    bob.hears("partner ann-1").await;
    bob.says("bob-1").await;
    ann.hears("partner bob-1").await;
    ann.does(ClientEvent::Next { pair: None }).await;
    bob.hears("partner left: skipped").await;
    bob.does(ClientEvent::Leave).await;
    bob.hears("closing: left").await;
    ann.hears("partner left: left").await;
    ann.does(ClientEvent::Leave).await;
    ann.hears("closing: left").await;
    format!("ann: {}\nbob: {}\n", ann.told.join(", "), bob.told.join(", "))
}

#[tokio::test]
async fn every_transport_tells_the_same_conversation() {
    let mut stories = BTreeSet::new();
    for kind in TransportKind::ALL {
        stories.insert(conversation(kind).await);
    }
    assert_eq!(stories.len(), 1, "{stories:#?}");
    expect![[r#"
        ann: welcome, 1 online, waiting, paired, me ann-1, partner bob-1, partner left: skipped, paired, partner left: left, waiting, closing: left
        bob: welcome, 2 online, paired, partner ann-1, me bob-1, partner left: skipped, paired, closing: left
    "#]].assert_eq(&stories.into_iter().collect::<String>());
}

#[tokio::test]
async fn a_parked_poll_is_answered_by_a_message_at_once() {
    let served = serve(Config::default()).await;
    let mut ann = Person::join(&served, TransportKind::LongPoll).await;
    let mut bob = Person::join(&served, TransportKind::LongPoll).await;
    ann.hears("paired").await;
    bob.hears("paired").await;
    let asked = Instant::now();
    let mut parked = std::pin::pin!(bob.receiver.receive());
    let early = tokio::time::timeout(Duration::from_millis(200), parked.as_mut()).await;
    assert!(early.is_err(), "nothing has happened, so nothing is answered: {early:?}");
    ann.says("ann-1").await;
    let received = parked.await.expect("the session goes on");
    assert_eq!(
        received.events.iter().map(|event| told(&event.body)).collect::<Vec<_>>(),
        ["partner ann-1"]
    );
    assert!(asked.elapsed() < AT_ONCE, "and not after the wait of {WAIT:?}");
}

#[tokio::test]
async fn a_poll_without_an_event_ends_after_its_wait() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    let asked = Instant::now();
    let poll = crate::http::ask("GET /api/events?after=2&wait_ms=300").bearer(&token);
    let answer = poll.of(served.addr).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"events":[],"next":2}"#));
    let took = asked.elapsed();
    assert!(took >= Duration::from_millis(300) && took < AT_ONCE, "{took:?}");
}

/// What the server counts while a long poll is parked.
const PARKED: &str = "racetrack_readers{transport=\"long-poll\"} 1\n";

#[tokio::test]
async fn a_second_poll_ends_the_first_without_events() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    let first = crate::http::ask("GET /api/events?after=2&wait_ms=20000").bearer(&token);
    let first = tokio::spawn(first.of(served.addr));
    // The first one is parked as soon as the server counts it as a reader.
    while !crate::http::ask("GET /metrics").of(served.addr).await.body.contains(PARKED) {}
    let second = crate::http::ask("GET /api/events?after=2").bearer(&token).of(served.addr).await;
    assert_eq!(second.json()["next"], 2);
    let first = first.await.expect("the test does not panic");
    assert_eq!((first.status, first.body.as_str()), (200, r#"{"events":[],"next":2}"#));
}
