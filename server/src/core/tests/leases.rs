//! How long a session lives of which nothing was heard since it was opened.

use expect_test::expect;

use super::*;

fn impatient() -> Config {
    Config { first_lease_ms: 10_000, ..quiet() }
}

#[test]
fn new_session_of_which_nothing_is_heard_ends_after_the_first_lease() {
    scripts::check_with(
        impatient(),
        "bob opens
         bob parks
         ann opens
         pass 9999
         pass 1",
        expect![[r#"
            bob opens
                bob: welcome, 1 online
                bob: waiting
            bob parks
            ann opens
                bob: paired p1
                ann: welcome, 2 online
                ann: paired p1
            pass 9999
            pass 1
                bob: partner left: Lost
                bob: waiting
                ann: closing: Lost
        "#]],
    );
}

#[test]
fn new_session_that_is_heard_of_once_has_the_lease_of_others() {
    scripts::check_with(
        impatient(),
        "ann opens
         pass 9999
         ann polls
         pass 59999
         pass 1",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            pass 9999
            ann polls
            pass 59999
            pass 1
                ann: closing: Lost
        "#]],
    );
}

#[test]
fn first_lease_is_never_longer_than_the_lease() {
    let config = Config { session_lease_ms: 2_000, ..impatient() };
    scripts::check_with(
        config,
        "ann opens
         pass 1999
         pass 1",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            pass 1999
            pass 1
                ann: closing: Lost
        "#]],
    );
}

#[test]
fn drain_waits_for_a_session_that_was_just_opened() {
    let mut room = Room::new(Config { drain_ms_max: 5_000, ..impatient() });
    room.pass(100_000);
    room.open(ANN).expect("there is room");
    room.news(ANN);
    room.pass(5_000);
    room.open(BOB).expect("there is room");
    room.news(ANN);
    room.news(BOB);
    room.input(Input::Drain).expect("a drain is never refused");
    room.news(BOB);
    assert!(!room.core.is_drained(), "ann was heard of so lately that she may come");
    room.news(ANN);
    assert!(room.core.is_drained());
}

#[test]
fn drain_does_not_wait_for_a_session_that_has_been_silent_since_it_was_opened() {
    let mut room = Room::new(Config { drain_ms_max: 5_000, ..impatient() });
    room.open(ANN).expect("there is room");
    room.news(ANN);
    room.pass(5_001);
    room.input(Input::Drain).expect("a drain is never refused");
    assert!(room.core.is_drained());
}
