//! One run, as text and as a page: `--seed N` and `replay FILE`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use reports::cli::{Outcome, Output, bar, output};
use reports::sequence::Sequence;
use serde_json::json;

use super::CommandLine;
use super::size::RunSize;
use crate::log::{log as logged, tail};
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
    /// Write what the run logged with tracing
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// Files that are written about a run, where they are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    /// The run as a page.
    pub(super) html: Option<&'a Path>,
    /// What it logged.
    pub(super) log: Option<&'a Path>,
}

impl Replay {
    pub(super) fn run<M: Model>(
        &self,
        cli: &CommandLine<M>,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        let plan = read_plan(&cli.model, &self.file)?;
        let title = Subject::File(self.file.clone()).title(cli, &plan);
        let files = Files { html: self.html.as_deref(), log: self.log.as_deref() };
        show(cli, &plan, &title, files, output)
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

/// Runs a plan and tells what happened; where it fails, with the end of what it logged.
pub(super) fn show<M: Model>(
    cli: &CommandLine<M>,
    plan: &Plan<M>,
    title: &str,
    Files { html, log }: Files<'_>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let waiting = bar::waiting("simulating");
    let report = run(&cli.model, plan, false);
    waiting.finish_and_clear();
    let failure = failure(&cli.model, report.plan.seed, &report);
    let drawn = summary(&cli.model, &report.plan);
    let hash = format!("{:016x}", report.trace.hash);
    let logged = match failure.is_some() || log.is_some() {
        true => logged(&cli.model, plan)?,
        false => String::new(),
    };
    let end = if failure.is_some() { tail(&logged) } else { String::new() };
    let mut text = format!("{}{end}\n{drawn}\ntrace hash  {hash}", transcript(&cli.model, &report));
    if let Some(html) = html {
        write_page(&cli.model, &report, title, html)?;
        text += &format!("\npage        {}", html.display());
    }
    if let Some(log) = log {
        let (dir, name) = parts(log)?;
        let written = output::write(dir, &name, &logged);
        written.with_context(|| format!("the log {} was not written", log.display()))?;
        text += &format!("\nlog         {}", log.display());
    }
    output.result(&text, || {
        json!({
            "seed": report.plan.seed,
            "failed": failure.is_some(),
            "checker": failure.as_ref().map(|failure| &failure.checker),
            "what": failure.as_ref().map(|failure| &failure.what),
            "evidence": failure.as_ref().map(|failure| &failure.evidence),
            "trace_hash": hash,
            "html": html,
            "log": log,
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
    let (dir, name) = parts(file)?;
    let page =
        reports::sequence::page(&Sequence { title: title.to_owned(), ..model.sequence(report) });
    let written = output::write(dir, &name, &page);
    written.with_context(|| format!("the page {} was not drawn", file.display()))
}

/// The folder of a file, and its name.
fn parts(file: &Path) -> anyhow::Result<(&Path, Cow<'_, str>)> {
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    Ok((file.parent().unwrap_or_else(|| Path::new("")), name.to_string_lossy()))
}
