//! What the transport of server-sent events promises.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::*;
use crate::event_stream::Parser;
use crate::{ACKNOWLEDGE_EVERY, ClientError, Sent, open};

type Halves = (Sender<Wire>, Receiver<Wire>);

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                           transfer-encoding: chunked\r\n\r\n";

async fn resumed(options: Options) -> (Halves, Listener) {
    let (wire, listener) = wire(64 * 1024);
    let halves = open(TransportKind::Sse, wire, options).await.expect("resuming asks nobody");
    (halves, listener)
}

impl Peer {
    /// The request for a stream, answered with its head.
    async fn stream(&mut self) -> String {
        let request = self.request().await;
        self.0.write_all(STREAM_HEAD.as_bytes()).await.expect("the client reads");
        request
    }

    async fn chunk(&mut self, text: &str) {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        self.0.write_all(chunk.as_bytes()).await.expect("the client reads");
    }

    async fn events(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            self.chunk(&format!("id: {seq}\ndata: {}\n\n", event(seq))).await;
        }
    }
}

/// What a parser makes of a text that comes in pieces of so many bytes.
fn parsed(text: &str, piece_bytes: usize) -> Vec<(String, String)> {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for piece in text.as_bytes().chunks(piece_bytes) {
        parser.push(piece).expect("this is an event stream");
        while let Some(event) = parser.pop() {
            events.push((event.event, event.data));
        }
    }
    events
}

#[test]
fn a_stream_means_the_same_however_the_network_cuts_it_and_whatever_ends_a_line() {
    let text = "retry: 1000\n\n: a comment\n:\n\nid: 7\ndata: 안녕\n\nevent: two\ndata:a\ndata: b\n\
                data\nunknown: x\n\nevent: without data\n\ndata: not complete\n";
    let event = |event: &str, data: &str| (event.to_owned(), data.to_owned());
    let expected = [event("", "안녕"), event("two", "a\nb\n")];
    for line_end in ["\n", "\r\n", "\r"] {
        let text = text.replace('\n', line_end);
        for piece_bytes in 1..=text.len() {
            assert_eq!(parsed(&text, piece_bytes), expected, "{line_end:?} {piece_bytes}");
        }
    }
}

#[test]
fn what_has_no_end_and_what_is_not_utf_8_is_not_held() {
    let endless = vec![b'x'; crate::ANSWER_BYTES_MAX + 1];
    assert!(matches!(Parser::default().push(&endless), Err(ClientError::Protocol(_))));
    assert!(matches!(Parser::default().push(b"data: \xff\n"), Err(ClientError::Protocol(_))));
}

#[tokio::test]
async fn a_session_is_opened_and_its_stream_is_asked_for_by_the_first_receiving() {
    let (wire, mut listener) = wire(64 * 1024);
    let (halves, mut commands) = tokio::join!(open(TransportKind::Sse, wire, options()), async {
        let mut peer = listener.accept().await;
        assert!(peer.request().await.starts_with("POST /api/session HTTP/1.1\r\n"));
        peer.answer(201, OPENED).await;
        peer
    });
    let (mut sender, mut receiver) = halves.expect("the session opens");
    assert!(listener.nobody_dialled());
    let (received, _peer) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        let request = peer.stream().await;
        assert!(request.starts_with("GET /api/stream?after=0 HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("authorization: bearer abc\r\n"), "{request}");
        peer.chunk("retry: 1000\n\n").await;
        peer.events([1]).await;
        peer
    });
    assert_eq!(seqs(&received.expect("an event")), [1]);

    let ack = ClientEvent::Ack { seq: Seq(1) };
    let (sent, request) = tokio::join!(sender.send(ack), async {
        let request = commands.request().await;
        commands.answer(202, "").await;
        request
    });
    assert_eq!(sent.expect("an answer"), Sent::Accepted);
    assert!(request.starts_with("POST /api/ack HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with(r#"{"seq":1}"#), "{request}");
}

#[tokio::test]
async fn every_sixty_fourth_event_is_acknowledged_and_no_event_waits_for_that() {
    let ((_sender, mut receiver), mut listener) = resumed(resuming(0)).await;
    let (first, mut peer) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        peer.stream().await;
        peer.events(1..=ACKNOWLEDGE_EVERY + 3).await;
        peer
    });
    assert_eq!(seqs(&first.expect("an event")), [1]);
    for seq in 2..=ACKNOWLEDGE_EVERY + 2 {
        assert_eq!(seqs(&receiver.receive().await.expect("an event")), [seq]);
    }
    // The acknowledgement is on its way, nobody answers it, and the next event comes all the same.
    let next = receiver.receive().await.expect("an event");
    assert_eq!(seqs(&next), [ACKNOWLEDGE_EVERY + 3]);
    let acknowledged = async {
        let mut acknowledgements = listener.accept().await;
        let request = acknowledgements.request().await;
        acknowledgements.answer(202, "").await;
        peer.events([ACKNOWLEDGE_EVERY + 4]).await;
        request
    };
    let (received, request) = tokio::join!(receiver.receive(), acknowledged);
    assert_eq!(seqs(&received.expect("an event")), [ACKNOWLEDGE_EVERY + 4]);
    assert!(request.starts_with("POST /api/ack HTTP/1.1\r\n"), "{request}");
    let seq = format!(r#"{{"seq":{ACKNOWLEDGE_EVERY}}}"#);
    assert!(request.ends_with(&seq), "{request}");
    assert_eq!(receiver.requests(), 2);
}

#[tokio::test]
async fn a_stream_that_was_cut_goes_on_behind_the_last_event_that_was_given_out() {
    let ((_sender, mut receiver), mut listener) = resumed(resuming(6)).await;
    let (received, mut peer) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        assert!(peer.stream().await.starts_with("GET /api/stream?after=6 "));
        peer.events([7]).await;
        peer
    });
    assert_eq!(seqs(&received.expect("an event")), [7]);
    peer.chunk(&format!("id: 8\ndata: {}", &event(8)[..20])).await;
    drop(peer);
    assert!(matches!(receiver.receive().await, Err(ClientError::Io(_))), "half an event is none");
    let (received, _peer) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        assert!(peer.stream().await.starts_with("GET /api/stream?after=7 "));
        peer.events([7, 8]).await;
        peer
    });
    assert_eq!(received.expect("an event that it has").repeated, [Seq(7)]);
    let received = receiver.receive().await.expect("an event");
    assert_eq!(seqs(&received), [8], "and what came before comes once");
}

#[tokio::test]
async fn a_call_that_is_dropped_loses_neither_the_stream_nor_an_event() {
    let ((_sender, mut receiver), mut listener) = resumed(resuming(0)).await;
    let (received, mut peer) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        peer.stream().await;
        peer.events([1]).await;
        peer
    });
    assert_eq!(seqs(&received.expect("an event")), [1]);
    assert!(receiver.receive().now_or_never().is_none());
    peer.events([2]).await;
    assert_eq!(seqs(&receiver.receive().await.expect("an event")), [2]);
    assert!(listener.nobody_dialled());
}

#[tokio::test]
async fn the_end_of_a_session_a_second_reader_and_a_refusal_are_told_apart() {
    let ((_sender, mut receiver), mut listener) = resumed(resuming(0)).await;
    let superseded = PROBLEM.replace("/problems/rate", "/problems/superseded");
    let end =
        format!("event: refused\ndata: {{\"type\":\"refused\",\"problem\":{superseded}}}\n\n");
    let (outcome, ()) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        peer.stream().await;
        peer.chunk(&end).await;
    });
    let kind = "/problems/superseded";
    assert!(matches!(outcome, Err(ClientError::Refused(problem)) if problem.kind == kind));

    let ((_sender, mut receiver), mut listener) = resumed(resuming(0)).await;
    let (outcome, ()) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        peer.request().await;
        peer.answer(429, PROBLEM).await;
    });
    assert!(matches!(outcome, Err(ClientError::Refused(problem)) if problem.status == 429));

    let ((_sender, mut receiver), mut listener) = resumed(resuming(0)).await;
    let (outcome, ()) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        peer.stream().await;
        peer.chunk(&format!("id: 1\ndata: {}\n\n", closing(1))).await;
    });
    assert_eq!(seqs(&outcome.expect("the last event")), [1]);
    assert!(matches!(receiver.receive().await, Err(ClientError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn silence_is_borne_as_long_as_was_agreed_and_a_comment_breaks_it() {
    let silence_max = Duration::from_secs(3);
    let options = Options { silence_max, ..resuming(0) };
    let ((_sender, mut receiver), mut listener) = resumed(options).await;
    let begun = Instant::now();
    let (end, _peer) = tokio::join!(receiver.receive(), async {
        let mut peer = listener.accept().await;
        peer.stream().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        peer.chunk(":\n\n").await;
        peer
    });
    assert!(matches!(end, Err(ClientError::HeartbeatMissed(max)) if max == silence_max));
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}
