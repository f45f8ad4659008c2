//! For which host a request is meant: exactly one, and one that can be (RFC 9112, section 3.2).

use axum::http::Version;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;

use crate::error::HttpError;

/// The host that a request names, with its port where it names one; empty where an old client,
/// which need not, names none.
///
/// # Errors
///
/// There is none, more than one, or one that is no host.
pub(crate) fn of(parts: &Parts) -> Result<&str, HttpError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(HttpError::Host("there is more than one Host"));
    }
    let Some(host) = host else {
        let may_be_missing = parts.version < Version::HTTP_11;
        return if may_be_missing { Ok("") } else { Err(HttpError::Host("there is no Host")) };
    };
    let host = host.to_str().ok().filter(|host| is_host(host));
    let host = host.ok_or(HttpError::Host("this is no Host"))?;
    // A host that the target names is the one that is meant.
    let host = parts.uri.authority().map_or(host, Authority::as_str);
    if is_host(host) { Ok(host) } else { Err(HttpError::Host("the target names no host")) }
}

/// True for a host with or without a port, as a `Host` field has it (RFC 9110, section 7.2).
pub(crate) fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let (host, rest) = (authority.host(), &text[authority.host().len().min(text.len())..]);
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    let has_good_port = match rest.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && is_port(port),
        None => rest.is_empty(),
    };
    !text.contains('@') && !host.is_empty() && has_good_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_may_have_a_port_and_nothing_else() {
        for host in ["a", "a.example:80", "a:", "127.0.0.1:3000", "[::1]", "[::1]:3000", "xn--a"] {
            assert!(is_host(host), "{host}");
        }
        for text in ["", ":80", "a:b", "a:99999", "a:-1", "u@a", "a b", "a/b", "[::1", "a,b c", "é"]
        {
            assert!(!is_host(text), "{text}");
        }
    }
}
