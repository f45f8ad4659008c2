//! How people move about: when they want another partner, and when they leave for good.
//!
//! All of it is decided before the first message is said, from the seed and the seat alone: a slow
//! server delays nobody's wish. Nothing here waits, and nothing here looks at a clock.

use std::iter::Peekable;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::schedule::{exponential, stream};

/// The streams of the seed from which wishes are drawn lie beyond those of the messages.
const SKIPS: u64 = 1 << 32;
const DEPARTURES: u64 = 2 << 32;

/// How often people move, on average; never where there is no time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Habits {
    /// From one wish for another partner to the next of the same person.
    pub skip_every: Option<Duration>,
    /// From one person's taking a seat to the next one's.
    pub stay: Option<Duration>,
    /// The seed of the schedule.
    pub seed: u64,
}

/// Rising times in microseconds on the clock of the run, without an end; none where the time that
/// they are drawn around is none.
pub type Moments = Peekable<Box<dyn Iterator<Item = u64> + Send>>;

impl Habits {
    /// True where somebody ever moves, so that somebody may be without a partner.
    #[must_use]
    pub fn move_people(&self) -> bool {
        self.skip_every.is_some() || self.stay.is_some()
    }

    /// When whoever has the seat wants another partner.
    pub fn skips(&self, seat: u32) -> Moments {
        moments(self.skip_every, self.seed, SKIPS + u64::from(seat))
    }

    /// When the seat changes hands.
    pub fn departures(&self, seat: u32) -> Moments {
        moments(self.stay, self.seed, DEPARTURES + u64::from(seat))
    }
}

fn moments(mean: Option<Duration>, seed: u64, nth: u64) -> Moments {
    let Some(mean) = mean else {
        let never: Box<dyn Iterator<Item = u64> + Send> = Box::new(std::iter::empty());
        return never.peekable();
    };
    let mean_us = mean.as_secs_f64() * 1e6;
    let mut random: ChaCha8Rng = stream(seed, nth);
    let gaps = std::iter::repeat_with(move || exponential(&mut random, mean_us));
    let times = gaps.scan(0.0, |at, gap| {
        *at += gap;
        Some(*at as u64)
    });
    let times: Box<dyn Iterator<Item = u64> + Send> = Box::new(times);
    times.peekable()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HABITS: Habits = Habits {
        skip_every: Some(Duration::from_secs(10)),
        stay: Some(Duration::from_secs(60)),
        seed: 7,
    };

    #[test]
    fn wishes_come_as_often_as_they_should_and_irregularly() {
        let times: Vec<u64> = (0..50).flat_map(|seat| HABITS.skips(seat).take(40)).collect();
        let lasts = times.chunks(40).map(|seat| seat[39] as f64).sum::<f64>();
        let mean_s = lasts / 50.0 / 40.0 / 1e6;
        assert!((mean_s - 10.0).abs() < 1.0, "{mean_s}");
        assert!(times.chunks(40).all(<[u64]>::is_sorted));
    }

    #[test]
    fn the_same_seed_gives_the_same_wishes_and_nobody_has_another_ones() {
        let first = |habits: Habits, seat| habits.skips(seat).next().expect("they have no end");
        assert_eq!(first(HABITS, 3), first(HABITS, 3));
        assert_ne!(first(HABITS, 3), first(HABITS, 4));
        assert_ne!(first(HABITS, 3), first(Habits { seed: 8, ..HABITS }, 3));
        assert_ne!(HABITS.departures(3).next(), HABITS.skips(3).next());
    }

    #[test]
    fn without_a_mean_time_nobody_ever_moves() {
        let habits = Habits::default();
        assert!(!habits.move_people());
        assert_eq!((habits.skips(0).next(), habits.departures(0).next()), (None, None));
    }
}
