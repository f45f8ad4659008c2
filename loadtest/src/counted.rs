//! A connector that counts: every byte that the people read and write, below HTTP and WebSocket.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use client::Connect;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of all connections together since the run began.
#[derive(Debug, Default)]
pub struct Bytes {
    /// Written by the clients.
    pub sent: AtomicU64,
    /// Read by the clients.
    pub received: AtomicU64,
}

/// Connects as `inner` does and counts what goes through.
#[derive(Debug, Clone)]
pub struct Counted<C> {
    inner: C,
    bytes: Arc<Bytes>,
}

impl<C> Counted<C> {
    /// Counts the connections of `inner` in `bytes`.
    pub fn new(inner: C, bytes: Arc<Bytes>) -> Self {
        Self { inner, bytes }
    }
}

impl<C: Connect> Connect for Counted<C> {
    type Stream = CountedStream<C::Stream>;

    async fn connect(&self) -> io::Result<Self::Stream> {
        Ok(CountedStream { inner: self.inner.connect().await?, bytes: Arc::clone(&self.bytes) })
    }
}

/// A byte stream that counts.
#[derive(Debug)]
pub struct CountedStream<S> {
    inner: S,
    bytes: Arc<Bytes>,
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = (buf.filled().len() - before) as u64;
        self.bytes.received.fetch_add(read, Ordering::Relaxed);
        polled
    }
}

impl<S: AsyncWrite + Unpin> CountedStream<S> {
    fn count(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = polled {
            self.bytes.sent.fetch_add(written as u64, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.count(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.count(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Connects to an echo that answers twice what it hears.
    #[derive(Clone)]
    struct Echo;

    impl Connect for Echo {
        type Stream = tokio::io::DuplexStream;

        async fn connect(&self) -> io::Result<Self::Stream> {
            let (near, mut far) = tokio::io::duplex(64);
            tokio::spawn(async move {
                let mut heard = [0; 3];
                far.read_exact(&mut heard).await?;
                far.write_all(&heard).await?;
                far.write_all(&heard).await
            });
            Ok(near)
        }
    }

    #[tokio::test]
    async fn every_byte_of_every_connection_is_counted_in_its_direction() {
        let bytes = Arc::new(Bytes::default());
        let connector = Counted::new(Echo, Arc::clone(&bytes));
        for _ in 0..2 {
            let mut stream = connector.connect().await.expect("the echo always answers");
            stream.write_all(b"abc").await.expect("the echo reads three");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("the echo ends");
            assert_eq!(answer, b"abcabc");
        }
        let counts = [&bytes.sent, &bytes.received].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [6, 12]);
    }
}
