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
use crate::cores::Cores;
use crate::habits::Habits;
use crate::mix::{Mix, Transport};
use crate::peer::Peer;
use crate::scenario::drain_max;
use crate::schedule::{Arrivals, Schedule};
use crate::shard::{Shard, Start, StartAt};
use crate::trial::Trial;
use reports::Span;

/// Messages a second that one person offers when no rate is given.
pub const RATE_PER_USER_DEFAULT: f64 = 0.5;
/// People who arrive in a second, where the machine can: ten thousand in under ten seconds.
pub const ARRIVAL_RATE_DEFAULT: f64 = 1_500.0;
/// A short-polling person who leaves reads the last words with the next poll, and a server forgets
/// a session ten seconds after its end.
const POLL_INTERVAL_OF_VISITORS_MAX: Duration = Duration::from_secs(5);
/// Messages that one run may schedule; each costs some 100 bytes of books.
pub const MESSAGES_MAX: f64 = 50e6;

const REPEAT_MAX: u32 = 100;
/// Below so many messages in the window it is looked whether there is one: chance may leave none.
const COUNTED_BELOW: f64 = 100.0;

/// One load run: the same people and the same schedule over each transport in turn.
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Transports to run, one after the other, separated by commas; `mix` is all of them in one crowd
    #[arg(
        long = "transport",
        value_name = "NAME[,NAME...]",
        value_delimiter = ',',
        value_parser = Transport::parser(),
        hide_possible_values = true,
        default_value = "short-poll,long-poll,sse,websocket,socketio-websocket,socketio-polling"
    )]
    pub transports: Vec<Transport>,
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
    #[arg(long, value_name = "TIME", default_value = "1s", hide_short_help = true)]
    pub warm_up: Span,
    /// How each person's messages are spread: poisson or even
    #[arg(long, value_name = "HOW", default_value_t = Arrivals::Poisson, hide_short_help = true)]
    pub arrivals: Arrivals,
    /// How often a short-polling person asks; several times, separated by commas, are a run of
    /// short polling each
    #[arg(
        long = "poll-interval",
        value_name = "TIME[,TIME...]",
        value_delimiter = ',',
        default_value = "1s"
    )]
    pub poll_intervals: Vec<Span>,
    /// How many people of `mix` use which transport, as 'websocket=6,long-poll=3' [default: as many
    /// on each]
    #[arg(long, value_name = "NAME=N[,NAME=N...]", hide_short_help = true)]
    pub mix: Option<Mix>,
    /// Mean time from one wish of a person for another partner to the next [default: nobody has any]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub skip_every: Option<Span>,
    /// Mean length of a visit: then the person leaves, and somebody else comes [default: all stay]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub stay: Option<Span>,
    /// People who arrive in a second, until everybody is there
    #[arg(long, value_name = "PEOPLE_PER_S", default_value_t = ARRIVAL_RATE_DEFAULT,
        hide_short_help = true)]
    pub arrival_rate: f64,
    /// A server that already runs, as http://HOST:PORT, instead of one started for each transport
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Another server to measure beside ours, over the transports that it speaks: each server has
    /// a core to itself then, and the generator another
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["target", "shard"])]
    pub peer: Option<Peer>,
    /// How often everything is measured, the transports in turns
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: u32,
    /// Seed of the schedule
    #[arg(long, value_name = "N", default_value_t = 1, hide_short_help = true)]
    pub seed: u64,
    /// Play only this part of the people; other generators, given the same options, play the rest
    #[arg(long, value_name = "I/N", hide_short_help = true)]
    pub shard: Option<Shard>,
    /// When the schedule begins, for all generators: HH:MM:SS (UTC) or RFC 3339; people connect before it
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub start_at: Option<StartAt>,
    /// The program and first arguments that start a server: `--addr` and limits are appended.
    /// It is not an option of the command line; the command line fills it in.
    #[arg(skip)]
    #[serde(skip)]
    pub server_command: Vec<OsString>,
    /// The same for the server of [`Options::peer`], which is told no limits.
    #[arg(skip)]
    #[serde(skip)]
    pub peer_command: Vec<OsString>,
    /// Where servers run; the caller has moved itself to the generator's core. Without it they run
    /// wherever the system likes. It is not an option of the command line either.
    #[arg(skip)]
    #[serde(skip)]
    pub cores: Option<Cores>,
    /// What the run is at, for whoever watches from outside. It is not an option either.
    #[arg(skip)]
    #[serde(skip)]
    pub board: Arc<Board>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transports: TransportKind::ALL.map(Transport::One).to_vec(),
            users: 1_000,
            rate: None,
            duration: Span(Duration::from_secs(10)),
            warm_up: Span(Duration::from_secs(1)),
            arrivals: Arrivals::Poisson,
            poll_intervals: vec![Span(Duration::from_secs(1))],
            mix: None,
            skip_every: None,
            stay: None,
            arrival_rate: ARRIVAL_RATE_DEFAULT,
            target: None,
            peer: None,
            repeat: 1,
            seed: 1,
            shard: None,
            start_at: None,
            server_command: Vec::new(),
            peer_command: Vec::new(),
            cores: None,
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

    /// How the people move about.
    #[must_use]
    pub fn habits(&self) -> Habits {
        let [skip_every, stay] = [self.skip_every, self.stay].map(|span| span.map(|span| span.0));
        Habits { skip_every, stay, seed: self.seed }
    }

    /// The longest time from one poll of a person to the next.
    #[must_use]
    pub fn poll_interval_max(&self) -> Duration {
        self.poll_intervals.iter().map(|span| span.0).max().unwrap_or_default()
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
        let coming = Duration::from_secs_f64(f64::from(self.users) / self.arrival_rate + 15.0);
        self.warm_up.0 + self.duration.0 + drain_max(self.poll_interval_max()) + coming
    }

    /// Checks what does not depend on the machine.
    ///
    /// # Errors
    ///
    /// The first option that cannot be meant.
    pub fn validate(&self) -> Result<(), OptionsError> {
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
        self.validate_rate()?;
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
        self.validate_crowd()?;
        self.validate_start()?;
        if let Some(peer) = self.peer.filter(|_| self.trials().iter().all(|it| it.peer.is_none())) {
            let spoken = peer.transports().iter().map(|kind| kind.name()).collect::<Vec<_>>();
            let allowed =
                format!("it speaks {}, and --transport has neither", spoken.join(" and "));
            return refuse("peer", peer.to_string(), &allowed);
        }
        Ok(())
    }

    /// The same of the messages: some must be due in the window, and all of them are kept in memory.
    fn validate_rate(&self) -> Result<(), OptionsError> {
        let rate = self.rate_per_s();
        let length_s = (self.warm_up.0 + self.duration.0).as_secs_f64();
        if !(rate > 0.0 && rate * length_s <= MESSAGES_MAX) {
            let allowed = "more than 0, and at most 50 million messages in the whole run";
            return refuse("rate", shown(rate), allowed);
        }
        let expected = rate * self.duration.0.as_secs_f64();
        if expected < COUNTED_BELOW && self.due_in_window() == 0 {
            let allowed =
                format!("no message is due within --duration {}; raise one of both", self.duration);
            return refuse("rate", shown(rate), &allowed);
        }
        Ok(())
    }

    fn due_in_window(&self) -> usize {
        let opens_us = self.warm_up.0.as_micros();
        self.schedule().due.iter().filter(|due| u128::from(due.at_us) >= opens_us).count()
    }

    /// The same of the agreed start: everybody must be there before it.
    fn validate_start(&self) -> Result<(), OptionsError> {
        let Some(start) = self.start()? else { return Ok(()) };
        let arrival =
            Duration::from_secs_f64(f64::from(self.shard().people(self.users)) / self.arrival_rate);
        let ahead = start.at().duration_since(Timestamp::now()).unsigned_abs();
        if arrival < ahead {
            return Ok(());
        }
        let allowed = format!(
            "it is {} s ahead, and this generator's people take {} s to arrive; choose a later start, \
             or a higher --arrival-rate",
            ahead.as_secs(),
            arrival.as_secs()
        );
        let start_at = self.start_at.map(|at| at.to_string()).unwrap_or_default();
        refuse("start-at", start_at, &allowed)
    }

    /// The same of what the people are like, and how many kinds of them there are.
    fn validate_crowd(&self) -> Result<(), OptionsError> {
        let intervals = Duration::from_millis(10)..=Duration::from_secs(30);
        for interval in &self.poll_intervals {
            if !intervals.contains(&interval.0) {
                return refuse("poll-interval", interval.to_string(), "10ms to 30s");
            }
        }
        let times = Duration::from_millis(100)..=Duration::from_secs(3_600);
        for (flag, time) in [("skip-every", self.skip_every), ("stay", self.stay)] {
            if let Some(time) = time.filter(|time| !times.contains(&time.0)) {
                return refuse(flag, time.to_string(), "100ms to 1h, on average");
            }
        }
        let polls_rarely = |trial: &Trial| {
            trial.mix.kinds().any(|kind| kind == TransportKind::ShortPoll)
                && trial.poll_interval > POLL_INTERVAL_OF_VISITORS_MAX
        };
        let trials = self.trials();
        if let Some(stay) = self.stay.filter(|_| trials.iter().any(polls_rarely)) {
            let allowed = "who leaves reads the last words with the next poll, so --poll-interval \
                           is at most 5s";
            return refuse("stay", stay.to_string(), allowed);
        }
        if !(1.0..=1e6).contains(&self.arrival_rate) {
            let allowed = "1 to 1000000 people a second";
            return refuse("arrival-rate", shown(self.arrival_rate), allowed);
        }
        if let Some(mix) = self.mix.as_ref().filter(|_| !self.transports.contains(&Transport::Mix))
        {
            return refuse("mix", mix.to_string(), "it takes --transport mix");
        }
        let labels: Vec<_> = trials.into_iter().map(|trial| trial.label).collect();
        for (index, label) in labels.iter().enumerate() {
            if labels[..index].contains(label) {
                return refuse("transport", label.to_string(), "each can be asked for once");
            }
        }
        Ok(())
    }
}

pub(crate) fn refuse(flag: &'static str, value: String, allowed: &str) -> Result<(), OptionsError> {
    Err(OptionsError { flag, value, allowed: allowed.to_owned() })
}

/// A number as people write it: not with three hundred digits.
fn shown(number: f64) -> String {
    if number.abs() < 1e15 { number.to_string() } else { format!("{number:e}") }
}

#[cfg(test)]
mod tests;
