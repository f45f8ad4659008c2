//! Candidates, tried in order, within the limits.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::sync::atomic::{AtomicUsize, Ordering};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::Limits;
use crate::model::Model;
use crate::plan::Plan;

type Fails<'a, M> = &'a (dyn Fn(&Plan<M>) -> bool + Sync);

/// Asks whether candidates fail, and remembers which do not.
pub(super) struct Trials<'a, M: Model> {
    limits: &'a Limits,
    fails: Fails<'a, M>,
    tried: &'a dyn Fn(u64),
    runs: u64,
    /// Fingerprints of the plans that passed.
    passed: BTreeSet<u128>,
    /// Seeds besides a candidate's own.
    other_seeds: u64,
}

impl<'a, M: Model> Trials<'a, M> {
    pub(super) fn new(limits: &'a Limits, fails: Fails<'a, M>, tried: &'a dyn Fn(u64)) -> Self {
        Self { limits, fails, tried, runs: 0, passed: BTreeSet::new(), other_seeds: 0 }
    }

    /// From now on a candidate is tried under other seeds too.
    pub(super) fn try_other_seeds(&mut self) {
        self.other_seeds = self.limits.other_seeds;
    }

    pub(super) fn runs(&self) -> u64 {
        self.runs
    }

    pub(super) fn are_used_up(&self) -> bool {
        self.runs >= self.limits.runs_max
    }

    /// The first candidate that fails, with its place in the list.
    pub(super) fn first(&mut self, candidates: Vec<Plan<M>>) -> Option<(usize, Plan<M>)> {
        let mut unknown = Vec::new();
        for (place, candidate) in candidates.into_iter().enumerate() {
            let seeds = (1..=self.other_seeds).filter(|seed| *seed != candidate.seed);
            let others = seeds.map(|seed| Plan { seed, ..candidate.clone() }).collect::<Vec<_>>();
            let all = std::iter::once(candidate).chain(others);
            unknown.extend(all.filter(|plan| !self.has_passed(plan)).map(|plan| (place, plan)));
        }
        unknown.truncate((self.limits.runs_max - self.runs) as usize);
        let found = self.first_to_fail(&unknown);
        let passed = found.unwrap_or(unknown.len());
        self.runs += (passed + usize::from(found.is_some())) as u64;
        self.passed.extend(unknown[..passed].iter().map(|(_, plan)| fingerprint(plan)));
        (self.tried)(self.runs);
        found.map(|index| unknown.swap_remove(index))
    }

    /// Those that have been seen to pass.
    pub(super) fn known_to_pass(&self, mut plans: Vec<Plan<M>>) -> Vec<Plan<M>> {
        plans.retain(|plan| self.has_passed(plan));
        plans
    }

    fn has_passed(&self, plan: &Plan<M>) -> bool {
        self.passed.contains(&fingerprint(plan))
    }

    /// The lowest place of a plan that fails. Every plan below it has run; what threads found
    /// beyond it is thrown away, so that the answer is that of one thread.
    fn first_to_fail(&self, plans: &[(usize, Plan<M>)]) -> Option<usize> {
        let (next, lowest) = (AtomicUsize::new(0), AtomicUsize::new(plans.len()));
        let fails = self.fails;
        std::thread::scope(|scope| {
            for _ in 0..self.limits.jobs.clamp(1, plans.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= lowest.load(Ordering::Relaxed) {
                            return;
                        }
                        if fails(&plans[index].1) {
                            lowest.fetch_min(index, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let lowest = lowest.into_inner();
        (lowest < plans.len()).then_some(lowest)
    }
}

fn fingerprint<M: Model>(plan: &Plan<M>) -> u128 {
    let mut hasher = SipHasher13::new();
    hasher.write(plan.to_json().as_bytes());
    hasher.finish128().as_u128()
}
