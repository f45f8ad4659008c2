//! What commands give to programs: one JSON object with the promised fields, and the files.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::serve::serve;
use super::{Ended, RACETRACK, empty_dir, ended, racetrack};
use crate::schema;

pub(super) fn object(ended: &Ended) -> Value {
    let object = serde_json::from_str(&ended.stdout);
    object.unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

#[track_caller]
pub(super) fn check_fields(object: &Value, fields: &str) {
    let missing: Vec<_> =
        fields.split_whitespace().filter(|field| object.get(*field).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} are not in {object}");
}

pub(super) fn files(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).expect("the directory is there");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into()).collect()
}

#[test]
fn a_sweep_says_what_it_found() {
    let dir = empty_dir();
    let swept = racetrack(dir.path(), "sim --seeds 0..4 --jobs 1 --format json --out run");
    assert_eq!(swept.code, Some(0), "{}", swept.stderr);
    let said = object(&swept);
    schema::check("sim", &said);
    check_fields(&said["rare_states"], "reached known missing");
    for kind in chat_sim::fault::all().into_iter().map(|kind| kind.name()) {
        check_fields(&said["faults"][kind], "planned effective");
    }
    assert_eq!(
        (&said["seeds"], &said["jobs"], &said["failures"]),
        (&json!(4), &json!(1), &json!([]))
    );
    let again = object(&racetrack(dir.path(), "sim --seeds 0..4 --jobs 2 --format json --out run"));
    assert_eq!(said["trace_hash"], again["trace_hash"], "whatever the number of threads");
}

#[test]
fn a_sweep_of_the_last_seeds_of_all_comes_to_its_end() {
    let dir = empty_dir();
    let sweep = "sim --seeds 18446744073709551613..18446744073709551615 --jobs 3 --format json";
    let swept = racetrack(dir.path(), sweep);
    assert_eq!(swept.code, Some(0), "{}", swept.stderr);
    assert_eq!(object(&swept)["seeds"], 2);
    let compared = racetrack(dir.path(), &sweep.replace("sim", "sim meta").replace("--jobs 3", ""));
    assert_eq!(compared.code, Some(0), "{}", compared.stderr);
    let live = racetrack(dir.path(), &sweep.replace("sim", "sim live"));
    assert_eq!(object(&live)["seeds"], 2, "{}", live.stderr);
}

#[test]
fn a_sweep_prints_short_lines_and_lists_everything_if_asked() {
    let short = racetrack(empty_dir().path(), "sim --seeds 0..2 --jobs 1").stdout;
    assert_eq!(short.lines().count(), 4, "{short}");
    assert!(short.lines().all(|line| line.len() <= 100), "{short}");
    let long = racetrack(empty_dir().path(), "sim --seeds 0..2 --jobs 1 --verbose").stdout;
    for name in chat_sim::fault::all().into_iter().map(|kind| kind.name()) {
        assert!(long.contains(&format!("\n    {name} ")), "{name} is not in\n{long}");
    }
    for state in chat_sim::coverage::known() {
        assert!(long.contains(&format!("  {state}\n")), "{state} is not in\n{long}");
    }
}

/// The program with these words, whose output is read while it runs.
fn started(dir: &Path, arguments: &str) -> Child {
    let mut command = Command::new(RACETRACK);
    command.args(arguments.split_whitespace()).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

/// Ctrl-C.
fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill is there");
    assert!(sent.success());
}

/// Ctrl-C in the middle of a window.
#[test]
fn an_interrupted_load_reports_what_it_has() {
    let dir = empty_dir();
    let load = "load --transport sse,websocket --users 10 --rate 100 --duration 2m --format json \
                --out run";
    let mut child = started(dir.path(), load);
    let stderr = BufReader::new(child.stderr.take().expect("it was just piped"));
    // The second line about the window comes when it has been open for five seconds.
    let seen = stderr.lines().map_while(Result::ok).filter(|line| line.contains("measuring"));
    assert_eq!(seen.take(2).count(), 2, "the window has been open for a while");
    interrupt(&child);
    let output = child.wait_with_output().expect("it can be waited for");
    assert_eq!(output.status.code(), Some(3));
    let said: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let transports = said["transports"].as_object().expect("an object");
    assert_eq!(transports.keys().collect::<Vec<_>>(), ["sse"]);
    let row = &transports["sse"];
    assert!(row["delivered"].as_u64() > Some(0), "{row}");
    assert_eq!((&row["lost"], &row["sent"]), (&json!(0), &row["delivered"]), "{row}");
    let page = fs::read_to_string(dir.path().join("run/report.html")).expect("a report");
    assert!(page.contains("The run was interrupted: sse is the last that was measured"));
}

/// The limit of open files is for a fifth of the users of a tour.
#[test]
fn tour_goes_on_with_as_many_users_as_open_files_allow() {
    let dir = empty_dir();
    let shell = |users: &str| {
        let script =
            format!("ulimit -n 300; exec \"$0\" tour --seeds 1 {users} --format json --out run");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, RACETRACK]).current_dir(dir.path());
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    };
    let refused = ended(&mut shell("--users 1000"));
    let need = "racetrack: 1000 users over short-poll need 1378 open files a process and the limit is \
                300: run `ulimit -n 1378` as root before, or use --users ";
    assert!(refused.stderr.starts_with(need), "{}", refused.stderr);
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(2), 1), "{}", refused.stderr);
    let mut child = shell("").spawn().expect("the program can be started");
    let stderr = BufReader::new(child.stderr.take().expect("it was just piped"));
    let mut lines = stderr.lines().map_while(Result::ok);
    let first = lines.next().expect("it says what it does");
    assert!(first.ends_with("; the tour goes on with 136 users"), "{first}");
    // The second line about the window comes when it has been open for five seconds.
    assert_eq!(lines.filter(|line| line.contains("measuring")).take(2).count(), 2);
    interrupt(&child);
    let output = child.wait_with_output().expect("it can be waited for");
    assert_eq!(output.status.code(), Some(3));
    let said: Value = serde_json::from_slice(&output.stdout).expect("one object");
    schema::check("tour", &said);
    assert_eq!(said["load"]["transports"]["short-poll"]["users"], 136, "{said}");
}

/// The window of `transport` is open.
fn await_window(child: &mut Child, transport: &str) {
    let stderr = BufReader::new(child.stderr.as_mut().expect("it is a pipe"));
    let open = format!("{transport}: measuring");
    let is_seen = stderr.lines().map_while(Result::ok).any(|line| line.starts_with(&open));
    assert!(is_seen, "{transport} is measured");
}

#[tokio::test(flavor = "multi_thread")]
async fn load_whose_target_dies_reports_what_it_has_and_ends_with_one() {
    let dir = empty_dir();
    let serving = serve(&["--connections-per-address-max", "0"]).await;
    let load = format!(
        "load --target http://{} --transport sse,websocket --users 10 --rate 100 --duration 2s \
         --format json --out run",
        serving.addr
    );
    let mut child = started(dir.path(), &load);
    let output = tokio::task::block_in_place(|| {
        await_window(&mut child, "websocket");
        // SIGKILL.
        drop(serving);
        child.wait_with_output().expect("it can be waited for")
    });
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("one object");
    schema::check("load", &said);
    assert_eq!(said["transports"]["sse"]["accounted"], true, "{said}");
    assert_eq!(said["transports"]["websocket"]["accounted"], false, "{said}");
    let why = said["failures"][0]["why"].as_str().expect("a reason");
    assert!(why.contains("no longer accepts connections"), "{why}");
    let junit = fs::read_to_string(dir.path().join("run/junit.xml")).expect("a file");
    for name in ["it was measured to the end", "every message is accounted for"] {
        let failed = format!("classname=\"websocket\" name=\"{name}\"><failure");
        assert!(junit.contains(&failed), "{failed} is not in {junit}");
    }
}

#[test]
fn load_whose_report_cannot_be_written_tells_its_result_and_ends_with_one() {
    let dir = empty_dir();
    fs::create_dir_all(dir.path().join("run/report.html")).expect("a directory in the way");
    let load = "load --users 4 --rate 40 --duration 1s --transport websocket --out run";
    let load = racetrack(dir.path(), load);
    assert_eq!(load.code, Some(1), "{}", load.stderr);
    assert!(
        load.stdout.contains("websocket") && !load.stdout.contains("report:"),
        "{}",
        load.stdout
    );
    let last = load.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("racetrack: cannot write run/report.html: "), "{last}");
    assert!(
        files(&dir.path().join("run"))
            .is_superset(&["run.json", "junit.xml"].map(str::to_owned).into())
    );
}

#[test]
fn a_sweep_that_must_reach_every_rare_state_fails_where_one_was_never_reached() {
    let swept = racetrack(empty_dir().path(), "sim --seeds 0..2 --require-coverage");
    assert_eq!(swept.code, Some(1), "{}", swept.stderr);
    for words in ["every invariant held", "    never  ", "FAILED: --require-coverage"] {
        assert!(swept.stdout.contains(words), "{words:?} is not in\n{}", swept.stdout);
    }
}

#[test]
fn a_seed_and_the_replay_of_its_plan_are_the_same_run() {
    let dir = empty_dir();
    let seed = racetrack(dir.path(), "sim --seed 3 --format json");
    assert_eq!(seed.code, Some(0), "{}", seed.stderr);
    let seed = object(&seed);
    fs::write(dir.path().join("plan.json"), seed["plan"].to_string()).expect("a file");
    let replay = racetrack(dir.path(), "sim replay plan.json --format json");
    assert_eq!(replay.code, Some(0), "{}", replay.stderr);
    let replay = object(&replay);
    schema::check("sim-run", &replay);
    assert_eq!(replay, seed);
    assert_eq!(replay["failed"], false);
}

#[test]
fn a_seed_is_told_as_a_transcript() {
    let told = racetrack(empty_dir().path(), "sim --seed 3");
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for words in ["welcome", "paired p1", "= Settled ===", "= the server holds", "trace hash"] {
        assert!(told.stdout.contains(words), "{words:?} is not in\n{}", told.stdout);
    }
}

#[test]
fn a_load_run_says_what_it_measured_and_leaves_its_files() {
    let dir = empty_dir();
    let load = "load --users 10 --duration 1s --transport long-poll --slo lost=0 --format json \
                --out run";
    let load = racetrack(dir.path(), load);
    // On a machine that is busy the figures may be said to be invalid; the messages count anyway.
    assert!(matches!(load.code, Some(0 | 3)), "{:?}: {}", load.code, load.stderr);
    let said = object(&load);
    schema::check("load", &said);
    let row = &said["transports"]["long-poll"];
    check_fields(
        row,
        "users offered_per_s achieved_per_s sent delivered lost duplicated misdelivered \
         out_of_order latency_us service_us send_lag_us server_cpu_us_per_message \
         server_rss_bytes_per_connection requests_per_message bytes_per_message valid",
    );
    for latency in ["latency_us", "service_us", "send_lag_us"] {
        check_fields(&row[latency], "p50 p90 p99 p999 max");
    }
    for broken in ["lost", "duplicated", "misdelivered", "out_of_order"] {
        assert_eq!(row[broken], 0, "{broken} in {row}");
    }
    assert_eq!((&row["users"], &row["sent"]), (&json!(10), &row["delivered"]), "{row}");
    assert!(row["sent"].as_u64() > Some(0), "{row}");
    let expected = "run.json summary.csv percentiles.csv intervals.csv long-poll.hlog \
                    long-poll.hgrm report.html junit.xml";
    let expected: BTreeSet<String> = expected.split_whitespace().map(str::to_owned).collect();
    assert_eq!(files(&dir.path().join("run")), expected);

    let report = racetrack(dir.path(), "report run --format json --out again");
    assert_eq!(report.code, load.code, "the verdict is the same\n{}", report.stderr);
    schema::check("report", &object(&report));
    assert_eq!(files(&dir.path().join("again")), expected);
}

/// Whatever the machine was like: what is told of a run follows from what stands in its file.
#[test]
fn a_report_ends_as_its_run_must() {
    let dir = empty_dir();
    let load = "load --users 10 --rate 100 --duration 1s --transport websocket --out run";
    let load = racetrack(dir.path(), load);
    assert!(matches!(load.code, Some(0 | 3)), "{:?}: {}", load.code, load.stderr);
    let file = dir.path().join("run/run.json");
    let text = fs::read_to_string(&file).expect("the run's file");
    let mut run: Value = serde_json::from_str(&text).expect("a run is JSON");
    for (invalid, objective, code) in [
        (json!([]), "lost = 0", 0),
        (json!([]), "websocket p50 < 1us", 1),
        (json!(["somebody else used the machine"]), "lost = 0", 3),
    ] {
        run["series"][0]["invalid"] = invalid;
        run["slos"] = json!([objective]);
        fs::write(&file, run.to_string()).expect("the file can be written");
        let report = racetrack(dir.path(), "report run --out again");
        assert_eq!(report.code, Some(code), "{objective}\n{}{}", report.stdout, report.stderr);
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "nothing is simulated here: moments of real time are tried"
)]
fn a_load_that_is_interrupted_before_it_measured_anything_leaves_nothing_behind() {
    // Whatever it does at this moment: its attack has begun, is about to, or has been told to end.
    for pause_ms in (0..80).step_by(10) {
        let dir = empty_dir();
        let mut child = started(dir.path(), "load --users 10 --duration 1m --out run");
        let mut stderr = BufReader::new(child.stderr.take().expect("it was just piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("it says what it does");
        assert!(!line.contains("measuring"), "the window is not open yet: {line}");
        std::thread::sleep(Duration::from_millis(pause_ms));
        interrupt(&child);
        stderr.read_to_string(&mut line).expect("it says how it ended");
        assert_eq!(child.wait().expect("it ends").code(), Some(2), "{pause_ms} ms: {line}");
        assert!(!dir.path().join("run").exists(), "{pause_ms} ms: {line}");
    }
}

#[test]
fn more_people_than_connections_fit_say_everything_over_connections_that_are_closed_behind_it() {
    let dir = empty_dir();
    let mut shell = Command::new("sh");
    let script = r#"ulimit -n 512; exec "$0" load --users 260 --rate 200 --duration 1s \
        --transport short-poll,long-poll,sse,socketio-polling --format json --out run"#;
    let load = ended(shell.args(["-c", script, RACETRACK]).current_dir(dir.path()));
    assert!(matches!(load.code, Some(0 | 3)), "{:?}: {}", load.code, load.stderr);
    let said = object(&load);
    for transport in ["short-poll", "long-poll", "sse", "socketio-polling"] {
        let row = &said["transports"][transport];
        assert_eq!(row["accounted"], true, "{row}");
        assert!(row["sent"].as_u64() > Some(0), "{row}");
    }
    let report = racetrack(dir.path(), "report run --out again");
    let told = "long-poll: each command took a connection of its own";
    assert!(report.stdout.contains(told), "{}", report.stdout);
}
