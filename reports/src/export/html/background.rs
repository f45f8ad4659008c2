//! What the figures rest on: the simulation that ran before, the machine, the command that
//! makes the run again, and the words that the report uses.

use maud::{Markup, html};

use super::tables::{headings, scrolling};
use crate::export::{self, File};
use crate::run::{Run, SimulationSummary};
use crate::units::{bytes, count, number, plural};

/// What the simulation said; nothing where none ran.
pub(super) fn simulation(run: &Run) -> Markup {
    let Some(simulation) = &run.simulation else {
        return html! {};
    };
    html! {
        section aria-labelledby="simulation" {
            h2 id="simulation" { "The simulation" }
            p {
                "The same server ran inside a deterministic simulation, once for each seed, while \
                 its network and its clients were disturbed on purpose."
            }
            (facts(&[
                ("seeds", format!("{} ({})", simulation.seeds, plural(simulation.seeds_run, "seed"))),
                ("failures", count(simulation.failures.len() as u64)),
                ("speed", format!(
                    "{} seeds a second on {}",
                    number(simulation.seeds_per_second),
                    plural(simulation.jobs as u64, "thread"),
                )),
                ("simulated : wall", format!(
                    "{} : 1, seconds that passed inside for each second outside",
                    number(simulation.simulated_per_wall),
                )),
            ]))
            @if !simulation.failures.is_empty() { (failures(simulation)) }
            @if !simulation.faults.is_empty() { (faults(simulation)) }
        }
    }
}

/// Failing seeds that are listed; the JSON has them all.
const FAILURES_LISTED_MAX: usize = 20;

fn failures(simulation: &SimulationSummary) -> Markup {
    let more = simulation.failures.len().saturating_sub(FAILURES_LISTED_MAX);
    html! {
        h3 { "Seeds that failed" }
        ul {
            @for (seed, checker) in simulation.failures.iter().take(FAILURES_LISTED_MAX) {
                li { "seed " (seed) ": " (checker) }
            }
            @if more > 0 { li { "and " (count(more as u64)) " more, in run.json" } }
        }
    }
}

fn faults(simulation: &SimulationSummary) -> Markup {
    let table = html! {
        table {
            thead {
                tr {
                    (headings(["fault", "planned", "effective"]))
                }
            }
            tbody {
                @for (name, (planned, effective)) in &simulation.faults {
                    tr {
                        th scope="row" { (name) }
                        td { (count(*planned)) }
                        td { (count(*effective)) }
                    }
                }
            }
        }
    };
    html! {
        h3 { "Faults put in" }
        (scrolling("Faults of the simulation", &table))
        p.note { "Effective are those that met something to disturb when they came." }
    }
}

/// The machine, the seed and the command that makes the run again.
pub(super) fn environment(run: &Run) -> Markup {
    let environment = &run.environment;
    html! {
        section aria-labelledby="environment" {
            h2 id="environment" { "Where it ran, and how to run it again" }
            pre tabindex="0" aria-label="Command" { code { (run.command) } }
            (facts(&[
                ("seed", run.seed.to_string()),
                ("started", run.started_at.clone()),
                ("system", environment.os.clone()),
                ("processor", environment.cpu.clone()),
                ("cores", environment.cores.to_string()),
                ("memory", bytes(environment.memory_bytes as f64)),
                ("open files", format!("{} a process", count(environment.open_files_max))),
                ("racetrack", environment.racetrack.clone()),
                ("profile", environment.profile.clone()),
            ]))
            (generators(run))
            p.note {
                "The seed fixes who sends what and when. Times still vary from run to run: compare \
                 runs of the same machine, and more than one."
            }
        }
    }
}

/// The generators, where there were several; the facts above are those of the first.
fn generators(run: &Run) -> Markup {
    if run.generators.is_empty() {
        return html! {};
    }
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "shard" }
                    th.text scope="col" { "machine" }
                    th.text scope="col" { "command" }
                }
            }
            tbody {
                @for it in &run.generators {
                    tr {
                        th scope="row" { (it.shard) }
                        td.text {
                            (plural(it.environment.cores as u64, "core")) ", "
                            (it.environment.cpu) ", " (it.environment.os)
                        }
                        td.text { code { (it.command) } }
                    }
                }
            }
        }
    };
    html! {
        h3 { "Generators" }
        (scrolling("Generators", &table))
        p.note {
            "Several generators shared the people. What a person of one said to a person of another \
             was sent by one clock and received by another."
        }
    }
}

/// The files that lie beside the page, as links; those of one kind together.
pub(super) fn files(run: &Run) -> Markup {
    let all = export::all().into_iter().flat_map(|exporter| exporter.files(run));
    let all: Vec<File> = all.filter(|it| it.name != super::FILE).collect();
    html! {
        section aria-labelledby="files" {
            h2 id="files" { "The raw figures" }
            p { "They lie in the folder of this page." }
            ul.files {
                @for alike in all.chunk_by(|one, other| one.what == other.what) {
                    li {
                        (alike[0].what) ": "
                        @for (nth, file) in alike.iter().enumerate() {
                            @if nth > 0 { ", " }
                            a href=(file.name) { (file.name) }
                        }
                    }
                }
            }
        }
    }
}

fn facts(facts: &[(&str, String)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

const GLOSSARY: [(&str, &str); 12] = [
    (
        "percentile (p50, p99, p99.9)",
        "p99 is the time within which 99 of 100 messages arrived; p50 is the median. None is given \
         where fewer than ten messages lie beyond it, for they would say more about luck.",
    ),
    (
        "95 % interval",
        "How far chance alone may have moved the percentile within this run: the wider of what order \
         statistics say, as if messages had nothing to do with each other, and of what drawing the \
         seconds of the window again and again says (block bootstrap), because messages of one \
         second share their fate. Below five seconds only the former.",
    ),
    (
        "warm-up",
        "Messages flow for --warm-up, one second by default, before the window opens, and are not in \
         its figures. Whether that was enough is checked where the window has ten seconds: the \
         figures were still moving when the medians of its halves differ by more than their \
         intervals allow and by more than a tenth.",
    ),
    (
        "latency",
        "From the moment at which a message was meant to be sent to its arrival at the partner.",
    ),
    ("service time", "From the moment at which it really was sent to its arrival."),
    ("send lag", "How late the measuring program sent it."),
    (
        "hiccups",
        "How much too long a thread of the measuring program slept that wanted a millisecond; a \
         long one counts for each millisecond that it covered.",
    ),
    ("offered, achieved", "Messages a second that the schedule asked for, and those that arrived."),
    (
        "lost, duplicated, misdelivered, out of order",
        "Each message has a name and is followed to its end; a run with one that is not accounted \
         for has failed, however fast it was.",
    ),
    ("server CPU a message", "Processor time of the server for each message delivered."),
    (
        "server memory a connection",
        "Memory of the server with everybody connected less that before anybody was, for each \
         person.",
    ),
    (
        "valid",
        "The measuring program kept up. Where it did not, the figures say more about it than \
         about the server.",
    ),
];

/// The words of the report, in a few lines.
pub(super) fn glossary() -> Markup {
    html! {
        section aria-labelledby="glossary" {
            h2 id="glossary" { "What the words mean" }
            dl.glossary {
                @for (word, meaning) in GLOSSARY {
                    dt { (word) }
                    dd { (meaning) }
                }
            }
        }
    }
}
