//! `racetrack serve`: it says where it listens, answers, and stops when it is asked to.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::RACETRACK;
use crate::http::ask;

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in a process of its own, which ends with the test.
pub(crate) struct Serving {
    child: Child,
    pub(crate) addr: SocketAddr,
    _stdout: Lines<BufReader<ChildStdout>>,
}

pub(crate) async fn serve(arguments: &[&str]) -> Serving {
    serve_in(arguments, &[]).await
}

/// The same, with variables of the environment.
async fn serve_in(arguments: &[&str], environment: &[(&str, &str)]) -> Serving {
    let mut command = command(arguments);
    started(command.envs(environment.iter().copied()).stderr(Stdio::null())).await
}

/// The same, with its log.
pub(super) async fn serve_logging(arguments: &[&str]) -> (Serving, ChildStderr) {
    let mut serving = started(command(arguments).stderr(Stdio::piped())).await;
    let log = serving.child.stderr.take().expect("standard error is a pipe");
    (serving, log)
}

/// Starts a server on a free port, unless the arguments say otherwise.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(RACETRACK);
    command.arg("serve").args(arguments);
    if !arguments.contains(&"--addr") {
        command.args(["--addr", "127.0.0.1:0"]);
    }
    command.stdout(Stdio::piped()).kill_on_drop(true);
    command
}

async fn started(command: &mut Command) -> Serving {
    let mut child = command.spawn().expect("the program can be started");
    let stdout = child.stdout.take().expect("standard output is a pipe");
    let mut stdout = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(PATIENCE, stdout.next_line()).await;
    let line = line.expect("it says so in time").expect("a readable line").expect("a line");
    let addr = line.strip_prefix("listening on http://").expect("it says where it listens");
    let addr = addr.parse().expect("an address");
    Serving { child, addr, _stdout: stdout }
}

impl Serving {
    /// The id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    pub(super) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("the server runs").to_string();
        let sent = Command::new("kill").args([name, &pid]).status().await;
        assert!(sent.expect("kill is there").success(), "{name}");
    }

    pub(super) async fn code(&mut self) -> Option<i32> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends in time").expect("its end is known").code()
    }
}

#[tokio::test]
async fn it_answers_and_stops_on_either_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut serving = serve(&[]).await;
        let health = ask("GET /healthz").of(serving.addr).await;
        assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
        serving.signal(signal).await;
        assert_eq!(serving.code().await, Some(0), "{signal}");
    }
}

#[tokio::test]
async fn it_waits_for_those_who_were_not_told_and_a_second_signal_ends_that() {
    let mut serving = serve(&["--drain-ms-max", "3600000"]).await;
    assert_eq!(ask("POST /api/session").of(serving.addr).await.status, 201);
    serving.signal("-TERM").await;
    while ask("GET /readyz").of(serving.addr).await.status == 200 {}
    assert_eq!(serving.child.try_wait().expect("it can be asked"), None, "somebody must be told");
    serving.signal("-TERM").await;
    assert_eq!(serving.code().await, Some(0));
}

#[tokio::test]
async fn its_limits_are_flags_and_environment() {
    let serving = serve(&["--sessions-max", "1"]).await;
    assert_eq!(ask("POST /api/session").of(serving.addr).await.status, 201);
    assert_eq!(ask("POST /api/session").of(serving.addr).await.status, 503);
}

#[tokio::test]
async fn flags_win_over_the_environment_and_that_over_the_file() {
    let dir = super::empty_dir();
    let file = dir.path().join("racetrack.toml");
    let text = "sessions_max = 1\nallowed_origins = [\"http://friend.example\"]\n";
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a path in UTF-8");
    let sessions = async |arguments: &[&str], environment: &[(&str, &str)]| {
        let serving = serve_in(arguments, environment).await;
        let open = || ask("POST /api/session").header("origin", "http://friend.example");
        let mut sessions = 0;
        while sessions < 4 && open().of(serving.addr).await.status == 201 {
            sessions += 1;
        }
        sessions
    };
    assert_eq!(sessions(&["--config", file], &[]).await, 1);
    assert_eq!(sessions(&[], &[("RACETRACK_CONFIG", file)]).await, 1);
    let environment = [("RACETRACK_CONFIG", file), ("RACETRACK_SESSIONS_MAX", "2")];
    assert_eq!(sessions(&[], &environment).await, 2);
    assert_eq!(sessions(&["--sessions-max", "3"], &environment).await, 3);
}
