//! Seed ranges as Rust writes them: `0..200`.

use std::ops::Range;
use std::str::FromStr;

/// A range of seeds, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds(
    /// The seeds.
    pub Range<u64>,
);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no range of seeds; write A..B with A below B, as 0..200");
        let (start, end) = text.split_once("..").ok_or_else(bad)?;
        let start = start.parse().map_err(|_| bad())?;
        let end = end.parse().map_err(|_| bad())?;
        if start < end { Ok(Self(start..end)) } else { Err(bad()) }
    }
}

impl std::fmt::Display for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.0.start, self.0.end)
    }
}

impl Seeds {
    /// Number of seeds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.end - self.0.start
    }

    /// This range and the ones behind it, disjoint and of the same length; none where the last one would
    /// end beyond the largest seed.
    #[must_use]
    pub fn repeated(&self, ranges: u64) -> Option<Vec<Self>> {
        let start = |range: u64| self.0.start.checked_add(range.checked_mul(self.count())?);
        (0..ranges).map(|range| Some(Self(start(range)?..start(range + 1)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_ranges_are_disjoint_and_of_one_length() {
        let seeds: Seeds = "10..30".parse().expect("a range");
        let ranges = seeds.repeated(3).expect("there are so many seeds");
        let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
        assert_eq!(ranges, ["10..30", "30..50", "50..70"]);
        assert_eq!(Seeds(0..u64::MAX).repeated(2), None);
        for nonsense in ["5..5", "5..2", "7", "a..b"] {
            assert!(nonsense.parse::<Seeds>().is_err(), "{nonsense}");
        }
    }
}
