//! The server goes away, in good order or not, while people talk.

use chat_sim::plan::Action::Say;
use chat_sim::plan::FaultKind::{Crash, Drain};
use expect_test::expect;

use super::{SLACK_MS, alike, at_each_ms, couple, for_both};

#[test]
fn server_drains_while_polls_are_parked() {
    let stories = for_both(|kind| {
        let people = couple(kind).server_trouble(1_000, Drain, 300);
        let runs = at_each_ms(975..1_005, |at_ms| people.clone().at(at_ms, "ann", Say));
        let (mut heard, mut not_heard) = (Vec::new(), Vec::new());
        for (at_ms, seen) in &runs {
            for who in ["ann", "bob"] {
                let arrived_ms = seen.told(who, "closing: draining").arrived_ms;
                // At once where somebody reads; else with the next poll, one way and back later.
                assert!(arrived_ms <= 1_030 + SLACK_MS, "{who} is told at once\n{seen}");
            }
            let is_heard = seen.find("bob", "partner ann-1").is_some();
            assert_eq!(is_heard, seen.is_accepted("ann-1"), "at {at_ms} ms\n{seen}");
            // Who comes in first after the restart waits for the other.
            let story = seen.story("bob").replace("waiting\npaired p2", "paired p2");
            if is_heard { &mut heard } else { &mut not_heard }.push(story);
        }
        assert!(!heard.is_empty() && !not_heard.is_empty(), "both happened");
        format!("heard:\n{}not accepted:\n{}", alike(heard), alike(not_heard))
    });
    for story in &stories {
        assert_eq!(story, &stories[0], "both transports tell the same");
    }
    expect![[r#"
        heard:
        paired p1
        partner ann-1
        closing: draining
        paired p2
        not accepted:
        paired p1
        closing: draining
        paired p2
    "#]]
    .assert_eq(&stories[0]);
}

#[test]
fn server_crashes_in_mid_conversation() {
    let stories = for_both(|kind| {
        let people = couple(kind).settings(|settings| settings.disturb_ms = 2_000);
        let people = people.server_trouble(1_000, Crash, 200).at(1_800, "bob", Say);
        let runs = at_each_ms(975..1_003, |at_ms| people.clone().at(at_ms, "ann", Say));
        let (mut heard, mut lost) = (Vec::new(), Vec::new());
        for (at_ms, seen) in &runs {
            let told = seen.find("bob", "partner ann-1");
            // The next life of the server knows nothing of the one before.
            assert!(told.is_none_or(|told| told.happened_ms <= 1_000), "at {at_ms} ms\n{seen}");
            let story = seen.story("bob").replace("waiting\npaired p2", "paired p2");
            if told.is_some() { &mut heard } else { &mut lost }.push(story);
        }
        assert!(!heard.is_empty() && !lost.is_empty(), "{kind}: both happened");
        format!("heard:\n{}lost:\n{}", alike(heard), alike(lost))
    });
    expect![[r#"
        heard:
        paired p1
        partner ann-1
        paired p2
        me bob-1
        lost:
        paired p1
        paired p2
        me bob-1
    "#]]
    .assert_eq(&alike(stories));
}
