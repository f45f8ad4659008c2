//! The kinds of faults that only the chat has: storms of connections, broken upgrades of Socket.IO, and floods.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use racetrack_sim::injection::{ATTACKER, Injected, Injection};
use racetrack_sim::net::Breakage;
use racetrack_sim::plan::client_host;
use racetrack_sim::{AnyFault, FaultKind, FaultType, Scope};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::connector::SimulatedConnector;
use crate::flood::Flood;
use crate::model::{Chat, SERVER};
use crate::plan::{ChatPlan, Fault};
use crate::storm;

/// What a client writes until it has upgraded: the handshake, the probe, the packet that upgrades.
const UPGRADE_WRITES: u64 = 3;

/// A kind of fault that only the chat has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChatFault {
    /// Server: fifty connections are opened at once, and some of them say nothing. Effect: connections.
    Storm,
    /// Client: a proxy breaks the WebSockets that its polling connections are upgraded to. Effect: connections.
    UpgradeCut,
    /// Client: nothing arrives any more on the WebSockets that its polling connections are upgraded to, and neither end is
    /// told. Effect: connections.
    UpgradeSilence,
    /// Attack: an attacker floods the server from an address of its own. Effect: connections that were answered.
    Flood(Flood),
}

/// Every kind of fault that the chat can suffer.
pub type ChatFaultKind = AnyFault<ChatFault>;

/// What a kind of fault means for the chat.
pub(crate) trait FaultOfChat {
    /// What an attacker floods, if it is that.
    fn flood(self) -> Option<Flood>;

    /// True where the server is asked to terminate.
    fn drains(self) -> bool;

    /// True where another process of the server goes on after the fault.
    fn ends_servers(self) -> bool;
}

impl FaultOfChat for ChatFaultKind {
    fn flood(self) -> Option<Flood> {
        match self {
            Self::Model(ChatFault::Flood(flood)) => Some(flood),
            _ => None,
        }
    }

    fn drains(self) -> bool {
        self == FaultKind::Drain || self == FaultKind::RollingDrain
    }

    fn ends_servers(self) -> bool {
        self.drains() || self == FaultKind::Crash || self == FaultKind::CrashBlackHole
    }
}

/// Every kind, in the order in which seeds draw from them.
#[must_use]
pub fn all() -> Vec<ChatFaultKind> {
    let (of_clients, of_servers): (Vec<_>, Vec<_>) =
        FaultKind::ALL.into_iter().partition(|kind| kind.scope() != Scope::Server);
    let upgrades = [ChatFault::UpgradeCut, ChatFault::UpgradeSilence];
    let floods = Flood::ALL.map(ChatFault::Flood);
    let engine = |kinds: Vec<FaultKind>| kinds.into_iter().map(AnyFault::Engine);
    engine(of_clients)
        .chain([AnyFault::Model(ChatFault::Storm)])
        .chain(engine(of_servers))
        .chain(upgrades.map(AnyFault::Model))
        .chain(floods.map(AnyFault::Model))
        .collect()
}

/// The server, or one of the clients or client hosts: the one that a kind of fault means by a number. None if it hits a
/// client and there is none.
pub(crate) fn target(
    kind: ChatFaultKind,
    number: usize,
    clients: &[&str],
    hosts: usize,
) -> Option<String> {
    match kind.scope() {
        Scope::Server | Scope::Attack => Some(SERVER.to_owned()),
        Scope::ClientHost => Some(client_host(number % hosts.max(1))),
        Scope::Client => {
            let place = number.checked_rem(clients.len())?;
            Some(clients[place].to_owned())
        }
    }
}

impl FaultType for ChatFault {
    fn all() -> Vec<Self> {
        let own = [Self::Storm, Self::UpgradeCut, Self::UpgradeSilence];
        own.into_iter().chain(Flood::ALL.map(Self::Flood)).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::UpgradeCut => "upgrade-cut",
            Self::UpgradeSilence => "upgrade-silence",
            Self::Flood(flood) => flood.fault_name(),
        }
    }

    fn scope(self) -> Scope {
        match self {
            Self::Storm => Scope::Server,
            Self::UpgradeCut | Self::UpgradeSilence => Scope::Client,
            Self::Flood(_) => Scope::Attack,
        }
    }

    fn is_silent(self) -> bool {
        self == Self::UpgradeSilence
    }

    /// Nothing looks into what real sockets carry.
    fn is_possible_live(self) -> bool {
        matches!(self, Self::Storm | Self::Flood(_))
    }
}

impl fmt::Display for ChatFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ChatFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = all().into_iter().find(|kind| kind.to_string() == text);
        match named {
            Some(AnyFault::Model(kind)) => Ok(kind),
            _ => {
                let names: Vec<_> = all().iter().map(ToString::to_string).collect();
                Err(format!("no fault is named {text:?}; there are {}", names.join(", ")))
            }
        }
    }
}

impl From<ChatFault> for ChatFaultKind {
    fn from(kind: ChatFault) -> Self {
        Self::Model(kind)
    }
}

impl Serialize for ChatFault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ChatFault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Begins a fault of the chat's own kinds.
pub(crate) fn begin(injection: &Injection<'_, Chat>) -> Injected {
    match injection.fault.kind {
        AnyFault::Model(ChatFault::Storm) => {
            let connector = SimulatedConnector(injection.connector("storm"));
            let lasts = Duration::from_millis(injection.fault.for_ms);
            let started = injection.run_on_clients(move || {
                storm::start(&connector, lasts);
            });
            let effect = if started { storm::CONNECTIONS } else { 0 };
            Injected { effect, is_over: true, counter: None }
        }
        AnyFault::Model(ChatFault::Flood(_)) => {
            let counter = injection.plan.attack(injection.index).map(|attack| {
                let touched = Arc::new(AtomicUsize::new(0));
                let connector = SimulatedConnector(injection.connector(ATTACKER));
                injection.spawn_on_attacker(attack.carry_out(connector, Arc::clone(&touched)));
                touched
            });
            Injected { counter, ..Injected::default() }
        }
        _ => Injected::default(),
    }
}

/// Breaks upgrades while a fault of that kind lasts; returns how many.
pub(crate) fn go_on(injection: &Injection<'_, Chat>) -> usize {
    let breakage = breakage(injection.fault);
    breakage.map_or(0, |it| injection.network.break_marked(&injection.fault.target, it))
}

/// Connections that were lost without a packet learn of it when they are used again.
pub(crate) fn end(injection: &Injection<'_, Chat>) {
    let client = injection.fault.target.as_str();
    if injection.fault.kind == AnyFault::Model(ChatFault::UpgradeSilence) {
        injection.network.recover_lost(|owner| owner == Some(client));
    }
}

/// What a fault of upgrades does, and how far one comes before: its time says so, for want of a number of its own.
fn breakage(fault: &Fault) -> Option<Breakage> {
    let is_silent = match fault.kind {
        AnyFault::Model(ChatFault::UpgradeCut) => false,
        AnyFault::Model(ChatFault::UpgradeSilence) => true,
        _ => return None,
    };
    Some(Breakage { is_silent, writes_min: 1 + (fault.at_ms % UPGRADE_WRITES) as usize })
}
