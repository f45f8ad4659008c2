//! What `racetrack serve` makes of its configuration before it serves: refusals, `--check-config`, and
//! the line that it logs when it starts.

use std::process::Command;

use expect_test::{Expect, expect};

use super::serve::serve;
use super::{Ended, RACETRACK, empty_dir, ended};
use crate::http::ask;

/// Runs `serve --check-config` with these words and variables.
fn checked(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(RACETRACK);
    command.args(["serve", "--check-config"]).args(arguments);
    ended(command.envs(environment.iter().copied()).current_dir(empty_dir().path()))
}

fn check_refused(arguments: &[&str], environment: &[(&str, &str)], expected: Expect) {
    let Ended { code, stdout, stderr } = checked(arguments, environment);
    expected.assert_eq(&stderr);
    assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1));
}

#[test]
fn check_config_prints_a_file_that_says_the_same() {
    let arguments = ["--sessions-max", "7", "--addr", "localhost:3000"];
    let environment = [("RACETRACK_ALLOWED_ORIGINS", "https://*.example.org,null")];
    let Ended { code, stdout, stderr } = checked(&arguments, &environment);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in [
        "addr = \"localhost:3000\"",
        "sessions_max = 7",
        "allowed_origins = [\"https://*.example.org\", \"null\"]",
        "keep_alive_ms_max = 75000",
    ] {
        assert!(stdout.lines().any(|told| told == line), "{line} in {stdout}");
    }
    let dir = empty_dir();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, &stdout).expect("a file");
    let file = file.to_str().expect("a path in UTF-8");
    assert_eq!(checked(&["--config", file], &[]).stdout, stdout);
}

#[test]
fn check_config_tells_all_faults_and_ends_with_2() {
    check_refused(
        &["--messages-burst-max", "0", "--header-bytes-max", "1"],
        &[("RACETRACK_SESSION_MAX", "1")],
        expect![[r#"
            racetrack: no variable is named RACETRACK_SESSION_MAX; RACETRACK_SESSIONS_MAX is: rename it or unset it; --messages-burst-max: 0 would let nothing through; at least 1; --header-bytes-max: at least 8192
        "#]],
    );
    check_refused(
        &["--addr", "nowhere.invalid:3000"],
        &[],
        expect![[r#"
            racetrack: cannot listen on nowhere.invalid:3000; the system does not know that name: write an address: failed to lookup address information: Name or service not known
        "#]],
    );
}

#[test]
fn misspelt_variable_stops_a_server_and_those_of_a_cluster_do_not() {
    let mut command = Command::new(RACETRACK);
    command.args(["serve", "--addr", "127.0.0.1:0"]).env("RACETRACK_ALLOWED_ORIGIN", "null");
    let refused = ended(&mut command);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("RACETRACK_ALLOWED_ORIGINS is"), "{}", refused.stderr);
    let injected = [
        ("RACETRACK_SERVICE_HOST", "10.0.0.1"),
        ("RACETRACK_PORT", "tcp://10.0.0.1:3000"),
        ("RACETRACK_PORT_3000_TCP_ADDR", "10.0.0.1"),
        ("RACETRACK_SEEDS", "7"),
    ];
    let fine = checked(&[], &injected);
    assert_eq!((fine.code, fine.stderr.as_str()), (Some(0), ""));
    let Ended { code, stderr, .. } = checked(&[], &[("RACETRACK_COLOUR", "blue")]);
    assert_eq!(code, Some(0));
    assert!(stderr.contains("WARN") && stderr.contains("RACETRACK_COLOUR"), "{stderr}");
}

#[tokio::test]
async fn server_listens_on_a_name() {
    let serving = serve(&["--addr", "localhost:0"]).await;
    assert!(serving.addr.ip().is_loopback(), "{}", serving.addr);
    assert_eq!(ask("GET /healthz").of(serving.addr).await.status, 200);
}

#[tokio::test]
async fn one_line_at_the_start_says_what_serves_with_which_limits() {
    let words = ["--sessions-max", "7", "--retry-after-ms", "5", "--workers", "2"];
    let (mut serving, mut log) = super::serve::serve_logging(&words).await;
    serving.signal("-TERM").await;
    assert_eq!(serving.code().await, Some(0));
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut log, &mut text).await.expect("a readable log");
    let starts: Vec<_> = text.lines().filter(|line| line.contains("serving")).collect();
    let [start] = starts.as_slice() else { panic!("one line, and not {text}") };
    let address = format!("address={}", serving.addr);
    for part in [
        concat!("version=\"", env!("CARGO_PKG_VERSION")),
        &address,
        "workers=2",
        "open_files_max=",
        "sessions_max=7 connections_max=110000 connections_per_address_max=1000",
        "retry_after_ms=5",
    ] {
        assert!(start.contains(part), "{part} in {start}");
    }
}
