//! From whose pages requests may come: this server's own, and those of listed origins.
//!
//! Browsers say with `Origin` which page asks (RFC 6454), and let any page open a WebSocket to
//! any server. So what opens a socket, holds a place or changes something is refused when it comes
//! from a page of another site; plain reading is not, because the page is not shown the answer.

use std::fmt;
use std::str::FromStr;

use axum::http::header::{ORIGIN, UPGRADE};
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};

/// Where Socket.IO lives; its polls open sessions with GET.
const SOCKET_IO: &str = "/socket.io/";
/// Where requests are parked, which takes one of few places.
const PARKED: &str = "/longpolling";

/// A scheme, a host and a port that is not the scheme's own, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    scheme: String,
    host: String,
}

impl Origin {
    /// True when the page was loaded from `host`, which may name the port of the scheme as well.
    /// Where the scheme is not known, any is right.
    pub(crate) fn is_of(&self, scheme: Option<&str>, host: &str) -> bool {
        let same_scheme = scheme.is_none_or(|scheme| scheme.eq_ignore_ascii_case(&self.scheme));
        same_scheme && without_default_port(&self.scheme, host).eq_ignore_ascii_case(&self.host)
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no origin; write SCHEME://HOST or SCHEME://HOST:PORT");
        let (scheme, host) = text.split_once("://").ok_or_else(wrong)?;
        let scheme: Scheme = scheme.to_ascii_lowercase().parse().map_err(|_| wrong())?;
        let authority: Authority = host.parse().map_err(|_| wrong())?;
        if host.contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        let host = without_default_port(scheme.as_str(), host).to_ascii_lowercase();
        Ok(Self { scheme: scheme.as_str().to_owned(), host })
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)
    }
}

fn without_default_port<'a>(scheme: &str, host: &'a str) -> &'a str {
    let port = match scheme {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => return host,
    };
    host.strip_suffix(port).unwrap_or(host)
}

/// True when a page of another site must not do this: open a socket, hold a place, or change
/// something.
pub(crate) fn matters(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let holds = uri.path().starts_with(SOCKET_IO) || uri.path() == PARKED;
    !reads || headers.contains_key(UPGRADE) || holds
}

/// True when there is no origin, or one that may: `scheme` and `host` are this server's own.
pub(crate) fn is_allowed(
    headers: &HeaderMap,
    scheme: Option<&str>,
    host: &str,
    allowed: &[Origin],
) -> bool {
    headers
        .get_all(ORIGIN)
        .iter()
        .all(|origin| origin.to_str().is_ok_and(|origin| is_one(origin, scheme, host, allowed)))
}

/// True when this text is an origin that may.
pub(crate) fn is_one(origin: &str, scheme: Option<&str>, host: &str, allowed: &[Origin]) -> bool {
    let origin = origin.parse::<Origin>().ok();
    origin.is_some_and(|origin| origin.is_of(scheme, host) || allowed.contains(&origin))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().expect("an origin")
    }

    #[test]
    fn an_origin_is_written_in_one_way() {
        assert_eq!(origin("HTTPS://Chat.Example.org:443").to_string(), "https://chat.example.org");
        assert_eq!(origin("http://[::1]:3000").to_string(), "http://[::1]:3000");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in ["", "null", "example.org", "https://", "https://a/b", "https://u@a", "*"] {
            let error = text.parse::<Origin>().expect_err(text);
            assert!(error.contains("SCHEME://HOST:PORT"), "{error}");
        }
    }

    #[test]
    fn own_pages_are_known_by_host_and_port_and_scheme_where_it_is_known() {
        let check = |text: &str, scheme, host| origin(text).is_of(scheme, host);
        assert!(check("http://example.org", None, "example.org"));
        assert!(check("http://example.org", None, "Example.org:80"));
        assert!(check("https://example.org", None, "example.org"));
        assert!(check("https://example.org", Some("https"), "example.org:443"));
        assert!(!check("http://example.org", Some("https"), "example.org"));
        assert!(!check("http://example.org:3000", None, "example.org"));
        assert!(!check("http://evil.example", None, "example.org"));
        assert!(!check("http://example.org.evil.example", None, "example.org"));
    }

    #[test]
    fn of_two_origins_both_must_be_allowed() {
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, HeaderValue::from_static("http://here"));
        assert!(is_allowed(&headers, None, "here", &[]));
        headers.append(ORIGIN, HeaderValue::from_static("http://there"));
        assert!(!is_allowed(&headers, None, "here", &[]));
        assert!(is_allowed(&headers, None, "here", &[origin("http://there")]));
        headers.append(ORIGIN, HeaderValue::from_static("null"));
        assert!(!is_allowed(&headers, None, "here", &[origin("http://there")]));
    }
}
