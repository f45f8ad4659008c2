//! Writes the report of a made-up run, to look at: `cargo run -p racetrack-reports --example
//! sample_report -- DIR [TRANSPORTS] [SECONDS] [RATE]`. Nothing in it was measured.

use std::path::PathBuf;

mod sample;

fn main() -> Result<(), reports::ReportError> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().as_deref().unwrap_or("target/sample-report"));
    let mut number =
        |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let run = sample::run(number(3) as usize, number(30), number(1200));
    let written = reports::write_run(&run, &dir)?;
    say(&reports::comparison_table(&run));
    say(&format!("{}", written.report.display()));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "an example is a program")]
fn say(line: &str) {
    println!("{line}");
}
