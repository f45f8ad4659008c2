//! Histories for the checkers of what people may say, and of what they are told when they may not.

use expect_test::expect;

use super::histories::couple;
use super::script::verdict_under;
use crate::plan::Plan;

/// A server that lets people say so many messages at once.
fn allows(messages_burst_max: u32) -> Plan {
    let mut plan = Plan::new(1);
    plan.server.messages_burst_max = messages_burst_max;
    plan
}

#[test]
fn a_conversation_that_is_called_over_and_goes_on_is_found() {
    let refused = "ann says ann-1 to 1\nann refused ann-1 to 1 as over\n";
    verdict_under(
        &allows(9),
        &couple(refused),
        expect![[r#"
        reasons: s1 was told that p1 is over, and it never was
    "#]],
    );
    let left = format!("{refused}bob leaves\nann < left\nann < waiting");
    verdict_under(&allows(9), &couple(&left), expect![[""]]);
    let gone = format!("{refused}ann goes away\nbob < left\nbob < waiting");
    verdict_under(&allows(9), &couple(&gone), expect![[""]]);
}

#[test]
fn somebody_who_is_told_to_have_said_too_much_has_said_a_lot() {
    let says = "ann says ann-1 to 1\nann refused ann-1 to 1 as too fast\n";
    verdict_under(
        &allows(3),
        &couple(says),
        expect![[r#"
        reasons: s1 said too much, having said at most 2 messages
    "#]],
    );
    verdict_under(&allows(2), &couple(says), expect![[""]]);
}

#[test]
fn somebody_who_may_say_more_than_is_allowed_is_found() {
    let says = |number: u64| {
        format!(
            "ann says ann-{number} to 1\nann < me ann-{number} put 0\nbob < partner ann-{number}\n"
        )
    };
    let five: String = (1..=5).map(says).collect();
    verdict_under(&allows(5), &couple(&five), expect![[""]]);
    let sixth = format!("{five}{}", says(6));
    verdict_under(
        &allows(5),
        &couple(&sixth),
        expect![[r#"
        allowance: s1 said more than is allowed
    "#]],
    );
    let later = format!("{five}pass 1000\n{}", says(6));
    verdict_under(&allows(5), &couple(&later), expect![[""]]);
}
