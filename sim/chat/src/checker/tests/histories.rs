//! Histories of conversations and of what the server says of itself, for each thing that a checker can
//! find, and those next to it that are in order.

use expect_test::expect;

use super::script::{good, verdict};

/// `ann` and `bob` talk to each other.
const COUPLE: &str = "ann opens\nbob opens\nann < paired 1\nbob < paired 1\n";
/// `cyd` and `dan` do so too.
pub(super) const OTHERS: &str = "cyd opens\ndan opens\ncyd < paired 2\ndan < paired 2\n";

pub(super) fn couple(then: &str) -> String {
    format!("{COUPLE}{then}")
}

#[test]
fn a_conversation_in_good_order_is_good() {
    good(
        "ann opens
         ann < waiting
         bob opens
         bob < paired 1
         ann < paired 1
         ann says ann-1 to 1
         bob < partner ann-1
         ann < me ann-1
         ann accepted ann-1 to 1
         bob leaves
         ann < left
         ann < waiting",
    );
}

// ---- pairing

#[test]
fn a_conversation_of_three_is_found() {
    verdict(
        &couple("cyd opens\ncyd < paired 1"),
        expect![[r#"
        pairing: p1 has 3 members
    "#]],
    );
}

#[test]
fn a_conversation_announced_twice_to_one_is_found() {
    verdict(
        &couple("ann < left\nbob < left\nann < paired 1\nbob < paired 1"),
        expect![[r#"
        pairing: p1 was announced twice to one
    "#]],
    );
}

#[test]
fn a_second_partner_beside_the_first_is_found() {
    verdict(
        &couple("ann < paired 2\ncyd opens\ncyd < paired 2\nbob vanishes"),
        expect![[r#"
        pairing: s1 got partner p2 while it had another
    "#]],
    );
}

#[test]
fn being_left_by_nobody_is_found() {
    verdict(
        "ann opens\nann < waiting\nann < left\nann < waiting",
        expect![[r#"
        pairing: s1 was left by a partner that it did not have
    "#]],
    );
}

#[test]
fn being_left_twice_is_found() {
    verdict(
        &couple("bob leaves\nann < left\nann < left\nann < waiting"),
        expect![[r#"
        pairing: s1 was left by a partner that it did not have
    "#]],
    );
}

#[test]
fn waiting_with_a_partner_is_found() {
    verdict(
        &couple("bob leaves\nann < waiting"),
        expect![[r#"
        pairing: s1 waits while it has a partner
    "#]],
    );
}

// ---- delivery

#[test]
fn a_head_count_that_cannot_be_is_found() {
    verdict(
        &couple("ann < notice of 0\nbob < notice of 3\nbob < notice of 2"),
        expect![[r#"
        head count: ann was told that nobody is there
        head count: 3 people are there, of 2 who ever asked to come in
    "#]],
    );
}

// ---- leaks

#[test]
fn what_the_server_still_holds_is_found() {
    verdict(
        "settled\nholds sessions=1 pairs=0 timers=2",
        expect![[r#"
        leaks: the server still holds 1 sessions
        leaks: the server still holds 2 timers
    "#]],
    );
}

#[test]
fn a_server_that_says_nothing_of_itself_is_found() {
    verdict(
        "settled",
        expect![[r#"
        leaks: the server gave no figures in the end
    "#]],
    );
    verdict(
        "settled\nholds",
        expect![[r#"
        leaks: the server's figures are empty
    "#]],
    );
}

#[test]
fn the_last_figures_count() {
    good("settled\nholds sessions=1\nholds sessions=0");
}
