//! One reader at a time reads a session's mailbox and speaks for it.

use super::*;

fn says(room: &mut Room, by: ReaderId, text: &str) -> Result<(), Rejected> {
    let session = room.handle(ANN);
    room.input(Input::Command { session, event: say(text, text, None), by: Some(by) })
}

#[test]
fn nobody_speaks_any_more_on_a_connection_that_was_superseded() {
    let mut room = couple();
    let first = room.attach(ANN).expect("she is known");
    assert_eq!(says(&mut room, first, "before"), Ok(()));
    let second = room.attach(ANN).expect("she is known");
    assert_eq!(says(&mut room, first, "behind"), Err(Rejected::Superseded));
    assert_eq!(says(&mut room, second, "here"), Ok(()));
    let words: Vec<_> = room.news(BOB).iter().map(scripts::brief).collect();
    assert_eq!(words[2..], ["Partner: before", "Partner: here"], "{words:?}");
}

#[test]
fn the_farewell_of_a_superseded_connection_ends_nothing() {
    let mut room = couple();
    let first = room.attach(ANN).expect("she is known");
    let second = room.attach(ANN).expect("she is known");
    let session = room.handle(ANN);
    let leave = Input::Command { session, event: ClientEvent::Leave, by: Some(first) };
    assert_eq!(room.input(leave), Err(Rejected::Superseded));
    assert_eq!(says(&mut room, second, "here"), Ok(()));
}

#[test]
fn who_speaks_without_a_connection_is_heard_whoever_reads() {
    let mut room = couple();
    room.attach(ANN).expect("she is known");
    assert_eq!(room.command(ANN, say("posted", "posted", None)), Ok(()));
}

#[test]
fn a_handle_names_nobody_once_its_session_is_forgotten() {
    let mut room = couple();
    let ann = room.handle(ANN);
    room.command(ANN, ClientEvent::Leave).expect("she is known");
    room.pass(Config::default().resume_window_ms);
    room.open(SessionId(3)).expect("there is room");
    assert_eq!(room.handle(SessionId(3)).index(), ann.index(), "the slot is in use again");
    assert_eq!(room.core.read(ann, Seq(0), Portion::ALL), Err(Rejected::UnknownSession));
    let leave = Input::Command { session: ann, event: ClientEvent::Leave, by: None };
    assert_eq!(room.input(leave), Err(Rejected::UnknownSession));
}
