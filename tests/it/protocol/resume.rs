//! Streams and sockets that break in the middle of a burst, again and again: nothing is lost and
//! nothing comes twice.

use std::time::Duration;

use client::{Options, Receiver, Resume, Sender, TcpConnector, TransportKind};
use protocol::{ClientEvent, Event, Say, Seq, ServerEvent, Speaker};
use server::config::Config;

use crate::served::{Served, serve};

/// More than a mailbox holds, so that what was acknowledged must have been forgotten.
const MESSAGES: usize = 600;
/// Events after which the connection breaks; it divides none of the intervals of acknowledgements.
const EVENTS_A_CONNECTION: usize = 37;

async fn open(
    served: &Served,
    kind: TransportKind,
    resume: Option<Resume>,
) -> (Sender<TcpConnector>, Receiver<TcpConnector>) {
    let connector = TcpConnector { target: served.addr, source: None };
    let options = Options { resume, ..Options::new(served.addr.to_string()) };
    client::open(kind, connector, options).await.expect("the session is there")
}

/// Says everything, a little ahead of what the listener has heard.
async fn say_all(mut sender: Sender<TcpConnector>, heard: tokio::sync::watch::Receiver<usize>) {
    const AHEAD_MAX: usize = 100;
    for number in 0..MESSAGES {
        let in_time = |heard: &usize| number < heard + AHEAD_MAX;
        heard.clone().wait_for(in_time).await.expect("the listener listens to the end");
        let id = format!("n-{number}").parse().expect("a short id");
        let say = Say { id, text: number.to_string().into(), pair: None };
        sender.send(ClientEvent::Say(say)).await.expect("the server is there");
    }
    std::future::pending().await
}

async fn listen(
    served: &Served,
    kind: TransportKind,
    mut resume: Resume,
    heard: tokio::sync::watch::Sender<usize>,
) {
    let mut texts = Vec::new();
    while texts.len() < MESSAGES {
        let before = resume.after;
        let (sender, mut receiver) = open(served, kind, Some(resume)).await;
        let mut count = 0;
        let mut last = before;
        while count < EVENTS_A_CONNECTION && texts.len() < MESSAGES {
            for event in receiver.receive().await.expect("the session goes on").events {
                assert_eq!(event.seq, last.next(), "{kind}");
                last = event.seq;
                count += 1;
                if let ServerEvent::Message { from: Speaker::Partner, text, .. } = event.body {
                    texts.push(text.parse::<usize>().expect("a number"));
                }
            }
            heard.send_replace(texts.len());
        }
        resume = sender.resume(receiver.cursor());
    }
    assert_eq!(texts, (0..MESSAGES).collect::<Vec<_>>(), "{kind}");
}

#[tokio::test]
async fn connections_that_break_in_a_burst_lose_nothing_and_double_nothing() {
    for kind in [TransportKind::Sse, TransportKind::Websocket] {
        let config = Config {
            messages_burst_max: 10_000,
            notice_interval_ms: 3_600_000,
            ..Config::default()
        };
        let served = serve(config).await;
        let (bob, receiver) = open(&served, kind, None).await;
        let resume = bob.resume(receiver.cursor());
        assert_eq!(resume.after, Seq(0));
        let (ann, mut anns) = open(&served, TransportKind::Websocket, None).await;
        let is_paired = |event: &Event| matches!(event.body, ServerEvent::Paired { .. });
        while !anns.receive().await.expect("a partner").events.iter().any(is_paired) {}
        drop((bob, receiver));
        let (tell, heard) = tokio::sync::watch::channel(0);
        // Ann speaks while bob breaks off and comes back; she must go on reading, as people do.
        let anns_mailbox = async {
            loop {
                anns.receive().await.expect("the session goes on");
            }
        };
        let listened = async {
            tokio::select! {
                () = listen(&served, kind, resume, tell) => {}
                () = say_all(ann, heard) => {}
                () = anns_mailbox => {}
            }
        };
        tokio::time::timeout(Duration::from_secs(60), listened).await.expect("it ends");
    }
}
