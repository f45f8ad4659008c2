//! The server's processes: one, and while it is rolled over another one beside it. Children of this
//! one, killed when they are let go of, and where this one is killed they end with their standard
//! input: whatever ends a run, no server is left behind.
//!
//! New connections go to the current one. A process is judged by how it ends: only a signal may
//! end it, a drain ends it well, and it never panics.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use server::config::Config;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::loopback::Loopback;
use crate::plan::{FaultKind, Plan};

/// How long a server may take until it says where it listens.
const START_WAIT_MAX: Duration = Duration::from_secs(15);
/// What a drain may take beyond what the server allows itself.
const DRAIN_SLACK: Duration = Duration::from_secs(5);
/// How long the end of a log may take behind the end of its process.
const LOG_WAIT_MAX: Duration = Duration::from_secs(1);
/// Lines of a server's log that are kept to explain its end.
const LOG_LINES_MAX: usize = 40;

/// All servers of one run.
pub(super) struct Servers {
    program: PathBuf,
    config: Config,
    loopback: Loopback,
    current: Mutex<Current>,
    /// Every process that was started.
    all: RefCell<Vec<Rc<Mutex<Process>>>>,
    /// What a process has done that it must not.
    complaints: Complaints,
}

type Complaints = Rc<RefCell<Vec<String>>>;

/// The one that new connections go to.
struct Current {
    process: Rc<Mutex<Process>>,
    /// It is down, or on its way.
    is_struck: bool,
}

impl Servers {
    /// Starts the first.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or does not become a server.
    pub(super) async fn start(program: &Path, plan: &Plan, loopback: Loopback) -> io::Result<Self> {
        let (program, config) = (program.to_owned(), plan.config.server.clone());
        let complaints = Complaints::default();
        let process = Process::start(&program, &config, &complaints).await?;
        loopback.redirect(process.address);
        let process = Rc::new(Mutex::new(process));
        let all = RefCell::new(vec![Rc::clone(&process)]);
        let current = Mutex::new(Current { process, is_struck: false });
        Ok(Self { program, config, loopback, current, all, complaints })
    }

    /// Strikes the current server, and mends it after a while; returns how many connections that
    /// touched.
    ///
    /// # Errors
    ///
    /// Another one does not start.
    pub(super) async fn strike(&self, kind: FaultKind, lasts: Duration) -> io::Result<usize> {
        if kind == FaultKind::Freeze {
            return Ok(self.freeze(lasts).await);
        }
        let mut current = self.current.lock().await;
        if current.is_struck {
            return Ok(0);
        }
        let touched = self.loopback.live_connections();
        let struck = Rc::clone(&current.process);
        if kind == FaultKind::RollingDrain {
            self.replace(&mut current).await?;
        } else {
            current.is_struck = true;
        }
        drop(current);
        match kind {
            FaultKind::Crash => struck.lock().await.kill().await,
            _ => struck.lock().await.terminate(),
        }
        tokio::time::sleep(lasts).await;
        // A drain may still be under way; its time is over.
        struck.lock().await.kill().await;
        if kind != FaultKind::RollingDrain {
            self.replace(&mut *self.current.lock().await).await?;
        }
        Ok(touched)
    }

    async fn freeze(&self, lasts: Duration) -> usize {
        let frozen = Rc::clone(&self.current.lock().await.process);
        frozen.lock().await.signal(Signal::SIGSTOP);
        let touched = self.loopback.live_connections();
        tokio::time::sleep(lasts).await;
        // It may have been killed meanwhile, and does not mind.
        frozen.lock().await.signal(Signal::SIGCONT);
        touched
    }

    /// Starts another one, where new connections go from now on.
    async fn replace(&self, current: &mut Current) -> io::Result<()> {
        let process = Process::start(&self.program, &self.config, &self.complaints).await?;
        self.loopback.redirect(process.address);
        current.process = Rc::new(Mutex::new(process));
        current.is_struck = false;
        self.all.borrow_mut().push(Rc::clone(&current.process));
        Ok(())
    }

    /// Drains the last one and ends them all; says what servers have done that they must not.
    pub(super) async fn end(&self) -> Vec<String> {
        let last = Rc::clone(&self.current.lock().await.process);
        let time_max = self.config.drain_max() + DRAIN_SLACK;
        let has_ended = last.lock().await.drained(time_max).await;
        if !has_ended {
            let complaint = format!("the server did not end within {time_max:?} of SIGTERM");
            self.complaints.borrow_mut().push(complaint);
        }
        self.kill().await;
        self.complaints.take()
    }

    /// Ends them all; returns when they are gone.
    pub(super) async fn kill(&self) {
        let all = self.all.borrow().clone();
        for process in all {
            process.lock().await.kill().await;
        }
    }
}

/// One process.
struct Process {
    child: Child,
    /// Closed when this program is gone, however it ended; the server ends with it.
    _input: Option<ChildStdin>,
    address: SocketAddr,
    log: Rc<RefCell<Vec<String>>>,
    /// Ends with the log; taken when it was read to the end.
    logged: Option<JoinHandle<()>>,
    is_told_to_end: bool,
    complaints: Complaints,
}

impl Process {
    async fn start(program: &Path, config: &Config, complaints: &Complaints) -> io::Result<Self> {
        let mut child = command(program, config).spawn()?;
        // Taken out of the child, which would close it when it is waited for.
        let input = child.stdin.take();
        let log = Rc::default();
        let stderr = child.stderr.take().expect("it was just piped");
        let logged = keep(BufReader::new(stderr).lines(), Rc::clone(&log));
        let logged = tokio::task::spawn_local(logged);
        let stdout = child.stdout.take().expect("it was just piped");
        let mut lines = BufReader::new(stdout).lines();
        let listening = tokio::time::timeout(START_WAIT_MAX, listening_on(&mut lines)).await;
        let Ok(Some(address)) = listening else {
            let _gone = child.kill().await;
            let _late = tokio::time::timeout(LOG_WAIT_MAX, logged).await;
            let program = program.display();
            let what = format!("`{program} serve` does not serve; it said: {}", said(&log));
            return Err(io::Error::other(what));
        };
        // Whatever else it prints must be read, or it would block on a full pipe.
        tokio::task::spawn_local(keep(lines, Rc::default()));
        let complaints = Rc::clone(complaints);
        let logged = Some(logged);
        let is_told_to_end = false;
        Ok(Self { child, _input: input, address, log, logged, is_told_to_end, complaints })
    }

    fn signal(&self, signal: Signal) {
        // The id of one that is gone is not known any more, and may be somebody else's.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            let _gone = kill(Pid::from_raw(id), signal);
        }
    }

    /// SIGTERM.
    fn terminate(&mut self) {
        self.complain_of_an_end();
        self.is_told_to_end = true;
        self.signal(Signal::SIGTERM);
    }

    /// SIGTERM; says whether it ended in this time.
    async fn drained(&mut self, time_max: Duration) -> bool {
        self.terminate();
        tokio::time::timeout(time_max, self.child.wait()).await.is_ok()
    }

    /// SIGKILL; returns when it is gone and its log is read.
    async fn kill(&mut self) {
        self.complain_of_an_end();
        self.is_told_to_end = true;
        // Only who is gone cannot be killed.
        let _gone = self.child.kill().await;
        let Some(logged) = self.logged.take() else { return };
        let _late = tokio::time::timeout(LOG_WAIT_MAX, logged).await;
        let panicked = self.log.borrow().iter().find(|line| line.contains("panicked at")).cloned();
        if let Some(panicked) = panicked {
            self.complaints.borrow_mut().push(format!("the server panicked: {panicked}"));
        }
    }

    /// Of one that nobody asked for, and of one that did not end well: whom a signal ended, we did.
    fn complain_of_an_end(&mut self) {
        let Ok(Some(status)) = self.child.try_wait() else { return };
        if !self.is_told_to_end || status.code().is_some_and(|code| code != 0) {
            let what = format!("the server ended ({status}); it said: {}", said(&self.log));
            self.complaints.borrow_mut().push(what);
        }
    }
}

/// The command that serves with these limits, and with no others that this process was told.
fn command(program: &Path, config: &Config) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RACETRACK_") {
            command.env_remove(name);
        }
    }
    command.args(["serve", "--until-input-ends"]).args(arguments(config)).env("RUST_LOG", "warn");
    // A group of its own is orphaned when this program is gone, and the system continues and ends a
    // process of such a group that is stopped.
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Every limit as a flag: they are named alike.
fn arguments(config: &Config) -> Vec<String> {
    let config = Config { addr: SocketAddr::from(([127, 0, 0, 1], 0)).into(), ..config.clone() };
    let Ok(Value::Object(fields)) = serde_json::to_value(config) else { return Vec::new() };
    let values = fields.into_iter().filter_map(|(name, value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Array(items) if items.is_empty() => return None,
            Value::Array(items) => {
                let items = items.iter().filter_map(Value::as_str);
                items.collect::<Vec<_>>().join(",")
            }
            value => value.to_string(),
        };
        Some([format!("--{}", name.replace('_', "-")), value])
    });
    values.flatten().collect()
}

/// The address in the line `listening on http://ADDR`; none when the output ends without it.
async fn listening_on(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<SocketAddr> {
    while let Ok(Some(line)) = lines.next_line().await {
        let address = line.trim().strip_prefix("listening on http://");
        if let Some(address) = address.and_then(|address| address.parse().ok()) {
            return Some(address);
        }
    }
    None
}

/// Keeps the last lines that a process writes.
async fn keep(mut lines: Lines<BufReader<impl AsyncRead + Unpin>>, log: Rc<RefCell<Vec<String>>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = log.borrow_mut();
        if log.len() == LOG_LINES_MAX {
            log.remove(0);
        }
        log.push(line);
    }
}

fn said(log: &RefCell<Vec<String>>) -> String {
    let log = log.borrow();
    if log.is_empty() { "nothing".to_owned() } else { log.join("\n") }
}
