//! What a client accepts: media types and codings (RFC 9110, section 12.5).

use std::cmp::Ordering;

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName};

use crate::fields;

/// Each media range of `Accept` without its parameters, with its quality from 0 to 1.
pub(crate) fn ranges(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], f32)> {
    weighted(headers, ACCEPT)
}

/// Each element of such a field without its parameters, with its quality from 0 to 1 (section 12.4.2).
pub(crate) fn weighted(
    headers: &HeaderMap,
    name: HeaderName,
) -> impl Iterator<Item = (&[u8], f32)> {
    fields::elements(headers, name).map(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        (name, parts.find_map(weight).unwrap_or(1.0))
    })
}

/// Quality of a media type: that of the most specific range that it is in, and 0 where it is in none.
/// Without `Accept` it is 1 (section 12.5.1).
pub(crate) fn quality(headers: &HeaderMap, media_type: &str) -> f32 {
    let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
    let specificity = |range: &[u8]| {
        let ranges = [b"*/*".to_vec(), format!("{kind}/*").into_bytes(), media_type.into()];
        ranges.iter().position(|known| range.eq_ignore_ascii_case(known))
    };
    let found = ranges(headers).filter_map(|(name, quality)| Some((specificity(name)?, quality)));
    let best = found.max_by(|(one, low), (other, high)| {
        one.cmp(other).then(low.partial_cmp(high).unwrap_or(Ordering::Equal))
    });
    let is_any = ranges(headers).next().is_none();
    best.map_or(if is_any { 1.0 } else { 0.0 }, |(_, quality)| quality)
}

/// The value of a parameter that is a weight; 0 where it is no number.
fn weight(parameter: &[u8]) -> Option<f32> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    Some(std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(0.0))
}
