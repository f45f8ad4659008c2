//! Wrong usage and wrong environment: one line on standard error that says what and what to do,
//! and exit code 2, before anything was measured or written.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use expect_test::{Expect, expect};

use super::{Ended, RACETRACK, complaint, empty_dir, ended, racetrack};

/// One line, and nothing else.
fn check(refused: &Ended, expected: Expect) {
    let told = complaint(&refused.stderr);
    expected.assert_eq(&told);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
}

/// A refusal by the parser of the command line, which adds a hint after the line that counts.
fn check_usage(arguments: &str, expected: Expect) {
    let refused = racetrack(empty_dir().path(), arguments);
    let line = refused.stderr.lines().next().unwrap_or_default();
    expected.assert_eq(&format!("{line}\n"));
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
}

#[test]
fn a_busy_port_is_named_with_a_way_out() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = holder.local_addr().expect("the listener is bound");
    let mut refused = racetrack(empty_dir().path(), &format!("serve --addr {addr}"));
    refused.stderr = refused.stderr.replace(&addr.to_string(), "ADDR");
    check(
        &refused,
        expect![[r#"
        racetrack: cannot listen on ADDR; choose another address with --addr, port 0 takes a free one: Address already in use (os error 98)
    "#]],
    );
}

#[test]
fn an_out_that_cannot_be_written_is_refused_before_the_run() {
    let dir = empty_dir();
    fs::write(dir.path().join("file"), "in the way").expect("a file in the way");
    // An hour of load would be noticed, and so would a million seeds.
    for line in [
        "load --users 2 --duration 1h --out file/run",
        "tour --out file/run",
        "sim --seeds 0..1000000 --out file/run",
        "sim shrink --seed 1 --out file/run",
    ] {
        let refused = racetrack(dir.path(), line);
        let line = "racetrack: cannot write file/run: Not a directory (os error 20); a part of \
                    that path is a file; choose another directory with --out DIR";
        assert!(refused.stderr.starts_with(line), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    }
}

#[test]
fn a_run_is_not_written_over() {
    let dir = empty_dir();
    fs::create_dir(dir.path().join("kept")).expect("a directory");
    fs::write(dir.path().join("kept/run.json"), "a run").expect("a run in it");
    for line in ["load --users 2 --duration 1h --out kept", "tour --out kept"] {
        check(
            &racetrack(dir.path(), line),
            expect![[r#"
                racetrack: kept holds an earlier run; choose another directory with --out DIR, or remove that one
            "#]],
        );
    }
    let kept = fs::read_to_string(dir.path().join("kept/run.json")).expect("it is still there");
    assert_eq!(kept, "a run");
}

#[test]
fn a_file_in_the_place_of_a_command_is_told_its_command() {
    let dir = empty_dir();
    fs::write(dir.path().join("plan.json"), "{}").expect("a file");
    check(
        &racetrack(dir.path(), "sim plan.json"),
        expect![[r#"
            racetrack: plan.json is a file, and no command; `racetrack sim replay plan.json` runs a plan
        "#]],
    );
}

#[test]
fn a_target_that_does_not_answer_is_named() {
    let (_bound, closed) = crate::served::nobody();
    let load = format!("load --target http://{closed} --users 2 --duration 1s --out run");
    let refused = racetrack(empty_dir().path(), &load);
    let line = format!(
        "racetrack: cannot reach http://{closed}: Connection refused (os error 111); is the \
         server running?"
    );
    assert!(refused.stderr.starts_with(&line), "{}", refused.stderr);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
}

#[test]
fn an_objective_that_says_nothing_is_refused() {
    check_usage(
        "load --slo p98<1ms",
        expect![[r#"
        error: invalid value 'p98<1ms' for '--slo <EXPR>': `p98` is none of p50, p90, p95, p99, p99.9, max, rate, lost, errors, cpu, memory
    "#]],
    );
    let mut load = Command::new(RACETRACK);
    load.args(["load", "--transport", "sse", "--duration", "1h", "--slo", "websocket p99 < 1ms"]);
    check(
        &ended(load.current_dir(empty_dir().path())),
        expect![[r#"
        racetrack: --slo 'websocket p99 < 1ms': `websocket` is none of the transports of this run
    "#]],
    );
}

#[test]
fn an_objective_may_name_the_peers_series_where_there_is_a_peer() {
    let load = |words: &[&str]| {
        let mut load = Command::new(RACETRACK);
        load.args(["load", "--duration", "1h", "--slo", "node-socketio-websocket p99 < 1s"]);
        ended(load.args(words).current_dir(empty_dir().path()))
    };
    check(
        &load(&[]),
        expect![[r#"
            racetrack: --slo 'node-socketio-websocket p99 < 1s': `node-socketio-websocket` is none of the transports of this run
        "#]],
    );
    let mut known = load(&["--peer", "node"]);
    // Past the objective, to what is looked for next: there are no sources in an empty directory.
    let place = known.stderr.find("is not in a checkout").expect("it was looked for");
    known.stderr.replace_range(.."racetrack: ".len().max(place), "DIR ");
    check(
        &known,
        expect![[r#"
            DIR is not in a checkout of racetrack: --peer takes the sources
        "#]],
    );
}

#[test]
fn too_few_open_files_are_told_with_the_limit_the_need_and_the_command() {
    let dir = empty_dir();
    let mut shell = Command::new("sh");
    let script = r#"ulimit -n 512; exec "$0" load --users 1000 --duration 1s --out run"#;
    check(
        &ended(shell.args(["-c", script, RACETRACK]).current_dir(dir.path())),
        expect![[r#"
        racetrack: 1000 users over short-poll need 1378 open files a process and the limit is 512: run `ulimit -n 1378` as root before, or use --users 306
    "#]],
    );
}

#[test]
fn what_needs_a_plan_says_so() {
    check_usage(
        "sim shrink",
        expect![[r#"
        error: the following required arguments were not provided:
    "#]],
    );
    check_usage(
        "sim --html page.html",
        expect![[r#"
        error: the following required arguments were not provided:
    "#]],
    );
    check(
        &racetrack(empty_dir().path(), "sim diff 3 nothing.json"),
        expect![[r#"
        racetrack: cannot read the plan nothing.json: No such file or directory (os error 2)
    "#]],
    );
}

#[test]
fn names_that_are_not_known_are_answered_with_those_that_are() {
    check_usage(
        "load --transport pigeon",
        expect![[r#"
        error: invalid value 'pigeon' for '--transport <NAME[,NAME...]>'
    "#]],
    );
    check_usage(
        "sim --fault flood",
        expect![[r#"
            error: invalid value 'flood' for '--fault <NAME>'
        "#]],
    );
    for (line, names) in [
        ("load --transport pigeon", "[possible values: short-poll, long-poll, sse, websocket, "),
        ("sim --fault flood", "[possible values: hold, latency-step, cut-reset, "),
    ] {
        let refused = racetrack(empty_dir().path(), line);
        assert!(refused.stderr.contains(names), "{}", refused.stderr);
    }
    check_usage(
        "simulate",
        expect![[r#"
        error: unrecognized subcommand 'simulate'
    "#]],
    );
}

#[test]
fn a_plan_that_cannot_be_replayed_is_named_with_the_reason() {
    let dir = empty_dir();
    check(
        &racetrack(dir.path(), "sim replay nothing.json"),
        expect![[r#"
        racetrack: cannot read the plan nothing.json: No such file or directory (os error 2)
    "#]],
    );
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("a file");
    let plan = chat_sim::generate::plan(1, &chat_sim::Options::default());
    write("later.json", &chat_sim::Plan { version: 99, ..plan.clone() }.to_json());
    check(
        &racetrack(dir.path(), "sim replay later.json"),
        expect![[r#"
        racetrack: later.json: the plan has version 99, this program reads version 2
    "#]],
    );
    let mut strangers = plan;
    strangers.steps[0].client = "zoe".to_owned();
    write("stranger.json", &strangers.to_json());
    check(
        &racetrack(dir.path(), "sim replay stranger.json"),
        expect![[r#"
            racetrack: stranger.json: step 0 of the plan, at 100 ms: no client is named "zoe"; there are "cyd", "dan", "ann", "bob"
        "#]],
    );
    write("odd.json", r#"{"version": 2, "a\n\u001b[31mname": 1}"#);
    let odd = racetrack(dir.path(), "sim replay odd.json");
    assert_eq!((odd.code, odd.stderr.lines().count()), (Some(2), 1), "{}", odd.stderr);
    assert!(odd.stderr.contains(r"unknown field `a\n\u{1b}[31mname`"), "{}", odd.stderr);
    write("endless.json", &{
        let mut plan = chat_sim::generate::plan(1, &chat_sim::Options::default());
        plan.settings.tick_ms = 0;
        plan.to_json()
    });
    check(
        &racetrack(dir.path(), "sim replay endless.json"),
        expect![[r#"
            racetrack: endless.json: the plan's settings: tick_ms 0: 1 to 1000 can be run
        "#]],
    );
    write("other.json", "[]");
    check(
        &racetrack(dir.path(), "sim replay other.json"),
        expect![[r#"
        racetrack: other.json: this is not a plan: invalid length 0, expected a plan at line 1 column 2
    "#]],
    );
}

#[test]
fn a_configuration_that_cannot_be_used_is_named_with_the_place_and_the_way_out() {
    let dir = empty_dir();
    let serve = |text: &str, expected| {
        fs::write(dir.path().join("c.toml"), text).expect("a file");
        check(&racetrack(dir.path(), "serve --config c.toml"), expected);
    };
    serve(
        "\nsession_max = 1\n",
        expect![[r#"
        racetrack: c.toml, line 2, `session_max = 1`: unknown field `session_max`; did you mean `sessions_max`?
    "#]],
    );
    serve(
        "sessions_max = \"many\"\n",
        expect![[r#"
        racetrack: c.toml, line 1, `sessions_max = "many"`: invalid type: string "many", expected usize
    "#]],
    );
    serve(
        "sessions_max = -1\n",
        expect![[r#"
        racetrack: c.toml, line 1, `sessions_max = -1`: invalid value: integer `-1`, expected usize
    "#]],
    );
    serve(
        "sessions_max\n",
        expect![[r#"
        racetrack: c.toml, line 1, `sessions_max`: key with no value, expected `=`
    "#]],
    );
    serve(
        "allowed_origins = [\"friend.example\"]\n",
        expect![[r#"
        racetrack: c.toml, line 1, `allowed_origins = ["friend.example"]`: `friend.example`: an origin has a scheme; write SCHEME://HOST, SCHEME://HOST:PORT, SCHEME://*.HOST, SCHEME://HOST:*, null or file://
    "#]],
    );
    serve(
        "trusted_proxies = [\"10.0.0.0/33\"]\n",
        expect![[r#"
        racetrack: c.toml, line 1, `trusted_proxies = ["10.0.0.0/33"]`: `10.0.0.0/33` is no network; write one as 10.0.0.0/8, 192.0.2.7 or fd00::/8
    "#]],
    );
    serve(
        "heartbeat_interval_ms = 0\n",
        expect![[r#"
        racetrack: --heartbeat-interval-ms: 0 would let nothing through; at least 1
    "#]],
    );
    check(
        &racetrack(dir.path(), "serve --config nothing.toml"),
        expect![[r#"
        racetrack: cannot read nothing.toml; name another file with --config FILE: No such file or directory (os error 2)
    "#]],
    );
    check(
        &racetrack(dir.path(), "serve --messages-burst-max 0"),
        expect![[r#"
        racetrack: --messages-burst-max: 0 would let nothing through; at least 1
    "#]],
    );
}

#[test]
fn values_of_flags_that_cannot_be_meant_are_named() {
    check_usage(
        "serve --allowed-origins *",
        expect![[r#"
        error: invalid value '*' for '--allowed-origins <ORIGIN,...>': `*`: all origins cannot be meant, since pages send the cookie; write SCHEME://HOST, SCHEME://HOST:PORT, SCHEME://*.HOST, SCHEME://HOST:*, null or file://
    "#]],
    );
    check_usage(
        "serve --trusted-proxies somebody",
        expect![[r#"
        error: invalid value 'somebody' for '--trusted-proxies <NETWORK,...>': `somebody` is no network; write one as 10.0.0.0/8, 192.0.2.7 or fd00::/8
    "#]],
    );
    check_usage(
        "serve --log xml",
        expect![[r#"
        error: invalid value 'xml' for '--log <FORMAT>'
    "#]],
    );
}

#[test]
fn a_program_that_is_not_racetrack_is_named() {
    let dir = empty_dir();
    check(
        &racetrack(dir.path(), "sim meta --with nothing --seeds 0..1"),
        expect![[r#"
            racetrack: cannot start nothing: No such file or directory (os error 2)
        "#]],
    );
    check(
        &racetrack(dir.path(), "sim meta --with true --seeds 0..1"),
        expect![[r#"
            racetrack: true is no build of this program: it did not trace the seeds 0..1
        "#]],
    );
    check(
        &racetrack(dir.path(), "sim meta --with false --seeds 0..1"),
        expect![[r#"
            racetrack: false is no build of this program: `trace --seeds 0..1` ended with exit status: 1
        "#]],
    );
    check(
        &racetrack(dir.path(), "sim live --server nothing --seeds 0..1"),
        expect![[r#"
            racetrack: cannot start a server; is `nothing` one?: No such file or directory (os error 2)
        "#]],
    );
}

#[test]
fn a_page_that_cannot_be_drawn_is_named() {
    let dir = empty_dir();
    fs::create_dir(dir.path().join("page")).expect("a directory");
    for (page, expected) in [
        (
            "page",
            expect![[r#"
                racetrack: the page page was not drawn: cannot write page; choose another place: Is a directory (os error 21)
            "#]],
        ),
        (
            "/dev/full",
            expect![[r#"
                racetrack: the page /dev/full was not drawn: cannot write /dev/full; choose another place: No space left on device (os error 28)
            "#]],
        ),
        (
            "/",
            expect![[r#"
                racetrack: / is no file
            "#]],
        ),
    ] {
        check(&racetrack(dir.path(), &format!("sim --seed 1 --html {page}")), expected);
    }
}
