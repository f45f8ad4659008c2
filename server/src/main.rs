//! `racetrack-server`: the production server alone.

use clap::Parser;
use server::config::Config;

/// Random chat over short polling, long polling and Socket.IO.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    server::run(Arguments::parse().config).await
}
