//! Lengths of time as people write them: `500ms`, `10s`, `1m30s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time that is read and written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// Units from the largest to the smallest, with their length in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Longer ones, of thirty thousand years, could not be told from their neighbours.
const MS_MAX: f64 = 1e15;

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || format!("`{text}` is no length of time; write 500ms, 10s or 1m30s");
        let mut total_ms = 0.0;
        let mut rest = text;
        while !rest.is_empty() {
            let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
            let (unit, after) = split(after, |c| c.is_ascii_alphabetic());
            let number: f64 = number.parse().map_err(|_| malformed())?;
            let (_, unit_ms) =
                UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
            total_ms += number * unit_ms as f64;
            rest = after;
        }
        if text.is_empty() || total_ms > MS_MAX {
            return Err(malformed());
        }
        // Taken apart first: as seconds, a long time has no room for its milliseconds.
        let rest_ms = total_ms.fract() / 1_000.0;
        let rest = Duration::try_from_secs_f64(rest_ms).map_err(|_| malformed())?;
        Ok(Self(Duration::from_millis(total_ms.trunc() as u64) + rest))
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest_ms = self.0.as_millis();
        if rest_ms == 0 {
            return f.write_str("0s");
        }
        for (unit, unit_ms) in UNITS {
            let count = rest_ms / u128::from(unit_ms);
            rest_ms %= u128::from(unit_ms);
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_back() {
        for (text, ms) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("1s250ms", 1_250),
            ("15827h59m3ms", 56_980_740_003),
        ] {
            let span: Span = text.parse().expect("a length of time");
            assert_eq!(span.0, Duration::from_millis(ms));
            assert_eq!(span.to_string(), text);
        }
        assert_eq!("1.5s".parse(), Ok(Span(Duration::from_millis(1_500))));
    }

    #[test]
    fn what_has_no_unit_or_no_number_is_refused_with_examples() {
        for text in ["", "10", "s", "-1s", "10 s", "10parsecs", "1..2s", "9999999999h"] {
            let error = text.parse::<Span>().expect_err("no length of time");
            assert!(error.contains("10s or 1m30s"), "{error}");
        }
    }
}
