//! The open loop: when each person says each message, decided before the first one is said.
//!
//! Times are absolute. A slow answer therefore never delays what comes after it, and a server
//! that freezes for a second is charged for every message that was due in that second. Nothing
//! here waits, and nothing here looks at a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How the messages of one person are spread over time.
///
/// Poisson is the default, because people do not keep time. It matters most for short polling: a
/// person who speaks exactly every second poll would meet the partner's poll at the same distance
/// every time, and the run would sample as many distances as there are people; random gaps sample
/// them all. Even spacing is for looking at the server without the bursts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Exponential gaps around the same rate for everybody.
    #[default]
    Poisson,
    /// Equal gaps; the people's phases are spread evenly and dealt out at random.
    Even,
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poisson => "poisson",
            Self::Even => "even",
        })
    }
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "poisson" => Ok(Self::Poisson),
            "even" => Ok(Self::Even),
            other => Err(format!("`{other}` is none of poisson, even")),
        }
    }
}

/// One message that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When, in microseconds since the schedule began.
    pub at_us: u64,
    /// Whose message it is.
    pub person: u32,
    /// Which of that person's messages it is; the first one is 0.
    pub number: u32,
}

/// Everything that will be said in a run, in the order in which it is due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Rising times; ties in the order of the people.
    pub due: Vec<Due>,
    /// How many people it is for.
    pub people: u32,
}

impl Schedule {
    /// A schedule for `people` who say `rate_per_s` messages a second together, for `length`.
    ///
    /// A person's times depend on the seed, the person and the person's own rate, and not on how
    /// many others there are (Poisson), so a larger run repeats the smaller one and adds to it.
    #[must_use]
    pub fn new(
        arrivals: Arrivals,
        people: u32,
        rate_per_s: f64,
        length: Duration,
        seed: u64,
    ) -> Self {
        let gap_us = f64::from(people) / rate_per_s * 1e6;
        let length_us = length.as_secs_f64() * 1e6;
        let mut due: Vec<Due> = match arrivals {
            Arrivals::Poisson => poisson(people, gap_us, length_us, seed),
            Arrivals::Even => even(people, gap_us, length_us, seed),
        };
        due.sort_unstable();
        Self { due, people }
    }

    /// The times of each person, in microseconds since the schedule began.
    #[must_use]
    pub fn by_person(&self) -> Vec<Vec<u64>> {
        let mut times = vec![Vec::new(); self.people as usize];
        for due in &self.due {
            times[due.person as usize].push(due.at_us);
        }
        times
    }
}

fn poisson(people: u32, gap_us: f64, length_us: f64, seed: u64) -> Vec<Due> {
    let mut due = Vec::new();
    for person in 0..people {
        let mut random = stream(seed, u64::from(person));
        let gaps = std::iter::repeat_with(move || exponential(&mut random, gap_us));
        let times = gaps.scan(0.0, |at, gap| {
            *at += gap;
            Some(*at)
        });
        due.extend(numbered(person, times, length_us));
    }
    due
}

fn even(people: u32, gap_us: f64, length_us: f64, seed: u64) -> Vec<Due> {
    let mut places: Vec<u32> = (0..people).collect();
    places.shuffle(&mut stream(seed, u64::MAX));
    let mut due = Vec::new();
    for (person, place) in (0..people).zip(places) {
        let phase_us = f64::from(place) / f64::from(people) * gap_us;
        let times = (0u32..).map(|n| phase_us + f64::from(n) * gap_us);
        due.extend(numbered(person, times, length_us));
    }
    due
}

fn numbered(
    person: u32,
    times: impl Iterator<Item = f64>,
    length_us: f64,
) -> impl Iterator<Item = Due> {
    times.take_while(move |at| *at < length_us).zip(0..).map(move |(at, number)| Due {
        at_us: at as u64,
        person,
        number,
    })
}

/// One gap of a Poisson process.
pub(crate) fn exponential(random: &mut ChaCha8Rng, mean: f64) -> f64 {
    let uniform: f64 = random.random();
    -(1.0 - uniform).ln() * mean
}

/// A generator of its own for each person, so that no person's times depend on another's.
pub(crate) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_S: Duration = Duration::from_secs(10);

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        for arrivals in [Arrivals::Poisson, Arrivals::Even] {
            let first = Schedule::new(arrivals, 50, 25.0, TEN_S, 7);
            assert_eq!(first, Schedule::new(arrivals, 50, 25.0, TEN_S, 7));
            assert_ne!(first, Schedule::new(arrivals, 50, 25.0, TEN_S, 8));
        }
    }

    #[test]
    fn even_arrivals_offer_exactly_the_rate() {
        let schedule = Schedule::new(Arrivals::Even, 100, 50.0, TEN_S, 1);
        assert_eq!(schedule.due.len(), 500);
    }

    #[test]
    fn poisson_arrivals_offer_the_rate_within_four_standard_deviations() {
        let schedule = Schedule::new(Arrivals::Poisson, 1_000, 500.0, TEN_S, 1);
        let count = schedule.due.len() as f64;
        assert!((count - 5_000.0).abs() < 4.0 * 5_000f64.sqrt(), "{count}");
    }

    #[test]
    fn poisson_gaps_are_as_irregular_as_exponential_ones() {
        let schedule = Schedule::new(Arrivals::Poisson, 10, 1_000.0, TEN_S, 3);
        let gaps: Vec<f64> = schedule
            .by_person()
            .iter()
            .flat_map(|times| times.windows(2).map(|two| (two[1] - two[0]) as f64))
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        let variation = variance.sqrt() / mean;
        assert!((variation - 1.0).abs() < 0.1, "coefficient of variation {variation}");
    }

    #[test]
    fn everything_is_merged_in_rising_order_and_numbered_without_a_gap() {
        for arrivals in [Arrivals::Poisson, Arrivals::Even] {
            let schedule = Schedule::new(arrivals, 30, 90.0, TEN_S, 5);
            assert!(schedule.due.is_sorted());
            let mut next = [0; 30];
            for due in &schedule.due {
                assert_eq!(due.number, next[due.person as usize]);
                next[due.person as usize] += 1;
                assert!(due.at_us < 10_000_000);
            }
        }
    }

    #[test]
    fn a_larger_run_repeats_the_people_of_a_smaller_one() {
        let small = Schedule::new(Arrivals::Poisson, 10, 5.0, TEN_S, 9).by_person();
        let large = Schedule::new(Arrivals::Poisson, 20, 10.0, TEN_S, 9).by_person();
        assert_eq!(small[..], large[..10]);
    }

    #[test]
    fn even_people_do_not_speak_all_at_once() {
        let schedule = Schedule::new(Arrivals::Even, 10, 10.0, Duration::from_secs(1), 2);
        let times: Vec<u64> = schedule.due.iter().map(|due| due.at_us).collect();
        assert_eq!(times, (0..10).map(|n| n * 100_000).collect::<Vec<u64>>());
    }
}
