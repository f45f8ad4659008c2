//! Faults: the table of built-in kinds, the kinds that a model adds, and one fault of a plan.
//!
//! A kind says what it targets ([`Scope`]) and whether real sockets and processes can suffer it. How each is
//! injected and how its effect is counted is in `nemesis`. A fault that touched nothing has tested nothing,
//! so every kind counts what it touched: packets, connections, bytes of other clients.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

crate::named_kinds! {
    /// The kinds of faults that the engine injects into any service. Each has ended when the network heals.
    FaultKind, "fault";
    /// Every built-in kind.
    ALL;

    /// Client host: packets between it and all servers wait. Effect: packets held.
    Hold = "hold",
    /// Client host: packets take up to half a second. Effect: live connections that moved bytes meanwhile.
    LatencyStep = "latency-step",
    /// Client: its connections are reset, and bytes in flight are lost. Effect: connections.
    CutReset = "cut-reset",
    /// Client: its half of each connection is shut down behind what was written. Effect: connections.
    CutFinish = "cut-finish",
    /// Client: nothing arrives any more on its present connections, and neither end is told; new ones work.
    /// Effect: connections.
    BlackHole = "black-hole",
    /// Client: the client's ends of its connections are gone, and the server is not told. Effect: connections.
    HalfOpen = "half-open",
    /// Client: what it sends arrives late, and new connections wait. Effect: connections.
    PartitionToServer = "partition-to-server",
    /// Client: what is sent to it arrives late, and new connections wait. Effect: connections.
    PartitionToClient = "partition-to-client",
    /// Client: it reads nothing. Effect: connections on which bytes had arrived meanwhile.
    SlowReader = "slow-reader",
    /// Client: it disappears with half of its next write sent. Effect: connections that ended so.
    AbortRequest = "abort-request",
    /// Client: it disappears with half of its next read received. Effect: connections that ended so.
    AbortAnswer = "abort-answer",
    /// Client: a proxy ends its connections after a quarter of a second without a byte. Effect: connections.
    IdleProxy = "idle-proxy",
    /// Server: its process is killed and started again; meanwhile connections are refused. Effect: connections.
    Crash = "crash",
    /// Server: its machine loses power without a packet, and starts again. Effect: connections.
    CrashBlackHole = "crash-black-hole",
    /// Server: it is asked to terminate, and starts again once it has ended. Effect: connections.
    Drain = "drain",
    /// Server: a standby takes over new connections while it terminates. Effect: connections.
    RollingDrain = "rolling-drain",
    /// Server: its process neither reads nor writes while its kernel accepts bytes. Effect: connections.
    Freeze = "freeze",
    /// Server: its wall clock jumps an hour forward, and back at the end. Effect: live connections.
    ClockForward = "clock-forward",
    /// Server: its wall clock jumps an hour back, and forward at the end. Effect: live connections.
    ClockBackward = "clock-backward",
}

/// What a kind of fault targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All clients on one client host.
    ClientHost,
    /// One client.
    Client,
    /// A server, and so every client.
    Server,
    /// A server, from hosts of its own: clients are not touched directly.
    Attack,
}

/// What the engine must know about a kind of fault.
pub trait FaultType:
    Copy
    + Debug
    + Display
    + Ord
    + Hash
    + FromStr<Err = String>
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Every kind.
    fn all() -> Vec<Self>;

    /// The name in command lines, plan files and reports.
    fn name(self) -> &'static str;

    /// What it targets.
    fn scope(self) -> Scope;

    /// Whether it may lose connections without a packet to the other end.
    fn is_silent(self) -> bool {
        false
    }

    /// Whether a live run can inject it: a program can do it to its own sockets and children, without being the machine's
    /// administrator.
    fn is_possible_live(self) -> bool {
        false
    }
}

impl FaultType for FaultKind {
    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    fn name(self) -> &'static str {
        Self::name(self)
    }

    fn is_silent(self) -> bool {
        matches!(self, Self::BlackHole | Self::HalfOpen | Self::PartitionToClient)
    }

    /// Only a kernel can delay, lose or forget what its TCP carries, or set the clock.
    fn is_possible_live(self) -> bool {
        match self {
            Self::CutReset
            | Self::CutFinish
            | Self::SlowReader
            | Self::AbortRequest
            | Self::AbortAnswer
            | Self::IdleProxy
            | Self::Crash
            | Self::Drain
            | Self::RollingDrain
            | Self::Freeze => true,
            Self::Hold
            | Self::LatencyStep
            | Self::BlackHole
            | Self::HalfOpen
            | Self::PartitionToServer
            | Self::PartitionToClient
            | Self::CrashBlackHole
            | Self::ClockForward
            | Self::ClockBackward => false,
        }
    }

    fn scope(self) -> Scope {
        match self {
            Self::Hold | Self::LatencyStep => Scope::ClientHost,
            Self::CutReset
            | Self::CutFinish
            | Self::BlackHole
            | Self::HalfOpen
            | Self::PartitionToServer
            | Self::PartitionToClient
            | Self::SlowReader
            | Self::AbortRequest
            | Self::AbortAnswer
            | Self::IdleProxy => Scope::Client,
            Self::Crash
            | Self::CrashBlackHole
            | Self::Drain
            | Self::RollingDrain
            | Self::Freeze
            | Self::ClockForward
            | Self::ClockBackward => Scope::Server,
        }
    }
}

impl FaultKind {
    /// Whether the fault is over at the moment at which it begins.
    #[must_use]
    pub const fn is_instant(self) -> bool {
        matches!(self, Self::CutReset | Self::CutFinish)
    }
}

/// For models that add no kinds of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NoFault {}

impl Display for NoFault {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl FromStr for NoFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = FaultKind::ALL.map(FaultKind::name).join(", ");
        Err(format!("no fault is named {text:?}; there are {names}"))
    }
}

impl FaultType for NoFault {
    fn all() -> Vec<Self> {
        Vec::new()
    }

    fn name(self) -> &'static str {
        match self {}
    }

    fn scope(self) -> Scope {
        match self {}
    }
}

/// A kind of fault: one of the engine's, or one of the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged, bound = "")]
pub enum AnyFault<F: FaultType> {
    /// The engine injects it.
    Engine(FaultKind),
    /// The model injects it.
    Model(F),
}

impl<F: FaultType> AnyFault<F> {
    /// Every kind: the engine's, then the model's.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let engine = FaultKind::ALL.into_iter().map(Self::Engine);
        engine.chain(F::all().into_iter().map(Self::Model)).collect()
    }

    /// The name in command lines, plan files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine(kind) => kind.name(),
            Self::Model(kind) => kind.name(),
        }
    }

    /// What it targets.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Engine(kind) => kind.scope(),
            Self::Model(kind) => kind.scope(),
        }
    }

    /// Whether a live run can inject it.
    #[must_use]
    pub fn is_possible_live(self) -> bool {
        match self {
            Self::Engine(kind) => kind.is_possible_live(),
            Self::Model(kind) => kind.is_possible_live(),
        }
    }

    /// The kind of the model's own, if it is one.
    #[must_use]
    pub fn of_model(self) -> Option<F> {
        match self {
            Self::Engine(_) => None,
            Self::Model(kind) => Some(kind),
        }
    }
}

impl<F: FaultType> From<FaultKind> for AnyFault<F> {
    fn from(kind: FaultKind) -> Self {
        Self::Engine(kind)
    }
}

impl<F: FaultType> PartialEq<FaultKind> for AnyFault<F> {
    fn eq(&self, other: &FaultKind) -> bool {
        *self == Self::Engine(*other)
    }
}

impl<F: FaultType> Display for AnyFault<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine(kind) => Display::fmt(kind, f),
            Self::Model(kind) => Display::fmt(kind, f),
        }
    }
}

impl<'de, F: FaultType> Deserialize<'de> for AnyFault<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<F: FaultType> FromStr for AnyFault<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        FaultKind::from_str(text).map(Self::Engine).or_else(|_| text.parse().map(Self::Model))
    }
}

/// One fault of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Fault<F: FaultType> {
    /// When it begins, in milliseconds since the start.
    pub at_ms: u64,
    /// What goes wrong.
    pub kind: AnyFault<F>,
    /// The name of the client, client host or server that it hits, as the [`Scope`] of its kind asks.
    pub target: String,
    /// How long it lasts, in milliseconds, where it has a length.
    pub for_ms: u64,
    /// How much of it, where the model's kind has an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<NonZeroU64>,
}
