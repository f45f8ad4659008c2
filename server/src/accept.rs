//! The accept loop: connections in, limits on them, and an orderly end.
//!
//! ```text
//!   shutdown ──> everybody is told `closing`, nobody new is let in (503)
//!            ──> until nothing is left to read, or the drain time is over: requests go on
//!            ──> no more connections; those that are idle or done are closed
//!            ──> the rest of the drain time: whatever is still being written
//! ```

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socketioxide::SocketIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tracing::{debug, info};

use crate::config::Config;
use crate::hub::Hub;
use crate::router::router;
use crate::transport::socketio;

/// Serves people on `listener` until `shutdown` resolves and everybody has been told, which takes
/// [`Config::drain_ms_max`] at most. Everything runs on the calling task and on tasks that it
/// spawns; none outlives the call by more than it takes to notice.
///
/// # Errors
///
/// The operating system gives no entropy.
pub async fn serve<L: Listener>(
    listener: L,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let hub = Hub::new(config).map_err(io::Error::other)?;
    let (router, io) = socketio::mount(router(Arc::clone(&hub)), Arc::clone(&hub));
    let server = Server::new(&hub, router, io);
    tokio::select! {
        () = server.run(listener, shutdown) => Ok(()),
        () = hub.run_timers() => unreachable!("the timers run until they are dropped"),
    }
}

struct Server {
    hub: Arc<Hub>,
    router: Router,
    io: SocketIo,
    closing: watch::Sender<bool>,
    connections: Arc<Semaphore>,
}

impl Server {
    fn new(hub: &Arc<Hub>, router: Router, io: SocketIo) -> Self {
        let connections = Arc::new(Semaphore::new(hub.config().connections_max));
        Self { hub: Arc::clone(hub), router, io, closing: watch::Sender::new(false), connections }
    }

    async fn run<L: Listener>(self, mut listener: L, shutdown: impl Future<Output = ()>) {
        self.accept_until(&mut listener, shutdown).await;
        info!("draining");
        let deadline = Instant::now() + self.hub.config().drain_max();
        self.hub.drain();
        let drained = async {
            let _late = tokio::time::timeout_at(deadline, self.hub.drained()).await;
        };
        self.accept_until(&mut listener, drained).await;
        drop(listener);
        let _late = tokio::time::timeout_at(deadline, self.close()).await;
        info!("closed");
    }

    async fn accept_until<L: Listener>(&self, listener: &mut L, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                (io, permit) = self.accept(listener) => self.spawn(Connection { io, _permit: permit }),
            }
        }
    }

    /// The next connection, once there is room for it; until then it waits in the backlog.
    async fn accept<L: Listener>(&self, listener: &mut L) -> (L::Io, OwnedSemaphorePermit) {
        let permit = Arc::clone(&self.connections).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let (io, _address) = listener.accept().await;
        (io, permit)
    }

    fn spawn<Io>(&self, connection: Connection<Io>)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let header_read_max = Duration::from_millis(self.hub.config().header_read_ms_max);
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_read_max)
            .serve_connection(
                TokioIo::new(connection),
                TowerToHyperService::new(self.router.clone()),
            )
            .with_upgrades();
        let mut closing = self.closing.subscribe();
        let closing = async move { closing.wait_for(|closing| *closing).await.map(|_| ()) };
        tokio::spawn(async move {
            let mut served = pin!(served);
            let ended = tokio::select! {
                ended = served.as_mut() => ended,
                _ = closing => {
                    served.as_mut().graceful_shutdown();
                    served.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, "connection");
            }
        });
    }

    async fn close(self) {
        let connections_max = self.hub.config().connections_max as u32;
        self.io.close().await;
        self.closing.send_replace(true);
        // Every permit comes back with its connection, also with those that were upgraded.
        let _permits = self.connections.acquire_many(connections_max).await;
    }
}

/// A connection that gives its place back when it is dropped, whoever holds it by then.
struct Connection<Io> {
    io: Io,
    _permit: OwnedSemaphorePermit,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Connection<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Connection<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
