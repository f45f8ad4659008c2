//! Histories for the checkers that ask the plan what may be expected: of full mailboxes, of a
//! server that drains, of people who are gone.

use client::TransportKind::{LongPoll, Websocket};
use expect_test::expect;

use super::histories::couple;
use super::script::verdict_under;
use crate::plan::{FaultKind, Plan};
use crate::scenario::Scenario;

/// A server whose mailboxes are sometimes full.
fn tight() -> Plan {
    let mut plan = Plan::new(1);
    plan.server.mailbox_events_max = 24;
    plan
}

#[test]
fn a_cursor_that_is_refused_where_mailboxes_are_full_is_found_after_an_acknowledgement() {
    let refused = "ann cannot go on\nann < notice";
    let never = expect![[""]];
    verdict_under(&tight(), &couple(&format!("ann polls\nann polled\n{refused}")), never);
    let acknowledged = expect![[r#"
        resume: ann could not go on from its own cursor
    "#]];
    verdict_under(&tight(), &couple(&format!("ann polled after 1\n{refused}")), acknowledged);
    let bob_did = expect![[""]];
    verdict_under(&tight(), &couple(&format!("bob polled after 1\n{refused}")), bob_did);
}

/// A plan in which the server drains after a second, and `ann` and `bob` take part.
fn draining() -> Plan {
    let people = Scenario::new().person("ann", Websocket).person("bob", LongPoll);
    people.server_trouble(1_000, FaultKind::Drain, 1_500).plan()
}

#[test]
fn a_drain_that_is_told_late_or_never_is_found() {
    let drain = "pass 1000\ndrain begins\npass 100\n";
    let told = "ann < closing draining\nbob < closing draining\n";
    let good = expect![[""]];
    verdict_under(&draining(), &couple(&format!("{drain}{told}drain ended")), good);
    let late = expect![[r#"
        drain: ann was not told in time that the server drains
        drain: bob was not told in time that the server drains
    "#]];
    verdict_under(&draining(), &couple(&format!("{drain}pass 400\n{told}drain ended")), late);
    let lost = expect![[r#"
        drain: bob was not told in time that the server drains
    "#]];
    let cut = "ann < closing draining\nbob loses\ndrain ended";
    verdict_under(&draining(), &couple(&format!("{drain}{cut}")), lost);
}

#[test]
fn a_drain_that_finds_somebody_away_need_not_be_told() {
    let away = "bob loses\npass 1000\ndrain begins\npass 500\nann leaves\ndrain ended";
    verdict_under(&draining(), &couple(away), expect![[""]]);
}

#[test]
fn somebody_who_is_gone_and_missed_late_is_found() {
    let plan = Scenario::new().person("ann", Websocket).person("bob", LongPoll).plan();
    let gone = |how: &str, ms: u64| {
        couple(&format!("pass 500\nann {how}\npass {ms}\nbob < left put 0\nbob < waiting"))
    };
    verdict_under(&plan, &gone("vanishes", 900), expect![[""]]);
    let late = expect![[r#"
        presence: ann was missed after 1500 ms only
    "#]];
    verdict_under(&plan, &gone("vanishes", 1_500), late);
    // Nothing says that she is gone but the heartbeat that is not answered.
    for how in ["loses power", "hangs"] {
        verdict_under(&plan, &gone(how, 1_500), expect![[""]]);
        let late = expect![[r#"
            presence: ann was missed after 2800 ms only
        "#]];
        verdict_under(&plan, &gone(how, 2_800), late);
    }
}
