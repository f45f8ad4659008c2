//! One measurement of one server: what was read, and what follows from it.
//!
//! It does arithmetic and never reads a clock or a process.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::crowd::Tally;

/// Busy throughout, from this share on.
const BUSY_SHARE: f64 = 0.95;

/// What one server did, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The server's name.
    pub server: String,
    /// Everybody says as much as the server carries.
    pub saturated: Load,
    /// Messages fall due at a fixed rate that every server of the line-up carries.
    pub steady: Load,
    /// Resident memory.
    pub memory: Memory,
}

/// One window of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Messages a second that reached the partner.
    pub messages_per_s: f64,
    /// The server's processor time a message, in microseconds: one frame read, two written.
    pub server_cpu_us_per_message: f64,
    /// From the time a message was due until it reached the partner, in microseconds.
    pub latency_us: Latency,
    /// The share of the window that the server was running.
    pub server_share: f64,
    /// The share of the window that the generator had something to do; it never sleeps.
    pub generator_share: f64,
    /// The share of both cores that other programs used; none where nobody was pinned.
    pub others_share: Option<f64>,
}

/// Quantiles, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: u64,
    /// 99 of 100 messages took no longer.
    pub p99: u64,
    /// 999 of 1,000.
    pub p999: u64,
}

/// Resident memory of the server, in bytes; the two differences are divided by the connections.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Before the first connection.
    pub at_start: u64,
    /// A connection more, once everybody has a partner and before anybody spoke.
    pub per_connection_silent: f64,
    /// A connection more, after everybody spoke as fast as the server carried, and fell silent.
    pub per_connection_talked: f64,
}

/// What was read in a window, all in microseconds but the tally.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) window: Duration,
    pub(super) tally: Tally,
    pub(super) server_cpu_us: u64,
    /// The generator's, which also uses a core to look out for something to do.
    pub(super) generator_cpu_us: u64,
    /// What all programs used of the two cores.
    pub(super) cores_cpu_us: Option<u64>,
}

impl Reading {
    pub(super) fn load(&self) -> Load {
        let window_us = self.window.as_micros() as f64;
        let share = |cpu_us: u64| cpu_us as f64 / window_us;
        let ours_us = self.server_cpu_us + self.generator_cpu_us;
        Load {
            messages_per_s: self.tally.relayed as f64 / self.window.as_secs_f64(),
            server_cpu_us_per_message: self.server_cpu_us as f64 / self.tally.relayed as f64,
            latency_us: Latency::of(&self.tally.latency),
            server_share: share(self.server_cpu_us),
            generator_share: 1.0 - share(self.tally.idle_us),
            others_share: self.cores_cpu_us.map(|all| share(all.saturating_sub(ours_us)) / 2.0),
        }
    }
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
        }
    }
}

impl Memory {
    pub(super) fn new(at_start: u64, silent: u64, talked: u64, connections: u32) -> Self {
        let per_connection = |rss: u64| (rss as f64 - at_start as f64) / f64::from(connections);
        Self {
            at_start,
            per_connection_silent: per_connection(silent),
            per_connection_talked: per_connection(talked),
        }
    }
}

impl Sample {
    /// Why its figures must not be trusted; none when they may be.
    ///
    /// Where the generator was busy throughout and the server was not, the generator was measured.
    #[must_use]
    pub fn invalid(&self) -> Option<String> {
        let Load { server_share, generator_share, .. } = self.saturated;
        let generator_limits = generator_share > BUSY_SHARE && server_share < BUSY_SHARE;
        generator_limits.then(|| {
            format!(
                "the generator was the bottleneck: it was busy {:.0} % of the time, the server {:.0} %",
                generator_share * 100.0,
                server_share * 100.0
            )
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use reports::run::latency_histogram;

    use super::*;

    fn reading() -> Reading {
        let mut latency = latency_histogram();
        for us in 1..=1_000 {
            latency.saturating_record(us);
        }
        Reading {
            window: Duration::from_secs(2),
            tally: Tally { relayed: 100_000, latency, idle_us: 1_000_000 },
            server_cpu_us: 1_800_000,
            generator_cpu_us: 2_000_000,
            cores_cpu_us: Some(4_000_000),
        }
    }

    /// A valid sample whose server costs so much a message.
    pub(in super::super) fn sample(server: &str, cpu_us: f64) -> Sample {
        let mut load = reading().load();
        load.server_cpu_us_per_message = cpu_us;
        let memory = Memory::new(1_000, 9_000, 17_000, 4);
        Sample { server: server.to_owned(), saturated: load.clone(), steady: load, memory }
    }

    #[test]
    fn a_window_becomes_rates_and_shares() {
        let load = reading().load();
        assert_eq!(load.messages_per_s, 50_000.0);
        assert_eq!(load.server_cpu_us_per_message, 18.0);
        assert_eq!((load.server_share, load.generator_share), (0.9, 0.5));
        assert_eq!(load.others_share, Some(0.05), "0.2 s of 2 cores in 2 s");
        assert_eq!(load.latency_us, Latency { p50: 500, p99: 990, p999: 999 });
    }

    #[test]
    fn memory_is_what_a_connection_adds() {
        let memory = Memory::new(1_000, 9_000, 17_000, 4);
        assert_eq!(memory.per_connection_silent, 2_000.0);
        assert_eq!(memory.per_connection_talked, 4_000.0);
        assert!(Memory::new(1_000, 900, 900, 4).per_connection_silent < 0.0, "and never wraps");
    }

    #[test]
    fn a_busy_generator_before_an_idle_server_is_invalid() {
        let mut sample = sample("a", 1.0);
        assert_eq!(sample.invalid(), None);
        (sample.saturated.generator_share, sample.saturated.server_share) = (0.97, 0.8);
        let why = sample.invalid().expect("the generator was measured");
        assert!(why.ends_with("it was busy 97 % of the time, the server 80 %"), "{why}");
        sample.saturated.server_share = 0.97;
        assert_eq!(sample.invalid(), None, "both were busy: the server did what it could");
    }
}
