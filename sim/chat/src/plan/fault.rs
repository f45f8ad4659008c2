//! The kinds of faults, by name.

use crate::flood::Flood;

client::kinds! {
    /// What can go wrong, and whom it strikes. All of it has ended when the network heals.
    FaultKind, "fault";
    /// Every kind.
    ALL;

    /// A client host: packets between it and the server wait.
    Hold = "hold",
    /// A client host: packets take up to half a second.
    LatencyStep = "latency-step",
    /// A person: connections break, and what was in flight is lost.
    CutReset = "cut-reset",
    /// A person: connections end behind what was written.
    CutFinish = "cut-finish",
    /// A person: nothing arrives any more on the connections of this moment, and neither end is
    /// told. New ones work.
    BlackHole = "black-hole",
    /// A person: the connections' clients are gone, and the server is not told.
    HalfOpen = "half-open",
    /// A person: what is sent to the server arrives late, and new connections wait.
    PartitionToServer = "partition-to-server",
    /// A person: what the server sends arrives late, and new connections wait.
    PartitionToClient = "partition-to-client",
    /// A person: the client reads nothing.
    SlowReader = "slow-reader",
    /// A person: the client is gone with half of a request written.
    AbortRequest = "abort-request",
    /// A person: the client is gone with half of an answer read.
    AbortAnswer = "abort-answer",
    /// A person: a proxy ends connections on which nothing has moved for a quarter of a second.
    IdleProxy = "idle-proxy",
    /// Nobody: fifty connections are opened at once, and some of them say nothing.
    Storm = "storm",
    /// The server: it dies and starts anew, remembering nobody; meanwhile connections are refused.
    Crash = "crash",
    /// The server: its machine loses its power, nobody is told, and it starts anew.
    CrashBlackHole = "crash-black-hole",
    /// The server: it is told to stop, drains, and starts anew; once it has ended, connections are refused.
    Drain = "drain",
    /// The server: another one takes over new connections while it drains.
    RollingDrain = "rolling-drain",
    /// The server: it stands still while its system goes on taking what comes in.
    Freeze = "freeze",
    /// The server: the wall clock jumps an hour forward, and back in the end.
    ClockForward = "clock-forward",
    /// The server: the wall clock jumps an hour back, and forward in the end.
    ClockBackward = "clock-backward",
    /// A person: a proxy breaks the WebSockets that polling connections are upgraded to.
    UpgradeCut = "upgrade-cut",
    /// A person: nothing arrives any more on the WebSockets that polling connections are upgraded to, and
    /// neither end is told.
    UpgradeSilence = "upgrade-silence",
    /// Nobody: an attacker opens sessions, pipelined.
    FloodSessions = "flood-sessions",
    /// Nobody: an attacker opens streams.
    FloodStreams = "flood-streams",
    /// Nobody: an attacker opens WebSockets.
    FloodWebSockets = "flood-web-sockets",
    /// Nobody: an attacker opens connections of Engine.IO by long-polling, pipelined.
    FloodEngineIo = "flood-engine-io",
    /// Nobody: an attacker opens connections of Engine.IO by long-polling, each of which joins the chat.
    FloodSocketIo = "flood-socket-io",
    /// Nobody: an attacker parks requests at `/longpolling`.
    FloodParked = "flood-parked",
    /// Nobody: an attacker asks for other partners, within the limit of a session and beyond it.
    FloodNext = "flood-next",
    /// Nobody: an attacker says as much as a session may, and more.
    FloodSay = "flood-say",
    /// Nobody: an attacker acknowledges as often as a session may, and more often.
    FloodAck = "flood-ack",
    /// Nobody: an attacker opens connections and leaves them at once.
    FloodConnections = "flood-connections",
    /// Nobody: an attacker keeps connections with half of a request each.
    FloodHalfRequests = "flood-half-requests",
}

impl FaultKind {
    /// The names of all kinds, for people.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

/// Whom a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Struck {
    /// Everybody on one client host.
    Host,
    /// One person.
    Person,
    /// Everybody.
    All,
    /// Nobody: an attacker does it from an address of its own, and the server has to bear it.
    Nobody,
}

impl FaultKind {
    /// Whom it strikes.
    #[must_use]
    pub const fn struck(self) -> Struck {
        match self {
            Self::Hold | Self::LatencyStep => Struck::Host,
            Self::CutReset
            | Self::CutFinish
            | Self::BlackHole
            | Self::HalfOpen
            | Self::PartitionToServer
            | Self::PartitionToClient
            | Self::SlowReader
            | Self::AbortRequest
            | Self::AbortAnswer
            | Self::IdleProxy
            | Self::UpgradeCut
            | Self::UpgradeSilence => Struck::Person,
            Self::Storm
            | Self::Crash
            | Self::CrashBlackHole
            | Self::Drain
            | Self::RollingDrain
            | Self::Freeze
            | Self::ClockForward
            | Self::ClockBackward => Struck::All,
            Self::FloodSessions
            | Self::FloodStreams
            | Self::FloodWebSockets
            | Self::FloodEngineIo
            | Self::FloodSocketIo
            | Self::FloodParked
            | Self::FloodNext
            | Self::FloodSay
            | Self::FloodAck
            | Self::FloodConnections
            | Self::FloodHalfRequests => Struck::Nobody,
        }
    }

    /// What an attacker floods, if it is that.
    #[must_use]
    pub const fn flood(self) -> Option<Flood> {
        Some(match self {
            Self::FloodSessions => Flood::Sessions,
            Self::FloodStreams => Flood::Streams,
            Self::FloodWebSockets => Flood::WebSockets,
            Self::FloodEngineIo => Flood::EngineIo,
            Self::FloodSocketIo => Flood::SocketIo,
            Self::FloodParked => Flood::Parked,
            Self::FloodNext => Flood::Next,
            Self::FloodSay => Flood::Say,
            Self::FloodAck => Flood::Ack,
            Self::FloodConnections => Flood::Connections,
            Self::FloodHalfRequests => Flood::HalfRequests,
            _ => return None,
        })
    }
}
