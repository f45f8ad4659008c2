//! The books: what became of every single message of a run.
//!
//! Each person has an account with one record a scheduled message, made before the first message
//! is sent, so that nothing is allocated while the run is measured and a message that was never
//! sent is as visible as one that never arrived. An entry is a few writes under the lock of one
//! account, which its owner and the owner's partner share. All figures of a run are derived from
//! these books afterwards (see [`crate::recorder`]); nothing is counted twice.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use reports::run::Messages;

use crate::name::{Name, Sent};
use crate::schedule::Schedule;
use crate::shard::Shard;

/// Every message of one run.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) run: u64,
    /// Whose senders are at home here; what the others' say is known only where it is received.
    pub(crate) shard: Shard,
    accounts: Vec<Mutex<Account>>,
    open: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// Every message that is due until then was handed to its sender, or there was nobody any more
    /// to send it to; microseconds on the clock of the run.
    passed_us: AtomicU64,
}

/// The messages of one sender.
#[derive(Debug, Default)]
struct Account {
    records: Vec<Record>,
    /// The conversations that something has been received of, each with one past the highest
    /// number so far: order holds within one.
    received_below: Vec<(u64, u32)>,
}

/// What is known of one message. Times are microseconds on the clock of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// When the schedule wanted it sent.
    pub intended_us: u64,
    /// When it was sent, if it was.
    pub sent_us: Option<u64>,
    /// When it first reached a person, if it did.
    pub received_us: Option<u64>,
    /// Its sender belongs to another generator.
    pub foreign: bool,
    /// The conversation that it was meant for.
    pub(crate) pair: u64,
    /// Whom it reached first.
    reader: u32,
    deliveries: u8,
    accepted: bool,
    refused: bool,
    pub(crate) failed: bool,
    /// It was not sent, or refused, and a server in good order would have delivered it.
    inexcusable: bool,
    astray: bool,
    overtaken: bool,
    settled: bool,
}

/// What became of a message; each has exactly one fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Never sent.
    Unsent,
    /// Sent, refused or failed with an error, and rightly never delivered.
    Refused,
    /// Reached the partner once, in its turn.
    Delivered,
    /// Sent, not refused, never seen again.
    Lost,
    /// Reached its readers more than once.
    Duplicated,
    /// Reached somebody else, or reached somebody although it had been refused.
    Misdelivered,
    /// Reached the partner after a later message of the same sender.
    OutOfOrder,
    /// Sent, and not seen again by any of this generator's people; another's may have it.
    Abroad,
}

/// What a receipt was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// The first of this message.
    First {
        /// When the schedule wanted the message sent.
        intended_us: u64,
    },
    /// One more of the same message.
    Again,
    /// No message of this run.
    Foreign,
}

impl Ledger {
    /// Empty books for `schedule`, of the generator that plays `shard`. `run` tells the messages of
    /// this run from all others.
    #[must_use]
    pub fn new(run: u64, schedule: &Schedule, shard: Shard) -> Self {
        let account = |(times, person): (Vec<u64>, u32)| {
            let foreign = !shard.owns(person);
            let record = |intended_us| Record { intended_us, foreign, ..Record::default() };
            let records = times.into_iter().map(record).collect();
            Account { records, received_below: Vec::new() }
        };
        let own = schedule.due.iter().filter(|due| shard.owns(due.person)).count();
        let people = schedule.by_person().into_iter().zip(0..);
        Self {
            run,
            shard,
            accounts: people.map(account).map(Mutex::new).collect(),
            open: AtomicU64::new(own as u64),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            passed_us: AtomicU64::new(0),
        }
    }

    /// Enters that `sender` sends message `number` into `pair` at `at_us`; its id on the wire.
    pub fn send(&self, sender: u32, number: u32, pair: u64, at_us: u64) -> String {
        let mut name = Name { sender, number, sent: None };
        self.change(sender, number, |record| {
            record.sent_us = Some(at_us);
            record.pair = pair;
            name = self.name(sender, number, record);
            Settles::NotYet
        });
        self.sent.fetch_add(1, Ordering::Relaxed);
        name.write(self.run)
    }

    /// Enters that the messages that are due until `at_us` were handed to their senders. One that is
    /// not sent after that was prevented from it.
    pub(crate) fn pass(&self, at_us: u64) {
        self.passed_us.fetch_max(at_us, Ordering::Relaxed);
    }

    /// Enters that a message will not be sent, because its sender has no partner.
    pub fn skip(&self, sender: u32, number: u32) {
        self.change(sender, number, |_| Settles::Now);
    }

    /// Enters that the server said it accepted the message.
    pub fn accept(&self, sender: u32, number: u32) {
        self.change(sender, number, |record| {
            record.accepted = true;
            Settles::NotYet
        });
    }

    /// Enters that the server refused the message.
    pub fn refuse(&self, sender: u32, number: u32) {
        self.change(sender, number, |record| {
            record.refused = true;
            Settles::Now
        });
    }

    /// Enters that a server in good order would have delivered a message that is not sent, or refused.
    pub(crate) fn blame(&self, sender: u32, number: u32) {
        self.change(sender, number, |record| {
            record.inexcusable = true;
            Settles::Now
        });
    }

    /// Enters that sending failed; whether the server has the message is unknown.
    pub fn fail(&self, sender: u32, number: u32) {
        self.change(sender, number, |record| {
            record.failed = true;
            Settles::Now
        });
    }

    /// Enters that `receiver`, who is talking in `pair`, was given the message `id` at `at_us`.
    pub fn receive(&self, receiver: u32, pair: Option<u64>, id: &str, at_us: u64) -> Receipt {
        let Some(Name { sender, number, sent }) = self.read(id) else {
            return Receipt::Foreign;
        };
        let account = &self.accounts[sender as usize];
        let mut account = account.lock().expect("no entry panics");
        let Account { records, received_below } = &mut *account;
        let Some(record) = records.get_mut(number as usize) else {
            return Receipt::Foreign;
        };
        let is_new = record.foreign && record.received_us.is_none();
        if let Some(Sent { pair, lag_us }) = sent.filter(|_| is_new) {
            record.pair = pair;
            record.sent_us = Some(record.intended_us + lag_us);
        }
        record.deliveries = record.deliveries.saturating_add(1);
        record.astray |=
            receiver == sender || pair != Some(record.pair) || record.sent_us.is_none();
        if record.received_us.is_some() {
            return Receipt::Again;
        }
        record.received_us = Some(at_us);
        record.reader = receiver;
        record.overtaken = has_overtaken(received_below, record.pair, number);
        let intended_us = record.intended_us;
        if !record.foreign && !std::mem::replace(&mut record.settled, true) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        self.received.fetch_add(1, Ordering::Relaxed);
        Receipt::First { intended_us }
    }

    /// The number of one's own message, if `id` is one of `sender`'s messages.
    #[must_use]
    pub fn number_of(&self, sender: u32, id: &str) -> Option<u32> {
        self.read(id).filter(|name| name.sender == sender).map(|name| name.number)
    }

    /// Messages whose fate is still open: not skipped, delivered, refused or failed.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Messages that are due at `at_us` or later.
    #[must_use]
    pub fn due_from(&self, at_us: u64) -> u64 {
        let mut count = 0;
        self.for_each(|record| {
            count += u64::from(!record.foreign && record.intended_us >= at_us);
        });
        count
    }

    /// Messages sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Messages received so far, each counted once.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Calls `visit` with every record, sender by sender.
    pub fn for_each(&self, mut visit: impl FnMut(&Record)) {
        self.for_each_named(|_, record| visit(record));
    }

    /// The same, with each message's name.
    pub(crate) fn for_each_named(&self, mut visit: impl FnMut(Name, &Record)) {
        for (account, sender) in self.accounts.iter().zip(0..) {
            let account = account.lock().expect("no entry panics");
            for (record, number) in account.records.iter().zip(0..) {
                visit(self.name(sender, number, record), record);
            }
        }
    }

    /// The account of the messages that were due in `window`, in microseconds.
    ///
    /// A message outside the window (the warm-up) that went wrong is counted too: nothing wrong
    /// is ever left out because of when it happened.
    #[must_use]
    pub fn messages(&self, window: &Range<u64>) -> Messages {
        let mut messages = Messages::default();
        self.for_each(|record| {
            let (fate, failed) = (self.fate(record), self.has_failed(record));
            let is_wrong = fate.is_wrong() || (failed && record.intended_us < window.end);
            if !record.foreign && (window.contains(&record.intended_us) || is_wrong) {
                count(&mut messages, fate);
                messages.failed += u64::from(failed);
            }
        });
        messages
    }

    /// The messages that were due in `window` and were not sent, because the server, or the way to
    /// it, left their senders no chance.
    #[must_use]
    pub fn prevented(&self, window: &Range<u64>) -> u64 {
        let mut prevented = 0;
        self.for_each(|record| {
            let is_unsent = !record.foreign && record.sent_us.is_none();
            let is_due = window.contains(&record.intended_us);
            prevented += u64::from(is_unsent && is_due && self.has_failed(record));
        });
        prevented
    }

    /// True of a message that was not sent or was refused, and that a server in good order would
    /// have delivered.
    pub(crate) fn has_failed(&self, record: &Record) -> bool {
        match self.fate(record) {
            Fate::Unsent if record.settled => record.inexcusable,
            Fate::Unsent => record.intended_us <= self.passed_us.load(Ordering::Relaxed),
            Fate::Refused => record.inexcusable || record.failed,
            _ => false,
        }
    }

    /// What became of a message, as far as this generator can tell.
    pub(crate) fn fate(&self, record: &Record) -> Fate {
        match record.fate() {
            Fate::Lost if !self.shard.is_whole() => Fate::Abroad,
            Fate::Refused if !self.shard.is_whole() && !record.refused => Fate::Abroad,
            fate => fate,
        }
    }

    fn change(&self, sender: u32, number: u32, enter: impl FnOnce(&mut Record) -> Settles) {
        let mut account = self.accounts[sender as usize].lock().expect("no entry panics");
        let record = &mut account.records[number as usize];
        let settles = matches!(enter(record), Settles::Now);
        if settles && !std::mem::replace(&mut record.settled, true) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn name(&self, sender: u32, number: u32, record: &Record) -> Name {
        let sent_us = record.sent_us.filter(|_| !self.shard.is_whole());
        let sent = sent_us.map(|sent_us| Sent {
            pair: record.pair,
            lag_us: sent_us.saturating_sub(record.intended_us),
        });
        Name { sender, number, sent }
    }

    fn read(&self, id: &str) -> Option<Name> {
        let name = Name::read(self.run, id)?;
        let is_known = (name.sender as usize) < self.accounts.len();
        (is_known && name.sent.is_none() == self.shard.is_whole()).then_some(name)
    }
}

/// Enters the receipt of a number in a conversation: true when a later one has come before it. The
/// last conversation is nearly always the one that is meant.
fn has_overtaken(received_below: &mut Vec<(u64, u32)>, pair: u64, number: u32) -> bool {
    match received_below.iter_mut().rev().find(|(known, _)| *known == pair) {
        Some((_, below)) if number < *below => true,
        Some((_, below)) => {
            *below = number + 1;
            false
        }
        None => {
            received_below.push((pair, number + 1));
            false
        }
    }
}

/// Whether an entry decides the fate of its message.
enum Settles {
    Now,
    NotYet,
}

impl Record {
    /// Whom it reached first, if it reached anybody.
    #[must_use]
    pub fn reader(&self) -> Option<u32> {
        self.received_us.map(|_| self.reader)
    }

    /// It was not sent, and its sender had an excuse: there was no partner.
    #[must_use]
    pub fn was_skipped(&self) -> bool {
        self.settled && !self.inexcusable && self.sent_us.is_none() && self.deliveries == 0
    }

    /// What became of the message; the worst that applies.
    #[must_use]
    pub fn fate(&self) -> Fate {
        let arrived = self.deliveries > 0;
        match self {
            _ if self.astray || (self.refused && arrived) => Fate::Misdelivered,
            _ if self.deliveries > 1 => Fate::Duplicated,
            _ if self.overtaken => Fate::OutOfOrder,
            _ if arrived => Fate::Delivered,
            _ if self.sent_us.is_none() => Fate::Unsent,
            // What the server said it accepted is lost, whatever else went wrong on the way.
            _ if self.accepted => Fate::Lost,
            _ if self.refused || self.failed => Fate::Refused,
            _ => Fate::Lost,
        }
    }
}

impl Fate {
    pub(crate) fn is_wrong(self) -> bool {
        matches!(self, Self::Lost | Self::Duplicated | Self::Misdelivered | Self::OutOfOrder)
    }
}

/// Enters a message that was scheduled.
fn count(messages: &mut Messages, fate: Fate) {
    messages.scheduled += 1;
    messages.sent += u64::from(fate != Fate::Unsent);
    count_fate(messages, fate);
}

/// Enters a fate alone, where the message is counted elsewhere.
pub(crate) fn count_fate(messages: &mut Messages, fate: Fate) {
    let place = match fate {
        Fate::Unsent => &mut messages.unsent,
        Fate::Refused => &mut messages.refused,
        Fate::Delivered => &mut messages.delivered,
        Fate::Lost => &mut messages.lost,
        Fate::Duplicated => &mut messages.duplicated,
        Fate::Misdelivered => &mut messages.misdelivered,
        Fate::OutOfOrder => &mut messages.out_of_order,
        Fate::Abroad => &mut messages.abroad,
    };
    *place += 1;
}

#[cfg(test)]
mod tests;
