//! Seed ranges as Rust writes them: `0..200`.

use std::ops::Range;
use std::str::FromStr;

/// A range of seeds, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) Range<u64>);

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
    pub(crate) fn len(&self) -> u64 {
        self.0.end - self.0.start
    }
}
