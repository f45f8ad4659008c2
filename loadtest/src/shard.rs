//! One generator of several: which people are its own, and when all of them begin.
//!
//! Several generators share one crowd. Each is given the same options and knows the whole schedule,
//! which follows from the seed; each plays only its own people. They say nothing to each other:
//! they agree by their options, and by a start that each places on its own clock. The wall clock
//! is looked at once for that, and never again.
//!
//! ```text
//! shard 1/2  people 0 2 4 ...  ──┐                 ┌── 0 says, 3 hears
//! shard 2/2  people 1 3 5 ...  ──┴──> one server ──┴── 1 says, 5 hears
//!            connect, pair ......... |start: the schedule's zero, for both
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Generators of one run at most.
const SHARDS_MAX: u32 = 1_000;
/// How far ahead a start may lie: people wait connected until then.
const AHEAD_MAX: Duration = Duration::from_secs(3_600);

/// Which part of the crowd a generator plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// From 0.
    index: u32,
    of: u32,
}

impl Shard {
    /// Everybody.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Which one it is, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.index + 1
    }

    /// How many there are.
    #[must_use]
    pub fn of(self) -> u32 {
        self.of
    }

    /// True where there are no others.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// The number, from 1, of the shard that `person` belongs to.
    #[must_use]
    pub fn number_of(self, person: u32) -> u32 {
        person % self.of + 1
    }

    /// True where `person` is one of its own.
    #[must_use]
    pub fn owns(self, person: u32) -> bool {
        self.number_of(person) == self.number()
    }

    /// The place of one of its own people among them, from 0.
    #[must_use]
    pub fn place(self, person: u32) -> usize {
        (person / self.of) as usize
    }

    /// Its own people, of all.
    #[must_use]
    pub fn people(self, all: u32) -> u32 {
        all / self.of + u32::from(self.index < all % self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || format!("`{text}` is no shard; write I/N, for example 1/3, 2/3 and 3/3");
        let (number, of) = text.split_once('/').ok_or_else(malformed)?;
        let number: u32 = number.parse().map_err(|_| malformed())?;
        let of: u32 = of.parse().map_err(|_| malformed())?;
        if !(1..=SHARDS_MAX).contains(&of) || !(1..=of).contains(&number) {
            return Err(format!("`{text}` is no shard; I is 1 to N, and N is 1 to {SHARDS_MAX}"));
        }
        Ok(Self { index: number - 1, of })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number(), self.of)
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

/// When a schedule begins, as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StartAt {
    /// RFC 3339.
    At(Timestamp),
    /// The nearest time of that day, UTC.
    TimeOfDay(Time),
}

impl StartAt {
    /// The instant that is meant, seen from `now`.
    ///
    /// # Errors
    ///
    /// It is over, or more than an hour ahead.
    pub fn resolve(self, now: Timestamp) -> Result<Timestamp, String> {
        let start = match self {
            Self::At(start) => start,
            Self::TimeOfDay(time) => nearest(time, now),
        };
        let ahead = start.duration_since(now);
        if ahead.is_negative() || ahead.is_zero() {
            return Err(format!("{start:.0} is over, it is {now:.0}"));
        }
        if ahead.unsigned_abs() > AHEAD_MAX {
            return Err(format!("{start:.0} is more than an hour ahead, it is {now:.0}"));
        }
        Ok(start)
    }
}

/// That time of today, or of the day before or after where that is nearer: a run that begins a
/// minute after midnight is prepared before it.
fn nearest(time: Time, now: Timestamp) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC).date();
    let days = [-1, 0, 1].map(|days| today.saturating_add(days.days()));
    let times = days.into_iter().filter_map(|day| {
        day.to_datetime(time).to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    });
    times.min_by_key(|start| start.duration_since(now).unsigned_abs()).unwrap_or(now)
}

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_time = text.len() <= "12:00:00.000".len() && !text.contains(['T', ' ', '-']);
        let read = match is_time {
            true => text.parse().map(Self::TimeOfDay).ok(),
            false => text.parse().map(Self::At).ok(),
        };
        read.ok_or_else(|| {
            format!("`{text}` is no time; write HH:MM:SS (UTC) or 2026-01-31T12:00:00Z")
        })
    }
}

impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(start) => start.fmt(f),
            Self::TimeOfDay(time) => time.fmt(f),
        }
    }
}

impl TryFrom<String> for StartAt {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StartAt> for String {
    fn from(start: StartAt) -> Self {
        start.to_string()
    }
}

/// A start that all generators share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// As everybody's clocks show it.
    at: Timestamp,
    /// The same on the clock of this process, which never steps.
    instant: Instant,
}

impl Start {
    /// Places `at` on the monotonic clock: the one look at the wall clock.
    pub(crate) fn new(at: Timestamp) -> Self {
        let ahead = at.duration_since(Timestamp::now());
        Self { at, instant: Instant::now() + ahead.try_into().unwrap_or(Duration::ZERO) }
    }

    /// So much later.
    pub(crate) fn after(self, time: Duration) -> Self {
        let at = self.at.saturating_add(time).expect("a length of time has no calendar units");
        Self { at, instant: self.instant + time }
    }

    pub(crate) fn at(self) -> Timestamp {
        self.at
    }

    pub(crate) fn instant(self) -> Instant {
        self.instant
    }

    /// The number of the run: the same in every generator that has the same seed and start.
    pub(crate) fn run_id(self, seed: u64) -> u64 {
        crate::name::mix(seed ^ crate::name::mix(self.at.as_millisecond() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().expect("a shard")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn every_person_belongs_to_exactly_one_shard_and_has_a_place_of_their_own_there() {
        let shards = ["1/3", "2/3", "3/3"].map(shard);
        for people in 3..12 {
            for one in shards {
                let own: Vec<_> = (0..people).filter(|person| one.owns(*person)).collect();
                assert_eq!(own.len(), one.people(people) as usize);
                let places: Vec<_> = own.iter().map(|person| one.place(*person)).collect();
                assert_eq!(places, (0..own.len()).collect::<Vec<_>>());
            }
            let owners = |person| shards.iter().filter(|one| one.owns(person)).count();
            assert!((0..people).all(|person| owners(person) == 1));
        }
        assert_eq!((Shard::WHOLE.people(7), Shard::WHOLE.place(5)), (7, 5));
    }

    #[test]
    fn a_shard_is_one_of_so_many() {
        assert_eq!(shard("2/3").to_string(), "2/3");
        for text in ["", "2", "0/2", "3/2", "1/0", "1/1001", "a/b", "1/2/3", "-1/2"] {
            let error = text.parse::<Shard>().expect_err("no shard");
            assert!(error.contains("is no shard; "), "{error}");
        }
    }

    #[test]
    fn a_time_of_day_is_the_nearest_one() {
        let resolve = |text: &str, now| text.parse::<StartAt>().expect(text).resolve(at(now));
        let noon = "2026-03-01T12:00:00Z";
        assert_eq!(resolve("12:00:30", noon), Ok(at("2026-03-01T12:00:30Z")));
        let evening = "2026-03-01T23:59:40Z";
        assert_eq!(resolve("00:00:10", evening), Ok(at("2026-03-02T00:00:10Z")));
        assert_eq!(resolve("2026-03-01T13:00:30+01:00", noon), Ok(at("2026-03-01T12:00:30Z")));
    }

    #[test]
    fn a_start_that_is_over_or_far_ahead_is_refused() {
        let resolve = |text: &str| {
            let start: StartAt = text.parse().expect(text);
            start.resolve(at("2026-03-01T12:00:00Z")).expect_err(text)
        };
        let now = "it is 2026-03-01T12:00:00Z";
        assert_eq!(resolve("11:59:59"), format!("2026-03-01T11:59:59Z is over, {now}"));
        assert_eq!(resolve("12:00:00"), format!("2026-03-01T12:00:00Z is over, {now}"));
        assert_eq!(
            resolve("13:00:01"),
            format!("2026-03-01T13:00:01Z is more than an hour ahead, {now}")
        );
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples_and_what_is_one_is_written_back() {
        for text in ["", "soon", "25:00:00", "2026-03-01", "+20s", "12:00:00+01:00"] {
            let error = text.parse::<StartAt>().expect_err("no time");
            assert!(error.contains("write HH:MM:SS (UTC) or 2026-01-31T12:00:00Z"), "{error}");
        }
        for text in ["12:00:30", "2026-03-01T12:00:30Z"] {
            assert_eq!(text.parse::<StartAt>().expect(text).to_string(), text);
        }
    }

    #[tokio::test]
    async fn the_same_seed_and_start_make_the_same_run_and_others_another() {
        let start = Start::new(at("2026-03-01T12:00:00Z"));
        let again = Start::new(at("2026-03-01T12:00:00Z"));
        assert_eq!(start.run_id(1), again.run_id(1));
        assert_ne!(start.run_id(1), start.run_id(2));
        assert_ne!(start.run_id(1), start.after(Duration::from_secs(1)).run_id(1));
    }
}
