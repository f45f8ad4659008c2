//! Ways in which mailboxes are read, as figures name them, and how many are read in each.

use super::{ENTRY, HubState};
use crate::core::{Handle, Input, ReaderId};
use protocol::ClientEvent;

/// A way in. The hub treats all of them alike, and counts them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Requests that are answered at once.
    ShortPoll,
    /// Requests that are parked until there is an event.
    LongPoll,
    /// Server-sent events.
    Sse,
    /// A WebSocket of this server's own protocol.
    WebSocket,
    /// Socket.IO over HTTP long-polling.
    SocketIoPolling,
    /// Socket.IO over a WebSocket.
    SocketIoWebSocket,
}

impl Transport {
    /// All of them, each at the place that it has as a number.
    pub const ALL: [Self; 6] = [
        Self::ShortPoll,
        Self::LongPoll,
        Self::Sse,
        Self::WebSocket,
        Self::SocketIoPolling,
        Self::SocketIoWebSocket,
    ];

    /// The name that the clients and the load suite have for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ShortPoll => "short-poll",
            Self::LongPoll => "long-poll",
            Self::Sse => "sse",
            Self::WebSocket => "websocket",
            Self::SocketIoPolling => "socketio-polling",
            Self::SocketIoWebSocket => "socketio-websocket",
        }
    }
}

impl HubState {
    /// The mailbox is read like this from now on; none is not at all.
    pub(super) fn read_over(&mut self, session: Handle, reading: Option<(ReaderId, Transport)>) {
        let entry = self.entries.get_mut(session.index()).and_then(Option::as_mut).expect(ENTRY);
        let before = std::mem::replace(&mut entry.reading, reading);
        entry.read_over = reading.map(|(_, over)| over).or(entry.read_over);
        self.count(before, reading);
    }

    pub(super) fn count(
        &mut self,
        before: Option<(ReaderId, Transport)>,
        after: Option<(ReaderId, Transport)>,
    ) {
        if let Some((_, over)) = before {
            self.readers[over as usize] -= 1;
        }
        if let Some((_, over)) = after {
            self.readers[over as usize] += 1;
        }
    }

    /// True while this reader is the latest of the mailbox and has not ended.
    pub(super) fn is_read_by(&self, session: Handle, reader: ReaderId) -> bool {
        let reading = self.entry(session).and_then(|entry| entry.reading);
        reading.is_some_and(|(latest, _)| latest == reader)
    }
}

/// The session that says something with this input.
pub(super) fn sender(input: &Input) -> Option<Handle> {
    match input {
        Input::Command { session, event: ClientEvent::Say(_), .. } => Some(*session),
        _ => None,
    }
}
