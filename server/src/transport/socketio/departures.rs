//! How many packets of a conversation were handed to the engine, and how many have left it.
//!
//! The engine says nothing of what becomes of a packet. It is counted where it passes: as a frame that
//! was written to a WebSocket, or in the answer to a poll that was taken to be written. Both have a packet
//! of a conversation as it stands, `42/chat,..` or `43/chat,..`. Nothing here looks further into one.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::polling::Presence;
use super::version3;

/// Between packets in the answer to a poll of Engine.IO 4.
const SEPARATOR: u8 = 0x1e;
/// Of the first byte of a frame (RFC 6455, section 5.2).
const OPCODE: u8 = 0x0f;
const TEXT: u8 = 0x01;
/// What the length of a frame says of itself where it is longer than that.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The packets of one connection.
#[derive(Default)]
pub(super) struct Departures {
    handed_over: AtomicU64,
    left: AtomicU64,
    /// The one who waits until another packet has left.
    waiting: AtomicWaker,
}

impl Departures {
    /// Another packet was handed to the engine.
    pub(super) fn hand_over(&self) {
        self.handed_over.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn handed_over(&self) -> u64 {
        self.handed_over.load(Ordering::Acquire)
    }

    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }

    /// Waits until more than `seen` packets have left.
    pub(super) async fn leaves(&self, seen: u64) {
        poll_fn(|cx| {
            self.waiting.register(cx.waker());
            if self.left() > seen { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The answer to a poll is about to be written.
    pub(super) fn leave_in(&self, answer: &[u8], is_version3: bool) {
        let count = if is_version3 {
            version3::packets(answer).filter(|packet| is_counted(packet)).count()
        } else {
            answer.split(|byte| *byte == SEPARATOR).filter(|packet| is_counted(packet)).count()
        };
        self.leave(count as u64);
    }

    fn leave(&self, count: u64) {
        if count > 0 {
            self.left.fetch_add(count, Ordering::AcqRel);
            self.waiting.wake();
        }
    }
}

/// True for an event or an answer of a conversation.
fn is_counted(packet: &[u8]) -> bool {
    packet.iter().enumerate().take(BEGINNING_BYTES).all(|(at, byte)| is_beginning(at, *byte))
        && packet.len() >= BEGINNING_BYTES
}

/// Kind and namespace of a packet that is counted.
const BEGINNING: &[u8] = b"42/chat,";
const BEGINNING_BYTES: usize = BEGINNING.len();
/// The second byte of an answer.
const ANSWER: (usize, u8) = (1, b'3');

fn is_beginning(at: usize, byte: u8) -> bool {
    BEGINNING[at] == byte || (at, byte) == ANSWER
}

/// A WebSocket on its way to the client, whose text frames are packets.
pub(super) struct Written<Io> {
    io: Io,
    frames: Frames,
    presence: Arc<Presence>,
}

impl<Io> Written<Io> {
    pub(super) fn new(io: Io, presence: Arc<Presence>) -> Self {
        Self { io, frames: Frames::default(), presence }
    }
}

/// How far a frame has passed; a server does not mask its frames.
#[derive(Debug, Default, Clone, Copy)]
enum Frames {
    #[default]
    Opcode,
    Length {
        is_text: bool,
    },
    Extended {
        is_text: bool,
        missing: u8,
        length: u64,
    },
    /// So many bytes of the payload have passed that are those of a packet that is counted.
    Payload {
        matched: Option<usize>,
        missing: u64,
    },
}

impl Frames {
    /// Counts the packets that end in what was written.
    fn pass(&mut self, mut bytes: &[u8]) -> u64 {
        let mut count = 0;
        while let Some((byte, rest)) = bytes.split_first() {
            bytes = rest;
            *self = match *self {
                Self::Opcode => Self::Length { is_text: *byte & OPCODE == TEXT },
                Self::Length { is_text } => match *byte {
                    LENGTH_16 => Self::Extended { is_text, missing: 2, length: 0 },
                    LENGTH_64 => Self::Extended { is_text, missing: 8, length: 0 },
                    length => Self::measured(is_text, length.into()),
                },
                Self::Extended { is_text, missing, length } => {
                    let length = length << 8 | u64::from(*byte);
                    match missing - 1 {
                        0 => Self::measured(is_text, length),
                        missing => Self::Extended { is_text, missing, length },
                    }
                }
                Self::Payload { matched: Some(at), missing } if at < BEGINNING_BYTES => {
                    let matched = is_beginning(at, *byte).then_some(at + 1);
                    Self::payload(matched, missing - 1, &mut count)
                }
                Self::Payload { matched, missing } => {
                    let skipped = usize::try_from(missing - 1).unwrap_or(usize::MAX);
                    let skipped = skipped.min(bytes.len());
                    bytes = &bytes[skipped..];
                    Self::payload(matched, missing - 1 - skipped as u64, &mut count)
                }
            };
        }
        count
    }

    fn measured(is_text: bool, length: u64) -> Self {
        Self::payload(is_text.then_some(0), length, &mut 0)
    }

    /// Where so many bytes are missing; a frame without any has ended.
    fn payload(matched: Option<usize>, missing: u64, count: &mut u64) -> Self {
        if missing > 0 {
            return Self::Payload { matched, missing };
        }
        *count += u64::from(matched == Some(BEGINNING_BYTES));
        Self::Opcode
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Written<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Written<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        let count = self.frames.pass(&buf[..written]);
        self.presence.departures().leave(count);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: u8, payload: &str) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ ..126 => frame.push(length as u8),
            length @ ..65_536 => {
                frame.push(126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(payload.as_bytes());
        frame
    }

    #[test]
    fn packets_of_the_chat_are_counted_among_frames_in_pieces_of_any_length() {
        let long = format!("42/chat,[{}]", "a".repeat(200));
        let longer = format!("43/chat,7[{}]", "a".repeat(70_000));
        let packets = [
            (1, "42/chat,"),
            (1, "2"),
            (9, "42/chat,"),
            (1, ""),
            (1, "40/chat,"),
            (1, &long),
            (1, "42/chatter,"),
            (1, &longer),
            (1, "42/echo,[\"42/chat,\"]"),
            (1, "41/chat,"),
            (2, "42/chat,"),
            (1, "42/chat,1[]"),
        ];
        let bytes = packets.map(|(opcode, payload)| frame(opcode, payload)).concat();
        for piece in [1, 2, 3, 1_000, bytes.len()] {
            let mut frames = Frames::default();
            let count: u64 = bytes.chunks(piece).map(|piece| frames.pass(piece)).sum();
            assert_eq!(count, 4, "in pieces of {piece}");
        }
    }

    #[test]
    fn packets_of_the_chat_are_counted_in_answers_of_both_versions() {
        let left = |answer: &str, is_version3| {
            let departures = Departures::default();
            departures.leave_in(answer.as_bytes(), is_version3);
            departures.left()
        };
        assert_eq!(left("2\u{1e}42/chat,[]\u{1e}43/chat,1[]\u{1e}42/echo,\u{1e}42/chat", false), 2);
        assert_eq!(left("1:210:42/chat,[]14:42/chat,[\"안녕\"]8:40/chat,", true), 2);
        assert_eq!(left("6", false) + left("1:6", true) + left("", false) + left("", true), 0);
    }
}
