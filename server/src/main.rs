//! `racetrack-server`: the production server alone.

use std::process::ExitCode;

use clap::Parser;

/// What `--help` ends with.
const HELP: &str = "\
Examples:
  racetrack-server                                # on 127.0.0.1:3000, until Ctrl-C
  racetrack-server --addr 0.0.0.0:8080            # for other machines
  racetrack-server --addr 127.0.0.1:0             # on a free port, which it prints
  racetrack-server --config racetrack.toml --log json
  racetrack-server --config racetrack.toml --check-config     # what is in force, or what is wrong
  RUST_LOG=debug racetrack-server                 # connections and requests in the log

Exit: 0 stopped by SIGINT or SIGTERM; 2 wrong usage or environment.";

/// The version and, in a checkout, the commit that this program was built from.
const VERSION: &str = commit::version!();

/// Random chat over plain polling, long polling, server-sent events, WebSocket and Socket.IO.
#[derive(Parser)]
#[command(
    name = "racetrack-server",
    version = VERSION,
    max_term_width = 100,
    after_long_help = HELP
)]
struct Arguments {
    #[command(flatten)]
    serve: server::Serve,
}

fn main() -> ExitCode {
    let Err(error) = server::run(&Arguments::parse().serve, VERSION) else {
        return ExitCode::SUCCESS;
    };
    #[expect(clippy::print_stderr, reason = "this is the command line")]
    {
        eprintln!("racetrack-server: {error:#}");
    }
    ExitCode::from(2)
}
