//! What the polling transports promise.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::{ANSWER_BYTES_MAX, ANSWER_WAIT_MAX, ClientError, Sent, open};

type Halves = (Sender<Wire>, Receiver<Wire>, Listener);

/// A client of session 7 that has sent nothing yet.
async fn resumed(kind: TransportKind, options: Options) -> Halves {
    let (wire, listener) = wire(64 * 1024);
    let (sender, receiver) = open(kind, wire, options).await.expect("resuming sends nothing");
    (sender, receiver, listener)
}

async fn long_poll() -> Halves {
    resumed(TransportKind::LongPoll, resuming(6)).await
}

fn batch(events: &[String], next: u64) -> String {
    format!(r#"{{"events":[{}],"next":{next}}}"#, events.join(","))
}

/// One poll of `receiver`, answered by `peer`; gives the sequence numbers and the request.
async fn polled(
    receiver: &mut Receiver<Wire>,
    peer: &mut Peer,
    answer: &str,
) -> (Vec<u64>, String) {
    let (received, request) = tokio::join!(receiver.receive(), async {
        let request = peer.request().await;
        peer.answer(200, answer).await;
        request
    });
    (seqs(&received.expect("the poll is answered")), request)
}

/// A `receiver` that has polled once, and the connection on which it did.
async fn warmed(receiver: &mut Receiver<Wire>, listener: &mut Listener) -> Peer {
    let (received, peer) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        peer.request().await;
        peer.answer(200, &batch(&[], 6)).await;
        peer
    });
    received.expect("the poll is answered");
    peer
}

/// A `sender` that has sent one message, and the connection on which it did.
async fn spoken(sender: &mut Sender<Wire>, listener: &mut Listener) -> Peer {
    let (sent, peer) = tokio::join!(sender.send(say("first")), async {
        let mut peer = listener.accept().await;
        peer.request().await;
        peer.answer(202, "").await;
        peer
    });
    assert_eq!(sent.expect("the message is accepted"), Sent::Accepted);
    peer
}

#[tokio::test]
async fn without_keep_alive_each_command_takes_a_connection_and_the_polls_keep_theirs() {
    let options = Options { keep_alive: false, ..resuming(6) };
    let (mut sender, mut receiver, mut listener) = resumed(TransportKind::LongPoll, options).await;
    let mut polls = warmed(&mut receiver, &mut listener).await;
    for _ in 0..2 {
        let mut command = spoken(&mut sender, &mut listener).await;
        assert!(command.is_closed().await);
    }
    let (seqs, _) = polled(&mut receiver, &mut polls, &batch(&[event(7)], 7)).await;
    assert_eq!(seqs, [7]);
    assert!(listener.nobody_dialled());
}

#[tokio::test]
async fn opening_gives_the_session_and_its_token() {
    let (wire, mut listener) = wire(1024);
    let (halves, (request, mut peer)) =
        tokio::join!(open(TransportKind::ShortPoll, wire, options()), async {
            let mut peer = listener.accept().await;
            let request = peer.request().await;
            peer.answer(201, OPENED).await;
            (request, peer)
        });
    let (mut sender, receiver) = halves.expect("the session opens");
    assert!(request.starts_with("POST /api/session HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("host: test:3000\r\n"), "{request}");
    assert_eq!((sender.session(), sender.token()), (SessionId(7), "abc"));
    assert_eq!((receiver.cursor(), sender.requests(), receiver.requests()), (Seq(0), 1, 0));

    let (sent, request) = tokio::join!(sender.send(ClientEvent::Leave), async {
        let request = peer.request().await;
        peer.answer(204, "").await;
        request
    });
    assert_eq!(sent.expect("leaving is accepted"), Sent::Accepted);
    assert!(request.starts_with("DELETE /api/session HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer abc\r\n"), "{request}");
}

#[tokio::test]
async fn each_event_is_given_out_once_whatever_the_wire_repeats() {
    let (_sender, mut receiver, mut listener) = long_poll().await;
    let mut peer = warmed(&mut receiver, &mut listener).await;
    let first = polled(&mut receiver, &mut peer, &batch(&[event(6), event(7), event(8)], 8)).await;
    let second = polled(&mut receiver, &mut peer, &batch(&[event(7), event(8), event(9)], 9)).await;
    assert_eq!((first.0, second.0), (vec![7, 8], vec![9]));
    assert!(first.1.starts_with("GET /api/events?after=6&wait_ms=25000 HTTP/1.1\r\n"));
    assert!(second.1.starts_with("GET /api/events?after=8&wait_ms=25000 HTTP/1.1\r\n"));
    assert!(second.1.contains("authorization: Bearer abc\r\n"));
    assert_eq!((receiver.cursor(), receiver.requests()), (Seq(9), 3));
    assert!(listener.nobody_dialled(), "three polls share one connection");
}

#[tokio::test(start_paused = true)]
async fn short_polls_keep_their_schedule_when_an_answer_is_slow() {
    let (_sender, mut receiver, mut listener) =
        resumed(TransportKind::ShortPoll, resuming(6)).await;
    let opened_at = Instant::now();
    let mut peer = warmed(&mut receiver, &mut listener).await;
    let mut asked_at = Vec::new();
    for answer_ms in [700, 2_300, 0, 0] {
        let (received, request) = tokio::join!(receiver.receive(), async {
            let request = peer.request().await;
            asked_at.push(opened_at.elapsed().as_millis());
            tokio::time::sleep(Duration::from_millis(answer_ms)).await;
            peer.answer(200, &batch(&[], 6)).await;
            request
        });
        received.expect("the poll is answered");
        assert!(request.starts_with("GET /api/events?after=6 HTTP/1.1\r\n"), "{request}");
    }
    // The poll that took 2.3 s covers the turns at 3 s and 4 s; the late one is made up at once.
    assert_eq!(asked_at, [1_000, 2_000, 4_300, 5_000]);
}

/// Two who end each other's polls would ask as fast as they can.
#[tokio::test(start_paused = true)]
async fn a_long_poll_that_is_answered_early_with_nothing_is_not_asked_again_at_once() {
    let (_sender, mut receiver, mut listener) = long_poll().await;
    let mut peer = warmed(&mut receiver, &mut listener).await;
    let answered_at = Instant::now();
    polled(&mut receiver, &mut peer, &batch(&[event(7)], 7)).await;
    assert!(answered_at.elapsed() >= Duration::from_millis(100), "{:?}", answered_at.elapsed());
    let told_at = Instant::now();
    polled(&mut receiver, &mut peer, &batch(&[], 7)).await;
    assert_eq!(told_at.elapsed(), Duration::ZERO, "an event is no rival");
}

#[tokio::test]
async fn a_dropped_poll_closes_its_connection_and_loses_nothing() {
    let (_sender, mut receiver, mut listener) = long_poll().await;
    let mut peer = tokio::select! {
        biased;
        received = receiver.receive() => panic!("nobody answered: {received:?}"),
        peer = async {
            let mut peer = listener.accept().await;
            peer.request().await;
            peer
        } => peer,
    };
    assert!(peer.is_closed().await);
    let (received, request) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        let request = peer.request().await;
        peer.answer(200, &batch(&[event(7)], 7)).await;
        request
    });
    assert!(request.starts_with("GET /api/events?after=6&"), "{request}");
    assert_eq!(seqs(&received.expect("the poll is answered")), [7]);
}

#[tokio::test]
async fn dropping_a_half_closes_its_connection_and_not_the_other_ones() {
    let (mut sender, mut receiver, mut listener) = long_poll().await;
    let mut commands = spoken(&mut sender, &mut listener).await;
    let mut polls = warmed(&mut receiver, &mut listener).await;
    drop(sender);
    assert!(commands.is_closed().await);
    polled(&mut receiver, &mut polls, &batch(&[], 6)).await;
    drop(receiver);
    assert!(polls.is_closed().await);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced_in_silence() {
    let (mut sender, _receiver, mut listener) = long_poll().await;
    drop(spoken(&mut sender, &mut listener).await);
    let (sent, request) = tokio::join!(sender.send(ClientEvent::Next { pair: None }), async {
        let mut peer = listener.accept().await;
        let request = peer.request().await;
        peer.answer(202, "").await;
        request
    });
    assert_eq!(sent.expect("nothing had been written"), Sent::Accepted);
    assert!(request.starts_with("POST /api/next HTTP/1.1\r\n"), "{request}");
    assert_eq!(sender.requests(), 2, "the closed connection carried no request");
}

#[tokio::test]
async fn a_connection_that_the_server_will_close_is_not_kept() {
    let (mut sender, _receiver, mut listener) = long_poll().await;
    let (sent, mut peer) = tokio::join!(sender.send(say("a")), async {
        let mut peer = listener.accept().await;
        peer.request().await;
        peer.answer_with(202, "Connection: Close\r\n", "").await;
        peer
    });
    sent.expect("the message is accepted");
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_sent_again_under_the_same_id() {
    let (mut sender, _receiver, mut listener) = long_poll().await;
    let mut peer = spoken(&mut sender, &mut listener).await;
    let (sent, requests) = tokio::join!(sender.send(say("second")), async {
        let lost = peer.request().await;
        drop(peer);
        let mut peer = listener.accept().await;
        let repeated = peer.request().await;
        peer.answer(202, "").await;
        (lost, repeated)
    });
    assert_eq!(sent.expect("the second attempt is accepted"), Sent::Accepted);
    assert_eq!(requests.0, requests.1);
    assert!(requests.0.contains("content-type: application/json\r\n"), "{}", requests.0);
    assert!(requests.0.ends_with(r#"{"id":"second","text":"hello"}"#), "{}", requests.0);
    assert_eq!(sender.requests(), 3);
}

#[tokio::test]
async fn a_message_is_repeated_once_and_no_more() {
    let (mut sender, _receiver, mut listener) = long_poll().await;
    let mut peer = spoken(&mut sender, &mut listener).await;
    let (sent, ()) = tokio::join!(sender.send(say("second")), async {
        peer.request().await;
        drop(peer);
        listener.accept().await.request().await;
    });
    assert!(matches!(sent, Err(ClientError::Io(_))), "{sent:?}");
    assert!(listener.nobody_dialled());
}

#[tokio::test]
async fn next_is_never_repeated_when_the_server_may_have_it() {
    let (mut sender, _receiver, mut listener) = long_poll().await;
    let mut peer = spoken(&mut sender, &mut listener).await;
    let (sent, ()) = tokio::join!(sender.send(ClientEvent::Next { pair: None }), async {
        peer.request().await;
        drop(peer);
    });
    assert!(matches!(sent, Err(ClientError::Io(_))), "{sent:?}");
    assert!(listener.nobody_dialled());
}

#[tokio::test]
async fn leave_is_repeated_because_nobody_leaves_twice() {
    let (mut sender, _receiver, mut listener) = long_poll().await;
    let mut peer = spoken(&mut sender, &mut listener).await;
    let (sent, request) = tokio::join!(sender.send(ClientEvent::Leave), async {
        peer.request().await;
        drop(peer);
        let mut peer = listener.accept().await;
        let request = peer.request().await;
        peer.answer(204, "").await;
        request
    });
    assert!(sent.is_ok(), "{sent:?}");
    assert!(request.starts_with("DELETE /api/session"), "{request}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_of_the_connection() {
    let (_sender, mut receiver, mut listener) = long_poll().await;
    let mut peer = warmed(&mut receiver, &mut listener).await;
    let (received, ()) = tokio::join!(receiver.receive(), async {
        peer.request().await;
        peer.answer_with(200, "content-length: 100\r\nx-", "{\"events\"").await;
        drop(peer);
    });
    assert!(matches!(received, Err(ClientError::Io(_))), "{received:?}");
    assert_eq!(receiver.cursor(), Seq(6));
}

#[tokio::test]
async fn a_refusal_is_told_as_the_problem_that_it_is() {
    let (mut sender, _receiver, mut listener) = long_poll().await;
    let mut peer = spoken(&mut sender, &mut listener).await;
    let (sent, ()) = tokio::join!(sender.send(say("a")), async {
        peer.request().await;
        peer.answer(429, PROBLEM).await;
    });
    match sent {
        Err(ClientError::Refused(problem)) => {
            assert_eq!((problem.status, problem.detail.as_str()), (429, "wait 1 s"));
        }
        other => panic!("{other:?}"),
    }
    let (sent, ()) = tokio::join!(sender.send(say("b")), async {
        peer.request().await;
        peer.answer(502, "<html>").await;
    });
    assert!(matches!(sent, Err(ClientError::Protocol(_))), "{sent:?}");
}

#[tokio::test]
async fn nothing_is_asked_after_the_last_event_of_a_session() {
    let (_sender, mut receiver, mut listener) = long_poll().await;
    let mut peer = warmed(&mut receiver, &mut listener).await;
    let (last, _) = polled(&mut receiver, &mut peer, &batch(&[closing(7)], 7)).await;
    assert_eq!(last, [7]);
    for _ in 0..2 {
        let received = receiver.receive().await;
        assert!(matches!(received, Err(ClientError::Closed)), "{received:?}");
    }
    assert_eq!(receiver.requests(), 2);
}

#[tokio::test]
async fn an_acknowledgement_needs_no_request() {
    let (mut sender, _receiver, mut listener) = long_poll().await;
    let sent = sender.send(ClientEvent::Ack { seq: Seq(3) }).await;
    assert_eq!(sent.expect("always accepted"), Sent::Accepted);
    assert!(listener.nobody_dialled());
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let (_sender, mut receiver, mut listener) = long_poll().await;
    let (received, ()) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        peer.request().await;
        let body = " ".repeat(ANSWER_BYTES_MAX + 1);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        peer.0.write_all(head.as_bytes()).await.expect("the client reads the head");
        // The client may hang up before it has taken all of it.
        let _ = peer.0.write_all(body.as_bytes()).await;
    });
    assert!(matches!(received, Err(ClientError::Protocol(_))), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let (_sender, mut receiver, mut listener) = long_poll().await;
    let asked_at = Instant::now();
    let (received, mut peer) = tokio::join!(receiver.receive(), listener.accept());
    assert!(matches!(received, Err(ClientError::Unanswered(_))), "{received:?}");
    assert_eq!(asked_at.elapsed(), Duration::from_secs(25) + ANSWER_WAIT_MAX);
    peer.request().await;
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_of_the_connection() {
    for kind in TransportKind::ALL {
        let (wire, listener) = wire(64);
        drop(listener);
        match open(kind, wire, options()).await {
            Err(ClientError::Io(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            }
            Err(error) => panic!("{kind}: {error:?}"),
            Ok(_) => panic!("{kind}: nobody listens"),
        }
    }
}
