//! A run as a [`Sequence`], which `reports` draws: one lane for each client and one for the servers.
//!
//! A model with messages of its own adds arrows and bands to it: see [`Model::sequence`].

use std::collections::BTreeMap;

use reports::sequence::{Course, Entry, Finding, Lane, Sequence, Trouble};

use crate::fault::{Fault, Scope};
use crate::history::{Event, Kind, Mark, Phase, Record};
use crate::model::Model;
use crate::report::Report;
use crate::violation::{self, Violation, findings};

/// The name of the lane of all servers.
const SERVER: &str = "server";

/// Short names for ids that differ from run to run.
#[derive(Debug, Default)]
pub struct ShortNames(Vec<(String, String)>);

impl ShortNames {
    /// Names as pairs of the long text and the short one.
    #[must_use]
    pub fn new(names: Vec<(String, String)>) -> Self {
        Self(names)
    }

    /// A text in which every long id is replaced by its short name.
    #[must_use]
    pub fn shorten(&self, text: &str) -> String {
        let replace = |text: String, (long, short): &(String, String)| text.replace(long, short);
        self.0.iter().fold(text.to_owned(), replace)
    }

    /// The same for many texts, each of which becomes one line. They are joined for it, because every name is
    /// looked up in each text.
    #[must_use]
    pub fn shorten_all(&self, texts: impl Iterator<Item = String>) -> Vec<String> {
        let lines = texts.map(|text| text.replace('\n', " ")).collect::<Vec<_>>();
        self.shorten(&lines.join("\n")).lines().map(str::to_owned).collect()
    }
}

/// Clients by name, the servers' lane in the middle.
pub struct Lanes {
    lanes: Vec<Lane>,
    server: usize,
}

impl Lanes {
    /// The lanes of a run.
    pub fn of<M: Model>(model: &M, report: &Report<M>) -> Self {
        let mut clients: Vec<_> = report.plan.clients.iter().collect();
        clients.sort_by(|one, other| one.name.cmp(&other.name));
        let mut lanes: Vec<_> = clients
            .iter()
            .map(|client| Lane {
                name: client.name.clone(),
                note: model.describe_client(&client.profile),
            })
            .collect();
        let server = lanes.len().div_ceil(2);
        lanes.insert(server, Lane { name: SERVER.to_owned(), note: String::new() });
        Self { lanes, server }
    }

    /// The lane of a client.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.name == name)
    }

    /// The lane of the servers.
    #[must_use]
    pub const fn server(&self) -> usize {
        self.server
    }
}

/// A run as a diagram without arrows.
#[must_use]
pub fn sequence<M: Model>(model: &M, report: &Report<M>) -> Sequence {
    let lanes = Lanes::of(model, report);
    let names = model.short_names(&report.history);
    let words = |violation: &Violation| names.shorten(&violation.to_string());
    let finding = |found: violation::Finding<'_>| Finding {
        what: words(found.cause),
        evidence: found.cause.evidence.clone(),
        consequences: found.consequences.into_iter().map(words).collect(),
    };
    let found = findings(&report.violations, |violation| model.is_total(violation));
    Sequence {
        title: format!("seed {}", report.plan.seed),
        facts: facts(report),
        findings: found.into_iter().map(finding).collect(),
        entries: entries(model, report, &lanes, &names),
        arrows: Vec::new(),
        bands: Vec::new(),
        troubles: troubles(report, &lanes),
        phases: phases(report),
        ended_us: report.history.last().map_or(0, |event| event.at_us),
        server: lanes.server,
        lanes: lanes.lanes,
    }
}

fn facts<M: Model>(report: &Report<M>) -> Vec<(String, String)> {
    let settings = &report.plan.settings;
    let fact = |name: &str, words: String| (name.to_owned(), words);
    let latency = (settings.latency_ms_min, settings.latency_ms_max);
    vec![
        fact("seed of the plan", report.plan.seed.to_string()),
        fact("trace hash", format!("{:016x}", report.trace.hash)),
        fact("clients", report.plan.clients.len().to_string()),
        fact("steps", report.plan.steps.len().to_string()),
        fact("faults", report.plan.faults.len().to_string()),
        fact("client hosts", settings.client_hosts.to_string()),
        fact("latency", format!("{} to {} ms", latency.0, latency.1)),
        fact("tick", format!("{} ms", settings.tick_ms)),
    ]
}

fn entries<M: Model>(
    model: &M,
    report: &Report<M>,
    lanes: &Lanes,
    names: &ShortNames,
) -> Vec<Entry> {
    let words = report.history.iter().map(|event| words(model, report, lanes, event));
    let entries = report.history.iter().zip(names.shorten_all(words));
    entries
        .map(|(event, words)| Entry {
            index: event.index,
            at_us: event.at_us,
            who: event.process.clone(),
            lane: lanes.place(&event.process),
            course: course(event),
            words,
            is_minor: false,
        })
        .collect()
}

fn words<M: Model>(
    model: &M,
    report: &Report<M>,
    lanes: &Lanes,
    event: &Event<M::Record>,
) -> String {
    match (event.what.mark(), event.kind) {
        (Some(Mark::Fault { fault, kind, .. }), Kind::Invoke) => {
            let fault = report.plan.faults.get(fault);
            let hit = fault.map_or_else(Vec::new, |fault| hit_lanes(report, lanes, fault));
            if hit.is_empty() || hit.contains(&lanes.server) {
                return kind.to_string();
            }
            let names = hit.iter().map(|lane| lanes.lanes[*lane].name.as_str());
            format!("{kind} of {}", names.collect::<Vec<_>>().join(", "))
        }
        // Marks are ruled off from the rest by other means than in a line of text.
        _ => model.describe(event).trim_start_matches(['*', '-', ' ']).to_owned(),
    }
}

fn course<R: Record<F>, F: crate::fault::FaultType>(event: &Event<R>) -> Course {
    match (event.what.mark(), event.kind) {
        (Some(_), _) => Course::Across,
        (None, Kind::Invoke) => Course::Out,
        (None, Kind::Ok | Kind::Fail) => Course::In,
        (None, Kind::Info | Kind::Observe) => Course::Stays,
    }
}

fn troubles<M: Model>(report: &Report<M>, lanes: &Lanes) -> Vec<Trouble> {
    let mut begun: BTreeMap<usize, u64> = BTreeMap::new();
    let mut troubles = Vec::new();
    for event in &report.history {
        let Some(Mark::Fault { fault, kind, effect }) = event.what.mark() else { continue };
        if event.kind == Kind::Invoke {
            begun.insert(fault, event.at_us);
            continue;
        }
        let from_us = begun.remove(&fault).unwrap_or(event.at_us);
        let lanes = report.plan.faults.get(fault).map(|fault| hit_lanes(report, lanes, fault));
        troubles.push(Trouble {
            name: kind.to_string(),
            effect: if effect == 0 { "no effect".to_owned() } else { format!("touched {effect}") },
            span_us: (from_us, event.at_us),
            lanes: lanes.unwrap_or_default(),
        });
    }
    troubles
}

/// The lanes of the clients that a fault hits, and of the servers where it hits them all.
fn hit_lanes<M: Model>(report: &Report<M>, lanes: &Lanes, fault: &Fault<M::Fault>) -> Vec<usize> {
    match fault.kind.scope() {
        Scope::Server => (0..lanes.lanes.len()).collect(),
        Scope::Attack => Vec::new(),
        Scope::Client | Scope::ClientHost => {
            let clients = report.plan.clients.iter();
            let hit = clients.filter(|client| report.plan.concerns(fault, &client.name));
            hit.filter_map(|client| lanes.place(&client.name)).collect()
        }
    }
}

fn phases<M: Model>(report: &Report<M>) -> Vec<(u64, String)> {
    let begun = report.history.iter().filter_map(|event| match event.what.mark()? {
        Mark::Phase { phase: Phase::Healed } => Some((event.at_us, "settle".to_owned())),
        Mark::Phase { phase: Phase::Settled } => Some((event.at_us, "forget".to_owned())),
        _ => None,
    });
    std::iter::once((0, "disturb".to_owned())).chain(begun).collect()
}
