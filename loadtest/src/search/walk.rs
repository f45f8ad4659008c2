//! Which load a search tries next.
//!
//! It doubles the load until the bound breaks, then halves the interval between the highest load
//! that held and the lowest that did not, on a logarithmic scale, until they are near enough, and
//! tries the answer once more: near the knee a single measurement may be luck. A load at which the
//! generator was the limit is tried again; when it is the limit again, the search goes on below.

use std::ops::RangeInclusive;

use reports::knee::{Outcome, PRECISION};

/// Loads of one search: halving a doubling down to the precision takes four of them.
const PROBES_MAX: usize = 24;
/// How often a load at which the generator was the limit is tried.
const TRIES_MAX: usize = 2;

/// A search under way.
#[derive(Debug)]
pub(super) struct Walk {
    /// What may be tried.
    range: RangeInclusive<f64>,
    /// Loads are multiples of this.
    grain: f64,
    /// What is tried now.
    at: f64,
    /// Loads that held, rising.
    held: Vec<f64>,
    /// The lowest that did not.
    broken: Option<f64>,
    /// How often the generator has been the limit at this load.
    undecided: usize,
    /// The highest that held has held twice.
    is_confirmed: bool,
    probes: usize,
}

impl Walk {
    pub(super) fn new(first: f64, range: RangeInclusive<f64>, grain: f64) -> Self {
        Self {
            range,
            grain,
            at: first,
            held: Vec::new(),
            broken: None,
            undecided: 0,
            is_confirmed: false,
            probes: 0,
        }
    }

    /// The load to try; none when the search is over. What came of it is to be told before the next.
    pub(super) fn next(&mut self) -> Option<f64> {
        if self.probes == PROBES_MAX {
            return None;
        }
        let (least, most) = (self.rounded(*self.range.start()), self.rounded(*self.range.end()));
        if self.undecided == 0 {
            self.at = match (self.held.last().copied(), self.broken) {
                (None, None) => self.rounded(self.at).clamp(least, most.max(least)),
                (Some(held), None) if held < most => (2.0 * held).min(most),
                (None, Some(broken)) if broken > least => self.rounded(broken / 2.0).max(least),
                (None, Some(_)) => return None,
                (Some(held), None) => self.confirm(held)?,
                (Some(held), Some(broken)) => {
                    let middle = self.rounded((held * broken).sqrt());
                    let is_near = broken <= held * (1.0 + PRECISION);
                    let is_between = held < middle && middle < broken;
                    if is_near || !is_between { self.confirm(held)? } else { middle }
                }
            };
        }
        self.probes += 1;
        Some(self.at)
    }

    fn confirm(&self, held: f64) -> Option<f64> {
        (!self.is_confirmed).then_some(held)
    }

    /// Takes down what came of the load that was tried.
    pub(super) fn tell(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Undecided if self.undecided + 1 < TRIES_MAX => self.undecided += 1,
            Outcome::Undecided | Outcome::Broken => {
                self.undecided = 0;
                self.broken = Some(self.at);
                self.held.retain(|held| *held < self.at);
                self.is_confirmed = false;
            }
            Outcome::Held => {
                self.undecided = 0;
                self.is_confirmed = self.held.last() == Some(&self.at);
                if !self.is_confirmed {
                    self.held.push(self.at);
                }
            }
        }
    }

    fn rounded(&self, load: f64) -> f64 {
        (load / self.grain).round().max(1.0) * self.grain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loads that are tried where `outcome` says what comes of each, and the answer.
    fn walk(mut walk: Walk, mut outcome: impl FnMut(f64) -> Outcome) -> (Vec<f64>, Option<f64>) {
        let mut tried = Vec::new();
        while let Some(load) = walk.next() {
            tried.push(load);
            walk.tell(outcome(load));
        }
        (tried, walk.held.last().copied())
    }

    fn from(first: f64) -> Walk {
        Walk::new(first, 120.0..=1e6, 1.0)
    }

    fn up_to(limit: f64) -> impl Fn(f64) -> Outcome {
        move |load| if load <= limit { Outcome::Held } else { Outcome::Broken }
    }

    #[test]
    fn the_knee_is_found_to_five_per_cent_from_below_and_from_above() {
        for first in [500.0, 40_000.0] {
            for limit in [333.0, 1_000.0, 5_431.0, 39_999.0, 123_456.0] {
                let (tried, found) = walk(from(first), up_to(limit));
                let found = found.expect("a load that holds");
                assert!(
                    found <= limit && limit < found * (1.0 + PRECISION) + 1.0,
                    "{limit}: {found}"
                );
                assert!(tried.len() <= 16, "{limit}: {tried:?}");
            }
        }
    }

    #[test]
    fn the_answer_is_measured_twice() {
        let (tried, found) = walk(from(500.0), up_to(2_100.0));
        let answer = found.expect("a load that holds");
        assert_eq!(tried.iter().filter(|load| **load == answer).count(), 2, "{tried:?}");
    }

    #[test]
    fn an_answer_that_does_not_hold_again_is_no_answer() {
        let mut lucky = true;
        let (tried, found) = walk(from(1_000.0), |load| match load {
            1_000.0 => Outcome::Held,
            _ if load < 1_300.0 && std::mem::take(&mut lucky) => Outcome::Held,
            _ => Outcome::Broken,
        });
        assert_eq!(found, Some(1_000.0), "{tried:?}");
    }

    #[test]
    fn nothing_holds_and_it_ends_at_the_least() {
        let (tried, found) = walk(from(500.0), |_| Outcome::Broken);
        assert_eq!((tried, found), (vec![500.0, 250.0, 125.0, 120.0], None));
    }

    #[test]
    fn everything_holds_and_it_ends_at_the_most() {
        let most = Walk::new(500.0, 120.0..=3_000.0, 1.0);
        let (tried, found) = walk(most, |_| Outcome::Held);
        assert_eq!(
            (tried, found),
            (vec![500.0, 1_000.0, 2_000.0, 3_000.0, 3_000.0], Some(3_000.0))
        );
    }

    #[test]
    fn where_the_generator_is_the_limit_twice_the_search_goes_on_below() {
        let (tried, found) = walk(from(1_000.0), |load| match load {
            _ if load <= 2_000.0 => Outcome::Held,
            _ => Outcome::Undecided,
        });
        assert_eq!(tried[..4], [1_000.0, 2_000.0, 4_000.0, 4_000.0]);
        assert_eq!(found, Some(2_000.0));
    }

    #[test]
    fn people_come_in_pairs() {
        let people = Walk::new(100.0, 2.0..=20_000.0, 2.0);
        let (tried, found) = walk(people, up_to(777.0));
        assert!(tried.iter().all(|load| load % 2.0 == 0.0), "{tried:?}");
        assert!((738.0..=777.0).contains(&found.expect("a load that holds")));
    }
}
