//! What becomes of a message whose sender or reader is about to be somewhere else.

use chat_sim::plan::Action::{Join, Leave, Next, Repeat, Say};
use chat_sim::plan::FaultKind::CutReset;
use client::TransportKind::LongPoll;
use expect_test::expect;

use super::{alike, at_each_ms, couple, couple_and_cyd, for_both};

#[test]
fn partner_leaves_while_a_message_is_in_flight() {
    let stories = for_both(|kind| {
        let people = couple(kind).at(500, "bob", Leave);
        let runs = at_each_ms(485..520, |at_ms| people.clone().at(at_ms, "ann", Say));
        let (mut heard, mut refused) = (Vec::new(), Vec::new());
        for (at_ms, seen) in &runs {
            let is_heard = seen.find("bob", "partner ann-1").is_some();
            assert_ne!(is_heard, seen.is_refused("ann-1"), "at {at_ms} ms: one of the two\n{seen}");
            assert_eq!(is_heard, seen.is_accepted("ann-1"), "at {at_ms} ms\n{seen}");
            let said_ms = seen.said_ms("ann-1").expect("ann had a partner as far as she knew");
            let told_ms = seen.told("ann", "partner left: left").arrived_ms;
            assert!(said_ms <= told_ms, "the sender could not know\n{seen}");
            if is_heard { &mut heard } else { &mut refused }.push(seen.story("bob"));
        }
        assert!(!heard.is_empty() && !refused.is_empty(), "{kind}: both happened");
        format!("heard:\n{}refused:\n{}", alike(heard), alike(refused))
    });
    expect![[r#"
        heard:
        paired p1
        partner ann-1
        closing: left
        refused:
        paired p1
        closing: left
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn message_never_reaches_the_next_partner() {
    for parting in [Next, Leave] {
        let stories = for_both(|kind| {
            let people = couple_and_cyd(kind).at(500, "bob", parting);
            let runs = at_each_ms(490..520, |at_ms| people.clone().at(at_ms, "ann", Say));
            let mut stale = 0;
            for (at_ms, seen) in &runs {
                let is_heard = seen.find("bob", "partner ann-1").is_some();
                assert_ne!(is_heard, seen.is_refused("ann-1"), "at {at_ms} ms\n{seen}");
                let met = seen.told("ann", "paired p2");
                let said_ms = seen.said_ms("ann-1").expect("ann had a partner");
                assert!(said_ms <= met.arrived_ms, "ann could not know\n{seen}");
                // It came to the server when cyd was the partner there.
                stale += usize::from(said_ms + 9 > met.happened_ms && !is_heard);
            }
            assert!(stale > 0, "{kind}: no message was under way while the partner changed");
            alike(runs.iter().map(|(_, seen)| seen.story("cyd")))
        });
        assert_eq!(alike(stories), "waiting\npaired p2\n", "after {parting:?}");
    }
}

#[test]
fn a_message_whose_answer_is_lost_is_said_once() {
    let people = couple(LongPoll).at(500, "ann", Say);
    let runs = at_each_ms(500..522, |at_ms| people.clone().trouble(at_ms, CutReset, "ann", 0));
    let mut lost = 0;
    for (at_ms, seen) in &runs {
        assert_eq!(seen.count("bob", "partner ann-1"), 1, "at {at_ms} ms\n{seen}");
        assert_eq!(seen.count("ann", "me ann-1"), 1, "at {at_ms} ms\n{seen}");
        let taken_ms = seen.told("bob", "partner ann-1").happened_ms;
        lost += usize::from(taken_ms < *at_ms && *at_ms < taken_ms + 9);
    }
    assert!(lost > 0, "no answer was lost after the message was taken");
}

#[test]
fn a_message_repeated_without_need_is_heard_once() {
    let stories = for_both(|kind| {
        let people = couple(kind).at(500, "ann", Say).at(600, "ann", Say);
        let runs = at_each_ms(500..525, |at_ms| people.clone().at(at_ms, "ann", Repeat));
        alike(runs.iter().map(|(_, seen)| {
            assert!(!seen.is_refused("ann-1"), "{seen}");
            seen.stories(&["ann", "bob"])
        }))
    });
    expect![[r#"
        ann:
        waiting
        paired p1
        me ann-1
        me ann-2
        bob:
        paired p1
        partner ann-1
        partner ann-2
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn a_message_repeated_after_the_partner_changed_reaches_nobody() {
    let stories = for_both(|kind| {
        let people = couple_and_cyd(kind).at(450, "ann", Say).at(500, "bob", Next);
        let runs = at_each_ms(505..530, |at_ms| people.clone().at(at_ms, "ann", Repeat));
        alike(runs.iter().map(|(_, seen)| seen.stories(&["ann", "bob", "cyd"])))
    });
    expect![[r#"
        ann:
        waiting
        paired p1
        me ann-1
        partner left: skipped
        paired p2
        bob:
        paired p1
        partner ann-1
        partner left: skipped
        waiting
        cyd:
        waiting
        paired p2
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn who_leaves_and_comes_back_hears_nothing_twice() {
    for_both(|kind| {
        let people = couple(kind).at(495, "ann", Say).at(500, "bob", Leave).at(800, "ann", Say);
        for (at_ms, seen) in at_each_ms(500..510, |at_ms| people.clone().at(at_ms, "bob", Join)) {
            assert_eq!(seen.count("bob", "partner ann-1"), 1, "at {at_ms} ms\n{seen}");
            assert_eq!(seen.last("bob"), "partner ann-2", "at {at_ms} ms\n{seen}");
        }
    });
}

#[test]
fn messages_that_cross_each_other_both_arrive() {
    let stories = for_both(|kind| {
        let people = couple(kind).at(500, "ann", Say);
        let runs = at_each_ms(490..510, |at_ms| people.clone().at(at_ms, "bob", Say));
        for (at_ms, seen) in &runs {
            assert!(
                seen.is_accepted("ann-1") && seen.is_accepted("bob-1"),
                "at {at_ms} ms\n{seen}"
            );
            // The order of the two is the server's, and the same for both.
            let taken = |who: &str, one: &str, other: &str| {
                let place = |words: &str| seen.story(who).find(words);
                place(one) < place(other)
            };
            let ann = taken("ann", "me ann-1", "partner bob-1");
            assert_eq!(ann, taken("bob", "partner ann-1", "me bob-1"), "at {at_ms} ms\n{seen}");
        }
        let sorted = |story: String| {
            let mut lines: Vec<_> = story.lines().collect();
            lines.sort_unstable();
            lines.join("\n") + "\n"
        };
        alike(runs.iter().map(|(_, seen)| sorted(seen.story("bob"))))
    });
    expect![[r#"
        me bob-1
        paired p1
        partner ann-1
    "#]]
    .assert_eq(&alike(stories));
}
