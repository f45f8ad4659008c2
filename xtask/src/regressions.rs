//! `cargo xtask regressions`: proves that each regression plan can fail. A patch beside the plans puts a form of the
//! mistake back that the plan once found; the plan must fail with it, and pass without it.
//!
//! A plan that passes with its patch no longer tests what it was kept for.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use xtask::{NamedPatch, REGRESSION_PATCHES, REGRESSIONS};

use crate::output::Output;
use crate::seeded_bugs::{WATCHDOG, chosen};
use crate::workshop::{Changes, End, Workshop};
use reports::cli::{Outcome, bar, output};

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask regressions                                       # all of them; half a minute each
  cargo xtask regressions resumed_socket_waits_for_its_first_frame

Exit: 0 every plan fails with its patch and passes without it; 1 one does not; 2 wrong usage or environment, or a \
patch no longer applies.";

#[derive(Debug, Args)]
pub(crate) struct Regressions {
    /// Plans to replay, by the names of their files [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// What came of a plan.
#[derive(Debug, Default, Serialize)]
struct Row {
    name: String,
    /// The mistake that the patch puts back.
    about: String,
    /// With the sources as they are.
    passes_without: bool,
    fails_with: bool,
    /// The checker that fails with the patch, and the violation.
    checker: Option<String>,
    what: Option<String>,
}

impl Regressions {
    pub(crate) async fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let patches = chosen(xtask::patches(REGRESSION_PATCHES)?, &self.names)?;
        let changes = xtask::apply(&patches)?;
        for patch in &patches {
            let plan = plan(&patch.name);
            ensure!(plan.is_file(), "{}.patch has no plan {}", patch.name, plan.display());
        }
        let dir = output.dir("regressions")?;
        let workshop = Workshop::open(dir.clone(), None)?;
        output::warn("building one server for each plan; the first build takes minutes");
        let bar = bar::on_terminal(patches.len() as u64 + 1, "");
        bar.set_message("without patches");
        let mut rows = without(&workshop, &patches).await?;
        bar.inc(1);
        for (number, (patch, changed)) in patches.iter().zip(changes).enumerate() {
            bar.set_message(patch.name.clone());
            let row = &mut rows[number];
            workshop.prepare(&changed.into_iter().collect())?;
            let measured = row.measure(&workshop).await;
            measured.with_context(|| format!("{}.patch", patch.name))?;
            bar.suspend(|| output.note(&row.describe()))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        output.result(&verdict(&rows), || to_json(&rows))?;
        Ok(if rows.iter().all(Row::is_good) { Outcome::Good } else { Outcome::Bad })
    }
}

/// Builds the sources as they are and replays every plan.
async fn without(workshop: &Workshop, patches: &[NamedPatch]) -> anyhow::Result<Vec<Row>> {
    workshop.prepare(&Changes::new())?;
    workshop.build().await?;
    let mut rows = Vec::new();
    for patch in patches {
        let end = workshop.replay(&patch.name, &plan(&patch.name)).await?;
        rows.push(Row {
            name: patch.name.clone(),
            about: patch.patch.about.clone(),
            passes_without: matches!(end, End::Report(run) if run["failed"] == false),
            ..Row::default()
        });
    }
    Ok(rows)
}

impl Row {
    /// Builds the prepared copy and replays the plan.
    async fn measure(&mut self, workshop: &Workshop) -> anyhow::Result<()> {
        workshop.build().await?;
        let (checker, what) = match workshop.replay(&self.name, &plan(&self.name)).await? {
            End::Report(run) if run["failed"] == false => return Ok(()),
            End::Report(run) => (
                run["checker"].as_str().map(str::to_owned),
                run["what"].as_str().map(str::to_owned),
            ),
            End::Endless => (Some(WATCHDOG.to_owned()), Some("the run does not end".to_owned())),
            End::Aborted => {
                (Some(WATCHDOG.to_owned()), Some("the run aborts the program".to_owned()))
            }
        };
        (self.fails_with, self.checker, self.what) = (true, checker, what);
        Ok(())
    }

    fn is_good(&self) -> bool {
        self.fails_with && self.passes_without
    }

    fn describe(&self) -> String {
        let mut text = format!("{:<68} ", self.name);
        text += match &self.checker {
            Some(checker) => checker,
            None => "PASSES WITH ITS PATCH",
        };
        if !self.passes_without {
            text += ", FAILS WITHOUT IT";
        }
        text
    }
}

/// The file of a plan.
fn plan(name: &str) -> PathBuf {
    xtask::root().join(REGRESSIONS).join(Path::new(name).with_extension("json"))
}

fn verdict(rows: &[Row]) -> String {
    let good = rows.iter().filter(|row| row.is_good()).count();
    let mut text =
        format!("{} plans, {good} fail with their patch and pass without it", rows.len());
    for row in rows.iter().filter(|row| !row.is_good()) {
        let _infallible = write!(text, "\n{}: {}", row.describe(), row.about);
    }
    text
}

fn to_json(rows: &[Row]) -> Value {
    json!({ "plans": rows, "good": rows.iter().filter(|row| row.is_good()).count() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use reports::cli::output::versioned;

    #[test]
    fn json_fits_its_schema_and_counts_only_plans_that_can_fail() {
        let good = Row {
            name: "a_plan".to_owned(),
            about: "a wake-up is missing".to_owned(),
            passes_without: true,
            fails_with: true,
            checker: Some("liveness".to_owned()),
            what: Some("bob was never told".to_owned()),
        };
        let always_fails = Row { fails_with: true, ..Row::default() };
        let never_fails = Row { passes_without: true, ..Row::default() };
        let json = to_json(&[good, always_fails, never_fails]);
        assert_eq!(json["good"], 1);
        schema::check("xtask-regressions", &versioned(json));
    }
}
