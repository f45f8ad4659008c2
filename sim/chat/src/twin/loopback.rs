//! Connections over the loopback that can be broken from the client's side, as the simulated ones
//! can be: by RST, by FIN, by not reading, in the middle of a request or of an answer.
//!
//! Each simulated host has a loopback address of its own, so that a limit for each address means
//! what it does in the simulation. Nothing here leaves this machine.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use client::{Connect, TcpConnector};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::net::{Cut, Trap, lock};

/// All connections of one twin; clones share them.
#[derive(Clone)]
pub(crate) struct Loopback(Arc<Mutex<Shared>>);

struct Shared {
    /// Where new connections go.
    target: SocketAddr,
    wires: Vec<Weak<Mutex<Wire>>>,
}

/// Opens connections on behalf of one person.
#[derive(Clone)]
pub(crate) struct LoopbackConnector {
    loopback: Loopback,
    owner: String,
    source: IpAddr,
}

/// The client's end of a connection.
pub(crate) struct LoopbackStream(Arc<Mutex<Wire>>);

struct Wire {
    owner: String,
    /// There until the connection is broken.
    socket: Option<TcpStream>,
    is_stalled: bool,
    trap: Option<(Trap, Arc<AtomicUsize>)>,
    moved_at: Instant,
    /// Whoever waits to read, to be told that the connection is broken or not stalled any more.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Default for Loopback {
    /// Nobody can be reached until a server is there.
    fn default() -> Self {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self(Arc::new(Mutex::new(Shared { target, wires: Vec::new() })))
    }
}

impl Loopback {
    /// New connections go there from now on.
    pub(super) fn redirect(&self, target: SocketAddr) {
        lock(&self.0).target = target;
    }

    /// Connections of `owner`, who lives on that host.
    pub(crate) fn connector(&self, owner: &str, host: usize) -> LoopbackConnector {
        // 127.0.0.1 is the server's.
        let last = u8::try_from(host + 2).unwrap_or(u8::MAX - 1);
        let source = Ipv4Addr::new(127, 0, 0, last).into();
        LoopbackConnector { loopback: self.clone(), owner: owner.to_owned(), source }
    }

    /// Cuts every live connection of `owner`; returns how many there were.
    pub(super) fn cut(&self, owner: &str, manner: Cut) -> usize {
        self.strike(owner, |wire| wire.cut(manner))
    }

    /// Ends those on which nothing has moved for so long; returns how many there were.
    pub(super) fn cut_idle(&self, owner: &str, quiet_min: Duration) -> usize {
        let mut count = 0;
        self.strike(owner, |wire| {
            if wire.moved_at.elapsed() >= quiet_min {
                wire.cut(Cut::Finish);
                // It is ended once.
                wire.moved_at += quiet_min * 1_000;
                count += 1;
            }
        });
        count
    }

    /// `owner` reads nothing from the connections of this moment; returns how many there are.
    pub(crate) fn stall(&self, owner: &str) -> usize {
        self.strike(owner, |wire| wire.is_stalled = true)
    }

    /// `owner` reads again; returns on how many connections something had come in meanwhile.
    pub(crate) fn resume_reads(&self, owner: &str) -> usize {
        let mut waiting = 0;
        self.strike(owner, |wire| {
            if std::mem::take(&mut wire.is_stalled) {
                waiting += usize::from(wire.has_something());
            }
        });
        waiting
    }

    /// Sets a trap on every live connection of `owner`; the counter tells how many were sprung.
    pub(crate) fn trap(&self, owner: &str, trap: Trap) -> Arc<AtomicUsize> {
        let sprung = Arc::new(AtomicUsize::new(0));
        self.strike(owner, |wire| wire.trap = Some((trap, Arc::clone(&sprung))));
        sprung
    }

    /// Takes the traps of `owner` away.
    pub(super) fn untrap(&self, owner: &str) {
        self.strike(owner, |wire| wire.trap = None);
    }

    /// How many live connections there are.
    pub(super) fn live_connections(&self) -> usize {
        self.live().iter().filter(|wire| lock(wire).socket.is_some()).count()
    }

    fn live(&self) -> Vec<Arc<Mutex<Wire>>> {
        let mut shared = lock(&self.0);
        shared.wires.retain(|wire| wire.strong_count() > 0);
        shared.wires.iter().filter_map(Weak::upgrade).collect()
    }

    fn strike(&self, owner: &str, mut act: impl FnMut(&mut Wire)) -> usize {
        let mut count = 0;
        for wire in self.live() {
            let wakers = {
                let mut wire = lock(&wire);
                if wire.owner != owner || wire.socket.is_none() {
                    continue;
                }
                act(&mut wire);
                [wire.reader.take(), wire.writer.take()]
            };
            count += 1;
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
        count
    }
}

impl Connect for LoopbackConnector {
    type Stream = LoopbackStream;

    async fn connect(&self) -> io::Result<LoopbackStream> {
        let target = lock(&self.loopback.0).target;
        let socket = TcpConnector { target, source: Some(self.source) }.connect().await?;
        let wire = Arc::new(Mutex::new(Wire {
            owner: self.owner.clone(),
            socket: Some(socket),
            is_stalled: false,
            trap: None,
            moved_at: Instant::now(),
            reader: None,
            writer: None,
        }));
        lock(&self.loopback.0).wires.push(Arc::downgrade(&wire));
        Ok(LoopbackStream(wire))
    }
}

impl Wire {
    fn cut(&mut self, manner: Cut) {
        let Some(socket) = &mut self.socket else { return };
        match manner {
            Cut::Reset => {
                // Whatever cannot be set or shut down is broken already.
                let _broken = socket.set_zero_linger();
                self.socket = None;
            }
            Cut::Finish => {
                let mut nobody = Context::from_waker(Waker::noop());
                let _at_once = Pin::new(socket).poll_shutdown(&mut nobody);
            }
        }
    }

    fn has_something(&self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut nobody = Context::from_waker(Waker::noop());
        let peeked = self.socket.as_ref().map(|socket| socket.poll_peek(&mut nobody, &mut buffer));
        matches!(peeked, Some(Poll::Ready(Ok(1..))))
    }

    /// Springs the trap if it is this one: the client is gone, and its system closes the socket.
    fn spring(&mut self, trap: Trap) -> bool {
        let is_sprung = self.trap.as_ref().is_some_and(|(set, _)| *set == trap);
        if let Some((_, sprung)) = self.trap.take_if(|_| is_sprung) {
            sprung.fetch_add(1, Ordering::Relaxed);
        }
        is_sprung
    }
}

impl AsyncRead for LoopbackStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = lock(&self.0);
        wire.reader = Some(cx.waker().clone());
        let is_stalled = wire.is_stalled;
        let Some(socket) = &mut wire.socket else {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        };
        if is_stalled {
            return Poll::Pending;
        }
        let filled = buf.filled().len();
        let polled = Pin::new(socket).poll_read(cx, buf);
        let count = buf.filled().len() - filled;
        if count > 0 {
            wire.moved_at = Instant::now();
            if wire.spring(Trap::Answered) {
                buf.set_filled(filled + count.div_ceil(2));
                wire.socket = None;
            }
        }
        polled
    }
}

impl AsyncWrite for LoopbackStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut wire = lock(&self.0);
        wire.writer = Some(cx.waker().clone());
        let is_abort = bytes.len() > 1 && wire.socket.is_some() && wire.spring(Trap::Asking);
        let bytes = if is_abort { &bytes[..bytes.len() / 2] } else { bytes };
        let Some(socket) = &mut wire.socket else {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        };
        let polled = Pin::new(socket).poll_write(cx, bytes);
        wire.moved_at = Instant::now();
        if is_abort {
            wire.socket = None;
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = lock(&self.0);
        wire.socket.as_mut().map_or(Poll::Ready(Ok(())), |socket| Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = lock(&self.0);
        wire.socket
            .as_mut()
            .map_or(Poll::Ready(Ok(())), |socket| Pin::new(socket).poll_shutdown(cx))
    }
}
