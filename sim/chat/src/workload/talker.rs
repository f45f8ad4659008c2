//! The half of a person that acts, step by step, each at its time or as soon as the step before
//! it is done.

use std::rc::Rc;
use std::time::Duration;

use client::{ClientError, Sent, TransportKind};
use protocol::{ClientEvent, Refusal, Say, Seq};

use super::{BACKOFF, Shared};
use crate::history::{Detail, Kind, Op};
use crate::net::Trap;
use crate::plan::{Action, Settings};

/// How often a message whose answer was lost is sent again.
const REPEATS_MAX: usize = 5;
/// How long a person who has left waits for the last event.
const GOODBYE_MAX: Duration = Duration::from_millis(500);
/// Messages in one flood at least, and how long it lasts at most.
const FLOOD_MESSAGES_MIN: usize = 60;
const FLOOD_MAX: Duration = Duration::from_millis(500);
/// The problems that say that a message was never accepted.
const CERTAIN: [&str; 5] =
    ["/not-paired", "/stale-pair", "/too-fast", "/mailbox-full", "/message-too-long"];
/// Farther than any mailbox comes in a run.
const NEVER_TOLD: Seq = Seq(1 << 40);
/// How long a second tab is open at most.
const TAB_MAX: Duration = Duration::from_millis(300);
/// How long a person who reads slowly reads nothing.
const SLOWNESS: Duration = Duration::from_millis(600);

pub(super) async fn talk(shared: &Rc<Shared>, steps: &[(u64, Action)], settings: &Settings) {
    for (at_ms, action) in steps {
        shared.recorder.until(*at_ms).await;
        // What a slow network has held up until after the trouble is not done any more: people
        // come to rest with everything else.
        let now_ms = shared.recorder.now().as_millis() as u64;
        let is_late = *at_ms < settings.healed_ms() && now_ms >= settings.healed_ms();
        if is_late && *action != Action::Join {
            continue;
        }
        match action {
            Action::Join | Action::ComeBack => drop(shared.wanted.send_replace(true)),
            Action::Say => say(shared, Length::Few).await,
            Action::SayMuch => say(shared, Length::Most).await,
            Action::SayTooMuch => say(shared, Length::TooMany).await,
            Action::AcknowledgeAgain => acknowledge_again(shared).await,
            Action::AcknowledgeTooFar => acknowledge_too_far(shared).await,
            Action::Guess => guess(shared).await,
            Action::Flood => flood(shared).await,
            Action::DoublePost => double_post(shared).await,
            Action::Repeat => repeat(shared).await,
            Action::RepeatEarlier => repeat_earlier(shared).await,
            Action::Next => next(shared).await,
            Action::Abort => shared.abort.notify_one(),
            Action::AbortAnswer => {
                drop(shared.network.trap(&shared.person.name, Trap::Answered));
            }
            Action::SecondPoll => tab(shared, TransportKind::ShortPoll, true).await,
            Action::SecondTab | Action::FreshTab => {
                let (shared, names_cursor) = (Rc::clone(shared), *action == Action::SecondTab);
                // The person goes on talking in the first one.
                tokio::task::spawn_local(async move {
                    tab(&shared, shared.person.profile.transport, names_cursor).await;
                });
            }
            Action::ReadSlowly => {
                tokio::task::spawn_local(read_slowly(Rc::clone(shared)));
            }
            Action::GoAway => go_away(shared).await,
            Action::Leave => leave(shared).await,
            Action::Vanish => vanish(shared, None).await,
            Action::PowerCut => {
                shared.network.lose(&shared.person.name);
                vanish(shared, Some(Detail::PowerCut)).await;
            }
            Action::Hang => {
                shared.network.hang(&shared.person.name);
                vanish(shared, Some(Detail::Hangs)).await;
            }
        }
    }
    shared.recorder.until(settings.settled_ms()).await;
    leave(shared).await;
}

/// How many words.
#[derive(Clone, Copy)]
enum Length {
    Few,
    /// As many as the server takes.
    Most,
    /// One letter more than that.
    TooMany,
}

/// The next message, unless there is nobody to say it to.
fn think(shared: &Shared, length: Length) -> Option<Say> {
    let pair = shared.pair.get()?;
    let number = shared.said.get() + 1;
    shared.said.set(number);
    let id = format!("{}-{number}", shared.person.name);
    let words = format!("words of {id}");
    let bytes = match length {
        Length::Few => words.len(),
        Length::Most => shared.text_bytes_max,
        Length::TooMany => shared.text_bytes_max + 1,
    };
    let text: String = words.chars().chain(std::iter::repeat('.')).take(bytes).collect();
    let id = id.parse().expect("a name and a number are a short id");
    let say = Say { id, text: text.into(), pair: Some(pair) };
    let mut latest = shared.latest.borrow_mut();
    latest.rotate_right(1);
    latest[0] = Some(say.clone());
    Some(say)
}

async fn say(shared: &Shared, length: Length) {
    if let Some(say) = think(shared, length) {
        send_say(shared, say).await;
    }
}

async fn repeat(shared: &Shared) {
    let [last, _] = shared.latest.borrow().clone();
    if let Some(say) = last {
        send_say(shared, say).await;
    }
}

async fn repeat_earlier(shared: &Shared) {
    let [_, earlier] = shared.latest.borrow().clone();
    if let Some(say) = earlier {
        shared.record_with(Kind::Invoke, said(&say), Detail::AfterAnother);
        let sent = send(shared, ClientEvent::Say(say.clone())).await;
        finish_say(shared, said(&say), sent);
    }
}

/// As many messages as there is time for, one behind the other.
async fn flood(shared: &Shared) {
    let begun = tokio::time::Instant::now();
    // More than the server takes, whatever it takes.
    let messages = shared.burst_messages_max + shared.burst_messages_max / 2;
    for _ in 0..messages.max(FLOOD_MESSAGES_MIN) {
        // Not cut off in the middle: a message that was given up could overtake the next one.
        if begun.elapsed() > FLOOD_MAX {
            return;
        }
        say(shared, Length::Few).await;
    }
}

/// The same message at the same time, over the person's connection and over another one.
async fn double_post(shared: &Shared) {
    let resume = shared.resume.borrow().clone();
    let (Some(resume), Some(say)) = (resume, think(shared, Length::Few)) else { return };
    let options = client::Options { resume: Some(resume), ..shared.options.clone() };
    let opened = client::open(TransportKind::ShortPoll, shared.connector.clone(), options).await;
    let Ok((mut other, _receiver)) = opened else { return };
    let again = async {
        shared.record_with(Kind::Invoke, said(&say), Detail::OtherConnection);
        let sent = other.send(ClientEvent::Say(say.clone())).await;
        finish(shared, said(&say), Some(sent));
    };
    tokio::join!(send_say(shared, say.clone()), again);
}

/// What is noted of a message that is said in a conversation.
fn said(say: &Say) -> Op {
    let pair = say.pair.expect("everybody here means a conversation");
    Op::Say { id: say.id.clone(), pair, bytes: say.text.len() }
}

async fn send_say(shared: &Shared, say: Say) {
    for _ in 0..REPEATS_MAX {
        shared.record(Kind::Invoke, said(&say));
        let sent = send(shared, ClientEvent::Say(say.clone())).await;
        let is_unknown = matches!(&sent, Some(Err(error)) if !is_refusal(error));
        finish_say(shared, said(&say), sent);
        if !is_unknown {
            return;
        }
        // Nobody knows whether it was said; the id makes it safe to say it again.
        tokio::time::sleep(BACKOFF).await;
    }
}

/// Says again what the server has long known: that the first half of all events has arrived.
async fn acknowledge_again(shared: &Shared) {
    // A WebSocket whose client acknowledges by itself is not acknowledged for by its pongs any more.
    if shared.person.profile.transport == TransportKind::Websocket {
        return;
    }
    let Some(after) = shared.resume.borrow().as_ref().map(|resume| resume.after) else { return };
    let sent = send(shared, ClientEvent::Ack { seq: Seq(after.0 / 2) }).await;
    if let Some(Err(ClientError::Refused(problem))) = sent {
        let refusal = Refusal { id: None, problem };
        shared.record_with(Kind::Observe, Op::Refused { refusal }, Detail::NamedNoCursor);
    }
}

/// Acknowledges more than any server here tells.
async fn acknowledge_too_far(shared: &Shared) {
    // Over a socket nobody answers for an acknowledgement, and a poll is one itself.
    if shared.person.profile.transport != TransportKind::Sse || shared.session.get().is_none() {
        return;
    }
    let sent = send(shared, ClientEvent::Ack { seq: NEVER_TOLD }).await;
    assert!(!matches!(sent, Some(Ok(_))), "what was never told was acknowledged");
}

fn is_refusal(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(_))
}

async fn next(shared: &Shared) {
    if shared.session.get().is_some() {
        shared.record(Kind::Invoke, Op::Next);
        let sent = send(shared, ClientEvent::Next { pair: shared.pair.get() }).await;
        finish(shared, Op::Next, sent);
    }
}

async fn leave(shared: &Shared) {
    let was_wanted = shared.wanted.send_replace(false);
    if was_wanted && shared.session.get().is_none() {
        shared.record(Kind::Observe, Op::Vanish);
    }
    if shared.session.get().is_some() {
        shared.record(Kind::Invoke, Op::Leave);
        let sent = send(shared, ClientEvent::Leave).await;
        finish(shared, Op::Leave, sent);
        let mut reading = shared.reading.subscribe();
        let last_event = reading.wait_for(|reading| !reading);
        let _late = tokio::time::timeout(GOODBYE_MAX, last_event).await;
    }
    let_go(shared).await;
}

async fn vanish(shared: &Shared, how: Option<Detail>) {
    // Whoever was about to get in gives that up, which somebody must say for them.
    if shared.wanted.send_replace(false) {
        match how {
            Some(how) => shared.record_with(Kind::Observe, Op::Vanish, how),
            None => shared.record(Kind::Observe, Op::Vanish),
        }
    }
    let_go(shared).await;
}

async fn let_go(shared: &Shared) {
    shared.let_go.notify_one();
    shared.sender.lock().await.take();
    shared.session.set(None);
    shared.pair.set(None);
    shared.resume.take();
}

/// Lets go of every connection, and means to come back.
async fn go_away(shared: &Shared) {
    shared.wanted.send_replace(false);
    if shared.session.get().is_some() {
        shared.record_with(Kind::Observe, Op::Lost, Detail::WentAway);
    }
    shared.let_go.notify_one();
    shared.sender.lock().await.take();
}

/// A second tab with the same cursor or without one, for a while.
async fn tab(shared: &Shared, transport: TransportKind, names_cursor: bool) {
    let Some(resume) = shared.resume.borrow().clone() else { return };
    let options = client::Options {
        resume: Some(resume),
        poll_interval: Duration::ZERO,
        names_cursor,
        ..shared.options.clone()
    };
    // Whoever names a cursor may have fallen behind what another connection has acknowledged.
    let refused = |refusal| {
        if !names_cursor {
            shared.record_with(Kind::Observe, Op::Refused { refusal }, Detail::NamedNoCursor);
        }
    };
    let reading = async {
        let (_sender, mut receiver) =
            client::open(transport, shared.connector.clone(), options).await?;
        loop {
            // What it brings is not the application's.
            let received = receiver.receive().await?;
            for refusal in received.refused {
                refused(refusal);
            }
            if transport == TransportKind::ShortPoll {
                return Ok::<_, ClientError>(());
            }
        }
    };
    let ended = tokio::time::timeout(TAB_MAX, reading).await;
    if let (Ok(Err(ClientError::Refused(problem))), true) = (ended, transport.is_socket()) {
        refused(Refusal { id: None, problem });
    }
}

/// Somebody who knows the session, and not its secret, asks for what is in the mailbox.
async fn guess(shared: &Shared) {
    let Some(mut resume) = shared.resume.borrow().clone() else { return };
    let last = resume.token.pop();
    resume.token.push(if last == Some('0') { '1' } else { '0' });
    let options = client::Options { resume: Some(resume), ..shared.options.clone() };
    let reading = async {
        let (_sender, mut receiver) =
            client::open(TransportKind::ShortPoll, shared.connector.clone(), options).await?;
        receiver.receive().await
    };
    let read = tokio::time::timeout(TAB_MAX, reading).await;
    assert!(!matches!(read, Ok(Ok(_))), "a mailbox was read with a token that is wrong");
}

async fn read_slowly(shared: Rc<Shared>) {
    shared.network.stall(&shared.person.name);
    tokio::time::sleep(SLOWNESS).await;
    shared.network.resume_reads(&shared.person.name);
}

async fn send(shared: &Shared, event: ClientEvent) -> Option<Result<Sent, ClientError>> {
    let mut sender = shared.sender.lock().await;
    Some(sender.as_mut()?.send(event).await)
}

/// As [`finish`], but a message without a connection may have been said before.
fn finish_say(shared: &Shared, op: Op, sent: Option<Result<Sent, ClientError>>) {
    match sent {
        None => shared.record_with(Kind::Info, op, Detail::NotConnected),
        sent => finish(shared, op, sent),
    }
}

fn finish(shared: &Shared, op: Op, sent: Option<Result<Sent, ClientError>>) {
    match sent {
        None => shared.record_with(Kind::Fail, op, Detail::NotConnected),
        Some(Ok(Sent::Accepted)) => shared.record(Kind::Ok, op),
        Some(Ok(Sent::Written)) => shared.record_with(Kind::Info, op, Detail::Written),
        Some(Err(ClientError::Refused(problem))) => {
            // Where a connection breaks a client asks once more, and tells the last answer only. It
            // speaks for the attempt before as well if the session gave it, having looked for the
            // message among those that were said.
            let is_certain = CERTAIN.iter().any(|kind| problem.kind.ends_with(kind));
            let kind = if is_certain { Kind::Fail } else { Kind::Info };
            shared.record_with(kind, op, Detail::Refused { problem });
        }
        Some(Err(error)) => shared.record_with(Kind::Info, op, &error),
    }
}
