//! One end of a simulated connection.
//!
//! Three properties of turmoil's stream are made up for here. A write of any
//! size is one segment, and 64 segments of any size go unread: the wire counts
//! bytes and segments in flight and makes the writer wait. A writer that waits
//! is not told of a reset: the reader tells it. A second shutdown fails: here,
//! as with tokio's sockets, it does nothing.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

use super::faults::Trap;
use super::wire::{Order, Side, Unsent, Wire};
use super::{Network, lock};
use crate::determinism::trace::{self, PacketEvent};
use crate::determinism::{self, budget, clock};

/// A socket, simulated or real.
trait Socket: AsyncRead + AsyncWrite {}

impl<S: AsyncRead + AsyncWrite> Socket for S {}

/// One end of a connection of a [`Network`]; to be dropped by the host that
/// opened or accepted it.
pub struct SimStream {
    /// There until it is dropped; the socket of a live run belongs to the wire, where the nemesis reaches it.
    inner: Option<TcpStream>,
    side: Side,
    local: SocketAddr,
    peer: SocketAddr,
    wire: Arc<Mutex<Wire>>,
    network: Network,
    fin_sent: bool,
    fin_received: bool,
}

impl SimStream {
    pub(super) fn new(
        inner: Option<TcpStream>,
        side: Side,
        (local, peer): (SocketAddr, SocketAddr),
        wire: Arc<Mutex<Wire>>,
        network: Network,
    ) -> Self {
        Self { inner, side, local, peer, wire, network, fin_sent: false, fin_received: false }
    }

    /// The address of this end.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The address of the other end.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Polls what carries the bytes.
    fn poll_socket<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut (dyn Socket + Unpin)>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Some(inner) = &mut self.inner {
            return poll(Pin::new(inner));
        }
        match lock(&self.wire).socket(self.side) {
            Some(socket) => poll(Pin::new(socket)),
            None => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
        }
    }

    pub(super) fn trace(&self, event: PacketEvent, bytes: &[u8]) {
        // Turmoil knows the time within a step. The simulation's clock stands
        // still there, but it also serves outside a host: when one is dropped.
        let at = turmoil::sim_elapsed().unwrap_or_else(clock::elapsed);
        let at_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        trace::packet(at_us, event, self.local, self.peer, bytes);
    }

    /// Does what the nemesis has decided since the last poll.
    fn obey(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let order = lock(&self.wire).order(self.side);
        match order {
            Order::GoOn => Ok(()),
            Order::IsBroken => Err(ErrorKind::ConnectionReset.into()),
            Order::Break => Err(self.broken(ErrorKind::ConnectionReset.into())),
            Order::Finish => {
                self.send_fin(cx);
                Ok(())
            }
            Order::Resend(unsent) => self.resend(cx, &unsent),
        }
    }

    /// What was kept while this end was blocked goes out, as TCP sends it again.
    fn resend(&mut self, cx: &mut Context<'_>, unsent: &Unsent) -> io::Result<()> {
        if !unsent.bytes.is_empty() {
            // Turmoil takes a segment of any size, and has room for many more of them.
            if let Poll::Ready(written) =
                self.poll_socket(|socket| socket.poll_write(cx, &unsent.bytes))
            {
                lock(&self.wire).sent(self.side, written?);
            }
        }
        if unsent.fin {
            let _already_reset = self.poll_socket(|socket| socket.poll_shutdown(cx));
        }
        Ok(())
    }

    /// The server's program stands still.
    fn is_frozen(&self) -> bool {
        self.side == Side::Server && lock(&self.wire).is_frozen
    }

    fn is_stalled(&self) -> bool {
        self.side == Side::Client && lock(&self.wire).is_stalled
    }

    /// Ends the turn of the calling task as often as the limits say.
    fn lets_others_first(&self, cx: &Context<'_>) -> bool {
        let yields = determinism::lets_others_first(self.network.limits.yield_percent);
        if yields {
            cx.waker().wake_by_ref();
        }
        yields
    }

    fn wait_to_read(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        remember(lock(&self.wire).reader(self.side), cx);
        Poll::Pending
    }

    fn wait_to_write(&self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        remember(lock(&self.wire).writer(self.side), cx);
        Poll::Pending
    }

    /// Keeps what is written while it cannot be sent.
    fn keep(&self, bytes: &[u8]) -> usize {
        self.trace(PacketEvent::Sent, bytes);
        lock(&self.wire).keep(self.side, bytes);
        bytes.len()
    }

    /// Whether this end is a client's that runs into a trap of that kind now.
    fn runs_into(&self, trap: Trap) -> bool {
        self.side == Side::Client && lock(&self.wire).has_trap(trap)
    }

    /// The client is gone in the middle of it; what is left of the connection is its own affair.
    fn fall(&self, trap: Trap) -> bool {
        let wakers: Vec<_> = {
            let mut wire = lock(&self.wire);
            if self.side == Side::Server || !wire.spring(trap) {
                return false;
            }
            wire.break_end(self.side);
            wire.take_wakers().collect()
        };
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Notes that this end found the connection broken and tells its writer.
    fn broken(&self, error: io::Error) -> io::Error {
        let writer = {
            let mut wire = lock(&self.wire);
            wire.break_end(self.side);
            wire.writer(self.side).take()
        };
        self.trace(PacketEvent::Broken, &[]);
        wake(writer);
        error
    }

    fn send_fin(&mut self, cx: &mut Context<'_>) {
        if self.fin_sent {
            return;
        }
        self.fin_sent = true;
        if lock(&self.wire).is_blocked(self.side) {
            lock(&self.wire).keep_fin(self.side);
            return;
        }
        // It never pends, and its one error is that the connection was reset
        // before: the reader hears of that.
        if let Poll::Ready(Ok(())) = self.poll_socket(|socket| socket.poll_shutdown(cx)) {
            self.trace(PacketEvent::FinSent, &[]);
        }
        let writer = lock(&self.wire).writer(self.side).take();
        wake(writer);
    }

    fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            if !self.fin_received {
                self.fin_received = true;
                self.trace(PacketEvent::FinReceived, &[]);
            }
            return;
        }
        self.trace(PacketEvent::Received, bytes);
        let writer = lock(&self.wire).consume(self.side.other(), bytes.len());
        wake(writer);
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Turmoil asks for the capacity of the buffer, not for what is left.
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if this.is_frozen() {
            return this.wait_to_read(cx);
        }
        if this.lets_others_first(cx) {
            return Poll::Pending;
        }
        this.obey(cx)?;
        if this.is_stalled() {
            return this.wait_to_read(cx);
        }
        let filled = buf.filled().len();
        let polled = this.poll_socket(|socket| socket.poll_read(cx, buf));
        budget::shorten_turn();
        match polled {
            Poll::Pending => this.wait_to_read(cx),
            Poll::Ready(Ok(())) => {
                let count = buf.filled().len() - filled;
                this.received(&buf.filled()[filled..]);
                if count > 0 && this.fall(Trap::Answered) {
                    buf.set_filled(filled + count.div_ceil(2));
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(this.broken(error))),
        }
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_frozen() {
            return this.wait_to_write(cx);
        }
        if this.lets_others_first(cx) {
            return Poll::Pending;
        }
        this.obey(cx)?;
        if this.fin_sent {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        // Before there is room: who waits for it asks for it again and again.
        if lock(&this.wire).is_forgotten() {
            return Poll::Ready(Err(this.broken(ErrorKind::ConnectionReset.into())));
        }
        let room = lock(&this.wire).room(this.side, &this.network.limits);
        if room == 0 && !bytes.is_empty() {
            return this.wait_to_write(cx);
        }
        let mut segment = &bytes[..bytes.len().min(room)];
        if lock(&this.wire).is_blocked(this.side) {
            return Poll::Ready(Ok(this.keep(segment)));
        }
        let is_abort = segment.len() > 1 && this.runs_into(Trap::Asking);
        if is_abort {
            segment = &segment[..segment.len() / 2];
        }
        let polled = this.poll_socket(|socket| socket.poll_write(cx, segment));
        budget::shorten_turn();
        if polled.is_pending() {
            return this.wait_to_write(cx);
        }
        let written = ready!(polled)?;
        if written > 0 {
            this.trace(PacketEvent::Sent, &bytes[..written]);
            let mut wire = lock(&this.wire);
            if this.side == Side::Client {
                wire.note_write(&bytes[..written], this.network.mark);
            }
            wire.sent(this.side, written);
        }
        if is_abort {
            this.fall(Trap::Asking);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().obey(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // As with tokio's sockets, a broken connection is shut down already.
        if this.obey(cx).is_ok() {
            this.send_fin(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && let Err(inner) = self.network.keep_if_crashing(inner)
        {
            self.trace(PacketEvent::Closed, &[]);
            self.network.close(inner, lock(&self.wire).ends_unheard(self.side));
        }
        let writer = lock(&self.wire).close(self.side);
        wake(writer);
        let client = match self.side {
            Side::Client => self.local,
            Side::Server => self.peer,
        };
        self.network.forget_if_closed(client, &self.wire);
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
