//! A session's log: the only way in which anything reaches a person.
//!
//! ```text
//!   forgotten | acknowledged ...  handed out ...  head
//!             └───────── held, within the bounds ────┘
//! ```
//!
//! A mailbox never drops a message that was not handed out. When it is full
//!
//! 1. it forgets the oldest events that were handed out, if its client has never acknowledged anything,
//!    not even nothing, as the first of all polls does: such a client will never acknowledge these
//!    either. A stream that is taken up again behind an event says where it was, no more;
//! 2. it gives up its head counts, and says so with one `lagged`;
//! 3. it reports [`Full`] when even that makes no room.
//!
//! A message finds it full [`PLACES_RESERVED`] places earlier than what no one can refuse: the end of the
//! conversation, and that the person waits again. Nobody is paired whose mailbox is not [ready](Mailbox::is_ready),
//! so that for these there is room always.
//!
//! # Memory
//!
//! With `E` = `mailbox_events_max`, `B` = `mailbox_bytes_max` and `I` = `message_ids_max`, a session
//! holds at most
//!
//! ```text
//!   80 * (E + 1)   events, 64 bytes each, and up to a quarter of the places are empty
//!   B              texts and ids, which the partner's mailbox shares
//!   64 * E         what the allocator takes beside each text and id
//!   6 * I          hashes of the ids of its own messages; I rounded up to a power of two
//!   768            everything else: state, tags of these ids, timers, its place in the maps
//! ```
//!
//! which is 300,624 bytes, 294 KiB, with the default configuration. That is the worst that a session
//! whose user never reads can do; a mailbox that has been read and acknowledged gives its places back, and
//! somebody who talks and listens takes about 2 KiB. What is under way to that user is the connection's,
//! and bounded by its transport: docs/src/operations.md has the table, and tests/it/memory.rs measures it.

use std::collections::VecDeque;

use tracing::trace;

use super::{Instant, Rejected};
use crate::config::Config;
use protocol::{Seq, ServerEvent};

/// Places that an emptied mailbox keeps: as many as a socket needs that acknowledges every sixteen
/// events, and some more for what comes meanwhile.
const PLACES_KEPT: usize = 20;
/// Places that no message takes: for `waiting` and `paired`, of which a ready mailbox has one to spare,
/// `partner_left`, `waiting` again, `lagged` and one head count.
pub(crate) const PLACES_RESERVED: usize = 5;
/// Places that a mailbox asks for at least.
const PLACES_MORE_MIN: usize = 4;

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

impl Entry {
    /// An event that has no place yet.
    pub(super) fn new(at: Instant, event: ServerEvent) -> Self {
        Self { seq: Seq(0), at, event }
    }
}

/// How much is read from a mailbox at once; one event is always read.
#[derive(Debug, Clone, Copy)]
pub struct Portion {
    /// Events at most.
    pub events_max: usize,
    /// Bytes that their texts and ids have in JSON at most.
    pub json_bytes_max: usize,
}

impl Portion {
    /// Everything.
    #[cfg(test)]
    pub(super) const ALL: Self = Self { events_max: usize::MAX, json_bytes_max: usize::MAX };

    /// How many of these events, counted from the first, are read.
    fn of<'a>(self, entries: impl Iterator<Item = &'a Entry>) -> usize {
        let mut bytes = 0;
        let fits = |(nth, entry): &(usize, &Entry)| {
            bytes += json_bytes(&entry.event);
            *nth == 0 || bytes <= self.json_bytes_max
        };
        entries.take(self.events_max).enumerate().take_while(fits).count()
    }
}

/// What was read from a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The events, in order.
    pub entries: Vec<Entry>,
    /// How many of them, counted from the first, had been handed out before.
    pub again: usize,
}

/// The mailbox cannot hold one more event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What a mailbox holds at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    events_max: usize,
    bytes_max: usize,
}

impl Bounds {
    pub(super) fn new(config: &Config) -> Self {
        Self { events_max: config.mailbox_events_max, bytes_max: config.mailbox_bytes_max }
    }

    /// What it holds at most after a message was put into it.
    pub(super) fn of_messages(config: &Config) -> Self {
        Self::new(config).without_reserve()
    }

    fn without_reserve(self) -> Self {
        Self { events_max: self.events_max.saturating_sub(PLACES_RESERVED).max(1), ..self }
    }
}

#[derive(Debug, Default)]
pub(super) struct Mailbox {
    entries: VecDeque<Entry>,
    /// The texts and ids in `entries`.
    bytes: usize,
    head: Seq,
    /// The lowest cursor that can be read from.
    forgotten: Seq,
    handed_out: Seq,
    has_acknowledged: bool,
}

impl Mailbox {
    /// Appends an entry and returns its place, which is the mailbox's to choose.
    pub(super) fn push(&mut self, entry: Entry, bounds: Bounds) -> Result<Seq, Full> {
        if !self.has_room(&entry.event, bounds) {
            self.make_room(entry.at, &entry.event, bounds)?;
        }
        Ok(self.append(entry))
    }

    /// Says whether [`Mailbox::push`] would take this, and changes nothing.
    pub(super) fn could_take(&self, event: &ServerEvent, bounds: Bounds) -> bool {
        if self.has_room(event, bounds) {
            return true;
        }
        let kept = || self.entries.range(self.forgettable()..);
        let held: usize = kept().map(|entry| bytes(&entry.event)).sum();
        if held + bytes(event) > bounds.bytes_max {
            return false;
        }
        kept().count() < bounds.events_max
            || self.count_needed(self.forgettable()) + 2 <= bounds.events_max
    }

    /// True when the person may be paired: less than half of the mailbox is unread, and it has a place.
    pub(super) fn is_ready(&self, bounds: Bounds) -> bool {
        let unread = self.count_needed(self.count_up_to(self.handed_out));
        2 * unread < bounds.events_max && self.has_place(bounds)
    }

    /// True when one message more has a place, if it is short enough.
    pub(super) fn has_place(&self, bounds: Bounds) -> bool {
        self.count_needed(self.forgettable()) < bounds.without_reserve().events_max
    }

    /// How far it was handed out, and how far it was forgotten.
    pub(super) fn progress(&self) -> (Seq, Seq) {
        (self.handed_out, self.forgotten)
    }

    /// Events from this place on that cannot be given up.
    fn count_needed(&self, from: usize) -> usize {
        self.entries.range(from..).filter(|entry| droppable(&entry.event) == 0).count()
    }

    /// How many of the oldest events it may forget, where it needs room.
    fn forgettable(&self) -> usize {
        if self.has_acknowledged { 0 } else { self.count_up_to(self.handed_out) }
    }

    /// Appends the last event of a session; there is always room for it.
    pub(super) fn push_last(&mut self, entry: Entry) -> Seq {
        self.append(entry)
    }

    pub(super) fn read_after(&mut self, after: Seq, portion: Portion) -> Result<Read, Rejected> {
        self.check(after)?;
        let start = self.count_up_to(after);
        let end = start + portion.of(self.entries.range(start..));
        let again = self.count_up_to(self.handed_out).clamp(start, end) - start;
        if again > 0 {
            trace!(name: "handed out again", count = again as u64);
        }
        let entries: Vec<_> = self.entries.range(start..end).cloned().collect();
        if let Some(last) = entries.last() {
            self.handed_out = self.handed_out.max(last.seq);
        }
        Ok(Read { entries, again })
    }

    pub(super) fn acknowledge(&mut self, seq: Seq) -> Result<(), Rejected> {
        self.forget(seq)?;
        self.has_acknowledged = true;
        Ok(())
    }

    /// Forgets what has arrived, and says nothing of what comes.
    pub(super) fn forget(&mut self, seq: Seq) -> Result<(), Rejected> {
        self.check(seq)?;
        if seq == self.head {
            self.forget_everything();
        }
        while self.entries.front().is_some_and(|oldest| oldest.seq <= seq) {
            self.forget_oldest();
        }
        self.forgotten = seq;
        self.handed_out = self.handed_out.max(seq);
        Ok(())
    }

    /// The lowest cursor that can be read from.
    pub(super) fn beginning(&self) -> Seq {
        self.forgotten
    }

    /// How many events fit before it has to ask for memory.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.entries.capacity()
    }

    /// Events that are held.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_handed_out(&self) -> bool {
        self.handed_out == self.head
    }

    /// True when somebody said something that was never handed out.
    pub(super) fn has_unheard_message(&self) -> bool {
        let is_message = |entry: &Entry| matches!(entry.event, ServerEvent::Message { .. });
        self.entries.range(self.count_up_to(self.handed_out)..).any(is_message)
    }

    /// A cursor between what was forgotten and the head is good.
    pub(super) fn check(&self, after: Seq) -> Result<(), Rejected> {
        if (self.forgotten..=self.head).contains(&after) {
            return Ok(());
        }
        trace!(name: "cursor refused", is_behind = after < self.forgotten);
        Err(Rejected::Cursor { after, acknowledged: self.forgotten, head: self.head })
    }

    /// How many events a cursor has behind it.
    fn count_up_to(&self, after: Seq) -> usize {
        // Where no head count was given up, which leaves a gap, their places tell.
        let held = self.head.0 - self.forgotten.0;
        if held == self.entries.len() as u64 {
            return (after.0 - self.forgotten.0) as usize;
        }
        self.entries.partition_point(|entry| entry.seq <= after)
    }

    fn append(&mut self, entry: Entry) -> Seq {
        self.head = self.head.next();
        self.bytes += bytes(&entry.event);
        let places = self.entries.capacity();
        if self.entries.len() == places {
            // Not twice as many, because there are as many mailboxes as people.
            self.entries.reserve_exact(PLACES_MORE_MIN.max(places / 4));
        }
        self.entries.push_back(entry);
        if let Some(last) = self.entries.back_mut() {
            last.seq = self.head;
        }
        self.head
    }

    fn forget_everything(&mut self) {
        self.bytes = 0;
        self.entries.clear();
        self.entries.shrink_to(PLACES_KEPT);
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= bytes(&oldest.event);
            self.forgotten = oldest.seq;
        }
    }

    fn has_room(&self, event: &ServerEvent, bounds: Bounds) -> bool {
        self.entries.len() < bounds.events_max && self.bytes + bytes(event) <= bounds.bytes_max
    }

    fn make_room(&mut self, at: Instant, event: &ServerEvent, bounds: Bounds) -> Result<(), Full> {
        let keeps_no_cursor = !self.has_acknowledged;
        while keeps_no_cursor
            && self.entries.front().is_some_and(|oldest| oldest.seq <= self.handed_out)
        {
            self.forget_oldest();
            if self.has_room(event, bounds) {
                return Ok(());
            }
        }
        if self.bytes + bytes(event) > bounds.bytes_max {
            return Err(Full);
        }
        self.give_up_head_counts(at, bounds)
    }

    /// Replaces all head counts by one `lagged`, which helps only where there were two or more.
    fn give_up_head_counts(&mut self, at: Instant, bounds: Bounds) -> Result<(), Full> {
        let missed = self.entries.iter().map(|entry| droppable(&entry.event)).sum();
        let held = self.entries.iter().filter(|entry| droppable(&entry.event) == 0).count();
        if held + 2 > bounds.events_max {
            return Err(Full);
        }
        self.entries.retain(|entry| droppable(&entry.event) == 0);
        trace!(name: "lagged", missed);
        self.append(Entry::new(at, ServerEvent::Lagged { missed }));
        Ok(())
    }
}

/// What an event holds beside its place.
fn bytes(event: &ServerEvent) -> usize {
    match event {
        ServerEvent::Message { id, text, .. } => id.as_str().len() + text.len(),
        _ => 0,
    }
}

/// What the text and the id of an event have in JSON, where one byte can become six (RFC 8259, section 7).
pub(crate) fn json_bytes(event: &ServerEvent) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    match event {
        ServerEvent::Message { id, text, .. } => {
            id.as_str().bytes().chain(text.bytes()).map(escaped).sum()
        }
        _ => 0,
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
