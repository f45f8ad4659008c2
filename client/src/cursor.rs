//! How far a session was read.
//!
//! The wire delivers at least once; the cursor makes that exactly once for the application. It
//! never looks into an event.

use protocol::{Event, Seq};

use crate::Received;

/// The last event that was given out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor(Seq);

impl Cursor {
    pub(crate) fn after(seq: Seq) -> Self {
        Self(seq)
    }

    pub(crate) fn seq(self) -> Seq {
        self.0
    }

    /// True for an event that was not given out yet; it now counts as given out.
    pub(crate) fn admits(&mut self, event: &Event) -> bool {
        let new = event.seq > self.0;
        self.advance(event.seq);
        new
    }

    /// Moves forward to `seq`, never back.
    pub(crate) fn advance(&mut self, seq: Seq) {
        self.0 = self.0.max(seq);
    }
}

impl Received {
    /// Takes one event from the wire; says whether it is new to the application.
    pub(crate) fn take(&mut self, event: Event, cursor: &mut Cursor) -> bool {
        let is_new = cursor.admits(&event);
        if is_new {
            self.events.push(event);
        } else {
            self.repeated.push(event.seq);
        }
        is_new
    }
}
