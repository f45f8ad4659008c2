//! Histories of those who wait: for a partner, for an answer, for what lies in the mailbox.

use expect_test::expect;

use super::histories::{OTHERS, couple};
use super::script::{good, verdict};

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
    let unsettled = super::super::check(&crate::plan::empty(1), &[]);
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
        push-latency: an event reached ann after 900 ms
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
