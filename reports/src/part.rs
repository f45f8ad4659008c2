//! What one of several generators knows, and what it cannot know alone.
//!
//! A message that goes from one generator's person to another's is in the books of both, and
//! neither can tell alone whether it arrived once. Each therefore keeps a [`Tally`] of its side:
//! how many messages, and the sum of their fingerprints. [`mod@crate::merge`] sets the two sides
//! against each other. No list of messages is ever written down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::{Environment, HistogramDump, Messages};

/// That a run is what one of several generators saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which generator, from 1.
    pub shard: u32,
    /// Of how many.
    pub of: u32,
    /// When the first schedule began for all of them: RFC 3339, UTC.
    pub start_at: String,
    /// Everything that must be the same in all of them, by the name of its option.
    pub plan: BTreeMap<String, String>,
}

/// A generator of a run that was merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generator {
    /// Which, as `1/3`.
    pub shard: String,
    /// Its command line.
    pub command: String,
    /// Where it ran.
    pub environment: Environment,
}

/// Messages of which only their number and the sum of their fingerprints is known.
///
/// Two tallies that are equal are of the same messages, but for chances of one in 2^64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The sum of their fingerprints, modulo 2^64.
    pub fingerprint: u64,
}

impl Tally {
    /// One more message.
    pub fn add(&mut self, fingerprint: u64) {
        *self += Self { count: 1, fingerprint };
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.fingerprint = self.fingerprint.wrapping_add(other.fingerprint);
    }
}

/// Messages that a generator's people said and none of them heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Those that must have arrived at another generator.
    pub due: Tally,
    /// Fingerprints of those whose sending failed: they may have arrived or not.
    pub doubtful: Vec<u64>,
}

/// Messages of one other generator that arrived at a generator's people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Come {
    /// Those that were due in the window, each once.
    pub window: Tally,
    /// Those that were due before it, each once.
    pub warm_up: Tally,
    /// What became of those of the window, and of those before it that went wrong.
    pub messages: Messages,
    /// Those that were received before they were due, by the reader's clock.
    pub early: u64,
    /// Receipt by the reader's clock less the intended time of sending, in microseconds; those of
    /// the window.
    pub latency_us: HistogramDump,
}

/// The messages between one generator and the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossing {
    /// Its own that were due in the window.
    pub window: Gone,
    /// Its own that were due before it.
    pub warm_up: Gone,
    /// From the end of the window to the end of the drain, in microseconds: every message of the
    /// window that did not arrive took longer.
    #[serde(default)]
    pub drained_us: u64,
    /// Others', by the number of their generator, from 1.
    pub come: BTreeMap<u32, Come>,
}

impl Crossing {
    /// Messages that left for other generators or came from them.
    #[must_use]
    pub fn count(&self) -> u64 {
        let gone = [&self.window, &self.warm_up];
        let gone = gone.map(|it| it.due.count + it.doubtful.len() as u64).iter().sum::<u64>();
        gone + self.come.values().map(|it| it.window.count + it.warm_up.count).sum::<u64>()
    }
}
