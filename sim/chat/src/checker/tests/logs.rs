//! Histories for the checker of what a mailbox gives out, place by place.

use expect_test::expect;

use super::histories::couple;
use super::script::{good, verdict};

#[test]
fn a_place_given_out_twice_or_backwards_is_found() {
    verdict(
        &couple("ann < notice\nann < notice @2"),
        expect![[r#"
        log: s1 was given #2 after #2
    "#]],
    );
    verdict(
        &couple("ann < notice @3\nann < notice @2\nann < notice @4"),
        expect![[r#"
        log: s1 was given #2 after #3
        log: s1 was never given what lies between two events
    "#]],
    );
}

#[test]
fn a_place_left_out_is_found() {
    verdict(
        &couple("ann < notice @3"),
        expect![[r#"
        log: s1 was never given what lies between two events
    "#]],
    );
    verdict(
        "ann opens\nann < waiting @2",
        expect![[r#"
        log: s1 was never given what lies between two events
    "#]],
    );
}

#[test]
fn a_place_left_out_and_admitted_is_good() {
    good(&couple("ann < notice\nann < notice @6\nann < lagged 3"));
}

#[test]
fn a_place_left_out_after_lagging_is_found() {
    verdict(
        &couple("ann < notice @6\nann < lagged 4\nann < notice @9"),
        expect![[r#"
        log: s1 was never given what lies between two events
    "#]],
    );
}

#[test]
fn a_place_left_out_right_before_it_is_admitted_is_good() {
    good(&couple("ann < notice\nann < lagged 3 @7"));
}

#[test]
fn a_place_left_out_beyond_what_is_admitted_is_found() {
    verdict(
        &couple("ann < notice\nann < notice @6\nann < lagged 2"),
        expect![[r#"
        log: s1 missed 3 places, and was told of 2
    "#]],
    );
    // Two head counts and the `lagged` that stood for them, then one more.
    good(&couple("ann < lagged 3 @6"));
}

#[test]
fn more_that_is_admitted_than_can_be_missing_is_found() {
    verdict(
        &couple("ann < notice\nann < notice @6\nann < lagged 6"),
        expect![[r#"
        log: s1 missed 3 places, and was told of 6
    "#]],
    );
    // Head counts that were given and not acknowledged are given up too.
    good(&couple("ann < notice\nann < notice @6\nann < lagged 5"));
}

#[test]
fn an_event_that_is_sent_again_behind_the_cursor_is_found() {
    verdict(
        &couple("ann < notice\nann < again @2\nann < notice"),
        expect![[r##"
        log: s1 was sent #2 again, which it had
    "##]],
    );
}
