//! Fields of HTTP that are lists, on one line or several (RFC 9110, sections 5.3 and 5.6.1).
//!
//! They are read as bytes: a value may hold letters other than ASCII, and one element that is not
//! understood hides no other. Nothing here knows what a field means.

use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Elements of a comma-separated list without quoted strings, without the empty ones.
pub(crate) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    separated(headers, name, b',').filter(|element| !element.is_empty())
}

/// What stands between separators, on all lines, without the white space around it.
pub(crate) fn separated(
    headers: &HeaderMap,
    name: HeaderName,
    separator: u8,
) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    lines.flat_map(move |line| line.split(move |byte| *byte == separator)).map(<[u8]>::trim_ascii)
}

/// True when a list holds this token, whose case does not matter.
pub(crate) fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// The field was sent more than once, and is not a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Several;

/// Value of a field that may be sent once.
///
/// # Errors
///
/// There are several lines of it.
pub(crate) fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, Several> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next();
    if lines.next().is_some() { Err(Several) } else { Ok(line) }
}

/// True when `If-None-Match` names this entity tag, compared weakly, or is `*` (RFC 9110, section
/// 13.1.2).
pub(crate) fn none_match_names(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let wanted = opaque(tag.as_bytes());
    headers.get_all(IF_NONE_MATCH).iter().any(|line| {
        let line = line.as_bytes().trim_ascii();
        line == b"*" || tags(line).any(|listed| listed == wanted)
    })
}

/// Opaque part of an entity tag, without its quotes.
fn opaque(tag: &[u8]) -> &[u8] {
    let quoted = tag.strip_prefix(b"W/").unwrap_or(tag);
    quoted.strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\"")).unwrap_or(quoted)
}

/// Opaque parts of the tags of one line. A tag may hold commas and backslashes, and no quotes; what
/// follows one that is malformed is not read.
fn tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        while let Some((b',' | b' ' | b'\t', behind)) = rest.split_first() {
            rest = behind;
        }
        let quoted = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        rest = &quoted[end + 1..];
        Some(&quoted[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&[u8]]) -> HeaderMap {
        let lines = lines.iter().map(|line| HeaderValue::from_bytes(line).expect("a value"));
        lines.map(|line| (name.clone(), line)).collect()
    }

    #[test]
    fn token_is_found_on_any_line_in_any_case() {
        let has = |lines: &[&[u8]]| {
            let name = axum::http::header::CONNECTION;
            has_token(&headers(name.clone(), lines), name, "upgrade")
        };
        assert!(has(&[b"Upgrade"]));
        assert!(has(&[b"keep-alive,\tUPGRADE ,"]));
        assert!(has(&[b"keep-alive", b"upgrade"]));
        assert!(has(&[b"\xe9, upgrade"]), "an element that is not understood hides no other");
        assert!(!has(&[b"upgraded", b"up grade", b""]));
    }

    #[test]
    fn entity_tag_is_found_among_others_and_compared_weakly() {
        let names = |lines: &[&[u8]]| {
            let tag = HeaderValue::from_static("W/\"abc\"");
            none_match_names(&headers(IF_NONE_MATCH, lines), &tag)
        };
        assert!(names(&[b"*"]));
        assert!(names(&[b"\"abc\""]));
        assert!(names(&[b"W/\"abc\""]));
        assert!(names(&[b"\"x\",, W/\"abc\" ,\"y\""]));
        assert!(names(&[b"\"x\"", b"\"abc\""]));
        assert!(names(&[b"\"\xe9\\\", \"abc\""]), "a backslash escapes nothing here");
        assert!(!names(&[b"\"x,\"abc\"\""]) && !names(&[b"\"a,abc,\""]));
        assert!(!names(&[b"abc"]) && !names(&[b"w/\"abc\""]) && !names(&[b"\"ABC\""]));
    }
}
