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
    // Whoever names the host in the target means that one.
    Ok(parts.uri.authority().map_or(host, Authority::as_str))
}

/// True for a host with or without a port, as a `Host` field has it.
pub(crate) fn is_host(text: &str) -> bool {
    !text.contains('@') && text.parse::<Authority>().is_ok()
}
