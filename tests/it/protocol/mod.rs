//! The wire, as anybody who speaks it sees it: what it looks like, what is refused and how, and a
//! conversation over each transport.

mod conversation;
mod golden;
mod statuses;
