//! Refuses plans of which no run can be made: a plan file may come from anywhere.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::{Plan, PlanError, Settings, Step, client_host};
use crate::determinism::budget::TASK_BUDGET_MAX;
use crate::fault::{Fault, Scope};
use crate::model::Model;
use crate::names::{listed, unknown};
use crate::net::Limits;

/// The longest run, and the latest moment in one: a day, in milliseconds.
pub const RUN_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// The highest latency, which is that of a [`FaultKind::LatencyStep`](crate::FaultKind), in milliseconds.
pub const SLOW_LATENCY_MS: u64 = 500;
/// Clients, and hosts for them.
pub const CLIENTS_MAX: usize = 1_000;
/// Processes of a history that are no clients.
pub const RESERVED: [&str; 3] = ["nemesis", "simulation", "attacker"];
/// How many steps a run may take.
const TICKS_MAX: u64 = 100_000_000;
/// The coarsest granularity of time, in milliseconds.
const TICK_MS_MAX: u64 = 1_000;

impl<M: Model> Plan<M> {
    /// Looks for what no run could be made of.
    ///
    /// # Errors
    ///
    /// What is wrong, in one line, with the names that exist where one is unknown.
    pub fn check(&self, model: &M) -> Result<(), PlanError> {
        self.find_mistake(model).map_or(Ok(()), |why| Err(PlanError::Invalid(why)))
    }

    fn find_mistake(&self, model: &M) -> Option<String> {
        let in_settings = |why| format!("the plan's settings: {why}");
        let mistakes = model
            .check(self)
            .and_then(|()| self.settings.check(model.probe_ms_max()).map_err(in_settings))
            .and_then(|()| self.check_clients(model))
            .and_then(|()| self.check_steps())
            .and_then(|()| self.check_faults(model))
            .and_then(|()| self.check_times().map_err(|why| format!("the plan: {why}")));
        mistakes.err()
    }

    fn check_clients(&self, model: &M) -> Result<(), String> {
        if self.clients.len() > CLIENTS_MAX {
            let clients = self.clients.len();
            return Err(format!("the plan has {clients} clients; at most {CLIENTS_MAX} can run"));
        }
        let mut taken: Vec<_> = RESERVED.iter().map(ToString::to_string).collect();
        taken.extend(model.hosts(self));
        let mut names = BTreeSet::new();
        for client in &self.clients {
            let (name, hosts) = (client.name.as_str(), self.settings.client_hosts);
            if name.is_empty() || taken.iter().any(|taken| taken == name) {
                let taken = listed(taken.iter().map(String::as_str));
                return Err(format!("the plan names a client {name:?}; reserved names: {taken}"));
            }
            if !names.insert(name) {
                return Err(format!("the plan has two clients named {name:?}"));
            }
            if client.host >= hosts {
                let host = client.host;
                return Err(format!("the plan puts {name:?} on host {host} of {hosts}, from 0"));
            }
        }
        Ok(())
    }

    fn check_steps(&self) -> Result<(), String> {
        let names: BTreeSet<_> = self.client_names().collect();
        let mut steps = self.steps.iter().enumerate();
        match steps.find(|(_, step)| !names.contains(step.client.as_str())) {
            Some((number, Step { at_ms, client, .. })) => {
                let unknown = unknown("client", client, self.client_names());
                Err(format!("step {number} of the plan, at {at_ms} ms: {unknown}"))
            }
            None => Ok(()),
        }
    }

    fn check_faults(&self, model: &M) -> Result<(), String> {
        let servers = model.hosts(self);
        for (number, fault) in self.faults.iter().enumerate() {
            let Fault { at_ms, target, kind, .. } = fault;
            let unknown = match kind.scope() {
                Scope::Client if self.client(target).is_none() => {
                    unknown("client", target, self.client_names())
                }
                Scope::ClientHost if self.host_of(target).is_none() => {
                    let hosts: Vec<_> = (0..self.settings.client_hosts).map(client_host).collect();
                    let known = self.client_names().chain(hosts.iter().map(String::as_str));
                    unknown("client or client host", target, known)
                }
                Scope::Server | Scope::Attack if !servers.contains(target) => {
                    unknown("server", target, servers.iter().map(String::as_str))
                }
                _ => continue,
            };
            return Err(format!("fault {number} of the plan, {kind} at {at_ms} ms: {unknown}"));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), String> {
        let steps = self.steps.iter().map(|step| (step.at_ms, 0));
        let faults = self.faults.iter().map(|fault| (fault.at_ms, fault.for_ms));
        for (at_ms, for_ms) in steps.chain(faults) {
            within("at_ms", at_ms, 0..=RUN_MS_MAX)?;
            within("for_ms", for_ms, 0..=RUN_MS_MAX)?;
        }
        Ok(())
    }

    fn client_names(&self) -> impl Iterator<Item = &str> {
        self.clients.iter().map(|client| client.name.as_str())
    }
}

impl Settings {
    /// Looks for values of which no run can be made; a run needs the time for the model's last probe.
    fn check(&self, probe_ms: u64) -> Result<(), String> {
        within("tick_ms", self.tick_ms, 1..=TICK_MS_MAX)?;
        within("latency_ms_max", self.latency_ms_max, 0..=SLOW_LATENCY_MS)?;
        within("latency_ms_min", self.latency_ms_min, 0..=self.latency_ms_max)?;
        within("client_hosts", self.client_hosts as u64, 1..=CLIENTS_MAX as u64)?;
        within("segment_bytes_max", self.segment_bytes_max as u64, 1..=u64::MAX)?;
        within("window_bytes", self.window_bytes as u64, 1..=u64::MAX)?;
        within("yield_percent", self.yield_percent.into(), 0..=Limits::YIELD_PERCENT_MAX.into())?;
        within("task_budget", self.task_budget.into(), 0..=TASK_BUDGET_MAX.into())?;
        within("disturb_ms", self.disturb_ms, 0..=RUN_MS_MAX)?;
        within("settle_ms", self.settle_ms, 0..=RUN_MS_MAX)?;
        within("forget_ms", self.forget_ms, probe_ms..=RUN_MS_MAX)?;
        let run_ms_max = RUN_MS_MAX.min(TICKS_MAX.saturating_mul(self.tick_ms));
        within("disturb_ms + settle_ms + forget_ms", self.ended_ms(), probe_ms..=run_ms_max)
    }
}

/// Refuses a value outside of a range.
///
/// # Errors
///
/// The value, and the range.
pub fn within(name: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!("{name} {value}: {} to {} can be run", range.start(), range.end()))
}
