//! What the command `serve` is told: by flags, by the environment, by a file, in this order of
//! precedence, and by nobody, which leaves the defaults.
//!
//! ```toml
//! # racetrack.toml
//! addr = "0.0.0.0:3000"
//! sessions_max = 20000
//! allowed_origins = ["https://chat.example.org"]
//! trusted_proxies = ["10.0.0.0/8"]
//! ```
//!
//! What can never work is refused here, and so is a name that looks like a misspelt one: `spelling`.

mod spelling;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use tracing::warn;

use self::spelling::Doubtful;
use crate::config::Config;
use crate::logs::LogFormat;

/// What `-h` shows; `--help` shows the rest, which fills two screens.
const COMMON: [&str; 9] = [
    "file",
    "check_config",
    "log",
    "workers",
    "addr",
    "sessions_max",
    "connections_max",
    "allowed_origins",
    "trusted_proxies",
];

/// What `serve` is told.
#[derive(Debug, Clone)]
pub struct Serve {
    flags: Flags,
    /// Who said what.
    matches: ArgMatches,
}

#[derive(Debug, Clone, Args)]
struct Flags {
    /// A TOML file with limits, named as the flags with `_` for `-`; flags and environment win.
    #[arg(long = "config", env = "RACETRACK_CONFIG", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the configuration that is in force, as a file for --config, or what is wrong with it, and
    /// do not serve.
    #[arg(long)]
    check_config: bool,
    /// How the log is written to standard error; RUST_LOG says what is logged.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log: LogFormat,
    /// Threads that serve; without it, one for each processor that the process may use.
    #[arg(long, env = "RACETRACK_WORKERS", value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// End, without a drain, when standard input ends, where that is a pipe: when the program that
    /// started this one is gone.
    #[arg(long, hide = true)]
    until_input_ends: bool,
    #[command(flatten)]
    config: Config,
}

impl Serve {
    /// The limits to serve with.
    ///
    /// # Errors
    ///
    /// One line that says what to do about each: the file cannot be read or understood, a variable
    /// looks misspelt, or limits can never work.
    pub fn config(&self) -> anyhow::Result<Config> {
        let config = self.flags.config.clone();
        let config = match &self.flags.file {
            Some(path) => config.over(&self.matches, read(path)?),
            None => config,
        };
        let misspelt = doubtful().misspelt.into_iter();
        let misspelt = misspelt.map(|(name, meant)| {
            format!("no variable is named {name}; {meant} is: rename it or unset it")
        });
        let faults = config.faults().into_iter().map(|fault| fault.to_string());
        let faults: Vec<_> = misspelt.chain(faults).collect();
        if !faults.is_empty() {
            bail!("{}", faults.join("; "));
        }
        Ok(config)
    }

    /// True when the configuration is to be shown and nothing else.
    pub(crate) fn is_check(&self) -> bool {
        self.flags.check_config
    }

    /// Writes to the log which variables are named like limits and are none.
    pub(crate) fn warn_of_unknown_variables(&self) {
        for name in doubtful().unknown {
            warn!(
                "the variable {name} is not known, and ignored; --help lists those that are read"
            );
        }
    }

    /// How many threads are to serve.
    pub(crate) fn workers(&self) -> NonZeroUsize {
        let processors = std::thread::available_parallelism;
        self.flags.workers.unwrap_or_else(|| processors().unwrap_or(NonZeroUsize::MIN))
    }

    /// Whether the end of standard input is the end of the server.
    pub(crate) fn until_input_ends(&self) -> bool {
        self.flags.until_input_ends
    }

    pub(crate) fn log(&self) -> LogFormat {
        self.flags.log
    }
}

impl Args for Serve {
    fn augment_args(command: Command) -> Command {
        Flags::augment_args(command).mut_args(|arg| {
            let is_common = COMMON.contains(&arg.get_id().as_str());
            arg.hide_short_help(!is_common)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args_for_update(command)
    }
}

impl FromArgMatches for Serve {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { flags: Flags::from_arg_matches(matches)?, matches: matches.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Variables of this process that may be mistakes.
fn doubtful() -> Doubtful {
    let known = variables(&Flags::augment_args(Command::new("serve")));
    spelling::doubtful(std::env::vars_os().map(|(name, _)| name), &known)
}

/// Every variable that is read.
fn variables(command: &Command) -> Vec<String> {
    let names = command.get_arguments().filter_map(|argument| argument.get_env());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

fn read(path: &Path) -> anyhow::Result<Config> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {shown}; name another file with --config FILE"))?;
    toml::from_str(&text).map_err(|error| {
        let (number, line) = line_at(&text, error.span().map_or(0, |span| span.start));
        anyhow!("{shown}, line {number}, `{line}`: {}", in_one_line(error.message()))
    })
}

/// The number of the line at this byte, and the line.
fn line_at(text: &str, at: usize) -> (usize, &str) {
    let before = text.get(..at).unwrap_or_default();
    let number = before.matches('\n').count();
    (number + 1, text.lines().nth(number).unwrap_or_default())
}

/// What TOML complains of, without the list of all names that there are.
fn in_one_line(message: &str) -> String {
    let message = message.lines().collect::<Vec<_>>().join(" ");
    let Some((unknown, _)) = message.split_once(", expected one of") else { return message };
    let name = unknown.split('`').nth(1).unwrap_or_default().to_ascii_lowercase();
    let command = Config::augment_args(Command::new("serve"));
    let known: Vec<_> =
        command.get_arguments().map(|argument| argument.get_id().as_str()).collect();
    match spelling::nearest(&name.replace('-', "_"), known.iter().copied()) {
        Some(meant) => format!("{unknown}; did you mean `{meant}`?"),
        None => format!("{unknown}; --help lists the limits, written here with _ for -"),
    }
}
