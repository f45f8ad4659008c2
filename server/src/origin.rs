//! From whose pages requests may come: this server's own, and those of listed origins.
//!
//! Browsers say with `Origin` which page asks (RFC 6454), and let any page open a WebSocket to
//! any server. So what opens a socket, holds a place or changes something is refused when it comes
//! from a page of another site; plain reading is not, because the page is not shown the answer.

mod allowed;

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::{ORIGIN, UPGRADE};
use axum::http::uri::Scheme;
use axum::http::{HeaderMap, Method, Uri};

pub use self::allowed::AllowedOrigin;

/// Where Socket.IO lives; its polls open sessions with GET.
const SOCKET_IO: &str = "/socket.io/";
/// Where requests are parked, which takes one of few places.
const PARKED: &str = "/longpolling";

/// Where a page comes from: its scheme, host and port in the one way in which a browser writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    /// None where it is the scheme's own.
    port: Option<u16>,
}

impl Origin {
    /// Reads an origin.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn read(text: &str) -> Result<Self, String> {
        let (scheme, host) = text.split_once("://").ok_or("an origin has a scheme")?;
        let scheme = scheme.to_ascii_lowercase();
        scheme.parse::<Scheme>().map_err(|_| format!("`{scheme}` is no scheme"))?;
        let (host, port) = host_and_port(&scheme, host)?;
        Ok(Self { scheme, host, port })
    }

    /// True when the page was loaded from `host`, which may name the port of the scheme as well.
    /// Where the scheme is not known, any is right.
    pub(crate) fn is_of(&self, scheme: Option<&str>, host: &str) -> bool {
        let same_scheme = scheme.is_none_or(|scheme| scheme.eq_ignore_ascii_case(&self.scheme));
        let own = host_and_port(&self.scheme, host);
        same_scheme && own.is_ok_and(|(host, port)| host == self.host && port == self.port)
    }
}

/// The two parts of an authority that names no user. The port is none where it is the scheme's own.
fn host_and_port(scheme: &str, text: &str) -> Result<(String, Option<u16>), String> {
    let host_end = text.find(']').unwrap_or_default();
    let (host, port) = match text[host_end..].rfind(':') {
        Some(colon) => (&text[..host_end + colon], Some(&text[host_end + colon + 1..])),
        None => (text, None),
    };
    let port = port.map(read_port).transpose()?;
    let own = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    Ok((read_host(host)?, port.filter(|port| Some(*port) != own)))
}

fn read_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port > 0);
    port.ok_or_else(|| format!("`{text}` is no port, which is 1 to 65535"))
}

/// A host name, or an address as its numbers are written (URL standard, section 3.5).
fn read_host(text: &str) -> Result<String, String> {
    if let Some(address) = text.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|address| address.parse().ok());
        let address: Option<Ipv6Addr> = address;
        return address
            .map(|address| format!("[{address}]"))
            .ok_or_else(|| format!("`{text}` is no IPv6 address"));
    }
    if !text.is_ascii() {
        return Err(format!("browsers send the host `{text}` in ASCII, as xn--..."));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_part);
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    if !name.split('.').all(is_label) || (is_number && name.parse::<Ipv4Addr>().is_err()) {
        return Err(format!("`{text}` is no host"));
    }
    Ok(text.to_ascii_lowercase())
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
    allowed: &[AllowedOrigin],
) -> bool {
    headers
        .get_all(ORIGIN)
        .iter()
        .all(|origin| origin.to_str().is_ok_and(|origin| is_one(origin, scheme, host, allowed)))
}

/// True when this text is an origin that may.
pub(crate) fn is_one(
    origin: &str,
    scheme: Option<&str>,
    host: &str,
    allowed: &[AllowedOrigin],
) -> bool {
    let read = Origin::read(origin).ok();
    read.as_ref().is_some_and(|read| read.is_of(scheme, host)) || is_listed(origin, allowed)
}

/// True when this text is an origin that is listed.
pub(crate) fn is_listed(origin: &str, allowed: &[AllowedOrigin]) -> bool {
    let read = Origin::read(origin).ok();
    allowed.iter().any(|allowed| allowed.is_of(origin, read.as_ref()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::read(text).expect("an origin")
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
        let there = || "http://there".parse().expect("an origin");
        assert!(is_allowed(&headers, None, "here", &[there()]));
        headers.append(ORIGIN, HeaderValue::from_static("null"));
        assert!(!is_allowed(&headers, None, "here", &[there()]));
    }
}
