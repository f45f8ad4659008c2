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

use crate::schedule::Schedule;

/// Every message of one run.
#[derive(Debug)]
pub struct Ledger {
    run: u64,
    accounts: Vec<Mutex<Account>>,
    open: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
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
    /// The conversation that it was meant for.
    pair: u64,
    /// Whom it reached first.
    reader: u32,
    deliveries: u8,
    accepted: bool,
    refused: bool,
    failed: bool,
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
    /// Empty books for `schedule`. `run` tells the messages of this run from all others.
    #[must_use]
    pub fn new(run: u64, schedule: &Schedule) -> Self {
        let account = |times: Vec<u64>| Account {
            records: times
                .into_iter()
                .map(|intended_us| Record { intended_us, ..Record::default() })
                .collect(),
            received_below: Vec::new(),
        };
        Self {
            run,
            accounts: schedule.by_person().into_iter().map(account).map(Mutex::new).collect(),
            open: AtomicU64::new(schedule.due.len() as u64),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// Enters that `sender` sends message `number` into `pair` at `at_us`; its id on the wire.
    pub fn send(&self, sender: u32, number: u32, pair: u64, at_us: u64) -> String {
        self.change(sender, number, |record| {
            record.sent_us = Some(at_us);
            record.pair = pair;
            Settles::NotYet
        });
        self.sent.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{sender}-{number}", self.run)
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

    /// Enters that sending failed; whether the server has the message is unknown.
    pub fn fail(&self, sender: u32, number: u32) {
        self.change(sender, number, |record| {
            record.failed = true;
            Settles::Now
        });
    }

    /// Enters that `receiver`, who is talking in `pair`, was given the message `id` at `at_us`.
    pub fn receive(&self, receiver: u32, pair: Option<u64>, id: &str, at_us: u64) -> Receipt {
        let Some((sender, number)) = self.parse(id) else {
            return Receipt::Foreign;
        };
        let account = &self.accounts[sender as usize];
        let mut account = account.lock().expect("no entry panics");
        let Account { records, received_below } = &mut *account;
        let Some(record) = records.get_mut(number as usize) else {
            return Receipt::Foreign;
        };
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
        if !std::mem::replace(&mut record.settled, true) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        self.received.fetch_add(1, Ordering::Relaxed);
        Receipt::First { intended_us }
    }

    /// The number of one's own message, if `id` is one of `sender`'s messages.
    #[must_use]
    pub fn number_of(&self, sender: u32, id: &str) -> Option<u32> {
        self.parse(id).filter(|(by, _)| *by == sender).map(|(_, number)| number)
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
        self.for_each(|record| count += u64::from(record.intended_us >= at_us));
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
        for account in &self.accounts {
            let account = account.lock().expect("no entry panics");
            account.records.iter().for_each(&mut visit);
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
            let fate = record.fate();
            if window.contains(&record.intended_us) || fate.is_wrong() {
                count(&mut messages, fate);
            }
        });
        messages
    }

    fn change(&self, sender: u32, number: u32, enter: impl FnOnce(&mut Record) -> Settles) {
        let mut account = self.accounts[sender as usize].lock().expect("no entry panics");
        let record = &mut account.records[number as usize];
        let settles = matches!(enter(record), Settles::Now);
        if settles && !std::mem::replace(&mut record.settled, true) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn parse(&self, id: &str) -> Option<(u32, u32)> {
        let mut parts = id.split('-');
        let run = u64::from_str_radix(parts.next()?, 16).ok()?;
        let sender: u32 = parts.next()?.parse().ok()?;
        let number: u32 = parts.next()?.parse().ok()?;
        let ours = run == self.run && parts.next().is_none();
        (ours && (sender as usize) < self.accounts.len()).then_some((sender, number))
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

    /// It was not sent, and its sender said why: there was no partner.
    #[must_use]
    pub fn was_skipped(&self) -> bool {
        self.settled && self.sent_us.is_none() && self.deliveries == 0
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
    fn is_wrong(self) -> bool {
        matches!(self, Self::Lost | Self::Duplicated | Self::Misdelivered | Self::OutOfOrder)
    }
}

fn count(messages: &mut Messages, fate: Fate) {
    messages.scheduled += 1;
    messages.sent += u64::from(fate != Fate::Unsent);
    let place = match fate {
        Fate::Unsent => &mut messages.unsent,
        Fate::Refused => &mut messages.refused,
        Fate::Delivered => &mut messages.delivered,
        Fate::Lost => &mut messages.lost,
        Fate::Duplicated => &mut messages.duplicated,
        Fate::Misdelivered => &mut messages.misdelivered,
        Fate::OutOfOrder => &mut messages.out_of_order,
    };
    *place += 1;
}

#[cfg(test)]
mod tests;
