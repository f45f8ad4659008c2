//! Mailboxes at their bounds: what is given up, what is refused, who is closed.

use expect_test::expect;

use super::scripts::brief;
use super::*;

fn full_mailbox(events: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    let config = Config {
        mailbox_events_max: 6,
        notice_interval_ms: 1_000,
        session_lease_ms: 1_000_000,
        ..Config::default()
    };
    let mut room = Room::new(config);
    let (ann, bob) = (SessionId(1), SessionId(2));
    room.open(ann).expect("there is room");
    room.open(bob).expect("there is room");
    for event in events {
        match event {
            "notice" => room.pass(1_000),
            text => room.command(bob, say(text, text, None)).expect("bob has a partner"),
        }
        room.news(bob);
    }
    let told = room.news(ann);
    told.iter().chain(&room.news(bob)).map(brief).collect()
}

#[test]
fn a_full_mailbox_gives_up_head_counts_before_anything_else() {
    let told = full_mailbox(["notice", "a", "notice", "b", "c"]).join("\n");
    expect![[r#"
        welcome, 1 online
        waiting
        paired p1
        Partner: a
        lagged, 2 missed
        Partner: b
        closing: Slow"#]]
    .assert_eq(&told);
}

#[test]
fn a_mailbox_full_of_messages_closes_the_session_and_tells_the_partner() {
    let mut room = Room::new(Config { mailbox_events_max: 6, ..Config::default() });
    let (ann, bob) = (SessionId(1), SessionId(2));
    room.open(ann).expect("there is room");
    room.open(bob).expect("there is room");
    let mut told = Vec::new();
    for text in ["a", "b", "c", "d", "e"] {
        let said = room.command(bob, say(text, text, None));
        told.push(format!("{text}: {said:?}"));
        told.extend(room.news(bob).iter().map(|event| format!("bob: {}", brief(event))));
    }
    told.extend(room.news(ann).iter().map(|event| format!("ann: {}", brief(event))));
    expect![[r#"
        a: Ok(())
        bob: welcome, 2 online
        bob: paired p1
        bob: Me: a
        b: Ok(())
        bob: Me: b
        c: Ok(())
        bob: Me: c
        d: Ok(())
        bob: Me: d
        bob: partner left: Lost
        bob: waiting
        e: Err(NotPaired)
        ann: welcome, 1 online
        ann: waiting
        ann: paired p1
        ann: Partner: a
        ann: Partner: b
        ann: Partner: c
        ann: closing: Slow"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_cursor_outside_the_mailbox_is_refused_with_the_bounds() {
    let mut room = Room::new(Config::default());
    room.open(SessionId(1)).expect("there is room");
    let future = room.core.read(SessionId(1), Seq(3), 10).expect_err("there are two events");
    room.news(SessionId(1));
    let past = room.core.acknowledge(SessionId(1), Seq(1)).expect_err("two are forgotten");
    expect![[r#"
        the cursor #3 is outside of #0 to #2
        the cursor #1 is outside of #2 to #2"#]]
    .assert_eq(&format!("{future}\n{past}"));
}
