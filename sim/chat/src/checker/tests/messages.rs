//! Histories of messages: lost, doubled, out of order, refused and heard, or in a conversation of others.

use expect_test::expect;

use super::histories::{OTHERS, couple};
use super::script::{good, verdict};

#[test]
fn a_message_that_never_arrives_is_found() {
    verdict(
        &couple("ann says ann-1 to 1\nann accepted ann-1 to 1"),
        expect![[r#"
        delivery: ann-1 was accepted for p1, and s2 never heard it
        echo: ann-1 was accepted, and ann never read it
    "#]],
    );
    verdict(
        &couple("ann says ann-1 to 1\nann < me ann-1"),
        expect![[r#"
        delivery: ann-1 was accepted for p1, and s2 never heard it
    "#]],
    );
}

#[test]
fn a_message_that_nobody_accepted_need_not_arrive() {
    good(&couple("ann says ann-1 to 1"));
}

#[test]
fn a_message_to_somebody_who_is_gone_need_not_arrive() {
    for gone in ["bob vanishes", "bob leaves", "bob < closing", "bob goes away"] {
        let then =
            format!("{gone}\nann says ann-1 to 1\nann < me ann-1\nann < left\nann < waiting");
        good(&couple(&then));
    }
}

#[test]
fn a_message_that_arrives_twice_is_found() {
    let heard = "ann says ann-1 to 1\nann < me ann-1\nbob < partner ann-1\nbob < partner ann-1";
    verdict(
        &couple(heard),
        expect![[r#"
        delivery: s2 was given ann-1 after number 1
        delivery: ann-1 was heard twice
    "#]],
    );
}

#[test]
fn messages_that_arrive_out_of_order_are_found() {
    let said = "ann says ann-1 to 1\nann says ann-2 to 1\n";
    let heard = "bob < partner ann-2\nbob < partner ann-1";
    verdict(
        &couple(&format!("{said}{heard}")),
        expect![[r#"
        delivery: s2 was given ann-1 after number 2
    "#]],
    );
}

#[test]
fn own_messages_that_are_echoed_out_of_order_are_found() {
    let said = "ann says ann-1 to 1\nann says ann-2 to 1\nann < me ann-2\nann < me ann-1\n";
    let heard = "bob < partner ann-1\nbob < partner ann-2";
    verdict(
        &couple(&format!("{said}{heard}")),
        expect![[r#"
        delivery: s1 was given ann-1 after number 2
    "#]],
    );
}

#[test]
fn messages_of_two_senders_have_no_order() {
    let said = "ann says ann-2 to 1\nbob says bob-1 to 1\n";
    good(&couple(&format!(
        "{said}ann < partner bob-1\nann < me ann-2\nbob < me bob-1\nbob < partner ann-2"
    )));
}

#[test]
fn a_message_that_nobody_said_is_found() {
    verdict(
        &couple("bob < partner ann-1"),
        expect![[r#"
        delivery: ann-1 was never said
    "#]],
    );
}

#[test]
fn what_was_said_over_two_connections_may_overtake_and_no_more() {
    let said = "ann says ann-1 to 1\nann says ann-2 to 1\nann repeats ann-2 to 1 elsewhere\n";
    good(&couple(&format!("{said}bob < partner ann-2\nbob < partner ann-1")));
    let twice = "bob < partner ann-1\nbob < partner ann-2\nbob < partner ann-2";
    verdict(
        &couple(&format!("{said}{twice}")),
        expect![[r#"
        delivery: ann-2 was heard twice
    "#]],
    );
}

#[test]
fn a_message_that_was_refused_and_heard_is_found() {
    verdict(
        &couple("ann says ann-1 to 1\nann refused ann-1 to 1\nbob < partner ann-1"),
        expect![[r#"
        delivery: ann-1 was refused, and heard all the same
    "#]],
    );
}

#[test]
fn a_message_that_was_refused_and_said_again_may_be_heard() {
    let again = "ann says ann-1 to 1\nann accepted ann-1 to 1\nann < me ann-1\nbob < partner ann-1";
    good(&couple(&format!("ann says ann-1 to 1\nann refused ann-1 to 1\n{again}")));
}

#[test]
fn a_message_that_a_socket_took_and_never_answered_is_found() {
    verdict(
        &couple("ann says ann-1 to 1\nann wrote ann-1 to 1\nann < notice"),
        expect![[r#"
        delivery: ann-1 was neither said nor refused
    "#]],
    );
}

#[test]
fn a_message_on_a_socket_that_was_lost_needs_no_answer() {
    good(&couple(
        "ann says ann-1 to 1\nann wrote ann-1 to 1\nann loses\nann vanishes\nbob < left\nbob < waiting",
    ));
}

// ---- isolation

#[test]
fn a_message_in_the_next_conversation_is_found() {
    let meets = "bob leaves\nann < left\ncyd opens\nann < paired 2\ncyd < paired 2\n";
    verdict(
        &couple(&format!("ann says ann-1 to 1\n{meets}cyd < partner ann-1")),
        expect![[r#"
        isolation: ann-1 was meant for p1, and s3 heard it
    "#]],
    );
}

#[test]
fn a_message_after_the_partner_left_is_found() {
    let said = "ann says ann-1 to 1\nann leaves\nbob < left\nbob < partner ann-1\nbob < waiting";
    verdict(
        &couple(said),
        expect![[r#"
        isolation: ann-1 was meant for p1, and s2 heard it
    "#]],
    );
}

#[test]
fn a_message_in_another_conversation_is_found() {
    let said = "ann says ann-1 to 1\ndan < partner ann-1";
    verdict(
        &couple(&format!("{OTHERS}{said}")),
        expect![[r#"
        isolation: ann-1 was meant for p1, and s4 heard it
    "#]],
    );
}

#[test]
fn hearing_oneself_as_the_partner_is_found() {
    verdict(
        &couple("ann says ann-1 to 1\nann < partner ann-1"),
        expect![[r#"
        isolation: ann-1 was meant for p1, and s1 heard it
    "#]],
    );
}

#[test]
fn a_message_accepted_in_the_next_conversation_is_found() {
    let meets = "bob leaves\nann < left\ncyd opens\nann < paired 2\ncyd < paired 2\n";
    verdict(
        &couple(&format!("ann says ann-1 to 1\n{meets}ann < me ann-1")),
        expect![[r#"
        isolation: ann-1 was meant for p1, and s1 said it
    "#]],
    );
}

// ---- liveness
