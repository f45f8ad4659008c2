//! Namespace `/echo`: the first example of every lecture on Socket.IO.
//!
//! ```text
//!   "msg" anything  ──>
//!                   1 s later  <──  "msg" "Send from Server1" + date     to the sender
//!                              <──  "msg" "Send from Server2" + date     to everybody
//! ```
//!
//! A page that answers what everybody is sent would make the traffic grow without bound. So a
//! socket may have a few answers outstanding, and what is sent to everybody counts as often as
//! there are people: beyond that, `refused`. It never touches a session or a mailbox, and a socket
//! that has no room for an echo misses it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::{ConnectHandler, MessageHandler};
use socketioxide::socket::{DisconnectReason, Socket};
use socketioxide_core::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::Handover;
use super::outbox::Outgoing;
use crate::error::HttpError;
use crate::hub::{Hub, Rated, Rejected};
use protocol::Refusal;

pub(super) const NAMESPACE: &str = "/echo";

/// How long an answer takes, as in the original.
const DELAY: Duration = Duration::from_secs(1);
/// Answers that a socket may wait for.
const PENDING_MAX: usize = 4;

/// What all sockets of the namespace share.
struct Room {
    hub: Weak<Hub>,
    /// Packets per second to all sockets together.
    packets_per_s_max: u32,
    people: AtomicUsize,
    rate: Mutex<EchoRate>,
}

/// Packets left in this second, for all sockets together.
struct EchoRate {
    second: Instant,
    packets: u32,
}

impl EchoRate {
    /// Counts `packets`, or returns how long to wait where fewer are left.
    fn take(&mut self, now: Instant, packets: u32, per_s_max: u32) -> Result<(), Duration> {
        if now >= self.second + Duration::from_secs(1) {
            *self = Self { second: now, packets: per_s_max };
        }
        match self.packets.checked_sub(packets) {
            Some(rest) => {
                self.packets = rest;
                Ok(())
            }
            None => Err(self.second + Duration::from_secs(1) - now),
        }
    }
}

pub(super) fn mount(io: &SocketIo, hub: &Arc<Hub>) {
    let packets_per_s_max = hub.config().echoes_per_s_max;
    let rate = EchoRate { second: Instant::now(), packets: packets_per_s_max };
    let room = Arc::new(Room {
        hub: Arc::downgrade(hub),
        packets_per_s_max,
        people: AtomicUsize::new(0),
        rate: Mutex::new(rate),
    });
    let listener = {
        let room = Arc::clone(&room);
        async move |socket: SocketRef| {
            Handover::leave(&socket, listen(&socket, room));
            Ok::<_, Infallible>(())
        }
    };
    let connected = async move |socket: SocketRef| {
        let line = Handover::take(&socket);
        room.people.fetch_add(1, Ordering::Relaxed);
        echo(&room, &socket, line).await;
        room.people.fetch_sub(1, Ordering::Relaxed);
    };
    io.ns(NAMESPACE, connected.with(listener));
}

/// What a socket waits for, and whether it is still there.
struct Line {
    due: mpsc::Receiver<Due>,
    gone: oneshot::Receiver<()>,
}

/// When an answer is due; it holds a permit of the pending answers.
type Due = (Instant, OwnedSemaphorePermit);

fn listen(socket: &SocketRef, room: Arc<Room>) -> Line {
    let (line, due) = mpsc::channel(PENDING_MAX);
    let (leave, gone) = oneshot::channel();
    // A handler is cloned in principle, though never called twice.
    let leave = Arc::new(leave);
    socket.on_disconnect(async move |_: DisconnectReason| drop(leave));
    socket.on("msg", OnTime { room, line, permits: Arc::new(Semaphore::new(PENDING_MAX)) });
    Line { due, gone }
}

/// Answers until the socket is gone.
async fn echo(room: &Room, socket: &SocketRef, Line { mut due, mut gone }: Line) {
    loop {
        let answer = async {
            let (at, permit) = due.recv().await?;
            tokio::time::sleep_until(at).await;
            Some((room.hub.upgrade()?.wall_clock(), permit))
        };
        let answer = tokio::select! {
            biased;
            _ = &mut gone => return,
            answer = answer => answer,
        };
        let Some((at, _permit)) = answer else { return };
        // Who has no room for an echo misses it.
        let _missed = socket.emit("msg", &format!("Send from Server1{at}"));
        let to_all = format!("Send from Server2{at}");
        let _missed = socket.emit("msg", &to_all);
        let _missed = socket.broadcast().emit("msg", &to_all).await;
    }
}

/// Notes when each answer is due.
struct OnTime {
    room: Arc<Room>,
    line: mpsc::Sender<Due>,
    permits: Arc<Semaphore>,
}

impl<A: Adapter> MessageHandler<A, OnTime> for OnTime {
    fn call(&self, socket: Arc<Socket<A>>, _: Value, ack_id: Option<i64>) {
        if let Err(problem) = self.accept() {
            let refusal = Refusal { id: None, problem: problem.into() };
            // Who neither reads nor stops is not told.
            let _told = Outgoing::refused(refusal, ack_id).send(&socket);
        }
    }
}

impl OnTime {
    fn accept(&self) -> Result<(), HttpError> {
        let flood = || HttpError::Flood { commands_max: PENDING_MAX };
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| flood())?;
        let now = Instant::now();
        self.room.rate_limit(now)?;
        // The channel has room for as many as there are permits, unless the socket has just gone.
        self.line.try_send((now + DELAY, permit)).map_err(|_| flood())
    }
}

impl Room {
    fn rate_limit(&self, now: Instant) -> Result<(), HttpError> {
        let packets = self.people.load(Ordering::Relaxed) + 1;
        let packets = u32::try_from(packets).unwrap_or(u32::MAX);
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = rate.take(now, packets, self.packets_per_s_max);
        taken.map_err(|wait| {
            let retry_after_ms = wait.as_millis() as u64 + 1;
            Rejected::TooFast { what: Rated::Messages, retry_after_ms }.into()
        })
    }
}
