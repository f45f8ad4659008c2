//! The server as a command: bind, say where, serve, stop on a signal.
//!
//! `racetrack serve` and `racetrack-server` are both this.

use std::io::{self, Write};

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: u32 = 4_096;

/// Serves until SIGINT or SIGTERM; a second signal ends the drain.
///
/// # Errors
///
/// One line that says what to do: the address is taken, not ours, or not allowed.
pub async fn run(config: Config) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(io::stderr)
        .init();
    let listener = bind(&config).with_context(|| advice(&config))?;
    let address = listener.local_addr().context("the listener has no address")?;
    announce(&format!("listening on http://{address}"))?;
    let (asked, insisted) = (stop_signal()?, stop_signal()?);
    tokio::select! {
        served = crate::serve(listener, config, async { asked.once().await }) => served?,
        () = async { insisted.twice().await } => warn!("stopped before everybody was told"),
    }
    Ok(())
}

fn bind(config: &Config) -> io::Result<TcpListener> {
    let socket = if config.addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    socket.bind(config.addr)?;
    socket.listen(BACKLOG)
}

fn advice(config: &Config) -> String {
    format!(
        "cannot listen on {}; choose another address with --addr, port 0 takes a free one",
        config.addr
    )
}

/// Standard output is for programs that wait for the address; a closed pipe is no reason to fail.
fn announce(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

struct StopSignal {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

fn stop_signal() -> anyhow::Result<StopSignal> {
    Ok(StopSignal {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    })
}

impl StopSignal {
    async fn once(mut self) {
        self.recv().await;
        info!("stopping; once more to stop at once");
    }

    async fn twice(mut self) {
        self.recv().await;
        self.recv().await;
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
