//! From a seed to a plan of a declared service.
//!
//! Which features a run has is drawn too (swarm testing): a feature that is always on hides the bugs that need it to be off.

use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Note, Service};
use crate::determinism::budget;
use crate::fault::{AnyFault, Fault, NoFault, Scope};
use crate::model::Model;
use crate::net::Limits;
use crate::options::Options;
use crate::plan::{ClientSpec, Plan, Settings};

/// How long a server's kernel keeps a connection on which nothing that it sent arrives.
pub(super) const USER_TIMEOUT: Duration = Duration::from_secs(2);
/// Faults begin within this time, whatever a run without faults takes, in milliseconds.
const HORIZON_MS: std::ops::RangeInclusive<u64> = 50..=10_000;
/// How long all clients have to return once the network has healed, in milliseconds.
pub(super) const RETURN_MS: u64 = 60_000;
/// How long faults last, in milliseconds.
const LASTS_MS: [u64; 5] = [1, 10, 100, 500, 2_000];
/// Faults of one run at most.
const FAULTS_MAX: usize = 4;

/// The plan of a seed.
pub(super) fn plan<E: Note>(
    service: &Service<E>,
    seed: u64,
    options: &Options<NoFault>,
) -> Plan<Service<E>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let horizon_ms = (service.calm_ms() * 2).clamp(*HORIZON_MS.start(), *HORIZON_MS.end());
    let calm = service.calm(seed);
    let usual = match options.reorder {
        true => reordered(seed, calm.settings),
        false => calm.settings,
    };
    let settings = settings(&mut rng, usual, horizon_ms);
    let clients = clients(&mut rng, calm.clients, horizon_ms);
    let mut plan = Plan { settings, clients, ..Plan::new(service, seed) };
    plan.faults = faults(&mut rng, service, options, &plan, horizon_ms);
    plan
}

/// The order of tasks, which is drawn apart from all else: without it a seed is the same run in tokio's order.
fn reordered(seed: u64, usual: Settings) -> Settings {
    let Limits { yield_percent, .. } = Limits::default().ordered_by(seed);
    Settings { yield_percent, task_budget: budget::of_seed(seed), ..usual }
}

fn settings(rng: &mut impl Rng, usual: Settings, horizon_ms: u64) -> Settings {
    Settings {
        latency_ms_min: pick(rng, &[0, 1, 5]),
        latency_ms_max: pick(rng, &[5, 10, 30, 100]),
        segment_bytes_max: pick(rng, &[16, 1_460, 16 << 10, 16 << 10]),
        window_bytes: pick(rng, &[4 << 10, 64 << 10]),
        disturb_ms: horizon_ms + LASTS_MS[LASTS_MS.len() - 1],
        ..usual
    }
}

/// All clients in half of the runs, and in every other run all of them at once.
fn clients(
    rng: &mut impl Rng,
    mut clients: Vec<ClientSpec<super::Start>>,
    horizon_ms: u64,
) -> Vec<ClientSpec<super::Start>> {
    if clients.len() > 2 && rng.random_ratio(1, 4) {
        clients.remove(rng.random_range(0..clients.len()));
    }
    if rng.random() {
        for client in &mut clients {
            client.profile.start_ms = rng.random_range(0..horizon_ms);
        }
    }
    clients
}

fn faults<E: Note>(
    rng: &mut impl Rng,
    service: &Service<E>,
    options: &Options<NoFault>,
    plan: &Plan<Service<E>>,
    horizon_ms: u64,
) -> Vec<Fault<NoFault>> {
    let kinds = service.faults().into_iter().filter(|kind| options.faults.contains(kind));
    let kinds: Vec<_> = kinds.filter(|_| rng.random()).collect();
    let hosts = service.hosts(plan);
    if kinds.is_empty() || plan.clients.is_empty() || hosts.is_empty() {
        return Vec::new();
    }
    let count = rng.random_range(0..=FAULTS_MAX);
    let mut faults: Vec<_> = (0..count)
        .map(|_| {
            let kind: AnyFault<NoFault> = pick(rng, &kinds);
            let client = &plan.clients[rng.random_range(0..plan.clients.len())];
            let host = &hosts[rng.random_range(0..hosts.len())];
            let target = match kind.scope() {
                Scope::Client | Scope::ClientHost => client.name.clone(),
                Scope::Server | Scope::Attack => host.clone(),
            };
            let at_ms = rng.random_range(0..horizon_ms);
            Fault { at_ms, kind, target, for_ms: pick(rng, &LASTS_MS), count: None }
        })
        .collect();
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

fn pick<T: Copy>(rng: &mut impl Rng, from: &[T]) -> T {
    *from.choose(rng).expect("there is something to choose from")
}
