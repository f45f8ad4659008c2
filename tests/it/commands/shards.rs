//! Several generators that share one crowd: the commands of the book, each a process.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use tokio::process::Command;

use super::results::object;
use super::serve::{Serving, serve};
use super::{Ended, RACETRACK, empty_dir, racetrack};
use crate::schema;

/// What the book does for several generators, a line each, without the comments.
fn commands_of_the_book() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/generators.md");
    let page = fs::read_to_string(page).expect("there is such a page");
    let (_, block) = page.split_once("```sh").expect("it has the commands");
    let (block, _) = block.split_once("```").expect("the commands end");
    let lines = block.trim().lines();
    lines.map(|line| line.split(" # ").next().unwrap_or_default().trim().to_owned()).collect()
}

/// The commands but the server's, sooner and shorter, against this server.
async fn follow_the_book(dir: &Path, serving: &Serving) -> Ended {
    let commands = commands_of_the_book();
    let (server, generators) = commands.split_first().expect("there are commands");
    assert!(server.ends_with(SERVE), "{server}");
    let mut script = generators.join("\n");
    for (told, done) in [
        ("+1 minute", "+8 seconds"),
        ("127.0.0.1:3000", serving.addr.to_string().as_str()),
        // Eleven each: whoever of the first is left over meets one of the second.
        ("--users 20", "--users 22 --rate 110 --duration 2s"),
        ("--out whole", "--out whole --format json"),
        ("racetrack ", &format!("{RACETRACK} ")),
    ] {
        assert!(script.contains(told), "{told} is not in\n{script}");
        script = script.replace(told, done);
    }
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.expect("there is a shell");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// How the book starts the server.
const SERVE: &str = "--connections-per-address-max 0 --sessions-per-address-max 0 \
                     --opens-per-address-per-s-max 0";

fn run_json(dir: &Path) -> Value {
    let text = fs::read_to_string(dir.join("run.json")).expect("a run was written");
    serde_json::from_str(&text).expect("it is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_generators_that_share_a_crowd_account_for_every_message_together() {
    let dir = empty_dir();
    let serving = serve(&SERVE.split(' ').collect::<Vec<_>>()).await;
    let merged = follow_the_book(dir.path(), &serving).await;
    assert!(matches!(merged.code, Some(0 | 3)), "{}{}", merged.stdout, merged.stderr);
    for part in ["part-1", "part-2"] {
        let alone = racetrack(dir.path(), &format!("report {part} --out again"));
        assert_eq!(alone.code, Some(3), "a part alone proves nothing\n{}", alone.stderr);
        assert!(alone.stdout.contains("`racetrack report"), "{}", alone.stdout);
    }
    // The tables of the parts come before the object.
    let last = merged.stdout.lines().last().unwrap_or_default().to_owned();
    let said = object(&Ended { stdout: last, ..merged });
    schema::check("report-merge", &said);
    let parts = ["part-1", "part-2"].map(|name| run_json(&dir.path().join(name)));
    for (transport, nth) in ["websocket", "long-poll"].into_iter().zip(0..) {
        let row = &said["transports"][transport];
        for broken in ["lost", "duplicated", "misdelivered", "out_of_order", "unsent", "refused"] {
            assert_eq!(row[broken], 0, "{broken} in {row}");
        }
        assert_eq!((&row["users"], &row["sent"]), (&json!(22), &row["delivered"]), "{row}");
        let abroad = parts.each_ref().map(|part| {
            let abroad = &part["series"][nth]["messages"]["abroad"];
            abroad.as_u64().unwrap_or_else(|| panic!("the two who are left meet: {abroad}"))
        });
        let crossed = run_json(&dir.path().join("whole"))["series"][nth]["crossed_us"].clone();
        let counts = crossed.as_array().expect("a histogram").iter();
        let crossed: u64 = counts.filter_map(|count| count[1].as_u64()).sum();
        assert_eq!(crossed, abroad.iter().sum::<u64>(), "what left came");
    }
    let page = fs::read_to_string(dir.path().join("whole/report.html")).expect("a report");
    assert!(page.contains("went from one generator to another") && page.contains("--shard 2/2"));
    let alone = racetrack(dir.path(), "report merge part-2 --out half");
    assert_eq!((alone.code, alone.stdout.as_str()), (Some(2), ""));
    assert!(alone.stderr.starts_with("racetrack: shard 1/2 is missing: "), "{}", alone.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_whose_partners_do_not_come_says_so_and_measures_nothing() {
    let dir = empty_dir();
    let serving = serve(&SERVE.split(' ').collect::<Vec<_>>()).await;
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
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let why = "websocket failed: 3 of 3 people connected and 2 found a partner before the start; do \
               all shards run, and do they start early enough?";
    let told = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(why), "{told}");
    assert_eq!(run_json(&dir.path().join("1"))["series"], json!([]));
}
