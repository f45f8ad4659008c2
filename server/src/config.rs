//! Every limit and every time-out of the server, with the unit in its name.
//!
//! The same struct is the command line (`--session-lease-ms`), the environment
//! (`RACETRACK_SESSION_LEASE_MS`) and serde's picture of it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! config {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:literal, $flag:literal, $env:literal;)*) => {
        /// What the server allows, and for how long.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
        #[serde(default, deny_unknown_fields)]
        pub struct Config {
            /// Address and port to listen on; port 0 takes a free one.
            #[arg(long, env = "RACETRACK_ADDR", default_value = "127.0.0.1:3000", value_name = "HOST:PORT")]
            pub addr: SocketAddr,
            $($(#[doc = $doc])+
            #[arg(long = $flag, env = $env, default_value_t = $default, value_name = "N")]
            pub $name: $type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    addr: SocketAddr::from(([127, 0, 0, 1], 3000)),
                    $($name: $default,)*
                }
            }
        }
    };
}

config! {
    /// Open sessions at most; one more is answered with 503.
    sessions_max: usize = 100_000, "sessions-max", "RACETRACK_SESSIONS_MAX";
    /// Open connections at most; further ones wait in the listener's backlog.
    connections_max: usize = 110_000, "connections-max", "RACETRACK_CONNECTIONS_MAX";
    /// The longest message, in bytes of UTF-8.
    message_bytes_max: usize = 4_096, "message-bytes-max", "RACETRACK_MESSAGE_BYTES_MAX";
    /// The longest request body, in bytes.
    body_bytes_max: usize = 16_384, "body-bytes-max", "RACETRACK_BODY_BYTES_MAX";
    /// Events that a mailbox holds; a session that needs more is closed as slow.
    mailbox_events_max: usize = 256, "mailbox-events-max", "RACETRACK_MAILBOX_EVENTS_MAX";
    /// Message ids remembered a session, so that a repeated message is not said twice.
    message_ids_max: usize = 128, "message-ids-max", "RACETRACK_MESSAGE_IDS_MAX";
    /// Messages a second that a session may say for long.
    messages_per_s_max: u32 = 20, "messages-per-s-max", "RACETRACK_MESSAGES_PER_S_MAX";
    /// Messages that a session may say at once.
    messages_burst_max: u32 = 40, "messages-burst-max", "RACETRACK_MESSAGES_BURST_MAX";
    /// How long a request's header may take, in milliseconds.
    header_read_ms_max: u64 = 10_000, "header-read-ms-max", "RACETRACK_HEADER_READ_MS_MAX";
    /// How long a request's body may take, in milliseconds.
    body_read_ms_max: u64 = 10_000, "body-read-ms-max", "RACETRACK_BODY_READ_MS_MAX";
    /// How long a poll may be parked, in milliseconds.
    poll_wait_ms_max: u64 = 30_000, "poll-wait-ms-max", "RACETRACK_POLL_WAIT_MS_MAX";
    /// How often an idle socket is asked for a sign of life, in milliseconds.
    heartbeat_interval_ms: u64 = 25_000, "heartbeat-interval-ms", "RACETRACK_HEARTBEAT_INTERVAL_MS";
    /// How long that sign may take, in milliseconds.
    heartbeat_timeout_ms: u64 = 20_000, "heartbeat-timeout-ms", "RACETRACK_HEARTBEAT_TIMEOUT_MS";
    /// How long a session without a request lives, in milliseconds.
    session_lease_ms: u64 = 60_000, "session-lease-ms", "RACETRACK_SESSION_LEASE_MS";
    /// How long a session survives the loss of its connection, in milliseconds.
    resume_window_ms: u64 = 10_000, "resume-window-ms", "RACETRACK_RESUME_WINDOW_MS";
    /// How often each session is told the head count, in milliseconds.
    notice_interval_ms: u64 = 10_000, "notice-interval-ms", "RACETRACK_NOTICE_INTERVAL_MS";
    /// How long a shutdown waits for people to collect what they were sent, in milliseconds.
    drain_ms_max: u64 = 10_000, "drain-ms-max", "RACETRACK_DRAIN_MS_MAX";
    /// What people are told to wait before they come back after a shutdown, in milliseconds.
    retry_after_ms: u64 = 1_000, "retry-after-ms", "RACETRACK_RETRY_AFTER_MS";
}

impl Config {
    /// [`Config::session_lease_ms`] as a duration.
    #[must_use]
    pub fn session_lease(&self) -> Duration {
        Duration::from_millis(self.session_lease_ms)
    }

    /// [`Config::resume_window_ms`] as a duration.
    #[must_use]
    pub fn resume_window(&self) -> Duration {
        Duration::from_millis(self.resume_window_ms)
    }

    /// [`Config::notice_interval_ms`] as a duration.
    #[must_use]
    pub fn notice_interval(&self) -> Duration {
        Duration::from_millis(self.notice_interval_ms)
    }

    /// [`Config::poll_wait_ms_max`] as a duration.
    #[must_use]
    pub fn poll_wait_max(&self) -> Duration {
        Duration::from_millis(self.poll_wait_ms_max)
    }

    /// [`Config::drain_ms_max`] as a duration.
    #[must_use]
    pub fn drain_max(&self) -> Duration {
        Duration::from_millis(self.drain_ms_max)
    }
}
