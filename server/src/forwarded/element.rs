//! The elements of a `Forwarded` field (RFC 7239, section 4), with quoted strings as RFC 9110,
//! section 5.6.4, has them.
//!
//! ```text
//!   for=192.0.2.60;proto=https;host="a,b", for="[2001:db8::1]:4711"
//!   └─────────────── element ──────────┘   └────── element ───────┘
//! ```
//!
//! A comma or a semicolon within quotes separates nothing. An element that does not follow the
//! grammar is none, and what follows it begins behind the next comma; a quotation that is never
//! closed takes the rest of the line with it. Nothing is judged here but the grammar.

/// What one proxy says of the request that it passes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// `for`
    pub(super) node: Option<String>,
    pub(super) proto: Option<String>,
    pub(super) host: Option<String>,
}

/// An element that does not follow the grammar; the rest of the line from where that was seen.
struct Malformed<'a>(&'a [u8]);

/// Elements of one line, from left to right, without the empty ones; none for one that is malformed.
pub(super) fn all(line: &[u8]) -> Vec<Option<Element>> {
    let mut elements = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix(b",") {
            rest = behind.trim_ascii_start();
            continue;
        }
        rest = match element(rest) {
            Ok((element, behind)) => {
                elements.push(Some(element));
                behind
            }
            Err(Malformed(behind)) => {
                elements.push(None);
                let comma = behind.iter().position(|byte| *byte == b',');
                &behind[comma.unwrap_or(behind.len())..]
            }
        };
    }
    elements
}

/// Pairs up to a comma or the end of the line, neither of which is taken.
fn element(mut rest: &[u8]) -> Result<(Element, &[u8]), Malformed<'_>> {
    let mut element = Element::default();
    let mut names: Vec<&[u8]> = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        match rest.first() {
            None | Some(b',') => return Ok((element, rest)),
            Some(b';') => rest = &rest[1..],
            Some(_) => {
                let (name, value, behind) = pair(rest)?;
                if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    return Err(Malformed(behind));
                }
                names.push(name);
                if let Some(parameter) = element.parameter(name) {
                    *parameter = Some(String::from_utf8(value).map_err(|_| Malformed(behind))?);
                }
                rest = behind.trim_ascii_start();
                if !matches!(rest.first(), None | Some(b',' | b';')) {
                    return Err(Malformed(rest));
                }
            }
        }
    }
}

impl Element {
    fn parameter(&mut self, name: &[u8]) -> Option<&mut Option<String>> {
        let mut parameters =
            [(&b"for"[..], &mut self.node), (b"proto", &mut self.proto), (b"host", &mut self.host)]
                .into_iter();
        let known = parameters.find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, parameter)| parameter)
    }
}

/// Name, value without its quotes, and what stands behind them.
type Pair<'a> = (&'a [u8], Vec<u8>, &'a [u8]);

/// Takes one `name=value`.
fn pair(text: &[u8]) -> Result<Pair<'_>, Malformed<'_>> {
    let end = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let value = rest.strip_prefix(b"=").filter(|_| !name.is_empty()).ok_or(Malformed(rest))?;
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let (value, rest) = unquote(quoted).ok_or(Malformed(b""))?;
        return Ok((name, value, rest));
    }
    // Proxies leave the quotes away that an address with a port must have.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\",;".contains(&byte);
    let end = value.iter().position(|byte| !is_plain(*byte)).unwrap_or(value.len());
    let (value, rest) = value.split_at(end);
    if value.is_empty() { Err(Malformed(rest)) } else { Ok((name, value.to_vec(), rest)) }
}

/// What stands within quotes, without its escapes, and what stands behind the closing one; none where
/// there is no such.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut bytes = text.iter().enumerate();
    loop {
        match bytes.next()? {
            (at, b'"') => return Some((value, &text[at + 1..])),
            (_, b'\\') => value.push(*bytes.next()?.1),
            (_, byte) => value.push(*byte),
        }
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(line: &str, expected: Expect) {
        let elements = all(line.as_bytes()).into_iter().map(|element| {
            let Some(Element { node, proto, host }) = element else {
                return "malformed".to_owned();
            };
            [node, proto, host].map(|value| value.unwrap_or_else(|| "-".to_owned())).join(" ")
        });
        expected.assert_eq(&elements.collect::<Vec<_>>().join(" | "));
    }

    #[test]
    fn quoted_separators_separate_nothing() {
        check(r#"for=1;host="x,for=2""#, expect!["1 - x,for=2"]);
        check(r#"for=1;host="x;for=2", for=3"#, expect!["1 - x;for=2 | 3 - -"]);
        check(r#"for="a\",for=\"b";proto=http"#, expect![[r#"a",for="b http -"#]]);
        check(r#"for="a\\", for=b"#, expect![[r"a\ - - | b - -"]]);
        check(r#"ext="a,b;c" ; FOR=1 ,, pRoTo=https"#, expect!["1 - - | - https -"]);
        check("", expect![""]);
        check(" , ,", expect![""]);
    }

    #[test]
    fn malformed_element_ends_at_the_next_comma() {
        check("for, for=2", expect!["malformed | 2 - -"]);
        check("=1, for=2", expect!["malformed | 2 - -"]);
        check("for=, for=2", expect!["malformed | 2 - -"]);
        check("for=1;for=9, for=2", expect!["malformed | 2 - -"]);
        check(r#"for="1"2, for=2"#, expect!["malformed | 2 - -"]);
        check(r#"for=1 x, for=2"#, expect!["malformed | 2 - -"]);
        check(r#"for=a"b, for=2"#, expect!["malformed | 2 - -"]);
    }

    #[test]
    fn unclosed_quotation_takes_the_rest_of_the_line() {
        check(r#"for=1, for="2, for=3"#, expect!["1 - - | malformed"]);
        check(r#"for="1\"#, expect!["malformed"]);
        // A quote that a client left open is closed by the one that the proxy opens.
        check(r#"for=9;x=", for="[2001:db8::1]""#, expect!["malformed"]);
    }
}
