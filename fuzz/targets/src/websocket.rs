//! Frames of one WebSocket, a line of the input each: commands, and what is none.

use std::time::Duration;

use protocol::{Seq, ServerFrame};
use server::config::Config;

use crate::answer::Answer;
use crate::frame;
use crate::memory::with_server;
use crate::people::People;

/// Longer than a heartbeat and its answer.
const PATIENCE: Duration = Duration::from_secs(50);

/// Says each line of the input in the name of somebody who talks.
pub fn websocket(input: &[u8]) {
    with_server(Config::default(), async |memory| {
        let people = People::meet(memory).await;
        let mut said = frame::upgrade("/api/ws", "Authorization: Bearer $ANN\r\n");
        for line in input.split(|byte| *byte == b'\n') {
            said.extend_from_slice(&frame::of_line(line));
        }
        let said = people.fill(memory, &said).await;
        let answer = memory.converse(&said, PATIENCE).await;
        let (head, frames) = Answer::split_first(&answer).expect("an upgrade is answered");
        assert_eq!(head.status, 101);
        check(&frame::texts(frames));
        people.are_well(memory).await;
    });
}

/// Every text is a frame of the protocol, and events come without a gap.
fn check(texts: &[&str]) {
    let mut last = None::<Seq>;
    for text in texts {
        let frame: ServerFrame = serde_json::from_str(text).expect("a frame of the protocol");
        if let ServerFrame::Event(event) = frame {
            assert!(last.is_none_or(|last| last.next() == event.seq), "{last:?}, then {text}");
            last = Some(event.seq);
        }
    }
}
