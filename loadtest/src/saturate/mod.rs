//! How much one core carries: the same job for our server and for others, side by side.
//!
//! ```text
//!    core A                                   core B
//!    the server   <── 2,000 connections ──>   the crowd: 1,000 random pairs
//!                 each message is echoed to its sender and relayed to the partner
//! ```
//!
//! The load suite asks how a server feels at a given load. This asks what it costs: the crowd says
//! as much as the server carries (or little, at a fixed rate), and the processor time and memory of
//! the server are read from outside. goose's users would cost more than the servers, so the crowd is
//! one thread over plain sockets.
//!
//! A sample is bounded in time, every message in it is accounted for, and one in which the generator
//! was the bottleneck is invalid. Only ratios of samples that were taken in turns on one machine mean
//! anything. It needs Linux, for `/proc`, `epoll` and pinned cores.
//!
//! Reading order: [`Contender`] is a server, `wire` and `frame` are what is said, `account` keeps the
//! books, `crowd` is the people, [`Sample`] and [`Series`] are the figures.

mod contender;
mod wire;

mod account;
mod crowd;
mod frame;

mod comparison;
mod sample;

use std::io;
use std::time::Duration;

use crate::cores::{Cores, CoresError};
use crate::peer::Missing;
use crate::preflight;
use crate::process;
use crate::target::{Target, TargetError};

pub use comparison::{Series, table};
pub use contender::{Contender, Start};
pub use sample::{Latency, Load, Memory, Sample};
pub use wire::Wire;

use crowd::{Crowd, Pace};
use sample::Reading;

/// How long memory is left alone before it is read, so that a collector may have its turn.
const REST: Duration = Duration::from_millis(500);
/// Open files besides the connections.
const OPEN_FILES_SLACK: u64 = 128;
/// Letters of a message that our server takes with its usual limits.
const LETTERS_MAX: usize = 4_096;

/// What everybody does, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// People, each with one connection; an even number.
    pub people: u32,
    /// Messages that each person has in flight at saturation.
    pub in_flight: usize,
    /// Letters of a message.
    pub letters: usize,
    /// Messages a second of all together, at the fixed rate.
    pub rate_per_s: f64,
    /// How long each kind of load lasts before it is measured.
    pub warm_up: Duration,
    /// How long each is measured.
    pub window: Duration,
    /// Whether the crowd sleeps when it has nothing to do at saturation, as most clients would.
    pub naps: bool,
    /// Where server and generator run; without it, wherever the system likes.
    pub cores: Option<Cores>,
}

/// There is no sample.
#[derive(Debug, thiserror::Error)]
pub enum SaturateError {
    /// The server did not start.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Something that a server needs is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// There are no two cores.
    #[error(transparent)]
    Cores(#[from] CoresError),
    /// The job makes no sense, or the machine does not allow it.
    #[error("{0}")]
    Job(String),
    /// A person met what a run may not contain; a message that is not accounted for is this, too.
    #[error("person {person}: {why}")]
    Broken {
        /// Who, counted from 0.
        person: u32,
        /// What was met.
        why: String,
    },
    /// Not everybody got through a step.
    #[error("not everybody could {what} within {wait:?}; {open} messages are unaccounted for")]
    Stuck {
        /// The step.
        what: &'static str,
        /// How long it may take.
        wait: Duration,
        /// Messages that are neither echoed nor relayed, or only one of both.
        open: usize,
    },
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Starts a server, loads it, and ends it; takes two warm-ups, two windows and a few seconds.
///
/// It needs a tokio runtime. With [`Job::cores`] the calling thread stays on the generator's core.
///
/// # Errors
///
/// The first thing that went wrong. A slow server is no error, and neither is an invalid sample.
pub async fn measure(start: &Start, job: &Job) -> Result<Sample, SaturateError> {
    job.check()?;
    if let Some(cores) = job.cores {
        cores.enter_generator()?;
    }
    let target = Target::spawn(&start.command, &[], job.cores).await?;
    let gone = || io::Error::other("the server ended before it was measured");
    let process_id = target.process_id().ok_or_else(gone)?;
    let measured = Measured { server: start.name.clone(), process_id, job: job.clone() };
    let (addr, wire) = (target.addr, start.wire);
    let measuring = tokio::task::spawn_blocking(move || measured.sample(addr, wire));
    measuring.await.expect("the crowd returns its errors and does not panic")
}

impl Job {
    fn check(&self) -> Result<(), SaturateError> {
        let Self { people, in_flight, letters, rate_per_s, .. } = *self;
        if people < 2
            || people % 2 == 1
            || in_flight == 0
            || !(rate_per_s > 0.0 && rate_per_s <= 1e9)
        {
            let why = format!(
                "{people} people with {in_flight} messages in flight, at {rate_per_s} a second: \
                 an even number of people must say something"
            );
            return Err(SaturateError::Job(why));
        }
        if !(1..=LETTERS_MAX).contains(&letters) {
            let why = format!("messages of {letters} letters: servers take 1 to {LETTERS_MAX}");
            return Err(SaturateError::Job(why));
        }
        let windows = Duration::from_millis(100)..=Duration::from_secs(600);
        if !windows.contains(&self.window) || self.warm_up > Duration::from_secs(600) {
            let why = format!(
                "a warm-up of {:?} and a window of {:?}: 100ms to 10m can be measured, after 10m at \
                 most",
                self.warm_up, self.window
            );
            return Err(SaturateError::Job(why));
        }
        let (need, limit) = (u64::from(people) + OPEN_FILES_SLACK, preflight::raise_open_files());
        if limit < need {
            let why = format!("{people} people need {need} open files and the limit is {limit}");
            return Err(SaturateError::Job(why));
        }
        Ok(())
    }
}

/// A server that runs and is about to be measured.
struct Measured {
    server: String,
    process_id: u32,
    job: Job,
}

impl Measured {
    fn sample(self, addr: std::net::SocketAddr, wire: Wire) -> Result<Sample, SaturateError> {
        let Job { people, in_flight, rate_per_s, .. } = self.job;
        if let Some(cores) = self.job.cores {
            cores.enter_generator()?;
        }
        let at_start = self.resident_bytes()?;
        let mut crowd = Crowd::new(wire, &self.job)?;
        crowd.join(addr, people)?;
        crowd.pass(REST)?;
        let silent = self.resident_bytes()?;
        let saturated = self.load(&mut crowd, Pace::Closed { in_flight })?;
        crowd.pass(REST)?;
        let talked = self.resident_bytes()?;
        let steady = self.load(&mut crowd, Pace::Open { interval_us: 1e6 / rate_per_s })?;
        Ok(Sample {
            server: self.server,
            saturated,
            steady,
            memory: Memory::new(at_start, silent, talked, people),
        })
    }

    /// Warm-up, window, and everything accounted for.
    fn load(&self, crowd: &mut Crowd, pace: Pace) -> Result<Load, SaturateError> {
        crowd.set_pace(pace)?;
        crowd.pass(self.job.warm_up)?;
        crowd.take_tally();
        let before = self.usage()?;
        let elapsed = crowd.pass(self.job.window)?;
        let after = self.usage()?;
        let tally = crowd.take_tally();
        crowd.settle()?;
        let reading = Reading {
            window: elapsed,
            tally,
            server_cpu_us: after.server_us - before.server_us,
            generator_cpu_us: after.generator_us - before.generator_us,
            cores_cpu_us: after.cores_us.zip(before.cores_us).map(|(after, before)| after - before),
        };
        Ok(reading.load())
    }

    fn resident_bytes(&self) -> io::Result<u64> {
        Ok(process::usage_of(self.process_id)?.rss_bytes)
    }

    fn usage(&self) -> io::Result<Readings> {
        let cores_us = match self.job.cores {
            Some(Cores { server, generator }) => {
                let (server, generator) =
                    (process::usage_of_core_us(server)?, process::usage_of_core_us(generator)?);
                Some(server + generator)
            }
            None => None,
        };
        Ok(Readings {
            server_us: process::usage_of(self.process_id)?.cpu_us,
            generator_us: process::usage_of_self()?.cpu_us,
            cores_us,
        })
    }
}

/// Processor time so far, in microseconds.
struct Readings {
    server_us: u64,
    generator_us: u64,
    cores_us: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_that_can_never_work_is_refused_before_a_server_starts() {
        let job = || Job {
            people: 4,
            in_flight: 1,
            letters: 32,
            rate_per_s: 10.0,
            warm_up: Duration::from_secs(1),
            window: Duration::from_secs(1),
            naps: false,
            cores: None,
        };
        assert!(job().check().is_ok());
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (job, expected) in [
            (Job { people: 3, ..job() }, "an even number of people"),
            (Job { people: 0, ..job() }, "an even number of people"),
            (Job { in_flight: 0, ..job() }, "0 messages in flight"),
            (Job { rate_per_s: f64::NAN, ..job() }, "at NaN a second"),
            (Job { rate_per_s: 0.0, ..job() }, "at 0 a second"),
            (Job { letters: 0, ..job() }, "messages of 0 letters: servers take 1 to 4096"),
            (Job { letters: 4_097, ..job() }, "messages of 4097 letters"),
            (Job { window: Duration::ZERO, ..job() }, "a window of 0ns"),
            (Job { warm_up: minutes(11), ..job() }, "a warm-up of 660s"),
            (
                Job { people: 1_000_000_000, ..job() },
                "1000000000 people need 1000000128 open files",
            ),
        ] {
            let error = job.check().expect_err("it cannot be meant").to_string();
            assert!(error.contains(expected), "{error}");
        }
        let server = server::config::Config::default();
        assert_eq!(server.message_bytes_max, LETTERS_MAX);
    }
}
