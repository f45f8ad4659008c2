//! Whole numbers as they stand on the wire: 0 to 2^53 - 1, which is what JSON holds exactly in
//! every language (RFC 7493, section 2.2).
//!
//! JSON knows one kind of number, so `7`, `7.0` and `7e0` are the same, and libraries of languages
//! that know one kind themselves write any of them. A query is digits. Nothing is rounded.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::Seq;

/// The highest number that is not refused.
pub const WHOLE_MAX: u64 = (1 << 53) - 1;

/// A number of a JSON document.
pub(crate) fn in_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    // What is not told apart is asked for as the more general one.
    deserializer.deserialize_f64(Whole)
}

/// A number of a query.
pub fn in_query<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Whole.visit_u64(u64::deserialize(deserializer)?)
}

/// A cursor of a query, which may be one that can be missing.
pub fn seq_in_query<'de, D: Deserializer<'de>, T: From<Seq>>(
    deserializer: D,
) -> Result<T, D::Error> {
    in_query(deserializer).map(|number| Seq(number).into())
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 0 to {WHOLE_MAX}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        let refused = || E::invalid_value(Unexpected::Unsigned(number), &self);
        if number <= WHOLE_MAX { Ok(number) } else { Err(refused()) }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        let refused = |_| E::invalid_value(Unexpected::Signed(number), &self);
        u64::try_from(number).map_err(refused).and_then(|number| self.visit_u64(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<u64, E> {
        // Every whole number up to here has a float of its own, so the way back is exact.
        let is_whole = number.fract() == 0.0 && (0.0..=WHOLE_MAX as f64).contains(&number);
        let refused = || E::invalid_value(Unexpected::Float(number), &self);
        if is_whole { Ok(number as u64) } else { Err(refused()) }
    }
}
