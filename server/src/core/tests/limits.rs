//! What is refused because it comes too often, and when people are told how many there are, as scripts.

use expect_test::expect;

use super::Config;
use super::scripts::check_with;

#[test]
fn a_flood_is_refused_and_the_allowance_comes_back() {
    check_with(
        Config { messages_per_s_max: 1, messages_burst_max: 2, ..Config::default() },
        "ann opens
         bob opens
         ann says one
         ann says two
         ann says three
         pass 1000
         ann says four",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            ann says one
                ann: Me: one
                bob: Partner: one
            ann says two
                ann: Me: two
                bob: Partner: two
            ann says three
                refused: too many messages; the next one is welcome in 1001 ms
            pass 1000
            ann says four
                ann: Me: four
                bob: Partner: four
        "#]],
    );
}

#[test]
fn a_flood_of_nexts_is_refused_and_leaves_the_partner_alone() {
    check_with(
        Config { nexts_per_s_max: 1, nexts_burst_max: 1, ..Config::default() },
        "ann opens
         bob opens
         ann next
         ann next
         bob next
         pass 1000
         ann next",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            ann next
                ann: partner left: Skipped
                ann: paired p2
                bob: partner left: Skipped
                bob: paired p2
            ann next
                refused: too many requests for another partner; the next one is welcome in 1001 ms
            bob next
                ann: partner left: Skipped
                ann: paired p3
                bob: partner left: Skipped
                bob: paired p3
            pass 1000
            ann next
                ann: partner left: Skipped
                ann: paired p4
                bob: partner left: Skipped
                bob: paired p4
        "#]],
    );
}

#[test]
fn the_head_count_is_announced_and_stops_with_the_last_one() {
    check_with(
        Config { notice_interval_ms: 1_000, ..Config::default() },
        "ann opens
         pass 1000
         ann leaves
         pass 60000",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            pass 1000
                ann: notice, 1 online
            ann leaves
                ann: closing: Left
            pass 60000
        "#]],
    );
}

#[test]
fn each_is_told_the_head_count_at_their_own_time() {
    check_with(
        Config { notice_interval_ms: 1_000, ..Config::default() },
        "ann opens
         pass 300
         bob opens
         pass 700
         pass 300",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            pass 300
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            pass 700
                ann: notice, 2 online
            pass 300
                bob: notice, 2 online
        "#]],
    );
}
