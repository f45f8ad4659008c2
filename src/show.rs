//! One run, looked at: `racetrack sim --seed N`, `racetrack sim replay FILE`, and its page.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use chat_sim::plan::Plan;
use chat_sim::sequence::sequence;
use chat_sim::transcript::transcript;
use chat_sim::{Chat, Options, Report, generate};
use clap::Args;
use reports::sequence::Sequence;
use serde_json::json;

use crate::bar;
use crate::outcome::Outcome;
use crate::output::{self, Output};
use crate::world::World;

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The plan, as a failing sweep writes it
    file: PathBuf,
    /// Draw the run as a page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Replay {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let plan = read_plan(&self.file)?;
        let title = Subject::File(self.file.clone()).title(&plan);
        show(&plan, &title, self.html.as_deref(), output)
    }
}

/// A plan on the command line: the number of its seed, or the file that it is in.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Seed(u64),
    File(PathBuf),
}

impl FromStr for Subject {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Seed))
    }
}

impl Subject {
    /// What a run of the plan is called: its seed only where `racetrack sim --seed` runs this plan
    /// too, or else the file's name.
    pub(crate) fn title(&self, plan: &Plan) -> String {
        match self {
            Self::File(file) if *plan != generate::plan(plan.seed, &Options::default()) => {
                file.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Self::File(_) | Self::Seed(_) => format!("seed {}", plan.seed),
        }
    }

    /// The plan; a seed's is made in the world that the flags ask for.
    pub(crate) fn plan(&self, world: &World) -> anyhow::Result<Plan> {
        match self {
            Self::Seed(seed) => Ok(generate::plan(*seed, &world.options()?)),
            Self::File(file) => read_plan(file),
        }
    }
}

fn read_plan(file: &Path) -> anyhow::Result<Plan> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the plan {}", file.display()))?;
    let plan = chat_sim::plan::read(&text);
    plan.with_context(|| file.display().to_string())
}

/// Runs a plan once and tells what happened, on a page too where one is asked for.
pub(crate) fn show(
    plan: &Plan,
    title: &str,
    html: Option<&Path>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let waiting = bar::waiting("simulating");
    let report = chat_sim::run(plan, false);
    waiting.finish_and_clear();
    let drawn = racetrack_sim::summary::summary(&Chat, &report.plan);
    let hash = format!("{:016x}", report.trace.hash);
    let mut text = format!("{}\n{drawn}\ntrace hash  {hash}", transcript(&report));
    if let Some(html) = html {
        write_page(&report, title, html)?;
        text += &format!("\npage        {}", html.display());
    }
    let failure = racetrack_sim::failure(&Chat, report.plan.seed, &report);
    output.result(&text, || {
        json!({
            "seed": report.plan.seed,
            "failed": failure.is_some(),
            "checker": failure.as_ref().map(|failure| &failure.checker),
            "what": failure.as_ref().map(|failure| &failure.what),
            "evidence": failure.as_ref().map(|failure| &failure.evidence),
            "trace_hash": hash,
            "html": html,
            "plan": report.plan,
        })
    })?;
    Ok(if failure.is_some() { Outcome::Bad } else { Outcome::Good })
}

/// Draws a run as a page with that title.
pub(crate) fn write_page(report: &Report, title: &str, file: &Path) -> anyhow::Result<PathBuf> {
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    let dir = file.parent().unwrap_or_else(|| Path::new(""));
    let page = reports::sequence::page(&Sequence { title: title.to_owned(), ..sequence(report) });
    let written = output::write(dir, &name.to_string_lossy(), &page);
    written.with_context(|| format!("the page {} was not drawn", file.display()))
}
