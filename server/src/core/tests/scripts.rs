//! Scripts: one step a line, and behind each what everybody is told because of it.
//!
//! `NAME opens|leaves|next|drops|ends|polls|parks`, `NAME next from pN`, `NAME says TEXT`,
//! `NAME says TEXT to pN`, `pass MS`, `drain`. A message's id is its text.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::*;

pub(super) fn check(script: &str, expected: Expect) {
    check_with(quiet(), script, expected);
}

pub(super) fn check_with(config: Config, script: &str, expected: Expect) {
    let mut room = Room::new(config);
    let mut names = Vec::new();
    let mut transcript = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(transcript, "{line}").expect("writing to a string succeeds");
        if let Err(rejected) = step(&mut room, &mut names, line) {
            writeln!(transcript, "    refused: {rejected}").expect("as above");
        }
        for (index, name) in names.iter().enumerate() {
            let session = SessionId(index as u64 + 1);
            if !room.cursors.contains_key(&session) {
                continue;
            }
            for event in room.news(session) {
                writeln!(transcript, "    {name}: {}", brief(&event)).expect("as above");
            }
        }
    }
    expected.assert_eq(&transcript);
}

fn step(room: &mut Room, names: &mut Vec<String>, line: &str) -> Result<(), Rejected> {
    let words: Vec<_> = line.split(' ').collect();
    match words[..] {
        ["pass", ms] => {
            room.pass(ms.parse().expect("pass takes milliseconds"));
            return Ok(());
        }
        ["drain"] => return room.input(Input::Drain),
        [name, "opens"] => {
            names.push(name.to_owned());
            return room.open(SessionId(names.len() as u64));
        }
        _ => {}
    }
    let index = names.iter().position(|name| name == words[0]).expect("the name has opened");
    let who = SessionId(index as u64 + 1);
    match words[1..] {
        ["leaves"] => room.command(who, ClientEvent::Leave),
        ["next", "from", pair] => {
            let pair = pair.trim_start_matches('p').parse().expect("a pair is p1, p2, ...");
            room.command(who, ClientEvent::Next { pair: Some(PairId(pair)) })
        }
        ["next"] => room.command(who, ClientEvent::Next { pair: None }),
        ["drops"] => room.detach(who, Detach::Dropped),
        ["ends"] => room.detach(who, Detach::Ended),
        ["polls"] => room.detach(who, Detach::Answered),
        ["parks"] => room.attach(who).map(drop),
        ["says", text] => room.command(who, say(text, text, None)),
        ["says", text, "to", pair] => {
            let pair = pair.trim_start_matches('p').parse().expect("a pair is p1, p2, ...");
            room.command(who, say(text, text, Some(PairId(pair))))
        }
        _ => panic!("not a step: {line}"),
    }
}

pub(super) fn brief(event: &ServerEvent) -> String {
    match event {
        ServerEvent::Welcome { online, .. } => format!("welcome, {online} online"),
        ServerEvent::Waiting => "waiting".to_owned(),
        ServerEvent::Paired { pair } => format!("paired {pair}"),
        ServerEvent::Message { from, text, .. } => format!("{from:?}: {text}"),
        ServerEvent::PartnerLeft { reason } => format!("partner left: {reason:?}"),
        ServerEvent::Notice { online } => format!("notice, {online} online"),
        ServerEvent::Lagged { missed } => format!("lagged, {missed} missed"),
        ServerEvent::Closing { reason, .. } => format!("closing: {reason:?}"),
    }
}

#[test]
fn two_strangers_are_paired_and_talk() {
    check(
        "ann opens
         bob opens
         ann says hi
         bob says hello",
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
            bob says hello
                ann: Partner: hello
                bob: Me: hello
        "#]],
    );
}

#[test]
fn two_survivors_meet_each_other() {
    check(
        "ann opens
         bob opens
         cyd opens
         dan opens
         ann leaves
         cyd leaves",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            cyd opens
                cyd: welcome, 3 online
                cyd: waiting
            dan opens
                cyd: paired p2
                dan: welcome, 4 online
                dan: paired p2
            ann leaves
                ann: closing: Left
                bob: partner left: Left
                bob: waiting
            cyd leaves
                bob: paired p3
                cyd: closing: Left
                dan: partner left: Left
                dan: paired p3
        "#]],
    );
}

#[test]
fn who_skips_meets_somebody_else_while_anybody_else_waits() {
    check(
        "ann opens
         bob opens
         ann next
         cyd opens
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
            cyd opens
                cyd: welcome, 3 online
                cyd: waiting
            ann next
                ann: partner left: Skipped
                ann: waiting
                bob: partner left: Skipped
                bob: paired p3
                cyd: paired p3
        "#]],
    );
}

#[test]
fn who_skips_a_partner_that_has_left_keeps_the_new_one() {
    check(
        "ann opens
         bob opens
         cyd opens
         bob next from p1
         ann next from p1
         ann next from p2",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            cyd opens
                cyd: welcome, 3 online
                cyd: waiting
            bob next from p1
                ann: partner left: Skipped
                ann: paired p2
                bob: partner left: Skipped
                bob: waiting
                cyd: paired p2
            ann next from p1
            ann next from p2
                ann: partner left: Skipped
                ann: waiting
                bob: paired p3
                cyd: partner left: Skipped
                cyd: paired p3
        "#]],
    );
}

#[test]
fn a_message_meant_for_an_old_partner_reaches_nobody() {
    check(
        "ann opens
         bob opens
         cyd opens
         bob leaves
         ann says secret to p1
         ann says hi to p2",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            bob opens
                ann: paired p1
                bob: welcome, 2 online
                bob: paired p1
            cyd opens
                cyd: welcome, 3 online
                cyd: waiting
            bob leaves
                ann: partner left: Left
                ann: paired p2
                bob: closing: Left
                cyd: paired p2
            ann says secret to p1
                refused: the conversation p1 is over, and the message was not said to anybody
            ann says hi to p2
                ann: Me: hi
                cyd: Partner: hi
        "#]],
    );
}

#[test]
fn a_repeated_message_is_said_once() {
    check(
        "ann opens
         bob opens
         ann says hi
         ann says hi
         bob leaves
         ann says hi",
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
            ann says hi
            bob leaves
                ann: partner left: Left
                ann: waiting
                bob: closing: Left
            ann says hi
        "#]],
    );
}

#[test]
fn nobody_to_talk_to_is_said_so() {
    check(
        "ann opens
         ann says hi
         ann next",
        expect![[r#"
            ann opens
                ann: welcome, 1 online
                ann: waiting
            ann says hi
                refused: there is no partner to say it to
            ann next
        "#]],
    );
}
