//! What a load run is asked to do, and whether that can be meant.
//!
//! Everything is checked before anything is started, and a refusal is one line that names the
//! flag, the value and what is allowed. What depends on the machine is [`crate::preflight`]'s.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use client::TransportKind;
use jiff::Timestamp;
use reports::part::Part;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::board::Board;
use crate::scenario::{STARTS_PER_S, drain_max};
use crate::schedule::{Arrivals, Schedule};
use crate::shard::{Shard, Start, StartAt};
use crate::span::Span;

/// Messages a second that one person offers when no rate is given.
pub const RATE_PER_USER_DEFAULT: f64 = 0.5;
/// Messages that one run may schedule; each costs some 100 bytes of books.
pub const MESSAGES_MAX: f64 = 50e6;

const REPEAT_MAX: u32 = 100;

/// One load run: the same people and the same schedule over each transport in turn.
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Transports to run, one after the other, separated by commas
    #[arg(
        long = "transport",
        value_name = "NAME[,NAME...]",
        value_delimiter = ',',
        default_value = "short-poll,long-poll,sse,websocket,socketio-websocket,socketio-polling"
    )]
    pub transports: Vec<TransportKind>,
    /// People, each with connections of their own
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub users: u32,
    /// Messages a second that all people together say [default: half the number of users]
    #[arg(long, value_name = "MSGS_PER_S")]
    pub rate: Option<f64>,
    /// Length of the measured window
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub duration: Span,
    /// How long messages flow before the window opens
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub warm_up: Span,
    /// How each person's messages are spread: poisson or even
    #[arg(long, value_name = "HOW", default_value_t = Arrivals::Poisson)]
    pub arrivals: Arrivals,
    /// How often a short-polling person asks
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub poll_interval: Span,
    /// A server that already runs, as http://HOST:PORT, instead of one started for each transport
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// How often everything is measured, the transports in turns
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: u32,
    /// Seed of the schedule
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Play only this part of the people; other generators, given the same options, play the rest
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// When the schedule begins, for all generators: HH:MM:SS (UTC) or RFC 3339; people connect before it
    #[arg(long, value_name = "TIME")]
    pub start_at: Option<StartAt>,
    /// The program and first arguments that start a server: `--addr` and limits are appended.
    /// It is not an option of the command line; the command line fills it in.
    #[arg(skip)]
    #[serde(skip)]
    pub server_command: Vec<OsString>,
    /// What the run is at, for whoever watches from outside. It is not an option either.
    #[arg(skip)]
    #[serde(skip)]
    pub board: Arc<Board>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transports: TransportKind::ALL.to_vec(),
            users: 1_000,
            rate: None,
            duration: Span(Duration::from_secs(10)),
            warm_up: Span(Duration::from_secs(1)),
            arrivals: Arrivals::Poisson,
            poll_interval: Span(Duration::from_secs(1)),
            target: None,
            repeat: 1,
            seed: 1,
            shard: None,
            start_at: None,
            server_command: Vec::new(),
            board: Arc::default(),
        }
    }
}

/// An option that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--{flag} {value}: {allowed}")]
pub struct OptionsError {
    flag: &'static str,
    value: String,
    allowed: String,
}

impl Options {
    /// Messages a second that the schedule offers, all people together.
    #[must_use]
    pub fn rate_per_s(&self) -> f64 {
        self.rate.unwrap_or_else(|| f64::from(self.users) * RATE_PER_USER_DEFAULT)
    }

    /// Everything that will be said on each transport, the warm-up's messages among it.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let length = self.warm_up.0 + self.duration.0;
        Schedule::new(self.arrivals, self.users, self.rate_per_s(), length, self.seed)
    }

    /// The part of the people that is played here.
    #[must_use]
    pub fn shard(&self) -> Shard {
        self.shard.unwrap_or(Shard::WHOLE)
    }

    /// What all generators must have in common, where there are several: every option but those that
    /// tell one from another.
    ///
    /// # Errors
    ///
    /// The start cannot be meant.
    pub fn part(&self) -> Result<Option<Part>, OptionsError> {
        let (Some(shard), Some(start)) = (self.shard, self.start()?) else { return Ok(None) };
        let Ok(Value::Object(mut plan)) = serde_json::to_value(self) else {
            unreachable!("options are plain data")
        };
        for own in ["shard", "target", "seed", "start_at"] {
            plan.remove(own);
        }
        let tell = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let plan = plan.into_iter().map(|(name, value)| (name.replace('_', "-"), tell(value)));
        Ok(Some(Part {
            shard: shard.number(),
            of: shard.of(),
            start_at: start.at().to_string(),
            plan: plan.collect(),
        }))
    }

    /// When the first schedule begins, where several generators agree upon that.
    pub(crate) fn start(&self) -> Result<Option<Start>, OptionsError> {
        let Some(start_at) = self.start_at else { return Ok(None) };
        let start = start_at.resolve(Timestamp::now()).map_err(|allowed| OptionsError {
            flag: "start-at",
            value: start_at.to_string(),
            allowed,
        })?;
        Ok(Some(Start::new(start)))
    }

    /// From the start of one transport's schedule to that of the next, where several generators
    /// agree upon both: what the first takes, and what the people need to go and to come.
    pub(crate) fn slot(&self) -> Duration {
        let coming = Duration::from_secs(u64::from(self.users / STARTS_PER_S) + 15);
        self.warm_up.0 + self.duration.0 + drain_max(self.poll_interval.0) + coming
    }

    /// Checks what does not depend on the machine.
    ///
    /// # Errors
    ///
    /// The first option that cannot be meant.
    pub fn validate(&self) -> Result<(), OptionsError> {
        let refuse = |flag, value: String, allowed: &str| {
            Err(OptionsError { flag, value, allowed: allowed.to_owned() })
        };
        let duration = self.duration.0;
        if self.transports.is_empty() {
            let names = TransportKind::ALL.map(TransportKind::name).join(", ");
            return refuse("transport", String::new(), &format!("one or more of {names}"));
        }
        if !(2..=1_000_000).contains(&self.users) {
            return refuse("users", self.users.to_string(), "2 to 1000000 people can talk");
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(3_600)).contains(&duration) {
            return refuse("duration", self.duration.to_string(), "1s to 1h can be measured");
        }
        if self.warm_up.0 > Duration::from_secs(600) {
            return refuse("warm-up", self.warm_up.to_string(), "0s to 10m");
        }
        let length_s = (self.warm_up.0 + duration).as_secs_f64();
        if !(self.rate_per_s() > 0.0 && self.rate_per_s() * length_s <= MESSAGES_MAX) {
            let allowed = "more than 0, and at most 50 million messages in the whole run";
            return refuse("rate", self.rate_per_s().to_string(), allowed);
        }
        if !(1..=REPEAT_MAX).contains(&self.repeat) {
            return refuse("repeat", self.repeat.to_string(), "1 to 100 rounds");
        }
        if self.shard.is_some() && (self.target.is_none() || self.start_at.is_none()) {
            let shard = self.shard().to_string();
            let allowed =
                "only with --target, the server of all shards, and --start-at, their start";
            return refuse("shard", shard, allowed);
        }
        if let (None, Some(start_at)) = (self.shard, self.start_at) {
            return refuse("start-at", start_at.to_string(), "only with --shard I/N");
        }
        if self.start_at.is_some() && self.repeat > 1 {
            return refuse("repeat", self.repeat.to_string(), "once, where --start-at is given");
        }
        if self.shard().of() > self.users {
            return refuse(
                "shard",
                self.shard().to_string(),
                "each has one of the --users at least",
            );
        }
        let _in_time = self.start()?;
        let poll_interval = self.poll_interval.0;
        if !(Duration::from_millis(10)..=Duration::from_secs(30)).contains(&poll_interval) {
            return refuse("poll-interval", self.poll_interval.to_string(), "10ms to 30s");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(arguments: &str) -> Result<Options, String> {
        let words = std::iter::once("load").chain(arguments.split_whitespace());
        Line::try_parse_from(words).map(|line| line.options).map_err(|error| error.to_string())
    }

    #[test]
    fn no_flag_means_the_defaults() {
        let options = parse("").expect("nothing is required");
        assert_eq!(options.transports, TransportKind::ALL);
        assert_eq!((options.users, options.rate_per_s()), (1_000, 500.0));
        assert_eq!(options.validate(), Ok(()));
    }

    #[test]
    fn an_unknown_transport_is_answered_with_the_known_ones() {
        let error = parse("--transport long-poll,pigeon").expect_err("there is no such transport");
        for word in ["pigeon", "--transport", "short-poll, long-poll, sse, websocket"] {
            assert!(error.contains(word), "{word} is missing in: {error}");
        }
    }

    #[test]
    fn a_length_without_a_unit_is_answered_with_examples() {
        let error = parse("--duration 10").expect_err("10 of what");
        assert!(error.contains("--duration") && error.contains("10s or 1m30s"), "{error}");
    }

    #[test]
    fn a_refusal_names_the_flag_the_value_and_what_is_allowed() {
        for (arguments, expected) in [
            ("--users 1", "--users 1: 2 to 1000000 people can talk"),
            ("--duration 10ms", "--duration 10ms: 1s to 1h can be measured"),
            ("--warm-up 1h", "--warm-up 1h: 0s to 10m"),
            ("--poll-interval 1ms", "--poll-interval 1ms: 10ms to 30s"),
            ("--repeat 0", "--repeat 0: 1 to 100 rounds"),
            ("--rate 0", "--rate 0: more than 0, and at most 50 million messages in the whole run"),
            (
                "--rate NaN",
                "--rate NaN: more than 0, and at most 50 million messages in the whole run",
            ),
        ] {
            let options = parse(arguments).expect("it can be read");
            let error = options.validate().expect_err("it cannot be meant");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_shard_takes_what_all_shards_must_agree_on() {
        let target = "--target http://127.0.0.1:3000";
        for arguments in ["--shard 1/2 --start-at 12:00:00", &format!("--shard 1/2 {target}")] {
            let error = parse(arguments).expect("it can be read").validate();
            let expected = "--shard 1/2: only with --target, the server of all shards, and \
                            --start-at, their start";
            assert_eq!(error.expect_err("it is not enough").to_string(), expected);
        }
        let alone = parse("--start-at 12:00:00").expect("it can be read").validate();
        let alone = alone.expect_err("nobody shares it").to_string();
        assert_eq!(alone, "--start-at 12:00:00: only with --shard I/N");
        let past = format!("--shard 1/2 {target} --start-at 2026-01-01T12:00:00Z");
        let error = parse(&past).expect("it can be read").validate().expect_err("it is over");
        let error = error.to_string();
        let expected = "--start-at 2026-01-01T12:00:00Z: 2026-01-01T12:00:00Z is over, it is ";
        assert!(error.starts_with(expected), "{error}");
        let many = format!("--shard 1/9 --users 8 {target} --start-at 2026-01-01T12:00:00Z");
        let error = parse(&many).expect("it can be read").validate().expect_err("nobody is left");
        assert_eq!(error.to_string(), "--shard 1/9: each has one of the --users at least");
    }

    #[test]
    fn the_parts_of_a_run_have_everything_in_common_but_their_number_and_the_way_to_the_server() {
        let soon = Timestamp::now() + jiff::Span::new().minutes(5);
        let part = |shard: &str, host: &str, more: &str| {
            let line = format!("--shard {shard} --target http://{host} --start-at {soon} {more}");
            let part = parse(&line).expect("it can be read").part();
            part.expect("it is five minutes ahead").expect("it is a part")
        };
        let (one, other) = (part("1/2", "a:1", ""), part("2/2", "b:2", ""));
        assert_eq!((one.shard, other.shard, one.of), (1, 2, 2));
        assert_eq!((&one.plan, &one.start_at), (&other.plan, &other.start_at));
        assert_ne!(one.plan, part("1/2", "a:1", "--rate 7").plan);
        assert_eq!(one.plan["users"], "1000");
        assert_eq!(Options::default().part(), Ok(None));
    }

    #[test]
    fn options_survive_being_written_as_json() {
        let options = parse("--transport long-poll --users 20 --rate 7 --duration 1m30s")
            .expect("all of these are options");
        let json = serde_json::to_string(&options).expect("options are plain data");
        let again: Options = serde_json::from_str(&json).expect("it was just written");
        assert_eq!(serde_json::to_string(&again).expect("as before"), json);
        assert!(json.contains(r#""transports":["long-poll"]"#), "{json}");
    }
}
