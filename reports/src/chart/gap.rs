//! A break in a logarithmic axis, where values lie in two crowds far apart: without one, a transport
//! that polls once a second leaves a corner to all others.
//!
//! ```text
//! 1 ms  |    *  *
//! 200µs | *  *        *        each crowd has the room that its number of values earns,
//!       ~~~~~~~~~~~~~~~~~      and what lies between them almost none
//! ```

use super::axis::log_steps;

/// Crowds less far apart than this factor stand on one axis.
const FACTOR_MIN: f64 = 8.0;
/// So much of the axis must be empty, by the logarithm.
const EMPTY_SHARE_MIN: f64 = 0.3;
/// What is left of it.
const GAP_SHARE: f64 = 0.08;
/// The least room of a crowd, as a share of what both have.
const CROWD_SHARE_MIN: f64 = 0.25;

/// Where an axis is broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The value at the end of the lower part.
    pub low: f64,
    /// The value at the beginning of the upper part.
    pub high: f64,
    /// Where the lower part ends, from 0 to 1.
    pub from: f64,
    /// Where the upper part begins.
    pub to: f64,
}

impl Gap {
    /// The break between the two crowds of these values; none where they are one.
    pub(super) fn between(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| *value > 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let (lowest, highest) = (*sorted.first()?, *sorted.last()?);
        let widest = |one: &usize, other: &usize| {
            let factor = |place: usize| sorted[place] / sorted[place - 1];
            factor(*one).total_cmp(&factor(*other))
        };
        let split = (1..sorted.len()).max_by(widest)?;
        let (below, above) = (sorted[split - 1], sorted[split]);
        let is_wide = above / below >= FACTOR_MIN
            && (above / below).ln() >= EMPTY_SHARE_MIN * (highest / lowest).ln();
        let (low, high) = (round_up(below), round_down(above));
        if !is_wide || high / low < 2.0 {
            return None;
        }
        let share = split as f64 / sorted.len() as f64;
        let share = share.clamp(CROWD_SHARE_MIN, 1.0 - CROWD_SHARE_MIN);
        let from = share * (1.0 - GAP_SHARE);
        Some(Self { low, high, from, to: from + GAP_SHARE })
    }
}

/// The lowest round value (1, 2 or 5 and zeros) above a value.
pub(super) fn round_up(value: f64) -> f64 {
    let rounds = log_steps(value / 10.0, value * 10.0, &[1.0, 2.0, 5.0]);
    rounds.into_iter().find(|round| *round >= value * 1.001).expect("ten times it is above it")
}

/// The highest round value below a value.
pub(super) fn round_down(value: f64) -> f64 {
    let rounds = log_steps(value / 10.0, value * 10.0, &[1.0, 2.0, 5.0]);
    let below = rounds.into_iter().rev().find(|round| *round <= value * 0.999);
    below.expect("a tenth of it is below it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_far_from_five_breaks_the_axis_and_leaves_the_five_most_of_it() {
        let gap = Gap::between(&[180.0, 183.0, 267.0, 302.0, 319.0, 511_000.0]).expect("a gap");
        assert_eq!((gap.low, gap.high), (500.0, 500_000.0));
        assert!(gap.from > 0.65 && gap.to < 0.8, "{gap:?}");
    }

    #[test]
    fn values_of_one_crowd_have_no_gap() {
        for values in [&[][..], &[5.0], &[0.0, 7.0], &[100.0, 700.0, 4_000.0]] {
            assert_eq!(Gap::between(values), None, "{values:?}");
        }
        let even: Vec<f64> = (0..8).map(|power| 10_f64.powi(power)).collect();
        assert_eq!(Gap::between(&even), None, "no step is wider than the others");
    }
}
