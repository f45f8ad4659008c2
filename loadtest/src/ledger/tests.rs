//! What becomes of a message, entry by entry.

use super::*;
use crate::schedule::Due;

const PAIR: u64 = 7;
const WINDOW: Range<u64> = 1_000..2_000;

/// Three people; person 0 is due to say one message at each of `times_us`.
fn books(times_us: &[u64]) -> Ledger {
    let due = times_us.iter().zip(0..).map(|(&at_us, number)| Due { at_us, person: 0, number });
    Ledger::new(0xabc, &Schedule { due: due.collect(), people: 3 }, Shard::WHOLE)
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
fn order_holds_within_a_conversation_and_not_from_one_to_the_next() {
    let ledger = books(&[1_000, 1_001, 1_002]);
    let first = ledger.send(0, 0, PAIR, 1_000);
    let second = ledger.send(0, 1, PAIR + 1, 1_001);
    let third = ledger.send(0, 2, PAIR + 1, 1_002);
    // The second partner reads sooner than the first.
    ledger.receive(2, Some(PAIR + 1), &third, 1_100);
    ledger.receive(1, Some(PAIR), &first, 1_101);
    ledger.receive(2, Some(PAIR + 1), &second, 1_102);
    let messages = ledger.messages(&WINDOW);
    assert_eq!((messages.delivered, messages.out_of_order), (2, 1), "only the second is late");
}

#[test]
fn a_message_that_a_partner_did_not_read_before_leaving_is_lost_and_has_no_other_name() {
    let ledger = books(&[1_000, 1_001]);
    for number in [0, 1] {
        ledger.send(0, number, PAIR, 1_010);
        ledger.accept(0, number);
    }
    let read = format!("{:x}-0-0", 0xabc);
    ledger.receive(1, Some(PAIR), &read, 1_100);
    let messages = ledger.messages(&WINDOW);
    assert_eq!((messages.delivered, messages.lost, messages.refused), (1, 1, 0));
    assert!(!messages.all_accounted_for());
}

#[test]
fn a_message_without_a_partner_is_told_from_one_that_nobody_came_to_say() {
    let ledger = books(&[1_000, 1_001]);
    ledger.skip(0, 0);
    let mut skipped = Vec::new();
    ledger.for_each(|record| skipped.push(record.was_skipped()));
    assert_eq!(skipped, [true, false]);
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
    for id in ["abd-0-0", "abc-3-0", "abc-0-1", "abc-0", "abc-0-0-0", "hello"] {
        assert_eq!(ledger.receive(1, Some(PAIR), id, 1_100), Receipt::Foreign, "{id}");
    }
    assert_eq!(ledger.number_of(0, "abc-0-0"), Some(0));
    assert_eq!(ledger.number_of(1, "abc-0-0"), None);
}

#[test]
fn message_that_the_server_kept_from_its_partner_has_failed() {
    let ledger = books(&[1_000, 1_001, 1_002, 1_003]);
    ledger.send(0, 0, PAIR, 1_010);
    ledger.refuse(0, 0);
    ledger.blame(0, 0);
    ledger.send(0, 1, PAIR, 1_010);
    ledger.fail(0, 1);
    ledger.pass(1_002);
    let messages = ledger.messages(&WINDOW);
    assert_eq!((messages.refused, messages.unsent, messages.failed), (2, 2, 3));
    assert_eq!(ledger.prevented(&WINDOW), 1, "the last was never handed to its sender");
    assert!(!messages.all_accounted_for());
}

#[test]
fn failed_message_of_the_warm_up_is_counted_and_one_behind_the_window_is_not() {
    let ledger = books(&[0, 1_000, WINDOW.end]);
    for number in [0, 2] {
        ledger.skip(0, number);
        ledger.blame(0, number);
    }
    let messages = ledger.messages(&WINDOW);
    assert_eq!((messages.scheduled, messages.unsent, messages.failed), (2, 2, 1));
}
