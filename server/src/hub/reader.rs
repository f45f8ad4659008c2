//! One connection's end of the hub: reads a mailbox and sends commands for its session, until another
//! reader supersedes it.
//!
//! A reader detaches however it ends, also by a panic or when its future is dropped.

use std::sync::Arc;

use tokio::time::Instant;

use super::signal::Signal;
use super::{Hub, Transport};
use crate::core::{Core, Detach, Handle, Input, Portion, ReaderId, Rejected};
use protocol::{Batch, ClientEvent, Seq};

/// One batch for a request, whose client may ask for the next one late.
pub(super) const POLLED: Portion = Portion { events_max: 64, json_bytes_max: 262_144 };
/// One batch for a connection that is pushed to, which gets the next one as soon as it took this.
pub(super) const PUSHED: Portion = Portion { events_max: 64, json_bytes_max: 16_384 };

/// Handle of a reader: sends commands for its connection while the reader itself is borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReaderHandle {
    pub(super) session: Handle,
    pub(super) reader: ReaderId,
}

/// Reads one mailbox until another reader supersedes it.
///
/// Dropped without [`Reader::finish`], it counts as a lost connection.
pub struct Reader {
    hub: Arc<Hub>,
    session: Handle,
    reader: ReaderId,
    signal: Arc<Signal>,
    over: Transport,
    portion: Portion,
    attached: bool,
}

impl Reader {
    /// The reader that the core knows since a moment ago.
    pub(super) fn new(
        hub: Arc<Hub>,
        handle: ReaderHandle,
        signal: Arc<Signal>,
        over: Transport,
        portion: Portion,
    ) -> Self {
        let ReaderHandle { session, reader } = handle;
        Self { hub, session, reader, signal, over, portion, attached: true }
    }

    /// The connection goes on over another transport.
    pub(crate) fn go_on_over(&mut self, over: Transport) {
        if self.over == over {
            return;
        }
        self.over = over;
        let mut state = self.hub.lock();
        if state.is_read_by(self.session, self.reader) {
            state.read_over(self.session, Some((self.reader, over)));
        }
    }

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
            let past = self.signal.past(after, self.reader);
            let Some(until) = until else {
                past.await;
                continue;
            };
            if tokio::time::timeout_at(until, past).await.is_err() {
                return self.read(after);
            }
        }
    }

    /// Forgets the events up to `seq`.
    ///
    /// # Errors
    ///
    /// As [`Reader::receive`].
    pub async fn acknowledge(&self, seq: Seq) -> Result<(), Rejected> {
        self.settle(|core| core.acknowledge(self.session, seq))
    }

    /// Forgets the events up to `seq`, for a client that cannot ask for them again.
    ///
    /// # Errors
    ///
    /// As [`Reader::receive`].
    pub async fn forget(&self, seq: Seq) -> Result<(), Rejected> {
        self.settle(|core| core.forget(self.session, seq))
    }

    fn settle(
        &self,
        forget: impl FnOnce(&mut Core) -> Result<(), Rejected>,
    ) -> Result<(), Rejected> {
        let mut state = self.hub.lock();
        let forgotten = forget(&mut state.core);
        let wakes = self.hub.settle(&mut state);
        drop(state);
        wakes.wake();
        forgotten.inspect_err(|rejected| self.hub.telemetry.rejected(rejected.reason()))
    }

    /// True when another reader of the same mailbox came later.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        !self.signal.is_read_by(self.reader)
    }

    /// The handle for [`Hub::send_at_once`].
    pub(crate) fn handle(&self) -> ReaderHandle {
        ReaderHandle { session: self.session, reader: self.reader }
    }

    /// Executes a command of this connection's user. This reader is not woken by the events that follow,
    /// and must look for them with [`Reader::receive`].
    ///
    /// # Errors
    ///
    /// As [`Hub::send`]; and [`Rejected::Superseded`] from the moment when another reader takes over,
    /// so that what a person says on two connections keeps its order.
    pub async fn send(&self, event: ClientEvent) -> Result<(), Rejected> {
        let ReaderHandle { session, reader } = self.handle();
        self.hub.command(|_| Ok(session), event, Some(reader), Some(reader))
    }

    /// The connection shows signs of being lost: the session is not paired until something is heard
    /// from its person, or it is attached to anew. This reader goes on or finishes, but not both
    /// later than it must.
    pub async fn suspect(&self) {
        let (session, reader) = (self.session, self.reader);
        let _always_accepted = self.hub.handle(Input::Suspect { session, reader });
    }

    /// Ends the reading and says how.
    pub async fn finish(mut self, how: Detach) {
        self.detach(how);
    }

    fn read(&self, after: Seq) -> Result<Batch, Rejected> {
        let nothing = || Ok(Batch { events: Vec::new(), next: after });
        if self.signal.is_at(after) {
            return nothing();
        }
        let mut state = self.hub.lock();
        if self.is_superseded() {
            return nothing();
        }
        let read = state.core.read(self.session, after, self.portion)?;
        let wakes = self.hub.settle(&mut state);
        drop(state);
        wakes.wake();
        Ok(self.hub.batch(read, after, self.over))
    }

    fn detach(&mut self, how: Detach) {
        if std::mem::take(&mut self.attached) {
            let (session, reader) = (self.session, self.reader);
            self.signal.let_go(reader);
            let mut state = self.hub.lock();
            if state.is_read_by(session, reader) {
                state.read_over(session, None);
            }
            let detach = Input::Detach { session, reader, how };
            let (_always_accepted, wakes) = self.hub.input(&mut state, detach, None);
            drop(state);
            wakes.wake();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Where the panic of somebody who held the hub unwinds this task too, a second one would
        // abort the process, and nobody would learn of the first.
        if std::thread::panicking() && self.hub.state.is_poisoned() {
            return;
        }
        self.detach(Detach::Dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn a_panic_with_the_hub_held_unwinds_past_a_reader() {
        let hub = Hub::new(Config::default()).expect("the system has entropy");
        let opened = hub.open(None).await.expect("there is room");
        let reader = hub.attach(opened.session, Transport::Sse).await.expect("it was just opened");
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _reader = reader;
            let _held = hub.lock();
            panic!("an invariant broke");
        }));
        let message = unwound.expect_err("it panicked");
        assert_eq!(message.downcast_ref(), Some(&"an invariant broke"));
    }
}
