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
mod rejected;
mod session;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use self::lobby::Lobby;
pub use self::mailbox::Entry;
use self::mailbox::Full;
pub use self::rejected::Rejected;
use self::session::{Session, State};
use self::timers::Timers;
use crate::config::Config;
use crate::protocol::{ClientEvent, CloseReason, PairId, Seq, ServerEvent, SessionId};

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
        session: SessionId,
        /// What.
        event: ClientEvent,
    },
    /// Somebody begins to read the session's mailbox; whoever read it before does so no more.
    Attach {
        /// Whose mailbox.
        session: SessionId,
        /// The new reader.
        reader: ReaderId,
    },
    /// A reader went away; ignored unless it is the latest.
    Detach {
        /// Whose mailbox.
        session: SessionId,
        /// The reader.
        reader: ReaderId,
        /// How.
        how: Detach,
    },
    /// Time has passed; bring it when [`Core::poll_timeout`] says so. Bringing it early is harmless.
    Timeout,
    /// The server shuts down: everybody is told, nobody new is let in.
    Drain,
}

/// What the caller must do after an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The session's mailbox has grown up to this place.
    Wake(SessionId, Seq),
    /// The session is forgotten.
    Removed(SessionId),
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
    /// Deadlines.
    pub timers: usize,
}

/// Everybody, and what is known of them.
#[derive(Debug)]
pub struct Core {
    config: Config,
    sessions: BTreeMap<SessionId, Session>,
    online: usize,
    lobby: Lobby,
    /// When sessions run out of time.
    timers: Timers,
    /// When sessions are told the head count: each at its own time, because a word to everybody at
    /// once would hold up everything else.
    notices: Timers,
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
            sessions: BTreeMap::new(),
            online: 0,
            lobby: Lobby::default(),
            timers: Timers::default(),
            next_pair: first_pair,
            notices: Timers::default(),
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
            Input::Open { session } => self.open(now, session),
            Input::Command { session, event } => self.command(now, session, event),
            Input::Attach { session, reader } => self.attach(now, session, reader),
            Input::Detach { session, reader, how } => {
                self.detach(now, session, reader, how);
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
        self.timers.first().into_iter().chain(self.notices.first()).min()
    }

    /// The events of a session past `after`, `limit` at most, and marks them as handed out.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownSession`], or [`Rejected::Cursor`] when `after` was forgotten already or
    /// lies in the future.
    pub fn read(
        &mut self,
        session: SessionId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, Rejected> {
        self.session(session)?.mailbox.read_after(after, limit)
    }

    /// Forgets a session's events up to `seq`.
    ///
    /// # Errors
    ///
    /// As [`Core::read`].
    pub fn acknowledge(&mut self, session: SessionId, seq: Seq) -> Result<(), Rejected> {
        self.session(session)?.mailbox.acknowledge(seq)
    }

    /// True when no event waits to be handed out, so that a drain may end.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.sessions.values().all(|session| session.mailbox.is_handed_out())
    }

    /// True from [`Input::Drain`] on.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Counts everything; walks all sessions.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let count = |wanted: fn(&Session) -> bool| {
            self.sessions.values().filter(|session| wanted(session)).count()
        };
        Counts {
            online: self.online,
            closed: self.sessions.len() - self.online,
            waiting: count(|session| session.state == State::Waiting),
            pairs: count(|session| matches!(session.state, State::Paired { .. })) / 2,
            attached: count(|session| session.reader.is_some()),
            timers: self.timers.len() + self.notices.len(),
        }
    }

    fn session(&mut self, session: SessionId) -> Result<&mut Session, Rejected> {
        self.sessions.get_mut(&session).ok_or(Rejected::UnknownSession)
    }

    /// A session that an invariant says is there.
    fn known(&mut self, session: SessionId) -> &mut Session {
        self.sessions
            .get_mut(&session)
            .expect("the lobby and the partners name known sessions only")
    }

    /// Puts an event into a mailbox; a session whose mailbox cannot hold it is closed as slow.
    fn tell(&mut self, now: Instant, session: SessionId, event: ServerEvent) {
        if self.try_tell(now, session, event).is_err() {
            self.close(now, session, CloseReason::Slow);
        }
    }

    /// Puts an event into a mailbox if there is room; nothing follows after `closing`.
    fn try_tell(
        &mut self,
        now: Instant,
        session: SessionId,
        event: ServerEvent,
    ) -> Result<(), Full> {
        let known = self.known(session);
        if known.state != State::Closed {
            let head = known.mailbox.push(now, event)?;
            self.outputs.push_back(Output::Wake(session, head));
        }
        Ok(())
    }

    fn expire(&mut self, now: Instant) {
        while let Some((_, session)) = self.timers.pop_due(now) {
            let known = self.known(session);
            known.deadline = None;
            if known.state == State::Closed {
                self.sessions.remove(&session);
                self.outputs.push_back(Output::Removed(session));
            } else {
                self.close(now, session, CloseReason::Lost);
            }
        }
        while let Some((due, session)) = self.notices.pop_due(now) {
            self.known(session).notice_at = None;
            // From the time that was due, so that a late tick does not shift those after it; but
            // never twice for one that was missed altogether.
            self.arm_notice(session, due.max(now.before(self.config.notice_interval())));
            self.tell(now, session, ServerEvent::Notice { online: self.online as u64 });
        }
    }

    fn arm_notice(&mut self, session: SessionId, last: Instant) {
        let next = last.after(self.config.notice_interval());
        let old = self.known(session).notice_at.replace(next);
        self.notices.change(session, old, Some(next));
    }

    fn drain(&mut self, now: Instant) {
        self.draining = true;
        for session in self.open_sessions() {
            self.end(now, session, CloseReason::Draining);
        }
    }

    fn open_sessions(&self) -> Vec<SessionId> {
        let open = self.sessions.iter().filter(|(_, session)| session.state != State::Closed);
        open.map(|(id, _)| *id).collect()
    }
}
