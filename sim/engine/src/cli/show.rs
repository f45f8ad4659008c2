//! One run, as text and as a page: `--seed N` and `replay FILE`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use reports::cli::{Outcome, Output, bar, output};
use reports::sequence::Sequence;
use serde_json::json;

use super::CommandLine;
use super::size::RunSize;
use crate::model::Model;
use crate::plan::Plan;
use crate::report::Report;
use crate::run::run;
use crate::summary::summary;
use crate::sweep::failure;
use crate::transcript::transcript;

/// Which plan, and what is drawn of it.
#[derive(Debug, Args)]
pub struct Replay {
    /// The plan, as a failing sweep writes it
    file: PathBuf,
    /// Draw the run as a page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Replay {
    pub(super) fn run<M: Model>(
        &self,
        cli: &CommandLine<M>,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        let plan = read_plan(&cli.model, &self.file)?;
        let title = Subject::File(self.file.clone()).title(cli, &plan);
        show(cli, &plan, &title, self.html.as_deref(), output)
    }
}

/// A plan on the command line: the number of its seed, or the file that it is in.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// A seed.
    Seed(u64),
    /// A plan file.
    File(PathBuf),
}

impl FromStr for Subject {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Seed))
    }
}

impl Subject {
    /// What a run of the plan is called: its seed only where `--seed` runs this plan
    /// too, or else the file's name.
    pub(super) fn title<M: Model>(&self, cli: &CommandLine<M>, plan: &Plan<M>) -> String {
        match self {
            Self::File(file)
                if *plan != cli.model.generate(plan.seed, &cli.model.usual_options()) =>
            {
                file.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Self::File(_) | Self::Seed(_) => format!("seed {}", plan.seed),
        }
    }

    /// The plan; a seed's is made in the world that the flags ask for.
    pub(super) fn plan<M: Model>(
        &self,
        cli: &CommandLine<M>,
        size: &RunSize<M::Fault>,
    ) -> anyhow::Result<Plan<M>> {
        match self {
            Self::Seed(seed) => Ok(cli.generate(*seed, &size.options(&cli.model)?)?),
            Self::File(file) => read_plan(&cli.model, file),
        }
    }
}

fn read_plan<M: Model>(model: &M, file: &Path) -> anyhow::Result<Plan<M>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the plan {}", file.display()))?;
    let plan = Plan::from_json(model, &text);
    plan.with_context(|| file.display().to_string())
}

/// Runs a plan once and tells what happened, on a page too where one is asked for.
pub(super) fn show<M: Model>(
    cli: &CommandLine<M>,
    plan: &Plan<M>,
    title: &str,
    html: Option<&Path>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let waiting = bar::waiting("simulating");
    let report = run(&cli.model, plan, false);
    waiting.finish_and_clear();
    let drawn = summary(&cli.model, &report.plan);
    let hash = format!("{:016x}", report.trace.hash);
    let mut text = format!("{}\n{drawn}\ntrace hash  {hash}", transcript(&cli.model, &report));
    if let Some(html) = html {
        write_page(&cli.model, &report, title, html)?;
        text += &format!("\npage        {}", html.display());
    }
    let failure = failure(&cli.model, report.plan.seed, &report);
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
pub(super) fn write_page<M: Model>(
    model: &M,
    report: &Report<M>,
    title: &str,
    file: &Path,
) -> anyhow::Result<PathBuf> {
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    let dir = file.parent().unwrap_or_else(|| Path::new(""));
    let page =
        reports::sequence::page(&Sequence { title: title.to_owned(), ..model.sequence(report) });
    let written = output::write(dir, &name.to_string_lossy(), &page);
    written.with_context(|| format!("the page {} was not drawn", file.display()))
}
