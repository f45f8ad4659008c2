//! Who loses the connection, says nothing, or comes back in time, told as scripts; and the drain.

use expect_test::expect;

use super::scripts::check;

#[test]
fn a_dropped_connection_is_told_after_the_resume_window_and_not_before() {
    check(
        "ann opens
         bob opens
         ann drops
         pass 9999
         pass 1
         pass 10000",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            ann drops
            pass 9999
            pass 1
                ann: closing: Lost
                bob: partner left: Lost
                bob: waiting
            pass 10000
        "#]],
    );
}

#[test]
fn somebody_who_comes_back_in_time_was_never_gone() {
    check(
        "ann opens
         bob opens
         ann drops
         pass 9999
         ann parks
         pass 50000
         ann says back",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            ann drops
            pass 9999
            ann parks
            pass 50000
            ann says back
                ann: Me: back
                bob: Partner: back
        "#]],
    );
}

#[test]
fn a_suspect_is_not_paired_until_they_are_back() {
    check(
        "ann opens
         ann drops
         bob opens
         cyd opens
         dan opens
         ann polls",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            ann drops
            bob opens
                bob: welcome, 2 online
                bob: waiting
            cyd opens
                bob: paired p1
                cyd: welcome, 3 online
                cyd: paired p1
            dan opens
                dan: welcome, 4 online
                dan: waiting
            ann polls
                ann: paired p2
                dan: paired p2
        "#]],
    );
}

#[test]
fn a_lost_socket_that_nobody_can_resume_ends_at_once() {
    check(
        "ann opens
         bob opens
         ann ends",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            ann ends
                ann: closing: Lost
                bob: partner left: Lost
                bob: waiting
        "#]],
    );
}

#[test]
fn who_is_silent_for_the_lease_is_lost() {
    check(
        "ann opens
         bob opens
         bob parks
         pass 59999
         ann polls
         pass 59999
         pass 1",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            bob parks
            pass 59999
            ann polls
            pass 59999
            pass 1
                ann: closing: Lost
                bob: partner left: Lost
                bob: waiting
        "#]],
    );
}

#[test]
fn a_drain_tells_everybody_and_lets_nobody_in() {
    check(
        "ann opens
         bob opens
         ann says hi
         drain
         ann says late
         cyd opens",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            ann says hi
                ann: Me: hi
                bob: Partner: hi
            drain
                ann: closing: Draining
                bob: closing: Draining
            ann says late
                refused: the server is shutting down; come back in 1000 ms
            cyd opens
                refused: the server is shutting down; come back in 1000 ms
        "#]],
    );
}
