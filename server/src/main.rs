//! `racetrack-server`: the production server alone.

use std::process::ExitCode;

use clap::Parser;

/// Random chat over plain polling, long polling, server-sent events, WebSocket and Socket.IO.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    serve: server::Serve,
}

fn main() -> ExitCode {
    let Err(error) = server::run(&Arguments::parse().serve) else {
        return ExitCode::SUCCESS;
    };
    #[expect(clippy::print_stderr, reason = "this is the command line")]
    {
        eprintln!("racetrack-server: {error:#}");
    }
    ExitCode::from(2)
}
