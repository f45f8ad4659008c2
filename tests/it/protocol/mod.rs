//! The wire, as anybody who speaks it sees it: what it looks like, what is refused and how, and a
//! conversation over each transport.

mod classic;
mod conversation;
mod golden;
mod limits;
mod metrics;
mod origins;
mod proxies;
mod raw_socket;
mod raw_stream;
mod resume;
mod sse;
mod statuses;
mod websocket;
