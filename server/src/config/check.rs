//! Limits that cannot be meant are refused before anybody is served.

use std::fmt;

use tokio::sync::Semaphore;

use super::Config;
use crate::core::PLACES_RESERVED;

/// The limits that may be 0; the documentation of each says what that means.
const MAY_BE_ZERO: [&str; 8] = [
    "connections_per_address_max",
    "sessions_per_address_max",
    "opens_per_address_per_s_max",
    "send_buffer_bytes",
    "first_lease_ms",
    "resume_window_ms",
    "drain_ms_max",
    "retry_after_ms",
];
/// The longest time that can be meant: a year, in milliseconds.
const MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;
/// A session that was just opened, and has read nothing yet, can be paired.
const MAILBOX_EVENTS_MIN: usize = PLACES_RESERVED + 3;
/// What hyper needs to read a head at all, in bytes.
const HEADER_BYTES_MIN: usize = 8_192;

/// A limit that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", self.flag())]
pub struct Nonsense {
    name: &'static str,
    why: String,
}

impl Nonsense {
    fn new(name: &'static str, why: impl fmt::Display) -> Self {
        Self { name, why: why.to_string() }
    }

    fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }
}

impl Config {
    /// Looks for limits with which nobody could be served.
    ///
    /// # Errors
    ///
    /// The first of them, with what is allowed.
    pub fn check(&self) -> Result<(), Nonsense> {
        self.faults().into_iter().next().map_or(Ok(()), Err)
    }

    /// Limits with which nobody could be served, or that could never have an effect, each with what is
    /// allowed.
    #[must_use]
    pub fn faults(&self) -> Vec<Nonsense> {
        let numbers = self.numbers().filter_map(|(name, value)| {
            let is_time = name.ends_with("_ms") || name.contains("_ms_");
            let why = if value == 0 && !MAY_BE_ZERO.contains(&name) {
                "0 would let nothing through; at least 1".to_owned()
            } else if is_time && value > MS_MAX {
                format!("{value} is over a year, {MS_MAX}")
            } else {
                return None;
            };
            Some(Nonsense::new(name, why))
        });
        numbers.chain(self.sizes()).chain(self.lists()).collect()
    }

    fn sizes(&self) -> impl Iterator<Item = Nonsense> {
        let (message, body) = (self.message_bytes_max, self.body_bytes_max);
        let too_long = (message > body).then(|| {
            let why = format!("{message} does not fit into --body-bytes-max {body}");
            Nonsense::new("message_bytes_max", why)
        });
        let small = [
            ("header_bytes_max", self.header_bytes_max, HEADER_BYTES_MIN),
            ("mailbox_events_max", self.mailbox_events_max, MAILBOX_EVENTS_MIN),
        ];
        let small = small.into_iter().filter(|(_, size, size_min)| size < size_min);
        let small =
            small.map(|(name, _, size_min)| Nonsense::new(name, format!("at least {size_min}")));
        let places_max = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
        let permits = [("connections_max", self.connections_max), ("parked_max", self.parked_max)];
        let permits = permits.into_iter().filter(move |(_, permits)| *permits > places_max);
        let permits =
            permits.map(move |(name, _)| Nonsense::new(name, format!("at most {places_max}")));
        too_long.into_iter().chain(small).chain(permits)
    }

    fn lists(&self) -> Option<Nonsense> {
        let is_idle = self.allowed_origins.is_empty() && !self.allowed_headers.is_empty();
        let why = "these headers are for pages of --allowed-origins, of which there are none";
        is_idle.then(|| Nonsense::new("allowed_headers", why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: Config) -> String {
        config.check().map_or_else(|nonsense| nonsense.to_string(), |()| "good".to_owned())
    }

    #[test]
    fn the_defaults_can_be_meant() {
        assert_eq!(check(Config::default()), "good");
    }

    #[test]
    fn nothing_is_zero_that_has_no_meaning_then() {
        let zero = "0 would let nothing through; at least 1";
        let config = Config { messages_burst_max: 0, ..Config::default() };
        assert_eq!(check(config), format!("--messages-burst-max: {zero}"));
        let config = Config { heartbeat_interval_ms: 0, ..Config::default() };
        assert_eq!(check(config), format!("--heartbeat-interval-ms: {zero}"));
        let config = Config {
            connections_per_address_max: 0,
            sessions_per_address_max: 0,
            opens_per_address_per_s_max: 0,
            send_buffer_bytes: 0,
            first_lease_ms: 0,
            resume_window_ms: 0,
            drain_ms_max: 0,
            retry_after_ms: 0,
            ..Config::default()
        };
        assert_eq!(check(config), "good");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let config = Config {
            messages_burst_max: 0,
            header_bytes_max: 1,
            allowed_headers: vec!["x-request-id".parse().expect("a name")],
            ..Config::default()
        };
        let faults: Vec<_> = config.faults().iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "--messages-burst-max: 0 would let nothing through; at least 1",
                "--header-bytes-max: at least 8192",
                "--allowed-headers: these headers are for pages of --allowed-origins, of which there \
                 are none",
            ]
        );
    }

    #[test]
    fn names_that_may_be_zero_are_names_of_limits() {
        let config = Config::default();
        for name in MAY_BE_ZERO {
            assert!(config.numbers().any(|(known, _)| known == name), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let config = Config { body_bytes_max: 4_000, ..Config::default() };
        assert_eq!(
            check(config),
            "--message-bytes-max: 4096 does not fit into --body-bytes-max 4000"
        );
        let config = Config { mailbox_events_max: 7, ..Config::default() };
        assert_eq!(check(config), "--mailbox-events-max: at least 8");
        let config = Config { header_bytes_max: 100, ..Config::default() };
        assert_eq!(check(config), "--header-bytes-max: at least 8192");
        let config = Config { session_lease_ms: u64::MAX, ..Config::default() };
        let text = check(config);
        assert!(
            text.starts_with("--session-lease-ms: 18446744073709551615 is over a year"),
            "{text}"
        );
        let config = Config { connections_max: usize::MAX, ..Config::default() };
        assert_eq!(check(config), "--connections-max: at most 4294967295");
        let config = Config { parked_max: usize::MAX, ..Config::default() };
        assert_eq!(check(config), "--parked-max: at most 4294967295");
    }
}
