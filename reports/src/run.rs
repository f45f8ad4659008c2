//! The Run: everything that one command measured, as `run.json` in a run directory.
//!
//! A Run holds histograms and counts, never rendered text. Times are microseconds unless the
//! name says otherwise; instants are offsets from the start of the measured window.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::invalid::{self, Invalid};
use crate::knee::Knee;
use crate::part::{Crossing, Generator, Part};
use crate::slo::Slo;
use crate::units::{count, duration_us, plural};

/// The version of `run.json`; a reader refuses what it does not know.
pub const SCHEMA: u32 = 1;

/// One run of one command: a load test of one or more transports, perhaps beside a simulation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// The command line that makes this run again.
    pub command: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// The seed of every schedule in it.
    pub seed: u64,
    /// Where it ran.
    pub environment: Environment,
    /// The simulation that ran before the load, if one did.
    pub simulation: Option<SimulationSummary>,
    /// The server that was loaded, where it ran already; absent where each transport had a server
    /// process of its own on the same machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The objectives that it was held against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slos: Vec<Slo>,
    /// Ctrl-C ended it before its time; transports are missing, or the last window is short.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// The transports that were not measured, or not to the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// That it is what one of several generators saw; absent where there was one, or they are merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The generators that were merged; none where there was one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generators: Vec<Generator>,
    /// One entry a transport, in the order in which they ran; where the most was searched for, the
    /// measurement of that.
    pub series: Vec<Series>,
    /// The searches for the most that a transport carries, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knees: Vec<Knee>,
}

/// Why a transport was not measured, or not to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The name of the series that it would be, or of the one that ended early.
    pub transport: String,
    /// What happened, without a full stop.
    pub why: String,
}

/// The machine and the versions that a figure depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Operating system and kernel.
    pub os: String,
    /// Processor model.
    pub cpu: String,
    /// Cores that the run could use.
    pub cores: usize,
    /// Memory of the machine, in bytes.
    pub memory_bytes: u64,
    /// Open files allowed to one process.
    pub open_files_max: u64,
    /// racetrack's version.
    pub racetrack: String,
    /// `debug` or `release`.
    pub profile: String,
}

/// What a sweep of the simulation said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulationSummary {
    /// The range of seeds, as `0..200`.
    pub seeds: String,
    /// How many seeds ran.
    pub seeds_run: u64,
    /// The seeds that failed, with the checker that said so.
    pub failures: Vec<(u64, String)>,
    /// Seeds a second, all cores together.
    pub seeds_per_second: f64,
    /// Simulated seconds a second of real time.
    pub simulated_per_wall: f64,
    /// Threads used.
    pub jobs: usize,
    /// Faults by name: planned and effective.
    pub faults: BTreeMap<String, (u64, u64)>,
}

/// What one transport did under load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Series {
    /// The transport's name, for example `long-poll`.
    pub transport: String,
    /// The series of the same run that this one is to be held beside, by its name: another server's
    /// under the same load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// People connected.
    pub users: u64,
    /// Length of the measured window, in seconds.
    pub duration_s: f64,
    /// Messages a second that the schedule asked for.
    pub offered_per_s: f64,
    /// Messages a second that arrived.
    pub achieved_per_s: f64,
    /// Every message of the window, accounted for.
    pub messages: Messages,
    /// Requests, bytes and errors on the client's side.
    pub traffic: Traffic,
    /// The server process over the window; absent where it could not be read.
    pub server: Option<ServerCost>,
    /// The generator process over the window.
    pub generator: GeneratorCost,
    /// Receipt by the partner less the INTENDED time of sending, in microseconds.
    pub latency_us: HistogramDump,
    /// One entry for each message of the window that did not reach the partner: how long it took at
    /// the least, from the intended time of sending to the end of the drain, in microseconds. What
    /// was refused or not sent because the conversation had just ended is not missing.
    #[serde(default, skip_serializing_if = "HistogramDump::is_empty")]
    pub missing_us: HistogramDump,
    /// Receipt by the partner less the actual time of sending, in microseconds.
    pub service_us: HistogramDump,
    /// Actual less intended time of sending, in microseconds.
    pub send_lag_us: HistogramDump,
    /// How much too long a thread of the generator slept that wanted to sleep for a millisecond at a
    /// time, in microseconds; moments that a long one covered are counted too.
    #[serde(default, skip_serializing_if = "HistogramDump::is_empty")]
    pub hiccups_us: HistogramDump,
    /// One entry a second of the window.
    pub intervals: Vec<Interval>,
    /// Why the figures must not be trusted; empty when they may be.
    #[serde(flatten, with = "invalid::lists")]
    pub invalid: Vec<Invalid>,
    /// Why other measurements of the same were thrown away, one entry each; empty when the first
    /// one counts.
    #[serde(default)]
    pub discarded: Vec<String>,
    /// From the first person's first step to the last one's open session, in seconds; absent where
    /// it was not measured.
    #[serde(default)]
    pub connect_s: Option<f64>,
    /// How long people were without a partner before they found the next one, in microseconds; empty
    /// where nobody skips or leaves.
    #[serde(default)]
    pub pairing_us: HistogramDump,
    /// Latency by the transport of the reader, where people use several; empty where all use the same.
    #[serde(default)]
    pub by_reader: Vec<Readers>,
    /// The latency of each round, where it was measured several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<HistogramDump>,
    /// The missing messages of each round, as `missing_us`; empty where none is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_us_of_rounds: Vec<HistogramDump>,
    /// How this measurement differs from what is usual, a clause each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The open books with other generators; absent where there are none, or they are merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossing: Option<Crossing>,
    /// The part of `latency_us` that two generators' clocks measured together, in microseconds.
    #[serde(default, skip_serializing_if = "HistogramDump::is_empty")]
    pub crossed_us: HistogramDump,
    /// The first second of each round in `intervals`, where it was measured several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub round_starts: Vec<u64>,
}

impl Series {
    /// True when the figures may be trusted and no message is missing from them.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.reasons().is_empty()
    }

    /// True when nothing but the server decided the figures: the generator was not the limit, and no
    /// other generator knows a part of them. Messages may be missing.
    #[must_use]
    pub fn is_measured_well(&self) -> bool {
        self.invalid.is_empty() && self.crossing.is_none()
    }

    /// Why the figures must not be trusted: what the generator says of itself, that it is one of
    /// several and knows only a part, and that messages are missing.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let open = self.crossing.as_ref().map(|crossing| {
            format!(
                "this is the part of one generator of several: {} crossed between them, and only \
                 `racetrack report merge` can account for those",
                plural(crossing.count(), "message")
            )
        });
        self.invalid.iter().map(|it| it.text.clone()).chain(open).chain(self.left_out()).collect()
    }

    /// What the percentiles of the latency leave out; none where no message is missing.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        let wait_us = self.latencies().shortest_wait_us()?;
        let waited = match wait_us {
            // The server was gone before it was due.
            0 => String::new(),
            _ => format!(", which was {} or more", duration_us(wait_us as f64)),
        };
        Some(format!(
            "{} of {} never reached the partner; in the percentiles each counts as slower than the \
             wait for it{waited}",
            count(self.missing_us.count()),
            plural(self.latencies().count(), "message"),
        ))
    }
}

/// People of one series who use the same transport.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readers {
    /// The transport's name.
    pub transport: String,
    /// How many they are.
    pub users: u64,
    /// Latency of the messages that they read, from the intended time of sending, in microseconds.
    pub latency_us: HistogramDump,
    /// The messages that they should have read and did not, as [`Series::missing_us`]; their percentiles
    /// count them. Where it is not known whose a message was, it is missing in the series alone.
    #[serde(default, skip_serializing_if = "HistogramDump::is_empty")]
    pub missing_us: HistogramDump,
}

/// Every message that the schedule asked for is in exactly one place here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Scheduled.
    pub scheduled: u64,
    /// Scheduled and not sent.
    pub unsent: u64,
    /// Sent.
    pub sent: u64,
    /// Sent, and the sender met an error.
    pub refused: u64,
    /// Those of `unsent` and `refused` that a server in good order would have delivered: not sent
    /// because the sender had no connection or still waited for an answer, or met by another error
    /// than that the conversation had just ended.
    #[serde(default)]
    pub failed: u64,
    /// Accepted and delivered to the partner, once.
    pub delivered: u64,
    /// Accepted and never delivered.
    pub lost: u64,
    /// Delivered more than once.
    pub duplicated: u64,
    /// Delivered to somebody else.
    pub misdelivered: u64,
    /// Delivered after a later one of the same sender.
    pub out_of_order: u64,
    /// Sent by one of several generators, and received by none of its own people: what became of
    /// them is known when the generators' runs are merged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub abroad: u64,
}

impl Messages {
    /// True when every message was delivered, once and in order, or was excused: the conversation
    /// had just ended, or the sender had no partner.
    #[must_use]
    pub fn all_accounted_for(&self) -> bool {
        self.wrong() == 0 && self.sent == self.delivered + self.refused + self.abroad
    }
}

impl Messages {
    /// Messages that were due and did not reach the partner once and in order, without an excuse.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.failed + self.lost + self.duplicated + self.misdelivered + self.out_of_order
    }

    /// The share of them in all that were due and not excused; none where there are none.
    #[must_use]
    pub fn error_share(&self) -> Option<f64> {
        let due = self.delivered + self.wrong();
        (due > 0).then(|| self.wrong() as f64 / due as f64)
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl AddAssign for Messages {
    fn add_assign(&mut self, more: Self) {
        let Self {
            scheduled,
            unsent,
            sent,
            refused,
            failed,
            delivered,
            lost,
            duplicated,
            misdelivered,
            out_of_order,
            abroad,
        } = more;
        self.scheduled += scheduled;
        self.unsent += unsent;
        self.sent += sent;
        self.refused += refused;
        self.failed += failed;
        self.delivered += delivered;
        self.lost += lost;
        self.duplicated += duplicated;
        self.misdelivered += misdelivered;
        self.out_of_order += out_of_order;
        self.abroad += abroad;
    }
}

/// What went over the wire, counted by the clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// HTTP requests and socket messages sent by the clients.
    pub requests: u64,
    /// Bytes that the clients wrote.
    pub bytes_sent: u64,
    /// Bytes that the clients read.
    pub bytes_received: u64,
    /// Errors by their text.
    pub errors: BTreeMap<String, u64>,
}

impl AddAssign<&Self> for Traffic {
    fn add_assign(&mut self, more: &Self) {
        self.requests += more.requests;
        self.bytes_sent += more.bytes_sent;
        self.bytes_received += more.bytes_received;
        for (error, times) in &more.errors {
            *self.errors.entry(error.clone()).or_insert(0) += times;
        }
    }
}

/// What the server process cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerCost {
    /// Processor time over the window, in microseconds.
    pub cpu_us: u64,
    /// Resident memory before the first connection, in bytes.
    pub rss_idle_bytes: u64,
    /// Resident memory with everybody connected, in bytes.
    pub rss_bytes: u64,
}

/// What the generator itself cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorCost {
    /// Processor time over the window, in microseconds.
    pub cpu_us: u64,
    /// Resident memory before anybody was there, in bytes; 0 where it was not read.
    #[serde(default)]
    pub rss_idle_bytes: u64,
    /// Resident memory with everybody connected, in bytes.
    pub rss_bytes: u64,
}

/// One second of the window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Seconds since the window opened.
    pub second: u64,
    /// Messages sent in it.
    pub sent: u64,
    /// Messages received in it.
    pub received: u64,
    /// Latency of the messages that were due in it, whenever they arrived; all seconds together are
    /// the latency of the window.
    pub latency_us: HistogramDump,
    /// The messages that were due in it and did not arrive, as [`Series::missing_us`].
    #[serde(default, skip_serializing_if = "HistogramDump::is_empty")]
    pub missing_us: HistogramDump,
    /// 99th percentile of the send lag of the messages sent in it, in microseconds; absent where
    /// none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_lag_us_p99: Option<u64>,
    /// What the run used in it; absent where that was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// What a run used in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// People connected at its end.
    pub connected: u64,
    /// Processor time of the generator, in microseconds; the kernel counts it in ticks of usually
    /// 10 ms.
    pub generator_cpu_us: u64,
    /// Resident memory of the generator at its end, in bytes.
    pub generator_rss_bytes: u64,
    /// Processor time of the server, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_cpu_us: Option<u64>,
    /// Resident memory of the server at its end, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_rss_bytes: Option<u64>,
}

/// A histogram as the list of its non-empty buckets, `(value, count)` with rising values.
///
/// It is exact: reading it back into a [`Histogram`] of the same precision gives the same
/// percentiles, and it is small, because real latencies fill few buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>")]
pub struct HistogramDump(pub Vec<(u64, u64)>);

/// The lowest latency that is told apart, in microseconds.
pub const LATENCY_US_MIN: u64 = 1;
/// The highest latency that is told apart, in microseconds.
pub const LATENCY_US_MAX: u64 = 120_000_000;
/// Significant decimal digits of every histogram.
pub const LATENCY_DIGITS: u8 = 3;

/// An empty histogram with the bounds that all of racetrack uses: 1 us to 120 s, 3 digits.
#[must_use]
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LATENCY_US_MIN, LATENCY_US_MAX, LATENCY_DIGITS)
        .expect("1 us to 120 s at 3 digits is a valid histogram")
}

impl TryFrom<Vec<(u64, u64)>> for HistogramDump {
    type Error = String;

    fn try_from(counts: Vec<(u64, u64)>) -> Result<Self, String> {
        if !counts.is_sorted_by(|(one, _), (other, _)| one < other) {
            return Err("the values of a histogram rise".to_owned());
        }
        // The highest bucket ends a little beyond the highest latency.
        match counts.last() {
            Some((value, _)) if *value > 2 * LATENCY_US_MAX => {
                Err(format!("{value} us is beyond every histogram"))
            }
            _ => Ok(Self(counts)),
        }
    }
}

impl From<&Histogram<u64>> for HistogramDump {
    fn from(histogram: &Histogram<u64>) -> Self {
        Self(
            histogram
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
                .collect(),
        )
    }
}

impl HistogramDump {
    /// True where nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The histogram again.
    #[must_use]
    pub fn to_histogram(&self) -> Histogram<u64> {
        let mut histogram = latency_histogram();
        for &(value, count) in &self.0 {
            histogram.saturating_record_n(value, count);
        }
        histogram
    }
}
