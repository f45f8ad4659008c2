//! `racetrack man`: the manual page of this command line, or those of all its commands as files.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man;
use serde_json::json;

use crate::VERSION;
use reports::cli::outcome::Outcome;
use reports::cli::output::{self, Output};

/// Who says this, at the foot of a page.
const MANUAL: &str = "racetrack manual";

#[derive(Debug, Args)]
pub(crate) struct WriteMan {}

impl WriteMan {
    /// Prints the page of `command`, the whole command line, or writes the pages of all its commands
    /// where there is a directory for them.
    pub(crate) fn run(&self, command: Command, output: &Output) -> anyhow::Result<Outcome> {
        let pages = pages(command)?;
        let main = pages.get("racetrack.1").context("the whole has a page")?;
        let Some(dir) = output.out() else {
            output.result(main, || json!({ "pages": pages, "out": null }))?;
            return Ok(Outcome::Good);
        };
        for (name, page) in &pages {
            output::write(dir, name, page)?;
        }
        let count = pages.len();
        let text = format!("{count} pages; read one: man -l {}", dir.join("racetrack.1").display());
        output.result(&text, || json!({ "pages": pages, "out": dir }))?;
        Ok(Outcome::Good)
    }
}

/// The pages of a command and of those below it, by the name of their file.
fn pages(command: Command) -> anyhow::Result<BTreeMap<String, String>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = BTreeMap::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).cloned());
        // clap writes the version of the whole on the page of the whole alone.
        let man = Man::new(command).source(format!("racetrack {VERSION}")).manual(MANUAL);
        let mut page = Vec::new();
        man.render(&mut page).context("a page cannot be made")?;
        let page = String::from_utf8(page).context("a page is not UTF-8")?;
        pages.insert(man.get_filename(), page);
    }
    Ok(pages)
}
