//! One history for each thing that a checker can find, and those next to it that are in order.

use expect_test::expect;

use super::script::{good, verdict};
use crate::plan::Plan;

/// `ann` and `bob` talk to each other.
const COUPLE: &str = "ann opens\nbob opens\nann < paired 1\nbob < paired 1\n";
/// `cyd` and `dan` do so too.
const OTHERS: &str = "cyd opens\ndan opens\ncyd < paired 2\ndan < paired 2\n";

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

#[test]
fn two_who_wait_for_each_other_are_found() {
    verdict(
        "ann opens\nann < waiting\nbob opens\nbob < waiting",
        expect![[r#"
        liveness: 2 people wait for each other
    "#]],
    );
}

#[test]
fn one_who_waits_is_good() {
    good("ann opens\nann < waiting");
    good(&couple(&format!("{OTHERS}dan leaves\ncyd < left\ncyd < waiting")));
}

#[test]
fn one_who_was_told_nothing_is_found() {
    verdict(
        "ann opens",
        expect![[r#"
        liveness: s1 was told neither to wait nor of a partner
    "#]],
    );
}

#[test]
fn a_partner_who_is_gone_is_found() {
    verdict(
        &couple("bob leaves"),
        expect![[r#"
        liveness: s1 talks to nobody in p1
    "#]],
    );
    verdict(
        &couple("bob vanishes"),
        expect![[r#"
        liveness: s1 talks to nobody in p1
    "#]],
    );
    verdict(
        "ann opens\nann < paired 1",
        expect![[r#"
        liveness: s1 talks to nobody in p1
    "#]],
    );
}

#[test]
fn a_partner_who_is_elsewhere_is_found() {
    let elsewhere = "bob < left\ncyd opens\nbob < paired 2\ncyd < paired 2";
    verdict(
        &couple(elsewhere),
        expect![[r#"
        liveness: s1 talks in p1 to s2, who is elsewhere
    "#]],
    );
    verdict(
        &couple("bob < left\nbob < waiting"),
        expect![[r#"
        liveness: s1 talks in p1 to s2, who is elsewhere
    "#]],
    );
}

#[test]
fn one_who_never_gets_in_is_found() {
    verdict(
        "ann does not get in",
        expect![[r#"
        liveness: ann tried to get in and never did
    "#]],
    );
    verdict(
        "ann opens\nann < waiting\nann loses\nann does not get in",
        expect![[r#"
        liveness: ann tried to get in and never did
    "#]],
    );
}

#[test]
fn one_who_gave_up_is_good() {
    good("ann opens\nann < waiting\nann vanishes");
}

#[test]
fn a_run_that_never_came_to_rest_is_found() {
    let unsettled = super::super::check(&Plan::new(1), &[]);
    let found: Vec<_> = unsettled.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["liveness: the run never came to rest", "leaks: the server gave no figures in the end"]
    );
}

// ---- timeouts

#[test]
fn a_poll_parked_beyond_its_wait_is_found() {
    verdict(
        &couple("healed\nann polls\npass 1700\nann polled"),
        expect![[r#"
        timeouts: a poll of ann was parked for 1700 ms
    "#]],
    );
}

#[test]
fn a_poll_never_answered_is_found() {
    verdict(
        &couple("healed\nann polls\npass 2500"),
        expect![[r#"
        timeouts: a poll of ann was parked for 2500 ms
    "#]],
    );
}

#[test]
fn a_poll_within_its_wait_is_good() {
    good(&couple("healed\nann polls\npass 1300\nann polled\npass 1000\nann polls\npass 1300"));
}

#[test]
fn a_poll_while_the_network_is_ill_may_take_longer() {
    good(&couple("ann polls\npass 9000\nhealed\nann polled"));
}

#[test]
fn a_poll_of_somebody_who_left_is_nobodys() {
    good(&couple("healed\nbob polls\nbob leaves\nann < left\nann < waiting\npass 2500"));
}

#[test]
fn a_poll_that_is_answered_with_nothing_before_its_wait_is_over_is_found() {
    verdict(
        &couple("healed\npass 1500\nann polls\npass 200\nann polled\nann polls"),
        expect![[r#"
        timeouts: a poll of ann was answered after 200 ms without an event
    "#]],
    );
    good(&couple("healed\npass 1500\nann polls\npass 200\nann polled\nann < notice\nann polls"));
    // Right after the healing a poll of before may have taken over.
    good(&couple("healed\nann polls\npass 200\nann polled\nann polls"));
}

// ---- promptness

#[test]
fn an_event_that_lies_in_the_mailbox_of_a_reader_is_found() {
    verdict(
        &couple("healed\npass 3000\nann < notice put 900"),
        expect![[r#"
        promptness: an event reached ann after 900 ms
    "#]],
    );
    good(&couple("healed\npass 3000\nann < notice put 300"));
}

#[test]
fn an_event_that_waits_for_a_connection_may_take_longer() {
    good(&couple("healed\npass 3000\nann loses\nann < notice put 900"));
    good(&couple("pass 3000\nhealed\npass 800\nann < notice put 900"));
}

// ---- echo, resume, head count

#[test]
fn a_message_that_its_sender_never_reads_is_found() {
    verdict(
        &couple("ann says ann-1 to 1\nann accepted ann-1 to 1\nbob < partner ann-1"),
        expect![[r#"
        echo: ann-1 was accepted, and ann never read it
    "#]],
    );
}

#[test]
fn a_cursor_that_was_kept_and_is_refused_is_found() {
    verdict(
        &couple("ann cannot go on\nann < notice"),
        expect![[r#"
        resume: ann could not go on from its own cursor
    "#]],
    );
}

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
