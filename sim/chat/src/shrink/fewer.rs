//! Less of everything: people, faults and steps, in chunks and then one by one.

use std::ops::Range;

use super::trials::Trials;
use crate::plan::Plan;

/// Up to this many steps and faults, every two of them are tried together: enough for what comes
/// in twos, as leaving and joining again, at no more than a hundred runs a round.
const PAIRED_MAX: usize = 14;

/// Without people, and what they do.
pub(super) fn people(mut plan: Plan, trials: &mut Trials<'_>) -> Plan {
    let mut place = plan.people.len();
    while place > 0 {
        place -= 1;
        if let Some((_, fewer)) = trials.first(vec![without_person(&plan, place)]) {
            plan = fewer;
        }
    }
    plan
}

/// Without faults.
pub(super) fn faults(plan: Plan, trials: &mut Trials<'_>) -> Plan {
    in_chunks(plan, trials, |plan| (0..plan.faults.len()).collect(), without_faults)
}

/// Without steps: of everybody together, then of each alone.
pub(super) fn steps(plan: Plan, trials: &mut Trials<'_>) -> Plan {
    let mut plan = in_chunks(plan, trials, |plan| (0..plan.steps.len()).collect(), without_steps);
    let names: Vec<_> = plan.people.iter().map(|person| person.name.clone()).collect();
    for name in names {
        let of_one = |plan: &Plan| {
            let steps = plan.steps.iter().enumerate();
            steps.filter(|(_, step)| step.who == name).map(|(index, _)| index).collect()
        };
        plan = in_chunks(plan, trials, of_one, without_steps);
    }
    plan
}

/// Without two things at once, of which neither can go alone.
pub(super) fn pairs(mut plan: Plan, trials: &mut Trials<'_>) -> Plan {
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
pub(super) fn neighbours(plan: &Plan) -> Vec<Plan> {
    let steps = (0..plan.steps.len()).map(|index| without_steps(plan, &[index]));
    let faults = (0..plan.faults.len()).map(|index| without_faults(plan, &[index]));
    let people = (0..plan.people.len()).map(|index| without_person(plan, index));
    steps.chain(faults).chain(people).collect()
}

/// Takes chunks of a list away, from its end, of half the size each time down to one by one.
fn in_chunks(
    mut plan: Plan,
    trials: &mut Trials<'_>,
    list: impl Fn(&Plan) -> Vec<usize>,
    without: fn(&Plan, &[usize]) -> Plan,
) -> Plan {
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

fn without_steps(plan: &Plan, places: &[usize]) -> Plan {
    Plan { steps: without(&plan.steps, places), ..plan.clone() }
}

fn without_faults(plan: &Plan, places: &[usize]) -> Plan {
    Plan { faults: without(&plan.faults, places), ..plan.clone() }
}

fn without<T: Clone>(list: &[T], places: &[usize]) -> Vec<T> {
    let kept = list.iter().enumerate().filter(|(place, _)| !places.contains(place));
    kept.map(|(_, entry)| entry.clone()).collect()
}

/// The plan without a person and what they do; faults go on to hit whom they hit.
fn without_person(plan: &Plan, place: usize) -> Plan {
    let mut fewer = plan.clone();
    let gone = fewer.people.remove(place);
    fewer.steps.retain(|step| step.who != gone.name);
    let (people, left) = (plan.people.len(), fewer.people.len());
    for fault in &mut fewer.faults {
        let person = fault.target % people;
        let moved = (person != place).then(|| person - usize::from(person > place));
        let host = fault.target % plan.settings.client_hosts.max(1);
        fault.target = aimed(left, moved, plan.settings.client_hosts, host);
    }
    fewer
}

/// The number by which a fault means this person among `people` and this host among `hosts`, as far
/// as one number can mean both; the person counts for more.
pub(super) fn aimed(people: usize, person: Option<usize>, hosts: usize, host: usize) -> usize {
    let (people, hosts) = (people.max(1), hosts.max(1));
    let is_person = |number: &usize| person.is_none_or(|person| number % people == person);
    let is_both = |number: &usize| is_person(number) && number % hosts == host;
    let numbers = || 0..people * hosts;
    numbers().find(is_both).or_else(|| numbers().find(is_person)).unwrap_or(0)
}
