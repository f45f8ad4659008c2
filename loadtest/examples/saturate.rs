//! Measures our server beside others at one and the same job and prints one table.
//!
//! `loadtest/peers/README.md` says how to make it ready and what the columns mean.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

#[cfg(target_os = "linux")]
mod command {
    use std::ffi::OsString;
    use std::path::PathBuf;
    use std::process::ExitCode;

    use clap::Parser;
    use loadtest::Span;
    use loadtest::cores::Cores;
    use loadtest::saturate::{self, Contender, Job, SaturateError, Series};

    /// Measures servers side by side: what a message and a connection cost, and how long messages
    /// take when the server has all that it can do.
    #[derive(Parser)]
    #[command(name = "saturate")]
    struct Arguments {
        /// The servers, in the order of the table; ratios are to the first of each wire.
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = Contender::ALL)]
        servers: Vec<Contender>,
        /// How often each server is measured; the servers take turns.
        #[arg(long, default_value_t = 2, value_name = "N",
            value_parser = clap::value_parser!(u32).range(1..=1_000))]
        rounds: u32,
        /// People, each with one connection; an even number.
        #[arg(long, default_value_t = 2_000, value_name = "N")]
        people: u32,
        /// Messages that each person has in flight at saturation.
        #[arg(long, default_value_t = 1, value_name = "N")]
        in_flight: usize,
        /// Letters of a message.
        #[arg(long, default_value_t = 32, value_name = "N")]
        letters: usize,
        /// Messages a second of all together, at the fixed rate.
        #[arg(long, default_value_t = 5_000.0, value_name = "N")]
        rate: f64,
        /// How long each load lasts before it is measured.
        #[arg(long, default_value = "2s", value_name = "TIME")]
        warm_up: Span,
        /// How long each load is measured.
        #[arg(long, default_value = "5s", value_name = "TIME")]
        duration: Span,
        /// Lets the crowd sleep when it has nothing to do at saturation, as most clients would; to
        /// wake it is then a part of the server's cost.
        #[arg(long)]
        naps: bool,
        /// Our server. It stands last: all words behind it are given to the server.
        #[arg(long, num_args = 1.., value_name = "PROGRAM", allow_hyphen_values = true)]
        racetrack: Vec<OsString>,
        /// The folder of the other servers.
        #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/peers"), value_name = "DIR")]
        peers: PathBuf,
        /// Prints every sample as JSON instead of the table.
        #[arg(long)]
        json: bool,
    }

    #[tokio::main(flavor = "current_thread")]
    pub(super) async fn main() -> ExitCode {
        let arguments = Arguments::parse();
        let mut series = Vec::new();
        let measured = measure(&arguments, &mut series).await;
        series.retain(|it| !it.samples.is_empty());
        if arguments.json && !series.is_empty() {
            let json = serde_json::to_string_pretty(&series);
            println!("{}", json.expect("figures are plain data"));
        } else if !series.is_empty() {
            print!("{}", saturate::table(&series));
        }
        match measured {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("saturate: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Round by round, so that a disturbance of the machine meets every server. What was measured
    /// before an error stays in `series`.
    async fn measure(arguments: &Arguments, series: &mut Vec<Series>) -> Result<(), SaturateError> {
        let job = Job {
            people: arguments.people,
            in_flight: arguments.in_flight,
            letters: arguments.letters,
            rate_per_s: arguments.rate,
            warm_up: arguments.warm_up.0,
            window: arguments.duration.0,
            naps: arguments.naps,
            cores: Some(Cores::choose()?),
        };
        let racetrack = match arguments.racetrack.as_slice() {
            [] => vec![beside_this_program("racetrack-server")?],
            given => given.to_vec(),
        };
        let starts = arguments.servers.iter().map(|one| one.start(&racetrack, &arguments.peers));
        let starts = starts.collect::<Result<Vec<_>, _>>()?;
        let empty = |wire| Series { wire, samples: Vec::new() };
        series.extend(starts.iter().map(|start| empty(start.wire)));
        for round in 1..=arguments.rounds {
            for (start, series) in starts.iter().zip(series.iter_mut()) {
                eprintln!("round {round}: {}", start.name);
                series.samples.push(saturate::measure(start, &job).await?);
            }
        }
        Ok(())
    }

    /// A program of the same build: examples lie one folder below the others.
    fn beside_this_program(name: &str) -> std::io::Result<OsString> {
        let this = std::env::current_exe()?;
        let folder = this.parent().and_then(|examples| examples.parent()).unwrap_or(&this);
        Ok(folder.join(name).into_os_string())
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    command::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!(
        "servers can be compared on Linux only, where one can pin them and read what they use"
    );
    std::process::exit(2);
}
