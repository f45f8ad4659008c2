//! The real server behind connections in memory, under a clock that stands still for as long as
//! anybody has anything to do.
//!
//! Everything from the bytes of a connection inwards is what production runs; only the listener is
//! not the operating system's. A panic of any task is a panic of whoever started the server.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, UnhandledPanic};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::answer::Answer;

/// Where everybody seems to come from.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
/// What one end of a connection may have sent that the other has not read.
const PIPE_BYTES: usize = 65_536;
/// More than any answer has that ends.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How long an answer to a plain request may take.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How much longer than its drain a server may take to end.
const END_MAX: Duration = Duration::from_secs(5);

/// The way to a server.
#[derive(Clone)]
pub(crate) struct Memory(UnboundedSender<DuplexStream>);

struct Door(UnboundedReceiver<DuplexStream>);

impl Listener for Door {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        match self.0.recv().await {
            Some(stream) => (stream, ADDRESS),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(ADDRESS)
    }
}

/// Visits a server, and holds it to its promise that it drains in time.
pub(crate) fn with_server(config: Config, visit: impl AsyncFnOnce(&Memory)) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .unhandled_panic(UnhandledPanic::ShutdownRuntime)
        .build();
    let drain_max = config.drain_max() + END_MAX;
    runtime.expect("a runtime without input and output asks for nothing").block_on(async {
        let (connections, door) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel::<()>();
        let shutdown = async {
            // Dropped is told as well.
            let _ = ended.await;
        };
        let serving = tokio::spawn(server::serve(Door(door), config, shutdown));
        visit(&Memory(connections)).await;
        drop(end);
        let served = timeout(drain_max, serving).await.expect("a server drains in time");
        served.expect("no task panics").expect("a checked config is served");
    });
}

impl Memory {
    pub(crate) fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        self.0.send(theirs).expect("the server outlives its visitors");
        ours
    }

    /// Writes all of it on a new connection and reads what comes until the server closes, for as
    /// long as `patience` at most.
    pub(crate) async fn converse(&self, said: &[u8], patience: Duration) -> Vec<u8> {
        let (reader, mut writer) = tokio::io::split(self.connect());
        let mut answer = Vec::new();
        let mut reader = reader.take(ANSWER_BYTES_MAX);
        let read = timeout(patience, reader.read_to_end(&mut answer));
        let write = async {
            // Whoever is refused early need not be listened to.
            let _ = writer.write_all(said).await;
            pending::<()>().await;
        };
        tokio::select! {
            _ = read => {}
            () = write => {}
        }
        answer
    }

    /// The answer to one request, which must come; `headers` are whole lines.
    pub(crate) async fn ask(&self, line: &str, headers: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {headers}\r\n"
        );
        let answers = self.converse(&[head.as_bytes(), body].concat(), ANSWER_MAX).await;
        let (answer, _) = Answer::split_first(&answers)
            .unwrap_or_else(|| panic!("{line} is not answered: {}", answers.escape_ascii()));
        answer
    }
}
