//! Several generators that share one crowd: the commands of the README, each a process.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use tokio::process::Command;

use super::results::{check_fields, object};
use super::serve::{Serving, serve};
use super::{Ended, RACETRACK, empty_dir, racetrack};

/// How long the generators have to start and to bring their people together.
const AHEAD_S: i64 = 8;

/// One shard of 20 people who talk for two seconds over two transports; it writes into a directory
/// of its number.
async fn load(dir: &Path, serving: &Serving, shard: &str, start_at: Timestamp) -> Ended {
    let number = &shard[..1];
    let line = format!(
        "load --target http://{} --transport websocket,long-poll --users 20 --rate 60 --duration 2s \
         --shard {shard} --start-at {start_at} --out {number}",
        serving.addr
    );
    let mut command = Command::new(RACETRACK);
    command.args(line.split_whitespace()).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.expect("the program can be started");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn run_json(dir: &Path) -> Value {
    let text = fs::read_to_string(dir.join("run.json")).expect("a run was written");
    serde_json::from_str(&text).expect("it is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_generators_that_share_a_crowd_account_for_every_message_together() {
    let dir = empty_dir();
    let serving = serve(&["--connections-per-address-max", "0"]).await;
    let start_at = Timestamp::now() + AHEAD_S.seconds();
    let (one, other) = tokio::join!(
        load(dir.path(), &serving, "1/2", start_at),
        load(dir.path(), &serving, "2/2", start_at),
    );
    for part in [&one, &other] {
        assert_eq!(part.code, Some(3), "a part alone proves nothing\n{}", part.stderr);
        assert!(part.stdout.contains("`racetrack report"), "{}", part.stdout);
    }
    let merged = racetrack(dir.path(), "report merge 1 2 --out both --format json");
    assert!(matches!(merged.code, Some(0 | 3)), "{}{}", merged.stdout, merged.stderr);
    let said = object(&merged);
    check_fields(&said, "schema transports out report");
    let parts = ["1", "2"].map(|name| run_json(&dir.path().join(name)));
    for (transport, nth) in ["websocket", "long-poll"].into_iter().zip(0..) {
        let row = &said["transports"][transport];
        for broken in ["lost", "duplicated", "misdelivered", "out_of_order", "unsent", "refused"] {
            assert_eq!(row[broken], 0, "{broken} in {row}");
        }
        assert_eq!((&row["users"], &row["sent"]), (&json!(20), &row["delivered"]), "{row}");
        let abroad = parts.each_ref().map(|part| {
            let abroad = &part["series"][nth]["messages"]["abroad"];
            abroad.as_u64().unwrap_or_else(|| panic!("strangers meet: {abroad} in {part}"))
        });
        let crossed = run_json(&dir.path().join("both"))["series"][nth]["crossed_us"].clone();
        let counts = crossed.as_array().expect("a histogram").iter();
        let crossed: u64 = counts.filter_map(|count| count[1].as_u64()).sum();
        assert_eq!(crossed, abroad.iter().sum::<u64>(), "what left came");
    }
    let page = fs::read_to_string(dir.path().join("both/report.html")).expect("a report");
    assert!(page.contains("went from one generator to another") && page.contains("--shard 2/2"));
    let alone = racetrack(dir.path(), "report merge 2 --out half");
    assert_eq!((alone.code, alone.stdout.as_str()), (Some(2), ""));
    assert!(alone.stderr.starts_with("racetrack: shard 1/2 is missing: "), "{}", alone.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_whose_partners_do_not_come_says_so_and_measures_nothing() {
    let dir = empty_dir();
    let serving = serve(&["--connections-per-address-max", "0"]).await;
    // Somebody waits in the lobby, and nobody is left for one of the generator's odd number.
    let start_at = Timestamp::now() + 4.seconds();
    let line = format!(
        "load --target http://{} --transport websocket --users 6 --duration 2s --shard 1/2 \
         --start-at {start_at} --out 1",
        serving.addr
    );
    let ended = tokio::task::spawn_blocking({
        let dir = dir.path().to_owned();
        move || racetrack(&dir, &line)
    });
    let ended = ended.await.expect("it can be waited for");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert_eq!(
        last,
        "racetrack: websocket: 3 of 3 people connected and 2 found a partner before the start; do \
         all shards run, and do they start early enough?"
    );
    assert!(!dir.path().join("1/run.json").exists());
}
