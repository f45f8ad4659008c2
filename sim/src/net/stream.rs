//! One end of a simulated connection, and the wire that its two ends share.
//!
//! Three properties of turmoil's stream are made up for here. A write of any
//! size is one segment, and 64 segments of any size go unread: the wire counts
//! bytes and segments in flight and makes the writer wait. A writer that waits
//! is not told of a reset: the reader tells it. A second shutdown fails: here,
//! as with tokio's sockets, it does nothing.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

use super::{Limits, Network, lock};
use crate::determinism::clock;
use crate::determinism::trace::{self, PacketEvent};

/// One end of a connection of a [`Network`]; to be dropped by the host that
/// opened or accepted it.
pub struct SimStream {
    /// There until it is dropped.
    inner: Option<TcpStream>,
    side: Side,
    local: SocketAddr,
    peer: SocketAddr,
    wire: Arc<Mutex<Wire>>,
    network: Network,
    fin_sent: bool,
    fin_received: bool,
}

/// The two ends of a connection, as indices of [`Wire::ends`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The end that connected.
    Client = 0,
    /// The end that accepted.
    Server = 1,
}

/// What the nemesis has decided about a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing.
    #[default]
    Live,
    /// The client shall send its FIN.
    Finish,
    /// Nothing gets through any more.
    Reset,
}

/// What both ends of a connection and the nemesis share.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) owner: Option<String>,
    pub(super) fate: Fate,
    ends: [End; 2],
}

#[derive(Default)]
struct End {
    presence: Presence,
    /// A read of this end found the connection broken.
    is_broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The length of each segment that this end sent, in order, less what the
    /// other end has read of the first.
    in_flight: VecDeque<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    /// Accepted by the server, not yet known to the client.
    #[default]
    Expected,
    Open,
    Closed,
}

impl SimStream {
    pub(super) fn new(
        inner: TcpStream,
        side: Side,
        (local, peer): (SocketAddr, SocketAddr),
        wire: Arc<Mutex<Wire>>,
        network: Network,
    ) -> Self {
        let inner = Some(inner);
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

    fn inner(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.inner.as_mut().expect("only dropping takes turmoil's stream away"))
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
        let (fate, is_broken) = {
            let wire = lock(&self.wire);
            (wire.fate, wire.ends[self.side as usize].is_broken)
        };
        if is_broken {
            return Err(ErrorKind::ConnectionReset.into());
        }
        match (fate, self.side) {
            (Fate::Reset, _) => Err(self.broken(ErrorKind::ConnectionReset.into())),
            (Fate::Finish, Side::Client) => {
                self.send_fin(cx);
                Ok(())
            }
            (Fate::Finish, Side::Server) | (Fate::Live, _) => Ok(()),
        }
    }

    /// Notes that this end found the connection broken and tells its writer.
    fn broken(&self, error: io::Error) -> io::Error {
        let writer = {
            let mut wire = lock(&self.wire);
            let end = &mut wire.ends[self.side as usize];
            end.is_broken = true;
            end.writer.take()
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
        // It never pends, and its one error is that the connection was reset
        // before: the reader hears of that.
        if let Poll::Ready(Ok(())) = self.inner().poll_shutdown(cx) {
            self.trace(PacketEvent::FinSent, &[]);
        }
        let writer = lock(&self.wire).ends[self.side as usize].writer.take();
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
        this.obey(cx)?;
        let filled = buf.filled().len();
        match this.inner().poll_read(cx, buf) {
            Poll::Pending => {
                remember(&mut lock(&this.wire).ends[this.side as usize].reader, cx);
                Poll::Pending
            }
            Poll::Ready(Ok(())) => {
                this.received(&buf.filled()[filled..]);
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
        this.obey(cx)?;
        if this.fin_sent {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let room = lock(&this.wire).room(this.side, &this.network.limits);
        if room == 0 && !bytes.is_empty() {
            remember(&mut lock(&this.wire).ends[this.side as usize].writer, cx);
            return Poll::Pending;
        }
        let segment = &bytes[..bytes.len().min(room)];
        let polled = this.inner().poll_write(cx, segment);
        if polled.is_pending() {
            remember(&mut lock(&this.wire).ends[this.side as usize].writer, cx);
        }
        let written = ready!(polled)?;
        if written > 0 {
            this.trace(PacketEvent::Sent, &bytes[..written]);
            lock(&this.wire).ends[this.side as usize].in_flight.push_back(written);
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
        let inner = self.inner.take().expect("a stream is dropped once");
        match self.network.keep_if_crashing(inner) {
            Ok(()) => {}
            Err(inner) => {
                self.trace(PacketEvent::Closed, &[]);
                drop(inner);
            }
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

impl Wire {
    pub(super) fn open(&mut self, side: Side, owner: Option<&str>) {
        self.ends[side as usize].presence = Presence::Open;
        if let Some(owner) = owner {
            self.owner = Some(owner.to_owned());
        }
        // The server's end came first. If it is not here, it has gone again.
        let server = &mut self.ends[Side::Server as usize].presence;
        if *server == Presence::Expected {
            *server = Presence::Closed;
        }
    }

    /// The client may still use it.
    pub(super) fn is_live(&self) -> bool {
        self.fate == Fate::Live && self.ends[Side::Client as usize].presence == Presence::Open
    }

    /// The server still holds its end.
    pub(super) fn is_served(&self) -> bool {
        self.ends[Side::Server as usize].presence != Presence::Closed
    }

    /// Somebody still holds an end of it.
    pub(super) fn is_open(&self) -> bool {
        self.ends.iter().any(|end| end.presence == Presence::Open)
    }

    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        self.ends
            .iter_mut()
            .flat_map(|end| [end.reader.take(), end.writer.take()])
            .flatten()
            .collect()
    }

    /// Closes one end; the writer of the other has nobody to wait for.
    fn close(&mut self, side: Side) -> Option<Waker> {
        self.ends[side as usize] = End { presence: Presence::Closed, ..End::default() };
        self.ends[side.other() as usize].writer.take()
    }

    /// How many bytes `side` may send now. If nobody will ever read them, the
    /// network shall answer, which it does with a reset.
    fn room(&self, side: Side, limits: &Limits) -> usize {
        if self.ends[side.other() as usize].presence == Presence::Closed {
            return limits.segment_bytes_max;
        }
        let in_flight = &self.ends[side as usize].in_flight;
        if in_flight.len() >= limits.window_segments {
            return 0;
        }
        let bytes = in_flight.iter().sum();
        limits.window_bytes.saturating_sub(bytes).min(limits.segment_bytes_max)
    }

    /// Takes `count` bytes that were read off those that `sender` has in
    /// flight; returns its writer, which may have room again.
    fn consume(&mut self, sender: Side, mut count: usize) -> Option<Waker> {
        let end = &mut self.ends[sender as usize];
        while let Some(first) = end.in_flight.front_mut() {
            if *first > count {
                *first -= count;
                break;
            }
            count -= *first;
            end.in_flight.pop_front();
        }
        end.writer.take()
    }
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
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
