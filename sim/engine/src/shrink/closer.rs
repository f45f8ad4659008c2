//! The same in less time: shorter waits between what happens, shorter and smaller faults, an earlier end.

use std::num::NonZeroU64;

use super::trials::Trials;
use crate::model::Model;
use crate::plan::Plan;

/// Waits that are tried where there is a longer one, in milliseconds; then half of what it is.
const WAITS_MS: [u64; 4] = [0, 1, 10, 100];

/// Moves everything closer together.
pub(super) fn times<M: Model>(mut plan: Plan<M>, trials: &mut Trials<'_, M>) -> Plan<M> {
    for waits_ms_max in [1, 10, 100, 500] {
        // All at once where that works; it saves the runs for each.
        let candidate = with_waits(&plan, |wait_ms| wait_ms.min(waits_ms_max));
        if let Some((_, found)) = trials.first(candidate.into_iter().collect()) {
            plan = found;
            break;
        }
    }
    for place in (0..instants(&plan).len()).rev() {
        plan = halve(
            plan,
            trials,
            |plan| wait_before(plan, place),
            |plan, wait_ms| with_wait(plan, place, wait_ms),
        );
    }
    for place in 0..plan.faults.len() {
        plan = halve(
            plan,
            trials,
            |plan| plan.faults[place].for_ms,
            |plan, for_ms| {
                let mut shorter = plan.clone();
                shorter.faults[place].for_ms = for_ms;
                shorter
            },
        );
    }
    for place in 0..plan.faults.len() {
        // One is the least amount.
        plan = halve(
            plan,
            trials,
            |plan| plan.faults[place].count.map_or(0, |count| count.get() - 1),
            |plan, more| {
                let mut fewer = plan.clone();
                fewer.faults[place].count = NonZeroU64::new(more + 1);
                fewer
            },
        );
    }
    earlier_end(plan, trials)
}

/// Ends the disturbance after the last step, which is the soonest, or somewhat later.
fn earlier_end<M: Model>(plan: Plan<M>, trials: &mut Trials<'_, M>) -> Plan<M> {
    let last_ms = instants(&plan).last().copied().unwrap_or_default() + 1;
    halve(
        plan,
        trials,
        |plan| plan.settings.disturb_ms.saturating_sub(last_ms),
        |plan, spare_ms| {
            let mut sooner = plan.clone();
            sooner.settings.disturb_ms = last_ms + spare_ms;
            sooner
        },
    )
}

/// Tries shorter lengths of something, from the shortest, and goes on halving what is left.
fn halve<M: Model>(
    mut plan: Plan<M>,
    trials: &mut Trials<'_, M>,
    length_ms: impl Fn(&Plan<M>) -> u64,
    with_length: impl Fn(&Plan<M>, u64) -> Plan<M>,
) -> Plan<M> {
    loop {
        let now_ms = length_ms(&plan);
        let shorter = WAITS_MS.into_iter().chain([now_ms / 2]).filter(|ms| *ms < now_ms);
        match trials.first(shorter.map(|ms| with_length(&plan, ms)).collect()) {
            Some((_, found)) => plan = found,
            None => return plan,
        }
    }
}

/// When anything happens, in order.
fn instants<M: Model>(plan: &Plan<M>) -> Vec<u64> {
    let steps = plan.steps.iter().map(|step| step.at_ms);
    let mut instants: Vec<_> = steps.chain(plan.faults.iter().map(|fault| fault.at_ms)).collect();
    instants.sort_unstable();
    instants.dedup();
    instants
}

/// The time between an instant and the one before it, or the start; 0 if there is no such instant.
fn wait_before<M: Model>(plan: &Plan<M>, place: usize) -> u64 {
    let instants = instants(plan);
    let before_ms = place.checked_sub(1).and_then(|place| instants.get(place)).copied();
    instants.get(place).map_or(0, |at_ms| at_ms - before_ms.unwrap_or_default())
}

fn with_wait<M: Model>(plan: &Plan<M>, place: usize, wait_ms: u64) -> Plan<M> {
    let sooner_ms = wait_before(plan, place) - wait_ms;
    let from_ms = instants(plan)[place];
    moved(plan, |at_ms| if at_ms < from_ms { at_ms } else { at_ms - sooner_ms })
}

/// The plan with every wait changed, if that changes anything.
fn with_waits<M: Model>(plan: &Plan<M>, change: impl Fn(u64) -> u64) -> Option<Plan<M>> {
    let instants = instants(plan);
    let at = |at_ms: u64| {
        let until = instants.iter().take_while(|instant| **instant <= at_ms);
        let (_, now) = until.fold((0, 0), |(before, now), at| (*at, now + change(at - before)));
        now
    };
    Some(moved(plan, at)).filter(|closer| closer != plan)
}

fn moved<M: Model>(plan: &Plan<M>, at: impl Fn(u64) -> u64) -> Plan<M> {
    let mut moved = plan.clone();
    moved.steps.iter_mut().for_each(|step| step.at_ms = at(step.at_ms));
    moved.faults.iter_mut().for_each(|fault| fault.at_ms = at(fault.at_ms));
    moved
}
