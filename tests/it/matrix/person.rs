//! One person with one client, and everything that person was told so far.

use std::time::Duration;

use chat_sim::words::told;
use client::{Connect, Options, Receiver, Resume, Sender, TransportKind};
use protocol::{ClientEvent, Event, LeftReason, PairId, Say, ServerEvent, Speaker};
use tokio::time::timeout;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of the latest events, how many a failure shows.
const TOLD_SHOWN: usize = 12;

pub(super) struct Person<C: Connect> {
    kind: TransportKind,
    connector: C,
    options: Options,
    sender: Sender<C>,
    receiver: Receiver<C>,
    /// Every event, over all connections; in order and each once, or the test is over.
    told: Vec<Event>,
    /// How many of the events somebody has looked at.
    looked_at: usize,
    said: Vec<String>,
    pub(super) pair: Option<PairId>,
}

impl<C: Connect> Person<C> {
    pub(super) async fn arrive(kind: TransportKind, connector: &C, host: &str) -> Self {
        let options = Options {
            poll_interval: Duration::from_millis(20),
            poll_wait: Duration::from_secs(1),
            ..Options::new(host)
        };
        let (sender, receiver) = open(kind, connector, options.clone()).await;
        Self {
            kind,
            connector: connector.clone(),
            options,
            sender,
            receiver,
            told: Vec::new(),
            looked_at: 0,
            said: Vec::new(),
            pair: None,
        }
    }

    /// The next event that nobody has looked at, head counts aside.
    async fn next(&mut self) -> ServerEvent {
        loop {
            while let Some(event) = self.told.get(self.looked_at) {
                self.looked_at += 1;
                if !matches!(event.body, ServerEvent::Notice { .. }) {
                    return event.body.clone();
                }
            }
            let received = timeout(PATIENCE, self.receiver.receive()).await;
            let received = received.unwrap_or_else(|_| panic!("{self} hears nothing more"));
            let received = received.unwrap_or_else(|error| panic!("{self} is cut off: {error}"));
            assert_eq!(received.refused, [], "{self}");
            for event in received.events {
                let last = self.told.last().map_or(0, |last| last.seq.0);
                assert_eq!(event.seq.0, last + 1, "{self}: nothing is lost and nothing doubled");
                self.told.push(event);
            }
        }
    }

    pub(super) async fn meets(&mut self) -> PairId {
        loop {
            match self.next().await {
                ServerEvent::Paired { pair } => {
                    self.pair = Some(pair);
                    return pair;
                }
                ServerEvent::Welcome { .. } | ServerEvent::Waiting => {}
                other => panic!("{self} expects a partner, not {other:?}"),
            }
        }
    }

    /// Waits for the partner's next message, passing over the echoes of one's own.
    pub(super) async fn hears(&mut self, expected: &str) {
        loop {
            match self.next().await {
                ServerEvent::Message { from: Speaker::Partner, text, .. } => {
                    assert_eq!(&*text, expected, "{self} hears the partner in order");
                    return;
                }
                ServerEvent::Message { from: Speaker::Me, .. } => {}
                other => panic!("{self} expects {expected:?}, not {other:?}"),
            }
        }
    }

    /// Waits until all that was said is acknowledged, which must be in the order of saying.
    pub(super) async fn is_echoed(&mut self) {
        while self.echoes().count() < self.said.len() {
            self.looked_at = self.told.len();
            self.next().await;
        }
        assert!(
            self.echoes().eq(self.said.iter().map(String::as_str)),
            "{self} is echoed in order"
        );
    }

    fn echoes(&self) -> impl Iterator<Item = &str> {
        self.told.iter().filter_map(|event| match &event.body {
            ServerEvent::Message { from: Speaker::Me, text, .. } => Some(&**text),
            _ => None,
        })
    }

    /// Waits for the end of the conversation, whatever was said before.
    pub(super) async fn is_left(&mut self) -> LeftReason {
        self.pair = None;
        loop {
            match self.next().await {
                ServerEvent::PartnerLeft { reason } => return reason,
                ServerEvent::Message { .. } => {}
                other => panic!("{self} expects to be left, not {other:?}"),
            }
        }
    }

    /// Reads to the end of the session, in which nothing more happens.
    pub(super) async fn is_over(&mut self) {
        loop {
            match self.next().await {
                ServerEvent::Closing { .. } => return,
                ServerEvent::Waiting | ServerEvent::Message { .. } => {}
                other => panic!("{self} expects the end, not {other:?}"),
            }
        }
    }

    /// Reads one more answer or frame, without looking at what is in it.
    pub(super) async fn reads_a_little(&mut self) {
        let looked_at = self.looked_at;
        self.next().await;
        self.looked_at = looked_at;
    }

    pub(super) async fn says(&mut self, text: &str) {
        let id = text.parse().expect("the text is short enough to be an id");
        let say = Say { id, text: text.into(), pair: self.pair };
        self.said.push(text.to_owned());
        self.does(ClientEvent::Say(say)).await;
    }

    pub(super) async fn does(&mut self, event: ClientEvent) {
        let sent = timeout(PATIENCE, self.sender.send(event)).await.expect("it is sent in time");
        sent.unwrap_or_else(|error| panic!("{} is cut off: {error}", self.kind));
    }

    /// Loses every connection, and comes back with the cursor, over the same transport.
    pub(super) async fn comes_back(self) -> Self {
        let kind = self.kind;
        self.comes_back_over(kind).await
    }

    /// Loses every connection, and comes back with the cursor, over another transport.
    pub(super) async fn comes_back_over(self, kind: TransportKind) -> Self {
        let Self { connector, options, sender, receiver, told, looked_at, said, pair, .. } = self;
        let resume: Resume = sender.resume(receiver.cursor());
        drop((sender, receiver));
        let resumed = Options { resume: Some(resume), ..options.clone() };
        let (sender, receiver) = open(kind, &connector, resumed).await;
        Self { kind, connector, options, sender, receiver, told, looked_at, said, pair }
    }
}

async fn open<C: Connect>(
    kind: TransportKind,
    connector: &C,
    options: Options,
) -> (Sender<C>, Receiver<C>) {
    let opened = timeout(PATIENCE, client::open(kind, connector.clone(), options)).await;
    let opened = opened.unwrap_or_else(|_| panic!("{kind} is not let in"));
    opened.unwrap_or_else(|error| panic!("{kind} is not let in: {error}"))
}

impl<C: Connect> std::fmt::Display for Person<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let session = self.sender.session();
        write!(f, "{session} over {}, who said {} and was told", self.kind, self.said.len())?;
        let latest = self.told.len().saturating_sub(TOLD_SHOWN);
        for event in &self.told[latest..] {
            write!(f, " {} {},", event.seq, told(&event.body))?;
        }
        Ok(())
    }
}
