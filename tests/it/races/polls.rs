//! The moments at which nobody reads: between two polls, in a lost answer, in a second tab.

use chat_sim::plan::Action::{Abort, Say, SecondPoll};
use chat_sim::plan::FaultKind::CutReset;
use client::TransportKind::LongPoll;
use expect_test::expect;

use super::seen::Seen;
use super::{SLACK_MS, alike, at_each_ms, couple};

#[test]
fn message_arrives_between_poll_timeout_and_next_poll() {
    let people = couple(LongPoll).config(|config| config.poll_wait_ms = 300);
    let (_, answered_ms) = Seen::run(&people).empty_polls("bob")[0];
    let moments = answered_ms - 30..answered_ms + 10;
    let runs = at_each_ms(moments, |at_ms| people.clone().at(at_ms, "ann", Say));
    let mut between = 0;
    for (at_ms, seen) in &runs {
        assert_eq!(seen.count("bob", "partner ann-1"), 1, "at {at_ms} ms\n{seen}");
        let heard = seen.told("bob", "partner ann-1");
        let empty = seen.empty_polls("bob");
        let timed_out = empty.iter().map(|(_, answered)| *answered).find(|answered| {
            // The empty answer left before the message came, the next poll arrived after.
            answered - 10 <= heard.happened_ms && heard.happened_ms < answered + 10
        });
        between += usize::from(timed_out.is_some());
        // The next poll takes 10 ms to the server and its answer 10 ms back.
        let latest_ms = timed_out.unwrap_or(heard.happened_ms - 10) + 20 + SLACK_MS;
        assert!(heard.arrived_ms <= latest_ms, "at {at_ms} ms: {latest_ms}\n{seen}");
    }
    assert!(between >= 10, "{between} messages came while nobody read");
}

#[test]
fn poll_response_lost_and_asked_for_again() {
    let people = couple(LongPoll).at(500, "bob", Say);
    let runs = at_each_ms(505..525, |at_ms| people.clone().trouble(at_ms, CutReset, "ann", 0));
    let mut lost = 0;
    for (at_ms, seen) in &runs {
        let heard = seen.told("ann", "partner bob-1");
        let was_under_way = heard.happened_ms < *at_ms && *at_ms < heard.happened_ms + 9;
        if was_under_way {
            // It came on a new connection, over which ann asked from the same cursor.
            assert!(heard.arrived_ms >= at_ms + 30 - SLACK_MS, "at {at_ms} ms\n{seen}");
            lost += 1;
        }
    }
    assert!(lost >= 5, "{lost} answers were lost on their way");
    expect![[r#"
        ann:
        waiting
        paired p1
        partner bob-1
        bob:
        paired p1
        me bob-1
    "#]]
    .assert_eq(&alike(runs.iter().map(|(_, seen)| seen.stories(&["ann", "bob"]))));
}

#[test]
fn poll_aborted_at_any_moment_loses_nothing() {
    let people = couple(LongPoll).at(500, "bob", Say).at(600, "bob", Say);
    let runs = at_each_ms(500..525, |at_ms| people.clone().at(at_ms, "ann", Abort));
    let lost = runs.iter().filter(|(at_ms, seen)| {
        let taken_ms = seen.told("ann", "partner bob-1").happened_ms;
        let aborted_ms = seen.poll_lost_ms("ann").expect("the poll was aborted");
        assert!(aborted_ms.abs_diff(*at_ms) <= SLACK_MS, "{seen}");
        taken_ms < aborted_ms && aborted_ms < taken_ms + 9
    });
    assert!(lost.count() >= 5, "answers were under way when their polls were aborted");
    expect![[r#"
        ann:
        waiting
        paired p1
        partner bob-1
        partner bob-2
        bob:
        paired p1
        me bob-1
        me bob-2
    "#]]
    .assert_eq(&alike(runs.iter().map(|(_, seen)| seen.stories(&["ann", "bob"]))));
}

#[test]
fn second_poll_replaces_the_first() {
    // The second tab has to connect, so its poll comes at about 520.
    let people = couple(LongPoll).at(500, "ann", SecondPoll);
    let runs = at_each_ms(500..535, |at_ms| people.clone().at(at_ms, "bob", Say));
    let mut between = 0;
    for (at_ms, seen) in &runs {
        let heard = seen.told("ann", "partner bob-1");
        let replaced = seen.empty_polls("ann").into_iter().find(|(_, answered)| *answered < 900);
        match replaced {
            // The first poll had its answer before the second came.
            None => assert!(heard.happened_ms <= 520 + SLACK_MS, "at {at_ms} ms\n{seen}"),
            Some((asked_ms, answered_ms)) => {
                assert!(asked_ms < 500, "it was parked\n{seen}");
                assert!(answered_ms.abs_diff(530) <= SLACK_MS, "and ended at once\n{seen}");
                between += usize::from(heard.happened_ms < answered_ms + 10);
            }
        }
        // Whoever was replaced asks again at once, so the message waits for two ways at most.
        let latest_ms = heard.happened_ms + 30 + SLACK_MS;
        assert!(heard.arrived_ms <= latest_ms, "at {at_ms} ms\n{seen}");
    }
    assert!(between >= 10, "{between} messages came while only the second tab had read");
    expect![[r#"
        ann:
        waiting
        paired p1
        partner bob-1
        bob:
        paired p1
        me bob-1
    "#]]
    .assert_eq(&alike(runs.iter().map(|(_, seen)| seen.stories(&["ann", "bob"]))));
}
