//! The half of a person that acts, step by step, each at its time or as soon as the step before
//! it is done.

use std::time::Duration;

use client::{ClientError, Sent, TransportKind};
use server::protocol::{ClientEvent, MessageId, PairId, Say};

use super::{BACKOFF, Shared};
use crate::history::{Kind, Op};
use crate::plan::Action;

/// How often a message whose answer was lost is sent again.
const REPEATS_MAX: usize = 5;
/// How long a person who has left waits for the last event.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

pub(super) async fn talk(shared: &Shared, steps: &[(u64, Action)], settled_ms: u64) {
    let mut said = 0;
    for (at_ms, action) in steps {
        until(*at_ms).await;
        match action {
            Action::Join => drop(shared.wanted.send_replace(true)),
            Action::Say => {
                said += 1;
                say(shared, said).await;
            }
            Action::Repeat => repeat(shared).await,
            Action::Next => next(shared).await,
            Action::Abort => shared.abort.notify_one(),
            Action::SecondPoll => second_poll(shared).await,
            Action::Leave => leave(shared).await,
            Action::Vanish => vanish(shared).await,
        }
    }
    until(settled_ms).await;
    leave(shared).await;
}

async fn until(at_ms: u64) {
    let now = turmoil::sim_elapsed().expect("people live on a host");
    tokio::time::sleep(Duration::from_millis(at_ms).saturating_sub(now)).await;
}

async fn say(shared: &Shared, number: usize) {
    let Some(pair) = shared.pair.get() else { return };
    let id = format!("{}-{number}", shared.person.name);
    let id: MessageId = id.parse().expect("a name and a number are a short id");
    *shared.last_said.borrow_mut() = Some((id.clone(), pair));
    shared.record(Kind::Invoke, Op::Say { id: id.clone(), pair });
    send_say(shared, id, pair).await;
}

async fn repeat(shared: &Shared) {
    let last = shared.last_said.borrow().clone();
    if let Some((id, pair)) = last {
        shared.record(Kind::Invoke, Op::Say { id: id.clone(), pair });
        send_say(shared, id, pair).await;
    }
}

async fn send_say(shared: &Shared, id: MessageId, pair: PairId) {
    let op = Op::Say { id: id.clone(), pair };
    let event =
        ClientEvent::Say(Say { text: format!("words of {id}").into(), id, pair: Some(pair) });
    for _ in 0..REPEATS_MAX {
        match send(shared, event.clone()).await {
            None => return shared.record_with(Kind::Info, op, "not connected"),
            Some(Ok(Sent::Accepted)) => return shared.record(Kind::Ok, op),
            Some(Ok(Sent::Written)) => return shared.record_with(Kind::Info, op, "written"),
            Some(Err(ClientError::Refused(problem))) => {
                return shared.record_with(Kind::Fail, op, problem.detail);
            }
            // Nobody knows whether it was said; the id makes it safe to say it again.
            Some(Err(_)) => tokio::time::sleep(BACKOFF).await,
        }
    }
    shared.record_with(Kind::Info, op, "no answer");
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

async fn vanish(shared: &Shared) {
    // Whoever was about to get in gives that up, which somebody must say for them.
    if shared.wanted.send_replace(false) {
        shared.record(Kind::Observe, Op::Vanish);
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

/// A second tab: one short poll from the same cursor. What it brings is not the application's.
async fn second_poll(shared: &Shared) {
    let Some(resume) = shared.resume.borrow().clone() else { return };
    let options = client::Options {
        resume: Some(resume),
        poll_interval: Duration::ZERO,
        ..shared.options.clone()
    };
    let opened = client::open(TransportKind::ShortPoll, shared.connector.clone(), options).await;
    if let Ok((_sender, mut receiver)) = opened {
        let _not_the_applications = receiver.receive().await;
    }
}

async fn send(shared: &Shared, event: ClientEvent) -> Option<Result<Sent, ClientError>> {
    let mut sender = shared.sender.lock().await;
    Some(sender.as_mut()?.send(event).await)
}

fn finish(shared: &Shared, op: Op, sent: Option<Result<Sent, ClientError>>) {
    match sent {
        None => shared.record_with(Kind::Fail, op, "not connected"),
        Some(Ok(Sent::Accepted)) => shared.record(Kind::Ok, op),
        Some(Ok(Sent::Written)) => shared.record_with(Kind::Info, op, "written"),
        Some(Err(ClientError::Refused(problem))) => {
            shared.record_with(Kind::Fail, op, problem.detail);
        }
        Some(Err(error)) => shared.record_with(Kind::Info, op, error),
    }
}
