//! The clients against the real server, over the operating system's sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use client::{ClientError, Options, Receiver, Sender, Sent, TcpConnector, TransportKind, open};
use protocol::{
    ClientEvent, CloseReason, Event, LeftReason, PairId, Say, Seq, ServerEvent, Speaker,
};
use server::config::Config;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server on a free port of the loopback.
struct Served {
    addr: SocketAddr,
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn serve() -> Served {
    let config = Config {
        messages_burst_max: 1_000,
        message_ids_max: 1_000,
        drain_ms_max: 2_000,
        ..Config::default()
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let addr = listener.local_addr().expect("the listener is bound");
    let (shutdown, told) = oneshot::channel();
    let end = async {
        // A test that is over drops its end, and that is an end as well.
        let _ = told.await;
    };
    let task = tokio::spawn(async move { server::serve(listener, config, end).await });
    Served { addr, shutdown, task }
}

/// One person with one client, and everything that was received so far.
struct Person {
    sender: Sender<TcpConnector>,
    receiver: Receiver<TcpConnector>,
    events: Vec<Event>,
    /// How many of the events a test has looked at.
    looked_at: usize,
}

impl Served {
    fn connector(&self) -> TcpConnector {
        TcpConnector { target: self.addr, source: None }
    }

    fn options(&self) -> Options {
        Options {
            poll_interval: Duration::from_millis(5),
            poll_wait: Duration::from_secs(5),
            ..Options::new(self.addr.to_string())
        }
    }

    async fn person(&self, kind: TransportKind) -> Person {
        self.person_with(kind, self.options()).await
    }

    async fn person_with(&self, kind: TransportKind, options: Options) -> Person {
        let (sender, receiver) = open(kind, self.connector(), options).await.expect("a session");
        Person { sender, receiver, events: Vec::new(), looked_at: 0 }
    }
}

impl Person {
    /// Looks at one event after the other, and receives more, until one is `wanted`; gives what
    /// that makes of it.
    async fn until<T>(&mut self, wanted: impl Fn(&ServerEvent) -> Option<T>) -> T {
        loop {
            while let Some(event) = self.events.get(self.looked_at) {
                self.looked_at += 1;
                if let Some(found) = wanted(&event.body) {
                    return found;
                }
            }
            let received = self.receiver.receive().await.expect("the session goes on");
            assert_eq!(received.refused, [], "nothing was refused");
            self.events.extend(received.events);
        }
    }

    async fn paired(&mut self) -> PairId {
        self.until(|event| match event {
            ServerEvent::Paired { pair } => Some(*pair),
            _ => None,
        })
        .await
    }

    async fn hears(&mut self, from: Speaker, text: &str) {
        self.until(|event| match event {
            ServerEvent::Message { from: f, text: t, .. } if *f == from && **t == *text => Some(()),
            _ => None,
        })
        .await;
    }

    async fn says(&mut self, pair: PairId, text: &str) -> Sent {
        self.sender.send(say(pair, text)).await.expect("the server is there")
    }

    /// The end of the session, with its reason, in good order.
    async fn ends(mut self) -> CloseReason {
        let reason = self
            .until(|event| match event {
                ServerEvent::Closing { reason, .. } => Some(*reason),
                _ => None,
            })
            .await;
        let end = self.receiver.receive().await;
        assert!(matches!(end, Err(ClientError::Closed)), "{end:?}");
        assert!(
            self.events.windows(2).all(|two| two[0].seq < two[1].seq),
            "every event came once and in order: {:?}",
            self.events
        );
        reason
    }
}

fn say(pair: PairId, text: &str) -> ClientEvent {
    let id = text.parse().expect("the text is short enough to be an id");
    ClientEvent::Say(Say { id, text: text.into(), pair: Some(pair) })
}

#[tokio::test]
async fn every_transport_chats_with_every_other() {
    for one in TransportKind::ALL {
        for other in TransportKind::ALL {
            let served = serve().await;
            let (mut alice, mut bob) = (served.person(one).await, served.person(other).await);
            let pair = alice.paired().await;
            assert_eq!(pair, bob.paired().await, "{one} and {other}");
            alice.says(pair, "hello").await;
            alice.hears(Speaker::Me, "hello").await;
            bob.hears(Speaker::Partner, "hello").await;
            bob.says(pair, "hi").await;
            alice.hears(Speaker::Partner, "hi").await;
            alice.sender.send(ClientEvent::Leave).await.expect("the server is there");
            assert_eq!(alice.ends().await, CloseReason::Left, "{one} and {other}");
            let reason = bob
                .until(|event| match event {
                    ServerEvent::PartnerLeft { reason } => Some(*reason),
                    _ => None,
                })
                .await;
            assert_eq!(reason, LeftReason::Left, "{one} and {other}");
        }
    }
}

#[tokio::test]
async fn a_talk_longer_than_a_mailbox_meets_no_refusal() {
    let served = serve().await;
    for kind in TransportKind::ALL {
        let mut bob = served.person(kind).await;
        // A session that began elsewhere is acknowledged in a way of its own.
        let begun = served.person(TransportKind::LongPoll).await;
        let resume = Some(begun.sender.resume(begun.receiver.cursor()));
        let mut alice = served.person_with(kind, Options { resume, ..served.options() }).await;
        let pair = alice.paired().await;
        bob.paired().await;
        for n in 0..300 {
            alice.says(pair, &n.to_string()).await;
            bob.hears(Speaker::Partner, &n.to_string()).await;
            alice.hears(Speaker::Me, &n.to_string()).await;
        }
        bob.says(pair, "goodbye").await;
        alice.hears(Speaker::Partner, "goodbye").await;
        for mut person in [alice, bob] {
            person.sender.send(ClientEvent::Leave).await.expect("the server is there");
            assert_eq!(person.ends().await, CloseReason::Left, "{kind}");
        }
    }
}

#[tokio::test]
async fn a_session_goes_on_over_another_transport_where_it_was_left() {
    for from in TransportKind::ALL {
        for to in TransportKind::ALL {
            // Over a socket a session outlives its connection when it was resumed itself.
            let served = serve().await;
            let first = served.person(TransportKind::LongPoll).await;
            let resume = first.sender.resume(first.receiver.cursor());
            drop(first);
            let resumed = Options { resume: Some(resume), ..served.options() };
            let mut alice = served.person_with(from, resumed).await;
            let mut bob = served.person(TransportKind::LongPoll).await;
            let pair = alice.paired().await;
            bob.paired().await;
            let resume = alice.sender.resume(alice.receiver.cursor());
            drop(alice);
            bob.says(pair, "meanwhile").await;

            let resumed = Options { resume: Some(resume.clone()), ..served.options() };
            let mut alice = served.person_with(to, resumed).await;
            assert_eq!(alice.sender.session(), resume.session);
            alice.hears(Speaker::Partner, "meanwhile").await;
            assert_eq!(alice.events[0].seq, resume.after.next(), "{from} to {to}");
            alice.says(pair, "back").await;
            bob.hears(Speaker::Partner, "back").await;
        }
    }
}

#[tokio::test]
async fn a_token_that_nobody_was_given_is_refused() {
    let served = serve().await;
    for kind in TransportKind::ALL {
        let stranger = client::Resume {
            session: protocol::SessionId(1),
            token: "1-0".to_owned(),
            after: Seq(0),
        };
        let options = Options { resume: Some(stranger), ..served.options() };
        let outcome = match open(kind, served.connector(), options).await {
            Ok((_, mut receiver)) => receiver.receive().await.map(|_| ()),
            Err(error) => Err(error),
        };
        match outcome {
            Err(ClientError::Refused(problem)) => assert_eq!(problem.status, 401, "{kind}"),
            other => panic!("{kind}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_told_with_the_reason() {
    let served = serve().await;
    for kind in TransportKind::ALL {
        let mut person = served.person(kind).await;
        let stale = say(PairId(1), "anybody?");
        let problem = match person.sender.send(stale).await {
            Err(ClientError::Refused(problem)) => problem,
            Ok(Sent::Written) => loop {
                let received = person.receiver.receive().await.expect("the session goes on");
                if let Some(refusal) = received.refused.into_iter().next() {
                    assert_eq!(refusal.id, Some("anybody?".parse().expect("an id")));
                    break refusal.problem;
                }
            },
            other => panic!("{kind}: {other:?}"),
        };
        assert_eq!(problem.status, 409, "{kind}");
    }
}

#[tokio::test]
async fn everybody_is_told_when_the_server_drains() {
    let served = serve().await;
    let mut people = Vec::new();
    for kind in TransportKind::ALL {
        people.push(served.person(kind).await);
    }
    served.shutdown.send(()).expect("the server is there");
    let ends = futures_util::future::join_all(people.into_iter().map(Person::ends)).await;
    assert_eq!(ends, TransportKind::ALL.map(|_| CloseReason::Draining));
    served.task.await.expect("the server does not panic").expect("the server ends well");
}

#[tokio::test]
async fn a_connection_comes_from_the_address_that_was_asked_for() {
    use client::Connect;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let target = listener.local_addr().expect("the listener is bound");
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let connector = TcpConnector { target, source: Some(source) };
    let (stream, accepted) = tokio::join!(connector.connect(), listener.accept());
    let stream = stream.expect("the connection opens");
    let (_, from) = accepted.expect("the connection arrives");
    assert_eq!(from.ip(), source);
    assert_eq!(stream.local_addr().expect("a bound stream"), from);
    assert!(stream.nodelay().expect("a TCP option"));
}
