//! What the WebSocket transport promises.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::*;
use crate::{ClientError, Sent, open};

const OPENED_FRAME: &str = r#"{"type":"opened","session":7,"token":"abc","next":0}"#;

type Socket = WebSocketStream<DuplexStream>;
type Halves = (Sender<Wire>, Receiver<Wire>);

async fn tell(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("the client is there");
}

async fn heard(socket: &mut Socket) -> Message {
    socket.next().await.expect("the client is there").expect("a frame")
}

fn refused(problem: &str) -> String {
    format!(r#"{{"type":"refused","problem":{problem}}}"#)
}

/// A client to which the server answers the upgrade with this frame.
async fn opened_by(options: Options, first: &str) -> (Result<Halves, ClientError>, Socket) {
    let (wire, mut listener) = wire(64 * 1024);
    tokio::join!(open(TransportKind::Websocket, wire, options), async {
        let Peer(stream) = listener.accept().await;
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
        tell(&mut socket, first).await;
        socket
    })
}

async fn opened() -> (Halves, Socket) {
    let (outcome, socket) = opened_by(options(), OPENED_FRAME).await;
    (outcome.expect("the session opens"), socket)
}

async fn upgrade_request(options: Options) -> (String, Result<Halves, ClientError>) {
    let (wire, mut listener) = wire(64 * 1024);
    let (outcome, request) = tokio::join!(open(TransportKind::Websocket, wire, options), async {
        let mut peer = listener.accept().await;
        let request = peer.request().await;
        peer.answer(429, PROBLEM).await;
        request
    });
    (request, outcome)
}

#[tokio::test]
async fn a_new_session_is_asked_for_without_and_an_old_one_with_token_and_cursor() {
    let (request, outcome) = upgrade_request(options()).await;
    assert!(request.starts_with("GET /api/ws HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_lowercase().contains("authorization"), "{request}");
    assert!(matches!(outcome, Err(ClientError::Refused(problem)) if problem.status == 429));

    let (request, _) = upgrade_request(resuming(6)).await;
    assert!(request.starts_with("GET /api/ws?after=6 HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer abc\r\n"), "{request}");
}

#[tokio::test]
async fn commands_events_and_refusals_are_frames_of_json() {
    let ((mut sender, mut receiver), mut socket) = opened().await;
    assert_eq!((sender.session(), sender.token()), (SessionId(7), "abc"));
    assert_eq!(sender.send(say("a")).await.expect("a write"), Sent::Written);
    let said = heard(&mut socket).await.into_text().expect("a text frame");
    assert_eq!(said.as_str(), r#"{"type":"say","id":"a","text":"hello"}"#);
    tell(&mut socket, &event(1)).await;
    tell(&mut socket, &format!(r#"{{"type":"refused","id":"a","problem":{PROBLEM}}}"#)).await;
    assert_eq!(seqs(&receiver.receive().await.expect("an event")), [1]);
    let received = receiver.receive().await.expect("a refusal");
    assert_eq!(received.refused[0].id, Some("a".parse().expect("an id")));
    assert_eq!(receiver.cursor(), Seq(1));
}

#[tokio::test]
async fn an_opening_that_is_refused_is_an_error() {
    let (outcome, _) = opened_by(options(), &refused(PROBLEM)).await;
    assert!(matches!(outcome, Err(ClientError::Refused(problem)) if problem.status == 429));
    let (outcome, _) = opened_by(options(), &event(1)).await;
    assert!(matches!(outcome, Err(ClientError::Protocol(_))));
    let other = OPENED_FRAME.replace('7', "8");
    let (outcome, _) = opened_by(resuming(6), &other).await;
    assert!(matches!(outcome, Err(ClientError::Protocol(_))), "another session than was asked for");
}

#[tokio::test]
async fn what_the_application_has_is_not_given_out_again() {
    let (outcome, mut socket) = opened_by(resuming(6), OPENED_FRAME).await;
    let (_sender, mut receiver) = outcome.expect("the session is taken up");
    let (mut given, mut repeated) = (Vec::new(), Vec::new());
    for seq in [5, 6, 7, 7, 8] {
        tell(&mut socket, &event(seq)).await;
        let received = receiver.receive().await.expect("an event");
        given.extend(seqs(&received));
        repeated.extend(received.repeated);
    }
    assert_eq!((given, repeated), (vec![7, 8], vec![Seq(5), Seq(6), Seq(7)]));
}

#[tokio::test]
async fn a_ping_is_answered_once_what_came_before_it_was_given_out() {
    let ((_sender, mut receiver), mut socket) = opened().await;
    tell(&mut socket, &event(1)).await;
    socket.send(Message::Ping(vec![1].into())).await.expect("the client is there");
    tell(&mut socket, &event(2)).await;
    assert_eq!(seqs(&receiver.receive().await.expect("an event")), [1]);
    assert!(socket.next().now_or_never().is_none(), "the first event is only now given out");
    assert_eq!(seqs(&receiver.receive().await.expect("an event")), [2]);
    assert_eq!(heard(&mut socket).await, Message::Pong(vec![1].into()));
}

#[tokio::test]
async fn the_last_event_is_followed_by_the_end() {
    let ((_sender, mut receiver), mut socket) = opened().await;
    tell(&mut socket, &closing(1)).await;
    assert_eq!(seqs(&receiver.receive().await.expect("the last event")), [1]);
    for _ in 0..2 {
        assert!(matches!(receiver.receive().await, Err(ClientError::Closed)));
    }
}

#[tokio::test]
async fn a_second_reader_is_told_from_a_command_that_was_refused() {
    let ((_sender, mut receiver), mut socket) = opened().await;
    let superseded = PROBLEM.replace("/problems/rate", "/problems/superseded");
    tell(&mut socket, &refused(&superseded)).await;
    let end = receiver.receive().await;
    assert!(matches!(end, Err(ClientError::Refused(_))), "{end:?}");
}

#[tokio::test]
async fn a_close_frame_says_whose_fault_it_is() {
    for (code, is_ours) in [(CloseCode::Normal, false), (CloseCode::Size, true)] {
        let ((_sender, mut receiver), mut socket) = opened().await;
        let frame = CloseFrame { code, reason: "because".into() };
        socket.close(Some(frame)).await.expect("the client is there");
        let end = receiver.receive().await;
        assert_eq!(matches!(end, Err(ClientError::Protocol(_))), is_ours, "{end:?}");
        assert_eq!(matches!(end, Err(ClientError::Closed)), !is_ours, "{end:?}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_without_a_word_is_lost_and_not_closed() {
    let ((_sender, mut receiver), socket) = opened().await;
    drop(socket);
    assert!(matches!(receiver.receive().await, Err(ClientError::Io(_))));
}

#[tokio::test(start_paused = true)]
async fn silence_is_borne_as_long_as_was_agreed_and_a_ping_breaks_it() {
    let silence_max = Duration::from_secs(3);
    let (outcome, mut socket) = opened_by(Options { silence_max, ..options() }, OPENED_FRAME).await;
    let (_sender, mut receiver) = outcome.expect("the session opens");
    let begun = Instant::now();
    let ping = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        socket.send(Message::Ping(vec![].into())).await.expect("the client is there");
    };
    let (end, ()) = tokio::join!(receiver.receive(), ping);
    assert!(matches!(end, Err(ClientError::HeartbeatMissed(max)) if max == silence_max));
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}
