//! A server that runs as a child process.
//!
//! It is killed when this program lets go of it. Where this program is killed itself, the standard input of the child ends; a server that
//! ends with its input is never left behind.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::process::{Command as StdCommand, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::{self, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::process::{Process, Signal};

/// Lines of a child's log that are kept to explain its end.
const LOG_LINES_MAX: usize = 40;

/// A program that is a server.
#[derive(Debug)]
pub struct Program {
    /// Makes the command that starts it. Standard input stays open as long as the run lasts, so a server that ends with its input
    /// is never left behind.
    pub command: StdCommand,
    /// Finds the address that it listens at in a line of its standard output.
    pub address_in: fn(&str) -> Option<SocketAddr>,
    /// How long it may take to end once it is asked to; none if it does not end then.
    pub ends_within: Option<Duration>,
}

impl Program {
    /// A fresh command: one is used up by each process.
    fn command(&self) -> StdCommand {
        let mut command = StdCommand::new(self.command.get_program());
        command.args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
}

/// Starts children of one program.
pub(crate) struct Children(pub(crate) Program);

struct ServerProgram {
    child: Child,
    /// Closed when this program is gone, however it ended.
    _input: Option<ChildStdin>,
    output: Rc<Output>,
    ended: Option<ExitStatus>,
}

/// What a child has written.
#[derive(Default)]
struct Output {
    address: Cell<Option<SocketAddr>>,
    log: RefCell<Vec<String>>,
    /// Of standard output and standard error.
    streams_ended: Cell<usize>,
}

impl Children {
    /// Starts one, within a set of local tasks.
    pub(crate) fn start(&self) -> io::Result<Box<dyn Process>> {
        let mut command = Command::from(self.0.command());
        // A group of its own is orphaned when this program is gone, and the system continues and ends a process of such a group that is
        // stopped.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        // Taken out of the child, which would close it when it is waited for.
        let input = child.stdin.take();
        let output = Rc::new(Output::default());
        let address_in = self.0.address_in;
        if let Some(stdout) = child.stdout.take() {
            tokio::task::spawn_local(read(stdout, Rc::clone(&output), Some(address_in)));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::task::spawn_local(read(stderr, Rc::clone(&output), None));
        }
        Ok(Box::new(ServerProgram { child, _input: input, output, ended: None }))
    }
}

/// Keeps the last lines that a child writes, and the address that it tells.
async fn read(
    stream: impl AsyncRead + Unpin,
    output: Rc<Output>,
    address_in: Option<fn(&str) -> Option<SocketAddr>>,
) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let (None, Some(address_in)) = (output.address.get(), address_in) {
            output.address.set(address_in(&line));
        }
        let mut log = output.log.borrow_mut();
        if log.len() == LOG_LINES_MAX {
            log.remove(0);
        }
        log.push(line);
    }
    output.streams_ended.set(output.streams_ended.get() + 1);
}

impl Process for ServerProgram {
    fn address(&self) -> Option<SocketAddr> {
        self.output.address.get()
    }

    fn signal(&mut self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => signal::Signal::SIGTERM,
            Signal::Kill => signal::Signal::SIGKILL,
            Signal::Stop => signal::Signal::SIGSTOP,
            Signal::Continue => signal::Signal::SIGCONT,
        };
        // The id of a process that is gone is not known any more, and may be another's.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            let _gone = kill(Pid::from_raw(id), signal);
        }
    }

    fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended.is_some()
    }

    fn is_logged(&self) -> bool {
        self.output.streams_ended.get() == 2
    }

    fn log(&self) -> String {
        let log = self.output.log.borrow();
        if log.is_empty() { "empty".to_owned() } else { log.join("\n") }
    }

    fn complaints(&mut self, is_told: bool) -> Vec<String> {
        let mut complaints = Vec::new();
        let panicked =
            self.output.log.borrow().iter().find(|line| line.contains("panicked at")).cloned();
        complaints.extend(panicked.map(|line| format!("panicked: {line}")));
        if let Some(status) = self.ended
            // A process that a signal ended, was ended by this program.
            && (!is_told || status.code().is_some_and(|code| code != 0))
        {
            complaints.push(format!("ended ({status}); its log: {}", self.log()));
        }
        complaints
    }
}
