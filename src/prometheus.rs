//! `--prometheus ADDR`: what a load run is at, served while the command runs.
//!
//! The server has a thread of its own, so that it answers whatever the people do, and one command
//! may make several runs.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use loadtest::board::{self, Board};
use server::config::ListenAddress;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use reports::cli::output;

/// Serves `GET /metrics` until it is dropped.
pub(crate) struct Exporter {
    pub(crate) board: Arc<Board>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Listens on `addr` and says where, which differs for port 0.
    pub(crate) fn start(address: &ListenAddress) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let listener = async { TcpListener::bind(address.resolve()?).await };
        let listener = runtime.block_on(listener).with_context(|| {
            format!("cannot listen on {address}; choose another address with --prometheus")
        })?;
        output::warn(&format!("metrics: http://{}/metrics", listener.local_addr()?));
        let board = Arc::new(Board::default());
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, Arc::clone(&board), stopped);
        let thread = thread::Builder::new().name("prometheus".to_owned()).spawn(move || {
            if let Err(error) = runtime.block_on(serving) {
                output::warn(&format!("metrics are no longer served: {error}"));
            }
        })?;
        Ok(Self { board, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _its_panic_is_told_already = thread.join();
        }
    }
}

/// Until it is told to stop; whoever is being answered then is not waited for.
async fn serve(
    listener: TcpListener,
    board: Arc<Board>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let metrics = move || async move { ([(CONTENT_TYPE, board::CONTENT_TYPE)], board.text()) };
    let router = Router::new().route("/metrics", get(metrics));
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served,
        _dropped = stopped => Ok(()),
    }
}
