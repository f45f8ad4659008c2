//! The one way from a transport to the core.
//!
//! A transport passes commands to [`Hub::send`] and reads events through a [`Reader`]. The hub
//! provides time, ids and secrets, drains the core's outputs after every input, and wakes readers.
//! Its methods are async and mention no core type, so that a hub whose mailboxes live elsewhere can
//! replace it. It never frames anything.
//!
//! Wake-ups are level-triggered: a reader waits until the head of its mailbox is past its cursor,
//! not for a signal, so that a wake-up cannot be lost between looking and waiting.
//!
//! One lock guards the core. A message takes it once to be accepted and once for each mailbox to be
//! read; wakers run and timestamps are formatted after the lock is released. A connection that sends
//! and reads sends through its [`Reader`], which is not woken by its own commands.

mod clock;
mod reader;
mod signal;
mod ticket;
mod token;
mod transport;

/// What `signal` is made of.
mod primitives {
    pub(super) use std::sync::atomic::AtomicU64;
    pub(super) use std::sync::{Mutex, MutexGuard};
}

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::Notify;
use tracing::trace;

use self::clock::Clock;
pub use self::reader::Reader;
pub(crate) use self::reader::ReaderHandle;
use self::signal::Signal;
use self::token::{Secret, Token};
pub use self::transport::Transport;
use crate::config::Config;
use crate::core::{Core, Entry, Handle, Input, Output, Portion, Read, ReaderId};
pub use crate::core::{Counts, Detach, Rated, Rejected};
use crate::openings::{Opening, Openings, Refused};
use crate::telemetry::{MESSAGE, Telemetry};
use protocol::{Batch, ClientEvent, Event, Opened, PairId, Seq, SessionId};

/// How often a drain looks whether everybody has read everything.
const DRAIN_PAUSE: Duration = Duration::from_millis(10);

const ENTRY: &str = "every session that the core names has an entry";

/// All sessions of this process.
pub struct Hub {
    config: Config,
    telemetry: Telemetry,
    clock: Clock,
    /// The sessions of each address.
    openings: Arc<Openings>,
    state: Mutex<HubState>,
    /// The next deadline may have come closer.
    timeout_changed: Notify,
}

struct HubState {
    core: Core,
    /// By [`Handle::index`].
    entries: Vec<Option<SessionEntry>>,
    /// Entry of the session that is being opened.
    opening_entry: Option<SessionEntry>,
    next_session: SessionId,
    next_reader: u64,
    /// How many mailboxes are read over each [`Transport`].
    readers: [usize; Transport::ALL.len()],
}

impl HubState {
    fn entry(&self, session: Handle) -> Option<&SessionEntry> {
        self.entries.get(session.index())?.as_ref()
    }

    /// The cursor that a reader begins with.
    fn start(&self, session: Handle, start: Start) -> Result<Seq, Rejected> {
        match start {
            Start::Polled(after) | Start::Pushed(Some(after)) => {
                self.core.check(session, after).map(|()| after)
            }
            Start::Pushed(None) => self.core.beginning(session),
        }
    }

    fn add_entry(&mut self, session: Handle) {
        if self.entries.len() <= session.index() {
            self.entries.resize_with(session.index() + 1, || None);
        }
        self.entries[session.index()] = self.opening_entry.take();
    }
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A request for what lies behind this event, which that acknowledges.
    Polled(Seq),
    /// A connection that is pushed to: behind this event, which has arrived; without it, with the first
    /// event that the mailbox still has.
    Pushed(Option<Seq>),
}

impl Start {
    /// How much is read at once.
    fn portion(self) -> Portion {
        match self {
            Self::Polled(_) => reader::POLLED,
            Self::Pushed(_) => reader::PUSHED,
        }
    }
}

/// What the hub keeps for a session: secret, wake-up signal, current transport.
struct SessionEntry {
    secret: Secret,
    signal: Arc<Signal>,
    /// `None` where openings of the address are not counted.
    _opening: Option<Opening>,
    /// The latest reader, as long as it reads, and what over.
    reading: Option<(ReaderId, Transport)>,
    /// What the latest reader reads over, or read over.
    read_over: Option<Transport>,
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
            clock: Clock::start(),
            openings: Openings::new(config.sessions_per_address_max, &config),
            state: Mutex::new(HubState {
                core: Core::new(config.clone(), PairId(first_id)),
                entries: Vec::new(),
                opening_entry: None,
                next_session: SessionId(first_id),
                next_reader: 0,
                readers: [0; Transport::ALL.len()],
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

    /// Opens a session for the client at an address, whose first events are in its mailbox on return.
    /// The session counts among those of the address until it is forgotten.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`], [`Rejected::Draining`], and with an address [`Rejected::TooManySessions`] or
    /// [`Rejected::OpensTooFast`].
    pub async fn open(&self, address: Option<IpAddr>) -> Result<Opened, Rejected> {
        let secret = Secret::random();
        let mut state = self.lock();
        let session = state.next_session;
        // Whoever comes to a server that closes is told so, and nothing else.
        let counted = address.filter(|_| !state.core.is_draining());
        let opening = counted.map(|address| self.count(address)).transpose()?;
        let signal = Arc::default();
        let (reading, read_over) = (None, None);
        state.opening_entry =
            Some(SessionEntry { secret, signal, reading, read_over, _opening: opening });
        let (opened, wakes) = self.input(&mut state, Input::Open { session }, None);
        if opened.is_ok() {
            state.next_session = SessionId(session.0 + 1);
        }
        let refused = state.opening_entry.take();
        drop(state);
        drop(refused);
        wakes.wake();
        opened?;
        Ok(Opened { session, token: Token { session, secret }.to_string(), next: Seq(0) })
    }

    fn count(&self, address: IpAddr) -> Result<Opening, Rejected> {
        let opening = self.openings.enter(address);
        opening
            .map_err(|refused| match refused {
                Refused::TooMany { each_max } => {
                    let retry_after_ms = self.config.retry_after_ms;
                    Rejected::TooManySessions { each_max, retry_after_ms }
                }
                Refused::TooFast { retry_after_ms } => Rejected::OpensTooFast { retry_after_ms },
            })
            .inspect_err(|rejected| {
                trace!(name: "turned away", reason = rejected.reason());
                self.telemetry.rejected(rejected.reason());
            })
    }

    /// The session that a token opens, if it is right.
    #[must_use]
    pub fn authenticate(&self, token: &str) -> Option<SessionId> {
        let token = Token::from_str(token).ok()?;
        let state = self.lock();
        let entry = state.entry(state.core.find(token.session).ok()?)?;
        entry.secret.is(token.secret).then_some(token.session)
    }

    /// Does what a person asks for.
    ///
    /// # Errors
    ///
    /// Any [`Rejected`]; a rejected event had no effect.
    pub async fn send(&self, from: SessionId, event: ClientEvent) -> Result<(), Rejected> {
        self.command(|core| core.find(from), event, None, None)
    }

    /// As [`Reader::send`], for code that has no async context and only the reader's handle. The reader
    /// is woken by the events that follow.
    pub(crate) fn send_at_once(
        &self,
        handle: ReaderHandle,
        event: ClientEvent,
    ) -> Result<(), Rejected> {
        self.command(|_| Ok(handle.session), event, Some(handle.reader), None)
    }

    /// The reader `quiet` is not woken.
    fn command(
        &self,
        from: impl FnOnce(&Core) -> Result<Handle, Rejected>,
        event: ClientEvent,
        by: Option<ReaderId>,
        quiet: Option<ReaderId>,
    ) -> Result<(), Rejected> {
        if let ClientEvent::Say(say) = &event {
            let (bytes, bytes_max) = (say.text.len(), self.config.message_bytes_max);
            if bytes > bytes_max {
                return self.reject(Rejected::TooLong { bytes, bytes_max });
            }
        }
        let mut state = self.lock();
        let session = match from(&state.core) {
            Ok(session) => session,
            Err(rejected) => return self.reject(rejected),
        };
        let (result, wakes) = self.input(&mut state, Input::Command { session, event, by }, quiet);
        drop(state);
        wakes.wake();
        result
    }

    fn reject(&self, rejected: Rejected) -> Result<(), Rejected> {
        self.telemetry.rejected(rejected.reason());
        Err(rejected)
    }

    /// Attaches a reader at the beginning of a mailbox; the previous reader is superseded.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownSession`].
    pub async fn attach(
        self: &Arc<Self>,
        id: SessionId,
        over: Transport,
    ) -> Result<Reader, Rejected> {
        self.attach_at(id, Start::Pushed(None), over).await.map(|(reader, _)| reader)
    }

    /// Attaches a reader to a mailbox and returns the cursor to read from. The previous reader is
    /// superseded, unless the cursor is refused, which changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownSession`] or [`Rejected::Cursor`].
    pub async fn attach_at(
        self: &Arc<Self>,
        id: SessionId,
        start: Start,
        over: Transport,
    ) -> Result<(Reader, Seq), Rejected> {
        let mut state = self.lock();
        let found = state.core.find(id).and_then(|session| {
            let cursor = state.start(session, start)?;
            match start {
                Start::Polled(_) => state.core.acknowledge(session, cursor)?,
                Start::Pushed(_) => state.core.forget(session, cursor)?,
            }
            Ok((session, cursor))
        });
        let (session, cursor) =
            found.inspect_err(|rejected| self.telemetry.rejected(rejected.reason()))?;
        state.next_reader += 1;
        let reader = ReaderId(state.next_reader);
        let attach = Input::Attach { session, reader };
        let (attached, mut wakes) = self.input(&mut state, attach, None);
        attached.expect("a session that was just found can be attached to");
        state.read_over(session, Some((reader, over)));
        let entry = state.entry(session).expect(ENTRY);
        let signal = Arc::clone(&entry.signal);
        wakes.0.extend(signal.hand_over(reader));
        drop(state);
        wakes.wake();
        let handle = ReaderHandle { session, reader };
        Ok((Reader::new(Arc::clone(self), handle, signal, over, start.portion()), cursor))
    }

    /// Says whether [`Hub::attach_at`] would read, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Hub::attach_at`].
    pub async fn check_start(&self, id: SessionId, start: Start) -> Result<Seq, Rejected> {
        let state = self.lock();
        let cursor = state.core.find(id).and_then(|session| state.start(session, start));
        cursor.inspect_err(|rejected| self.telemetry.rejected(rejected.reason()))
    }

    /// Brings the time to the core until it is dropped; a hub needs one of these.
    pub async fn run_timers(&self) {
        loop {
            let timeout = self.lock().core.poll_timeout();
            let due = async {
                match timeout {
                    Some(at) => tokio::time::sleep_until(self.clock.deadline(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.timeout_changed.notified() => {}
                () = due => {
                    let _always_accepted = self.handle(Input::Timeout);
                    // When a whole network is lost there is more to do than others can wait for.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Tells everybody that the server closes, and lets nobody new in.
    pub fn drain(&self) {
        let _always_accepted = self.handle(Input::Drain);
    }

    /// Resolves when nobody has anything left to read, of those who may be expected to read it: see
    /// [`Input::Drain`].
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

    /// How many mailboxes are read over each transport.
    pub(crate) fn readers(&self) -> [(Transport, usize); Transport::ALL.len()] {
        let readers = self.lock().readers;
        Transport::ALL.map(|over| (over, readers[over as usize]))
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
    fn handle(&self, input: Input) -> Result<(), Rejected> {
        let (result, wakes) = self.input(&mut self.lock(), input, None);
        wakes.wake();
        result
    }

    /// One input, and everything that follows from it but the wake-ups, which must be done when
    /// the lock was given back. The reader `quiet` looks by itself.
    fn input(
        &self,
        state: &mut HubState,
        input: Input,
        quiet: Option<ReaderId>,
    ) -> (Result<(), Rejected>, Wakes) {
        let now = self.clock.now();
        let timeout_before = state.core.poll_timeout();
        let sender = transport::sender(&input);
        trace!(at = ?now.0, ?input, "input");
        let result = state.core.handle_input(now, input);
        let mut wakes = Wakes::default();
        while let Some(output) = state.core.poll_output() {
            trace!(?output, "output");
            match output {
                Output::Opened(session) => state.add_entry(session),
                Output::Told { session, head, kind, held } => {
                    self.telemetry.event(kind);
                    self.telemetry.depth(held);
                    let SessionEntry { signal, read_over, .. } = state.entry(session).expect(ENTRY);
                    // Both members receive a message; it is counted once.
                    if sender == Some(session) && kind == MESSAGE {
                        self.telemetry.message(*read_over);
                    }
                    // A reader that has superseded `quiet` is woken.
                    if quiet.is_some_and(|reader| signal.is_read_by(reader)) {
                        signal.raise_quietly(head);
                    } else {
                        wakes.0.extend(signal.raise(head));
                    }
                }
                Output::Removed(session) => {
                    let entry = state.entries[session.index()].take().expect(ENTRY);
                    state.count(entry.reading, None);
                    wakes.0.extend(entry.signal.end());
                }
            }
        }
        if let Err(rejected) = &result {
            trace!(%rejected, "rejected");
            self.telemetry.rejected(rejected.reason());
        }
        // A timer that goes off too early does no harm, one that goes off too late does.
        let timeout = state.core.poll_timeout();
        if timeout.is_some_and(|at| timeout_before.is_none_or(|before| at < before)) {
            self.timeout_changed.notify_one();
        }
        (result, wakes)
    }

    /// Pairs whom what was read or acknowledged has made ready.
    fn settle(&self, state: &mut HubState) -> Wakes {
        if !state.core.is_unsettled() {
            return Wakes::default();
        }
        let (settled, wakes) = self.input(state, Input::Timeout, None);
        settled.expect("time is never refused");
        wakes
    }

    /// The time of day: RFC 3339, UTC, to the millisecond.
    #[must_use]
    pub fn wall_clock(&self) -> String {
        self.clock.wall(self.clock.now())
    }

    /// What was read, as it goes out.
    fn batch(&self, read: Read, after: Seq, over: Transport) -> Batch {
        for entry in &read.entries[read.again..] {
            self.telemetry.delivered(over, self.clock.since(entry.at));
        }
        let event = |entry: Entry| Event {
            seq: entry.seq,
            at: self.clock.wall(entry.at),
            body: entry.event,
        };
        let events: Vec<_> = read.entries.into_iter().map(event).collect();
        let next = events.last().map_or(after, |event| event.seq);
        Batch { events, next }
    }
}

/// Wakers of the readers whose mailboxes grew: in most cases those of the two members of a pair.
#[derive(Default)]
#[must_use = "readers wait for these"]
struct Wakes(SmallVec<[Waker; 2]>);

impl Wakes {
    fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

/// Where the ids of this process begin: 24 random bits, then a counter, so that no id of an
/// earlier process comes back, and all stay below 2^53, which JavaScript can hold.
fn first_id() -> Result<u64, getrandom::Error> {
    Ok((getrandom::u32()? as u64 >> 8 << 28) + 1)
}
