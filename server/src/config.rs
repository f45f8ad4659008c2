//! Every limit and every time-out of the server, with the unit in its name.
//!
//! The same struct is the command line (`--session-lease-ms`), the environment
//! (`RACETRACK_SESSION_LEASE_MS`) and the file (`session_lease_ms`), in this order of precedence.
//! It never reads any of them; `options` does.

mod check;
mod field_name;
mod listen;
mod network;
mod shown;

use std::net::SocketAddr;
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::{Deserialize, Serialize};

pub use self::field_name::FieldName;
pub use self::listen::ListenAddress;
pub use self::network::Network;
pub use crate::forwarded::ForwardedBy;
pub use crate::origin::AllowedOrigin;

macro_rules! config {
    (
        numbers {
            $($(#[doc = $doc:literal])+
            $name:ident: $type:ty = $default:literal, $flag:literal, $env:literal;)*
        }
        lists {
            $($(#[doc = $list_doc:literal])+
            $list:ident: [$item:ty], $list_flag:literal, $list_env:literal, $value:literal;)*
        }
    ) => {
        /// What the server allows, and for how long.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
        #[serde(default, deny_unknown_fields)]
        pub struct Config {
            /// Address or name and port to listen on; port 0 takes a free one.
            #[arg(long, env = "RACETRACK_ADDR", default_value = "127.0.0.1:3000", value_name = "HOST:PORT")]
            pub addr: ListenAddress,
            /// The header in which trusted proxies say for whom they ask.
            #[arg(long, env = "RACETRACK_FORWARDED_BY", default_value = "x-forwarded", value_name = "NAME")]
            pub forwarded_by: ForwardedBy,
            $($(#[doc = $doc])+
            #[arg(long = $flag, env = $env, default_value_t = $default, value_name = "N")]
            pub $name: $type,)*
            $($(#[doc = $list_doc])+
            #[arg(long = $list_flag, env = $list_env, value_delimiter = ',', value_name = $value)]
            pub $list: Vec<$item>,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    addr: SocketAddr::from(([127, 0, 0, 1], 3000)).into(),
                    forwarded_by: ForwardedBy::default(),
                    $($name: $default,)*
                    $($list: Vec::new(),)*
                }
            }
        }

        impl Config {
            /// Takes from a file what neither the command line nor the environment has said.
            #[must_use]
            pub fn over(mut self, matches: &ArgMatches, file: Self) -> Self {
                let was_said = |name: &str| {
                    let source = matches.value_source(name);
                    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
                };
                if !was_said("addr") {
                    self.addr = file.addr;
                }
                if !was_said("forwarded_by") {
                    self.forwarded_by = file.forwarded_by;
                }
                $(if !was_said(stringify!($name)) {
                    self.$name = file.$name;
                })*
                $(if !was_said(stringify!($list)) {
                    self.$list = file.$list;
                })*
                self
            }

            /// Every number with its name.
            fn numbers(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name as u64),)*].into_iter()
            }
        }
    };
}

config! {
numbers {
    /// Open sessions at most; one more is answered with 503.
    sessions_max: usize = 100_000, "sessions-max", "RACETRACK_SESSIONS_MAX";
    /// Open connections at most; further ones wait in the listener's backlog.
    connections_max: usize = 110_000, "connections-max", "RACETRACK_CONNECTIONS_MAX";
    /// Open connections of one address at most, which is an IPv4 address or the first 64 bits of an
    /// IPv6 address; one more is answered with 429. 0 is no limit.
    connections_per_address_max: usize = 1_000, "connections-per-address-max", "RACETRACK_CONNECTIONS_PER_ADDRESS_MAX";
    /// Sessions of one address at most, those included that have ended and are still remembered; one
    /// more is answered with 429. 0 is no limit.
    sessions_per_address_max: usize = 1_000, "sessions-per-address-max", "RACETRACK_SESSIONS_PER_ADDRESS_MAX";
    /// Sessions that one address may open a second for long, and as many Socket.IO connections by
    /// long-polling; one more is answered with 429. 0 is no limit.
    opens_per_address_per_s_max: u32 = 50, "opens-per-address-per-s-max", "RACETRACK_OPENS_PER_ADDRESS_PER_S_MAX";
    /// How many of each one address may open at once.
    opens_per_address_burst_max: u32 = 1_000, "opens-per-address-burst-max", "RACETRACK_OPENS_PER_ADDRESS_BURST_MAX";
    /// What the system may hold for one connection that was written and not yet taken, in bytes; it
    /// doubles that for its books. 0 lets the system choose, which may be megabytes.
    send_buffer_bytes: u32 = 65_536, "send-buffer-bytes", "RACETRACK_SEND_BUFFER_BYTES";
    /// The longest head of a request, in bytes, 8192 at least; one more is answered with 431.
    header_bytes_max: usize = 16_384, "header-bytes-max", "RACETRACK_HEADER_BYTES_MAX";
    /// The longest message, in bytes of UTF-8.
    message_bytes_max: usize = 4_096, "message-bytes-max", "RACETRACK_MESSAGE_BYTES_MAX";
    /// The longest request body, in bytes.
    body_bytes_max: usize = 16_384, "body-bytes-max", "RACETRACK_BODY_BYTES_MAX";
    /// Events that a mailbox holds, 8 at least; a message that finds it full is refused with 429.
    mailbox_events_max: usize = 256, "mailbox-events-max", "RACETRACK_MAILBOX_EVENTS_MAX";
    /// Bytes of text and ids that a mailbox holds; a message that finds it full is refused with 429.
    mailbox_bytes_max: usize = 262_144, "mailbox-bytes-max", "RACETRACK_MAILBOX_BYTES_MAX";
    /// How long a session may read nothing while its mailbox is full, in milliseconds; then it is closed
    /// as slow.
    unread_ms_max: u64 = 10_000, "unread-ms-max", "RACETRACK_UNREAD_MS_MAX";
    /// Message ids remembered a session, so that a repeated message is not said twice.
    message_ids_max: usize = 128, "message-ids-max", "RACETRACK_MESSAGE_IDS_MAX";
    /// Messages a second that a session may say for long.
    messages_per_s_max: u32 = 20, "messages-per-s-max", "RACETRACK_MESSAGES_PER_S_MAX";
    /// Messages that a session may say at once.
    messages_burst_max: u32 = 40, "messages-burst-max", "RACETRACK_MESSAGES_BURST_MAX";
    /// Times a second that a session may ask for another partner for long.
    nexts_per_s_max: u32 = 2, "nexts-per-s-max", "RACETRACK_NEXTS_PER_S_MAX";
    /// Times that a session may ask for another partner at once.
    nexts_burst_max: u32 = 10, "nexts-burst-max", "RACETRACK_NEXTS_BURST_MAX";
    /// Other commands a second, as acknowledgements, that a session may give for long.
    commands_per_s_max: u32 = 100, "commands-per-s-max", "RACETRACK_COMMANDS_PER_S_MAX";
    /// Other commands that a session may give at once.
    commands_burst_max: u32 = 200, "commands-burst-max", "RACETRACK_COMMANDS_BURST_MAX";
    /// How long the header of a request may take from its first byte, in milliseconds.
    header_read_ms_max: u64 = 10_000, "header-read-ms-max", "RACETRACK_HEADER_READ_MS_MAX";
    /// How long a connection without a request stays open, in milliseconds: longer than a load
    /// balancer keeps it, which is 60 seconds for many.
    keep_alive_ms_max: u64 = 75_000, "keep-alive-ms-max", "RACETRACK_KEEP_ALIVE_MS_MAX";
    /// How long a request's body may take, in milliseconds.
    body_read_ms_max: u64 = 10_000, "body-read-ms-max", "RACETRACK_BODY_READ_MS_MAX";
    /// How long a peer may take nothing of what is written to it, in milliseconds; then the
    /// connection is cut.
    write_ms_max: u64 = 20_000, "write-ms-max", "RACETRACK_WRITE_MS_MAX";
    /// How long a poll may be parked, in milliseconds.
    poll_wait_ms_max: u64 = 30_000, "poll-wait-ms-max", "RACETRACK_POLL_WAIT_MS_MAX";
    /// Requests that may be parked at /longpolling at once; one more is answered with 503.
    parked_max: usize = 10_000, "parked-max", "RACETRACK_PARKED_MAX";
    /// How often an idle socket is asked for a sign of life, in milliseconds.
    heartbeat_interval_ms: u64 = 25_000, "heartbeat-interval-ms", "RACETRACK_HEARTBEAT_INTERVAL_MS";
    /// How long that sign may take, in milliseconds.
    heartbeat_timeout_ms: u64 = 20_000, "heartbeat-timeout-ms", "RACETRACK_HEARTBEAT_TIMEOUT_MS";
    /// How often a stream without events is sent a comment, in milliseconds, so that proxies keep it.
    stream_comment_ms: u64 = 15_000, "stream-comment-ms", "RACETRACK_STREAM_COMMENT_MS";
    /// How long a ticket opens the stream for a page of another site, in milliseconds.
    ticket_ms: u64 = 300_000, "ticket-ms", "RACETRACK_TICKET_MS";
    /// How long a session without a request lives, in milliseconds.
    session_lease_ms: u64 = 60_000, "session-lease-ms", "RACETRACK_SESSION_LEASE_MS";
    /// How long a new session lives until it is heard of for the first time after it was opened, in
    /// milliseconds: never longer than any other. 0 is as long as any other.
    first_lease_ms: u64 = 10_000, "first-lease-ms", "RACETRACK_FIRST_LEASE_MS";
    /// How long a session survives the loss of its connection, in milliseconds; 0 is not at all.
    resume_window_ms: u64 = 10_000, "resume-window-ms", "RACETRACK_RESUME_WINDOW_MS";
    /// How long a Socket.IO client whose poll was cut off may take to poll again, in milliseconds;
    /// it is not paired meanwhile.
    poll_grace_ms: u64 = 1_000, "poll-grace-ms", "RACETRACK_POLL_GRACE_MS";
    /// How long a Socket.IO client that polls may take to upgrade to a WebSocket, in milliseconds; then
    /// the WebSocket is closed, and the polls go on.
    upgrade_ms_max: u64 = 10_000, "upgrade-ms-max", "RACETRACK_UPGRADE_MS_MAX";
    /// Packets that the echo namespace may send in a second, to all its people together.
    echoes_per_s_max: u32 = 1_000, "echoes-per-s-max", "RACETRACK_ECHOES_PER_S_MAX";
    /// How often each session is told the head count, in milliseconds.
    notice_interval_ms: u64 = 10_000, "notice-interval-ms", "RACETRACK_NOTICE_INTERVAL_MS";
    /// How long a shutdown waits for people to collect what they were sent, in milliseconds; 0 is
    /// not at all.
    drain_ms_max: u64 = 10_000, "drain-ms-max", "RACETRACK_DRAIN_MS_MAX";
    /// What people are told to wait before they come back after a shutdown, in milliseconds; 0 is
    /// not at all.
    retry_after_ms: u64 = 1_000, "retry-after-ms", "RACETRACK_RETRY_AFTER_MS";
}
lists {
    /// Origins of other sites whose pages may use this server, as `https://chat.example.org`;
    /// `https://*.example.org` is each subdomain, `http://localhost:*` each port, and `null` and
    /// file:// are pages without a site.
    allowed_origins: [AllowedOrigin], "allowed-origins", "RACETRACK_ALLOWED_ORIGINS", "ORIGIN,...";
    /// Headers that pages of these origins may set beside those that the server reads and those of
    /// tracing, as x-request-id.
    allowed_headers: [FieldName], "allowed-headers", "RACETRACK_ALLOWED_HEADERS", "NAME,...";
    /// Networks or addresses of proxies that are believed when they say for whom they ask, as
    /// 10.0.0.0/8.
    trusted_proxies: [Network], "trusted-proxies", "RACETRACK_TRUSTED_PROXIES", "NETWORK,...";
}
}

impl Config {
    /// [`Config::session_lease_ms`] as a duration.
    #[must_use]
    pub fn session_lease(&self) -> Duration {
        Duration::from_millis(self.session_lease_ms)
    }

    /// How long a session lives of which nothing was heard since it was opened.
    #[must_use]
    pub fn first_lease(&self) -> Duration {
        let lease = self.session_lease();
        match self.first_lease_ms {
            0 => lease,
            ms => lease.min(Duration::from_millis(ms)),
        }
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

    /// [`Config::unread_ms_max`] as a duration.
    #[must_use]
    pub fn unread_max(&self) -> Duration {
        Duration::from_millis(self.unread_ms_max)
    }

    /// [`Config::drain_ms_max`] as a duration.
    #[must_use]
    pub fn drain_max(&self) -> Duration {
        Duration::from_millis(self.drain_ms_max)
    }
}
