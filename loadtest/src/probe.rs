//! Whether a server that is not a process of ours is still there.
//!
//! A probe is one TCP connection, and on it one request that changes nothing, where the server answered
//! that request as racetrack before the load: behind a proxy connections are accepted by the proxy. It
//! is made only after clients have met errors, so that a server in good order never sees one.
//!
//! ```text
//! refused                            nobody listens any more
//! 502, 503, 504 of somebody else     a proxy that reaches no server       ─┐ twice in a row: a proxy
//! closed without a byte              a proxy that passes on what it meets ─┘ that reloads does it once
//! no answer, any other answer        a slow server: a result
//! ```

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::identify::{self, Answered};

/// How long a server may take to accept a connection.
const ACCEPT_WAIT_MAX: Duration = Duration::from_secs(5);
/// From one probe to the next.
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// How long after an error the server is probed: its clients lose their connections a moment before
/// it stops to listen, or a moment after.
const SUSPECTED_FOR: Duration = Duration::from_secs(3);
/// From one probe to the next where it is asked at once.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How a server showed that it is gone.
#[derive(Debug)]
pub(crate) enum Gone {
    /// It accepts no connection.
    Refused(io::Error),
    /// Something in front of it says that it cannot be reached, with this status.
    Unreachable(u16),
    /// Something in front of it closes connections without an answer.
    Silent,
}

/// Looks after one server.
#[derive(Debug)]
pub(crate) struct Probe {
    addr: SocketAddr,
    /// What to call it, where it answered as racetrack.
    host: Option<String>,
    /// The errors that clients have met, and when the last of them was heard of.
    errors: u64,
    suspected_at: Option<Instant>,
    asked_at: Option<Instant>,
    asking: Option<JoinHandle<Option<Gone>>>,
    /// The last probe met a proxy without a server.
    is_doubtful: bool,
}

impl Probe {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            host: None,
            errors: 0,
            suspected_at: None,
            asked_at: None,
            asking: None,
            is_doubtful: false,
        }
    }

    /// From now on it is asked for an answer too, by this name: it has given one as racetrack.
    pub(crate) fn expect_answers(&mut self, host: &str) {
        self.host = Some(host.to_owned());
    }

    /// How the server showed that it is gone, to a probe of an earlier call. Probes again while
    /// clients, who have met so many `errors` now, meet more of them.
    pub(crate) fn gone(&mut self, errors: u64) -> Option<Gone> {
        let now = Instant::now();
        if errors > self.errors {
            (self.errors, self.suspected_at) = (errors, Some(now));
        }
        let is_within = |at: Option<Instant>, time| at.is_some_and(|at| now - at < time);
        let is_suspect = is_within(self.suspected_at, SUSPECTED_FOR);
        if self.asking.is_none() && is_suspect && !is_within(self.asked_at, PROBE_EVERY) {
            self.asked_at = Some(now);
            let (addr, host) = (self.addr, self.host.clone());
            let asking = async move { ask(addr, host.as_deref(), ACCEPT_WAIT_MAX).await };
            self.asking = Some(tokio::spawn(asking));
        }
        let answered = self.asking.as_mut()?.now_or_never()?;
        self.asking = None;
        self.judge(answered.ok()?)
    }

    /// The same, asked at once and waited for, as often as it takes.
    pub(crate) async fn gone_within(&mut self, wait_max: Duration) -> Option<Gone> {
        self.is_doubtful = false;
        let mut answered = ask(self.addr, self.host.as_deref(), wait_max).await;
        if matches!(answered, Some(Gone::Unreachable(_) | Gone::Silent)) {
            self.is_doubtful = true;
            tokio::time::sleep(AGAIN_AFTER).await;
            answered = ask(self.addr, self.host.as_deref(), wait_max).await;
        }
        self.judge(answered)
    }

    /// Believes a proxy that says the same twice in a row.
    fn judge(&mut self, answered: Option<Gone>) -> Option<Gone> {
        let is_proxy = matches!(answered, Some(Gone::Unreachable(_) | Gone::Silent));
        let was_doubtful = std::mem::replace(&mut self.is_doubtful, is_proxy);
        answered.filter(|_| was_doubtful || !is_proxy)
    }
}

/// One probe; none where the server is there, or slow.
async fn ask(addr: SocketAddr, host: Option<&str>, wait_max: Duration) -> Option<Gone> {
    let Some(host) = host else {
        let connected = timeout(wait_max, TcpStream::connect(addr)).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        return connected.err().map(Gone::Refused);
    };
    match identify::ask(addr, host, wait_max).await {
        Answered::Refused(error) => Some(Gone::Refused(error)),
        Answered::Other(status @ (502..=504)) => Some(Gone::Unreachable(status)),
        Answered::Nothing => Some(Gone::Silent),
        Answered::Racetrack | Answered::Other(_) | Answered::Late => None,
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "no longer accepts connections: {error}"),
            Self::Unreachable(status) => {
                write!(f, "answers {status} in place of racetrack: the server behind it cannot be reached")
            }
            Self::Silent => f.write_str(
                "accepts connections and closes them without an answer: the server behind it cannot be reached",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const OURS: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\n\r\n\
                        {\"type\":\"/problems/no-session\"}";
    const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\n\r\n";

    /// Something that gives these answers, one a connection, and the last one ever after.
    async fn answering(answers: &[&'static str]) -> Probe {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut probe = Probe::new(listener.local_addr().expect("it is bound"));
        probe.expect_answers("127.0.0.1");
        let mut answers: VecDeque<&str> = answers.iter().copied().collect();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answers.pop_front().expect("there is always one left");
                if answers.is_empty() {
                    answers.push_back(answer);
                }
                let _is_gone = stream.read(&mut [0; 4_096]).await;
                let _is_gone = stream.write_all(answer.as_bytes()).await;
            }
        });
        probe
    }

    #[tokio::test]
    async fn server_is_probed_after_errors_only_and_refuses_once_it_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut probe = Probe::new(listener.local_addr().expect("it is bound"));
        assert!(probe.gone(0).is_none() && probe.asking.is_none(), "no client met an error");
        assert!(probe.gone(1).is_none() && probe.asking.is_some());
        listener.accept().await.expect("it was asked");
        drop(listener);
        for errors in 2.. {
            if let Some(gone) = probe.gone(errors) {
                assert!(matches!(gone, Gone::Refused(_)), "{gone}");
                return;
            }
            tokio::time::sleep(PROBE_EVERY).await;
            assert!(errors < 20, "nobody listens");
        }
    }

    #[tokio::test]
    async fn proxy_without_server_is_believed_when_it_says_so_twice() {
        for (answers, expected) in [
            (&[OURS][..], None),
            (&[BAD_GATEWAY, OURS], None),
            (&["", OURS], None),
            (&["HTTP/1.1 404 Not Found\r\n\r\n"], None),
            (
                &[BAD_GATEWAY],
                Some("answers 502 in place of racetrack: the server behind it cannot be reached"),
            ),
            (
                &["", BAD_GATEWAY],
                Some("answers 502 in place of racetrack: the server behind it cannot be reached"),
            ),
            (
                &[""],
                Some(
                    "accepts connections and closes them without an answer: the server behind it \
                     cannot be reached",
                ),
            ),
        ] {
            let mut probe = answering(answers).await;
            let gone = probe.gone_within(Duration::from_secs(5)).await;
            let gone = gone.map(|gone| gone.to_string());
            assert_eq!(gone.as_deref(), expected, "{answers:?}");
        }
    }

    #[tokio::test]
    async fn server_full_of_work_that_says_503_itself_is_there() {
        let full = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
                    \r\n{\"type\":\"/problems/full\"}";
        let mut probe = answering(&[full]).await;
        assert!(probe.gone_within(Duration::from_secs(5)).await.is_none());
    }
}
