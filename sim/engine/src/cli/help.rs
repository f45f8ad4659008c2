//! What `--help` says below the flags: examples that can be typed as they stand, and exit codes.

use clap::Command;

/// How the examples here begin.
const PROGRAM: &str = "racetrack sim";

/// The sweep.
pub const SWEEP: &str = "\
Examples:
  racetrack sim                                   # 200 seeds; plans that fail become files
  racetrack sim --seeds 0..10000 --first          # up to the first that fails
  racetrack sim --seed 7 --html seed-7.html       # one seed, as text and as a page
  racetrack sim --fault crash --fault cut-reset   # with these faults alone
  racetrack sim --seeds 0..2000 --verbose         # with each kind of fault and rare state

Exit: 0 every invariant held; 1 a seed failed, or --require-coverage was not met; 2 wrong usage or \
environment.";

/// `meta`.
pub const META: &str = "\
Examples:
  racetrack sim meta --seeds 0..20
  racetrack sim meta --with target/debug/other            # another build of the same source

Exit: 0 every trace is equal; 1 one is not, or a run reached past its seed; 2 wrong usage or environment.";

/// `replay`.
pub const REPLAY: &str = "\
Examples:
  racetrack sim replay target/racetrack/sim-20261122T145741.312Z/seed-50.json
  racetrack sim replay seed-50.json --html seed-50.html   # drawn, too
  racetrack sim replay seed-50.json --log seed-50.log     # and what it logged

Exit: 0 every invariant held; 1 one was broken; 2 wrong usage or environment.";

/// `shrink`.
pub const SHRINK: &str = "\
Examples:
  racetrack sim shrink seed-50.json --out smaller
  racetrack sim shrink --seed 50 --runs 5000

Exit: 0 the smallest plan that fails alike was written; 1 the plan does not fail; 2 wrong usage or \
environment.";

/// `diff`.
pub const DIFF: &str = "\
Examples:
  racetrack sim diff seed-50.json smaller.json
  racetrack sim diff 7 8                          # the plans of two seeds

Exit: 0 compared, whatever was found; 2 wrong usage or environment.";

/// `live`.
pub const LIVE: &str = "\
Examples:
  racetrack sim live --seeds 0..5 --jobs 5
  racetrack sim live --server target/release/racetrack

Exit: 0 every invariant held; 1 one was broken; 2 wrong usage or environment, or Ctrl-C.";

/// The command, with examples that begin as this program is typed.
pub(super) fn typed(command: Command, program: &str) -> Command {
    let named = |command: Command| match command.get_after_long_help().map(ToString::to_string) {
        Some(help) => command.after_long_help(help.replace(PROGRAM, program)),
        None => command,
    };
    named(command).mut_subcommands(named)
}
