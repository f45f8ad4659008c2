//! A session's log: the only way in which anything reaches a person.
//!
//! ```text
//!   forgotten | acknowledged ...  handed out ...  head
//!             └─────────────── held, at most `bound` ┘
//! ```
//!
//! A mailbox never drops a message. When it is full it gives up its head counts, says so with
//! one `lagged`, and reports [`Full`] when even that makes no room.

use std::collections::VecDeque;

use super::{Instant, Rejected};
use crate::protocol::{Seq, ServerEvent};

/// One event in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// When it was put there.
    pub at: Instant,
    /// The event.
    pub event: ServerEvent,
}

/// The mailbox cannot hold one more event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug)]
pub(super) struct Mailbox {
    entries: VecDeque<Entry>,
    bound: usize,
    head: Seq,
    acknowledged: Seq,
    handed_out: Seq,
}

impl Mailbox {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bound,
            head: Seq(0),
            acknowledged: Seq(0),
            handed_out: Seq(0),
        }
    }

    /// Appends an event and returns its place.
    pub(super) fn push(&mut self, at: Instant, event: ServerEvent) -> Result<Seq, Full> {
        if self.entries.len() >= self.bound {
            self.give_up_head_counts(at)?;
        }
        Ok(self.append(at, event))
    }

    /// Appends the last event of a session; there is always room for it.
    pub(super) fn push_last(&mut self, at: Instant, event: ServerEvent) -> Seq {
        self.append(at, event)
    }

    pub(super) fn read_after(&mut self, after: Seq, limit: usize) -> Result<Vec<Entry>, Rejected> {
        self.check(after)?;
        let start = self.entries.partition_point(|entry| entry.seq <= after);
        let read: Vec<_> = self.entries.iter().skip(start).take(limit).cloned().collect();
        if let Some(last) = read.last() {
            self.handed_out = self.handed_out.max(last.seq);
        }
        Ok(read)
    }

    pub(super) fn acknowledge(&mut self, seq: Seq) -> Result<(), Rejected> {
        self.check(seq)?;
        let count = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.drain(..count);
        self.acknowledged = seq;
        self.handed_out = self.handed_out.max(seq);
        Ok(())
    }

    pub(super) fn is_handed_out(&self) -> bool {
        self.handed_out == self.head
    }

    fn check(&self, after: Seq) -> Result<(), Rejected> {
        if (self.acknowledged..=self.head).contains(&after) {
            return Ok(());
        }
        Err(Rejected::Cursor { after, acknowledged: self.acknowledged, head: self.head })
    }

    fn append(&mut self, at: Instant, event: ServerEvent) -> Seq {
        self.head = self.head.next();
        self.entries.push_back(Entry { seq: self.head, at, event });
        self.head
    }

    /// Replaces all head counts by one `lagged`, which helps only where there were two or more.
    fn give_up_head_counts(&mut self, at: Instant) -> Result<(), Full> {
        let missed = self.entries.iter().map(|entry| droppable(&entry.event)).sum();
        let held = self.entries.iter().filter(|entry| droppable(&entry.event) == 0).count();
        if held + 2 > self.bound {
            return Err(Full);
        }
        self.entries.retain(|entry| droppable(&entry.event) == 0);
        self.append(at, ServerEvent::Lagged { missed });
        Ok(())
    }
}

/// How many head counts an event stands for; events that stand for none are never dropped.
fn droppable(event: &ServerEvent) -> u64 {
    match event {
        ServerEvent::Notice { .. } => 1,
        ServerEvent::Lagged { missed } => *missed,
        _ => 0,
    }
}
