//! Safe integers: the numbers of the wire are whole and from 0 to 2^53 - 1, which JSON holds exactly in
//! every language (RFC 7493, section 2.2).
//!
//! JSON has one number type, so `7`, `7.0` and `7e0` are equal, and libraries of languages with one
//! number type write any of them. A query has digits only. Nothing is rounded.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::Seq;

/// The largest safe integer, 2^53 - 1.
pub const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Deserializes a safe integer of a JSON document.
pub(crate) fn in_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    // The visitor takes integers and floats; `f64` is the more general hint.
    deserializer.deserialize_f64(SafeInteger)
}

/// Deserializes a safe integer of a query string.
///
/// # Errors
///
/// The value is not made of digits, or above [`SAFE_INTEGER_MAX`].
pub fn in_query<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    SafeInteger.visit_u64(u64::deserialize(deserializer)?)
}

/// Deserializes a [`Seq`] of a query string, also into an `Option`.
///
/// # Errors
///
/// As [`in_query`].
pub fn seq_in_query<'de, D: Deserializer<'de>, T: From<Seq>>(
    deserializer: D,
) -> Result<T, D::Error> {
    in_query(deserializer).map(|number| Seq(number).into())
}

struct SafeInteger;

impl Visitor<'_> for SafeInteger {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 0 to {SAFE_INTEGER_MAX}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        let refused = || E::invalid_value(Unexpected::Unsigned(number), &self);
        if number <= SAFE_INTEGER_MAX { Ok(number) } else { Err(refused()) }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        let refused = |_| E::invalid_value(Unexpected::Signed(number), &self);
        u64::try_from(number).map_err(refused).and_then(|number| self.visit_u64(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<u64, E> {
        // Each safe integer has a float of its own, so the cast is exact.
        let is_safe = number.fract() == 0.0 && (0.0..=SAFE_INTEGER_MAX as f64).contains(&number);
        let refused = || E::invalid_value(Unexpected::Float(number), &self);
        if is_safe { Ok(number as u64) } else { Err(refused()) }
    }
}
