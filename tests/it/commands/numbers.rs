//! Numbers and lengths of time that can never work: refused in one line at the start, whatever the
//! command, before anything is measured or written.

use super::{complaint, empty_dir, racetrack};

const THREADS: &str = "1 to 1024 threads can run";
const CROWD: &str = "2 to 1000000 people can talk";
const MESSAGES: &str = "more than 0, and at most 50 million messages in the whole run";
const SPAN: &str = "is no length of time; write 500ms, 10s or 1m30s";
const SEEDS: &str = "is no range of seeds; write A..B with A below B, as 0..200";

/// The command, the flag and the value that the line names, and what it says of them.
const REFUSED: [(&str, &str, &str); 61] = [
    ("load --users 0", "--users 0", CROWD),
    ("load --users 1", "--users 1", CROWD),
    ("load --users 1000001", "--users 1000001", CROWD),
    ("load --users 4294967296", "4294967296", "is not in 0..=4294967295"),
    ("load --users 2.5", "2.5", "invalid digit"),
    ("load --rate 0", "--rate 0", MESSAGES),
    ("load --rate NaN", "--rate NaN", MESSAGES),
    ("load --rate inf", "--rate inf", MESSAGES),
    ("load --rate 1e300", "--rate 1e300", MESSAGES),
    ("load --rate=-1", "--rate -1", MESSAGES),
    ("load --rate 6e6", "--rate 6000000", MESSAGES),
    ("load --rate 0.001", "--rate 0.001", "no message is due within --duration 10s"),
    ("load --duration 0s", "--duration 0s", "1s to 1h can be measured"),
    ("load --duration 2h", "--duration 2h", "1s to 1h can be measured"),
    ("load --duration 10", "10", SPAN),
    ("load --duration NaNs", "NaNs", SPAN),
    ("load --duration=-1s", "-1s", SPAN),
    ("load --warm-up 11m", "--warm-up 11m", "0s to 10m"),
    ("load --repeat 0", "--repeat 0", "1 to 100 rounds"),
    ("load --repeat 101", "--repeat 101", "1 to 100 rounds"),
    ("load --poll-interval 0s", "--poll-interval 0s", "10ms to 30s"),
    ("load --poll-interval 1s,1m", "--poll-interval 1m", "10ms to 30s"),
    ("load --skip-every 0s", "--skip-every 0s", "100ms to 1h, on average"),
    ("load --stay 2h", "--stay 2h", "100ms to 1h, on average"),
    ("load --stay 1m --poll-interval 6s", "--stay 1m", "--poll-interval is at most 5s"),
    ("load --arrival-rate 0", "--arrival-rate 0", "1 to 1000000 people a second"),
    ("load --arrival-rate NaN", "--arrival-rate NaN", "1 to 1000000 people a second"),
    ("load --seed 18446744073709551616", "18446744073709551616", "number too large"),
    ("load --shard 0/2", "0/2", "I is 1 to N, and N is 1 to 1000"),
    ("load --shard 3/2", "3/2", "I is 1 to N, and N is 1 to 1000"),
    ("load --transport mix --mix sse=0", "sse=0", "a whole number from 1 to 1000"),
    ("load --prometheus 127.0.0.1:65536", "127.0.0.1:65536", "is no HOST:PORT"),
    ("load --search --p99-max 0s", "--p99-max 0s", "1ms to 1m"),
    ("load --search --p99-max 2m", "--p99-max 2m", "1ms to 1m"),
    ("load --search speed", "speed", "none of rate, people"),
    (
        "load --search people --rate 1 --duration 1s",
        "--search people",
        "raise --rate or --duration",
    ),
    ("load --slo p99<0ms", "p99<0ms", "is broken by every run"),
    ("load --slo errors<=100%", "errors<=100%", "is held by every run"),
    ("load --slo lost=0.5", "lost=0.5", "whole numbers from 0"),
    ("tour --seeds 0", "0", "is not in 1.."),
    ("tour --users 0", "--users 0", CROWD),
    ("tour --duration 0s", "--duration 0s", "1s to 1h can be measured"),
    ("sim --seeds 5..2", "5..2", SEEDS),
    ("sim --seeds 5..5", "5..5", SEEDS),
    ("sim --seeds 7", "7", SEEDS),
    ("sim --seeds 0..18446744073709551616", "0..18446744073709551616", SEEDS),
    ("sim --seeds 0..3 --seed 3", "--seeds", "cannot be used with '--seed <N>'"),
    ("sim --seed 3 --require-coverage", "--require-coverage", "cannot be used with"),
    ("sim --clients 1", "--clients 1", "2 to 1000 clients can be simulated"),
    ("sim --clients 1001", "--clients 1001", "2 to 1000 clients can be simulated"),
    ("sim --simulated 1s", "--simulated 1s", "at least 8s, so that it can come to rest"),
    ("sim --simulated 25h", "--simulated 25h", "at most 24h"),
    ("sim --jobs 0", "--jobs 0", THREADS),
    ("sim --jobs 1025", "--jobs 1025", THREADS),
    ("sim --seed 1 --jobs 0", "--jobs 0", THREADS),
    ("sim shrink --seed 1 --jobs 0", "--jobs 0", THREADS),
    ("sim shrink --seed 1 --jobs 1025", "--jobs 1025", THREADS),
    ("sim shrink --seed 1 --runs 0", "0", "is not in 1.."),
    ("sim live --jobs 0", "--jobs 0", "1 to 32 runs at once are possible"),
    ("sim live --clients 0 --seeds 0..1", "--clients 0", "2 to 1000 clients can be simulated"),
    ("sim meta --seeds 3..3", "3..3", SEEDS),
];

#[test]
fn number_that_can_never_work_is_refused_in_one_line() {
    let dir = empty_dir();
    for (line, value, allowed) in REFUSED {
        let refused = racetrack(dir.path(), line);
        let told = complaint(&refused.stderr);
        let first = told.lines().next().unwrap_or_default();
        // The parser of the command line says where help is in further lines.
        let is_one = told.lines().count() == 1 || first.starts_with("error: ");
        assert!(is_one && first.contains(value) && first.contains(allowed), "{line}: {told}");
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{line}");
    }
    let left = std::fs::read_dir(dir.path()).expect("the directory is there").count();
    assert_eq!(left, 0, "nothing was written");
}
