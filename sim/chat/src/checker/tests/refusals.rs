//! Histories for the checkers of what people may say, and of what they are told when they may not.

use expect_test::expect;

use super::histories::couple;
use super::script::verdict_under;
use crate::plan::{Action, Fault, FaultKind, Plan, Step};

/// A server that lets people say so many messages at once.
fn allows(messages_burst_max: u32) -> Plan {
    let mut plan = crate::plan::empty(1);
    plan.config.server.messages_burst_max = messages_burst_max;
    plan
}

#[test]
fn a_conversation_that_is_called_over_and_goes_on_is_found() {
    let refused = "ann says ann-1 to 1\nann refused ann-1 to 1 as over\n";
    verdict_under(
        &allows(9),
        &couple(refused),
        expect![[r#"
        rejections: s1 was told that p1 is over, and it never was
    "#]],
    );
    let left = format!("{refused}bob leaves\nann < left\nann < waiting");
    verdict_under(&allows(9), &couple(&left), expect![[""]]);
    let gone = format!("{refused}ann goes away\nbob < left\nbob < waiting");
    verdict_under(&allows(9), &couple(&gone), expect![[""]]);
}

/// Ann says something, and it is accepted.
fn says(number: u64) -> String {
    format!("ann says ann-{number} to 1\nann < me ann-{number} put 0\nbob < partner ann-{number}\n")
}

#[test]
fn somebody_who_is_told_to_have_said_too_much_has_said_a_lot() {
    let refused = "ann says ann-3 to 1\nann refused ann-3 to 1 as too fast for 50\n";
    verdict_under(
        &allows(3),
        &couple(refused),
        expect![[r#"
        rejections: s1 said too much, having said at most 2 messages
        rate-limit: s1 was told that ann-3 is too much, and it was not
    "#]],
    );
    let two = says(1) + &says(2);
    verdict_under(&allows(2), &couple(&format!("{two}{refused}")), expect![[""]]);
    // The two are paid for by then.
    verdict_under(
        &allows(2),
        &couple(&format!("{two}pass 100\n{refused}")),
        expect![[r#"
        rate-limit: s1 was told that ann-3 is too much, and it was not
    "#]],
    );
    // Nobody knows what became of one before that.
    let unknown = "ann says ann-8 to 1\nann says ann-9 to 1\n";
    verdict_under(&allows(2), &couple(&format!("{unknown}{refused}")), expect![[""]]);
}

#[test]
fn somebody_who_is_to_wait_for_longer_than_a_message_costs_is_found() {
    let refused = "ann says ann-3 to 1\nann refused ann-3 to 1 as too fast for 52\n";
    verdict_under(
        &allows(2),
        &couple(&(says(1) + &says(2) + refused)),
        expect![[r#"
        rate-limit: s1 is to wait for longer than a message costs: too many messages; the next one is welcome in 52 ms
    "#]],
    );
}

#[test]
fn a_message_that_is_called_too_long_and_is_not_is_found() {
    let mut plan = crate::plan::empty(1);
    plan.config.server.message_bytes_max = 8;
    let refused = |bytes| {
        format!("ann says ann-1 to 1 in {bytes} bytes\nann refused ann-1 to 1 as too long\n")
    };
    verdict_under(&plan, &couple(&refused(9)), expect![[""]]);
    verdict_under(
        &plan,
        &couple(&refused(8)),
        expect![[r#"
        rejections: ann-1 has 8 bytes, and is called too long
    "#]],
    );
}

#[test]
fn an_acknowledgement_that_is_refused_is_found() {
    verdict_under(
        &crate::plan::empty(1),
        &couple("ann cannot acknowledge"),
        expect![[r#"
        rejections: ann was refused for a cursor, and asked from none
    "#]],
    );
}

#[test]
fn somebody_who_is_superseded_by_nobody_is_found() {
    let found = expect![[r#"
        rejections: ann was superseded by nobody
    "#]];
    verdict_under(&crate::plan::empty(1), &couple("ann is superseded"), found);
    // The connection before may speak, late.
    verdict_under(&crate::plan::empty(1), &couple("ann loses\nann is superseded"), expect![[""]]);
    let mut plan = crate::plan::empty(1);
    plan.steps.push(Step { at_ms: 1, client: "ann".to_owned(), action: Action::SecondTab });
    verdict_under(&plan, &couple("ann is superseded"), expect![[""]]);
}

#[test]
fn a_server_that_is_said_to_close_and_never_drained_is_found() {
    let refused = "ann says ann-1 to 1\nann refused ann-1 to 1 as closing";
    let mut plan = crate::plan::empty(1);
    verdict_under(
        &plan,
        &couple(refused),
        expect![[r#"
        rejections: ann was told that the server closes, and it never did
    "#]],
    );
    let (kind, target) = (FaultKind::Drain.into(), "server".to_owned());
    plan.faults.push(Fault { at_ms: 1, kind, target, for_ms: 1, count: None });
    verdict_under(&plan, &couple(refused), expect![[""]]);
}

#[test]
fn a_session_that_ends_as_too_slow_with_room_in_its_mailbox_is_found() {
    let mut plan = crate::plan::empty(1);
    plan.config.server.mailbox_events_max = 8;
    let slow = "ann < notice put 0\nann < notice put 0\nann < closing slow put 0\nbob < left\nbob < waiting";
    verdict_under(&plan, &couple(slow), expect![[""]]);
    let early = "ann < notice put 0\nann < closing slow put 0\nbob < left\nbob < waiting";
    verdict_under(
        &plan,
        &couple(early),
        expect![[r#"
        rejections: s1 ended as too slow, with 2 events at most
    "#]],
    );
    // What was acknowledged is not there any more.
    let polled = slow.replacen("ann <", "ann polled after 1\npass 10\nann <", 1);
    verdict_under(
        &plan,
        &couple(&polled),
        expect![[r#"
        rejections: s1 ended as too slow, with 2 events at most
    "#]],
    );
    // Where the bytes are few, the next message may have been too long.
    plan.config.server.mailbox_bytes_max = 100;
    verdict_under(&plan, &couple(early), expect![[""]]);
}

#[test]
fn somebody_who_asks_for_another_partner_and_keeps_this_one_is_found() {
    let asks = "ann wants another\nann gets another\n";
    verdict_under(
        &crate::plan::empty(1),
        &couple(asks),
        expect![[r#"
        rematch: s1 asked for another partner, and kept that of p1
    "#]],
    );
    let parted = format!("{asks}ann < left\nbob < left\nann < paired 2\nbob < paired 2");
    verdict_under(&crate::plan::empty(1), &couple(&parted), expect![[""]]);
    verdict_under(&crate::plan::empty(1), &couple("ann wants another\n"), expect![[""]]);
}

/// Ann and Bob part and meet again, while Cyd waits, and does this meanwhile.
fn meets_again(meanwhile: &str) -> String {
    couple(&format!(
        "cyd opens\ncyd < waiting put 0\n{meanwhile}pass 100
         ann < left put 0\nbob < left put 0\nann < paired 2 put 0\nbob < paired 2 put 0
         pass 100\ndan opens\ndan < paired 3 put 0\ncyd < paired 3 put 0"
    ))
}

#[test]
fn two_who_meet_again_while_somebody_else_waits_are_found() {
    verdict_under(
        &crate::plan::empty(1),
        &meets_again("pass 100\ncyd < notice put 0\n"),
        expect![[r#"
        rematch: s1 and s2 met again in p2, while s3 waited
    "#]],
    );
    verdict_under(&crate::plan::empty(1), &meets_again("pass 100\ncyd loses\n"), expect![[""]]);
    let late = meets_again("").replace("cyd < paired 3 put 0", "cyd < paired 3 put 100");
    verdict_under(&crate::plan::empty(1), &late, expect![[""]]);
}

/// Ann was left by Bob and waits; then Bob and Cyd skip each other, and Ann meets one of them.
fn is_met_by(one: &str, other: &str) -> String {
    couple(&format!(
        "ann < skipped put 0\nbob < skipped put 0\nann < waiting put 0
         cyd opens\ncyd < paired 2 put 0\nbob < paired 2 put 0\npass 100
         bob < skipped put 0\ncyd < skipped put 0
         ann < paired 3 put 0\n{one} < paired 3 put 0\n{other} < waiting put 0"
    ))
}

#[test]
fn somebody_who_is_met_again_instead_of_the_one_who_came_with_them_is_found() {
    verdict_under(
        &crate::plan::empty(1),
        &is_met_by("bob", "cyd"),
        expect![[r#"
        rematch: s1 and s2 met again in p3, while s3 waited
    "#]],
    );
    verdict_under(&crate::plan::empty(1), &is_met_by("cyd", "bob"), expect![[""]]);
}

#[test]
fn somebody_who_may_say_more_than_is_allowed_is_found() {
    let five: String = (1..=5).map(says).collect();
    verdict_under(&allows(5), &couple(&five), expect![[""]]);
    let sixth = format!("{five}{}", says(6));
    verdict_under(
        &allows(5),
        &couple(&sixth),
        expect![[r#"
        rate-limit: s1 said more than is allowed
    "#]],
    );
    let later = format!("{five}pass 1000\n{}", says(6));
    verdict_under(&allows(5), &couple(&later), expect![[""]]);
}

/// Ann asks for another partner, and gets Bob again, in a new conversation.
fn skips(pair: u64) -> String {
    format!(
        "ann wants another\nann gets another\nann < skipped\nbob < skipped
         ann < paired {pair}\nbob < paired {pair}\n"
    )
}

/// A server that lets people ask for so many partners at once.
fn allows_partners(nexts_burst_max: u32) -> Plan {
    let mut plan = crate::plan::empty(1);
    plan.config.server.nexts_burst_max = nexts_burst_max;
    plan
}

#[test]
fn somebody_who_gets_more_partners_than_are_allowed_is_found() {
    let two = skips(2) + &skips(3);
    verdict_under(&allows_partners(2), &couple(&two), expect![[""]]);
    let third = two.clone() + &skips(4);
    verdict_under(
        &allows_partners(2),
        &couple(&third),
        expect![[r#"
        rate-limit: s1 got more partners than are allowed
    "#]],
    );
    let later = format!("{two}pass 500\n{}", skips(4));
    verdict_under(&allows_partners(2), &couple(&later), expect![[""]]);
    // Where the answer took long, the request may have been long under way.
    let slow = skips(4).replace("ann gets", "pass 500\nann gets");
    verdict_under(&allows_partners(2), &couple(&(two + &slow)), expect![[""]]);
}

#[test]
fn somebody_who_is_refused_another_partner_has_asked_for_many() {
    let refused = "ann wants another\nann refused another as too fast for 500\n";
    verdict_under(&allows_partners(2), &couple(&(skips(2) + refused)), expect![[""]]);
    verdict_under(
        &allows_partners(3),
        &couple(&(skips(2) + refused)),
        expect![[r#"
        rate-limit: s1 asked for too many partners, and for 2 only
    "#]],
    );
    verdict_under(
        &allows_partners(2),
        &couple(&(skips(2) + &refused.replace("500", "502"))),
        expect![[r#"
        rate-limit: s1 is to wait for longer than a partner costs: too many requests for another partner; the next one is welcome in 502 ms
    "#]],
    );
}

#[test]
fn somebody_whose_acknowledgement_is_refused_has_read_a_lot() {
    let mut plan = crate::plan::empty(1);
    let refused = "ann cannot acknowledge as too fast for 10";
    verdict_under(
        &plan,
        &couple(refused),
        expect![[r#"
        rate-limit: s1 acknowledged too often, and 2 times at most
    "#]],
    );
    plan.config.server.commands_burst_max = 2;
    verdict_under(&plan, &couple(refused), expect![[""]]);
}

#[test]
fn somebody_who_reads_and_is_closed_as_slow_is_found() {
    let mut plan = crate::plan::empty(1);
    plan.config.server.mailbox_events_max = 6;
    plan.config.server.unread_ms_max = 400;
    let closed = |read: &str| {
        couple(&format!(
            "pass 1000\n{read}\npass 100\nann < closing slow put 0\nbob < left\nbob < waiting"
        ))
    };
    verdict_under(
        &plan,
        &closed("ann < notice put 0"),
        expect![[r#"
        slow: s1 was closed as slow, and had just read
    "#]],
    );
    // It may have been handed out before, and come late.
    verdict_under(&plan, &closed("ann < notice put 500"), expect![[""]]);
    plan.config.server.unread_ms_max = 50;
    verdict_under(&plan, &closed("ann < notice put 0"), expect![[""]]);
}
