//! Which clients may open a connection that polls, and which have opened one and are gone.
//!
//! Such a connection costs one request and outlives the socket of that: an address may have so many, and
//! open them so fast. One that is never polled ends after the time that a new session has, because the
//! heartbeat would take four times as long. It knows no packet, and nothing of other connections.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::Request;
use socketioxide::ProtocolVersion;
use tracing::trace;

use super::polling::{Door, Presence};
use super::upgrade::Progress;
use crate::config::Config;
use crate::error::HttpError;
use crate::hub::Rejected;
use crate::openings::{Opening, Openings, Refused};
use crate::source::Source;

/// The polling connections of each address.
pub(super) struct Admission {
    openings: Arc<Openings>,
    /// How long a client may take to poll for the first time.
    first_poll_max: Duration,
    retry_after_ms: u64,
}

impl Admission {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            openings: Openings::new(config.connections_per_address_max, config),
            first_poll_max: config.first_lease(),
            retry_after_ms: config.retry_after_ms,
        }
    }

    /// Counts the connection that this request opens; a WebSocket lives as long as its socket, which is
    /// counted already.
    ///
    /// # Errors
    ///
    /// The address has too many, or opens them too fast.
    pub(super) fn enter(
        &self,
        request: &Request,
        is_poll: bool,
    ) -> Result<Option<Opening>, HttpError> {
        let source = request.extensions().get::<Source>().filter(|_| is_poll);
        let address = source.and_then(|source| source.address);
        let opening = address.map(|address| self.openings.enter(address)).transpose();
        opening.map_err(|refused| match refused {
            Refused::TooFast { retry_after_ms } => Rejected::OpensTooFast { retry_after_ms }.into(),
            Refused::TooMany { each_max } => {
                let retry_after_ms = self.retry_after_ms;
                HttpError::TooManyConnections { each_max, retry_after_ms }
            }
        })
    }
}

/// Ends a connection whose client has not polled when it is time, and is not on a WebSocket either.
pub(super) async fn expect_poll(
    door: Weak<Door>,
    presence: Weak<Presence>,
    protocol: ProtocolVersion,
) {
    let Some(first_poll_max) = door.upgrade().map(|door| door.admission.first_poll_max) else {
        return;
    };
    tokio::time::sleep(first_poll_max).await;
    let (Some(door), Some(presence)) = (door.upgrade(), presence.upgrade()) else { return };
    let is_upgraded = matches!(*presence.progress(), Progress::Upgraded);
    if let Some(sid) = presence.sid()
        && presence.polls().begun == 0
        && !is_upgraded
    {
        trace!(name: "never polled", "a connection that was only opened");
        door.close(sid, protocol).await;
    }
}
