//! The account of every message: said once, echoed once to its sender, relayed once to the partner.
//!
//! A person's messages are numbered and both directions are FIFO, so the only number that may come
//! next is known: one comparison a message shows loss, repetition, disorder and misdelivery.

use std::collections::VecDeque;

use super::wire::Id;

/// The books of all people.
#[derive(Debug)]
pub(super) struct Account {
    books: Vec<Book>,
}

#[derive(Debug, Clone, Default)]
struct Book {
    /// How many messages were said, echoed and relayed so far.
    said: u64,
    echoed: u64,
    relayed: u64,
    /// When those were due that are not yet both echoed and relayed, in order.
    due_us: VecDeque<u64>,
    /// Whose messages this person reads, once one was read.
    partner: Option<u32>,
}

impl Account {
    pub(super) fn new(people: u32) -> Self {
        Self { books: vec![Book::default(); people as usize] }
    }

    /// One more message of `person`, which was due at `due_us`.
    pub(super) fn say(&mut self, person: u32, due_us: u64) -> Id {
        let book = &mut self.books[person as usize];
        let number = book.said;
        book.said += 1;
        book.due_us.push_back(due_us);
        Id { person, number }
    }

    /// `person` was told that `id` was accepted.
    pub(super) fn echo(&mut self, person: u32, id: Id) -> Result<(), String> {
        let book = &mut self.books[person as usize];
        let expected = Id { person, number: book.echoed };
        if id != expected || book.echoed == book.said {
            return Err(format!("{person} was echoed {id} instead of {expected}"));
        }
        book.echoed += 1;
        book.settle();
        Ok(())
    }

    /// `reader` was told `id` by the partner; when it was due.
    pub(super) fn relay(&mut self, reader: u32, id: Id) -> Result<u64, String> {
        let count = self.books.len() as u32;
        if id.person >= count || id.person == reader {
            return Err(format!("{reader} read {id}, which nobody said to them"));
        }
        for (one, other) in [(reader, id.person), (id.person, reader)] {
            let partner = *self.books[one as usize].partner.get_or_insert(other);
            if partner != other {
                return Err(format!("{reader} read {id}, but {one} talks to {partner}"));
            }
        }
        let book = &mut self.books[id.person as usize];
        let expected = Id { person: id.person, number: book.relayed };
        if id != expected || book.relayed == book.said {
            return Err(format!("{reader} read {id} instead of {expected}"));
        }
        // Settled messages are off the front, and this one is not settled yet.
        let place = (book.relayed - book.settled()) as usize;
        let due_us = book.due_us[place];
        book.relayed += 1;
        book.settle();
        Ok(due_us)
    }

    /// Messages of `person` that are not yet both echoed and relayed.
    pub(super) fn in_flight(&self, person: u32) -> usize {
        self.books[person as usize].due_us.len()
    }

    /// Messages of everybody that are not yet both echoed and relayed.
    pub(super) fn open(&self) -> usize {
        self.books.iter().map(|book| book.due_us.len()).sum()
    }
}

impl Book {
    /// How many messages are off the front of `due_us`.
    fn settled(&self) -> u64 {
        self.said - self.due_us.len() as u64
    }

    fn settle(&mut self) {
        while self.settled() < self.echoed.min(self.relayed) {
            self.due_us.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(person: u32, number: u64) -> Id {
        Id { person, number }
    }

    /// Person 0 has said two messages, due at 10 and 20.
    fn two_said() -> Account {
        let mut account = Account::new(4);
        assert_eq!(account.say(0, 10), id(0, 0));
        assert_eq!(account.say(0, 20), id(0, 1));
        account
    }

    #[test]
    fn a_message_is_open_until_it_is_both_echoed_and_relayed() {
        let mut account = two_said();
        assert_eq!((account.in_flight(0), account.open()), (2, 2));
        assert_eq!(account.relay(1, id(0, 0)), Ok(10));
        assert_eq!(account.relay(1, id(0, 1)), Ok(20));
        assert_eq!(account.in_flight(0), 2);
        account.echo(0, id(0, 0)).expect("it was said");
        assert_eq!(account.in_flight(0), 1);
        account.echo(0, id(0, 1)).expect("it was said");
        assert_eq!((account.in_flight(0), account.open()), (0, 0));
    }

    #[test]
    fn an_echo_may_come_before_the_relay() {
        let mut account = two_said();
        account.echo(0, id(0, 0)).expect("it was said");
        account.echo(0, id(0, 1)).expect("it was said");
        assert_eq!(account.relay(1, id(0, 0)), Ok(10));
        assert_eq!(account.relay(1, id(0, 1)), Ok(20));
        assert_eq!(account.open(), 0);
    }

    #[test]
    fn a_gap_a_repetition_and_disorder_are_found() {
        let gap = two_said().relay(1, id(0, 1));
        assert_eq!(gap, Err("1 read 0-1 instead of 0-0".to_owned()));
        let mut account = two_said();
        account.echo(0, id(0, 0)).expect("it was said");
        let again = account.echo(0, id(0, 0));
        assert_eq!(again, Err("0 was echoed 0-0 instead of 0-1".to_owned()));
        account.relay(1, id(0, 0)).expect("it was said");
        assert!(account.relay(1, id(0, 0)).is_err());
    }

    #[test]
    fn what_nobody_said_is_found() {
        let mut account = two_said();
        assert!(account.echo(1, id(1, 0)).is_err());
        assert!(account.relay(0, id(1, 0)).is_err());
        assert!(account.relay(1, id(4, 0)).is_err());
        assert!(account.relay(0, id(0, 0)).is_err(), "one's own message is no partner's");
    }

    #[test]
    fn a_stranger_who_reads_is_found() {
        let mut account = two_said();
        account.relay(1, id(0, 0)).expect("1 is the partner");
        let stranger = account.relay(2, id(0, 1));
        assert_eq!(stranger, Err("2 read 0-1, but 0 talks to 1".to_owned()));
        account.say(3, 30);
        assert!(account.relay(1, id(3, 0)).is_err(), "1 has a partner already");
    }
}
