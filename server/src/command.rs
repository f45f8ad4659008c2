//! The server as a command: configure, bind, say where, serve, stop on a signal.
//!
//! `racetrack serve` and `racetrack-server` are both this.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tracing::{info, warn};

use crate::accept::Server;
use crate::config::Config;
use crate::interrupt::Interrupt;
use crate::metrics::Process;
use crate::options::Serve;
use crate::owner;

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: u32 = 4_096;

/// Serves until SIGINT or SIGTERM; a second signal ends the drain. The log begins with the version.
///
/// # Errors
///
/// One line that says what to do: the configuration is wrong, or the address is taken, not ours,
/// or not allowed.
pub fn run(serve: &Serve, version: &str) -> anyhow::Result<()> {
    run_telling(serve, version, |news| match news {
        News::Listening(address) => format!("listening on http://{address}"),
        News::Checked(config) => config.to_toml().trim_end().to_owned(),
    })
}

/// What a server has to say on standard output.
#[derive(Debug)]
pub enum News<'a> {
    /// It serves here.
    Listening(SocketAddr),
    /// It would serve with this, and was asked for no more.
    Checked(&'a Config),
}

/// The same, with the words in which it tells that on standard output.
///
/// # Errors
///
/// As [`run`].
pub fn run_telling(
    serve: &Serve,
    version: &str,
    tell: impl FnOnce(News<'_>) -> String,
) -> anyhow::Result<()> {
    let config = serve.config()?;
    let addr = config.addr.resolve().with_context(|| unknown(&config))?;
    serve.log().init()?;
    serve.warn_of_unknown_variables();
    if serve.is_check() {
        return announce(&tell(News::Checked(&config))).context("cannot print the configuration");
    }
    runtime()?.block_on(async {
        let listener = bind(&config, addr).map_err(|error| refused(&config, error))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let listener = listener.into_std()?;
        let limits = limits(&config);
        let server = Arc::new(Server::new(config, Some(Process::read))?);
        let orphaned = serve.until_input_ends().then(owner::watch).transpose()?;
        let orphaned = async move {
            match orphaned {
                Some(orphaned) => orphaned.await,
                None => std::future::pending().await,
            }
        };
        // Before anybody can know of the server: until then a signal ends the process undrained.
        let (mut asked, mut insisted) = (Interrupt::listen()?, Interrupt::listen()?);
        for worker in 1..serve.workers().get() {
            assist(worker, &server, listener.try_clone()?)?;
        }
        let workers = serve.workers();
        info!(version, %address, workers, open_files_max = open_files_max(), limits, "serving");
        announce(&tell(News::Listening(address))).context("cannot say where it listens")?;
        let listener = TcpListener::from_std(listener)?;
        let asked = async move {
            asked.came().await;
            info!("stopping; once more to stop at once");
        };
        let insisted = async {
            insisted.came().await;
            insisted.came().await;
        };
        tokio::select! {
            () = server.serve(listener, asked) => {}
            () = insisted => warn!("stopped before everybody was told"),
            () = orphaned => {}
        }
        Ok(())
    })
}

/// One thread's runtime. tokio's own pool of threads lets what it has just woken run before what
/// waits for longer, and under full load those who are served seldom wait a hundred times as long
/// as the others; a thread that takes everything in turn is fair.
fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// One more thread that accepts from the same listener; it ends with the server.
fn assist(
    worker: usize,
    server: &Arc<Server>,
    listener: std::net::TcpListener,
) -> anyhow::Result<()> {
    let (runtime, server) = (runtime()?, Arc::clone(server));
    let listener = {
        let _registered_there = runtime.enter();
        TcpListener::from_std(listener)?
    };
    std::thread::Builder::new()
        .name(format!("worker-{worker}"))
        .spawn(move || runtime.block_on(server.assist(listener)))
        .context("the system starts no more threads; choose fewer with --workers")?;
    Ok(())
}

/// Listens; what is set here holds for every connection that is accepted.
fn bind(config: &Config, addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    if config.send_buffer_bytes > 0 {
        socket.set_send_buffer_size(config.send_buffer_bytes)?;
    }
    // A peer that is gone without a word takes nothing either, and only the system sees that while
    // its buffer has room.
    let write_max = Duration::from_millis(config.write_ms_max);
    SockRef::from(&socket).set_tcp_user_timeout(Some(write_max))?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// The limits of size, and whatever else is not the default.
fn limits(config: &Config) -> String {
    let Config { sessions_max, connections_max, connections_per_address_max, .. } = config;
    let sizes = [
        format!("sessions_max={sessions_max}"),
        format!("connections_max={connections_max}"),
        format!("connections_per_address_max={connections_per_address_max}"),
    ];
    let changed = config.changed();
    let changed = changed.lines().filter(|line| !sizes.iter().any(|size| size == line));
    sizes.iter().map(String::as_str).chain(changed).collect::<Vec<_>>().join(" ")
}

/// How many files this process may have open; each connection is one. 0 where that cannot be told.
fn open_files_max() -> u64 {
    rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(0, |(soft, _)| soft)
}

fn unknown(config: &Config) -> String {
    format!(
        "cannot listen on {}; the system does not know that name: write an address",
        config.addr
    )
}

/// Why it cannot listen, and what to do.
fn refused(config: &Config, error: io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => {
            "a port below 1024 takes root or CAP_NET_BIND_SERVICE; choose a higher one with --addr"
        }
        ErrorKind::AddrNotAvailable => {
            "that is no address of this machine; 0.0.0.0 or [::] are all of them"
        }
        _ => "choose another address with --addr, port 0 takes a free one",
    };
    anyhow::Error::new(error).context(format!("cannot listen on {}; {advice}", config.addr))
}

/// Standard output is for programs that wait for the address; a closed pipe is no reason to fail.
fn announce(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
