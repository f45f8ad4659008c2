//! The half of a person that reads: keeps a session open as long as one is wanted, and takes
//! down everything that it is told.

use std::rc::Rc;

use client::{ClientError, Receiver, TransportKind};
use protocol::{Problem, ServerEvent, SessionId};

use super::{BACKOFF, Shared};
use crate::connector::SimulatedConnector;
use crate::history::{Detail, Kind, Op};
use racetrack_sim::capture;

/// How reading from one connection came to its end.
enum End {
    /// The session is over.
    Over,
    /// The connection is lost, the session may be alive.
    Lost,
    /// The talker said so.
    LetGo,
}

pub(super) async fn listen(shared: Rc<Shared>) {
    let mut wanted = shared.wanted.subscribe();
    loop {
        wanted.wait_for(|wanted| *wanted).await.expect("the talker holds the other end");
        let end = tokio::select! {
            biased;
            () = shared.let_go.notified() => End::LetGo,
            end = attend(&shared) => end,
        };
        shared.reading.send_replace(false);
        match end {
            End::LetGo => continue,
            End::Over => forget(&shared).await,
            End::Lost => {}
        }
        tokio::time::sleep(BACKOFF).await;
    }
}

/// One connection, from opening to its end.
async fn attend(shared: &Shared) -> End {
    let resume = shared.resume.borrow().clone();
    let transport = shared.person.profile.transport;
    let op = Op::Open { transport, resumes: resume.as_ref().map(|resume| resume.after) };
    shared.record(Kind::Invoke, op.clone());
    let options = client::Options { resume, ..shared.options.clone() };
    match client::open(transport, shared.connector.clone(), options).await {
        Ok((sender, receiver)) => {
            shared.session.set(Some(sender.session()));
            *shared.resume.borrow_mut() = Some(sender.resume(receiver.cursor()));
            shared.record(Kind::Ok, op);
            *shared.sender.lock().await = Some(sender);
            shared.reading.send_replace(true);
            read(shared, receiver).await
        }
        Err(error) => {
            shared.record_with(Kind::Info, op, &error);
            // Whoever cannot resume begins anew.
            if is_final(&error) { End::Over } else { End::Lost }
        }
    }
}

async fn read(shared: &Shared, mut receiver: Receiver<SimulatedConnector>) -> End {
    let mut was_upgraded = false;
    loop {
        if receiver.is_upgraded() && !std::mem::replace(&mut was_upgraded, true) {
            capture::note(
                "upgraded",
                ("session", shared.session.get().map_or(0, |session| session.0)),
            );
        }
        let is_poll = shared.person.profile.transport == TransportKind::LongPoll;
        let poll = Op::Poll { after: receiver.cursor() };
        if is_poll {
            shared.record(Kind::Invoke, poll.clone());
        }
        let received = tokio::select! {
            biased;
            received = receiver.receive() => received,
            () = shared.abort.notified() => match shared.person.profile.transport {
                TransportKind::ShortPoll => continue,
                TransportKind::LongPoll => {
                    shared.record_with(Kind::Info, poll, Detail::Aborted);
                    continue;
                }
                TransportKind::Sse
                | TransportKind::Websocket
                | TransportKind::SocketioWebsocket
                | TransportKind::SocketioPolling => {
                    shared.record_with(Kind::Observe, Op::Lost, Detail::Aborted);
                    shared.sender.lock().await.take();
                    return End::Lost;
                }
            },
        };
        if is_poll {
            match &received {
                Ok(_) => shared.record(Kind::Ok, poll),
                Err(error) => shared.record_with(Kind::Info, poll, error),
            }
        }
        if let Some(end) = take_down(shared, received).await {
            return end;
        }
        let mut resume = shared.resume.borrow_mut();
        if let Some(resume) = resume.as_mut() {
            resume.after = receiver.cursor();
        }
    }
}

/// Takes down what was received; says whether reading is over.
async fn take_down(
    shared: &Shared,
    received: Result<client::Received, ClientError>,
) -> Option<End> {
    let received = match received {
        Ok(received) => received,
        Err(error) => {
            shared.record_with(Kind::Observe, Op::Lost, &error);
            if is_final(&error) {
                return Some(End::Over);
            }
            if !shared.person.profile.transport.reconnects() {
                return Some(End::Lost);
            }
            // A poll or a stream is asked for again from the same cursor.
            tokio::time::sleep(BACKOFF).await;
            return None;
        }
    };
    for refusal in received.refused {
        shared.record(Kind::Observe, Op::Refused { refusal });
    }
    for seq in received.repeated {
        shared.record(Kind::Observe, Op::Repeated { seq });
    }
    let mut end = None;
    for event in received.events {
        match &event.body {
            ServerEvent::Paired { pair } => shared.pair.set(Some(*pair)),
            ServerEvent::PartnerLeft { .. } | ServerEvent::Waiting => shared.pair.set(None),
            ServerEvent::Closing { .. } => end = Some(End::Over),
            _ => {}
        }
        shared.record(Kind::Observe, Op::Told { event });
    }
    end
}

async fn forget(shared: &Shared) {
    shared.resume.take();
    shared.session.set(None::<SessionId>);
    shared.pair.set(None);
    shared.sender.lock().await.take();
}

/// The server has answered, and what it said will not change. Whoever was superseded by a second
/// tab takes the session back.
fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::Refused(problem) => problem.kind != Problem::SUPERSEDED,
        ClientError::ConnectError(_) | ClientError::Closed => true,
        _ => false,
    }
}
