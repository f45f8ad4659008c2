//! A made-up run, the same each time, for looking at a report and for its tests.
//!
//! Its latencies come from a fixed linear congruential generator; it measures nothing.

use std::collections::BTreeMap;

use reports::knee::{Knee, Load, Outcome, Probe};
use reports::run::{
    Environment, GeneratorCost, HistogramDump, Interval, Messages, Run, SCHEMA, Series, ServerCost,
    SimulationSummary, Traffic, Used, latency_histogram,
};

/// A transport as the sample imagines it.
struct Imagined {
    transport: &'static str,
    /// The median of what the server takes, in microseconds.
    median_us: f64,
    /// How wide the logarithm of it spreads.
    spread: f64,
    /// The longest wait for the next poll, in microseconds.
    poll_us: f64,
    cpu_us_per_message: u64,
    rss_bytes_per_connection: u64,
    requests_per_message: f64,
    bytes_per_message: u64,
}

const fn imagined(
    transport: &'static str,
    (median_us, spread, poll_us): (f64, f64, f64),
    (cpu_us_per_message, rss_bytes_per_connection): (u64, u64),
    (requests_per_message, bytes_per_message): (f64, u64),
) -> Imagined {
    Imagined {
        transport,
        median_us,
        spread,
        poll_us,
        cpu_us_per_message,
        rss_bytes_per_connection,
        requests_per_message,
        bytes_per_message,
    }
}

const TRANSPORTS: [Imagined; 6] = [
    imagined("websocket", (420.0, 0.5, 0.0), (24, 9_800), (1.02, 190)),
    imagined("long-poll", (900.0, 0.6, 0.0), (96, 15_200), (3.0, 1480)),
    imagined("short-poll", (800.0, 0.6, 1_000_000.0), (610, 13_900), (11.4, 5210)),
    imagined("sse", (510.0, 0.5, 0.0), (58, 12_400), (2.0, 720)),
    imagined("socketio-websocket", (470.0, 0.5, 0.0), (33, 21_000), (1.06, 240)),
    imagined("socketio-polling", (1_050.0, 0.6, 0.0), (141, 24_500), (3.1, 1710)),
];

/// `transports` of six transports, `seconds` of each, `rate` messages a second.
pub(crate) fn run(transports: usize, seconds: u64, rate: u64) -> Run {
    let mut chance = Chance(20_240_607);
    Run {
        schema: SCHEMA,
        command: format!("racetrack tour --seed 7 --users 1000 --duration {seconds}s"),
        started_at: "2026-03-01T09:30:00Z".to_owned(),
        seed: 7,
        environment: environment(),
        simulation: Some(simulation()),
        target: None,
        slos: Vec::new(),
        interrupted: false,
        failures: Vec::new(),
        part: None,
        generators: Vec::new(),
        series: TRANSPORTS
            .iter()
            .take(transports)
            .map(|imagined| series(imagined, seconds, rate, &mut chance))
            .collect(),
        knees: Vec::new(),
    }
}

/// Searches of three transports, of which the last found nothing.
pub(crate) fn knees() -> Vec<Knee> {
    [("websocket", 9_000.0), ("long-poll", 2_400.0), ("short-poll", 0.0)]
        .map(|(transport, most)| Knee {
            transport: transport.to_owned(),
            load: Load::Rate,
            p99_us_max: 50_000,
            probes: [500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0]
                .map(|load| probe(load, most))
                .to_vec(),
        })
        .to_vec()
}

fn probe(load: f64, most: f64) -> Probe {
    // A queue: the wait grows as one over what is left free.
    let free = (1.0 - load / (1.1 * most)).max(0.004);
    let p99_us = (3_000.0 / free) as u64;
    let (outcome, why) = match p99_us {
        0..=50_000 => (Outcome::Held, String::new()),
        _ => (Outcome::Broken, format!("p99 was {} ms", p99_us / 1_000)),
    };
    Probe {
        load,
        users: 1_000,
        offered_per_s: load,
        achieved_per_s: load.min(1.1 * most),
        p50_us: Some(p99_us / 6),
        p99_us: Some(p99_us),
        outcome,
        why,
        causes: Vec::new(),
    }
}

fn environment() -> Environment {
    Environment {
        os: "Linux 6.8.0".to_owned(),
        cpu: "A sample processor".to_owned(),
        cores: 2,
        memory_bytes: 8 << 30,
        open_files_max: 20_000,
        racetrack: "0.1.0".to_owned(),
        profile: "release".to_owned(),
    }
}

fn simulation() -> SimulationSummary {
    let faults = [("hold", 412, 398), ("cut", 120, 97), ("partition", 64, 64), ("crash", 31, 30)];
    SimulationSummary {
        seeds: "0..200".to_owned(),
        seeds_run: 200,
        failures: Vec::new(),
        seeds_per_second: 14.2,
        simulated_per_wall: 152.0,
        jobs: 2,
        faults: faults
            .into_iter()
            .map(|(name, planned, effective)| (name.to_owned(), (planned, effective)))
            .collect(),
    }
}

fn series(imagined: &Imagined, seconds: u64, rate: u64, chance: &mut Chance) -> Series {
    let mut latency = latency_histogram();
    let mut service = latency_histogram();
    let mut send_lag = latency_histogram();
    let hiccups = hiccups(seconds);
    let mut intervals = Vec::new();
    for second in 0..seconds {
        let mut of_second = latency_histogram();
        let received = rate - chance.below(rate / 20 + 1);
        for _ in 0..received {
            let service_us = imagined.service_us(second, seconds, chance);
            let lag_us = chance.log_normal(35.0, 0.8) as u64 + 1;
            service.saturating_record(service_us);
            send_lag.saturating_record(lag_us);
            latency.saturating_record(service_us + lag_us);
            of_second.saturating_record(service_us + lag_us);
        }
        let latency_us = HistogramDump::from(&of_second);
        intervals.push(Interval {
            second,
            sent: received,
            received,
            latency_us,
            missing_us: HistogramDump::default(),
            send_lag_us_p99: Some(60 + second % 7 * 10),
            used: Some(imagined.used(second, received)),
        });
    }
    let delivered = latency.len();
    Series {
        transport: imagined.transport.to_owned(),
        beside: None,
        users: 1000,
        duration_s: seconds as f64,
        offered_per_s: rate as f64,
        achieved_per_s: delivered as f64 / seconds as f64,
        messages: Messages {
            scheduled: delivered,
            sent: delivered,
            delivered,
            ..Messages::default()
        },
        traffic: imagined.traffic(delivered),
        server: Some(imagined.server(delivered)),
        generator: GeneratorCost {
            cpu_us: delivered * 40,
            rss_idle_bytes: 41 << 20,
            rss_bytes: 61 << 20,
        },
        latency_us: HistogramDump::from(&latency),
        missing_us: HistogramDump::default(),
        service_us: HistogramDump::from(&service),
        send_lag_us: HistogramDump::from(&send_lag),
        hiccups_us: HistogramDump::from(&hiccups),
        intervals,
        invalid: Vec::new(),
        discarded: Vec::new(),
        connect_s: Some(1.5),
        pairing_us: HistogramDump::default(),
        by_reader: Vec::new(),
        rounds: Vec::new(),
        missing_us_of_rounds: Vec::new(),
        notes: Vec::new(),
        crossing: None,
        crossed_us: HistogramDump::default(),
        round_starts: Vec::new(),
    }
}

/// A thousand wake-ups a second, each a little late and a few of them more.
fn hiccups(seconds: u64) -> hdrhistogram::Histogram<u64> {
    let mut hiccups = latency_histogram();
    for nth in 0..seconds * 1_000 {
        hiccups.saturating_record(60 + nth % 7 * 3 + if nth % 250 == 0 { 900 } else { 0 });
    }
    hiccups
}

impl Imagined {
    fn used(&self, second: u64, received: u64) -> Used {
        let server = self.server(received);
        Used {
            connected: 1_000,
            generator_cpu_us: received * 40,
            generator_rss_bytes: 61 << 20,
            server_cpu_us: Some(server.cpu_us),
            server_rss_bytes: Some(server.rss_bytes + (second << 12)),
        }
    }

    /// A log-normal service, a wait for the next poll, and a stumble in the middle of the window.
    fn service_us(&self, second: u64, seconds: u64, chance: &mut Chance) -> u64 {
        let stumble = if second == seconds / 2 { 3.0 } else { 1.0 };
        let tail = if chance.below(200) == 0 { 6.0 } else { 1.0 };
        let waited_us = self.poll_us * chance.unit();
        (waited_us + chance.log_normal(self.median_us, self.spread) * stumble * tail) as u64 + 1
    }

    fn server(&self, delivered: u64) -> ServerCost {
        let rss_idle_bytes = 7 << 20;
        ServerCost {
            cpu_us: delivered * self.cpu_us_per_message,
            rss_idle_bytes,
            rss_bytes: rss_idle_bytes + 1000 * self.rss_bytes_per_connection,
        }
    }

    fn traffic(&self, delivered: u64) -> Traffic {
        let bytes = delivered * self.bytes_per_message;
        Traffic {
            requests: (delivered as f64 * self.requests_per_message) as u64,
            bytes_sent: bytes / 3,
            bytes_received: bytes - bytes / 3,
            errors: BTreeMap::new(),
        }
    }
}

/// A linear congruential generator: not for anything but samples.
struct Chance(u64);

impl Chance {
    fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.unit() * limit as f64) as u64
    }

    /// Twelve uniform draws less six are nearly a normal one.
    fn log_normal(&mut self, median: f64, spread: f64) -> f64 {
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        median * (normal * spread).exp()
    }
}
