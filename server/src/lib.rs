//! The production server: random chat over short polling, long polling and Socket.IO.
//!
//! A session's mailbox is the only way anything reaches a person; a transport only decides when
//! that mailbox is read and how what it holds is framed.
//!
//! The modules in reading order: [`protocol`] is what is said on the wire and [`config`] what is
//! allowed; [`core`] holds the rules of random chat, without input or output; [`hub`] gives the
//! core time, ids and wake-ups; `transport` holds one file a way in; `router` and `accept` put
//! them behind a listener. The server never knows whether it is simulated or measured.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! server::serve(listener, server::config::Config::default(), std::future::pending()).await
//! # }
//! ```

pub use protocol;

pub mod config;

pub mod core;

pub mod hub;

mod error;
mod transport;

mod metrics;
mod openapi;
mod pages;
mod problem_page;
mod router;
mod telemetry;

mod addresses;
mod answers;
mod connection;
mod deadline;
mod fields;
mod forwarded;
mod gate;
mod host;
mod media;
mod openings;
mod origin;
mod source;
mod waiting;

mod accept;
mod refusal;

mod command;
mod interrupt;
mod logs;
mod options;
mod owner;

pub use accept::serve;
pub use command::{News, run, run_telling};
pub use interrupt::Interrupt;
pub use options::Serve;
