//! What the Socket.IO transport promises.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;
use crate::{ACKNOWLEDGE_EVERY, ClientError, Sent, open};

const OPEN: &str =
    r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000}"#;

type Socket = WebSocketStream<DuplexStream>;
type Halves = (Sender<Wire>, Receiver<Wire>);
type Outcome = Result<Halves, ClientError>;

async fn tell(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("the client is there");
}

async fn heard(socket: &mut Socket) -> String {
    let message = socket.next().await.expect("the client is there").expect("a frame");
    message.into_text().expect("a text frame").to_string()
}

/// The server's side up to the client's CONNECT, which it gives.
async fn upgraded(listener: &mut Listener) -> (Socket, String) {
    let Peer(stream) = listener.accept().await;
    let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
    tell(&mut socket, OPEN).await;
    let connect = heard(&mut socket).await;
    (socket, connect)
}

/// Opens a client to which the server answers CONNECT with these frames.
async fn opened_by(options: Options, answers: &[&str]) -> (Outcome, Socket, String) {
    let (wire, mut listener) = wire(64 * 1024);
    let (outcome, (socket, connect)) =
        tokio::join!(open(TransportKind::SocketioWebsocket, wire, options), async {
            let (mut socket, connect) = upgraded(&mut listener).await;
            for answer in answers {
                tell(&mut socket, answer).await;
            }
            (socket, connect)
        });
    (outcome, socket, connect)
}

fn session() -> String {
    format!(r#"42/chat,["session",{OPENED}]"#)
}

async fn opened() -> (Halves, Socket) {
    let (outcome, socket, _) = opened_by(options(), &[r#"40/chat,{"sid":"y"}"#, &session()]).await;
    (outcome.expect("the session opens"), socket)
}

async fn resumed() -> (Halves, Socket) {
    let (outcome, socket, _) = opened_by(resuming(0), &[&session()]).await;
    (outcome.expect("the session is taken up"), socket)
}

fn emitted(seq: u64) -> String {
    format!(r#"42/chat,["msg","Two people are here.",{}]"#, event(seq))
}

#[tokio::test]
async fn the_upgrade_asks_for_engine_io_4_over_websocket() {
    let (wire, mut listener) = wire(64 * 1024);
    let (outcome, request) =
        tokio::join!(open(TransportKind::SocketioWebsocket, wire, options()), async {
            let mut peer = listener.accept().await;
            let request = peer.request().await;
            peer.answer(429, PROBLEM).await;
            request
        });
    let asked = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n";
    assert!(request.starts_with(asked), "{request}");
    assert!(request.contains("Host: test:3000\r\n"), "{request}");
    assert!(matches!(outcome, Err(ClientError::Refused(problem)) if problem.status == 429));
}

#[tokio::test]
async fn a_new_session_is_opened_and_its_events_and_refusals_are_given_out() {
    let (outcome, mut socket, connect) =
        opened_by(options(), &["2", r#"40/chat,{"sid":"y"}"#, &session()]).await;
    let (mut sender, mut receiver) = outcome.expect("the session opens");
    assert_eq!(connect, r#"40/chat,{"after":0}"#);
    assert_eq!(heard(&mut socket).await, "3");
    assert_eq!((sender.session(), sender.token()), (SessionId(7), "abc"));
    assert_eq!((sender.requests(), receiver.requests()), (2, 0));

    assert_eq!(sender.send(say("a")).await.expect("a write"), Sent::Written);
    assert_eq!(heard(&mut socket).await, r#"42/chat,["say",{"id":"a","text":"hello"}]"#);

    tell(&mut socket, r#"42/chat,["stranger",1]"#).await;
    tell(&mut socket, r#"42["msg","of another namespace"]"#).await;
    tell(&mut socket, &emitted(1)).await;
    tell(&mut socket, &format!(r#"42/chat,["refused",{{"id":"a","problem":{PROBLEM}}}]"#)).await;
    assert_eq!(seqs(&receiver.receive().await.expect("an event")), [1]);
    let received = receiver.receive().await.expect("a refusal");
    assert_eq!((received.events.len(), received.refused.len()), (0, 1));
    assert_eq!(received.refused[0].id, Some("a".parse().expect("an id")));
    assert_eq!(received.refused[0].problem.status, 429);
}

#[tokio::test]
async fn a_resumed_session_goes_on_after_the_cursor() {
    let (outcome, mut socket, connect) =
        opened_by(resuming(6), &[r#"40/chat,{"sid":"y"}"#, &session()]).await;
    let (sender, mut receiver) = outcome.expect("the session is taken up");
    assert_eq!(connect, r#"40/chat,{"after":6,"token":"abc"}"#);
    for (seq, given) in [(5, vec![]), (6, vec![]), (7, vec![7])] {
        tell(&mut socket, &emitted(seq)).await;
        assert_eq!(seqs(&receiver.receive().await.expect("an event")), given);
    }
    assert_eq!(sender.resume(receiver.cursor()).after, Seq(7));
}

#[tokio::test]
async fn resuming_one_session_and_getting_another_is_an_error() {
    let stranger = r#"42/chat,["session",{"session":8,"token":"def","next":0}]"#;
    let (outcome, _socket, _) = opened_by(resuming(6), &[stranger]).await;
    assert!(matches!(outcome, Err(ClientError::Protocol(_))));
}

#[tokio::test]
async fn a_connect_error_is_told_with_its_message_or_its_problem() {
    let (outcome, _socket, _) =
        opened_by(options(), &[r#"44/chat,{"message":"Invalid namespace"}"#]).await;
    assert!(matches!(outcome, Err(ClientError::ConnectError(why)) if why == "Invalid namespace"));

    let problem = serde_json::json!({ "message": PROBLEM });
    let (outcome, _socket, _) = opened_by(options(), &[&format!("44/chat,{problem}")]).await;
    assert!(matches!(outcome, Err(ClientError::Refused(problem)) if problem.status == 429));

    let refused = format!(r#"42/chat,["refused",{{"problem":{PROBLEM}}}]"#);
    let (outcome, _socket, _) = opened_by(options(), &[r#"40/chat,{"sid":"y"}"#, &refused]).await;
    assert!(matches!(outcome, Err(ClientError::Refused(problem)) if problem.status == 429));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_says_anything_is_given_up() {
    let (wire, mut listener) = wire(64 * 1024);
    let (outcome, _peer) =
        tokio::join!(open(TransportKind::SocketioWebsocket, wire, options()), listener.accept());
    assert!(matches!(outcome, Err(ClientError::Unanswered(_))));
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_and_a_missed_one_is_noticed() {
    let ((_sender, mut receiver), mut socket) = opened().await;
    let opened_at = Instant::now();
    let (received, _socket) = tokio::join!(receiver.receive(), async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(25)).await;
            tell(&mut socket, "2").await;
            assert_eq!(heard(&mut socket).await, "3");
        }
        socket
    });
    assert!(matches!(received, Err(ClientError::HeartbeatMissed(_))), "{received:?}");
    assert_eq!(opened_at.elapsed(), Duration::from_secs(75 + 45));
    assert_eq!(receiver.requests(), 3);
}

#[tokio::test]
async fn every_sixty_fourth_event_is_acknowledged() {
    let ((_sender, mut receiver), mut socket) = resumed().await;
    for seq in 1..=2 * ACKNOWLEDGE_EVERY + 1 {
        tell(&mut socket, &emitted(seq)).await;
        assert_eq!(seqs(&receiver.receive().await.expect("an event")), [seq]);
    }
    assert_eq!(heard(&mut socket).await, r#"42/chat,["ack",{"seq":64}]"#);
    assert_eq!(heard(&mut socket).await, r#"42/chat,["ack",{"seq":128}]"#);
    assert!(socket.next().now_or_never().is_none(), "two acknowledgements are enough");
    assert_eq!(receiver.requests(), 2);
}

#[tokio::test]
async fn a_dropped_call_loses_no_event_and_repeats_no_frame() {
    let ((_sender, mut receiver), mut socket) = resumed().await;
    let mut seen = Vec::new();
    for seq in 1..=100 {
        // A task that never yields is made to wait by tokio, whatever lies there to be read.
        tokio::task::yield_now().await;
        assert!(receiver.receive().now_or_never().is_none());
        tell(&mut socket, "2").await;
        assert!(receiver.receive().now_or_never().is_none());
        tell(&mut socket, &emitted(seq)).await;
        let received = receiver.receive().now_or_never().expect("an event lies there");
        seen.extend(seqs(&received.expect("an event")));
        assert_eq!(heard(&mut socket).await, "3");
        if seq == ACKNOWLEDGE_EVERY {
            assert!(receiver.receive().now_or_never().is_none());
            assert_eq!(heard(&mut socket).await, r#"42/chat,["ack",{"seq":64}]"#);
        }
    }
    assert!(socket.next().now_or_never().is_none());
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn after_leaving_the_last_event_comes_and_then_the_end() {
    let ((mut sender, mut receiver), mut socket) = opened().await;
    sender.send(ClientEvent::Leave).await.expect("a write");
    assert_eq!(heard(&mut socket).await, r#"42/chat,["leave"]"#);
    tell(&mut socket, &format!(r#"42/chat,["msg","Goodbye.",{}]"#, closing(1))).await;
    tell(&mut socket, "41/chat,").await;
    assert_eq!(seqs(&receiver.receive().await.expect("the last event")), [1]);
    for _ in 0..2 {
        let received = receiver.receive().await;
        assert!(matches!(received, Err(ClientError::Closed)), "{received:?}");
    }
}

#[tokio::test]
async fn a_socket_that_ends_before_the_session_does_is_lost_however_politely_it_ends() {
    for farewell in ["1", "41/chat,"] {
        let ((_sender, mut receiver), mut socket) = opened().await;
        tell(&mut socket, farewell).await;
        let received = receiver.receive().await;
        assert!(matches!(received, Err(ClientError::Io(_))), "{received:?}");
    }
    let ((_sender, mut receiver), mut socket) = opened().await;
    socket.close(None).await.expect("the client is there");
    let received = receiver.receive().await;
    assert!(matches!(received, Err(ClientError::Io(_))), "{received:?}");

    let ((mut sender, mut receiver), socket) = opened().await;
    drop(socket);
    for _ in 0..2 {
        let received = receiver.receive().await;
        assert!(matches!(received, Err(ClientError::Io(_))), "{received:?}");
    }
    let sent = sender.send(ClientEvent::Next { pair: None }).await;
    assert!(matches!(sent, Err(ClientError::Io(_))), "{sent:?}");
}

#[tokio::test]
async fn events_that_came_before_a_cut_are_given_out_though_a_pong_cannot_be_written() {
    let ((_sender, mut receiver), mut socket) = opened().await;
    for text in ["2", &emitted(1), &emitted(2)] {
        tell(&mut socket, text).await;
    }
    drop(socket);
    for seq in [1, 2] {
        assert_eq!(seqs(&receiver.receive().await.expect("an event")), [seq]);
    }
    let received = receiver.receive().await;
    assert!(matches!(received, Err(ClientError::Io(_))), "{received:?}");
}

#[tokio::test]
async fn a_client_whose_halves_are_dropped_vanishes_without_a_word() {
    let ((sender, receiver), mut socket) = opened().await;
    drop(receiver);
    assert!(socket.next().now_or_never().is_none(), "the sender still holds the connection");
    drop(sender);
    match socket.next().await {
        Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn both_halves_work_at_once_over_a_connection_that_hardly_takes_anything() {
    const COUNT: u64 = 300;
    let (wire, mut listener) = wire(32);
    let server = async {
        let (mut socket, _) = upgraded(&mut listener).await;
        tell(&mut socket, &session()).await;
        let (mut sink, mut stream) = socket.split();
        let telling = async {
            for seq in 1..=COUNT {
                sink.send(Message::text("2")).await.expect("the client is there");
                sink.send(Message::text(emitted(seq))).await.expect("the client is there");
            }
        };
        let hearing = async {
            let (mut says, mut pongs, mut acks) = (0, 0, 0);
            while says < COUNT || pongs < COUNT || acks < COUNT / ACKNOWLEDGE_EVERY {
                let message = stream.next().await.expect("the client is there").expect("a frame");
                let text = message.into_text().expect("a text frame");
                says += u64::from(text.contains("say"));
                acks += u64::from(text.contains("ack"));
                pongs += u64::from(text == "3");
            }
            (says, pongs, acks)
        };
        tokio::join!(telling, hearing).1
    };
    let client = async {
        let halves = open(TransportKind::SocketioWebsocket, wire, resuming(0)).await;
        let (mut sender, mut receiver) = halves.expect("the session opens");
        let speaking = tokio::spawn(async move {
            for n in 0..COUNT {
                sender.send(say(&n.to_string())).await.expect("a write");
            }
            sender
        });
        let mut seen = Vec::new();
        while seen.len() < usize::try_from(COUNT).expect("a small number") {
            seen.extend(seqs(&receiver.receive().await.expect("an event")));
        }
        // The last pong and acknowledgement may still be due, and waiting writes them.
        let waiting = tokio::spawn(async move { receiver.receive().await });
        (seen, speaking, waiting)
    };
    let (counts, (seen, speaking, waiting)) = tokio::join!(server, client);
    assert_eq!(counts, (COUNT, COUNT, COUNT / ACKNOWLEDGE_EVERY));
    assert_eq!(seen, (1..=COUNT).collect::<Vec<_>>());
    speaking.await.expect("the sender's task ends well");
    waiting.abort();
}
