//! Configuration files: refused in words, or a server that serves with them.

use std::time::Duration;

use server::config::Config;

use crate::answer;
use crate::frame;
use crate::memory::{Memory, with_server};

/// How long each is listened to.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest drain that is waited for, in milliseconds.
const DRAIN_MS_MAX: u64 = 10_000;

/// Reads a file; starts a server with it.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut config: Config = match toml::from_str(text) {
        Ok(config) => config,
        Err(why) => return crate::assert_says_something(why.message()),
    };
    if let Err(nonsense) = config.check() {
        return crate::assert_says_something(&nonsense.to_string());
    }
    let written = serde_json::to_string(&config).expect("a config is plain data");
    let again: Config = serde_json::from_str(&written).expect("what was written");
    assert_eq!(again, config);
    // With something to do every millisecond, a drain of a year takes a year's work.
    config.drain_ms_max = config.drain_ms_max.min(DRAIN_MS_MAX);
    with_server(config, async |memory| talk(memory).await);
}

/// A word over each of the ways in. What comes of it is for the limits to say; that something comes
/// of it, or the connection is closed, is not.
async fn talk(memory: &Memory) {
    let body = br#"{"id":"1","text":"hello"}"#;
    let requests = [
        "POST /api/session HTTP/1.1\r\nHost: here\r\n\r\n".to_owned(),
        format!(
            "POST /announce HTTP/1.1\r\nHost: here\r\nContent-Length: {}\r\n\r\n{}",
            body.len(),
            body.escape_ascii()
        ),
        "GET /longpolling HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n".to_owned(),
        "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: here\r\n\r\n".to_owned(),
        "GET /metrics HTTP/1.1\r\nHost: here\r\nOrigin: http://there\r\n\r\n".to_owned(),
    ];
    for request in requests {
        answer::check_all(&memory.converse(request.as_bytes(), PATIENCE).await);
    }
    let mut said = frame::upgrade("/api/ws", "");
    for line in [r#"{"type":"say","id":"1","text":"hello"}"#, r#"{"type":"next"}"#] {
        said.extend_from_slice(&frame::of_line(line.as_bytes()));
    }
    answer::check_all(&memory.converse(&said, PATIENCE).await);
    let mut said = frame::upgrade("/socket.io/?EIO=4&transport=websocket", "");
    for line in ["40/chat,{}", r#"42/chat,["msg","hello"]"#, "40/echo,{}"] {
        said.extend_from_slice(&frame::of_line(line.as_bytes()));
    }
    answer::check_all(&memory.converse(&said, PATIENCE).await);
}
