//! The wire, as anybody who speaks it sees it: what it looks like, what is refused and how, and a
//! conversation over each transport.

mod classic;
mod conversation;
mod drain;
mod echo;
mod engine;
mod fields;
mod floods;
mod framing;
mod golden;
mod idle;
mod limits;
mod logs;
mod metrics;
mod numbers;
mod openapi;
mod openings;
mod origins;
mod pages;
mod proxies;
mod raw_socket;
mod raw_stream;
mod resume;
mod socketio;
mod socketio2;
mod socketio_limits;
mod sse;
mod statuses;
mod tickets;
mod upgrades;
mod websocket;
