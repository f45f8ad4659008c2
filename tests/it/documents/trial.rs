//! Runs what `commands` found, each command in a folder of its own in which lies what documents
//! name: `FILE`, a plan that fails; `RUN`, `RUN_A` and `RUN_B`, runs; `racetrack.toml`, the one of
//! the book; `target/debug/racetrack`, the program.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use chat_sim::Plan;

use super::commands::{How, JSON, every_command};
use super::{document, root};
use crate::commands::plans::failing;

const RACETRACK: &str = env!("CARGO_BIN_EXE_racetrack");
/// Commands that run at once: most of their time they wait.
const AT_ONCE: usize = 4;
/// What one command may take, in seconds.
const SECONDS_MAX: &str = "120";
/// Where documents have their server.
const ADDRESS: &str = "127.0.0.1:3000";

/// What lies in the folder of a command.
struct Things {
    plan: Plan,
    run: String,
    config: String,
}

impl Things {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let words = "load --transport websocket --users 20 --rate 100 --duration 1s --out RUN";
        let made = output(dir.path(), words.split(' '));
        let run = fs::read_to_string(dir.path().join("RUN/run.json"));
        let run = run.unwrap_or_else(|error| panic!("{error}: {made:?}"));
        let blocks = document("docs/src/operations.md").blocks();
        let config = blocks.into_iter().find(|it| it.text.starts_with("# racetrack.toml"));
        Self { plan: failing(), run, config: config.expect("the book has one").text }
    }

    fn lay_out(&self, dir: &Path) {
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            let folder = path.parent().expect("a name below a folder");
            fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).expect("it is ours");
        };
        write("FILE", &self.plan.to_json());
        write("racetrack.toml", &self.config);
        for run in ["RUN", "RUN_A", "RUN_B"] {
            write(&format!("{run}/run.json"), &self.run);
        }
        fs::create_dir_all(dir.join("target/debug")).expect("it is ours");
        symlink(RACETRACK, dir.join("target/debug/racetrack")).expect("it is ours");
    }
}

fn output(dir: &Path, words: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Output {
    let mut command = Command::new("timeout");
    command.args([SECONDS_MAX, RACETRACK]).args(words).current_dir(dir);
    command.stdin(Stdio::null()).output().expect("the program can be started")
}

/// A server that ends with whoever holds it.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(dir: &Path, words: &[String]) -> Result<Self, String> {
        let mut command = Command::new(RACETRACK);
        command.args(words).current_dir(dir).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let mut server = Self { child, address: String::new() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let address = line.trim().strip_prefix("listening on http://");
        server.address = address.ok_or_else(|| format!("it said {line:?}"))?.to_owned();
        Ok(server)
    }

    fn for_others(dir: &Path) -> Result<Self, String> {
        let words = "serve --addr 127.0.0.1:0 --connections-per-address-max 0 \
                     --sessions-per-address-max 0 --opens-per-address-per-s-max 0";
        Self::start(dir, &words.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    /// Asks it to stop; nobody is there who must be told.
    fn stop(mut self) -> Result<(), String> {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.is_ok_and(|status| status.success()), "kill is there");
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is as good.
        let _is_gone = self.child.kill();
        let _is_known = self.child.wait();
    }
}

fn try_out(how: &How, things: &Things) -> Result<(), String> {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    things.lay_out(dir);
    match how {
        How::Runs(words, codes) if words.iter().any(|word| word.ends_with(ADDRESS)) => {
            let server = Server::for_others(dir)?;
            let there = words.iter().map(|word| word.replace(ADDRESS, &server.address));
            ended(&output(dir, there), codes)
        }
        How::Runs(words, codes) => {
            let output = output(dir, words);
            if words.windows(2).any(|two| two == JSON) {
                let is_object = serde_json::from_slice::<serde_json::Map<_, _>>(&output.stdout);
                is_object.map_err(|error| format!("no JSON object: {error}: {output:?}"))?;
            }
            ended(&output, codes)
        }
        How::Serves(words) => Server::start(dir, words)?.stop(),
        How::Parses(words) => {
            // What cannot be read is complained of before help is given.
            let words = words.iter().map(String::as_str).chain(["--help"]);
            ended(&output(dir, words), &[0])
        }
        How::Script(text) => {
            let server = Server::for_others(dir)?;
            let script = text.replace(ADDRESS, &server.address);
            let mut shell = Command::new("timeout");
            shell.args([SECONDS_MAX, "bash", "-euo", "pipefail", "-c", &script]);
            let shell = shell.current_dir(dir).stdin(Stdio::null());
            ended(&shell.output().map_err(|error| error.to_string())?, &[0])
        }
        How::Example(name, arguments) => example(name, arguments),
        How::Elsewhere => Ok(()),
    }
}

/// Runs an example as it was built with the tests, or builds it.
fn example(name: &str, arguments: &[String]) -> Result<(), String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--workspace", "--example", name]);
    let built = cargo.current_dir(root()).output().map_err(|error| error.to_string())?;
    ended(&built, &[0])?;
    let folder = Path::new(RACETRACK).parent().expect("a program lies in a folder");
    let run = Command::new(folder.join("examples").join(name)).args(arguments).output();
    // One of them shows a bug on purpose.
    ended(&run.map_err(|error| error.to_string())?, &[0, 1])
}

fn ended(output: &Output, codes: &[i32]) -> Result<(), String> {
    let Output { status, stdout, stderr } = output;
    if status.code().is_some_and(|code| codes.contains(&code)) {
        return Ok(());
    }
    let said = [stdout, stderr].map(|text| String::from_utf8_lossy(text));
    Err(format!("it ended with {status}, not {codes:?}\n{}{}", said[0], said[1]))
}

#[test]
fn every_command_of_the_documents_runs() {
    let things = Things::new();
    // What several documents say is run once.
    let mut wanted: BTreeMap<String, _> = BTreeMap::new();
    for told in every_command() {
        wanted.entry(format!("{:?}", told.how)).or_insert(told);
    }
    assert!(wanted.len() > 30, "only {} commands were found", wanted.len());
    let wanted = Mutex::new(wanted.into_values());
    let failed = Mutex::new(Vec::new());
    let lock = |failed: &Mutex<Vec<String>>, why| {
        failed.lock().unwrap_or_else(PoisonError::into_inner).push(why);
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = wanted.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(told) = next else { break };
                    if let Err(why) = try_out(&told.how, &things) {
                        let (place, line, how) = (&told.place, &told.line, &told.how);
                        lock(&failed, format!("{place}: {line}\n  done as {how:?}\n  {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
