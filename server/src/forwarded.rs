//! For whom a proxy asks: the client's address, scheme and host, where the proxy is trusted.
//!
//! Anybody can write these headers, so they are read from right to left, from the nearest proxy
//! to the client: a proxy that is trusted is believed, and what it was told by somebody who is
//! not is not looked at.
//!
//! ```text
//!   X-Forwarded-For: made-up, client, proxy-1      from proxy-2
//!                             └──────── believed ──────┘    proxy-1 and proxy-2 are trusted
//! ```
//!
//! Only one of the two families of headers is read, because a proxy passes on the other one as
//! the client wrote it: `X-Forwarded-For`, `-Proto`, `-Host`, or `Forwarded` (RFC 7239).

mod element;

use std::fmt;
use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::config::Network;

/// The headers in which proxies say for whom they ask.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded`, as in RFC 7239.
    Forwarded,
}

impl fmt::Display for ForwardedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XForwarded => "x-forwarded",
            Self::Forwarded => "forwarded",
        })
    }
}

/// Client of a request, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// `http` or `https`, as the client speaks to the first proxy; none where no proxy said so.
    pub(crate) scheme: Option<&'static str>,
    /// What the client asked for; none where no proxy said so.
    pub(crate) host: Option<String>,
}

impl Client {
    /// Client that is connected without a proxy.
    pub(crate) fn direct(address: IpAddr) -> Self {
        Self { address, scheme: None, host: None }
    }

    /// True when the client speaks TLS with a proxy.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Some("https")
    }
}

/// True when this address is a proxy that is believed.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(&address.to_canonical()))
}

/// Client for which the trusted proxy at `peer` sends these headers.
pub(crate) fn client(
    peer: IpAddr,
    headers: &HeaderMap,
    by: ForwardedBy,
    trusted: &[Network],
) -> Client {
    match by {
        ForwardedBy::XForwarded => x_forwarded(peer, headers, trusted),
        ForwardedBy::Forwarded => forwarded(peer, headers, trusted),
    }
}

fn x_forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> Client {
    let nearest = |name| elements(headers, name).next().and_then(|element| element);
    let mut client = Client {
        address: peer,
        scheme: nearest("x-forwarded-proto").and_then(scheme),
        host: nearest("x-forwarded-host").and_then(host),
    };
    for element in elements(headers, "x-forwarded-for") {
        let Some(address) = element.and_then(address) else { break };
        client.address = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

/// Each element is what one proxy saw; the last one that is believed saw the client.
fn forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> Client {
    let mut client = Client::direct(peer);
    let lines = headers.get_all(FORWARDED).iter().rev();
    for element in lines.flat_map(|line| element::all(line.as_bytes()).into_iter().rev()) {
        let Some(element) = element else { break };
        client.scheme = element.proto.as_deref().and_then(scheme);
        client.host = element.host.as_deref().and_then(host);
        let Some(address) = element.node.as_deref().and_then(address) else { break };
        client.address = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

/// Elements of a list that may be spread over several lines, the last one first, without the empty
/// ones (RFC 9110, section 5.6.1); none for an element that is not UTF-8.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = Option<&'a str>> {
    let lines = headers.get_all(name).iter().rev();
    let elements = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let elements = elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty());
    elements.map(|element| std::str::from_utf8(element).ok())
}

/// Scheme of HTTP that a proxy names. Proxies name the scheme of a WebSocket for an upgrade; a scheme
/// that is neither says nothing.
fn scheme(text: &str) -> Option<&'static str> {
    let is_any_of = |names: [&str; 2]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
    match () {
        () if is_any_of(["https", "wss"]) => Some("https"),
        () if is_any_of(["http", "ws"]) => Some("http"),
        () => None,
    }
}

/// Host that a proxy names, unless it cannot be one.
fn host(text: &str) -> Option<String> {
    crate::host::is_host(text).then(|| text.to_owned())
}

/// Address that may be followed by a port, in digits or obfuscated (RFC 7239, section 6), and is in
/// brackets then where it is IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let without_port = match text.rsplit_once(':') {
        Some((node, port)) if is_port(port) => node,
        _ => text,
    };
    let bracketed = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let of_version_4 = |text: &str| text.parse().ok().map(IpAddr::V4);
    let address = text.parse::<IpAddr>().ok().or_else(|| bracketed(text).map(IpAddr::V6));
    let address = address.or_else(|| bracketed(without_port).map(IpAddr::V6));
    Some(address.or_else(|| of_version_4(without_port))?.to_canonical())
}

fn is_port(text: &str) -> bool {
    let is_obfuscated = text.starts_with('_');
    let is_of_port = |byte: u8| match is_obfuscated {
        true => byte.is_ascii_alphanumeric() || b"._-".contains(&byte),
        false => byte.is_ascii_digit(),
    };
    (is_obfuscated || text.len() <= 5) && !text.is_empty() && text.bytes().all(is_of_port)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use expect_test::{Expect, expect};

    use super::*;

    /// From a proxy at 10.0.0.1, where 10.0.0.0/8 and fd00::/8 are trusted.
    fn check(by: ForwardedBy, headers: &[(&'static str, &'static str)], expected: Expect) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("one"));
        let client = client(IpAddr::from([10, 0, 0, 1]), &map, by, &trusted);
        let Client { address, scheme, host } = client;
        let (scheme, host) = (scheme.unwrap_or("?"), host.as_deref().unwrap_or("?"));
        expected.assert_eq(&format!("{address} {scheme} {host}"));
    }

    #[test]
    fn the_client_is_the_last_one_who_is_no_proxy_of_ours() {
        let check = |value, expected| {
            check(ForwardedBy::XForwarded, &[("x-forwarded-for", value)], expected)
        };
        check("203.0.113.9", expect!["203.0.113.9 ? ?"]);
        check("198.51.100.1, 203.0.113.9", expect!["203.0.113.9 ? ?"]);
        check("198.51.100.1, 203.0.113.9, 10.2.3.4", expect!["203.0.113.9 ? ?"]);
        check("203.0.113.9:4711, fd00::2", expect!["203.0.113.9 ? ?"]);
        check("[2001:db8::1]:4711", expect!["2001:db8::1 ? ?"]);
        check("::ffff:203.0.113.9", expect!["203.0.113.9 ? ?"]);
    }

    #[test]
    fn what_is_no_address_is_the_end_of_what_is_believed() {
        let check = |value, expected| {
            check(ForwardedBy::XForwarded, &[("x-forwarded-for", value)], expected)
        };
        check("", expect!["10.0.0.1 ? ?"]);
        check("203.0.113.9, unknown", expect!["10.0.0.1 ? ?"]);
        check("203.0.113.9, unknown, 10.2.3.4", expect!["10.2.3.4 ? ?"]);
        check("10.2.3.4", expect!["10.2.3.4 ? ?"]);
    }

    #[test]
    fn element_that_is_not_utf8_ends_what_is_believed() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(b"198.51.100.1, \xe9, 203.0.113.9");
        headers.append("x-forwarded-for", value.expect("a value of bytes"));
        let client = client(IpAddr::from([10, 0, 0, 1]), &headers, ForwardedBy::XForwarded, &[]);
        assert_eq!(client.address, IpAddr::from([203, 0, 113, 9]));
    }

    #[test]
    fn a_list_may_be_spread_over_headers() {
        check(
            ForwardedBy::XForwarded,
            &[
                ("x-forwarded-for", "198.51.100.1"),
                ("x-forwarded-for", "203.0.113.9"),
                ("x-forwarded-proto", "http, https"),
                ("x-forwarded-host", "chat.example.org"),
            ],
            expect!["203.0.113.9 https chat.example.org"],
        );
    }

    #[test]
    fn forwarded_says_everything_in_one_element() {
        let value = "for=198.51.100.1;proto=http;host=evil, \
                     For=\"[2001:db8::1]:4711\"; Proto=https; host=\"chat.example.org\", \
                     for=10.2.3.4;proto=http;host=inner";
        check(
            ForwardedBy::Forwarded,
            &[("forwarded", value)],
            expect!["2001:db8::1 https chat.example.org"],
        );
        check(ForwardedBy::Forwarded, &[("forwarded", "for=_hidden")], expect!["10.0.0.1 ? ?"]);
    }

    #[test]
    fn scheme_of_a_websocket_is_that_of_http() {
        let forwarded = [("forwarded", "for=203.0.113.9;proto=wss")];
        check(ForwardedBy::Forwarded, &forwarded, expect!["203.0.113.9 https ?"]);
        let check = |value, expected| {
            check(ForwardedBy::XForwarded, &[("x-forwarded-proto", value)], expected)
        };
        check("wss", expect!["10.0.0.1 https ?"]);
        check("ws", expect!["10.0.0.1 http ?"]);
        check("HTTPS", expect!["10.0.0.1 https ?"]);
        check("http, WSS", expect!["10.0.0.1 https ?"]);
        check("https,", expect!["10.0.0.1 https ?"]);
        check("gopher", expect!["10.0.0.1 ? ?"]);
        check("", expect!["10.0.0.1 ? ?"]);
    }

    #[test]
    fn host_that_cannot_be_one_is_not_believed() {
        let check = |value, expected| {
            check(ForwardedBy::XForwarded, &[("x-forwarded-host", value)], expected)
        };
        check("chat.example.org:8443", expect!["10.0.0.1 ? chat.example.org:8443"]);
        check("", expect!["10.0.0.1 ? ?"]);
        check("u@chat.example.org", expect!["10.0.0.1 ? ?"]);
        check("a b", expect!["10.0.0.1 ? ?"]);
    }

    #[test]
    fn element_within_quotes_is_not_an_element() {
        let check =
            |value, expected| check(ForwardedBy::Forwarded, &[("forwarded", value)], expected);
        check(
            r#"for=203.0.113.9;host="x,for=198.51.100.1""#,
            expect!["203.0.113.9 ? x,for=198.51.100.1"],
        );
        check(
            r#"for=203.0.113.9;host="x;for=198.51.100.1""#,
            expect!["203.0.113.9 ? x;for=198.51.100.1"],
        );
        check(r#"for="203.0.113.9:_port";proto="ht\tps""#, expect!["203.0.113.9 https ?"]);
        // What a client leaves open makes the element of the proxy unreadable, and not another's.
        check(r#"for=198.51.100.1;x=", for=203.0.113.9"#, expect!["10.0.0.1 ? ?"]);
        check(r#"for=198.51.100.1;x=", for="[2001:db8::1]""#, expect!["10.0.0.1 ? ?"]);
    }

    #[test]
    fn only_one_family_of_headers_is_read() {
        let headers = [("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=203.0.113.2")];
        check(ForwardedBy::XForwarded, &headers, expect!["203.0.113.1 ? ?"]);
        check(ForwardedBy::Forwarded, &headers, expect!["203.0.113.2 ? ?"]);
    }
}
