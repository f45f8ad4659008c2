//! Who is paired with whom when people come and go at the same moment.

use std::collections::BTreeSet;

use chat_sim::plan::Action::{Join, Leave, Next, Vanish};
use expect_test::expect;

use super::seen::Seen;
use super::{SLACK_MS, alike, at_each_ms, couple, couple_and_cyd, for_both, world};

/// Seeds for races whose two sides act in the same instant: the seed decides who is first.
const SEEDS: u64 = 8;

#[test]
fn two_join_at_the_same_instant() {
    let stories = for_both(|kind| {
        let runs = (0..SEEDS).map(|seed| {
            let people = world().seed(seed).person("ann", kind).person("bob", kind);
            Seen::run(&people.at(100, "ann", Join).at(100, "bob", Join))
        });
        let runs: Vec<_> = runs.collect();
        let first = runs.iter().map(|seen| {
            let ann_is_first = seen.count("ann", "waiting") == 1;
            let (one, other) = if ann_is_first { ("ann", "bob") } else { ("bob", "ann") };
            let (waits, meets) = (seen.told(one, "waiting"), seen.told(other, "paired p1"));
            assert!(meets.happened_ms - waits.happened_ms <= 1, "in the same instant\n{seen}");
            (ann_is_first, format!("{}--\n{}", seen.story(one), seen.story(other)))
        });
        let (ann_is_first, stories): (Vec<_>, Vec<_>) = first.unzip();
        assert!(ann_is_first.contains(&true) && ann_is_first.contains(&false), "each once");
        alike(stories)
    });
    expect![[r#"
        waiting
        paired p1
        --
        paired p1
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn the_survivor_is_paired_again_at_once() {
    let stories = for_both(|kind| {
        let seen = Seen::run(&couple_and_cyd(kind).at(500, "bob", Leave));
        let (parted, met) = (seen.told("ann", "partner left: left"), seen.told("ann", "paired p2"));
        assert_eq!(parted.happened_ms, met.happened_ms, "nothing comes in between\n{seen}");
        assert_eq!(parted.arrived_ms, met.arrived_ms, "and both come together\n{seen}");
        seen.stories(&["ann", "bob", "cyd"])
    });
    expect![[r#"
        ann:
        waiting
        paired p1
        partner left: left
        paired p2
        bob:
        paired p1
        closing: left
        cyd:
        waiting
        paired p2
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn the_survivor_of_a_lost_partner_is_paired_again() {
    let stories = for_both(|kind| {
        let seen = Seen::run(&couple_and_cyd(kind).at(500, "bob", Vanish));
        // Whoever is gone without a word may come back within the resume window.
        let noticed_ms = 510 + chat_sim::plan::quick_server().resume_window_ms;
        let parted_ms = seen.told("ann", "partner left: lost").happened_ms;
        assert!(parted_ms.abs_diff(noticed_ms) <= SLACK_MS, "{parted_ms}\n{seen}");
        seen.stories(&["ann", "cyd"])
    });
    expect![[r#"
        ann:
        waiting
        paired p1
        partner left: lost
        paired p2
        cyd:
        waiting
        paired p2
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn two_survivors_meet() {
    let stories = for_both(|kind| {
        let people = couple(kind).person("cyd", kind).person("dan", kind);
        let people = people.at(300, "cyd", Join).at(400, "dan", Join).at(600, "ann", Leave);
        let runs = at_each_ms(596..605, |at_ms| people.clone().at(at_ms, "cyd", Leave));
        let survivors = runs.iter().map(|(_, seen)| {
            let [ann, cyd] = ["ann", "cyd"].map(|who| seen.told(who, "closing: left").happened_ms);
            let after = |who| {
                let story = seen.story(who);
                let parted = story.find("partner left").expect("every survivor is told");
                story[parted..].to_owned()
            };
            let mut stories = [after("bob"), after("dan")];
            stories.sort();
            (ann.cmp(&cyd), stories.join("--\n"))
        });
        let (orders, stories): (BTreeSet<_>, Vec<_>) = survivors.unzip();
        assert!(orders.len() >= 2, "{kind}: one first, and the other first");
        alike(stories)
    });
    expect![[r#"
        partner left: left
        paired p3
        --
        partner left: left
        waiting
        paired p3
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn both_partners_leave_at_the_same_instant() {
    let stories = for_both(|kind| {
        let stories = (0..SEEDS).map(|seed| {
            let seen = Seen::run(
                &couple_and_cyd(kind).seed(seed).at(500, "ann", Leave).at(500, "bob", Leave),
            );
            let left = ["ann", "bob"].map(|who| seen.told(who, "closing: left").happened_ms);
            assert!(left[0].abs_diff(left[1]) <= 1, "in the same instant\n{seen}");
            // The first to leave frees the second, who meets cyd for an instant.
            seen.story("cyd")
        });
        alike(stories)
    });
    expect![[r#"
        waiting
        paired p2
        partner left: left
        waiting
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn both_ask_for_another_partner_at_the_same_instant() {
    let stories = for_both(|kind| {
        let seen = Seen::run(&couple_and_cyd(kind).at(500, "ann", Next).at(500, "bob", Next));
        seen.stories(&["ann", "bob", "cyd"])
    });
    expect![[r#"
        ann:
        waiting
        paired p1
        partner left: skipped
        waiting
        bob:
        paired p1
        partner left: skipped
        paired p2
        cyd:
        waiting
        paired p2
    "#]]
    .assert_eq(&alike(stories));
}

#[test]
fn disconnect_races_pairing() {
    for_both(|kind| {
        let runs = at_each_ms(500..555, |at_ms| {
            let people = world().person("ann", kind).person("bob", kind).person("cyd", kind);
            let people = people.at(100, "ann", Join).at(500, "bob", Join);
            people.at(at_ms, "ann", Vanish).at(900, "cyd", Join)
        });
        let mut met = Vec::new();
        for (at_ms, seen) in &runs {
            // Whoever met the one who was about to be gone is told so, and is free again.
            let met_ann = seen.count("bob", "partner left: lost");
            assert!(met_ann <= 1, "at {at_ms} ms\n{seen}");
            let pair = if met_ann == 1 { "paired p2" } else { "paired p1" };
            assert_eq!((seen.last("bob"), seen.last("cyd")), (pair, pair), "at {at_ms} ms\n{seen}");
            met.push(met_ann == 1);
        }
        assert!(!met[0], "{kind}: gone before the other came");
        assert!(met[met.len() - 1], "{kind}: gone after the other came");
        assert!(met.is_sorted(), "{kind}: {met:?}");
    });
}
