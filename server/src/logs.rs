//! The log of the server: lines for people, or one JSON object a line for machines.
//!
//! It goes to standard error. `RUST_LOG` chooses what is logged; without it, what an operator of a
//! server with ten thousand people can still read: its start, its end, what went wrong. Connections
//! and requests are told at `debug`, everything that moves in the hub at `trace`. Tokens, cookies
//! and what people say to each other are told at no level. So what libraries write through the
//! `log` crate is left out altogether: one of them writes every frame of a WebSocket at `trace`.

use std::io;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl LogFormat {
    /// Logs like this from now on.
    ///
    /// # Errors
    ///
    /// This process logs already.
    pub(crate) fn init(self) -> Result<(), SetGlobalDefaultError> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let colours = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
        let log = log.with_writer(io::stderr);
        match self {
            Self::Text => set_global_default(log.finish()),
            Self::Json => set_global_default(log.json().flatten_event(true).finish()),
        }
    }
}
