//! Short and long polling.
//!
//! The two differ in when the receiver asks and how long the server may wait, and in nothing
//! else. Asking with a cursor acknowledges what came before it, so there is no other
//! acknowledgement.
//!
//! ```text
//! receiver                                     server
//!    |---- GET /api/events?after=6&wait_ms=25000 --->|  parks until event 7
//!    |<--- 200 {"events":[7], "next":7} -------------|
//!    |---- GET /api/events?after=7&wait_ms=25000 --->|  forgets 7
//! ```

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;
use server::protocol::{Batch, ClientEvent, Opened, Seq, ServerEvent};
use tokio::time::{Interval, MissedTickBehavior};

use crate::cursor::Cursor;
use crate::http::{Ask, HttpConnection};
use crate::{ClientError, Connect, Options, Received, Resume, Sent, TransportKind};

/// The shortest time between two short polls; a timer cannot count nothing.
const POLL_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Opens or resumes a session.
pub(crate) async fn open<C: Connect>(
    kind: TransportKind,
    connector: C,
    options: Options,
) -> Result<(Resume, Sender<C>, Receiver<C>), ClientError> {
    let mut commands = HttpConnection::new(connector.clone(), &options.host)?;
    let mut polls = HttpConnection::new(connector, &options.host)?;
    let pace = Pace::new(kind, &options);
    let identity = match options.resume {
        Some(resume) => resume,
        None => open_session(&mut commands).await?,
    };
    commands.authorize(&identity.token)?;
    polls.authorize(&identity.token)?;
    let cursor = Cursor::after(identity.after);
    let receiver = Receiver { connection: polls, pace, cursor, closed: false };
    Ok((identity, Sender { connection: commands }, receiver))
}

async fn open_session<C: Connect>(
    connection: &mut HttpConnection<C>,
) -> Result<Resume, ClientError> {
    let answer = connection.request(command(Method::POST, "/api/session", Bytes::new())).await?;
    let opened: Opened = parse("the answer to an opening", &answer)?;
    Ok(Resume { session: opened.session, token: opened.token, after: opened.next })
}

fn parse<'a, T: Deserialize<'a>>(what: &str, body: &'a [u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::unreadable(what, &error))
}

/// A request that changes something, and that must not be repeated blindly.
fn command(method: Method, target: &str, body: Bytes) -> Ask {
    Ask { method, target: target.to_owned(), body, repeatable: false, wait: Duration::ZERO }
}

/// Commands, one request each.
pub(crate) struct Sender<C: Connect> {
    connection: HttpConnection<C>,
}

impl<C: Connect> Sender<C> {
    pub(crate) async fn send(&mut self, event: ClientEvent) -> Result<Sent, ClientError> {
        let ask = match event {
            ClientEvent::Say(say) => {
                let body = serde_json::to_vec(&say).expect("text and numbers are JSON");
                // The message's id tells the server that a repeated message is the same one.
                Ask { repeatable: true, ..command(Method::POST, "/api/messages", body.into()) }
            }
            ClientEvent::Next { pair: None } => command(Method::POST, "/api/next", Bytes::new()),
            ClientEvent::Next { pair: Some(pair) } => {
                let body = serde_json::json!({ "pair": pair }).to_string();
                command(Method::POST, "/api/next", body.into())
            }
            ClientEvent::Leave => {
                // Who has left already leaves again without harm.
                Ask { repeatable: true, ..command(Method::DELETE, "/api/session", Bytes::new()) }
            }
            ClientEvent::Ack { .. } => return Ok(Sent::Accepted),
        };
        self.connection.request(ask).await?;
        Ok(Sent::Accepted)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.connection.requests()
    }
}

/// When to ask, and how long the server may wait.
enum Pace {
    Short(Interval),
    Long(Duration),
}

impl Pace {
    fn new(kind: TransportKind, options: &Options) -> Self {
        if kind == TransportKind::LongPoll {
            return Self::Long(options.poll_wait);
        }
        let mut ticks = tokio::time::interval(options.poll_interval.max(POLL_INTERVAL_MIN));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self::Short(ticks)
    }

    /// The wait to ask for, once it is time to ask.
    async fn turn(&mut self) -> Duration {
        match self {
            Self::Short(ticks) => {
                ticks.tick().await;
                Duration::ZERO
            }
            Self::Long(wait) => *wait,
        }
    }
}

/// Events, a batch a request.
pub(crate) struct Receiver<C: Connect> {
    connection: HttpConnection<C>,
    pace: Pace,
    cursor: Cursor,
    closed: bool,
}

impl<C: Connect> Receiver<C> {
    pub(crate) async fn receive(&mut self) -> Result<Received, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        let wait = self.pace.turn().await;
        let answer = self.connection.request(self.question(wait)).await?;
        let batch = parse("a batch of events", &answer)?;
        Ok(self.take(batch))
    }

    fn question(&self, wait: Duration) -> Ask {
        let mut target = format!("/api/events?after={}", self.cursor.seq().0);
        if !wait.is_zero() {
            target += &format!("&wait_ms={}", wait.as_millis());
        }
        Ask { method: Method::GET, target, body: Bytes::new(), repeatable: true, wait }
    }

    fn take(&mut self, batch: Batch) -> Received {
        let mut events = batch.events;
        events.retain(|event| self.cursor.admits(event));
        self.cursor.advance(batch.next);
        self.closed = events.iter().any(|event| matches!(event.body, ServerEvent::Closing { .. }));
        Received { events, refused: Vec::new() }
    }

    pub(crate) fn cursor(&self) -> Seq {
        self.cursor.seq()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.connection.requests()
    }
}
