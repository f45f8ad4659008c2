//! One connection. It returns its permits when it is dropped, and it is closed when the peer accepts
//! no bytes of a write for `write_ms_max`.
//!
//! It lives as long as the socket: first under HTTP, then, after an upgrade, under a WebSocket. So
//! what it holds is small, and a timer exists only while a write is stuck. It never looks at what
//! goes through it.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tracing::trace;

use crate::addresses::AddressPermit;
use crate::error::HttpError;
use crate::hub::Hub;

/// State that a connection shares with the services of its requests.
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// The peer is a proxy that is believed.
    pub(crate) is_proxy: bool,
    hub: Arc<Hub>,
    /// Something was read since the wait for a request began.
    is_asking: AtomicBool,
    /// The header of a request took too long.
    is_late: AtomicBool,
    /// Permit of the client that a proxied socket was upgraded for.
    upgraded_for: Mutex<Option<AddressPermit>>,
    _address_permit: Option<AddressPermit>,
    _permit: OwnedSemaphorePermit,
}

impl Peer {
    /// A trusted proxy; each client behind it takes a permit of its own.
    pub(crate) fn proxy(hub: Arc<Hub>, address: IpAddr, permit: OwnedSemaphorePermit) -> Self {
        Self::new(hub, address, permit, None)
    }

    /// Any other peer.
    pub(crate) fn person(
        hub: Arc<Hub>,
        address: IpAddr,
        permit: OwnedSemaphorePermit,
        address_permit: AddressPermit,
    ) -> Self {
        Self::new(hub, address, permit, Some(address_permit))
    }

    fn new(
        hub: Arc<Hub>,
        address: IpAddr,
        permit: OwnedSemaphorePermit,
        address_permit: Option<AddressPermit>,
    ) -> Self {
        hub.telemetry().connected();
        Self {
            address,
            is_proxy: address_permit.is_none(),
            hub,
            is_asking: AtomicBool::new(false),
            is_late: AtomicBool::new(false),
            upgraded_for: Mutex::new(None),
            _address_permit: address_permit,
            _permit: permit,
        }
    }

    /// Waits for a request, which has not begun.
    pub(crate) fn expect_request(&self) {
        self.is_asking.store(false, Ordering::Relaxed);
    }

    /// True when the first bytes of the request that is waited for have arrived.
    pub(crate) fn is_asking(&self) -> bool {
        self.is_asking.load(Ordering::Relaxed)
    }

    /// How long a header may take from its first byte.
    pub(crate) fn header_read_max(&self) -> Duration {
        Duration::from_millis(self.hub.config().header_read_ms_max)
    }

    /// The connection ends because a header took too long.
    pub(crate) fn tell_late(&self) {
        self.is_late.store(true, Ordering::Relaxed);
    }

    /// Keeps a client's permit until this connection, now one socket, closes.
    pub(crate) fn upgraded_for(&self, address_permit: AddressPermit) {
        *self.upgraded_for.lock().expect("nothing panics under this lock") = Some(address_permit);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.hub.telemetry().disconnected();
    }
}

/// The bytes of a connection.
pub(crate) struct Connection<Io: AsyncWrite + Unpin> {
    io: Io,
    peer: Arc<Peer>,
    /// When the peer has taken nothing for too long; there only while a write is stuck.
    stuck_until: Option<Pin<Box<Sleep>>>,
}

impl<Io: AsyncWrite + Unpin> Connection<Io> {
    pub(crate) fn new(io: Io, peer: Arc<Peer>) -> Self {
        Self { io, peer, stuck_until: None }
    }

    /// Lets a write pass that went through, and ends one that is stuck for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck_until = None;
            return written;
        }
        let write_max = || Duration::from_millis(self.peer.hub.config().write_ms_max);
        let stuck_until = &mut self.stuck_until;
        let stuck_until =
            stuck_until.get_or_insert_with(|| Box::pin(tokio::time::sleep(write_max())));
        match stuck_until.as_mut().poll(cx) {
            Poll::Ready(()) => {
                trace!(name: "write stuck", "the peer takes nothing");
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<Io: AsyncWrite + Unpin> Drop for Connection<Io> {
    /// hyper closes a connection whose header is late without a word. Whoever has begun a request
    /// is told here: nothing else is being written then, so that one write takes all of it.
    fn drop(&mut self) {
        if self.peer.is_late.load(Ordering::Relaxed) {
            let ms_max = self.peer.hub.config().header_read_ms_max;
            let answer = HttpError::SlowHeader { ms_max }.to_wire();
            let mut cx = Context::from_waker(Waker::noop());
            let _nobody_takes_it = Pin::new(&mut self.io).poll_write(&mut cx, &answer);
            self.peer.hub.telemetry().rejected("slow-header");
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > filled_before && !self.peer.is_asking() {
            self.peer.is_asking.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Connection<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A flush says nothing of a write before it that is stuck.
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
