//! What is reported upstream, as programs: `docs/upstream/` quotes them. A test that fails here says that
//! the dependency has changed, and that the server need no longer work around it.

use axum::Router;
use futures_util::{SinkExt, StreamExt};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// A server with a namespace that greets whoever connects, on a free port.
async fn serve() -> String {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async |_: SocketRef| ());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let app = Router::new().layer(layer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// One request over a connection of its own; gives the status line and the body.
async fn ask(address: &str, method: &str, target: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.expect("the server is there");
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    let request = format!("{head}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

#[tokio::test]
async fn engineioxide_ends_a_polling_connection_whose_upgrade_fails() {
    let address = serve().await;
    let (_, open) = ask(&address, "GET", POLLING, "").await;
    let sid = open.split('"').nth(3).expect("OPEN has a sid");
    let polling = format!("{POLLING}&sid={sid}");
    ask(&address, "POST", &polling, "40").await;
    while !ask(&address, "GET", &polling, "").await.1.contains("40{") {}

    let stream = TcpStream::connect(&address).await.expect("the server is there");
    let url = format!("ws://{address}{}", polling.replace("polling", "websocket"));
    let (mut socket, _) = client_async(url, stream).await.expect("the server upgrades");
    socket.send(Message::text("2probe")).await.expect("the server reads");
    let answer = socket.next().await.expect("an answer").expect("a frame");
    assert_eq!(answer, Message::text("3probe"));

    // The client has not sent "5", so its transport is still polling. Nothing is sent to it, and each
    // poll is answered at once.
    for _ in 0..100 {
        assert_eq!(ask(&address, "GET", &polling, "").await.1, "6");
    }
    // A proxy breaks the WebSocket.
    drop(socket);
    let unknown = loop {
        let (status, body) = ask(&address, "GET", &polling, "").await;
        if body != "6" {
            break (status, body);
        }
    };
    // Expected: the polls go on as if there had been no WebSocket.
    assert_eq!(unknown.0, "HTTP/1.1 400 Bad Request");
    assert_eq!(unknown.1, r#"{"code":"1","message":"Session ID unknown"}"#);
}
