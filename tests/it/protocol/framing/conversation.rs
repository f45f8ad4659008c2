//! The conversation that is recorded: every command once, every answer that follows from one, and the
//! session taken up again over a new connection.

use std::time::Duration;

use client::{ClientError, Options, Receiver, Sender, TcpConnector, TransportKind, open};
use protocol::{ClientEvent, PairId, Refusal, Say, ServerEvent, Speaker};
use server::config::Config;
use tokio::time::timeout;

use super::recording::Recorder;
use super::transcript::Transcript;
use crate::served::serve;

/// Longer than any step takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Neither head counts nor heartbeats come during the conversation.
fn quiet() -> Config {
    Config {
        notice_interval_ms: 3_600_000,
        heartbeat_interval_ms: 600_000,
        heartbeat_timeout_ms: 600_000,
        ..Config::default()
    }
}

/// The transcript of the conversation over a transport.
pub(super) async fn over(kind: TransportKind) -> String {
    let served = serve(quiet()).await;
    let recorder = Recorder::new(TcpConnector { target: served.addr, source: None });
    let options = Options {
        poll_interval: Duration::from_millis(5),
        ..Options::new(served.addr.to_string())
    };
    let mut transcript = Transcript::new();
    transcript.replace(&served.addr.to_string(), "HOST");

    let mut alice = Client::open(kind, &recorder, options.clone()).await;
    alice.until(|event| matches!(event, ServerEvent::Waiting)).await;
    let bob = served.token().await;
    let pair = alice.paired().await;
    transcript.replace(alice.sender.token(), "TOKEN");
    transcript.replace_field("session", alice.sender.session().0, "SESSION");
    transcript.replace_field("pair", pair.0, "PAIR1");

    alice.say("a-1", Some(pair)).await;
    alice.until(|event| is_from(event, Speaker::Me)).await;
    served.say(&bob, "b-1", "안녕, \"Alice\"").await;
    alice.until(|event| is_from(event, Speaker::Partner)).await;
    let refused = alice.refused("a-2").await;
    assert_eq!(refused.problem.kind, "/problems/stale-pair");
    alice.send(ClientEvent::Ack { seq: alice.receiver.cursor() }).await;

    let resume = alice.sender.resume(alice.receiver.cursor());
    drop(alice);
    let mut alice =
        Client::open(kind, &recorder, Options { resume: Some(resume), ..options }).await;
    served.say(&bob, "b-2", "still there?").await;
    alice.until(|event| is_from(event, Speaker::Partner)).await;
    alice.say("a-3", None).await;
    alice.until(|event| is_from(event, Speaker::Me)).await;
    alice.send(ClientEvent::Next { pair: Some(pair) }).await;
    // With nobody else there, the two meet again.
    let next = alice.paired().await;
    transcript.replace_field("pair", next.0, "PAIR2");
    alice.send(ClientEvent::Leave).await;
    alice.until(|event| matches!(event, ServerEvent::Closing { .. })).await;
    let end = timeout(PATIENCE, alice.receiver.receive()).await.expect("the session ends");
    assert!(matches!(end, Err(ClientError::Closed)), "{end:?}");
    drop(alice);
    transcript.of(&recorder.connections())
}

fn is_from(event: &ServerEvent, speaker: Speaker) -> bool {
    matches!(event, ServerEvent::Message { from, .. } if *from == speaker)
}

/// A client and what it has received that no step has looked at.
struct Client {
    sender: Sender<Recorder>,
    receiver: Receiver<Recorder>,
    events: Vec<ServerEvent>,
    refused: Vec<Refusal>,
}

impl Client {
    async fn open(kind: TransportKind, recorder: &Recorder, options: Options) -> Self {
        let opened = timeout(PATIENCE, open(kind, recorder.clone(), options)).await;
        let (sender, receiver) = opened.expect("an answer").expect("a session");
        Self { sender, receiver, events: Vec::new(), refused: Vec::new() }
    }

    async fn receive(&mut self) {
        let received = timeout(PATIENCE, self.receiver.receive()).await.expect("something comes");
        let received = received.expect("the session goes on");
        self.events.extend(received.events.into_iter().map(|event| event.body));
        self.refused.extend(received.refused);
    }

    async fn until(&mut self, is_wanted: impl Fn(&ServerEvent) -> bool) -> ServerEvent {
        loop {
            while !self.events.is_empty() {
                let event = self.events.remove(0);
                if is_wanted(&event) {
                    return event;
                }
            }
            self.receive().await;
        }
    }

    async fn paired(&mut self) -> PairId {
        match self.until(|event| matches!(event, ServerEvent::Paired { .. })).await {
            ServerEvent::Paired { pair } => pair,
            other => unreachable!("{other:?} is no pairing"),
        }
    }

    async fn send(&mut self, command: ClientEvent) {
        self.sender.send(command).await.expect("the server accepts it");
    }

    async fn say(&mut self, id: &str, pair: Option<PairId>) {
        self.send(say(id, pair)).await;
    }

    /// Says something in a conversation that never was; gives the refusal.
    async fn refused(&mut self, id: &str) -> Refusal {
        match self.sender.send(say(id, Some(PairId(1)))).await {
            Err(ClientError::Refused(problem)) => return Refusal { id: None, problem },
            outcome => outcome.expect("the connection holds"),
        };
        while self.refused.is_empty() {
            self.receive().await;
        }
        self.refused.remove(0)
    }
}

fn say(id: &str, pair: Option<PairId>) -> ClientEvent {
    let id = id.parse().expect("a short id");
    ClientEvent::Say(Say { id, text: "안녕, \"Bob\"".into(), pair })
}
