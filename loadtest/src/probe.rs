//! Whether a server that is not a process of ours still accepts connections.
//!
//! A probe is one TCP connection that is closed at once. It is made only after clients have met
//! errors, so that a server in good order never sees one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How long a server may take to accept a connection.
const ACCEPT_WAIT_MAX: Duration = Duration::from_secs(5);
/// From one probe to the next.
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// How long after an error the server is probed: its clients lose their connections a moment before
/// it stops to listen, or a moment after.
const SUSPECTED_FOR: Duration = Duration::from_secs(3);

/// Looks after one address.
#[derive(Debug)]
pub(crate) struct Probe {
    addr: SocketAddr,
    /// The errors that clients have met, and when the last of them was heard of.
    errors: u64,
    suspected_at: Option<Instant>,
    asked_at: Option<Instant>,
    asking: Option<JoinHandle<io::Result<()>>>,
}

impl Probe {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self { addr, errors: 0, suspected_at: None, asked_at: None, asking: None }
    }

    /// Why a connection was not accepted that was asked for by an earlier call. Asks again while
    /// clients, who have met so many `errors` now, meet more of them.
    pub(crate) fn refusal(&mut self, errors: u64) -> Option<io::Error> {
        let now = Instant::now();
        if errors > self.errors {
            (self.errors, self.suspected_at) = (errors, Some(now));
        }
        let is_within = |at: Option<Instant>, time| at.is_some_and(|at| now - at < time);
        let is_suspect = is_within(self.suspected_at, SUSPECTED_FOR);
        if self.asking.is_none() && is_suspect && !is_within(self.asked_at, PROBE_EVERY) {
            self.asked_at = Some(now);
            self.asking = Some(tokio::spawn(connect(self.addr, ACCEPT_WAIT_MAX)));
        }
        let answered = self.asking.as_mut()?.now_or_never()?;
        self.asking = None;
        answered.ok()?.err()
    }
}

/// Connects and lets go again.
pub(crate) async fn connect(addr: SocketAddr, wait_max: Duration) -> io::Result<()> {
    let connected = timeout(wait_max, TcpStream::connect(addr)).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn server_is_probed_after_errors_only_and_refuses_once_it_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut probe = Probe::new(listener.local_addr().expect("it is bound"));
        assert!(probe.refusal(0).is_none() && probe.asking.is_none(), "no client met an error");
        assert!(probe.refusal(1).is_none() && probe.asking.is_some());
        listener.accept().await.expect("it was asked");
        drop(listener);
        for errors in 2.. {
            if let Some(refused) = probe.refusal(errors) {
                return assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            }
            tokio::time::sleep(PROBE_EVERY).await;
            assert!(errors < 20, "nobody listens");
        }
    }
}
