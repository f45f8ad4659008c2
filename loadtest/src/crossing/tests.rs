//! What is booked on either side.

use reports::run::Messages;

use super::*;
use crate::schedule::{Due, Schedule};
use crate::shard::Shard;

const PAIR: u64 = 7;
const WINDOW: Range<u64> = 1_000..2_000;

/// The books of two generators: people 0 and 2 are the first's, 1 and 3 the second's, and each
/// says one message before the window and two in it.
fn books() -> [Ledger; 2] {
    let due = [500, 1_000, 1_100].into_iter().zip(0..);
    let due: Vec<Due> = (0..4)
        .flat_map(|person| due.clone().map(move |(at_us, number)| Due { at_us, person, number }))
        .collect();
    let schedule = Schedule { due, people: 4 };
    ["1/2", "2/2"].map(|shard| {
        let shard: Shard = shard.parse().expect("a shard");
        Ledger::new(0xabc, &schedule, shard)
    })
}

fn crossing(ledger: &Ledger) -> Crossing {
    read(ledger, &WINDOW).expect("there are two generators")
}

fn come(ledger: &Ledger) -> Come {
    crossing(ledger).come.into_values().next().expect("there is one other")
}

#[test]
fn what_leaves_one_generator_and_arrives_at_the_other_is_booked_alike_by_both() {
    let [first, second] = books();
    for number in 0..3 {
        let id = first.send(0, number, PAIR, 1_100 + u64::from(number));
        second.receive(1, Some(PAIR), &id, 1_500);
    }
    let (gone, come) = (crossing(&first), come(&second));
    assert_eq!((gone.window.due, gone.warm_up.due), (come.window, come.warm_up));
    assert_eq!((come.window.count, come.warm_up.count), (2, 1));
    assert_eq!(come.messages, Messages { delivered: 2, ..Messages::default() });
    assert_eq!(come.latency_us.count(), 2);
    let messages = first.messages(&WINDOW);
    assert_eq!((messages.scheduled, messages.sent, messages.abroad), (4, 2, 2));
    assert!(messages.all_accounted_for());
}

#[test]
fn what_nobody_receives_is_booked_by_its_sender_alone() {
    let [first, second] = books();
    let _id = first.send(0, 1, PAIR, 1_000);
    first.accept(0, 1);
    assert_eq!(crossing(&first).window.due.count, 1);
    assert_eq!(come(&second), Come::default());
}

#[test]
fn a_message_within_one_generator_crosses_nowhere() {
    let [first, second] = books();
    let id = first.send(0, 1, PAIR, 1_000);
    first.receive(2, Some(PAIR), &id, 1_200);
    assert_eq!(crossing(&first).window, Gone::default());
    assert_eq!(first.messages(&WINDOW).delivered, 1);
    assert_eq!(crossing(&second).count(), 0);
}

#[test]
fn the_reader_sees_what_went_wrong_with_anothers_message() {
    let received = |entry: fn(&Ledger, &[String])| {
        let [first, second] = books();
        let ids: Vec<_> = (0..3).map(|number| first.send(0, number, PAIR, 1_100)).collect();
        entry(&second, &ids);
        come(&second).messages
    };
    let twice = received(|books, ids| {
        for at_us in [1_200, 1_300] {
            books.receive(1, Some(PAIR), &ids[1], at_us);
        }
    });
    assert_eq!((twice.duplicated, twice.delivered), (1, 0));
    let astray = received(|books, ids| {
        books.receive(1, Some(PAIR + 1), &ids[1], 1_200);
    });
    assert_eq!((astray.misdelivered, astray.delivered), (1, 0));
    let swapped = received(|books, ids| {
        for id in [&ids[2], &ids[1]] {
            books.receive(1, Some(PAIR), id, 1_200);
        }
    });
    assert_eq!((swapped.out_of_order, swapped.delivered), (1, 1));
    let twice_early = received(|books, ids| {
        for at_us in [1_200, 1_300] {
            books.receive(1, Some(PAIR), &ids[0], at_us);
        }
    });
    assert_eq!((twice_early.scheduled, twice_early.sent, twice_early.duplicated), (1, 1, 1));
}

#[test]
fn a_message_whose_sending_failed_is_in_doubt_and_a_refused_one_is_not() {
    let [first, _] = books();
    for number in [0, 1, 2] {
        first.send(0, number, PAIR, 1_100);
    }
    first.refuse(0, 0);
    first.fail(0, 1);
    let crossing = crossing(&first);
    assert_eq!((crossing.window.due.count, crossing.window.doubtful.len()), (1, 1));
    assert_eq!(crossing.warm_up, Gone::default());
}

#[test]
fn the_times_of_anothers_message_are_in_the_figures_but_not_its_sending() {
    let [first, second] = books();
    let id = first.send(0, 1, PAIR, 1_030);
    second.receive(1, Some(PAIR), &id, 1_200);
    let figures = crate::recorder::Figures::read(&second, &WINDOW);
    assert_eq!((figures.latency.max(), figures.service.max()), (200, 170));
    assert_eq!((figures.send_lag.len(), figures.sent_in_time), (0, 0));
    assert_eq!(figures.received_in_window, 1);
    assert_eq!(figures.intervals[0].sent, 0);
}

#[test]
fn a_message_that_comes_before_its_time_tells_of_clocks_that_are_apart() {
    let [first, second] = books();
    let id = first.send(0, 1, PAIR, 1_000);
    second.receive(1, Some(PAIR), &id, 999);
    let said = early(&crossing(&second)).expect("it was early");
    assert!(said.text.starts_with("1 message of other generators arrived before"), "{said:?}");
    assert_eq!(said.cause, Cause::ClocksApart);
    assert_eq!(early(&crossing(&first)), None);
}

#[test]
fn where_there_is_one_generator_nothing_crosses() {
    let schedule = Schedule { due: Vec::new(), people: 2 };
    assert_eq!(read(&Ledger::new(1, &schedule, Shard::WHOLE), &WINDOW), None);
}
