//! The command line of `cargo xtask`, without a build.

use std::process::{Command, Output};

use expect_test::{Expect, expect};

fn xtask(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(line.split_whitespace()).output().expect("the program can be started")
}

fn check(line: &str, first_line: &Expect) {
    let refused = xtask(line);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{line}");
    let stderr = String::from_utf8(refused.stderr).expect("it prints UTF-8");
    first_line.assert_eq(stderr.lines().next().unwrap_or_default());
}

#[test]
fn wrong_words_are_refused_before_a_build() {
    check(
        "seeded-bugs cursor-off-by-one --seeds 5..5",
        &expect![
            "error: invalid value '5..5' for '--seeds <A..B>': `5..5` is no range of seeds; write A..B with A below B, as 0..200"
        ],
    );
    check(
        "seeded-bugs cursor-off-by-one --ranges 0",
        &expect!["error: invalid value '0' for '--ranges <N>': 0 is not in 1..=9"],
    );
    check(
        "seeded-bugs cursor-off-by-one --ranges 2 --seeds 0..18446744073709551615",
        &expect!["xtask: --seeds 0..18446744073709551615: too large"],
    );
    check(
        "mutants --shard 2/2",
        &expect![[
            r#"error: invalid value '2/2' for '--shard <K/N>': "2/2" is no shard; write K/N with K below N, as 0/8"#
        ]],
    );
    check("mutants --seeds 1..9", &expect!["xtask: --seeds 1..9: the seeds begin at 0"]);
}

#[test]
fn unknown_bug_is_refused_with_the_known_names() {
    let refused = xtask("seeded-bugs cursor-off-by-one off-by-none");
    let stderr = String::from_utf8(refused.stderr).expect("it prints UTF-8");
    assert!(stderr.starts_with("xtask: no patch is named \"off-by-none\"; there are "), "{stderr}");
    assert!(stderr.contains("cursor-off-by-one"), "{stderr}");
    assert_eq!((stderr.lines().count(), refused.status.code()), (1, Some(2)), "{stderr}");
}
