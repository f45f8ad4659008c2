//! The one way from a transport to the core.
//!
//! A transport says what a person does with [`Hub::send`] and reads what a person is told through
//! a [`Reader`]. The hub brings the time, the ids and the secrets, drains the core after every
//! input, and wakes whoever reads. Its methods are async and speak of no core type, so that a hub
//! whose mailboxes live elsewhere can stand beside it. It never frames anything.
//!
//! Wake-ups are level-triggered: a reader waits until the head of its mailbox is past its cursor,
//! not for a signal, so that a wake-up cannot be lost between looking and waiting.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::trace;

use crate::config::Config;
use crate::core::{self, Core, Entry, Input, Output, ReaderId};
pub use crate::core::{Counts, Detach, Rejected};
use crate::protocol::{Batch, ClientEvent, Event, Opened, PairId, Seq, SessionId};
use crate::telemetry::Telemetry;

/// Events in one batch at most.
const BATCH_EVENTS_MAX: usize = 64;
/// How often a drain looks whether everybody has read everything, which walks all sessions.
const DRAIN_PAUSE: Duration = Duration::from_millis(10);

/// Everybody who is connected to this process.
pub struct Hub {
    config: Config,
    telemetry: Telemetry,
    /// The core's time zero, on the monotonic clock and on the wall clock.
    origin: Instant,
    origin_wall: Timestamp,
    state: Mutex<HubState>,
    /// The next deadline may have come closer.
    timeout_changed: Notify,
}

struct HubState {
    core: Core,
    seats: HashMap<SessionId, Seat>,
    next_session: SessionId,
    next_reader: u64,
}

/// What the hub knows of a session beside the core.
struct Seat {
    secret: u128,
    signal: watch::Sender<Signal>,
}

/// The level that readers wait on.
#[derive(Debug, Clone, Copy)]
struct Signal {
    head: Seq,
    reader: ReaderId,
}

/// The name of a session and the proof that one may use it: `SESSION-SECRET`, in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Token {
    session: SessionId,
    secret: u128,
}

impl Hub {
    /// A hub without anybody in it; somebody must run [`Hub::run_timers`].
    ///
    /// # Errors
    ///
    /// The operating system gives no entropy.
    pub fn new(config: Config) -> Result<Arc<Self>, getrandom::Error> {
        let first_id = first_id()?;
        Ok(Arc::new(Self {
            origin: Instant::now(),
            origin_wall: Timestamp::now(),
            state: Mutex::new(HubState {
                core: Core::new(config.clone(), PairId(first_id)),
                seats: HashMap::new(),
                next_session: SessionId(first_id),
                next_reader: 0,
            }),
            timeout_changed: Notify::new(),
            telemetry: Telemetry::default(),
            config,
        }))
    }

    /// The limits of this hub.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What happened here so far.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Opens a session, whose first events are in its mailbox on return.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] or [`Rejected::Draining`].
    pub async fn open(&self) -> Result<Opened, Rejected> {
        let secret = random_u128();
        let mut state = self.lock();
        let session = state.next_session;
        let signal = watch::Sender::new(Signal { head: Seq(0), reader: ReaderId(0) });
        state.seats.insert(session, Seat { secret, signal });
        if let Err(rejected) = self.input(&mut state, Input::Open { session }) {
            state.seats.remove(&session);
            return Err(rejected);
        }
        state.next_session = SessionId(session.0 + 1);
        Ok(Opened { session, token: Token { session, secret }.to_string(), next: Seq(0) })
    }

    /// The session that a token opens, if it is right.
    #[must_use]
    pub fn authenticate(&self, token: &str) -> Option<SessionId> {
        let token = Token::from_str(token).ok()?;
        let state = self.lock();
        // One comparison of two integers: it takes as long for a near miss as for a wild guess.
        let known = state.seats.get(&token.session)?.secret ^ token.secret == 0;
        known.then_some(token.session)
    }

    /// Does what a person asks for.
    ///
    /// # Errors
    ///
    /// Any [`Rejected`]; a rejected event had no effect.
    pub async fn send(&self, from: SessionId, event: ClientEvent) -> Result<(), Rejected> {
        if let ClientEvent::Say(say) = &event {
            let (bytes, bytes_max) = (say.text.len(), self.config.message_bytes_max);
            if bytes > bytes_max {
                return Err(Rejected::TooLong { bytes, bytes_max });
            }
        }
        self.input(&mut self.lock(), Input::Command { session: from, event })
    }

    /// Begins to read a mailbox. Whoever read it before is superseded.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownSession`].
    pub async fn attach(self: &Arc<Self>, who: SessionId) -> Result<Reader, Rejected> {
        let mut state = self.lock();
        state.next_reader += 1;
        let reader = ReaderId(state.next_reader);
        self.input(&mut state, Input::Attach { session: who, reader })?;
        let seat = state.seats.get(&who).expect("the core knows only sessions that have a seat");
        seat.signal.send_modify(|signal| signal.reader = reader);
        let signal = seat.signal.subscribe();
        Ok(Reader { hub: Arc::clone(self), session: who, reader, signal, attached: true })
    }

    /// Brings the time to the core until it is dropped; a hub needs one of these.
    pub async fn run_timers(&self) {
        loop {
            let timeout = self.lock().core.poll_timeout();
            let due = async {
                match timeout {
                    Some(at) => tokio::time::sleep_until(self.origin + at.0).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.timeout_changed.notified() => {}
                () = due => {
                    let _always_accepted = self.input(&mut self.lock(), Input::Timeout);
                }
            }
        }
    }

    /// Tells everybody that the server closes, and lets nobody new in.
    pub fn drain(&self) {
        let _always_accepted = self.input(&mut self.lock(), Input::Drain);
    }

    /// Resolves when nobody has anything left to read.
    pub async fn drained(&self) {
        while !self.lock().core.is_drained() {
            tokio::time::sleep(DRAIN_PAUSE).await;
        }
    }

    /// True from [`Hub::drain`] on.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.lock().core.is_draining()
    }

    /// How many there are of everything.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().core.counts()
    }

    fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().expect("nobody panics while holding the hub, or all is lost anyway")
    }

    /// One input, and everything that follows from it.
    fn input(&self, state: &mut HubState, input: Input) -> Result<(), Rejected> {
        let now = core::Instant(self.origin.elapsed());
        let timeout_before = state.core.poll_timeout();
        trace!(at = ?now.0, ?input, "input");
        let result = state.core.handle_input(now, input);
        while let Some(output) = state.core.poll_output() {
            trace!(?output, "output");
            match output {
                Output::Wake(session, head) => {
                    if let Some(seat) = state.seats.get(&session) {
                        seat.signal.send_modify(|signal| signal.head = head);
                    }
                }
                Output::Removed(session) => {
                    state.seats.remove(&session);
                }
            }
        }
        if let Err(rejected) = &result {
            trace!(%rejected, "rejected");
        }
        if state.core.poll_timeout() != timeout_before {
            self.timeout_changed.notify_one();
        }
        result
    }

    /// The time of day: RFC 3339, UTC, to the millisecond.
    #[must_use]
    pub fn wall_clock(&self) -> String {
        self.wall_clock_at(self.origin.elapsed())
    }

    fn wall_clock_at(&self, since: Duration) -> String {
        let since = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
        let at = self.origin_wall.checked_add(since).unwrap_or(Timestamp::MAX);
        format!("{at:.3}")
    }

    fn event(&self, entry: Entry) -> Event {
        Event { seq: entry.seq, at: self.wall_clock_at(entry.at.0), body: entry.event }
    }
}

/// The right to read one mailbox, until somebody else reads it.
///
/// Dropped without [`Reader::finish`], it counts as a lost connection.
pub struct Reader {
    hub: Arc<Hub>,
    session: SessionId,
    reader: ReaderId,
    signal: watch::Receiver<Signal>,
    attached: bool,
}

impl Reader {
    /// The events past `after`: at once when there are any, else as soon as there are, else none
    /// when `until` has come or another reader took over. Without `until` it waits as long as it
    /// takes. Reading forgets nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected::Cursor`], or [`Rejected::UnknownSession`] when the session is over.
    pub async fn receive(&mut self, after: Seq, until: Option<Instant>) -> Result<Batch, Rejected> {
        loop {
            let batch = self.read(after)?;
            if !batch.events.is_empty() || self.is_superseded() {
                return Ok(batch);
            }
            if !self.grown_past(after, until).await {
                return self.read(after);
            }
        }
    }

    /// The lowest cursor that the mailbox can still be read from: reading from there misses nothing
    /// that is still held.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownSession`] when the session is over.
    pub async fn beginning(&self) -> Result<Seq, Rejected> {
        self.hub.lock().core.beginning(self.session)
    }

    /// Forgets the events up to `seq`.
    ///
    /// # Errors
    ///
    /// As [`Reader::receive`].
    pub async fn acknowledge(&self, seq: Seq) -> Result<(), Rejected> {
        self.hub.lock().core.acknowledge(self.session, seq)
    }

    /// True when another reader of the same mailbox came later.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.signal.borrow().reader != self.reader
    }

    /// The connection shows signs of being lost: the session is not paired until something is heard
    /// from its person, or it is attached to anew. This reader goes on or finishes, but not both
    /// later than it must.
    pub async fn suspect(&self) {
        let (session, reader) = (self.session, self.reader);
        let input = Input::Suspect { session, reader };
        let _always_accepted = self.hub.input(&mut self.hub.lock(), input);
    }

    /// Ends the reading and says how.
    pub async fn finish(mut self, how: Detach) {
        self.detach(how);
    }

    fn read(&self, after: Seq) -> Result<Batch, Rejected> {
        let mut state = self.hub.lock();
        if self.is_superseded() {
            return Ok(Batch { events: Vec::new(), next: after });
        }
        let entries = state.core.read(self.session, after, BATCH_EVENTS_MAX)?;
        drop(state);
        let events: Vec<_> = entries.into_iter().map(|entry| self.hub.event(entry)).collect();
        let next = events.last().map_or(after, |event| event.seq);
        Ok(Batch { events, next })
    }

    /// False when the time is over or the session is.
    async fn grown_past(&mut self, after: Seq, until: Option<Instant>) -> bool {
        let reader = self.reader;
        let level = self.signal.wait_for(|signal| signal.head > after || signal.reader != reader);
        let grown = match until {
            Some(until) => tokio::time::timeout_at(until, level).await,
            None => Ok(level.await),
        };
        matches!(grown, Ok(Ok(_)))
    }

    fn detach(&mut self, how: Detach) {
        if std::mem::take(&mut self.attached) {
            let (session, reader) = (self.session, self.reader);
            let input = Input::Detach { session, reader, how };
            let _always_accepted = self.hub.input(&mut self.hub.lock(), input);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.detach(Detach::Dropped);
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{:032x}", self.session.0, self.secret)
    }
}

impl FromStr for Token {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (session, secret) = text.split_once('-').ok_or(())?;
        let session = SessionId(u64::from_str_radix(session, 16).map_err(|_| ())?);
        let secret = u128::from_str_radix(secret, 16).map_err(|_| ())?;
        Ok(Self { session, secret })
    }
}

/// Where the ids of this process begin: 24 random bits, then a counter, so that no id of an
/// earlier process comes back, and all stay below 2^53, which JavaScript can hold.
fn first_id() -> Result<u64, getrandom::Error> {
    Ok((getrandom::u32()? as u64 >> 8 << 28) + 1)
}

fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gave entropy at start and does so since");
    u128::from_ne_bytes(bytes)
}
