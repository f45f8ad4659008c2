//! Whom a drain waits for, and whom it does not.

use super::*;

/// Ann and Bob, who have met, and have read so.
fn couple() -> Room {
    let mut room = super::couple();
    for session in [ANN, BOB] {
        room.news(session);
    }
    room
}

fn drain(room: &mut Room) {
    room.input(Input::Drain).expect("a drain is never refused");
}

#[test]
fn a_drain_ends_when_everybody_who_is_there_has_been_told() {
    let mut room = couple();
    drain(&mut room);
    room.news(ANN);
    assert!(!room.core.is_drained(), "bob has not been told");
    room.news(BOB);
    assert!(room.core.is_drained());
}

#[test]
fn a_drain_does_not_wait_for_a_closed_tab() {
    let mut room = couple();
    room.detach(ANN, Detach::Dropped).expect("she is known");
    drain(&mut room);
    assert!(!room.core.is_drained(), "bob has not been told");
    room.news(BOB);
    assert!(room.core.is_drained(), "nobody is left but who has lost the connection");
    assert_eq!(room.news(ANN).len(), 1, "who comes all the same is told");
}

#[test]
fn a_drain_waits_for_whoever_may_come_back_for_a_message() {
    let mut room = couple();
    room.detach(ANN, Detach::Dropped).expect("she is known");
    room.command(BOB, say("hi", "hi", None)).expect("bob has a partner");
    drain(&mut room);
    room.news(BOB);
    assert!(!room.core.is_drained(), "nobody has heard what bob said");
    room.news(ANN);
    assert!(room.core.is_drained());
}

#[test]
fn a_drain_waits_for_a_message_only_until_nobody_can_come_for_it() {
    let mut room = couple();
    room.detach(ANN, Detach::Dropped).expect("she is known");
    room.command(BOB, say("hi", "hi", None)).expect("bob has a partner");
    drain(&mut room);
    room.news(BOB);
    room.pass(Config::default().resume_window_ms);
    assert!(room.core.is_drained());
}

#[test]
fn a_drain_waits_for_who_polled_lately_and_not_for_who_has_stopped_polling() {
    for (silent_ms, is_expected) in [(10_000, true), (10_001, false)] {
        let mut room = couple();
        room.detach(ANN, Detach::Answered).expect("she is known");
        room.pass(silent_ms);
        room.command(BOB, ClientEvent::Ack { seq: Seq(2) }).expect("he is known");
        drain(&mut room);
        room.news(BOB);
        assert_eq!(!room.core.is_drained(), is_expected, "silent for {silent_ms} ms");
    }
}

#[test]
fn a_drain_waits_for_a_reader_however_long_it_was_silent() {
    let mut room = couple();
    room.attach(ANN).expect("she is known");
    room.pass(50_000);
    room.command(BOB, ClientEvent::Ack { seq: Seq(2) }).expect("he is known");
    drain(&mut room);
    room.news(BOB);
    assert!(!room.core.is_drained(), "ann reads and has not been told");
}

#[test]
fn a_drain_does_not_wait_for_who_had_left() {
    let mut room = couple();
    room.command(ANN, ClientEvent::Leave).expect("she is known");
    drain(&mut room);
    room.news(BOB);
    assert!(room.core.is_drained());
}

#[test]
fn a_drain_waits_no_longer_for_who_leaves_meanwhile() {
    let mut room = couple();
    drain(&mut room);
    room.news(BOB);
    for _ in 0..2 {
        room.command(ANN, ClientEvent::Leave).expect("she is known");
        assert!(room.core.is_drained());
    }
}

#[test]
fn nobody_is_online_and_nobody_talks_once_a_drain_has_begun() {
    let mut room = couple();
    drain(&mut room);
    let counts = room.core.counts();
    assert_eq!((counts.online, counts.closed, counts.pairs, counts.waiting), (0, 2, 0, 0));
}
