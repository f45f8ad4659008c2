//! Histories for the checker of what an address may have.

use expect_test::expect;

use super::script::verdict_under;
use crate::plan::Plan;

/// A server that lets an address have so many sessions, and open so many at once.
fn allows(sessions_per_address_max: usize, opens_per_address_burst_max: u32) -> Plan {
    let mut plan = crate::plan::empty(1);
    plan.settings.client_hosts = 1;
    plan.config.server.sessions_per_address_max = sessions_per_address_max;
    plan.config.server.opens_per_address_burst_max = opens_per_address_burst_max;
    plan
}

/// Ann comes and goes, then bob comes this much later, and goes.
fn one_after_the_other(ms: u64) -> String {
    format!(
        "ann opens\nann < waiting put 0\nann leaves\nann < closing put 0\npass {ms}\n\
         bob opens\nbob < waiting put 0\nbob leaves\nbob < closing put 0"
    )
}

#[test]
fn session_is_counted_until_it_is_forgotten() {
    verdict_under(&allows(2, 9), &one_after_the_other(100), expect![[""]]);
    verdict_under(&allows(1, 9), &one_after_the_other(800), expect![[""]]);
    verdict_under(
        &allows(1, 9),
        &one_after_the_other(100),
        expect![[r#"
            openings: one address has 2 sessions, of 1 that it may have
        "#]],
    );
    verdict_under(&allows(0, 9), &one_after_the_other(100), expect![[""]]);
}

#[test]
fn server_that_holds_more_than_all_addresses_may_have_is_found() {
    let rest =
        "ann opens\nann < waiting\nholds sessions=1 sessions_closed=1\nann leaves\nann < closing";
    verdict_under(&allows(2, 9), rest, expect![[""]]);
    verdict_under(
        &allows(1, 9),
        rest,
        expect![[r#"
            openings: the server holds 2 sessions, of 1 that may be there
        "#]],
    );
}

#[test]
fn address_that_is_refused_has_asked_for_as_many() {
    for why in ["Too-many-sessions", "Opened-too-fast"] {
        let refused = format!(
            "ann opens\nann < waiting\nbob is refused a session as {why}\nbob vanishes\n\
             ann leaves\nann < closing"
        );
        verdict_under(&allows(4, 4), &refused, expect![[""]]);
    }
    verdict_under(
        &allows(5, 5),
        "bob is refused a session as too-many-sessions\ncyd is refused a session as opens-too-fast\n\
         bob vanishes\ncyd vanishes",
        expect![[r#"
            openings: bob was refused a session, of 1 that were asked for: refused: too-many-sessions
            openings: cyd was refused a session, of 2 that were asked for: refused: opens-too-fast
        "#]],
    );
}
