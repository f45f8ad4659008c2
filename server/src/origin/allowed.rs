//! Origins of other sites whose pages may use this server, as an operator lists them.
//!
//! | written | whose pages |
//! |---|---|
//! | `https://chat.example.org`, `http://localhost:5173` | one origin |
//! | `https://*.example.org` | each subdomain of `example.org`, at any depth; not `example.org` |
//! | `http://localhost:*` | each port of the host |
//! | `capacitor://localhost` | an app's, as its platform names them |
//! | `null` | files and frames without an origin, of anybody |
//! | `file://` | files, in platforms that name them so |
//!
//! What no browser could ever send is refused, so that a server does not start with a list that lets
//! nobody in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Origin;

/// Origin of pages without one: opaque, as the HTML standard names it.
const NULL: &str = "null";
/// Origin of files in some platforms; in browsers it is [`NULL`].
const FILE: &str = "file://";
/// Stands before the name of a site for each of its subdomains.
const SUBDOMAINS: &str = "*.";
/// Stands behind a host for each of its ports.
const ANY_PORT: &str = ":*";
/// Schemes of which no page has an origin.
const NEVER: [&str; 6] = ["about", "blob", "data", "javascript", "ws", "wss"];
/// Names of one label whose subdomains belong to one operator: RFC 6761, RFC 9476 and custom.
const PRIVATE: [&str; 5] = ["internal", "lan", "local", "localhost", "test"];

/// Origins whose pages may use this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedOrigin(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Null,
    File,
    Pages {
        /// Its host is the site where subdomains are meant, and its port none where any is.
        origin: Origin,
        subdomains: bool,
        any_port: bool,
    },
}

impl AllowedOrigin {
    /// True when the pages of the origin that is written like this are meant.
    pub(super) fn is_of(&self, text: &str, origin: Option<&Origin>) -> bool {
        match (&self.0, origin) {
            (Pattern::Null, _) => text == NULL,
            (Pattern::File, _) => text == FILE,
            (Pattern::Pages { .. }, None) => false,
            (Pattern::Pages { origin: allowed, subdomains, any_port }, Some(origin)) => {
                let is_host = if *subdomains {
                    let below = origin.host.strip_suffix(&allowed.host);
                    below.is_some_and(|below| below.len() > 1 && below.ends_with('.'))
                } else {
                    origin.host == allowed.host
                };
                is_host
                    && origin.scheme == allowed.scheme
                    && (*any_port || origin.port == allowed.port)
            }
        }
    }
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        pattern(text).map(Self).map_err(|why| {
            format!(
                "`{text}`: {why}; write SCHEME://HOST, SCHEME://HOST:PORT, SCHEME://*.HOST, \
                 SCHEME://HOST:*, null or file://"
            )
        })
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    match text {
        NULL => return Ok(Pattern::Null),
        FILE => return Ok(Pattern::File),
        "*" => return Err("all origins cannot be meant, since pages send the cookie".to_owned()),
        _ => {}
    }
    let (scheme, rest) = text.split_once("://").ok_or("an origin has a scheme")?;
    check_scheme(&scheme.to_ascii_lowercase())?;
    if let Some(at) = rest.find(['/', '?', '#']) {
        let path = &rest[at..];
        return Err(format!("an origin ends behind the host and the port, before `{path}`"));
    }
    if rest.contains('@') {
        return Err("an origin has no user".to_owned());
    }
    let without_port = rest.strip_suffix(ANY_PORT);
    let host = without_port.unwrap_or(rest);
    let site = host.strip_prefix(SUBDOMAINS);
    let origin = Origin::read(&format!("{scheme}://{}", site.unwrap_or(host)))?;
    if site.is_some() {
        check_site(&origin.host)?;
    }
    if without_port.is_some() && origin.port.is_some() {
        return Err("a host has one port".to_owned());
    }
    let (subdomains, any_port) = (site.is_some(), without_port.is_some());
    Ok(Pattern::Pages { origin, subdomains, any_port })
}

fn check_scheme(scheme: &str) -> Result<(), String> {
    if NEVER.contains(&scheme) {
        return Err(format!("no page has an origin with {scheme}://, it has http:// or https://"));
    }
    if scheme == "file" {
        return Err("files are file:// and nothing more".to_owned());
    }
    let meant =
        ["https", "http"].into_iter().find(|known| strsim::osa_distance(known, scheme) == 1);
    match meant.filter(|_| scheme != "http" && scheme != "https") {
        Some(meant) => Err(format!("`{scheme}` looks like a misspelt `{meant}`")),
        None => Ok(()),
    }
}

/// A site whose subdomains may be meant.
fn check_site(host: &str) -> Result<(), String> {
    let name = host.trim_end_matches('.');
    if host.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err("an IP address has no subdomains".to_owned());
    }
    if !name.contains('.') && !PRIVATE.contains(&name) {
        return Err(format!("everybody may have a site below `{name}`"));
    }
    Ok(())
}

impl TryFrom<String> for AllowedOrigin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AllowedOrigin> for String {
    fn from(origin: AllowedOrigin) -> Self {
        origin.to_string()
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Null => f.write_str(NULL),
            Pattern::File => f.write_str(FILE),
            Pattern::Pages { origin: Origin { scheme, host, port }, subdomains, any_port } => {
                let subdomains = if *subdomains { SUBDOMAINS } else { "" };
                let port = match port {
                    _ if *any_port => ANY_PORT.to_owned(),
                    Some(port) => format!(":{port}"),
                    None => String::new(),
                };
                write!(f, "{scheme}://{subdomains}{host}{port}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_one;
    use super::*;

    fn allows(allowed: &str, origin: &str) -> bool {
        let allowed = allowed.parse().unwrap_or_else(|why| panic!("{why}"));
        is_one(origin, None, "here.example", &[allowed])
    }

    #[test]
    fn listed_origin_allows_its_pages_and_no_other() {
        for (allowed, yes, no) in [
            (
                "https://chat.example.org",
                &["https://chat.example.org", "https://chat.example.org:443"][..],
                &["http://chat.example.org", "https://chat.example.org:444", "https://example.org"]
                    [..],
            ),
            (
                "HTTPS://*.Example.org:443",
                &["https://a.example.org", "https://a.b.example.org", "https://xn--a.example.org"],
                &[
                    "https://example.org",
                    "https://.example.org",
                    "https://evilexample.org",
                    "https://a.example.org.evil.example",
                    "https://a.example.org:8443",
                    "http://a.example.org",
                ],
            ),
            (
                "http://localhost:*",
                &["http://localhost", "http://localhost:80", "http://localhost:5173"],
                &["https://localhost:5173", "http://a.localhost:5173", "http://localhost:0"],
            ),
            (
                "https://*.example.org:*",
                &["https://a.example.org", "https://a.example.org:8443"],
                &["https://example.org:8443"],
            ),
            ("http://[0:0::1]:3000", &["http://[::1]:3000"], &["http://[::1]"]),
            ("http://localhost:080", &["http://localhost"], &["http://localhost:8080"]),
            ("capacitor://localhost", &["capacitor://localhost"], &["http://localhost"]),
            ("null", &["null"], &["NULL", "file://", "http://null"]),
            ("file://", &["file://"], &["null", "file:///", "file://host"]),
        ] {
            for origin in yes {
                assert!(allows(allowed, origin), "{allowed} and {origin}");
            }
            for origin in no.iter().chain(&["null", "file://"]).filter(|no| **no != allowed) {
                assert!(!allows(allowed, origin), "{allowed} and {origin}");
            }
        }
    }

    #[test]
    fn listed_origin_is_written_in_one_way() {
        for (text, expected) in [
            ("HTTPS://Chat.Example.org:443", "https://chat.example.org"),
            ("http://*.LOCALHOST:*", "http://*.localhost:*"),
            ("http://[0::1]:03000", "http://[::1]:3000"),
            ("null", "null"),
            ("file://", "file://"),
        ] {
            let allowed = text.parse::<AllowedOrigin>();
            assert_eq!(allowed.map(|allowed| allowed.to_string()).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_no_page_can_have_for_an_origin_is_refused() {
        for text in [
            "",
            "*",
            "example.org",
            "//example.org",
            "https:example.org",
            "https://",
            "https://*",
            "https://*:*",
            "https://*.*",
            "https://*.org",
            "https://*.com:*",
            "https://a.*.org",
            "https://*a.example.org",
            "https://example.*",
            "https://*.*.example.org",
            "https://*.192.0.2.7",
            "https://*.[::1]",
            "*://example.org",
            "https://example.org/",
            "https://example.org/chat",
            "https://example.org?a",
            "https://example.org#a",
            "https://me@example.org",
            "https://example.org:",
            "https://example.org:0",
            "https://example.org:65536",
            "https://example.org:+80",
            "https://example.org:80:*",
            "https://example.org:8*",
            "https://exa mple.org",
            "https://b\u{fc}cher.example",
            "https://a..b",
            "https://.example.org",
            "https://::1",
            "https://[::1",
            "https://[example.org]",
            "https://192.0.2",
            "https://192.0.2.256",
            "https://a%2e.example",
            "https://a.example,https://b.example",
            "htps://example.org",
            "httpss://example.org",
            "ws://example.org",
            "wss://*.example.org",
            "file:///",
            "file:///home/me",
            "Null",
            "none",
        ] {
            let error = text.parse::<AllowedOrigin>().expect_err(text);
            assert!(error.contains("SCHEME://HOST:PORT") && !error.contains('\n'), "{error}");
        }
    }
}
