//! The production server on a free port of the loopback, in the process of the test.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use server::config::Config;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::http::ask;

pub(super) struct Served {
    pub(super) addr: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

/// An address at which nobody listens, for as long as the socket lives. A listener that is closed
/// again would not do: its port could be anybody's, and a process that another test is about to
/// start listens on it until it is another program.
pub(super) fn nobody() -> (TcpSocket, SocketAddr) {
    let bound = TcpSocket::new_v4().expect("a socket");
    bound.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let addr = bound.local_addr().expect("it is bound");
    (bound, addr)
}

pub(super) async fn serve(config: Config) -> Served {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    serve_on(listener, config)
}

/// Serves on a listener that was made otherwise.
pub(super) fn serve_on(listener: TcpListener, config: Config) -> Served {
    let addr = listener.local_addr().expect("the listener is bound");
    let (shutdown, told) = oneshot::channel();
    let end = async {
        // A test that is over drops its end, and that is an end as well.
        let _ = told.await;
    };
    let task = tokio::spawn(server::serve(listener, config, end));
    Served { addr, shutdown: Some(shutdown), task }
}

impl Served {
    /// Opens a session; gives its token.
    pub(super) async fn token(&self) -> String {
        let opened = ask("POST /api/session").of(self.addr).await;
        let opened: Value = opened.json();
        opened["token"].as_str().expect("a session has a token").to_owned()
    }

    /// Two who talk to each other; gives both tokens.
    pub(super) async fn couple(&self) -> (String, String) {
        (self.token().await, self.token().await)
    }

    /// Says something in somebody's name.
    pub(super) async fn say(&self, token: &str, id: &str, text: &str) -> super::http::Answer {
        let say = json!({ "id": id, "text": text });
        ask("POST /api/messages").bearer(token).json(say).of(self.addr).await
    }

    /// SIGTERM.
    pub(super) fn shut_down(&mut self) {
        let shutdown = self.shutdown.take().expect("a server is shut down once");
        shutdown.send(()).expect("the server is there");
    }

    /// Waits until the server has ended in good order.
    pub(super) async fn ended(self) {
        self.task.await.expect("the server does not panic").expect("the server ends well");
    }
}
