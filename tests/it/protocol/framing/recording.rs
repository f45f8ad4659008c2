//! A connector whose connections keep a copy of everything that passes.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use client::{Connect, TcpConnector};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What passed over one connection.
#[derive(Default, Clone)]
pub(super) struct Connection {
    pub(super) sent: Vec<u8>,
    pub(super) received: Vec<u8>,
}

/// Opens connections and records them in the order in which they were opened.
#[derive(Clone)]
pub(super) struct Recorder {
    server: TcpConnector,
    connections: Arc<Mutex<Vec<Connection>>>,
}

impl Recorder {
    pub(super) fn new(server: TcpConnector) -> Self {
        Self { server, connections: Arc::default() }
    }

    /// A copy of everything so far.
    pub(super) fn connections(&self) -> Vec<Connection> {
        lock(&self.connections).clone()
    }
}

impl Connect for Recorder {
    type Stream = Recorded;

    async fn connect(&self) -> io::Result<Recorded> {
        let stream = self.server.connect().await?;
        let mut connections = lock(&self.connections);
        connections.push(Connection::default());
        let index = connections.len() - 1;
        Ok(Recorded { stream, connections: Arc::clone(&self.connections), index })
    }
}

/// One recorded connection.
pub(super) struct Recorded {
    stream: TcpStream,
    connections: Arc<Mutex<Vec<Connection>>>,
    index: usize,
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = &buffer.filled()[before..];
        lock(&self.connections)[self.index].received.extend_from_slice(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        lock(&self.connections)[self.index].sent.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn lock(connections: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}
