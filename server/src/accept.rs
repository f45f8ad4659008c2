//! The accept loop: connections in, limits on them, and an orderly end.
//!
//! ```text
//!   shutdown ──> everybody is told `closing`, nobody new is let in (503)
//!            ──> until everything was read, or the drain time is over: requests go on
//!            ──> no more connections; those that are idle or done are closed
//!            ──> the rest of the drain time: whatever is still being written
//! ```

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tracing::{debug, info, trace};

use crate::addresses::Addresses;
use crate::answers::Answers;
use crate::config::Config;
use crate::connection::{Connection, Peer};
use crate::forwarded;
use crate::gate::{Gate, GateService};
use crate::hub::Hub;
use crate::metrics::ReadProcess;
use crate::refusal;
use crate::router::Served;
use crate::transport::classic::Classic;
use crate::transport::socketio::Sockets;
use crate::waiting::RequestTimer;

/// Connections that are told at the same time that their address has too many; further ones are
/// closed without a word.
const REFUSED_AT_ONCE_MAX: usize = 64;

/// Serves people on `listener` until `shutdown` resolves and everybody has been told, which takes
/// [`Config::drain_ms_max`] at most. Everything runs on the calling task and on tasks that it
/// spawns; none outlives the call by more than it takes to notice.
///
/// # Errors
///
/// `InvalidInput` when a limit cannot be meant; another when the operating system gives no entropy.
pub async fn serve<L: Listener<Addr = SocketAddr>>(
    listener: L,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    Server::new(config, None)?.serve(listener, shutdown).await;
    Ok(())
}

/// One hub and the services in front of it, for as many listeners as there are threads to serve.
pub(crate) struct Server {
    hub: Arc<Hub>,
    gate: Arc<Gate>,
    sockets: Sockets,
    classic: Arc<Classic>,
    http: http1::Builder,
    closing: watch::Sender<bool>,
    closed: watch::Sender<bool>,
    connections: Arc<Semaphore>,
    refused: Arc<Semaphore>,
}

impl Server {
    /// A server that nobody has reached yet, which shows what the process uses where it is told how to
    /// read that.
    ///
    /// # Errors
    ///
    /// As [`serve`].
    pub(crate) fn new(config: Config, process: Option<ReadProcess>) -> io::Result<Self> {
        config.check().map_err(|nonsense| io::Error::new(io::ErrorKind::InvalidInput, nonsense))?;
        let hub = Hub::new(config).map_err(io::Error::other)?;
        let config = hub.config();
        let Served { router, sockets, classic } = Served::new(&hub, process);
        let addresses = Addresses::new(config.connections_per_address_max);
        let answers = Answers::new(config);
        let mut http = http1::Builder::new();
        // How long a header may take is the business of the timer that each connection has.
        http.header_read_timeout(Duration::from_millis(config.keep_alive_ms_max))
            .max_buf_size(config.header_bytes_max);
        let connections = Arc::new(Semaphore::new(config.connections_max));
        Ok(Self {
            gate: Arc::new(Gate { hub: Arc::clone(&hub), addresses, answers, router }),
            hub,
            sockets,
            classic,
            http,
            closing: watch::Sender::new(false),
            closed: watch::Sender::new(false),
            connections,
            refused: Arc::new(Semaphore::new(REFUSED_AT_ONCE_MAX)),
        })
    }

    /// Serves until `shutdown` resolves and everybody has been told.
    pub(crate) async fn serve<L: Listener<Addr = SocketAddr>>(
        &self,
        listener: L,
        shutdown: impl Future<Output = ()>,
    ) {
        tokio::select! {
            () = self.run(listener, shutdown) => {}
            () = self.hub.run_timers() => unreachable!("the timers run until they are dropped"),
        }
        self.closed.send_replace(true);
    }

    /// Serves beside [`Server::serve`] and as long as that: every connection stays with whom it was
    /// accepted by.
    pub(crate) async fn assist<L: Listener<Addr = SocketAddr>>(&self, mut listener: L) {
        let is_told = async |told: &watch::Sender<bool>| {
            let mut told = told.subscribe();
            // Fails only without a sender, and this server is one.
            let _told = told.wait_for(|told| *told).await;
        };
        self.accept_until(&mut listener, is_told(&self.closing)).await;
        drop(listener);
        is_told(&self.closed).await;
    }

    async fn run<L: Listener<Addr = SocketAddr>>(
        &self,
        mut listener: L,
        shutdown: impl Future<Output = ()>,
    ) {
        self.accept_until(&mut listener, shutdown).await;
        info!("draining");
        let deadline = Instant::now() + self.hub.config().drain_max();
        self.hub.drain();
        self.classic.drain();
        self.sockets.drain();
        let told = async {
            self.hub.drained().await;
            // What was handed to a socket that is polled is told with the polls to come.
            self.sockets.close().await;
        };
        let drained = async {
            if tokio::time::timeout_at(deadline, told).await.is_err() {
                trace!(name: "drained too late", "somebody has not read everything");
            }
        };
        self.accept_until(&mut listener, drained).await;
        drop(listener);
        let _late = tokio::time::timeout_at(deadline, self.close()).await;
        info!("closed");
    }

    async fn accept_until<L: Listener<Addr = SocketAddr>>(
        &self,
        listener: &mut L,
        end: impl Future<Output = ()>,
    ) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                (io, address, permit) = self.accept(listener) => self.welcome(io, address, permit),
            }
        }
    }

    /// The next connection, once there is room for it; until then it waits in the backlog.
    async fn accept<L: Listener<Addr = SocketAddr>>(
        &self,
        listener: &mut L,
    ) -> (L::Io, IpAddr, OwnedSemaphorePermit) {
        let permit = Arc::clone(&self.connections).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let (io, address) = listener.accept().await;
        (io, address.ip().to_canonical(), permit)
    }

    fn welcome<Io>(&self, io: Io, address: IpAddr, permit: OwnedSemaphorePermit)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if forwarded::is_trusted(address, &self.hub.config().trusted_proxies) {
            self.spawn(io, Peer::proxy(Arc::clone(&self.hub), address, permit));
            return;
        }
        match self.gate.addresses.enter(address) {
            Some(address_permit) => {
                self.spawn(io, Peer::person(Arc::clone(&self.hub), address, permit, address_permit))
            }
            None => self.refuse(io, address),
        }
    }

    fn spawn<Io>(&self, io: Io, peer: Peer)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Arc::new(peer);
        let service = GateService { gate: Arc::clone(&self.gate), peer: Arc::clone(&peer) };
        let connection = TokioIo::new(Connection::new(io, Arc::clone(&peer)));
        let mut http = self.http.clone();
        http.timer(RequestTimer::new(Arc::clone(&peer)));
        let mut served = http.serve_connection(connection, service).with_upgrades();
        let mut closing = self.closing.subscribe();
        tokio::spawn(async move {
            // What is only borrowed is held once; this is most of what a connection costs.
            if let Err(error) = serve_until_closing(&mut served, &mut closing).await {
                debug!(address = %peer.address, %error, "connection");
                match (error.is_timeout(), peer.is_asking()) {
                    (true, true) => {
                        trace!(name: "slow header", address = %peer.address);
                        peer.tell_late();
                    }
                    (true, false) => trace!(name: "idle connection", address = %peer.address),
                    (false, _) => {}
                }
            }
        });
    }

    /// Tells a connection that its address has too many, if not too many are told so already.
    fn refuse<Io>(&self, io: Io, address: IpAddr)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        debug!(%address, answer = %refusal::why(&self.gate), "connection");
        trace!(name: "too many connections", %address);
        self.hub.telemetry().rejected("too-many-connections");
        let Ok(permit) = Arc::clone(&self.refused).try_acquire_owned() else { return };
        let told = refusal::tell(io, Arc::clone(&self.gate));
        tokio::spawn(async move {
            told.await;
            drop(permit);
        });
    }

    async fn close(&self) {
        let connections_max = self.hub.config().connections_max as u32;
        self.closing.send_replace(true);
        // Every permit comes back with its connection, also with those that were upgraded.
        let _permits = self.connections.acquire_many(connections_max).await;
    }
}

/// Serves until the peer has enough, or the server closes and the request at hand is answered.
async fn serve_until_closing<Io>(
    served: &mut UpgradeableConnection<TokioIo<Connection<Io>>, GateService>,
    closing: &mut watch::Receiver<bool>,
) -> hyper::Result<()>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::select! {
        ended = &mut *served => return ended,
        _ = closing.wait_for(|closing| *closing) => {}
    }
    Pin::new(&mut *served).graceful_shutdown();
    served.await
}

#[cfg(test)]
mod tests;
