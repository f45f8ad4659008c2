//! The network of a simulation, as servers and clients see it: a
//! listener, a connector and a stream over turmoil's TCP.
//!
//! Turmoil moves the bytes, and delays, holds or loses them. This module adds
//! what it lacks: every event at an end of a connection goes into the trace,
//! a writer feels a slow reader as it would on a real socket, and the nemesis
//! can cut the connections of one person while the others stay.
//!
//! ```text
//! client host                    the nemesis, between steps        server host
//! SimConnector::connect                     |                 SimListener::accept
//!      | SimStream --- turmoil's TCP -------|-------------------- SimStream |
//!      |        \________ one Wire ___ Network::cut(owner) ______/          |
//! ```
//!
//! The nemesis never owns a stream: turmoil's streams may only be dropped by
//! the host that they belong to. It marks the wire between the two ends and
//! wakes their tasks, and each end obeys when it is polled next.

mod faults;
mod hosts;
#[cfg(feature = "hyper-util")]
mod hyper;
mod loopback;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use tokio::task::yield_now;
use turmoil::net::{TcpListener, TcpStream};

use crate::determinism::trace::PacketEvent;
use crate::determinism::{self, budget};
pub use faults::{Breakage, Cut, Trap};
pub(crate) use hosts::Hosts;
#[cfg(feature = "hyper-util")]
pub use hyper::HyperConnector;
use loopback::Loopback;
pub use stream::SimStream;
pub(crate) use wire::Side;
use wire::Wire;

/// Keeps what is drawn here apart from what else is drawn from a seed.
const YIELD_STREAM: u64 = u64::from_be_bytes(*b"yields\0\0");

/// The port on which every simulated server listens.
pub const PORT: u16 = 80;

/// How long a listener waits where the system could not accept a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How much of what was written may be unread, and in what pieces it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that one write hands over, hence the most that one read
    /// finds. Small values tear frames apart.
    pub segment_bytes_max: usize,
    /// The most bytes that one end has sent and the other has not read.
    pub window_bytes: usize,
    /// The most writes that one end has sent and the other has not read. Below
    /// `turmoil::Builder::tcp_capacity`, or else a FIN behind as many segments
    /// as that is never delivered.
    pub window_segments: usize,
    /// How many in a hundred reads, writes and accepted connections let the tasks go first that are
    /// ready at the same time, at most [`Limits::YIELD_PERCENT_MAX`]. Tokio runs tasks in the order
    /// in which they became ready, and a read or a write that need not wait does not end a turn; with
    /// this the seed decides.
    pub yield_percent: u8,
}

/// All connections of one simulation. Clones share them.
#[derive(Clone, Default)]
pub struct Network {
    limits: Limits,
    /// Connections are marked from the write of their client on that begins with this.
    mark: Option<&'static [u8]>,
    /// By the address of the client's end. In order: what iterates over it
    /// must not depend on a hash.
    wires: Arc<Mutex<BTreeMap<SocketAddr, Arc<Mutex<Wire>>>>>,
    /// The streams that were dropped since a crash began; none while there is no crash.
    crashed: Arc<Mutex<Option<Vec<TcpStream>>>>,
    /// Ends that were dropped in a black hole, or by a program that hangs: the other end must not hear
    /// of it, and dropping turmoil's stream on its host would tell.
    buried: Arc<Mutex<Vec<TcpStream>>>,
    conditions: Arc<Mutex<Conditions>>,
    /// Who there is; none where any name will do.
    hosts: Arc<Mutex<Option<Hosts>>>,
    conditions_changed: Arc<Notify>,
    /// What a live run adds.
    loopback: Option<Arc<Loopback>>,
}

/// What carries the bytes of a connection.
enum Socket {
    Simulated(TcpStream),
    Real(tokio::net::TcpStream),
}

impl Socket {
    /// The addresses of this end and of the other one.
    fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        match self {
            Self::Simulated(socket) => Ok((socket.local_addr()?, socket.peer_addr()?)),
            Self::Real(socket) => Ok((socket.local_addr()?, socket.peer_addr()?)),
        }
    }
}

/// What holds for connections that are yet to come.
#[derive(Default)]
struct Conditions {
    /// Servers whose process does not run, while their kernel does.
    frozen: BTreeSet<IpAddr>,
    /// Whose packets do not arrive, by owner: those of the client's end, those of the server's.
    blocked: BTreeMap<String, [bool; 2]>,
    /// Traps for the next connections of an owner, until one is sprung.
    traps: BTreeMap<String, (Trap, Arc<AtomicUsize>)>,
    /// Hosts that new connections go to instead of the server that they name.
    redirects: BTreeMap<String, String>,
}

/// A listener of a server, for `axum::serve` and the like.
pub struct SimListener {
    network: Network,
    inner: Listener,
}

/// What a server accepts connections on.
enum Listener {
    Simulated(TcpListener),
    Real(tokio::net::TcpListener),
}

/// Opens connections on behalf of one person.
#[derive(Clone)]
pub struct SimConnector {
    network: Network,
    target: (String, u16),
    owner: String,
}

impl Default for Limits {
    /// Roughly Linux on a local network.
    fn default() -> Self {
        Self {
            segment_bytes_max: 16 << 10,
            window_bytes: 64 << 10,
            window_segments: 48,
            yield_percent: 0,
        }
    }
}

impl Limits {
    /// Above it, tasks would hardly get on.
    pub const YIELD_PERCENT_MAX: u8 = 90;
    /// What seeds draw from, as often as it is drawn: half of them leave tasks in tokio's order.
    pub const YIELD_PERCENTS: [u8; 6] = [0, 0, 0, 10, 30, 60];

    /// The same, with the order of tasks that a seed draws.
    #[must_use]
    pub fn ordered_by(self, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(YIELD_STREAM);
        let place = rng.random_range(0..Self::YIELD_PERCENTS.len());
        Self { yield_percent: Self::YIELD_PERCENTS[place], ..self }
    }
}

impl Conditions {
    /// The trap that the next connection of an owner runs into, unless one was sprung already.
    fn trap_of(&self, owner: &str) -> Option<(Trap, Arc<AtomicUsize>)> {
        let (trap, sprung) = self.traps.get(owner)?;
        (sprung.load(Ordering::Relaxed) == 0).then(|| (*trap, Arc::clone(sprung)))
    }
}

impl Network {
    /// A network without a connection.
    ///
    /// # Panics
    ///
    /// If a limit is zero: nothing could ever be written; if tasks yield too often.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let Limits { segment_bytes_max, window_bytes, window_segments, yield_percent } = limits;
        assert!(segment_bytes_max > 0 && window_bytes > 0 && window_segments > 0, "{limits:?}");
        assert!(yield_percent <= Limits::YIELD_PERCENT_MAX, "{limits:?}");
        Self { limits, ..Self::default() }
    }

    /// The same network, which marks each connection on which a client writes something that begins with
    /// these bytes: see [`Network::break_marked`].
    #[must_use]
    pub(crate) fn marking(self, mark: &'static [u8]) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// Takes a stream out of a dying process; gives it back when nothing is dying.
    fn keep_if_crashing(&self, inner: TcpStream) -> Result<(), TcpStream> {
        match lock(&self.crashed).as_mut() {
            Some(crashed) => {
                crashed.push(inner);
                Ok(())
            }
            None => Err(inner),
        }
    }

    /// Ends the turn of the calling task as often as the limits say.
    async fn let_others_first(&self) {
        while determinism::lets_others_first(self.limits.yield_percent) {
            yield_now().await;
        }
    }

    /// Closes an end, without a word if the other one must not hear of it.
    fn close(&self, inner: TcpStream, is_unheard: bool) {
        if is_unheard {
            lock(&self.buried).push(inner);
        }
    }

    /// How many live connections `owner` has: open at the client's end and not
    /// cut.
    ///
    /// # Panics
    ///
    /// If the clients are known and none has that name.
    #[must_use]
    #[track_caller]
    pub fn live(&self, owner: &str) -> usize {
        self.expect_owner(owner);
        self.snapshot()
            .iter()
            .filter(|(_, wire)| {
                let wire = lock(wire);
                wire.is_live() && wire.owner.as_deref() == Some(owner)
            })
            .count()
    }

    /// The number of live connections by owner, without those who have none.
    #[must_use]
    pub fn census(&self) -> BTreeMap<String, usize> {
        let mut census = BTreeMap::new();
        for (_, wire) in self.snapshot() {
            let wire = lock(&wire);
            if let (true, Some(owner)) = (wire.is_live(), &wire.owner) {
                *census.entry(owner.clone()).or_default() += 1;
            }
        }
        census
    }

    /// How many connections have an end that was not dropped yet, cut or not,
    /// named or not. Zero once everybody has left and the server has noticed.
    #[must_use]
    pub(crate) fn open(&self) -> usize {
        lock(&self.wires).len()
    }

    /// Waits for conditions that is as wanted.
    async fn conditions(&self, is_good: impl Fn(&Conditions) -> bool) {
        loop {
            let changed = self.conditions_changed.notified();
            if is_good(&lock(&self.conditions)) {
                return;
            }
            changed.await;
        }
    }

    /// Does something to the chosen wires, and lets both ends of each find out; returns how many
    /// were chosen.
    fn apply(
        &self,
        mut chosen: impl FnMut(&SocketAddr, &Wire) -> bool,
        mut act: impl FnMut(&mut Wire),
    ) -> usize {
        let mut count = 0;
        let mut wakers = Vec::new();
        for (client, wire) in &*lock(&self.wires) {
            let mut wire = lock(wire);
            if chosen(client, &wire) {
                act(&mut wire);
                count += 1;
                wakers.extend(wire.take_wakers());
            }
        }
        // Not under a lock: a waker may run code of the woken task.
        wakers.into_iter().for_each(std::task::Waker::wake);
        count
    }

    fn snapshot(&self) -> Vec<(SocketAddr, Arc<Mutex<Wire>>)> {
        lock(&self.wires).iter().map(|(client, wire)| (*client, Arc::clone(wire))).collect()
    }

    /// Gives one end of a new connection its stream. In the simulation the server's end comes first: its accept is what
    /// lets the client's connect return.
    fn attach(&self, socket: Socket, side: Side, owner: Option<&str>) -> io::Result<SimStream> {
        let (local, peer) = socket.addresses()?;
        let client = match side {
            Side::Client => local,
            Side::Server => peer,
        };
        let wire = Arc::clone(lock(&self.wires).entry(client).or_default());
        let blocked = owner.and_then(|owner| lock(&self.conditions).blocked.get(owner).copied());
        let trap = owner.and_then(|owner| lock(&self.conditions).trap_of(owner));
        let inner = {
            let mut wire = lock(&wire);
            wire.began = self.began();
            wire.open(side, owner, blocked.unwrap_or_default());
            wire.server = Some(if side == Side::Server { local.ip() } else { peer.ip() });
            wire.trap = wire.trap.take().or(trap);
            wire.touch();
            match socket {
                Socket::Simulated(inner) => Some(inner),
                Socket::Real(socket) => {
                    wire.carry_by(side, socket);
                    None
                }
            }
        };
        let stream = SimStream::new(inner, side, (local, peer), wire, self.clone());
        stream.trace(
            match side {
                Side::Client => PacketEvent::Connected,
                Side::Server => PacketEvent::Accepted,
            },
            &[],
        );
        Ok(stream)
    }

    /// Forgets the connection of `client` if neither end is open any more.
    fn forget_if_closed(&self, client: SocketAddr, wire: &Mutex<Wire>) {
        if !lock(wire).is_open() {
            lock(&self.wires).remove(&client);
        }
    }
}

impl SimListener {
    /// Listens on every address of the simulated host that calls this.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if that host listens on `port` already.
    pub async fn bind(network: Network, port: u16) -> io::Result<Self> {
        let inner = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        Ok(Self { network, inner: Listener::Simulated(inner) })
    }

    /// Accepts real connections.
    pub(crate) fn real(network: Network, listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let inner = tokio::net::TcpListener::from_std(listener)?;
        Ok(Self { network, inner: Listener::Real(inner) })
    }

    /// Accepts one connection, as tokio's `TcpListener` does; waits while the server's process is frozen.
    ///
    /// # Errors
    ///
    /// None in the simulation; in a live run those of the system, for instance that too many files are open.
    pub async fn accept(&self) -> io::Result<(SimStream, SocketAddr)> {
        let (socket, peer) = match &self.inner {
            Listener::Simulated(listener) => {
                let (socket, peer) = listener.accept().await?;
                (Socket::Simulated(socket), peer)
            }
            Listener::Real(listener) => {
                let (socket, peer) = listener.accept().await?;
                socket.set_nodelay(true)?;
                (Socket::Real(socket), peer)
            }
        };
        // The server's end is there before the client learns of it, however late its program does.
        let stream = self.network.attach(socket, Side::Server, None)?;
        let address = stream.local_addr().ip();
        self.network.conditions(|conditions| !conditions.frozen.contains(&address)).await;
        self.network.let_others_first().await;
        budget::shorten_turn();
        Ok((stream, peer))
    }
}

impl axum::serve::Listener for SimListener {
    type Io = SimStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (SimStream, SocketAddr) {
        loop {
            // A real connection that was reset while it waited, or too many open files: axum's own listener waits too.
            match Self::accept(self).await {
                Ok(accepted) => return accepted,
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.inner {
            Listener::Simulated(listener) => listener.local_addr(),
            Listener::Real(listener) => listener.local_addr(),
        }
    }
}

impl SimConnector {
    /// Connects to `target`, the name and port of a simulated host. The
    /// connections belong to `owner`, whom faults name.
    pub fn new(network: Network, target: (String, u16), owner: impl Into<String>) -> Self {
        Self { network, target, owner: owner.into() }
    }

    /// Opens one connection from the simulated host that calls this. While
    /// messages are held, or those of its owner do not arrive, it waits.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` if nobody listens, as where the server's process is gone, or the network is
    /// partitioned;
    /// `NotFound` if no host has that name.
    pub async fn connect(&self) -> io::Result<SimStream> {
        let arrives = |side: Side| {
            let owner = &self.owner;
            move |conditions: &Conditions| {
                !conditions.blocked.get(owner).is_some_and(|blocked| blocked[side as usize])
            }
        };
        self.network.conditions(arrives(Side::Client)).await;
        let redirect = lock(&self.network.conditions).redirects.get(&self.target.0).cloned();
        let host = redirect.unwrap_or_else(|| self.target.0.clone());
        self.network.check_server(&host)?;
        if let Some(loopback) = &self.network.loopback {
            let socket = loopback.dial(&host, &self.owner).await?;
            return self.network.attach(Socket::Real(socket), Side::Client, Some(&self.owner));
        }
        let inner = TcpStream::connect((host.as_str(), self.target.1)).await.map_err(|error| {
            match error.kind() {
                // turmoil's words are the address alone.
                ErrorKind::ConnectionRefused => {
                    io::Error::new(error.kind(), format!("{host} refuses connections"))
                }
                _ => error,
            }
        })?;
        // The server has accepted; its word that it has does not come through.
        self.network.conditions(arrives(Side::Server)).await;
        self.network.attach(Socket::Simulated(inner), Side::Client, Some(&self.owner))
    }
}

/// One thread runs a simulation, so there is nobody to wait for; and a panic
/// under a lock is reported elsewhere.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
