//! The server under load: a process of its own, or one that already runs.
//!
//! A process of its own shares no allocator, runtime or file descriptors with the generator, so its
//! processor time and memory are its own and can be read from outside. It is killed when the
//! [`Target`] is dropped, and where this program is killed it ends at the end of its standard input,
//! a pipe that nobody writes to: whatever ends a run, no server is left behind.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;

use client::{ClientError, TcpConnector, TransportKind};
use protocol::ClientEvent;

use crate::cores::Cores;
use crate::identify;
use crate::probe::{Gone, Probe};
use crate::process::{self, Usage};

/// How long a server may take until it says where it listens.
const START_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a server that runs may take to accept a connection.
const REACH_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often the end of a process is looked for while it is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Lines of the server's log that are kept to explain its end.
const LOG_LINES_MAX: usize = 20;

/// A server that accepts connections.
#[derive(Debug)]
pub struct Target {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What to call it in the Host header.
    pub host: String,
    child: Option<Running>,
    probe: Probe,
}

#[derive(Debug)]
struct Running {
    process: Child,
    log: Log,
    /// Closed when this program is gone, however it ended; the server ends with it.
    _input: Option<ChildStdin>,
}

/// There is no server to load.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The URL is not one that can be loaded.
    #[error("--target {url}: only http://HOST:PORT can be loaded{advice}")]
    Url {
        /// What was asked for.
        url: String,
        /// What to write instead, where that can be told.
        advice: String,
    },
    /// Something else listens there.
    #[error(
        "{url} is not a racetrack server: {looks}; what can be loaded is `racetrack serve`, or a \
         server that speaks its protocol (docs/src/protocol.md)"
    )]
    Foreign {
        /// What was asked for.
        url: String,
        /// What it looks like.
        looks: String,
    },
    /// Nothing answers there.
    #[error("cannot reach {url}: {source}; is the server running?")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The caller gave no program.
    #[error("there is no command that starts a server, and no --target")]
    NoCommand,
    /// The program cannot be run.
    #[error("cannot start the server `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The program ran and did not become a server.
    #[error("the server `{program}` {what}; it said: {log}")]
    NotReady {
        /// The program.
        program: String,
        /// What it did instead.
        what: String,
        /// Its last lines on standard error.
        log: String,
    },
}

impl Target {
    /// A server that already runs, for example `http://127.0.0.1:3000`.
    ///
    /// # Errors
    ///
    /// The URL is none, or nothing accepts a connection there.
    pub async fn attach(url: &str) -> Result<Self, TargetError> {
        let host = host_of(url).ok_or_else(|| {
            let (url, advice) = (url.to_owned(), advice_on(url));
            TargetError::Url { url, advice }
        })?;
        let connect = tokio::time::timeout(REACH_WAIT_MAX, TcpStream::connect(&host));
        let reached = connect
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
            .and_then(|stream| stream.peer_addr());
        match reached {
            Ok(addr) => Ok(Self { addr, host, child: None, probe: Probe::new(addr) }),
            Err(source) => Err(TargetError::Unreachable { url: url.to_owned(), source }),
        }
    }

    /// Refuses a server of another kind. One that does not answer like racetrack passes where a
    /// client of `kind` can open a session on it, or is refused for a reason.
    ///
    /// # Errors
    ///
    /// What listens there is something else; the error says what it looks like.
    pub async fn recognise(&mut self, kind: TransportKind) -> Result<(), TargetError> {
        let Some(looks) = identify::looks_like(self.addr, &self.host).await else {
            self.probe.expect_answers(&self.host);
            return Ok(());
        };
        let connector = TcpConnector { target: self.addr, source: None };
        let opening = client::open(kind, connector, client::Options::new(self.host.clone()));
        match tokio::time::timeout(REACH_WAIT_MAX, opening).await {
            Ok(Ok((mut sender, _receiver))) => {
                let leaving = sender.send(ClientEvent::Leave);
                let _late = tokio::time::timeout(REACH_WAIT_MAX, leaving).await;
                Ok(())
            }
            Ok(Err(ClientError::Refused(_))) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                Err(TargetError::Foreign { url: format!("http://{}", self.host), looks })
            }
        }
    }

    /// Starts `command` with `--addr 127.0.0.1:0` and `limits` appended, and waits until it says
    /// `listening on http://ADDR` on its standard output. With `cores` it stays on the server's.
    ///
    /// # Errors
    ///
    /// It cannot be run, ends, or says nothing for 10 seconds.
    pub async fn spawn(
        command: &[OsString],
        limits: &[String],
        cores: Option<Cores>,
    ) -> Result<Self, TargetError> {
        let (program, arguments) = command.split_first().ok_or(TargetError::NoCommand)?;
        let name = program.to_string_lossy().into_owned();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["--addr", "127.0.0.1:0"])
            .args(limits)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for this program, which has to hear the last messages from the server.
            .process_group(0)
            .kill_on_drop(true);
        let started = match cores {
            Some(cores) => cores.start_server(|| command.spawn()),
            None => command.spawn(),
        };
        let mut process =
            started.map_err(|source| TargetError::Start { program: name.clone(), source })?;
        // Taken out of the process, which would close it when it is waited for.
        let input = process.stdin.take();
        let log = Log::default();
        let stderr = process.stderr.take().expect("it was just piped");
        let logged = tokio::spawn(log.clone().keep(BufReader::new(stderr).lines()));
        let stdout = process.stdout.take().expect("it was just piped");
        let mut lines = BufReader::new(stdout).lines();
        match tokio::time::timeout(START_WAIT_MAX, listening_on(&mut lines)).await {
            Ok(Some(addr)) => {
                // Whatever else it prints must be read, or it would block on a full pipe.
                tokio::spawn(Log::default().keep(lines));
                let child = Some(Running { process, log, _input: input });
                let host = addr.to_string();
                Ok(Self { addr, host, child, probe: Probe::new(addr) })
            }
            ended => {
                let what = match ended {
                    Err(_) => format!("did not listen within {START_WAIT_MAX:?}"),
                    Ok(_) => {
                        // Its standard error ends with it, or a moment later.
                        let _ = tokio::time::timeout(Duration::from_secs(1), logged).await;
                        "ended before it listened".to_owned()
                    }
                };
                let log = log.text();
                Err(TargetError::NotReady { program: name, what, log })
            }
        }
    }

    /// The server's process; none where it is not ours.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref()?.process.id()
    }

    /// What the server has cost so far; none where it is not a process of ours.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        process::usage_of(self.process_id()?).ok()
    }

    /// How the server ended, if it was ours and has ended.
    pub fn ended(&mut self) -> Option<String> {
        let running = self.child.as_mut()?;
        let status = running.process.try_wait().ok()??;
        Some(format!("the server ended: {}; it said: {}", told(status), running.log.text()))
    }

    /// How it showed that the server is gone: its process has ended, or, where that is not ours, it
    /// accepts no connections any more, or what stands before it says so. The latter is asked in the background when `errors`, the
    /// number of errors that clients have met, has risen, so that the answer comes with a later call.
    pub(crate) fn gone(&mut self, errors: u64) -> Option<String> {
        if self.child.is_some() {
            return self.ended();
        }
        let gone = self.probe.gone(errors)?;
        Some(self.told(&gone))
    }

    /// The same, asked at once and waited for.
    pub(crate) async fn gone_within(&mut self, wait_max: Duration) -> Option<String> {
        if self.child.is_none() {
            let gone = self.probe.gone_within(wait_max).await?;
            return Some(self.told(&gone));
        }
        let deadline = Instant::now() + wait_max;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn told(&self, gone: &Gone) -> String {
        format!("http://{} {gone}", self.host)
    }
}

/// How a process ended.
fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The address in the line `listening on http://ADDR`; none when the output ends without it.
async fn listening_on(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<SocketAddr> {
    while let Ok(Some(line)) = lines.next_line().await {
        let url = line.trim().strip_prefix("listening on http://");
        if let Some(addr) = url.and_then(|addr| addr.trim_end_matches('/').parse().ok()) {
            return Some(addr);
        }
    }
    None
}

/// `HOST:PORT` of an `http://` URL; the port is 80 where there is none.
fn host_of(url: &str) -> Option<String> {
    let host = url.strip_prefix("http://")?.trim_end_matches('/');
    let valid = !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    valid.then(|| match has_port {
        true => host.to_owned(),
        false => format!("{host}:80"),
    })
}

/// What to write instead of a URL that cannot be loaded, as the end of a sentence; empty where that
/// cannot be told.
fn advice_on(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once(['/', '?', '#']).unwrap_or((rest, ""));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let why = match scheme {
        "https" | "wss" => {
            return "; it connects without TLS, so give the address behind what ends TLS"
                .to_owned();
        }
        "http" | "ws" | "" if host.is_empty() => return String::new(),
        "" => "",
        "http" if !user.is_empty() => ", without credentials",
        "http" if !path.is_empty() => ", without a path: racetrack's own are fixed",
        "http" => return String::new(),
        "ws" => ", whatever the transport",
        _ => return String::new(),
    };
    let instead = format!("http://{host}");
    if host_of(&instead).is_none() {
        return String::new();
    }
    format!("; write {instead}{why}")
}

/// The last lines that a process wrote.
#[derive(Debug, Default, Clone)]
struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    async fn keep<R: AsyncRead + Unpin>(self, mut lines: Lines<BufReader<R>>) {
        while let Ok(Some(line)) = lines.next_line().await {
            let mut kept = self.0.lock().expect("nothing panics under this lock");
            if kept.len() == LOG_LINES_MAX {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    }

    fn text(&self) -> String {
        let kept = self.0.lock().expect("nothing panics under this lock");
        if kept.is_empty() {
            return "nothing".to_owned();
        }
        kept.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<OsString> {
        ["sh", "-c", script].map(OsString::from).to_vec()
    }

    #[tokio::test]
    async fn a_server_is_ready_when_it_says_where_it_listens() {
        let script = "echo starting; echo listening on http://127.0.0.1:4321; exec cat /dev/zero";
        let mut target = Target::spawn(&shell(script), &[], None).await.expect("it said so");
        assert_eq!(target.host, "127.0.0.1:4321");
        assert_eq!(target.ended(), None);
        assert!(target.usage().expect("the process runs").rss_bytes > 0);
    }

    #[tokio::test]
    async fn a_server_that_ends_at_once_is_refused_with_its_own_words() {
        let error = Target::spawn(&shell("echo no such flag >&2; exit 2"), &[], None)
            .await
            .expect_err("it ended");
        assert_eq!(
            error.to_string(),
            "the server `sh` ended before it listened; it said: no such flag"
        );
    }

    #[tokio::test]
    async fn the_address_and_the_limits_are_given_to_the_server() {
        let script = r#"echo "$*" >&2; exit 1"#;
        let mut command = shell(script);
        command.push("serve".into());
        let error = Target::spawn(&command, &["--sessions-max".to_owned(), "9".to_owned()], None)
            .await
            .expect_err("it ended");
        assert!(error.to_string().ends_with("--addr 127.0.0.1:0 --sessions-max 9"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = Target::spawn(&["/no/such/server".into()], &[], None)
            .await
            .expect_err("there is no such program");
        assert!(error.to_string().starts_with("cannot start the server `/no/such/server`: "));
    }

    #[tokio::test]
    async fn a_target_that_does_not_listen_is_named_in_one_line() {
        // Bound and not listening: a port that was closed again could be anybody's, and a process
        // that another test forks at that moment still listens on it until it is another program.
        let bound = tokio::net::TcpSocket::new_v4().expect("a socket");
        bound.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let addr = bound.local_addr().expect("it is bound");
        let url = format!("http://{addr}");
        let error = Target::attach(&url).await.expect_err("nobody listens");
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot reach {url}: Connection refused")), "{text}");
        assert!(text.ends_with("; is the server running?"), "{text}");
    }

    #[tokio::test]
    async fn what_is_not_plain_http_is_refused() {
        let tls = "; it connects without TLS, so give the address behind what ends TLS";
        for (url, advice) in [
            ("https://example.org", tls),
            ("wss://example.org/ws", tls),
            ("ws://a:1/ws", "; write http://a:1, whatever the transport"),
            ("127.0.0.1:3000", "; write http://127.0.0.1:3000"),
            ("http://a/b", "; write http://a, without a path: racetrack's own are fixed"),
            ("http://u:p@a:1", "; write http://a:1, without credentials"),
            ("http://", ""),
            ("ftp://a", ""),
        ] {
            let error = Target::attach(url).await.expect_err("not to be loaded");
            let expected = format!("--target {url}: only http://HOST:PORT can be loaded{advice}");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn the_port_of_http_is_80() {
        assert_eq!(host_of("http://example.org/"), Some("example.org:80".to_owned()));
        assert_eq!(host_of("http://[::1]:3000"), Some("[::1]:3000".to_owned()));
    }
}
