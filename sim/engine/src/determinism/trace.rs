//! The fingerprint of a run: a running hash over everything that could tell
//! two runs apart.
//!
//! Entropy draws and clock reads enter by themselves; packets, timers, history events
//! and faults are told by those who see them, through the functions below.
//! Each entry is hashed together with the hash before it, so that the last
//! hash stands for the whole run and a listed trace names the first entry at
//! which two runs part. On a thread that is not simulated nothing is recorded.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::state;

/// Any two numbers, fixed for ever: a fingerprint is compared across builds.
const KEYS: (u64, u64) = (0x7261_6365_7472_6163, 0x6b00_0000_0000_0001);

/// What an entry of a trace is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something happened at one end of a connection.
    Packet,
    /// Random bytes were drawn.
    Entropy,
    /// A clock was read.
    Clock,
    /// The timers and tasks of a host went on otherwise than before.
    Timer,
    /// A client invoked, observed or completed an operation.
    History,
    /// The nemesis did something.
    Fault,
}

/// What happened at one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketEvent {
    /// The client's end is open.
    Connected,
    /// The server's end is open.
    Accepted,
    /// Bytes were handed to the network.
    Sent,
    /// Bytes were taken from the network.
    Received,
    /// This end will send no more.
    FinSent,
    /// The other end will send no more.
    FinReceived,
    /// This end found the connection broken.
    Broken,
    /// This end was dropped.
    Closed,
}

/// One entry of a listed trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is about.
    pub kind: Kind,
    /// Simulated time since the start, microseconds.
    pub at_us: u64,
    /// The running hash up to and including this entry.
    pub hash: u64,
}

/// How many entries of each kind a run had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Entries of [`Kind::Packet`].
    pub packet: u64,
    /// Entries of [`Kind::Entropy`].
    pub entropy: u64,
    /// Entries of [`Kind::Clock`]; the same reading again, with nothing in between, is counted in
    /// the entry of the first.
    pub clock: u64,
    /// Entries of [`Kind::Timer`].
    #[serde(default)]
    pub timer: u64,
    /// Entries of [`Kind::History`].
    pub history: u64,
    /// Entries of [`Kind::Fault`].
    pub fault: u64,
}

/// What is left of a run when it is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceReport {
    /// The fingerprint.
    pub hash: u64,
    /// Every entry in order, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<Entry>>,
    /// How many entries there were.
    pub counts: Counts,
    /// Every panic on the simulated thread, caught or not, as "text (at
    /// place)". Not part of the hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub panics: Vec<String>,
    /// How the simulated code reached past its seed, in one line, if it did: the run proves
    /// nothing then. Not part of the hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<String>,
    /// The run never came to its end, and left no other trace. Not part of the hash.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stands_still: bool,
}

/// The first entry at which two traces differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Where in the list of entries, from zero.
    pub index: usize,
    /// The entry of the one trace; `None` if it had ended.
    pub ours: Option<Entry>,
    /// The entry of the other trace; `None` if it had ended.
    pub theirs: Option<Entry>,
}

/// Records that `event` happened at `at_us` to the end `local` of a connection
/// with `peer`. `bytes` are those that were sent or received, else empty.
pub fn packet(at_us: u64, event: PacketEvent, local: SocketAddr, peer: SocketAddr, bytes: &[u8]) {
    state::with(|state| {
        let (local, peer) = (address_bytes(local), address_bytes(peer));
        let digest = digest(&[&[event as u8], &local, &peer, bytes]);
        state.record(Kind::Packet, at_us, digest);
    });
}

/// Records what the runtime of `host` has done since it was recorded last: `beats` are how often
/// it slept until its next timer, how often it went on with a task, how many tasks it gained.
pub(crate) fn timers(at_us: u64, host: &str, beats: [u64; 3]) {
    state::with(|state| {
        let [slept, went_on, tasks] = beats.map(u64::to_le_bytes);
        let digest = digest(&[host.as_bytes(), &slept, &went_on, &tasks]);
        state.record(Kind::Timer, at_us, digest);
    });
}

/// Records an event of the history, in any encoding that is a function of it.
pub fn history(at_us: u64, bytes: &[u8]) {
    state::with(|state| state.record(Kind::History, at_us, digest(&[bytes])));
}

/// Records a fault, in any encoding that is a function of it.
pub fn fault(at_us: u64, bytes: &[u8]) {
    state::with(|state| state.record(Kind::Fault, at_us, digest(&[bytes])));
}

impl TraceReport {
    /// What a run leaves that never came to its end.
    pub(super) fn of_a_standstill() -> Self {
        let (hash, counts) = (0, Counts::default());
        Self { hash, entries: None, counts, panics: Vec::new(), escape: None, stands_still: true }
    }

    /// Where this trace and `other` part; `None` if they are equal or if the
    /// entries of either were not listed.
    #[must_use]
    pub fn first_divergence(&self, other: &Self) -> Option<Divergence> {
        let (ours, theirs) = (self.entries.as_ref()?, other.entries.as_ref()?);
        let length = ours.len().max(theirs.len());
        (0..length)
            .map(|index| Divergence {
                index,
                ours: ours.get(index).copied(),
                theirs: theirs.get(index).copied(),
            })
            .find(|pair| pair.ours != pair.theirs)
    }
}

impl Counts {
    /// All entries together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.packet + self.entropy + self.clock + self.timer + self.history + self.fault
    }

    fn of(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Packet => &mut self.packet,
            Kind::Entropy => &mut self.entropy,
            Kind::Clock => &mut self.clock,
            Kind::Timer => &mut self.timer,
            Kind::History => &mut self.history,
            Kind::Fault => &mut self.fault,
        }
    }
}

/// The trace of a run under way.
pub(super) struct Trace {
    hash: u64,
    entries: Option<Vec<Entry>>,
    counts: Counts,
}

impl Trace {
    pub(super) fn new(record_entries: bool) -> Self {
        Self { hash: 0, entries: record_entries.then(Vec::new), counts: Counts::default() }
    }

    pub(super) fn record(&mut self, kind: Kind, at_us: u64, digest: u64) {
        let mut hasher = SipHasher13::new_with_keys(KEYS.0, KEYS.1);
        hasher.write_u64(self.hash);
        hasher.write_u64(kind as u64);
        hasher.write_u64(at_us);
        hasher.write_u64(digest);
        self.hash = hasher.finish();
        *self.counts.of(kind) += 1;
        if let Some(entries) = &mut self.entries {
            entries.push(Entry { kind, at_us, hash: self.hash });
        }
    }

    pub(super) fn into_report(self, panics: Vec<String>) -> TraceReport {
        TraceReport {
            hash: self.hash,
            entries: self.entries,
            counts: self.counts,
            panics,
            escape: None,
            stands_still: false,
        }
    }
}

/// Hashes parts so that no other division of the same bytes hashes alike.
pub(super) fn digest(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(KEYS.0, KEYS.1);
    for part in parts {
        hasher.write_u64(part.len() as u64);
        hasher.write(part);
    }
    hasher.finish()
}

/// The address as one of IPv6, and the port.
fn address_bytes(address: SocketAddr) -> [u8; 18] {
    let mut bytes = [0; 18];
    match address.ip() {
        IpAddr::V4(ip) => {
            bytes[10..12].fill(0xff);
            bytes[12..16].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => bytes[..16].copy_from_slice(&ip.octets()),
    }
    bytes[16..].copy_from_slice(&address.port().to_be_bytes());
    bytes
}
