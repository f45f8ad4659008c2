//! One load run, its figures as lines: `cargo run --release --example load -- SERVER [options]`.
//!
//! `SERVER` is a program that serves when it is given `--addr`, such as `racetrack-server`.

#![allow(clippy::print_stdout, reason = "printing is all this example does")]

use std::ffi::OsString;

use clap::Parser;
use loadtest::{Options, Phase};
use reports::run::{HistogramDump, Series};

#[derive(Parser)]
struct Arguments {
    server: OsString,
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> Result<(), loadtest::LoadError> {
    let Arguments { server, mut options } = Arguments::parse();
    options.server_command = vec![server];
    let series = loadtest::run(&options, |progress| {
        if matches!(progress.phase, Phase::Starting | Phase::Finished) {
            println!("{}: {:?}", progress.transport, progress.phase);
        }
    })
    .await?;
    series.iter().for_each(print);
    Ok(())
}

fn print(series: &Series) {
    let delivered = series.messages.delivered.max(1) as f64;
    println!(
        "\n{} {} users, {:.1}/s of {:.1}/s",
        series.transport, series.users, series.achieved_per_s, series.offered_per_s
    );
    println!("  {:?}", series.messages);
    println!(
        "  accounted for: {}  errors: {:?}",
        series.messages.all_accounted_for(),
        series.traffic.errors
    );
    for (name, dump) in [
        ("latency", &series.latency_us),
        ("service", &series.service_us),
        ("send lag", &series.send_lag_us),
    ] {
        println!("  {name:9} {}", spectrum(dump));
    }
    let traffic = &series.traffic;
    println!(
        "  a message: {:.2} requests, {:.0} bytes",
        traffic.requests as f64 / delivered,
        (traffic.bytes_sent + traffic.bytes_received) as f64 / delivered
    );
    if let Some(server) = series.server {
        println!(
            "  server: {:.0} us CPU a message, {:.2} cores, {} bytes RSS a user above {}",
            server.cpu_us as f64 / delivered,
            server.cpu_us as f64 / series.duration_s / 1e6,
            server.rss_bytes.saturating_sub(server.rss_idle_bytes) / series.users,
            server.rss_idle_bytes
        );
    }
    println!(
        "  generator: {:.2} cores, {} MiB",
        series.generator.cpu_us as f64 / series.duration_s / 1e6,
        series.generator.rss_bytes >> 20
    );
    println!("  invalid: {:?}", series.invalid);
}

fn spectrum(dump: &HistogramDump) -> String {
    let histogram = dump.to_histogram();
    let at = |quantile| histogram.value_at_quantile(quantile);
    format!(
        "p50 {:>7}  p90 {:>7}  p99 {:>7}  p99.9 {:>7}  max {:>7}  ({} samples)",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        histogram.max(),
        histogram.len()
    )
}
