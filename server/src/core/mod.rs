//! The rules of random chat, without input or output.
//!
//! The core decides who is paired with whom, who is told what, and who is gone. It never reads a
//! clock, draws entropy, takes a lock or waits: the caller brings the time and the events, and
//! drains what follows from them.
//!
//! ```text
//!   handle_input(now, input) ──> Core ──> poll_output()   after every input, until None
//!                                     └─> poll_timeout()  when to bring Input::Timeout
//! ```
//!
//! Reading order: `session` is one person, `mailbox` is what that person is told,
//! `lobby` is who waits, `pair` is two people talking, `timers` is who runs out of time when.

mod lobby;
mod mailbox;
mod pair;
mod rate;
mod reading;
mod recent_ids;
mod rejected;
mod session;
mod sessions;
mod stalled;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tracing::trace;

use self::lobby::Lobby;
use self::mailbox::{Bounds, Full};
pub use self::mailbox::{Entry, Portion, Read};
pub(crate) use self::mailbox::{PLACES_RESERVED, json_bytes};
pub use self::rejected::Rejected;
use self::session::{Session, State};
pub use self::sessions::Handle;
use self::sessions::{Sessions, Slot};
use self::stalled::Stalled;
use self::timers::Timers;
use crate::config::Config;
pub use protocol::Rated;
use protocol::{ClientEvent, CloseReason, PairId, Seq, ServerEvent, SessionId};

/// Timers and head counts that one [`Input::Timeout`] takes care of, each.
const DUE_MAX: usize = 64;
const KNOWN: &str = "the lobby, the timers and the partners name known sessions only";

/// A moment, as the time since the core was made; the caller decides what clock that is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub Duration);

impl Instant {
    fn after(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }

    fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Names one reading of a mailbox; the latest reader of a session is the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderId(pub u64);

/// How a reader went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detach {
    /// It was answered in good order; the person is expected to ask again within the lease.
    Answered,
    /// Its connection was lost; the person may come back within the resume window.
    Dropped,
    /// Its connection was lost, and nobody can come back to it.
    Ended,
}

/// What may happen to the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A person arrives. The id is the caller's, rising and never used before.
    Open {
        /// The new session.
        session: SessionId,
    },
    /// A person asks for something.
    Command {
        /// Who.
        session: Handle,
        /// What.
        event: ClientEvent,
        /// The reader through whose connection it came, where there is one: nobody speaks for a
        /// session whose mailbox another reader has taken over.
        by: Option<ReaderId>,
    },
    /// Somebody begins to read the session's mailbox; whoever read it before does so no more.
    Attach {
        /// Whose mailbox.
        session: Handle,
        /// The new reader.
        reader: ReaderId,
    },
    /// A reader went away; ignored unless it is the latest.
    Detach {
        /// Whose mailbox.
        session: Handle,
        /// The reader.
        reader: ReaderId,
        /// How.
        how: Detach,
    },
    /// The reader's connection shows signs of being lost: the session is not paired until somebody is
    /// heard from it again. Ignored unless the reader is the latest, who must go or attach anew.
    Suspect {
        /// Whose mailbox.
        session: Handle,
        /// The reader.
        reader: ReaderId,
    },
    /// Time has passed; bring it when [`Core::poll_timeout`] says so. Bringing it early is harmless.
    Timeout,
    /// The server shuts down: everybody is told, nobody new is let in.
    ///
    /// Until [`Core::is_drained`] it waits for everybody whose session was open, but for those who
    /// have not been told anything that somebody said, and who seem to be gone: a lost connection,
    /// or nobody who reads and nothing heard for as long as a drain may take. Those who had ended
    /// before had been told so before.
    Drain,
}

/// What the caller must do after an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A session was opened, and this is what names it from now on.
    Opened(Handle),
    /// An event went into a mailbox.
    Told {
        /// Whose mailbox.
        session: Handle,
        /// The event's place, which is now the last.
        head: Seq,
        /// The event's type, as the wire names it.
        kind: &'static str,
        /// Events that the mailbox now holds.
        held: usize,
    },
    /// The session is forgotten.
    Removed(Handle),
}

/// How many there are of everything.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Open sessions.
    pub online: usize,
    /// Closed sessions whose last events may still be collected.
    pub closed: usize,
    /// Open sessions in the lobby.
    pub waiting: usize,
    /// Conversations.
    pub pairs: usize,
    /// Sessions with a reader.
    pub attached: usize,
    /// Timers that are set.
    pub timers: usize,
}

/// Everybody, and what is known of them.
#[derive(Debug)]
pub struct Core {
    config: Config,
    sessions: Sessions,
    online: usize,
    pairs: usize,
    attached: usize,
    /// Sessions with an event that was never handed out, of those that a drain waits for.
    unread: usize,
    lobby: Lobby,
    /// When sessions run out of time.
    timers: Timers,
    /// When sessions are told the head count: each at its own time, because a word to everybody at
    /// once would hold up everything else.
    notices: Timers,
    /// Sessions with a full mailbox, and when each is closed for that.
    stalled: Stalled,
    /// Sessions that have read, and have a full mailbox all the same.
    still_full: Vec<SessionId>,
    /// The next input has something to do for a session that has read.
    unsettled: bool,
    next_pair: PairId,
    draining: bool,
    outputs: VecDeque<Output>,
}

impl Core {
    /// A core without anybody in it; `first_pair` is the id of the first conversation.
    #[must_use]
    pub fn new(config: Config, first_pair: PairId) -> Self {
        Self {
            config,
            sessions: Sessions::default(),
            online: 0,
            pairs: 0,
            attached: 0,
            unread: 0,
            lobby: Lobby::default(),
            timers: Timers::default(),
            next_pair: first_pair,
            notices: Timers::default(),
            stalled: Stalled::default(),
            still_full: Vec::new(),
            unsettled: false,
            draining: false,
            outputs: VecDeque::new(),
        }
    }

    /// Lets one thing happen at `now`, which never runs backwards.
    ///
    /// # Errors
    ///
    /// [`Rejected`] says why the input was refused; a refused command changes nothing but the
    /// lease of the session.
    pub fn handle_input(&mut self, now: Instant, input: Input) -> Result<(), Rejected> {
        let result = match input {
            Input::Open { session } => self.open(now, session).inspect_err(|rejected| {
                trace!(name: "turned away", session = session.0, reason = rejected.reason());
            }),
            Input::Command { session, event, by } => {
                self.command(now, session, event, by).inspect_err(|rejected| {
                    trace!(name: "refused", session = session.id.0, reason = rejected.reason());
                })
            }
            Input::Attach { session, reader } => self.attach(now, session, reader),
            Input::Detach { session, reader, how } => {
                self.detach(now, session, reader, how);
                Ok(())
            }
            Input::Suspect { session, reader } => {
                self.doubt(session, reader);
                Ok(())
            }
            Input::Timeout => {
                self.expire(now);
                Ok(())
            }
            Input::Drain => {
                self.drain(now);
                Ok(())
            }
        };
        self.unsettled = false;
        self.stall_again(now);
        self.pair_up(now);
        result
    }

    /// The next consequence of the inputs so far; call until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let [lost, slow] = [self.timers.first(), self.stalled.first()];
        lost.into_iter().chain(self.notices.first()).chain(slow).min()
    }

    /// True when a session may be paired because of what was read or acknowledged: [`Input::Timeout`]
    /// does it.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// What names the session of this id, which has to be looked for.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownSession`].
    pub fn find(&self, session: SessionId) -> Result<Handle, Rejected> {
        self.sessions.find(session).ok_or(Rejected::UnknownSession)
    }

    /// True when a drain may end, because no event waits to be handed out to anybody who is still
    /// expected: see [`Input::Drain`].
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.unread == 0
    }

    /// True from [`Input::Drain`] on.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// How many there are of everything.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            online: self.online,
            closed: self.sessions.len() - self.online,
            waiting: self.online - 2 * self.pairs,
            pairs: self.pairs,
            attached: self.attached,
            timers: self.timers.len() + self.notices.len() + self.stalled.len(),
        }
    }

    fn session(&mut self, session: Handle) -> Result<&mut Session, Rejected> {
        self.sessions.get_mut(session).ok_or(Rejected::UnknownSession)
    }

    /// A session that an invariant says is there.
    fn known(&mut self, session: SessionId) -> &mut Session {
        let slot = self.slot(session);
        &mut self.sessions[slot]
    }

    /// The slot of a session that an invariant says is there.
    fn slot(&self, session: SessionId) -> Slot {
        self.sessions.slot(session).expect(KNOWN)
    }

    /// Puts an event into a mailbox; a session whose mailbox cannot hold it is closed as slow.
    fn tell(&mut self, now: Instant, slot: Slot, event: ServerEvent) {
        self.put(slot, Entry::new(now, event), Bounds::new(&self.config));
    }

    /// Puts an event into a mailbox if there is room; nothing follows after `closing`.
    fn try_tell(&mut self, now: Instant, slot: Slot, event: ServerEvent) -> Result<(), Full> {
        self.try_put(slot, Entry::new(now, event), Bounds::new(&self.config))
    }

    fn put(&mut self, slot: Slot, entry: Entry, bounds: Bounds) {
        let now = entry.at;
        if self.try_put(slot, entry, bounds).is_err() {
            self.close(now, self.sessions[slot].id, CloseReason::Slow);
        }
    }

    fn try_put(&mut self, slot: Slot, entry: Entry, bounds: Bounds) -> Result<(), Full> {
        let known = &mut self.sessions[slot];
        if known.state == State::Closed {
            return Ok(());
        }
        let was_waited_for = known.is_waited_for();
        let kind = entry.event.kind();
        let head = known.mailbox.push(entry, bounds)?;
        let held = known.mailbox.len();
        self.unread += usize::from(!was_waited_for);
        self.outputs.push_back(Output::Told {
            session: Handle { id: known.id, slot },
            head,
            kind,
            held,
        });
        Ok(())
    }

    /// Ends what has run out of time, and tells the head count where it is due. Not more than
    /// [`DUE_MAX`] at once, because everybody else waits meanwhile; the rest is still due.
    fn expire(&mut self, now: Instant) {
        for _ in 0..DUE_MAX {
            let Some((_, session)) = self.timers.pop_due(now) else { break };
            if self.is_overdue(now, session) {
                self.lose(now, session);
            }
        }
        self.close_stalled(now);
        for _ in 0..DUE_MAX {
            let Some((due, session)) = self.notices.pop_due(now) else { break };
            self.known(session).notice_at = None;
            // From the time that was due, so that a late tick does not shift those after it; but
            // never twice for one that was missed altogether.
            self.arm_notice(session, due.max(now.before(self.config.notice_interval())));
            let slot = self.slot(session);
            self.tell(now, slot, ServerEvent::Notice { online: self.online as u64 });
        }
    }

    /// Nothing was heard from an open session for too long, or a closed one was kept long enough.
    fn lose(&mut self, now: Instant, session: SessionId) {
        if self.known(session).state != State::Closed {
            let known = self.known(session);
            trace!(
                name: "ran out",
                session = session.0,
                was_suspect = known.suspect,
                was_new = known.is_new,
                is_paired = known.state != State::Waiting,
            );
            return self.close(now, session, CloseReason::Lost);
        }
        let handle = self.sessions.find(session).expect("it was just looked at");
        let gone = self.sessions.remove(session).expect("it was just found");
        self.attached -= usize::from(gone.reader.is_some());
        self.unread -= usize::from(gone.is_waited_for());
        trace!(
            name: "removed",
            session = session.0,
            is_unread = !gone.mailbox.is_handed_out(),
            is_read = gone.reader.is_some(),
        );
        self.outputs.push_back(Output::Removed(handle));
    }

    fn arm_notice(&mut self, session: SessionId, last: Instant) {
        let next = last.after(self.config.notice_interval());
        let old = self.known(session).notice_at.replace(next);
        self.notices.change(session, old, Some(next));
    }

    fn drain(&mut self, now: Instant) {
        trace!(
            name: "drains",
            online = self.online as u64,
            reading = self.attached as u64,
            pairs = self.pairs as u64,
        );
        self.draining = true;
        self.pairs = 0;
        for session in self.notices.sessions() {
            let is_expected = self.is_expected(now, session);
            self.end(now, session, CloseReason::Draining);
            if is_expected {
                self.wait_for(session);
            }
        }
    }
}
