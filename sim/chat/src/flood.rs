//! What an attacker does to a server: floods of each way in and of each command, pipelined, over any byte
//! stream and from one address.
//!
//! ```text
//!   round 1          round 2          ...      lasts
//!   |── a share ──────|── a share ─────── ... ──|  every connection is dropped
//!     of `count`, in one write for each connection
//! ```
//!
//! `wire` has the bytes. A flood is bounded in time and in number, and reads what it is answered, so that
//! nothing but the server's own limits stops it. What comes of it is for others to judge.

mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use client::Connect;
use server::config::Config;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

pub(crate) use self::wire::Sids;
use self::wire::{Form, Keep, frame, join};

racetrack_sim::named_kinds! {
    /// What is flooded.
    Flood, "flood";
    /// Every flood.
    ALL;

    /// Sessions for polls, pipelined.
    Sessions = "sessions",
    /// Streams, on many connections.
    Streams = "streams",
    /// WebSockets.
    WebSockets = "web-sockets",
    /// Engine.IO connections by long-polling, pipelined.
    EngineIo = "engine-io",
    /// The same, each of which joins the chat.
    SocketIo = "socket-io",
    /// Requests that are parked by the classic long poll.
    Parked = "parked",
    /// Requests for another partner, by a few WebSockets.
    Next = "next",
    /// Messages, by a few WebSockets.
    Say = "say",
    /// Acknowledgements, by a few WebSockets.
    Ack = "ack",
    /// Connections that are opened and left.
    Connections = "connections",
    /// Connections that are kept with half of a request.
    HalfRequests = "half-requests",
}

/// Connections that pipeline requests, or give commands: of these every second one keeps to the rate that
/// one session may have.
pub(crate) const CONNECTIONS: usize = 4;
/// What the id of every message of a flood begins with.
pub(crate) const MESSAGE_PREFIX: &str = "flood_";
/// Between two rounds.
const ROUND: Duration = Duration::from_millis(250);
/// Bytes that are read at a time.
const READ_BYTES: usize = 4_096;

impl Flood {
    /// The name of the fault.
    #[must_use]
    pub const fn fault_name(self) -> &'static str {
        match self {
            Self::Sessions => "flood-sessions",
            Self::Streams => "flood-streams",
            Self::WebSockets => "flood-web-sockets",
            Self::EngineIo => "flood-engine-io",
            Self::SocketIo => "flood-socket-io",
            Self::Parked => "flood-parked",
            Self::Next => "flood-next",
            Self::Say => "flood-say",
            Self::Ack => "flood-ack",
            Self::Connections => "flood-connections",
            Self::HalfRequests => "flood-half-requests",
        }
    }
}

/// One flood.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// What is flooded.
    pub flood: Flood,
    /// Told apart from other floods of the run by it.
    pub number: usize,
    /// Requests, connections or commands at most.
    pub count: usize,
    /// After this time every connection is dropped.
    pub lasts: Duration,
    /// What one session may do of this.
    pub rate: Rate,
}

/// How often a session may give a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst_max: u32,
    /// A second, for long.
    pub per_s_max: u32,
}

impl Rate {
    /// What the server allows of the command that is flooded; of other commands where it is none.
    #[must_use]
    pub fn of(flood: Flood, server: &Config) -> Self {
        let (burst_max, per_s_max) = match flood {
            Flood::Next => (server.nexts_burst_max, server.nexts_per_s_max),
            Flood::Say => (server.messages_burst_max, server.messages_per_s_max),
            _ => (server.commands_burst_max, server.commands_per_s_max),
        };
        Self { burst_max, per_s_max }
    }

    /// What may be done until then, from the first moment on.
    pub(crate) fn allowed(self, until: Duration) -> u64 {
        let later = u128::from(self.per_s_max) * until.as_millis() / 1_000;
        u64::from(self.burst_max) + later as u64
    }
}

impl Attack {
    /// Floods the server; returns when that is over. `touched` counts the connections that brought an
    /// answer, or were opened where nothing is asked.
    pub async fn carry_out(self, connector: impl Connect, touched: Arc<AtomicUsize>) {
        let rounds = (self.lasts.as_millis() / ROUND.as_millis()).max(1) as usize;
        let mut connections = JoinSet::new();
        let flooding = async {
            match self.flood.form() {
                Form::Pipelined { request, joins } => {
                    for _ in 0..CONNECTIONS {
                        let shares = shares(self.count / CONNECTIONS, rounds);
                        let writes = shares.map(|share| request.repeat(share).into_bytes());
                        let (connector, touched) = (connector.clone(), Arc::clone(&touched));
                        let pipelining = pipeline(connector, touched, writes.collect(), joins);
                        connections.spawn_local(pipelining);
                    }
                }
                Form::Commands(command) => {
                    for number in 0..CONNECTIONS {
                        let (connector, touched) = (connector.clone(), Arc::clone(&touched));
                        let commander = Commander { attack: self, command, number, rounds };
                        connections.spawn_local(commander.carry_out(connector, touched));
                    }
                }
                Form::Many { words, one_in, keep } => {
                    for share in shares(self.count / one_in, rounds) {
                        for _ in 0..share {
                            let (connector, touched) = (connector.clone(), Arc::clone(&touched));
                            connections.spawn_local(open(connector, touched, words, keep));
                        }
                        sleep(ROUND).await;
                    }
                }
            }
            while connections.join_next().await.is_some() {}
        };
        let _over = timeout(self.lasts, flooding).await;
    }

    /// The bytes of one command.
    fn command(self, command: &str, connection: usize, number: usize) -> Vec<u8> {
        let id = format!("{MESSAGE_PREFIX}{}_{connection}_{number}", self.number);
        frame(&command.replace("{id}", &id))
    }
}

/// So many things, in so many parts that differ by one at most.
fn shares(count: usize, parts: usize) -> impl Iterator<Item = usize> {
    (0..parts).map(move |part| count * (part + 1) / parts - count * part / parts)
}

/// Reads until the connection ends, and counts it once if anything comes; `take` is given what does.
async fn read(
    mut reader: impl AsyncRead + Unpin,
    touched: &AtomicUsize,
    mut take: impl FnMut(&[u8]),
) {
    let mut buffer = vec![0; READ_BYTES];
    let mut is_first = true;
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        if std::mem::take(&mut is_first) {
            touched.fetch_add(1, Ordering::Relaxed);
        }
        take(&buffer[..count]);
    }
}

/// A connection on which each of these is written at once, one a round. Where one `joins`, so does every
/// connection of Engine.IO that is opened by that.
async fn pipeline(
    connector: impl Connect,
    touched: Arc<AtomicUsize>,
    writes: Vec<Vec<u8>>,
    joins: bool,
) {
    let Ok(stream) = connector.connect().await else { return };
    let (reader, mut writer) = tokio::io::split(stream);
    let (opened, mut opening) = mpsc::unbounded_channel();
    let mut sids = Sids::default();
    let reading = read(reader, &touched, |bytes| {
        for sid in if joins { sids.take(bytes) } else { Vec::new() } {
            // The other end is there as long as this future is.
            let _sent = opened.send(sid);
        }
    });
    let writing = async {
        let mut writes = writes.into_iter();
        let mut next = Instant::now();
        loop {
            let bytes = tokio::select! {
                biased;
                Some(sid) = opening.recv() => join(&sid),
                () = sleep_until(next) => {
                    next += ROUND;
                    writes.next().unwrap_or_default()
                }
            };
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = reading => {}
        () = writing => {}
    }
}

/// A WebSocket that gives commands.
struct Commander {
    attack: Attack,
    command: &'static str,
    number: usize,
    rounds: usize,
}

impl Commander {
    async fn carry_out(self, connector: impl Connect, touched: Arc<AtomicUsize>) {
        let Ok(stream) = connector.connect().await else { return };
        let (reader, mut writer) = tokio::io::split(stream);
        let (answered, mut answer) = mpsc::unbounded_channel();
        let reading = read(reader, &touched, |_| {
            let _sent = answered.send(());
        });
        let writing = async {
            writer.write_all(wire::HANDSHAKE.as_bytes()).await?;
            // What comes before the handshake is answered belongs to no WebSocket.
            answer.recv().await;
            answer.close();
            let began = Instant::now();
            let mut given = 0;
            for share in shares(self.attack.count / CONNECTIONS, self.rounds) {
                let due = self.due(began.elapsed(), share, given);
                let commands = (given..given + due)
                    .flat_map(|number| self.attack.command(self.command, self.number, number));
                writer.write_all(&commands.collect::<Vec<_>>()).await?;
                given += due;
                sleep(ROUND).await;
            }
            std::future::pending::<std::io::Result<()>>().await
        };
        tokio::select! {
            biased;
            () = reading => {}
            // Whatever comes of it: the server may end the connection.
            _ended = writing => {}
        }
    }

    /// How many commands are due now: as many as are allowed, or a share, whatever is allowed.
    fn due(&self, since: Duration, share: usize, given: usize) -> usize {
        if self.number % 2 == 1 {
            return share;
        }
        let allowed = self.attack.rate.allowed(since) as usize;
        let left = self.attack.count / CONNECTIONS - given;
        allowed.saturating_sub(given).min(left)
    }
}

/// A connection of many, on which this is said.
async fn open(connector: impl Connect, touched: Arc<AtomicUsize>, words: &str, keep: Keep) {
    let Ok(mut stream) = connector.connect().await else { return };
    if stream.write_all(words.as_bytes()).await.is_err() {
        return;
    }
    match keep {
        Keep::Reading => read(stream, &touched, |_| ()).await,
        Keep::Waiting => {
            touched.fetch_add(1, Ordering::Relaxed);
            read(stream, &AtomicUsize::new(0), |_| ()).await;
        }
        Keep::Not => drop(touched.fetch_add(1, Ordering::Relaxed)),
    }
}
