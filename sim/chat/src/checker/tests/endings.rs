//! Histories for the checkers that ask the plan what may be expected: of full mailboxes, of a
//! server that drains, of people who are gone.

use client::TransportKind::{LongPoll, Websocket};
use expect_test::expect;

use super::histories::couple;
use super::script::verdict_under;
use crate::plan::{Action, FaultKind, Plan};
use crate::scenario::Scenario;

/// A server whose mailboxes are sometimes full.
fn tight() -> Plan {
    let mut plan = crate::plan::empty(1);
    plan.config.server.mailbox_events_max = 24;
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
    drained().plan()
}

fn drained() -> Scenario {
    let people = Scenario::new().person("ann", Websocket).person("bob", LongPoll);
    people.server_trouble(1_000, FaultKind::Drain, 1_500)
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
    let cut = "ann < closing draining\nbob goes away\ndrain ended";
    verdict_under(&draining(), &couple(&format!("{drain}{cut}")), lost);
}

#[test]
fn a_drain_that_finds_somebody_away_need_not_be_told() {
    let away = "bob goes away\npass 1000\ndrain begins\npass 500\nann leaves\ndrain ended";
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
        failure-detection: ann was missed after 1500 ms only
    "#]];
    verdict_under(&plan, &gone("vanishes", 1_500), late);
    // Nothing says that she is gone but the heartbeat that is not answered.
    for how in ["loses power", "hangs"] {
        verdict_under(&plan, &gone(how, 1_500), expect![[""]]);
        let late = expect![[r#"
            failure-detection: ann was missed after 2800 ms only
        "#]];
        verdict_under(&plan, &gone(how, 2_800), late);
    }
}

#[test]
fn a_drain_that_lasts_when_everybody_has_been_told_is_found() {
    let drain = "pass 1000\ndrain begins\npass 100\n";
    let told = "ann < closing draining\nbob < closing draining\n";
    let exits = |after: &str| couple(&format!("{drain}{told}{after}\nserver exits"));
    verdict_under(&draining(), &exits("pass 300"), expect![[""]]);
    verdict_under(
        &draining(),
        &exits("pass 900"),
        expect![[r#"
        drain: the server drained for 900 ms after the last word
    "#]],
    );
    let slow = drained().at(800, "bob", Action::ReadSlowly).plan();
    verdict_under(&slow, &exits("pass 900"), expect![[""]]);
    let unheard = format!("{drain}ann < closing draining\npass 900\nbob leaves\nserver exits");
    verdict_under(&draining(), &couple(&unheard), expect![[""]]);
}

// ---- bounds

#[test]
fn a_mailbox_that_holds_more_than_it_may_is_found() {
    let told = |count: usize| "bob < notice put 300\n".repeat(count);
    let read = |count: usize| couple(&format!("pass 500\nbob polls\npass 100\n{}", told(count)));
    verdict_under(&tight(), &read(25), expect![[""]]);
    verdict_under(
        &tight(),
        &read(26),
        expect![[r#"
        bounds: the mailbox of s2 held 26 events at once
    "#]],
    );
    let meanwhile = couple(&format!("bob polls\npass 600\n{}", told(26)));
    verdict_under(&tight(), &meanwhile, expect![[""]]);
}

// ---- figures

/// `ann`, on a socket, and `bob`, who polls, talk, and after a while an operator asks.
fn asked(meanwhile: &str, figures: &str) -> String {
    couple(&format!("{meanwhile}\nholds {figures}\npass 1000\nsettled\nholds sessions=0"))
}

#[test]
fn figures_that_are_not_those_of_the_people_are_found_when_all_is_quiet() {
    let quiet = "pass 4000";
    let true_ones = "sessions=2 pairs=1 readers=1 timers=3 connections=3 ready=1";
    verdict_under(&draining(), &asked(quiet, true_ones), expect![[""]]);
    let false_ones = "sessions=3 sessions_closed=1 waiting=1 timers=1 connections=1 parked=1";
    verdict_under(
        &draining(),
        &asked(quiet, false_ones),
        expect![[r#"
            metrics: of connections the server counts 1, not 2 or more
            metrics: of pairs the server counts 0, not 1
            metrics: of parked the server counts 1, not 0
            metrics: of readers the server counts 0, not 1 to 2
            metrics: of ready the server counts 0, not 1
            metrics: of sessions the server counts 3, not 2
            metrics: of sessions_closed the server counts 1, not 0
            metrics: of timers the server counts 1, not 2 to 6
            metrics: of waiting the server counts 1, not 0
        "#]],
    );
    verdict_under(&draining(), &asked("pass 900", false_ones), expect![[""]]);
    let lost = "pass 4000\nbob loses\npass 2900";
    verdict_under(&draining(), &asked(lost, false_ones), expect![[""]]);
}

#[test]
fn somebody_who_waits_is_counted_as_that() {
    let alone = |figures: &str| {
        let quiet = "ann opens\nann < waiting\npass 4000";
        format!("{quiet}\nholds {figures}\nsettled\nholds sessions=0")
    };
    let true_ones = "sessions=1 waiting=1 readers=1 timers=1 connections=2 ready=1";
    verdict_under(&draining(), &alone(true_ones), expect![[""]]);
    let false_ones = "sessions=1 pairs=1 readers=1 timers=1 connections=2 ready=1";
    verdict_under(
        &draining(),
        &alone(false_ones),
        expect![[r#"
        metrics: of pairs the server counts 1, not 0
        metrics: of waiting the server counts 0, not 1
    "#]],
    );
}

#[test]
fn mailboxes_that_are_told_to_hold_less_than_they_did_are_found() {
    let twice = "ann < notice put 0\nann < notice put 0\npass 4000";
    let figures = "sessions=2 pairs=1 readers=1 timers=3 connections=3 ready=1";
    let deep = |depths: &str| asked(twice, &format!("{figures} {depths}"));
    let true_ones = "mailbox_depth_count=6 mailbox_depth_sum=7";
    verdict_under(&draining(), &deep(true_ones), expect![[""]]);
    verdict_under(
        &draining(),
        &deep("mailbox_depth_count=6 mailbox_depth_sum=6"),
        expect![[r#"
            metrics: of mailbox_depth_sum the server counts 6, not 7 or more
        "#]],
    );
}

#[test]
fn messages_that_are_not_counted_for_the_transport_of_their_sender_are_found() {
    let plan = Scenario::new().person("ann", Websocket).person("bob", LongPoll).plan();
    let said =
        "ann says ann-1 to 1\nann < me ann-1\nbob < partner ann-1\nann says ann-2 to 1\npass 1100";
    let counted = |websocket: u64, polls: u64| {
        let of = |kind: &str, count: u64| format!("messages_total{{transport=\"{kind}\"}}={count}");
        let counted = [of("websocket", websocket), of("short-poll", polls), of("long-poll", 0)];
        couple(&format!("{said}\nsettled\nholds {}", counted.join(" ")))
    };
    // Nobody knows what became of the second one.
    verdict_under(&plan, &counted(1, 0), expect![[""]]);
    verdict_under(&plan, &counted(2, 0), expect![[""]]);
    verdict_under(
        &plan,
        &counted(0, 1),
        expect![[r#"
            metrics: of the messages of short-poll the server counts 1, not 0
            metrics: of the messages of websocket the server counts 0, not 1 to 2
        "#]],
    );
    verdict_under(
        &plan,
        &counted(3, 0),
        expect![[r#"
            metrics: of the messages of websocket the server counts 3, not 1 to 2
        "#]],
    );
}

#[test]
fn a_server_that_drains_and_welcomes_people_is_found() {
    let drain = |then: &str| couple(&format!("pass 1000\ndrain begins\npass 100\n{then}"));
    let told = "ann < closing draining\nbob < closing draining\n";
    verdict_under(&draining(), &drain(&format!("holds ready=0\n{told}drain ended")), expect![[""]]);
    verdict_under(
        &draining(),
        &drain(&format!("holds ready=1\n{told}drain ended")),
        expect![[r#"
            metrics: a server that drains says that new people are welcome
        "#]],
    );
    // Another one has taken its place.
    verdict_under(
        &draining(),
        &drain(&format!("{told}server exits\nholds ready=1")),
        expect![[""]],
    );
}

// ---- room

#[test]
fn whoever_finds_the_server_full_need_not_get_in() {
    let absent = couple("cyd does not get in");
    let mut full = draining();
    full.config.server.sessions_max = 2;
    verdict_under(&full, &absent, expect![[""]]);
    full.config.server.sessions_max = 3;
    verdict_under(
        &full,
        &absent,
        expect![[r#"
            liveness: cyd tried to get in and never did
        "#]],
    );
}

#[test]
fn a_place_that_is_left_out_is_found_where_the_mailbox_was_not_full_or_was_read_to_its_end() {
    let left_out = "ann < notice @6\n";
    let gone = couple(&format!("{left_out}ann vanishes\nbob < left\nbob < waiting"));
    verdict_under(&tight(), &gone, expect![[""]]);
    let found = || {
        expect![[r#"
            log: s1 was never given what lies between two events
        "#]]
    };
    verdict_under(&draining(), &gone, found());
    verdict_under(&tight(), &couple(left_out), found());
    let read = couple(&format!("{left_out}ann leaves\nann < closing\nbob < left\nbob < waiting"));
    verdict_under(&tight(), &read, found());
}
