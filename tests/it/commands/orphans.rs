//! A command that starts servers and is killed: no server outlives it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{RACETRACK, empty_dir};

/// How often a process is looked for, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 400;

#[expect(clippy::disallowed_methods, reason = "nothing is simulated here: processes are awaited")]
#[track_caller]
fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("{what}: it takes too long");
}

/// Parent, state and program of a process; none where there is no such process.
fn look_at(pid: u32) -> Option<(u32, char)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((fields.next()?.parse().ok()?, state))
}

/// The servers that this process has started.
fn servers_of(parent: u32) -> Vec<u32> {
    let names = fs::read_dir("/proc").expect("Linux has /proc").filter_map(Result::ok);
    let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_server = |pid: &u32| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.contains("--until-input-ends") && look_at(*pid).is_some_and(|(of, _)| of == parent)
    };
    pids.filter(is_server).collect()
}

/// It has ended, whether or not somebody has asked how.
fn is_gone(pid: u32) -> bool {
    look_at(pid).is_none_or(|(_, state)| state == 'Z' || state == 'X')
}

fn start(dir: &Path, arguments: &str) -> Child {
    let mut command = Command::new(RACETRACK);
    command.args(arguments.split(' ')).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

fn kill(pid: u32, signal: &str) {
    let _is_gone_already = Command::new("kill").args([signal, &pid.to_string()]).status();
}

/// Starts the command, sends the signals one after the other, and looks after its servers.
#[track_caller]
fn check(arguments: &str, signals: &[&str]) {
    let dir = empty_dir();
    let mut parent = start(dir.path(), arguments);
    let pid = parent.id();
    let servers = await_some(arguments, || Some(servers_of(pid)).filter(|them| !them.is_empty()));
    if signals.len() > 1 {
        // Two of them count only from the moment on when it listens for the first.
        let stderr = BufReader::new(parent.stderr.take().expect("it is a pipe"));
        let said = stderr.lines().map_while(Result::ok).any(|line| line.contains("connecting"));
        assert!(said, "people connect");
    }
    for signal in signals {
        kill(pid, signal);
    }
    await_some("the command ends", || parent.try_wait().expect("it is our child"));
    for server in servers {
        await_some(&format!("{arguments} {signals:?}: its server ends"), || {
            is_gone(server).then_some(())
        });
    }
}

#[test]
fn server_of_a_load_ends_with_it_whatever_the_signal() {
    let load = "load --users 4 --rate 4 --duration 1m --transport websocket --out run";
    check(load, &["-KILL"]);
    check(load, &["-HUP"]);
    check(load, &["-TERM", "-TERM"]);
}

#[test]
fn server_of_a_search_or_the_self_test_ends_with_it() {
    check("load --users 4 --rate 4 --duration 1m --transport sse --search --out run", &["-KILL"]);
    check("load selftest", &["-KILL"]);
}

#[test]
fn servers_of_live_runs_end_with_them() {
    check("sim live --seeds 0..8", &["-KILL"]);
}

/// A stopped process reads no end of its input: it must be continued to notice.
#[test]
fn frozen_server_of_a_live_run_ends_with_it() {
    let options = chat_sim::Options {
        faults: vec![chat_sim::plan::FaultKind::Freeze.into()],
        simulated_ms: 8_000,
        ..chat_sim::Options::default()
    };
    let is_frozen = |seed: &u64| !chat_sim::generate::plan(*seed, &options).faults.is_empty();
    let seed = (0..1_000).find(is_frozen).expect("there are many plans");
    let live = format!("sim live --simulated 8s --fault freeze --seeds {seed}..{}", seed + 1);
    let dir = empty_dir();
    let mut parent = start(dir.path(), &live);
    let is_stopped = |pid: &u32| look_at(*pid).is_some_and(|(_, state)| state == 'T');
    let frozen =
        await_some("a server is frozen", || servers_of(parent.id()).into_iter().find(is_stopped));
    kill(parent.id(), "-KILL");
    await_some("the command ends", || parent.try_wait().expect("it is our child"));
    await_some("the frozen server ends", || is_gone(frozen).then_some(()));
}
