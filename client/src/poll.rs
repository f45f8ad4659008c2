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
use protocol::{Batch, Seq, ServerEvent};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::commands::{self, Acknowledges, Sender, parse};
use crate::cursor::Cursor;
use crate::http::{Ask, HttpConnection};
use crate::{ClientError, Connect, Options, Received, Resume, TransportKind};

/// Between long polls that were answered with nothing before their time: somebody else reads this
/// mailbox, and two who end each other's polls must not do so as fast as they can.
const RIVAL_PAUSE: Duration = Duration::from_millis(100);
/// The shortest time between two short polls; a timer cannot count nothing.
const POLL_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Opens or resumes a session.
pub(crate) async fn open<C: Connect>(
    kind: TransportKind,
    connector: C,
    options: Options,
) -> Result<(Resume, Sender<C>, Receiver<C>), ClientError> {
    let pace = Pace::new(kind, &options);
    let (identity, sender) =
        commands::open(connector.clone(), &options, Acknowledges::ByAsking).await?;
    let mut connection = HttpConnection::new(connector, &options)?;
    connection.authorize(&identity.token)?;
    let cursor = Cursor::after(identity.after);
    let receiver = Receiver { connection, pace, cursor, closed: false };
    Ok((identity, sender, receiver))
}

/// When to ask, and how long the server may wait.
enum Pace {
    Short(Interval),
    Long { wait: Duration, has_rival: bool },
}

impl Pace {
    fn new(kind: TransportKind, options: &Options) -> Self {
        if kind == TransportKind::LongPoll {
            return Self::Long { wait: options.poll_wait, has_rival: false };
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
            Self::Long { wait, has_rival } => {
                if *has_rival {
                    tokio::time::sleep(RIVAL_PAUSE).await;
                }
                *wait
            }
        }
    }

    /// What an answer says of the next turn.
    fn answered(&mut self, is_empty: bool, took: Duration) {
        if let Self::Long { wait, has_rival } = self {
            *has_rival = is_empty && took < RIVAL_PAUSE.min(*wait);
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
        let asked_at = Instant::now();
        let answer = self.connection.request(self.question(wait)).await?;
        let batch: Batch = parse("a batch of events", &answer)?;
        self.pace.answered(batch.events.is_empty(), asked_at.elapsed());
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
        let mut received = Received::default();
        for event in batch.events {
            self.closed |= matches!(event.body, ServerEvent::Closing { .. });
            received.take(event, &mut self.cursor);
        }
        self.cursor.advance(batch.next);
        received
    }

    pub(crate) fn cursor(&self) -> Seq {
        self.cursor.seq()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.connection.requests()
    }
}
