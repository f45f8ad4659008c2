//! Server-sent events: one answer that does not end.
//!
//! ```text
//! receiver                                     server
//!    |---- GET /api/stream?after=6 ----------------->|
//!    |<--- 200, id: 7, id: 8, a comment, .. ---------|
//!    |---- POST /api/ack {"seq":70} ---------------->|  on another connection
//!    |                 ... connection lost           |
//!    |---- GET /api/stream?after=93 ---------------->|
//! ```
//!
//! Acknowledgements go over a connection of the receiver's own, opened with the first of them.
//! The sender's would do, but the halves may live in two tasks: a lock would let a message that
//! waits for its answer hold up the acknowledgement without which the mailbox fills. Neither waits
//! for the other, and no event waits for either.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use protocol::{Event, Seq, ServerEvent, ServerFrame};
use tokio::time::Instant;

use crate::commands::{self, Acknowledges, Sender, parse};
use crate::cursor::Cursor;
use crate::event_stream::{Parser, StreamEvent};
use crate::http::{Ask, HttpConnection, Streamed};
use crate::{ClientError, Connect, Options, Received, Resume};

/// The name of the event that says why a stream ends.
const REFUSED: &str = "refused";

/// Opens or resumes a session.
pub(crate) async fn open<C: Connect>(
    connector: C,
    options: Options,
) -> Result<(Resume, Sender<C>, Receiver<C>), ClientError> {
    let (identity, sender) =
        commands::open(connector.clone(), &options, Acknowledges::ByCommand).await?;
    let mut streams = HttpConnection::new(connector.clone(), &options)?;
    streams.authorize(&identity.token)?;
    let mut commands = HttpConnection::new(connector, &options)?;
    commands.authorize(&identity.token)?;
    let receiver = Receiver {
        streams,
        stream: None,
        parser: Parser::default(),
        cursor: Cursor::after(identity.after),
        acknowledger: Acknowledger::new(commands, identity.after, options.acknowledge_every),
        silence_max: options.silence_max,
        heard_at: Instant::now(),
        closed: false,
    };
    Ok((identity, sender, receiver))
}

/// Events, as they come in.
pub(crate) struct Receiver<C: Connect> {
    streams: HttpConnection<C>,
    stream: Option<Streamed<C::Stream>>,
    parser: Parser,
    cursor: Cursor,
    acknowledger: Acknowledger<C>,
    silence_max: Duration,
    heard_at: Instant,
    closed: bool,
}

impl<C: Connect> Receiver<C> {
    pub(crate) async fn receive(&mut self) -> Result<Received, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        loop {
            // There is no await between taking an event and returning it, so a dropped call loses
            // nothing.
            if let Some(event) = self.parser.pop() {
                return self.take(&event);
            }
            let heard = match self.next_bytes().await {
                Ok(bytes) => self.parser.push(&bytes),
                Err(error) => Err(error),
            };
            if let Err(error) = heard {
                // The next call goes on behind the last event that was given out.
                self.stream = None;
                return Err(error);
            }
        }
    }

    /// What the network brings next; opens a stream where there is none.
    async fn next_bytes(&mut self) -> Result<Bytes, ClientError> {
        if self.stream.is_none() {
            let question = self.question();
            self.stream = Some(self.streams.stream(question).await?);
            self.parser = Parser::default();
            self.heard_at = Instant::now();
        }
        let stream = self.stream.as_mut().expect("it was opened above");
        let silent_at = self.heard_at + self.silence_max;
        loop {
            tokio::select! {
                biased;
                () = self.acknowledger.finish(), if self.acknowledger.is_busy() => {}
                bytes = stream.next() => {
                    self.heard_at = Instant::now();
                    return bytes?.ok_or_else(ClientError::cut_off);
                }
                () = tokio::time::sleep_until(silent_at) => {
                    return Err(ClientError::HeartbeatMissed(self.silence_max));
                }
            }
        }
    }

    fn question(&self) -> Ask {
        let target = format!("/api/stream?after={}", self.cursor.seq().0);
        let wait = Duration::ZERO;
        Ask { method: Method::GET, target, body: Bytes::new(), repeatable: true, wait }
    }

    fn take(&mut self, event: &StreamEvent) -> Result<Received, ClientError> {
        if event.event == REFUSED {
            return match parse("the end of a stream", event.data.as_bytes())? {
                ServerFrame::Refused(refusal) => Err(ClientError::Refused(refusal.problem)),
                _ => Err(ClientError::Protocol(format!("refused by {:.60}", event.data))),
            };
        }
        let event: Event = parse("an event", event.data.as_bytes())?;
        self.closed |= matches!(event.body, ServerEvent::Closing { .. });
        let mut received = Received::default();
        if received.take(event, &mut self.cursor) {
            self.acknowledger.arrived(self.cursor.seq());
        }
        Ok(received)
    }

    pub(crate) fn cursor(&self) -> Seq {
        self.cursor.seq()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.streams.requests() + self.acknowledger.requests
    }
}

type UnderWay<C> = Pin<Box<dyn Future<Output = HttpConnection<C>> + Send>>;

/// Acknowledges now and then, one request at a time, while the receiver waits for events.
struct Acknowledger<C: Connect> {
    idle: Option<HttpConnection<C>>,
    under_way: Option<UnderWay<C>>,
    acknowledged: Seq,
    every: u64,
    requests: u64,
}

impl<C: Connect> Acknowledger<C> {
    fn new(connection: HttpConnection<C>, acknowledged: Seq, every: u64) -> Self {
        Self { idle: Some(connection), under_way: None, acknowledged, every, requests: 0 }
    }

    fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// Begins to acknowledge everything up to `seq` when it is time to, and when the one before
    /// was answered.
    fn arrived(&mut self, seq: Seq) {
        if seq.0 - self.acknowledged.0 < self.every {
            return;
        }
        let Some(mut connection) = self.idle.take() else { return };
        self.acknowledged = seq;
        self.requests += 1;
        self.under_way = Some(Box::pin(async move {
            // One that is lost is made up for by the next, and by the next stream.
            let _ = connection.request(commands::acknowledgement(seq)).await;
            connection
        }));
    }

    /// Goes on with what is under way; dropping the future interrupts it and no more.
    async fn finish(&mut self) {
        if let Some(under_way) = &mut self.under_way {
            self.idle = Some(under_way.await);
            self.under_way = None;
        }
    }
}
