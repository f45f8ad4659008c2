//! Histories for the checker of what others notice of a flood.

use expect_test::{Expect, expect};

use super::script::verdict_under;
use crate::fault::ChatFault;
use crate::flood::Flood;
use crate::model::SERVER;
use crate::plan::{Action, AnyFault, Fault, Plan, Step};

/// A flood of that kind at the start, of a server that has room for so many sessions, of which an address may
/// have two.
fn flooded_by(flood: Flood, sessions_max: usize) -> Plan {
    let mut plan = crate::plan::empty(1);
    let (kind, target) = (AnyFault::Model(ChatFault::Flood(flood)), SERVER.to_owned());
    plan.faults.push(Fault { at_ms: 0, kind, target, for_ms: 1_000, count: None });
    plan.config.server.sessions_per_address_max = 2;
    plan.config.server.sessions_max = sessions_max;
    (plan.config.server.nexts_burst_max, plan.config.server.nexts_per_s_max) = (1, 1);
    (plan.config.server.messages_burst_max, plan.config.server.messages_per_s_max) = (1, 1);
    plan
}

fn check(script: &str, expected: Expect) {
    verdict_under(&flooded_by(Flood::Sessions, 4), script, expected);
}

#[test]
fn person_who_is_told_that_the_server_is_full_must_be_one_too_many() {
    let script = "flood begins\nann is turned away\nann vanishes";
    check(
        script,
        expect![[r#"
            admission: ann was told that the server is full
        "#]],
    );
    let other = flooded_by(Flood::Sessions, 3);
    verdict_under(&other, script, expect![[""]]);
    let mut unlimited = flooded_by(Flood::Sessions, 4);
    unlimited.config.server.sessions_per_address_max = 0;
    verdict_under(&unlimited, script, expect![[""]]);
    // Without a flood nobody is asked.
    check("ann is turned away\nann vanishes", expect![[""]]);
}

#[test]
fn person_who_asks_during_a_flood_gets_in_and_soon() {
    let after = |ms: u64| {
        format!(
            "flood begins\nann asks to come in\npass {ms}\nann comes in\nann < waiting\npass 3000\n\
             ann < notice"
        )
    };
    check(&after(600), expect![[""]]);
    check(
        &after(900),
        expect![[r#"
            admission: ann was not in after 700 ms
        "#]],
    );
    check(
        "flood begins\nann asks to come in\npass 600\nann is kept out\nann opens\nann < waiting\n\
         pass 3000\nann < notice",
        expect![[r#"
            admission: ann was kept out: no answer within 700 ms
        "#]],
    );
}

#[test]
fn person_who_reads_is_neither_closed_nor_cut_off() {
    check(
        "flood begins\nann opens\nann < waiting\npass 900\nann loses",
        expect![[r#"
            admission: ann lost the connection
        "#]],
    );
    check(
        "ann opens\nann < waiting\npass 900\nann loses\nflood begins\nann vanishes",
        expect![[""]],
    );
    check("flood begins\nann opens\nann < waiting\npass 900\nann goes away", expect![[""]]);
}

#[test]
fn person_whose_own_doing_comes_late_is_cut_off_rightly() {
    let script = "flood begins\nann opens\nann < waiting\npass 900\nann < notice\nann loses";
    let mut plan = flooded_by(Flood::Sessions, 4);
    let client = String::from("ann");
    plan.steps.push(Step { at_ms: 2, client, action: Action::AbortAnswer });
    verdict_under(&plan, script, expect![[""]]);
    plan.steps.clear();
    verdict_under(
        &plan,
        script,
        expect![[r#"
            admission: ann lost the connection
        "#]],
    );
}

#[test]
fn person_who_was_silent_long_before_the_end_is_given_up_rightly() {
    let script =
        "flood begins\nann opens\nann < waiting\npass 900\nann < notice\nann < closing lost";
    let mut plan = flooded_by(Flood::Sessions, 4);
    verdict_under(
        &plan,
        script,
        expect![[r#"
            admission: ann was given up
        "#]],
    );
    let client = String::from("ann");
    plan.steps.push(Step { at_ms: 2, client, action: Action::ReadSlowly });
    verdict_under(&plan, script, expect![[""]]);
}

/// Ann says something, which is put into the mailbox so much later, and read so much after that.
fn said(put_ms: u64, read_ms: u64) -> String {
    format!(
        "flood begins\nann opens\nbob opens\nann < paired 1\nbob < paired 1\nann says ann-1 to 1\n\
         pass {put_ms}\npass {read_ms}\nann < me ann-1 put {read_ms}\nbob < partner ann-1 put {read_ms}\n\
         ann accepted ann-1 to 1"
    )
}

#[test]
fn message_is_accepted_and_heard_in_time() {
    check(&said(300, 300), expect![[""]]);
    check(
        &said(500, 10),
        expect![[r#"
            admission: ann-1 was accepted after 500 ms
        "#]],
    );
    check(
        &said(300, 700),
        expect![[r#"
            admission: ann heard ann-1 after 1000 ms
            admission: bob heard ann-1 after 1000 ms
        "#]],
    );
}

#[test]
fn attacker_causes_no_more_than_its_sessions_may() {
    let skips = |count: usize| {
        let skip = "ann < waiting\nann < paired {}\nann < skipped\n";
        let skips: String = (1..=count).map(|pair| skip.replace("{}", &pair.to_string())).collect();
        format!("flood begins\nann opens\n{skips}ann < waiting")
    };
    let plan = flooded_by(Flood::Next, 4);
    verdict_under(&plan, &skips(8), expect![[""]]);
    verdict_under(
        &plan,
        &skips(9),
        expect![[r#"
            admission: ann was left by 9 partners, of 8 who may skip
        "#]],
    );
    let messages = |count: usize| {
        let told: String = (1..=count).map(|number| format!("ann < flood {number}\n")).collect();
        format!(
            "flood begins\nann opens\nann < waiting\nann < paired 1\n{told}ann < left\nann < waiting"
        )
    };
    let plan = flooded_by(Flood::Say, 4);
    verdict_under(
        &plan,
        &messages(9),
        expect![[r#"
            admission: ann was told 9 messages of attackers, who may say 8
        "#]],
    );
}
