//! `racetrack-server` as its operators see it.

use std::process::{Command, Output};

/// What it prints and how it ends.
fn server(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_racetrack-server"));
    let output = command.args(arguments).output().expect("the program can be started");
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn it_names_its_version() {
    let (code, version, complaint) = server(&["--version"]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    let expected = concat!("racetrack-server ", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(expected), "{version}");
}

#[test]
fn its_short_help_fits_a_screen_and_the_long_one_has_every_limit() {
    let (_, short, _) = server(&["-h"]);
    assert!(short.lines().count() <= 45 && short.contains("--help"), "{short}");
    let (code, long, _) = server(&["--help"]);
    assert_eq!(code, Some(0));
    for words in ["--poll-grace-ms", "RACETRACK_POLL_GRACE_MS", "Examples:", "Exit: "] {
        assert!(long.contains(words), "{words}");
    }
}

#[test]
fn what_it_cannot_do_is_one_line_that_says_what_to_do_instead() {
    for (arguments, expected) in [
        (
            ["--addr", "192.0.2.1:3000"],
            "racetrack-server: cannot listen on 192.0.2.1:3000; that is no address of this \
             machine; 0.0.0.0 or [::] are all of them: Cannot assign requested address (os error \
             99)\n",
        ),
        (
            ["--config", "nothing.toml"],
            "racetrack-server: cannot read nothing.toml; name another file with --config FILE: No \
             such file or directory (os error 2)\n",
        ),
        (
            ["--config", "/"],
            "racetrack-server: cannot read /; name another file with --config FILE: Is a directory \
             (os error 21)\n",
        ),
    ] {
        let (code, told, complaint) = server(&arguments);
        assert_eq!((code, told.as_str(), complaint.as_str()), (Some(2), "", expected));
    }
}
