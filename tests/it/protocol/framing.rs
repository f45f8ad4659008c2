//! Every byte of one conversation over each transport of `/api`, in both directions, as one file a transport.
//!
//! The real client talks to the real server over a recorded TCP connection. The script waits for the
//! effect of each step before the next, so the order of the bytes on each connection is fixed. The
//! transcript replaces what differs from run to run (ids, tokens, times, ports, masks of frames) and
//! leaves everything else as it was written: start lines, header fields and their order, JSON, frame
//! headers. `UPDATE_EXPECT=1` writes the files anew.

mod conversation;
mod recording;
mod transcript;

use client::TransportKind;
use expect_test::{ExpectFile, expect_file};

async fn check(kind: TransportKind, golden: ExpectFile) {
    golden.assert_eq(&conversation::over(kind).await);
}

#[tokio::test]
async fn short_poll_framing_is_pinned() {
    check(TransportKind::ShortPoll, expect_file!["golden/framing/short-poll.txt"]).await;
}

#[tokio::test]
async fn long_poll_framing_is_pinned() {
    check(TransportKind::LongPoll, expect_file!["golden/framing/long-poll.txt"]).await;
}

#[tokio::test]
async fn event_stream_framing_is_pinned() {
    check(TransportKind::Sse, expect_file!["golden/framing/sse.txt"]).await;
}

#[tokio::test]
async fn websocket_framing_is_pinned() {
    check(TransportKind::Websocket, expect_file!["golden/framing/websocket.txt"]).await;
}
