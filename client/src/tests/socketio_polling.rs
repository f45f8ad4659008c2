//! What Socket.IO over HTTP long-polling promises.

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::{ACKNOWLEDGE_EVERY, ClientError, Sent, open};

const OPEN: &str = r#"0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":16384}"#;

/// A client, and the server's ends of the connections for its polls and its commands.
struct Opened {
    sender: Sender<Wire>,
    receiver: Receiver<Wire>,
    polls: Peer,
    commands: Peer,
    /// The one for pongs and acknowledgements, once there is one.
    answers: Option<Peer>,
    listener: Listener,
}

fn session() -> String {
    format!(r#"42/chat,["session",{OPENED}]"#)
}

fn emitted(seq: u64) -> String {
    format!(r#"42/chat,["msg","Two people are here.",{}]"#, event(seq))
}

/// Opens a client; the answer to its CONNECT ends with these frames.
async fn opened(options: Options, frames: &[&str]) -> Opened {
    let (wire, mut listener) = wire(64 * 1024);
    let (outcome, (polls, commands)) =
        tokio::join!(open(TransportKind::SocketioPolling, wire, options), async {
            let mut polls = listener.accept().await;
            let request = polls.request().await;
            assert!(request.starts_with("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n"));
            polls.answer(200, OPEN).await;
            let mut commands = listener.accept().await;
            let request = commands.request().await;
            assert!(request.ends_with("\r\n\r\n40/chat,{\"after\":0}"), "{request}");
            commands.answer(200, "ok").await;
            let request = polls.request().await;
            let asked = "GET /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\n";
            assert!(request.starts_with(asked), "{request}");
            let first = session();
            let joined = [&["2", r#"40/chat,{"sid":"y"}"#, &first], frames].concat();
            polls.answer(200, &joined.join("\x1e")).await;
            (polls, commands)
        });
    let (sender, receiver) = outcome.expect("the session opens");
    Opened { sender, receiver, polls, commands, answers: None, listener }
}

impl Opened {
    /// Receives while the server does this; the first pong is answered beforehand, on a connection of
    /// its own.
    async fn receives(&mut self, payload: &str) -> Result<crate::Received, ClientError> {
        let Self { receiver, listener, polls, answers, .. } = self;
        let (received, ()) = tokio::join!(receiver.receive(), async {
            if answers.is_none() {
                let mut first = listener.accept().await;
                assert!(first.request().await.ends_with("\r\n\r\n3"), "a ping is answered");
                first.answer(200, "ok").await;
                *answers = Some(first);
            }
            assert!(polls.request().await.starts_with("GET "), "there is always a poll");
            polls.answer(200, payload).await;
        });
        received
    }
}

#[tokio::test]
async fn events_behind_the_opening_are_given_out_first_and_only_then_count_as_seen() {
    let mut opened = opened(options(), &[&emitted(1), &emitted(2)]).await;
    assert_eq!(opened.receiver.cursor(), Seq(0));
    assert_eq!((opened.sender.session(), opened.sender.token()), (SessionId(7), "abc"));
    assert_eq!(seqs(&opened.receiver.receive().await.expect("two events")), [1, 2]);
    assert_eq!(opened.receiver.cursor(), Seq(2));
}

#[tokio::test]
async fn a_command_is_one_request_and_its_outcome_comes_as_an_event() {
    let mut opened = opened(options(), &[]).await;
    let (sent, request) = tokio::join!(opened.sender.send(say("a")), async {
        let request = opened.commands.request().await;
        opened.commands.answer(200, "ok").await;
        request
    });
    assert_eq!(sent.expect("it is sent"), Sent::Written);
    assert!(request.starts_with("POST /socket.io/?EIO=4&transport=polling&sid=x "), "{request}");
    assert!(request.ends_with(r#"42/chat,["say",{"id":"a","text":"hello"}]"#), "{request}");
}

#[tokio::test]
async fn a_poll_brings_several_frames_and_what_they_ask_for_is_sent_together() {
    let mut opened = opened(options(), &[]).await;
    let events: Vec<_> = (1..=ACKNOWLEDGE_EVERY).map(emitted).collect();
    let payload = format!("2\x1e{}", events.join("\x1e"));
    let received = opened.receives(&payload).await.expect("events");
    assert_eq!(received.events.len() as u64, ACKNOWLEDGE_EVERY);

    let Opened { mut receiver, mut polls, answers, .. } = opened;
    let mut answers = answers.expect("the first pong was sent");
    let (received, ()) = tokio::join!(receiver.receive(), async {
        let request = answers.request().await;
        let owed = "\r\n\r\n3\x1e42/chat,[\"ack\",{\"seq\":64}]";
        assert!(request.ends_with(owed), "{request}");
        polls.request().await;
        polls.answer(200, &emitted(65)).await;
    });
    assert_eq!(seqs(&received.expect("an event")), [65]);
}

#[tokio::test]
async fn a_dropped_call_does_not_cut_the_poll() {
    let mut opened = opened(options(), &[]).await;
    assert_eq!(seqs(&opened.receives(&emitted(1)).await.expect("an event")), [1]);
    assert!(opened.receiver.receive().now_or_never().is_none());
    opened.polls.request().await;
    assert!(opened.receiver.receive().now_or_never().is_none());
    opened.polls.answer(200, &emitted(2)).await;
    assert_eq!(seqs(&opened.receiver.receive().await.expect("an event")), [2]);
    assert!(opened.listener.nobody_dialled());
}

#[tokio::test]
async fn what_stands_in_front_of_the_end_is_given_out_first() {
    let mut opened = opened(options(), &[]).await;
    let last = format!("42/chat,[\"msg\",\"Goodbye.\",{}]\x1e41/chat,", closing(1));
    assert_eq!(seqs(&opened.receives(&last).await.expect("the last event")), [1]);
    for _ in 0..2 {
        let received = opened.receiver.receive().await;
        assert!(matches!(received, Err(ClientError::Closed)), "{received:?}");
    }
}

#[tokio::test]
async fn a_connection_that_engine_io_forgot_or_closed_is_lost() {
    for payload in ["1", "41/chat,", ""] {
        let mut opened = opened(options(), &[]).await;
        let received = opened.receives(payload).await;
        assert!(matches!(received, Err(ClientError::Io(_))), "{payload}: {received:?}");
    }
    let mut opened = opened(options(), &[]).await;
    opened.receives(&emitted(1)).await.expect("an event");
    let unknown = r#"{"code":"1","message":"Session ID unknown"}"#;
    let (received, ()) = tokio::join!(opened.receiver.receive(), async {
        opened.polls.request().await;
        opened.polls.answer(400, unknown).await;
    });
    assert!(matches!(received, Err(ClientError::Io(_))), "{received:?}");
}

#[tokio::test]
async fn a_poll_whose_answer_is_lost_is_not_asked_for_again() {
    let mut opened = opened(options(), &[]).await;
    opened.receives(&emitted(1)).await.expect("an event");
    let Opened { mut receiver, mut polls, mut listener, .. } = opened;
    let (received, ()) = tokio::join!(receiver.receive(), async {
        polls.request().await;
        drop(polls);
    });
    assert!(matches!(received, Err(ClientError::Io(_))), "{received:?}");
    assert!(listener.nobody_dialled(), "the events of that answer would be missing");
}

#[tokio::test]
async fn an_upgrade_waits_for_the_poll_and_for_the_command_under_way() {
    let options = Options { upgrade_after_events: Some(1), ..options() };
    let mut opened = opened(options, &[]).await;
    opened.receives(&emitted(1)).await.expect("an event");
    let Opened { mut sender, mut receiver, mut polls, mut commands, mut listener, .. } = opened;
    let (sent, received, mut socket) =
        tokio::join!(sender.send(say("a")), receiver.receive(), async {
            commands.request().await;
            polls.request().await;
            let Peer(stream) = listener.accept().await;
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
            assert_eq!(heard(&mut socket).await, "2probe");
            tell(&mut socket, "3probe").await;
            polls.answer(200, "6").await;
            tokio::task::yield_now().await;
            assert!(socket.next().now_or_never().is_none(), "a command is under way");
            commands.answer(200, "ok").await;
            assert_eq!(heard(&mut socket).await, "5");
            tell(&mut socket, &emitted(2)).await;
            socket
        });
    sent.expect("it is sent");
    assert_eq!(seqs(&received.expect("an event")), [2]);
    sender.send(say("b")).await.expect("it is sent");
    assert_eq!(heard(&mut socket).await, r#"42/chat,["say",{"id":"b","text":"hello"}]"#);
    assert_eq!(receiver.cursor(), Seq(2));
}

#[tokio::test]
async fn a_poll_goes_on_where_the_upgrade_fails() {
    for is_probed in [false, true] {
        let options = Options { upgrade_after_events: Some(1), ..options() };
        let mut opened = opened(options, &[]).await;
        opened.receives(&emitted(1)).await.expect("an event");
        let Opened { mut receiver, mut polls, mut listener, .. } = opened;
        let (received, ()) = tokio::join!(receiver.receive(), async {
            polls.request().await;
            let Peer(stream) = listener.accept().await;
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
            if is_probed {
                assert_eq!(heard(&mut socket).await, "2probe");
            }
            drop(socket);
            polls.answer(200, &emitted(2)).await;
        });
        assert_eq!(seqs(&received.expect("an event")), [2]);
        assert!(!receiver.is_upgraded());
        let (received, ()) = tokio::join!(receiver.receive(), async {
            polls.request().await;
            polls.answer(200, &emitted(3)).await;
        });
        assert_eq!(seqs(&received.expect("an event")), [3]);
    }
}

async fn tell(socket: &mut WebSocketStream<DuplexStream>, text: &str) {
    socket.send(Message::text(text)).await.expect("the client is there");
}

async fn heard(socket: &mut WebSocketStream<DuplexStream>) -> String {
    let message = socket.next().await.expect("the client is there").expect("a frame");
    message.into_text().expect("a text frame").to_string()
}
