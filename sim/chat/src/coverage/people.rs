//! States that people notice.

use std::collections::{BTreeMap, BTreeSet};

use client::TransportKind::{
    self, LongPoll, ShortPoll, SocketioPolling, SocketioWebsocket, Sse, Websocket,
};
use protocol::{CloseReason, LeftReason, Rated, ServerEvent, Speaker};

use super::State;
use super::run::Run;
use crate::history::{Detail, Event, Kind, Op};
use crate::plan::FaultKind;

pub(super) const STATES: &[State] = &[
    ("a message for a conversation that was over was refused by short poll", |run| {
        stale(run, ShortPoll)
    }),
    ("a message for a conversation that was over was refused by long poll", |run| {
        stale(run, LongPoll)
    }),
    ("a message for a conversation that was over was refused by SSE", |run| stale(run, Sse)),
    ("a message for a conversation that was over was refused by WebSocket", |run| {
        stale(run, Websocket)
    }),
    ("a message for a conversation that was over was refused by Socket.IO", |run| {
        stale(run, SocketioWebsocket)
    }),
    ("a message for a conversation that was over was refused by Socket.IO polling", |run| {
        stale(run, SocketioPolling)
    }),
    ("a long poll was superseded by a second tab", |run| {
        run.saw("attached", |attached| {
            attached.is("took_over") && run.transport_of(attached) == Some(LongPoll)
        })
    }),
    ("a stream was superseded by a second tab", |run| superseded(run, Sse)),
    ("a WebSocket was superseded by a second tab", |run| superseded(run, Websocket)),
    ("a Socket.IO socket was superseded by a second tab", |run| superseded(run, SocketioWebsocket)),
    ("Socket.IO polling was superseded by a second tab", |run| superseded(run, SocketioPolling)),
    ("a session was resumed", |run| run.has(|event| is_resumption(event, Kind::Ok))),
    ("a session could not be resumed any more", |run| {
        run.has(|event| is_resumption(event, Kind::Info))
    }),
    ("somebody went away and came back to the same session", came_back),
    ("a message was repeated and accepted", repeated),
    ("a message was posted over two connections and accepted on both", posted_twice),
    ("a message was refused over HTTP because there were too many", |run| {
        run.has(|event| {
            matches!(event.op, Op::Say { .. })
                && event.kind == Kind::Fail
                && event.is_refused_as("too-fast")
        })
    }),
    ("a message was refused over a socket because there were too many", |run| {
        run.has(|event| match &event.op {
            Op::Refused { refusal } => {
                refusal.id.is_some() && refusal.problem.kind.ends_with("too-fast")
            }
            _ => false,
        })
    }),
    ("another partner was refused over HTTP because too many were asked for", |run| {
        run.has(|event| matches!(event.op, Op::Next) && event.is_refused_as("too-fast"))
    }),
    ("another partner was refused over a socket because too many were asked for", |run| {
        run.has(|event| exceeded(event, Rated::Nexts))
    }),
    ("an acknowledgement was refused because there were too many", |run| {
        run.has(|event| exceeded(event, Rated::Commands))
    }),
    ("a parked poll was aborted by its client", |run| {
        run.has(|event| matches!(event.op, Op::Poll { .. }) && is(event, &Detail::Aborted))
    }),
    ("a poll was lost with its connection", |run| {
        run.has(|event| {
            let is_info = matches!(event.op, Op::Poll { .. }) && event.kind == Kind::Info;
            is_info && !is(event, &Detail::Aborted)
        })
    }),
    ("a stream or a socket was broken off by its client", |run| {
        run.has(|event| matches!(event.op, Op::Lost) && is(event, &Detail::Aborted))
    }),
    ("a client missed the server's heartbeat", |run| {
        run.has(|event| matches!(event.detail, Some(Detail::HeartbeatMissed { .. })))
    }),
    ("a client gave up waiting for an answer", |run| {
        run.has(|event| matches!(event.detail, Some(Detail::Unanswered { .. })))
    }),
    ("a partner left", |run| left(run, LeftReason::Left)),
    ("a partner skipped", |run| left(run, LeftReason::Skipped)),
    ("a partner was lost", |run| left(run, LeftReason::Lost)),
    ("a session was closed by a drain", |run| closed(run, CloseReason::Draining)),
    ("a session was given up and its person learned of it", |run| closed(run, CloseReason::Lost)),
    ("a session was closed as slow and its person learned of it", |run| {
        closed(run, CloseReason::Slow)
    }),
    ("somebody learned of missed head counts", |run| {
        run.has(|event| matches!(event.told(), Some(ServerEvent::Lagged { .. })))
    }),
    ("two who had parted met again", met_again),
    ("somebody heard two partners in one session", heard_two),
    ("people moved from a server that drained to another one", |run| {
        run.was_struck_by(FaultKind::RollingDrain) && moved_over(run)
    }),
    ("the wall clock jumped forward while somebody was connected", |run| {
        run.was_struck_by(FaultKind::ClockForward)
    }),
    ("the wall clock jumped back while somebody was connected", |run| {
        run.was_struck_by(FaultKind::ClockBackward)
    }),
];

fn is(event: &Event, detail: &Detail) -> bool {
    event.detail.as_ref() == Some(detail)
}

/// True where a socket's command that is no message was refused in these words.
fn exceeded(event: &Event, limit: Rated) -> bool {
    match &event.op {
        Op::Refused { refusal } => refusal.id.is_none() && refusal.problem.limit == Some(limit),
        _ => false,
    }
}

fn stale(run: &Run<'_>, transport: TransportKind) -> bool {
    run.has(|event| {
        let is_stale = match &event.op {
            Op::Say { .. } => event.kind == Kind::Fail && event.is_refused_as("stale-pair"),
            Op::Refused { refusal } => refusal.problem.kind.ends_with("stale-pair"),
            _ => false,
        };
        is_stale && run.transport(event) == Some(transport)
    })
}

fn superseded(run: &Run<'_>, transport: TransportKind) -> bool {
    run.has(|event| {
        matches!(event.op, Op::Lost)
            && event.is_refused_as("superseded")
            && run.transport(event) == Some(transport)
    })
}

fn is_resumption(event: &Event, kind: Kind) -> bool {
    matches!(event.op, Op::Open { resumes: Some(_), .. }) && event.kind == kind
}

fn left(run: &Run<'_>, wanted: LeftReason) -> bool {
    run.has(|event| {
        matches!(event.told(), Some(ServerEvent::PartnerLeft { reason }) if *reason == wanted)
    })
}

fn closed(run: &Run<'_>, wanted: CloseReason) -> bool {
    run.has(|event| {
        matches!(event.told(), Some(ServerEvent::Closing { reason, .. }) if *reason == wanted)
    })
}

/// An event is told in a session from which its person had gone away.
fn came_back(run: &Run<'_>) -> bool {
    let mut away = BTreeSet::new();
    run.history.iter().any(|event| {
        if matches!(event.op, Op::Lost) && is(event, &Detail::WentAway) {
            away.insert(event.session);
        }
        event.told().is_some() && away.contains(&event.session)
    })
}

fn repeated(run: &Run<'_>) -> bool {
    let mut accepted = BTreeSet::new();
    run.history.iter().any(|event| match &event.op {
        Op::Say { id, .. } if event.kind == Kind::Ok => !accepted.insert(id),
        _ => false,
    })
}

/// A message that was sent over two connections is accepted twice.
fn posted_twice(run: &Run<'_>) -> bool {
    let posted = run.history.iter().filter(|event| event.is_over_another_connection());
    let twice: BTreeSet<_> = posted.filter_map(|event| event.said()).collect();
    let mut accepted = BTreeSet::new();
    let accepts = run.history.iter().filter(|event| event.kind == Kind::Ok);
    accepts.filter_map(|event| event.said()).any(|id| twice.contains(id) && !accepted.insert(id))
}

fn met_again(run: &Run<'_>) -> bool {
    let mut members: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for event in run.history {
        if let (Some(ServerEvent::Paired { pair }), Some(session)) = (event.told(), event.session) {
            members.entry(*pair).or_default().insert(session);
        }
    }
    let mut met = BTreeSet::new();
    members.values().filter(|both| both.len() == 2).any(|both| !met.insert(both.clone()))
}

fn heard_two(run: &Run<'_>) -> bool {
    let mut heard = BTreeMap::new();
    run.history.iter().any(|event| {
        let Some(ServerEvent::Message { from: Speaker::Partner, id, .. }) = event.told() else {
            return false;
        };
        let sender = id.as_str().rsplit_once('-').map(|(sender, _)| sender);
        let earlier = heard.insert(event.session, sender);
        earlier.is_some_and(|earlier| earlier != sender)
    })
}

/// Somebody was told that the server drains, and got in again.
fn moved_over(run: &Run<'_>) -> bool {
    let mut told = BTreeSet::new();
    run.history.iter().any(|event| {
        let draining = CloseReason::Draining;
        if matches!(event.told(), Some(ServerEvent::Closing { reason, .. }) if *reason == draining)
        {
            told.insert(&event.process);
        }
        let is_in = matches!(event.op, Op::Open { resumes: None, .. }) && event.kind == Kind::Ok;
        is_in && told.contains(&event.process)
    })
}
