//! Packets of one Engine.IO connection, a line of the input each, of either version, over polling,
//! over a WebSocket, or over one after the other.
//!
//! The first line is the query of the handshake; `!upgrade` is the line behind which a connection
//! that polls goes over to a WebSocket.

use std::time::Duration;

use server::config::Config;

use crate::answer;
use crate::frame;
use crate::memory::{Memory, with_server};
use crate::people::{People, sid};

/// Longer than a heartbeat and its answer.
const PATIENCE: Duration = Duration::from_secs(50);
/// Polls at most, so that a connection that never ends is noticed.
const POLLS_MAX: usize = 10_000;
/// Between two polls, as of a client that is far away. While an upgrade is under way each is
/// answered at once, and without it no time would ever pass.
const POLL_PAUSE: Duration = Duration::from_millis(50);
const UPGRADE: &[u8] = b"!upgrade";
/// The bytes below it are no text; what begins with one of them is sent as such.
const TEXT_MIN: u8 = b' ';

/// Says each line of the input as a packet.
pub fn socketio(input: &[u8]) {
    with_server(Config::default(), async |memory| {
        let people = People::meet(memory).await;
        let said = people.fill(memory, input).await;
        let mut lines = said.split(|byte| *byte == b'\n');
        let query = std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
        if query.bytes().all(|byte| byte.is_ascii_graphic()) {
            let lines: Vec<_> = lines.collect();
            if query.contains("websocket") {
                talk(memory, &format!("/socket.io/?{query}"), &lines).await;
            } else {
                poll(memory, query, &lines).await;
            }
        }
        people.are_well(memory).await;
    });
}

async fn poll(memory: &Memory, query: &str, lines: &[&[u8]]) {
    let open = memory.ask(&format!("GET /socket.io/?{query}"), "", b"").await;
    open.check();
    let Some(sid) = sid(&open.body).filter(|_| open.status == 200) else { return };
    let target = format!("/socket.io/?{query}&sid={sid}");
    let polls = tokio::spawn(listen(memory.clone(), format!("GET {target}")));
    let mut lines = lines.iter();
    for line in lines.by_ref().take_while(|line| **line != UPGRADE) {
        let is_text = line.first().is_none_or(|first| *first >= TEXT_MIN);
        let kind = if is_text { "text/plain;charset=UTF-8" } else { "application/octet-stream" };
        let headers = format!("Content-Type: {kind}\r\n");
        memory.ask(&format!("POST {target}"), &headers, line).await.check();
    }
    let lines: Vec<_> = lines.copied().collect();
    if lines.is_empty() {
        tokio::time::sleep(PATIENCE).await;
    } else {
        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        talk(memory, &target, &lines).await;
    }
    polls.abort();
    if let Err(ended) = polls.await {
        assert!(ended.is_cancelled(), "{ended}");
    }
}

/// Polls until the connection is over.
async fn listen(memory: Memory, line: String) {
    for _ in 0..POLLS_MAX {
        let answer = memory.ask(&line, "", b"").await;
        answer.check();
        if answer.status != 200 {
            return;
        }
        tokio::time::sleep(POLL_PAUSE).await;
    }
    panic!("{POLLS_MAX} polls did not end the connection");
}

async fn talk(memory: &Memory, target: &str, lines: &[&[u8]]) {
    let mut said = frame::upgrade(target, "");
    for line in lines {
        said.extend_from_slice(&frame::of_line(line));
    }
    answer::check_all(&memory.converse(&said, PATIENCE).await);
}
