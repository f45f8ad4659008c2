//! The wire between the two ends of a connection: what both ends and the nemesis share.
//!
//! It counts what is in flight, keeps what does not arrive for now, and knows what the nemesis has
//! decided. It never touches a stream: each end looks here when it is polled, and obeys.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};

use std::time::{Duration, Instant};

use tokio::io::{AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::faults::Trap;
use super::{Limits, Network};
use crate::determinism::clock;

/// The two ends of a connection, as indices of `Wire::ends`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
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
    /// Nothing gets through any more, and nobody is told.
    Lost,
    /// It was lost, and who sends something is told so.
    Forgotten,
}

#[derive(Default)]
pub(super) struct Wire {
    pub(super) owner: Option<String>,
    pub(super) server: Option<IpAddr>,
    pub(super) fate: Fate,
    /// The client's program does not read.
    pub(super) is_stalled: bool,
    /// The client's program will never read again, and its end of the connection stays.
    pub(super) is_hung: bool,
    /// The server's program neither reads nor writes.
    pub(super) is_frozen: bool,
    pub(super) trap: Option<(Trap, Arc<AtomicUsize>)>,
    /// Writes of the client since one began with the network's mark, that one included.
    pub(super) marked_writes: usize,
    /// When the live run began that this is a connection of; none in the simulation.
    pub(super) began: Option<Instant>,
    /// When bytes last went in or came out, since the start.
    pub(super) moved_at: Duration,
    ends: [End; 2],
}

#[derive(Default)]
struct End {
    presence: Presence,
    /// The socket of a live run, until it is closed.
    socket: Option<TcpStream>,
    /// A read of this end found the connection broken.
    is_broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The length of each segment that this end sent, in order, less what the
    /// other end has read of the first.
    in_flight: VecDeque<usize>,
    /// What this end sends does not arrive for now, or ever.
    is_blocked: bool,
    unsent: Unsent,
}

/// What an end has written while it was blocked.
#[derive(Default)]
pub(super) struct Unsent {
    pub(super) bytes: Vec<u8>,
    pub(super) fin: bool,
    since: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    /// Accepted by the server, not yet known to the client.
    #[default]
    Expected,
    Open,
    Closed,
}

/// What an end must do before anything else.
pub(super) enum Order {
    GoOn,
    /// It knows already.
    IsBroken,
    Break,
    Finish,
    /// What could not be sent goes out now.
    Resend(Unsent),
}

impl Wire {
    pub(super) fn open(&mut self, side: Side, owner: Option<&str>, blocked: [bool; 2]) {
        self.ends[side as usize].presence = Presence::Open;
        if let Some(owner) = owner {
            self.owner = Some(owner.to_owned());
        }
        // The server's end came first. If it is not here, it has gone again.
        let server = &mut self.ends[Side::Server as usize].presence;
        if *server == Presence::Expected {
            *server = Presence::Closed;
        }
        for side in [Side::Client, Side::Server].into_iter().filter(|side| blocked[*side as usize])
        {
            self.block(side);
        }
    }

    /// Something moves.
    pub(super) fn touch(&mut self) {
        self.moved_at = self.began.map_or_else(clock::elapsed, |began| began.elapsed());
    }

    /// Real sockets carry the bytes.
    pub(super) fn is_real(&self) -> bool {
        self.began.is_some()
    }

    /// Gives an end its socket.
    pub(super) fn carry_by(&mut self, side: Side, socket: TcpStream) {
        self.ends[side as usize].socket = Some(socket);
    }

    /// The socket of an end in a live run, unless it is closed.
    pub(super) fn socket(&mut self, side: Side) -> Option<&mut TcpStream> {
        self.ends[side as usize].socket.as_mut()
    }

    /// Decides the fate of the connection. A real socket is broken at once: no poll of its task is needed.
    pub(super) fn decide(&mut self, fate: Fate) {
        self.fate = fate;
        let end = &mut self.ends[Side::Client as usize];
        let Some(socket) = &mut end.socket else { return };
        match fate {
            Fate::Reset => {
                // A socket on which this fails is broken already.
                let _broken = socket.set_zero_linger();
                end.socket = None;
            }
            Fate::Finish => {
                let mut unwoken = Context::from_waker(Waker::noop());
                let _at_once = Pin::new(socket).poll_shutdown(&mut unwoken);
            }
            Fate::Live | Fate::Lost | Fate::Forgotten => {}
        }
    }

    /// Counts a write of the client if it, or an earlier one, begins with the mark.
    pub(super) fn note_write(&mut self, bytes: &[u8], mark: Option<&[u8]>) {
        if self.marked_writes > 0 || mark.is_some_and(|mark| bytes.starts_with(mark)) {
            self.marked_writes += 1;
        }
    }

    /// The client may still use it.
    pub(super) fn is_live(&self) -> bool {
        self.fate == Fate::Live && self.ends[Side::Client as usize].presence == Presence::Open
    }

    pub(super) fn is_owned_by(&self, owner: &str) -> bool {
        self.owner.as_deref() == Some(owner)
    }

    /// The server still holds its end.
    pub(super) fn is_served(&self) -> bool {
        self.ends[Side::Server as usize].presence != Presence::Closed
    }

    /// It leads to one of these servers.
    pub(super) fn is_of(&self, servers: &[IpAddr]) -> bool {
        self.server.is_some_and(|server| servers.contains(&server))
    }

    /// That server still holds its end.
    pub(super) fn is_served_by(&self, server: IpAddr) -> bool {
        self.is_served() && self.server == Some(server)
    }

    /// Somebody still holds an end of it.
    pub(super) fn is_open(&self) -> bool {
        self.ends.iter().any(|end| end.presence == Presence::Open)
    }

    /// Whether something has come in for `side` that its program has not read.
    pub(super) fn is_waited_for(&self, side: Side) -> bool {
        let Some(socket) = &self.ends[side as usize].socket else {
            return !self.ends[side.other() as usize].in_flight.is_empty();
        };
        let mut byte = [0];
        let mut unwoken = Context::from_waker(Waker::noop());
        let peeked = socket.poll_peek(&mut unwoken, &mut ReadBuf::new(&mut byte));
        matches!(peeked, Poll::Ready(Ok(1..)))
    }

    /// Nothing arrives any more, at neither end.
    pub(super) fn lose(&mut self) {
        self.fate = Fate::Lost;
        self.block(Side::Client);
        self.block(Side::Server);
    }

    pub(super) fn block(&mut self, side: Side) {
        self.ends[side as usize].is_blocked = true;
    }

    pub(super) fn unblock(&mut self, side: Side) {
        if matches!(self.fate, Fate::Lost | Fate::Forgotten) {
            return;
        }
        let end = &mut self.ends[side as usize];
        let was_blocked = std::mem::take(&mut end.is_blocked);
        // Whoever could have sent it again is gone.
        if was_blocked && end.presence == Presence::Closed {
            self.fate = Fate::Reset;
        }
    }

    pub(super) fn is_blocked(&self, side: Side) -> bool {
        self.ends[side as usize].is_blocked
    }

    /// Whether the other side hears nothing of it when this one is dropped.
    pub(super) fn ends_unheard(&self, side: Side) -> bool {
        self.is_blocked(side) || self.is_hung && side == Side::Client
    }

    /// Keeps what a mute end writes.
    pub(super) fn keep(&mut self, side: Side, bytes: &[u8]) {
        let unsent = &mut self.ends[side as usize].unsent;
        unsent.bytes.extend_from_slice(bytes);
        unsent.since.get_or_insert_with(clock::elapsed);
    }

    /// Keeps the end of what a mute end writes.
    pub(super) fn keep_fin(&mut self, side: Side) {
        self.ends[side as usize].unsent.fin = true;
    }

    /// Since when something of `side` has been under way, and in vain.
    pub(super) fn unsent_since(&self, side: Side) -> Option<Duration> {
        let end = &self.ends[side as usize];
        end.unsent.since.filter(|_| end.is_blocked && !end.is_broken)
    }

    pub(super) fn break_end(&mut self, side: Side) {
        let end = &mut self.ends[side as usize];
        end.is_broken = true;
        end.socket = None;
    }

    /// What the nemesis wants of `side` at this moment.
    pub(super) fn order(&mut self, side: Side) -> Order {
        let end = &mut self.ends[side as usize];
        let is_real = self.began.is_some();
        match self.fate {
            _ if end.is_broken => Order::IsBroken,
            // The system tells the server.
            _ if is_real && side == Side::Server => Order::GoOn,
            Fate::Reset => Order::Break,
            Fate::Forgotten if !end.unsent.is_empty() => Order::Break,
            Fate::Finish if side == Side::Client => Order::Finish,
            _ if !end.is_blocked && !end.unsent.is_empty() => {
                Order::Resend(std::mem::take(&mut end.unsent))
            }
            _ => Order::GoOn,
        }
    }

    /// Nobody may write on it: who does is told that it is forgotten.
    pub(super) fn is_forgotten(&self) -> bool {
        self.fate == Fate::Forgotten
    }

    /// Whether a trap of that kind is set.
    pub(super) fn has_trap(&self, wanted: Trap) -> bool {
        self.trap.as_ref().is_some_and(|(trap, _)| *trap == wanted)
    }

    /// Takes the trap if the client's end runs into it.
    pub(super) fn spring(&mut self, wanted: Trap) -> bool {
        let is_here = self.has_trap(wanted);
        if let Some((_, sprung)) = self.trap.take_if(|_| is_here) {
            Network::note_sprung(&sprung);
        }
        is_here
    }

    pub(super) fn reader(&mut self, side: Side) -> &mut Option<Waker> {
        &mut self.ends[side as usize].reader
    }

    pub(super) fn writer(&mut self, side: Side) -> &mut Option<Waker> {
        &mut self.ends[side as usize].writer
    }

    pub(super) fn take_wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.ends
            .each_mut()
            .into_iter()
            .flat_map(|end| [end.reader.take(), end.writer.take()])
            .flatten()
    }

    /// Closes one end; the writer of the other has nobody to wait for.
    pub(super) fn close(&mut self, side: Side) -> Option<Waker> {
        let end = &mut self.ends[side as usize];
        *end = End { presence: Presence::Closed, is_blocked: end.is_blocked, ..End::default() };
        self.ends[side.other() as usize].writer.take()
    }

    /// How many bytes `side` may send now. If nobody will ever read them, the
    /// network shall answer, which it does with a reset.
    pub(super) fn room(&self, side: Side, limits: &Limits) -> usize {
        if self.is_real() {
            return usize::MAX;
        }
        let end = &self.ends[side as usize];
        let is_taken = self.ends[side.other() as usize].presence != Presence::Closed
            || self.is_hung && side == Side::Server;
        if !is_taken && !end.is_blocked {
            return limits.segment_bytes_max;
        }
        if end.in_flight.len() >= limits.window_segments {
            return 0;
        }
        let bytes = end.in_flight.iter().sum::<usize>() + end.unsent.bytes.len();
        limits.window_bytes.saturating_sub(bytes).min(limits.segment_bytes_max)
    }

    pub(super) fn sent(&mut self, side: Side, count: usize) {
        if !self.is_real() {
            self.ends[side as usize].in_flight.push_back(count);
        }
        self.touch();
    }

    /// Takes `count` bytes that were read off those that `sender` has in
    /// flight; returns its writer, which may have room again.
    pub(super) fn consume(&mut self, sender: Side, mut count: usize) -> Option<Waker> {
        self.touch();
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

impl Unsent {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.fin
    }
}

impl Side {
    /// The other one.
    #[must_use]
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
