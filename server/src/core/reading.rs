//! What a reader does with the mailbox of its session.

use super::mailbox::Mailbox;
use super::{Core, Handle, Portion, Read, Rejected};
use protocol::Seq;

impl Core {
    /// The events of a session past `after`, a portion of them, which are handed out by that.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownSession`], or [`Rejected::Cursor`] when `after` was forgotten already or
    /// lies in the future.
    pub fn read(
        &mut self,
        session: Handle,
        after: Seq,
        portion: Portion,
    ) -> Result<Read, Rejected> {
        self.mailbox(session, |mailbox| mailbox.read_after(after, portion))?
    }

    /// The lowest cursor that a session's mailbox can still be read from.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownSession`].
    pub fn beginning(&self, session: Handle) -> Result<Seq, Rejected> {
        let session = self.sessions.get(session).ok_or(Rejected::UnknownSession)?;
        Ok(session.mailbox.beginning())
    }

    /// Says whether a session's mailbox can be read behind `after`.
    ///
    /// # Errors
    ///
    /// As [`Core::read`].
    pub fn check(&self, session: Handle, after: Seq) -> Result<(), Rejected> {
        let session = self.sessions.get(session).ok_or(Rejected::UnknownSession)?;
        session.mailbox.check(after)
    }

    /// Forgets a session's events up to `seq`. It is read by a client that acknowledges: what it has not
    /// acknowledged is kept.
    ///
    /// # Errors
    ///
    /// As [`Core::read`].
    pub fn acknowledge(&mut self, session: Handle, seq: Seq) -> Result<(), Rejected> {
        self.mailbox(session, |mailbox| mailbox.acknowledge(seq))?
    }

    /// Forgets a session's events up to `seq`, for a client that goes on from there. It need not
    /// acknowledge ever.
    ///
    /// # Errors
    ///
    /// As [`Core::read`].
    pub fn forget(&mut self, session: Handle, seq: Seq) -> Result<(), Rejected> {
        self.mailbox(session, |mailbox| mailbox.forget(seq))?
    }

    /// Whatever is done to a mailbox is done here, where those with news in them are counted.
    pub(super) fn mailbox<T>(
        &mut self,
        session: Handle,
        act: impl FnOnce(&mut Mailbox) -> T,
    ) -> Result<T, Rejected> {
        let known = self.sessions.get_mut(session).ok_or(Rejected::UnknownSession)?;
        let was_waited_for = known.is_waited_for();
        let progress = known.mailbox.progress();
        let result = act(&mut known.mailbox);
        self.unread -= usize::from(was_waited_for);
        self.unread += usize::from(known.is_waited_for());
        if known.mailbox.progress() != progress {
            self.has_read(session.slot);
        }
        Ok(result)
    }
}
