//! What anybody may give to racetrack, and what must be true of what comes of it: one function an
//! input, which panics when a promise is broken and otherwise says nothing.
//!
//! The fuzzers of `fuzz/` call these functions for as long as one lets them, and `tests/replay.rs`
//! calls them with every seed, every input that once broke something, and a bounded number of
//! mutations of both. Nothing here opens a socket, reads a real clock or draws by chance; what the
//! server and the clients draw comes from the operating system and must not matter.
//!
//! The modules in reading order: `memory` is the real server behind connections in memory,
//! `people` are two who talk on it, `answer` and `frame` read and write what goes over the wire;
//! then one file a target.

mod answer;
mod frame;
mod memory;
mod people;

mod http;
mod socketio;
mod websocket;

mod config;
mod options;
mod page;
mod plan;
mod run;

pub use config::config;
pub use http::http;
pub use options::options;
pub use page::page;
pub use plan::plan;
pub use run::run;
pub use socketio::socketio;
pub use websocket::websocket;

/// A function that is given anything.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folders and of its fuzzer.
pub const ALL: [(&str, Target); 8] = [
    ("http", http),
    ("websocket", websocket),
    ("socketio", socketio),
    ("plan", plan),
    ("run", run),
    ("page", page),
    ("options", options),
    ("config", config),
];

/// A refusal is told to people.
fn assert_says_something(why: &str) {
    assert!(!why.trim().is_empty(), "a refusal says nothing");
}
