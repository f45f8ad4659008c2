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

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use clap::ValueEnum;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

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

/// Who asks, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// How the client speaks to the first proxy; none where no proxy said so.
    pub(crate) scheme: Option<String>,
    /// What the client asked for; none where no proxy said so.
    pub(crate) host: Option<String>,
}

impl Client {
    /// Somebody who is connected without a proxy.
    pub(crate) fn direct(address: IpAddr) -> Self {
        Self { address, scheme: None, host: None }
    }

    /// True when the client speaks TLS with a proxy.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
    }
}

/// True when this address is a proxy that is believed.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address.to_canonical()))
}

/// For whom the proxy at `peer`, which is trusted, asks with these headers.
pub(crate) fn client(
    peer: IpAddr,
    headers: &HeaderMap,
    by: ForwardedBy,
    trusted: &[IpNet],
) -> Client {
    match by {
        ForwardedBy::XForwarded => x_forwarded(peer, headers, trusted),
        ForwardedBy::Forwarded => forwarded(peer, headers, trusted),
    }
}

fn x_forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
    let nearest = |name| elements(headers, name).next().map(str::to_owned);
    let mut client = Client {
        address: peer,
        scheme: nearest("x-forwarded-proto"),
        host: nearest("x-forwarded-host"),
    };
    for element in elements(headers, "x-forwarded-for") {
        let Some(address) = address(element) else { break };
        client.address = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

/// Each element is what one proxy saw; the last one that is believed saw the client.
fn forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
    let mut client = Client::direct(peer);
    for element in elements(headers, FORWARDED.as_str()) {
        let parameter = |wanted: &str| {
            let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
            let found = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim_matches('"'))
        };
        client.scheme = parameter("proto").map(str::to_owned);
        client.host = parameter("host").map(str::to_owned);
        let Some(address) = parameter("for").and_then(address) else { break };
        client.address = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

/// The elements of a list that may be spread over several headers, the last one first.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().rev();
    let values = values.map(|value| value.to_str().unwrap_or_default());
    values.flat_map(|value| value.rsplit(',')).map(str::trim)
}

/// An address that may be followed by a port, and is in brackets then where it is IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse::<IpAddr>().ok().or_else(bracketed).or_else(with_port)?;
    Some(address.to_canonical())
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
        let words = [scheme, host].map(|word| word.unwrap_or_else(|| "?".to_owned()));
        expected.assert_eq(&format!("{address} {}", words.join(" ")));
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
    fn only_one_family_of_headers_is_read() {
        let headers = [("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=203.0.113.2")];
        check(ForwardedBy::XForwarded, &headers, expect!["203.0.113.1 ? ?"]);
        check(ForwardedBy::Forwarded, &headers, expect!["203.0.113.2 ? ?"]);
    }
}
