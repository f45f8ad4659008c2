//! Which clients may open a connection that polls, and which have opened one and are gone.
//!
//! Such a connection costs one request and outlives the socket of that: an address may have so many, and
//! open them so fast. One that is never polled ends after the time that a new session has, because the
//! heartbeat would take four times as long; one that was polled once, when the next poll is late by the time
//! between two heartbeats. Whoever has polled twice is a client like any other, and a matter of the
//! heartbeat. It knows no packet, and nothing of other connections.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::Request;
use socketioxide::ProtocolVersion;
use tokio::time::Instant;
use tracing::trace;

use super::polling::{EngineGate, Presence};
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
    /// How long a client may take to poll for the second time, once the first poll has ended.
    second_poll_max: Duration,
    retry_after_ms: u64,
}

impl Admission {
    pub(super) fn new(config: &Config) -> Self {
        let first_poll_max = config.first_lease();
        let heartbeat_interval = Duration::from_millis(config.heartbeat_interval_ms);
        Self {
            openings: Openings::new(config.connections_per_address_max, config),
            first_poll_max,
            second_poll_max: first_poll_max.max(heartbeat_interval),
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
pub(super) async fn expect_polls(
    gate: Weak<EngineGate>,
    presence: Weak<Presence>,
    protocol: ProtocolVersion,
) {
    let Some(first_poll_max) = gate.upgrade().map(|gate| gate.admission.first_poll_max) else {
        return;
    };
    let mut until = Instant::now() + first_poll_max;
    loop {
        tokio::time::sleep_until(until).await;
        let (Some(gate), Some(presence)) = (gate.upgrade(), presence.upgrade()) else { return };
        match gate.admission.expect(&presence, Instant::now()) {
            Expected::Nothing => return,
            Expected::PollUntil(later) => until = later,
            Expected::PollBefore => {
                let Some(sid) = presence.sid() else { return };
                gate.close(sid, protocol).await;
                return;
            }
        }
    }
}

/// What a connection owes that was opened by a poll.
enum Expected {
    /// It has polled twice, or is on a WebSocket.
    Nothing,
    /// If it has not polled by then, that is looked at again.
    PollUntil(Instant),
    /// A poll that has not come.
    PollBefore,
}

impl Admission {
    fn expect(&self, presence: &Presence, now: Instant) -> Expected {
        let is_trying = match &*presence.progress() {
            Progress::Upgraded => return Expected::Nothing,
            progress => progress.is_under_way(),
        };
        let polls = presence.polls();
        let until = match (polls.begun, polls.idle_since) {
            (2.., _) => return Expected::Nothing,
            (1, Some(since)) => since + self.second_poll_max,
            // It waits for its answer.
            (1, None) => now + self.second_poll_max,
            (0, _) => now,
        };
        if until > now {
            return Expected::PollUntil(until);
        }
        // Whoever tries a WebSocket does not poll meanwhile.
        if is_trying {
            return Expected::PollUntil(now + self.first_poll_max);
        }
        match polls.begun {
            0 => trace!(name: "never polled", "a connection that was only opened"),
            _ => trace!(name: "polled once", "a connection that was opened and polled once"),
        }
        Expected::PollBefore
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::super::polling::Watched;
    use super::*;

    fn until(expected: Expected) -> Option<Instant> {
        match expected {
            Expected::PollUntil(until) => Some(until),
            Expected::Nothing | Expected::PollBefore => None,
        }
    }

    #[test]
    fn second_poll_is_expected_within_a_heartbeat_of_the_end_of_the_first() {
        let config = Config { heartbeat_interval_ms: 25_000, ..Config::default() };
        let admission = Admission::new(&config);
        let interval = Duration::from_millis(25_000);
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("there is one");
        let presence = Arc::new(Presence::new(permit, None));
        let now = Instant::now();
        assert!(matches!(admission.expect(&presence, now), Expected::PollBefore), "never polled");
        let poll = Watched::begin(Arc::clone(&presence));
        assert_eq!(until(admission.expect(&presence, now)), Some(now + interval), "it waits");
        drop(poll);
        let ended = presence.polls().idle_since.expect("the poll has ended");
        let late = ended + interval;
        let nearly_late = late - Duration::from_millis(1);
        assert_eq!(until(admission.expect(&presence, nearly_late)), Some(late));
        assert!(matches!(admission.expect(&presence, late), Expected::PollBefore));
        let attempt = presence.progress().begin();
        let first_lease = config.first_lease();
        assert_eq!(until(admission.expect(&presence, late)), Some(late + first_lease), "it tries");
        drop(attempt);
        assert!(matches!(admission.expect(&presence, late), Expected::PollBefore));
        drop(Watched::begin(Arc::clone(&presence)));
        assert!(matches!(admission.expect(&presence, late), Expected::Nothing), "polled twice");
    }
}
