//! Media types that a client accepts (RFC 9110, section 12.5.1).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use crate::fields;

/// Each media range of `Accept` without its parameters, with its quality from 0 to 1 (section 12.4.2).
pub(crate) fn ranges(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], f32)> {
    fields::elements(headers, ACCEPT).map(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        (name, parts.find_map(weight).unwrap_or(1.0))
    })
}

/// The value of a parameter that is a weight; 0 where it is no number.
fn weight(parameter: &[u8]) -> Option<f32> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    Some(std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(0.0))
}
