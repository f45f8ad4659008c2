//! `report.html`: the whole run as one page that reads the same offline, on a phone and on paper.
//!
//! It runs no script. What decides comes first: the verdict, then the comparison, then the pictures,
//! and what they rest on at the end. Every picture has its figures in a table.

use maud::{Markup, html};

use crate::chart::mark::Marks;
use crate::error::ReportError;
use crate::export::{Artifact, Exporter, File};
use crate::figure;
use crate::headline::headline;
use crate::page;
use crate::run::Run;
use crate::summary::Summary;
use crate::units::plural;
use crate::verdict::{Standing, Verdict, verdict};

mod background;
mod comparison;
mod crowd;
mod figures;
mod tables;

pub(crate) use tables::scrolling;

/// The file's name in a run directory.
pub const FILE: &str = "report.html";

pub(crate) const STYLE: &str = include_str!("html/style.css");

/// The exporter.
#[derive(Debug, Clone, Copy)]
pub struct Html;

impl Exporter for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn files(&self, _: &Run) -> Vec<File> {
        vec![File::new(FILE, "this page")]
    }

    fn export(&self, run: &Run) -> Result<Vec<Artifact>, ReportError> {
        let bytes = page(run).into_string().into_bytes();
        Ok(vec![Artifact { name: FILE.to_owned(), bytes }])
    }
}

/// The page, from `<!DOCTYPE html>` to its end.
#[must_use]
pub fn page(run: &Run) -> Markup {
    let title = format!("{}, {} - racetrack", headline(run), run.started_at);
    page::page(&title, STYLE, None, &content(run))
}

fn content(run: &Run) -> Markup {
    let (rows, marks) = (figure::rows(run), Marks::of_run(run));
    let summaries: Vec<Summary> = rows.iter().map(|row| row.summary.clone()).collect();
    html! {
        header {
            h1 { (headline(run)) }
            p.when {
                "racetrack report · " (run.started_at) " · "
                (plural(run.environment.cores as u64, "core")) ", " (run.environment.os)
                @if let Some(target) = &run.target { " · against " (target) }
            }
        }
        (verdict_box(&verdict(run)))
        (tables::objectives(run))
        (figures::knees(&run.knees, &marks))
        @if !rows.is_empty() {
            (comparison::comparison(&rows, &marks))
            (figures::speed_and_cost(&summaries, &marks))
            (figures::spectrum(run, &marks))
            (figures::over_time(run, &marks))
            (tables::rounds(run))
            (crowd::readers(run, &marks))
            (crowd::pairing(run))
            (tables::honesty(&rows, &marks))
            (tables::errors(run))
        }
        (background::simulation(run))
        (background::environment(run))
        (background::files(run))
        (background::glossary())
    }
}

fn verdict_box(verdict: &Verdict) -> Markup {
    let (class, word) = match verdict.standing {
        Standing::Good => ("good", "Good"),
        Standing::Failed => ("failed", "Failed"),
        Standing::Invalid => ("invalid", "Not valid"),
        Standing::Empty => ("invalid", "Empty"),
    };
    html! {
        section class=(format!("verdict {class}")) aria-labelledby="verdict" {
            h2 id="verdict" { "Verdict: " (word) }
            @for warning in &verdict.warnings { p { strong { (warning) } } }
            p { (verdict.headline) }
            @for advice in &verdict.advice { p { (advice) } }
            @for note in &verdict.notes { p { small { (note) } } }
        }
    }
}

#[cfg(test)]
mod tests;
