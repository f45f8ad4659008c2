//! Writes the report of a made-up run, to look at: `cargo run -p racetrack-reports --example
//! sample_report -- DIR [TRANSPORTS] [SECONDS] [RATE] [search]`. Nothing in it was measured.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example is a program")]

use std::path::PathBuf;
use std::process::ExitCode;

mod sample;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().as_deref().unwrap_or("target/sample-report"));
    let mut number =
        |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let mut run = sample::run(number(3) as usize, number(30), number(1200));
    if arguments.next().is_some() {
        run.knees = sample::knees();
    }
    match reports::write_run(&run, &dir).whole() {
        Ok(written) => {
            println!("{}\n{}", reports::comparison_table(&run), written.report.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
