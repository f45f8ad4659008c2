//! Nothing of a server is left when it has ended, whoever was there: a process may have many of them,
//! one after the other.

use std::net::Ipv4Addr;
use std::sync::Weak;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server with somebody who came by Socket.IO, and what tells it to stop.
struct TestServer {
    runtime: Runtime,
    serving: tokio::task::JoinHandle<()>,
    stop: oneshot::Sender<()>,
    hub: Weak<Hub>,
    _guest: TcpStream,
}

fn test_server() -> TestServer {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = Server::new(Config::default(), None).expect("the defaults are meant");
    let hub = Arc::downgrade(&server.hub);
    let (stop, stopped) = oneshot::channel();
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let serving = runtime.spawn(async move {
        let stopped = async { drop(stopped.await) };
        server.serve(listener, stopped).await;
    });
    let guest = runtime.block_on(async {
        let mut guest = TcpStream::connect(address).await.expect("it listens");
        let opened = ask(&mut guest, "GET", "", "").await;
        let (_, sid) = opened.split_once(r#""sid":""#).expect("an open packet");
        let (sid, _) = sid.split_once('"').expect("an open packet");
        let sid = format!("&sid={sid}");
        ask(&mut guest, "POST", &sid, "40/chat,").await;
        let greeting = ask(&mut guest, "GET", &sid, "").await;
        assert!(greeting.contains("40/chat"), "{greeting}");
        guest
    });
    TestServer { runtime, serving, stop, hub, _guest: guest }
}

/// What Engine.IO answers.
async fn ask(guest: &mut TcpStream, method: &str, query: &str, body: &str) -> String {
    let request = format!(
        "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: here\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len(),
    );
    guest.write_all(request.as_bytes()).await.expect("it listens");
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(PATIENCE, guest.read(&mut answer)).await;
    let read = read.expect("an answer in time").expect("an answer");
    answer.truncate(read);
    String::from_utf8(answer).expect("an answer in words")
}

#[test]
fn a_server_that_has_closed_leaves_nothing_behind() {
    let TestServer { runtime, serving, stop, hub, _guest } = test_server();
    stop.send(()).expect("it serves");
    let closed = async { tokio::time::timeout(PATIENCE, serving).await };
    runtime.block_on(closed).expect("it closes in time").expect("it closes");
    drop(runtime);
    assert_eq!(hub.strong_count(), 0);
}

#[test]
fn a_server_that_is_dropped_leaves_nothing_behind() {
    let TestServer { runtime, hub, .. } = test_server();
    drop(runtime);
    assert_eq!(hub.strong_count(), 0);
}
