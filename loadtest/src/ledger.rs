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
    /// One past the highest number that has been received so far.
    received_below: u32,
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
            received_below: 0,
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
        let received_below = account.received_below;
        let Some(record) = account.records.get_mut(number as usize) else {
            return Receipt::Foreign;
        };
        record.deliveries = record.deliveries.saturating_add(1);
        record.astray |=
            receiver == sender || pair != Some(record.pair) || record.sent_us.is_none();
        if record.received_us.is_some() {
            return Receipt::Again;
        }
        record.received_us = Some(at_us);
        record.overtaken = number < received_below;
        let intended_us = record.intended_us;
        if !std::mem::replace(&mut record.settled, true) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        account.received_below = received_below.max(number + 1);
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

/// Whether an entry decides the fate of its message.
enum Settles {
    Now,
    NotYet,
}

impl Record {
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
mod tests {
    use super::*;
    use crate::schedule::Due;

    const PAIR: u64 = 7;
    const WINDOW: Range<u64> = 1_000..2_000;

    /// Two people; person 0 is due to say one message at each of `times_us`.
    fn books(times_us: &[u64]) -> Ledger {
        let due = times_us.iter().zip(0..).map(|(&at_us, number)| Due { at_us, person: 0, number });
        Ledger::new(0xabc, &Schedule { due: due.collect(), people: 2 })
    }

    /// The account after `history`, in which one message of person 0 is due in the window.
    fn one(history: impl FnOnce(&Ledger)) -> Messages {
        let ledger = books(&[1_000]);
        history(&ledger);
        let messages = ledger.messages(&WINDOW);
        assert_eq!(messages.scheduled, 1, "exactly one place: {messages:?}");
        messages
    }

    #[test]
    fn a_message_that_reached_the_partner_once_is_delivered() {
        let messages = one(|ledger| {
            let id = ledger.send(0, 0, PAIR, 1_010);
            ledger.accept(0, 0);
            let receipt = ledger.receive(1, Some(PAIR), &id, 1_100);
            assert_eq!(receipt, Receipt::First { intended_us: 1_000 });
            assert_eq!(ledger.open(), 0);
        });
        assert_eq!((messages.sent, messages.delivered), (1, 1));
        assert!(messages.all_accounted_for());
    }

    #[test]
    fn an_accepted_message_that_nobody_saw_is_lost() {
        let messages = one(|ledger| {
            ledger.send(0, 0, PAIR, 1_010);
            ledger.accept(0, 0);
            assert_eq!(ledger.open(), 1, "the drain still waits for it");
        });
        assert_eq!(messages.lost, 1);
        assert!(!messages.all_accounted_for());
    }

    #[test]
    fn a_written_message_without_any_answer_is_lost() {
        let messages = one(|ledger| {
            ledger.send(0, 0, PAIR, 1_010);
        });
        assert_eq!(messages.lost, 1);
        assert!(!messages.all_accounted_for());
    }

    #[test]
    fn a_message_that_was_accepted_and_then_failed_is_lost_and_not_refused() {
        let messages = one(|ledger| {
            ledger.send(0, 0, PAIR, 1_010);
            ledger.accept(0, 0);
            ledger.fail(0, 0);
        });
        assert_eq!((messages.lost, messages.refused), (1, 0));
    }

    #[test]
    fn a_second_receipt_makes_it_duplicated() {
        let messages = one(|ledger| {
            let id = ledger.send(0, 0, PAIR, 1_010);
            ledger.receive(1, Some(PAIR), &id, 1_100);
            assert_eq!(ledger.receive(1, Some(PAIR), &id, 1_200), Receipt::Again);
        });
        assert_eq!((messages.duplicated, messages.delivered), (1, 0));
        assert!(!messages.all_accounted_for());
    }

    #[test]
    fn a_reader_in_another_conversation_makes_it_misdelivered() {
        for pair in [Some(PAIR + 1), None] {
            let messages = one(|ledger| {
                let id = ledger.send(0, 0, PAIR, 1_010);
                ledger.receive(1, pair, &id, 1_100);
            });
            assert_eq!((messages.misdelivered, messages.delivered), (1, 0));
            assert!(!messages.all_accounted_for());
        }
    }

    #[test]
    fn a_message_that_comes_back_as_the_partners_is_misdelivered() {
        let messages = one(|ledger| {
            let id = ledger.send(0, 0, PAIR, 1_010);
            ledger.receive(0, Some(PAIR), &id, 1_100);
        });
        assert_eq!(messages.misdelivered, 1);
    }

    #[test]
    fn a_refused_message_that_arrives_all_the_same_is_misdelivered() {
        let messages = one(|ledger| {
            let id = ledger.send(0, 0, PAIR, 1_010);
            ledger.refuse(0, 0);
            ledger.receive(1, Some(PAIR), &id, 1_100);
        });
        assert_eq!((messages.misdelivered, messages.refused), (1, 0));
        assert!(!messages.all_accounted_for());
    }

    #[test]
    fn a_refused_message_is_refused_and_accounted_for() {
        let messages = one(|ledger| {
            ledger.send(0, 0, PAIR, 1_010);
            ledger.refuse(0, 0);
            assert_eq!(ledger.open(), 0);
        });
        assert_eq!((messages.sent, messages.refused), (1, 1));
        assert!(messages.all_accounted_for());
    }

    #[test]
    fn a_failed_request_whose_message_arrived_is_delivered() {
        let messages = one(|ledger| {
            let id = ledger.send(0, 0, PAIR, 1_010);
            ledger.fail(0, 0);
            ledger.receive(1, Some(PAIR), &id, 1_100);
            assert_eq!(ledger.open(), 0, "settled once, not twice");
        });
        assert_eq!(messages.delivered, 1);
    }

    #[test]
    fn a_message_without_a_partner_is_unsent() {
        let messages = one(|ledger| {
            ledger.skip(0, 0);
            assert_eq!(ledger.open(), 0);
        });
        assert_eq!((messages.unsent, messages.sent), (1, 0));
        assert!(messages.all_accounted_for());
    }

    #[test]
    fn the_overtaken_message_is_out_of_order_and_the_overtaker_is_not() {
        let ledger = books(&[1_000, 1_001]);
        let early = ledger.send(0, 0, PAIR, 1_000);
        let late = ledger.send(0, 1, PAIR, 1_001);
        ledger.receive(1, Some(PAIR), &late, 1_100);
        ledger.receive(1, Some(PAIR), &early, 1_101);
        let messages = ledger.messages(&WINDOW);
        assert_eq!((messages.out_of_order, messages.delivered), (1, 1));
        assert!(!messages.all_accounted_for());
    }

    #[test]
    fn the_warm_up_is_not_counted_unless_it_went_wrong() {
        let ledger = books(&[0, 1, 1_000]);
        for number in [0, 2] {
            let id = ledger.send(0, number, PAIR, 1_000);
            ledger.receive(1, Some(PAIR), &id, 1_100);
        }
        ledger.send(0, 1, PAIR, 2);
        let messages = ledger.messages(&WINDOW);
        assert_eq!((messages.scheduled, messages.delivered, messages.lost), (2, 1, 1));
    }

    #[test]
    fn an_id_of_another_run_or_of_nobody_is_foreign() {
        let ledger = books(&[1_000]);
        for id in ["abd-0-0", "abc-2-0", "abc-0-1", "abc-0", "abc-0-0-0", "hello"] {
            assert_eq!(ledger.receive(1, Some(PAIR), id, 1_100), Receipt::Foreign, "{id}");
        }
        assert_eq!(ledger.number_of(0, "abc-0-0"), Some(0));
        assert_eq!(ledger.number_of(1, "abc-0-0"), None);
    }
}
