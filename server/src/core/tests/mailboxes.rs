//! Mailboxes at their bounds: what is given up, what is refused, who is not paired, who is closed.

use expect_test::expect;

use super::scripts::brief;
use super::*;
use crate::core::session::Session;

fn full_mailbox(events: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    let config = Config {
        mailbox_events_max: 10,
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
            text => drop(room.command(bob, say(text, text, None))),
        }
        room.news(bob);
    }
    let told = room.news(ann);
    told.iter().chain(&room.news(bob)).map(brief).collect()
}

#[test]
fn a_full_mailbox_gives_up_head_counts_before_anything_else() {
    let told =
        full_mailbox(["notice", "a"].into_iter().chain(["notice"; 7]).chain(["b"])).join("\n");
    expect![[r#"
        welcome, 1 online
        waiting
        paired p1
        Partner: a
        lagged, 6 missed
        notice, 2 online
        notice, 2 online"#]]
    .assert_eq(&told);
}

#[test]
fn a_mailbox_full_of_messages_refuses_more_and_closes_the_session_in_the_end() {
    let config = Config { mailbox_events_max: 10, first_lease_ms: 1_000_000, ..Config::default() };
    let mut room = Room::new(config);
    let (ann, bob) = (SessionId(1), SessionId(2));
    room.open(ann).expect("there is room");
    room.open(bob).expect("there is room");
    let mut told = Vec::new();
    for text in ["a", "b", "c", "d", "e", "f"] {
        room.pass(if text == "f" { 10_000 } else { 0 });
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
        c: Err(MailboxFull { whose: Partner, retry_after_ms: 1000 })
        d: Err(MailboxFull { whose: Partner, retry_after_ms: 1000 })
        e: Err(MailboxFull { whose: Partner, retry_after_ms: 1000 })
        f: Err(NotPaired)
        bob: partner left: Lost
        bob: notice, 1 online
        bob: waiting
        ann: welcome, 1 online
        ann: waiting
        ann: paired p1
        ann: Partner: a
        ann: Partner: b
        ann: closing: Slow"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn two_who_do_not_read_are_paired_only_until_half_is_unread() {
    let (mut room, ann, bob) = couple(Config { mailbox_events_max: 10, ..Config::default() });
    for _ in 0..130 {
        let _too_fast = room.command(bob, ClientEvent::Next { pair: None });
    }
    let counts = room.core.counts();
    assert_eq!((counts.online, counts.waiting, counts.pairs, counts.closed), (2, 2, 0, 0));
    let told = [ann, bob].map(|who| room.news(who).iter().map(brief).collect::<Vec<_>>());
    expect![[r#"
        welcome, 1 online, waiting, paired p1, partner left: Skipped, paired p2, partner left: Skipped, waiting
        welcome, 2 online, paired p1, partner left: Skipped, paired p2, partner left: Skipped, waiting"#]].assert_eq(&told.map(|told| told.join(", ")).join("\n"));
    // Both have read, and meet.
    assert_eq!(room.core.counts().pairs, 1);
}

#[test]
fn whoever_reads_in_time_is_not_closed_and_whoever_does_not_is() {
    let mut told = Vec::new();
    for reads in [true, false] {
        let (mut room, ann, bob) = couple(Config { mailbox_events_max: 10, ..Config::default() });
        room.attach(ann).expect("she is known");
        room.attach(bob).expect("he is known");
        for number in 0..20 {
            let text = number.to_string();
            told.extend(refusal(room.command(bob, say(&text, &text, None))));
            room.news(bob);
            if number == 10 && reads {
                room.pass(9_999);
                told.extend(room.news(ann).iter().map(brief));
            }
        }
        room.pass(9_999);
        told.push(format!("{} online", room.core.counts().online));
        room.pass(1);
        told.push(format!("{} online", room.core.counts().online));
    }
    told.dedup();
    expect![[r#"
        refused: the partner's mailbox is full; try again in 1000 ms
        welcome, 1 online
        waiting
        paired p1
        Partner: 0
        Partner: 1
        refused: the partner's mailbox is full; try again in 1000 ms
        2 online
        1 online
        refused: the partner's mailbox is full; try again in 1000 ms
        2 online
        1 online"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_cursor_outside_the_mailbox_is_refused_with_the_bounds() {
    let mut room = Room::new(Config::default());
    room.open(SessionId(1)).expect("there is room");
    let handle = room.handle(SessionId(1));
    let future = room.core.read(handle, Seq(3), Portion::ALL).expect_err("there are two events");
    room.news(SessionId(1));
    let past = room.core.acknowledge(handle, Seq(1)).expect_err("two are forgotten");
    expect![[r#"
        the cursor #3 is outside of #0 to #2
        the cursor #1 is outside of #2 to #2"#]]
    .assert_eq(&format!("{future}\n{past}"));
}

#[test]
fn portion_of_a_mailbox_holds_as_many_events_as_fit_and_always_one() {
    let (mut room, ann, bob) = couple(Config::default());
    for (id, text) in [("a", "1234567"), ("b", "\"\\234567"), ("c", "\u{1}\n"), ("d", "안녕")] {
        room.command(bob, say(id, text, None)).expect("they have met");
    }
    let handle = room.handle(ann);
    let mut count = |after, events_max, json_bytes_max| {
        let portion = Portion { events_max, json_bytes_max };
        room.core.read(handle, Seq(after), portion).expect("it is there").entries.len()
    };
    // Behind the three events that say nothing: 8, 11, 13 and 7 bytes.
    assert_eq!([0, 8, 19, 32, 38, 39].map(|bytes| count(3, 64, bytes)), [1, 1, 2, 3, 3, 4]);
    assert_eq!([0, 8, 39].map(|bytes| count(0, 64, bytes)), [3, 4, 7]);
    assert_eq!([0, 1, 3].map(|events| count(3, events, usize::MAX)), [0, 1, 3]);
    assert_eq!(count(7, 64, 64), 0);
}

/// Ann and Bob talk; Bob reads and acknowledges, Ann does what the test is about.
fn couple(config: Config) -> (Room, SessionId, SessionId) {
    let limits = Config { messages_burst_max: 1_000, notice_interval_ms: 1_000_000, ..config };
    let mut room = Room::new(limits);
    let (ann, bob) = (SessionId(1), SessionId(2));
    room.open(ann).expect("there is room");
    room.open(bob).expect("there is room");
    (room, ann, bob)
}

/// Why something was refused, if it was.
fn refusal(result: Result<(), Rejected>) -> Option<String> {
    result.err().map(|rejected| format!("refused: {rejected}"))
}

/// What a person reads who keeps no cursor but in the connection.
fn read(room: &mut Room, who: SessionId, after: u64) -> String {
    match room.core.read(room.handle(who), Seq(after), Portion::ALL) {
        Ok(read) => {
            let told: Vec<_> = read
                .entries
                .iter()
                .map(|entry| format!("{} {}", entry.seq, brief(&entry.event)))
                .collect();
            told.join(", ")
        }
        Err(rejected) => rejected.to_string(),
    }
}

#[test]
fn who_reads_and_never_acknowledges_is_forgotten_behind_and_never_slow() {
    let (mut room, ann, bob) = couple(Config { mailbox_events_max: 10, ..Config::default() });
    let mut told = vec![read(&mut room, ann, 0)];
    for (text, after) in [("a", 3), ("b", 4), ("c", 5)] {
        room.command(bob, say(text, text, None)).expect("bob has a partner");
        room.news(bob);
        told.push(read(&mut room, ann, after));
    }
    told.push(read(&mut room, ann, 1));
    told.push(read(&mut room, ann, 2));
    told.push(format!("from {}", room.core.beginning(room.handle(ann)).expect("she is known")));
    expect![[r#"
        #1 welcome, 1 online, #2 waiting, #3 paired p1
        #4 Partner: a
        #5 Partner: b
        #6 Partner: c
        #2 waiting, #3 paired p1, #4 Partner: a, #5 Partner: b, #6 Partner: c
        #3 paired p1, #4 Partner: a, #5 Partner: b, #6 Partner: c
        from #1"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn who_has_acknowledged_once_is_never_forgotten_behind() {
    let (mut room, ann, bob) = couple(Config { mailbox_events_max: 10, ..Config::default() });
    read(&mut room, ann, 0);
    room.core.acknowledge(room.handle(ann), Seq(1)).expect("it was handed out");
    let mut told = Vec::new();
    for text in ["a", "b", "c", "d", "e"] {
        told.extend(refusal(room.command(bob, say(text, text, None))));
        room.news(bob);
        told.push(read(&mut room, ann, 1));
    }
    expect![[r#"
        #2 waiting, #3 paired p1, #4 Partner: a
        #2 waiting, #3 paired p1, #4 Partner: a, #5 Partner: b
        #2 waiting, #3 paired p1, #4 Partner: a, #5 Partner: b, #6 Partner: c
        refused: the partner's mailbox is full; try again in 1000 ms
        #2 waiting, #3 paired p1, #4 Partner: a, #5 Partner: b, #6 Partner: c
        refused: the partner's mailbox is full; try again in 1000 ms
        #2 waiting, #3 paired p1, #4 Partner: a, #5 Partner: b, #6 Partner: c"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn who_resumes_and_never_acknowledges_is_forgotten_behind_and_paired_again() {
    let (mut room, ann, bob) = couple(Config { mailbox_events_max: 10, ..Config::default() });
    read(&mut room, ann, 0);
    room.core.forget(room.handle(ann), Seq(1)).expect("it was handed out");
    for (text, after) in ["a", "b", "c", "d", "e", "f", "g", "h", "i"].into_iter().zip(3..) {
        room.command(bob, say(text, text, None)).expect("ann reads");
        room.news(bob);
        read(&mut room, ann, after);
    }
    room.command(bob, ClientEvent::Next { pair: None }).expect("bob has a partner");
    assert_eq!(room.core.counts().pairs, 1);
}

/// The first poll names a cursor too: the answer to it may be lost like any other.
#[test]
fn who_polls_from_the_beginning_is_never_forgotten_behind() {
    let (mut room, ann, bob) = couple(Config { mailbox_events_max: 10, ..Config::default() });
    room.core.acknowledge(room.handle(ann), Seq(0)).expect("nothing was forgotten");
    read(&mut room, ann, 0);
    let mut told = Vec::new();
    for text in ["a", "b", "c", "d"] {
        told.extend(refusal(room.command(bob, say(text, text, None))));
        room.news(bob);
    }
    told.push(read(&mut room, ann, 0));
    expect![[r#"
        refused: the partner's mailbox is full; try again in 1000 ms
        refused: the partner's mailbox is full; try again in 1000 ms
        #1 welcome, 1 online, #2 waiting, #3 paired p1, #4 Partner: a, #5 Partner: b"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn what_was_not_handed_out_is_not_forgotten() {
    let (mut room, ann, bob) = couple(Config { mailbox_events_max: 10, ..Config::default() });
    let mut told = Vec::new();
    for text in ["a", "b", "c", "d"] {
        told.extend(refusal(room.command(bob, say(text, text, None))));
        room.news(bob);
    }
    told.push(read(&mut room, ann, 0));
    expect![[r#"
        refused: the partner's mailbox is full; try again in 1000 ms
        refused: the partner's mailbox is full; try again in 1000 ms
        #1 welcome, 1 online, #2 waiting, #3 paired p1, #4 Partner: a, #5 Partner: b"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_mailbox_holds_so_many_bytes_and_no_more() {
    // A text of nine bytes and an id of as many; ids and texts are the same in these tests.
    let (mut room, ann, bob) = couple(Config { mailbox_bytes_max: 40, ..Config::default() });
    room.news(ann);
    let mut told = Vec::new();
    for text in ["message-1", "message-2"] {
        told.extend(refusal(room.command(bob, say(text, text, None))));
        room.news(bob);
        told.push(read(&mut room, ann, 3));
    }
    room.core.acknowledge(room.handle(ann), Seq(5)).expect("it was handed out");
    for text in ["message-3", "message-4", "message-5"] {
        told.extend(refusal(room.command(bob, say(text, text, None))));
        room.news(bob);
        told.push(read(&mut room, ann, 5));
    }
    expect![[r#"
        #4 Partner: message-1
        #4 Partner: message-1, #5 Partner: message-2
        #6 Partner: message-3
        #6 Partner: message-3, #7 Partner: message-4
        refused: the partner's mailbox is full; try again in 1000 ms
        #6 Partner: message-3, #7 Partner: message-4"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn as_much_is_forgotten_as_a_long_message_needs() {
    let (mut room, ann, bob) = couple(Config { mailbox_bytes_max: 40, ..Config::default() });
    for text in ["a", "b", "c", "d"] {
        room.command(bob, say(text, text, None)).expect("bob has a partner");
        room.news(bob);
    }
    read(&mut room, ann, 0);
    let long = "a message of 18 B.";
    room.command(bob, say(long, long, None)).expect("bob has a partner");
    expect!["#6 Partner: c, #7 Partner: d, #8 Partner: a message of 18 B."]
        .assert_eq(&read(&mut room, ann, 5));
    let beginning = room.core.beginning(room.handle(ann)).expect("she is known");
    assert_eq!(beginning, Seq(5));
}

#[test]
fn an_emptied_mailbox_gives_its_memory_back() {
    let (mut room, ann, bob) = couple(Config::default());
    for number in 0..200 {
        let text = number.to_string();
        room.command(bob, say(&text, &text, None)).expect("bob has a partner");
        room.news(bob);
    }
    let places = |room: &Room| {
        let session = room.core.sessions.get(room.handle(ann)).expect("she is known");
        session.mailbox.places()
    };
    assert!(places(&room) >= 200);
    room.news(ann);
    assert!(places(&room) <= 20, "{}", places(&room));
}

/// The formula in the documentation of the mailbox adds up to what is really held.
#[test]
fn a_session_takes_no_more_memory_than_is_documented() {
    let entry = size_of::<crate::core::Entry>();
    assert!(entry <= 64, "an event takes {entry} bytes");
    // A hash map is at most half empty after it has grown; a tree's nodes are half full at least.
    let index = 2 * (size_of::<(SessionId, u64)>() + 1);
    let timers = 2 * 2 * size_of::<(Instant, SessionId)>();
    let session = size_of::<Option<Session>>() + index + timers;
    assert!(session <= 768, "a session takes {session} bytes");
}

#[test]
fn ids_are_remembered_as_long_as_configured_and_then_forgotten() {
    let (mut room, ann, bob) = couple(Config { message_ids_max: 2, ..Config::default() });
    let mut heard = Vec::new();
    for id in ["a", "b", "b", "a", "c", "b", "c", "a"] {
        room.command(bob, say(id, id, None)).expect("bob has a partner");
        room.news(bob);
        heard.extend(room.news(ann).iter().map(brief));
    }
    expect![[r#"
        welcome, 1 online
        waiting
        paired p1
        Partner: a
        Partner: b
        Partner: c
        Partner: a"#]]
    .assert_eq(&heard.join("\n"));
}

#[test]
fn when_a_network_breaks_those_who_are_left_all_meet_somebody_else() {
    const PAIRS: u64 = 5_000;
    let mut room = Room::new(Config { notice_interval_ms: 1_000_000, ..Config::default() });
    for session in (1..=2 * PAIRS).map(SessionId) {
        room.open(session).expect("there is room");
        room.attach(session).expect("it was just opened");
    }
    let (lost, left) = (|pair| SessionId(2 * pair + 1), |pair| SessionId(2 * pair + 2));
    for session in (0..PAIRS).map(lost) {
        room.detach(session, Detach::Dropped).expect("it is known");
    }
    (0..PAIRS).map(left).for_each(|session| drop(room.news(session)));
    room.pass(10_000);
    for session in (0..PAIRS).map(left) {
        let told: Vec<_> = room.news(session).iter().map(brief).collect();
        let met = told.last().expect("something happened");
        assert!(told[0] == "partner left: Lost" && met.starts_with("paired"), "{told:?}");
    }
}
