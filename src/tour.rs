//! The tour: simulate, load, report, in one command and under two minutes.

use chat_sim::Chat;
use clap::Args;
use loadtest::{Options, Span};
use racetrack_sim::cli::Swept;
use racetrack_sim::sweep::cores;
use reports::Seeds;
use serde_json::json;

use crate::load;
use crate::sim::commands;
use reports::cli::outcome::Outcome;
use reports::cli::output::{self, Claim, Output};

const SEEDS: u64 = 200;
const USERS: u32 = 1_000;
const DURATION: &str = "10s";
/// Measurements that may be made again when the machine was disturbed; more would take the tour
/// beyond two minutes.
const AGAIN_MAX: usize = 3;

#[derive(Debug, Args)]
pub(crate) struct Tour {
    /// Seeds to simulate
    #[arg(long, value_name = "N", default_value_t = SEEDS,
        value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// People on each transport [default: 1000, or as many as the limit of open files allows]
    #[arg(long, value_name = "N")]
    users: Option<u32>,
    /// Length of each measurement
    #[arg(long, value_name = "SPAN", default_value = DURATION)]
    duration: Span,
}

impl Default for Tour {
    fn default() -> Self {
        let duration = DURATION.parse().expect("the default is a length of time");
        Self { seeds: SEEDS, users: None, duration }
    }
}

impl Tour {
    /// What the load part does. Where nobody asked for a number of users, those that the limit of open
    /// files allows are better than none.
    fn options(&self) -> anyhow::Result<Options> {
        let users = self.users.unwrap_or(USERS);
        let options = Options { users, duration: self.duration, ..Options::default() };
        options.validate()?;
        match loadtest::check_machine(&options) {
            Err(error) if self.users.is_none() && error.users_max() >= 2 => {
                let users = u32::try_from(error.users_max()).expect("fewer than do not fit");
                output::warn(&format!("{error}; the tour goes on with {users} users"));
                Ok(Options { users, ..options })
            }
            checked => Ok(checked.map(|()| options)?),
        }
    }

    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let options = self.options()?;
        let dir = output.dir("tour");
        let claim = Claim::on(dir.clone())?;
        let swept = Swept::run(
            &Chat,
            &Seeds(0..self.seeds),
            &chat_sim::Options::default(),
            cores(),
            false,
        )?;
        swept.write_plans(&dir)?;
        let (simulated, failures) = (swept.describe(), swept.describe_failures(&commands(), &dir));
        output.note(&format!("{simulated}profile: {}\n{failures}", crate::PROFILE))?;
        let run = load::measure(&options, Some(swept.summary()), AGAIN_MAX)?;
        claim.keep();
        let written = reports::write_run(&run, &dir);
        output.result(&load::describe(&run, &written), || {
            json!({
                "sim": swept.to_json(&dir),
                "load": load::to_json(&run, &written),
                "report": written.report,
                "out": dir,
            })
        })?;
        Ok(swept.outcome().max(load::outcome(&run)).max(load::all_written(&written)))
    }
}
