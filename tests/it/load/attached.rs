//! A server in a process of its own, which a run is told to load and did not start.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use super::SERVER;

/// Killed when it is dropped.
pub(super) struct Attached {
    process: Mutex<Child>,
    pub(super) url: String,
}

impl Attached {
    pub(super) fn start() -> Self {
        let mut command = Command::new(SERVER);
        command.args(["serve", "--addr", "127.0.0.1:0", "--connections-per-address-max", "0"]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the program can be started");
        let mut stdout = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it listens");
        let url = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
        Self { process: Mutex::new(process), url }
    }

    /// Sends the signal of this name, without `SIG`.
    pub(super) fn signal(&self, name: &str) {
        let pid = self.process.lock().expect("no panic").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill is there");
        assert!(sent.success());
    }

    /// SIGKILL.
    pub(super) fn kill(&self) {
        let mut process = self.process.lock().expect("no panic");
        process.kill().and_then(|()| process.wait()).expect("it is our child");
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.kill();
    }
}
