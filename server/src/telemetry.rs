//! What happened, counted: events, refusals, connections, and how long and how deep people waited.
//!
//! Counting is a few uncontended atomic additions, because every message passes here. Nothing is
//! timed or ordered here, and nothing is written out: `metrics` shows the figures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use axum::http::StatusCode;
use tracing::warn;

use crate::hub::Transport;

/// The type of an event that is a message.
pub(crate) const MESSAGE: &str = "message";

/// The types of events, as the wire names them; the most frequent first.
pub(crate) const EVENT_TYPES: [&str; 8] =
    [MESSAGE, "notice", "paired", "waiting", "partner_left", "welcome", "closing", "lagged"];

/// Upper bounds of the buckets of the time to deliver, in microseconds.
pub(crate) const DELIVERED_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000, 10_000_000, 60_000_000,
];

/// Upper bounds of the buckets of the depth of a mailbox, in events.
pub(crate) const DEPTH_EVENTS: [u64; 10] = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Classes of status codes, as figures name them.
pub(crate) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    events: [AtomicU64; EVENT_TYPES.len()],
    /// By transport, and behind those what was said before a mailbox was read.
    messages: [AtomicU64; Transport::ALL.len() + 1],
    rejected: Mutex<BTreeMap<&'static str, u64>>,
    /// By transport, and behind those what belongs to none.
    answered: [[AtomicU64; CLASSES.len()]; Transport::ALL.len() + 1],
    delivered_us: [Histogram<16>; Transport::ALL.len()],
    depth_events: Histogram<10>,
    connections: AtomicUsize,
    parked: AtomicUsize,
}

impl Telemetry {
    /// An event of this type went into a mailbox.
    #[inline]
    pub(crate) fn event(&self, kind: &'static str) {
        match EVENT_TYPES.iter().position(|known| *known == kind) {
            Some(index) => {
                self.events[index].fetch_add(1, Ordering::Relaxed);
            }
            None => warn!(kind, "an event of a type that is not counted"),
        }
    }

    /// A message was accepted, whose sender's mailbox is read over this transport, or was last.
    #[inline]
    pub(crate) fn message(&self, over: Option<Transport>) {
        self.messages[index_of(over)].fetch_add(1, Ordering::Relaxed);
    }

    /// Something was refused; the reason is the last part of the problem's type.
    pub(crate) fn rejected(&self, reason: &'static str) {
        *self.lock_rejected().entry(reason).or_default() += 1;
    }

    /// A request was answered, which belongs to this transport if it belongs to one.
    pub(crate) fn answered(&self, over: Option<Transport>, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.answered[index_of(over)][class].fetch_add(1, Ordering::Relaxed);
    }

    /// An event was handed out this long after it went into the mailbox.
    #[inline]
    pub(crate) fn delivered(&self, over: Transport, after: Duration) {
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.delivered_us[over as usize].observe(&DELIVERED_US, us);
    }

    /// A mailbox holds this many events, the one that was just put there included.
    #[inline]
    pub(crate) fn depth(&self, events: usize) {
        self.depth_events.observe(&DEPTH_EVENTS, events as u64);
    }

    /// A connection was accepted.
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection that was accepted is closed.
    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A request was parked that reads no mailbox.
    pub(crate) fn parked(&self) {
        self.parked.fetch_add(1, Ordering::Relaxed);
    }

    /// A parked request was answered, or its connection was closed.
    pub(crate) fn unparked(&self) {
        self.parked.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests that are parked.
    pub(crate) fn parked_now(&self) -> usize {
        self.parked.load(Ordering::Relaxed)
    }

    /// How many events of each type there were.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.events.iter().map(|count| count.load(Ordering::Relaxed));
        EVENT_TYPES.into_iter().zip(counts)
    }

    /// How many messages were accepted over each transport, and over none.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (Option<Transport>, u64)> {
        let counts = self.messages.iter().map(|count| count.load(Ordering::Relaxed));
        transports().zip(counts)
    }

    /// How many refusals there were for each reason, in the order of the alphabet.
    pub(crate) fn rejections(&self) -> Vec<(&'static str, u64)> {
        self.lock_rejected().iter().map(|(reason, count)| (*reason, *count)).collect()
    }

    /// How many requests of each transport, and of none, had an answer of which class.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (Option<Transport>, &'static str, u64)> {
        transports().zip(&self.answered).flat_map(|(over, counts)| {
            let counts = CLASSES.into_iter().zip(counts);
            counts.map(move |(class, count)| (over, class, count.load(Ordering::Relaxed)))
        })
    }

    /// The time to deliver over each transport, in microseconds.
    pub(crate) fn delivered_us(&self) -> impl Iterator<Item = (Transport, Distribution)> {
        let distributions = self.delivered_us.iter().map(|times| times.read(&DELIVERED_US));
        Transport::ALL.into_iter().zip(distributions)
    }

    /// The depth of mailboxes, in events.
    pub(crate) fn depth_events(&self) -> Distribution {
        self.depth_events.read(&DEPTH_EVENTS)
    }

    fn lock_rejected(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.rejected.lock().expect("nothing panics under this lock")
    }
}

/// All transports, and none behind them.
fn transports() -> impl Iterator<Item = Option<Transport>> {
    Transport::ALL.into_iter().map(Some).chain([None])
}

/// Index of a transport in [`transports`].
fn index_of(over: Option<Transport>) -> usize {
    over.map_or(Transport::ALL.len(), |over| over as usize)
}

/// What was observed: for each upper bound the values between it and the one before.
pub(crate) struct Distribution {
    /// Upper bound and count; the last bound is none, and holds what is above all others.
    pub(crate) buckets: Vec<(Option<u64>, u64)>,
    /// Of all values.
    pub(crate) sum: u64,
}

impl Distribution {
    /// How many values there were.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

/// Counts by size. The bounds are told with every call, so that they can be constants.
#[derive(Debug)]
struct Histogram<const N: usize> {
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    #[inline]
    fn observe(&self, bounds: &[u64; N], value: u64) {
        let bucket = bounds.iter().position(|bound| value <= *bound);
        let count = bucket.map_or(&self.above, |bucket| &self.counts[bucket]);
        count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    fn read(&self, bounds: &[u64; N]) -> Distribution {
        let bounds = bounds.iter().map(|bound| Some(*bound)).chain([None]);
        let counts = self.counts.iter().chain([&self.above]);
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        Distribution {
            buckets: bounds.zip(counts).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        let counts = [const { AtomicU64::new(0) }; N];
        Self { counts, above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}
