//! Tickets: `SESSION-EXPIRY-MAC`, in hexadecimal, with which a page of one origin reads the stream of one
//! session for a while.
//!
//! A ticket is authenticated (HMAC-SHA-256, RFC 2104) with the secret of its session. Nothing is
//! remembered of it, so every process that knows the session can check it, and it ends with the session.
//! The secret cannot be told from it, so it opens nothing else.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Hub;
use super::token::Secret;
use protocol::SessionId;

/// What is authenticated by the same key for another purpose begins otherwise.
const LABEL: &[u8] = b"racetrack ticket 1\0";
const MAC_BYTES: usize = 32;

/// It has no `Debug`, so that no log can show it.
struct Ticket {
    session: SessionId,
    /// Milliseconds since 1970.
    expires_at: u64,
    mac: [u8; MAC_BYTES],
}

impl Ticket {
    /// The code of a ticket, before it is compared or written.
    fn mac(secret: Secret, session: SessionId, expires_at: u64, origin: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&secret.key());
        let mut mac = mac.expect("a key has any length");
        mac.update(LABEL);
        mac.update(&session.0.to_be_bytes());
        mac.update(&expires_at.to_be_bytes());
        mac.update(origin.as_bytes());
        mac
    }
}

impl Hub {
    /// A ticket for pages of this origin, as a browser writes it, if the session is open.
    #[must_use]
    pub fn ticket(&self, session: SessionId, origin: &str) -> Option<String> {
        let secret = self.secret(session)?;
        let expires_at = self.clock.unix_ms(self.clock.now()) + self.config.ticket_ms;
        let mac = Ticket::mac(secret, session, expires_at, origin);
        let mac = mac.finalize().into_bytes().into();
        Some(Ticket { session, expires_at, mac }.to_string())
    }

    /// The session whose stream a ticket opens for a page of this origin, if it is right and not expired.
    #[must_use]
    pub fn admit(&self, ticket: &str, origin: &str) -> Option<SessionId> {
        let Ticket { session, expires_at, mac } = ticket.parse().ok()?;
        let expected = Ticket::mac(self.secret(session)?, session, expires_at, origin);
        expected.verify_slice(&mac).ok()?;
        (self.clock.unix_ms(self.clock.now()) < expires_at).then_some(session)
    }

    fn secret(&self, session: SessionId) -> Option<Secret> {
        let state = self.lock();
        Some(state.entry(state.core.find(session).ok()?)?.secret)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-", self.session.0, self.expires_at)?;
        self.mac.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Ticket {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(());
        let session = SessionId(u64::from_str_radix(part()?, 16).map_err(|_| ())?);
        let expires_at = u64::from_str_radix(part()?, 16).map_err(|_| ())?;
        let digits = part()?.as_bytes();
        let mut mac = [0; MAC_BYTES];
        if digits.len() != 2 * MAC_BYTES {
            return Err(());
        }
        for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ())?;
        }
        Ok(Self { session, expires_at, mac })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;

    async fn ticket() -> (Arc<Hub>, SessionId, String) {
        let hub = Hub::new(Config::default()).expect("the system has entropy");
        let session = hub.open(None).await.expect("there is room").session;
        let ticket = hub.ticket(session, "https://a.example").expect("it is open");
        (hub, session, ticket)
    }

    #[tokio::test]
    async fn ticket_opens_its_session_for_its_origin_alone() {
        let (hub, session, ticket) = ticket().await;
        let other = hub.open(None).await.expect("there is room");
        assert_eq!(hub.admit(&ticket, "https://a.example"), Some(session));
        for foreign in ["http://a.example", "https://a.example:8443", "https://b.example"] {
            assert_eq!(hub.admit(&ticket, foreign), None, "{foreign}");
        }
        let (_, rest) = ticket.split_once('-').expect("a session and more");
        let stolen = format!("{:x}-{rest}", other.session.0);
        assert_eq!(hub.admit(&stolen, "https://a.example"), None);
        assert_eq!(hub.authenticate(&ticket), None, "it is no token");
        assert_eq!(hub.admit(&other.token, "https://a.example"), None);
        let again = Hub::new(Config::default()).expect("the system has entropy");
        assert_eq!(again.admit(&ticket, "https://a.example"), None);
    }

    #[tokio::test]
    async fn ticket_that_was_changed_in_any_place_opens_nothing() {
        let (hub, _, ticket) = ticket().await;
        for at in 0..ticket.len() {
            let mut changed = ticket.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).expect("it is ASCII");
            assert_eq!(hub.admit(&changed, "https://a.example"), None, "{changed}");
        }
        for malformed in ["", "-", "--", &ticket[1..], &ticket[..ticket.len() - 1], "1-1-+1"] {
            assert_eq!(hub.admit(malformed, "https://a.example"), None, "{malformed}");
        }
    }
}
