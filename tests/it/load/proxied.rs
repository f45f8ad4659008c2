//! A proxy before a server that dies: it goes on to accept connections, and says in its own way that
//! nobody is there.

use std::net::SocketAddr;
use std::time::Duration;

use client::TransportKind;
use loadtest::{Measured, Options, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::attached::Attached;
use super::{TURN, small};

const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\
                           Connection: close\r\nContent-Length: 0\r\n\r\n";

/// Passes bytes on to `server`, and gives this answer where there is none; its address.
async fn proxy(server: SocketAddr, without_server: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(server).await else {
                    let _is_gone = client.read(&mut [0; 4_096]).await;
                    let _is_gone = client.write_all(without_server.as_bytes()).await;
                    return;
                };
                let _is_over = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    addr
}

/// Why a run over `kind` failed whose server dies behind a proxy.
async fn death(kind: TransportKind, without_server: &'static str) -> String {
    let server = Attached::start();
    let behind = server.url.strip_prefix("http://").and_then(|addr| addr.parse().ok());
    let addr = proxy(behind.expect("an address"), without_server).await;
    let options = Options { target: Some(format!("http://{addr}")), ..small(kind) };
    let turn = TURN.lock().await;
    let measured = loadtest::run(&options, |progress| {
        if matches!(progress.phase, Phase::Measuring { elapsed, .. } if elapsed > Duration::from_millis(400))
        {
            server.kill();
        }
    });
    let Measured { series, failures, .. } = measured.await.expect("the window was open");
    drop(turn);
    let messages = &series[0].messages;
    assert!(messages.delivered > 0 && messages.failed > 0, "{messages:?}");
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    let why = failure.why.strip_prefix(&format!("http://{addr} "));
    why.unwrap_or_else(|| panic!("{failure:?}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_dies_behind_a_proxy_is_named_whatever_the_proxy_does() {
    for kind in [TransportKind::Websocket, TransportKind::LongPoll, TransportKind::SocketioPolling]
    {
        assert_eq!(
            death(kind, BAD_GATEWAY).await,
            "answers 502 in place of racetrack: the server behind it cannot be reached",
            "{kind}"
        );
        assert_eq!(
            death(kind, "").await,
            "accepts connections and closes them without an answer: the server behind it cannot be \
             reached",
            "{kind}"
        );
    }
}
