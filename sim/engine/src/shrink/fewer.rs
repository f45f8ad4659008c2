//! Less of everything: clients, faults and steps, in chunks and then one by one.

use std::ops::Range;

use super::trials::Trials;
use crate::model::Model;
use crate::plan::Plan;

/// Up to this many steps and faults, every two of them are tried together: enough for what comes
/// in twos, as leaving and joining again, at no more than a hundred runs a round.
const PAIRED_MAX: usize = 14;

/// Without clients, and what they do.
pub(super) fn clients<M: Model>(mut plan: Plan<M>, trials: &mut Trials<'_, M>) -> Plan<M> {
    let mut place = plan.clients.len();
    while place > 0 {
        place -= 1;
        if let Some((_, fewer)) = trials.first(vec![without_client(&plan, place)]) {
            plan = fewer;
        }
    }
    plan
}

/// Without faults.
pub(super) fn faults<M: Model>(plan: Plan<M>, trials: &mut Trials<'_, M>) -> Plan<M> {
    in_chunks(plan, trials, |plan| (0..plan.faults.len()).collect(), without_faults)
}

/// Without steps: of everybody together, then of each alone.
pub(super) fn steps<M: Model>(plan: Plan<M>, trials: &mut Trials<'_, M>) -> Plan<M> {
    let mut plan = in_chunks(plan, trials, |plan| (0..plan.steps.len()).collect(), without_steps);
    let names: Vec<_> = plan.clients.iter().map(|client| client.name.clone()).collect();
    for name in names {
        let of_one = |plan: &Plan<M>| {
            let steps = plan.steps.iter().enumerate();
            steps.filter(|(_, step)| step.client == name).map(|(index, _)| index).collect()
        };
        plan = in_chunks(plan, trials, of_one, without_steps);
    }
    plan
}

/// Without two things at once, of which neither can go alone.
pub(super) fn pairs<M: Model>(mut plan: Plan<M>, trials: &mut Trials<'_, M>) -> Plan<M> {
    loop {
        let (steps, faults) = (plan.steps.len(), plan.faults.len());
        if steps + faults > PAIRED_MAX {
            return plan;
        }
        let (some_steps, some_faults) = (|index: &usize| *index < steps, 0..steps + faults);
        let both = some_faults.flat_map(|one| (0..one).map(move |other| [other, one]));
        let without = both.map(|both| {
            let of_steps: Vec<_> = both.iter().copied().filter(some_steps).collect();
            let of_faults = both.iter().copied().filter(|index| !some_steps(index));
            let of_faults: Vec<_> = of_faults.map(|index| index - steps).collect();
            without_faults(&without_steps(&plan, &of_steps), &of_faults)
        });
        match trials.first(without.collect()) {
            Some((_, fewer)) => plan = fewer,
            None => return plan,
        }
    }
}

/// Every plan with one thing less.
pub(super) fn neighbours<M: Model>(plan: &Plan<M>) -> Vec<Plan<M>> {
    let steps = (0..plan.steps.len()).map(|index| without_steps(plan, &[index]));
    let faults = (0..plan.faults.len()).map(|index| without_faults(plan, &[index]));
    let clients = (0..plan.clients.len()).map(|index| without_client(plan, index));
    steps.chain(faults).chain(clients).collect()
}

/// Takes chunks of a list away, from its end, of half the size each time down to one by one.
fn in_chunks<M: Model>(
    mut plan: Plan<M>,
    trials: &mut Trials<'_, M>,
    list: impl Fn(&Plan<M>) -> Vec<usize>,
    without: fn(&Plan<M>, &[usize]) -> Plan<M>,
) -> Plan<M> {
    let mut size = list(&plan).len();
    while size > 0 {
        let mut end = list(&plan).len();
        // Chunks behind `end` are known to be needed at this size.
        while end > 0 {
            let places = list(&plan);
            let chunks: Vec<_> = chunks_from_the_end(end, size).collect();
            let candidates = chunks.iter().map(|chunk| without(&plan, &places[chunk.clone()]));
            match trials.first(candidates.collect()) {
                Some((chunk, fewer)) => (plan, end) = (fewer, chunks[chunk].start),
                None => end = 0,
            }
        }
        size /= 2;
    }
    plan
}

fn chunks_from_the_end(end: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let ends = (0..end.div_ceil(size)).map(move |number| end - number * size);
    ends.map(move |end| end.saturating_sub(size)..end)
}

fn without_steps<M: Model>(plan: &Plan<M>, places: &[usize]) -> Plan<M> {
    Plan { steps: without(&plan.steps, places), ..plan.clone() }
}

fn without_faults<M: Model>(plan: &Plan<M>, places: &[usize]) -> Plan<M> {
    Plan { faults: without(&plan.faults, places), ..plan.clone() }
}

fn without<T: Clone>(list: &[T], places: &[usize]) -> Vec<T> {
    let kept = list.iter().enumerate().filter(|(place, _)| !places.contains(place));
    kept.map(|(_, entry)| entry.clone()).collect()
}

/// The plan without a client, its steps, and the faults that hit it by name.
fn without_client<M: Model>(plan: &Plan<M>, place: usize) -> Plan<M> {
    let mut fewer = plan.clone();
    let gone = fewer.clients.remove(place);
    fewer.steps.retain(|step| step.client != gone.name);
    fewer.faults.retain(|fault| fault.target != gone.name);
    fewer
}
