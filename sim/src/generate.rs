//! From a seed to a plan.
//!
//! Each subsystem draws from a stream of its own, so that switching faults off leaves the people
//! as they were. Which features a run has is drawn too (swarm testing): a feature that is always
//! on hides the bugs that need it to be off.

use client::TransportKind;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::options::Options;
use crate::plan::{Action, Fault, FaultKind, Person, Plan, Settings, Step};

/// The streams of a seed; a new one goes to the end, so that old seeds keep their runs.
#[derive(Clone, Copy)]
enum Stream {
    Settings = 1,
    People = 2,
    Faults = 3,
    Upgrades = 4,
}

/// The plan of a seed.
#[must_use]
pub fn plan(seed: u64, options: &Options) -> Plan {
    let settings = settings(&mut stream(seed, Stream::Settings), options);
    let (people, steps) = people(&mut stream(seed, Stream::People), options, &settings);
    let faults = faults(&mut stream(seed, Stream::Faults), options, &settings);
    let people = upgrades(&mut stream(seed, Stream::Upgrades), people);
    Plan { settings, people, steps, faults, ..Plan::new(seed) }
}

fn stream(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

fn settings(rng: &mut impl Rng, options: &Options) -> Settings {
    let defaults = Settings::default();
    let rest = defaults.settle_ms + defaults.forget_ms;
    Settings {
        tick_ms: pick(rng, &[1, 2, 5, 10]),
        latency_ms_min: pick(rng, &[0, 1, 5]),
        latency_ms_max: pick(rng, &[5, 10, 30, 100]),
        client_hosts: rng.random_range(1..=3),
        disturb_ms: options.simulated_ms.saturating_sub(rest).max(1_000),
        ..defaults
    }
}

fn people(rng: &mut impl Rng, options: &Options, settings: &Settings) -> (Vec<Person>, Vec<Step>) {
    let transports: Vec<_> = TransportKind::ALL.into_iter().filter(|_| rng.random()).collect();
    let transports = if transports.is_empty() { TransportKind::ALL.to_vec() } else { transports };
    let habits = Habits::draw(rng);
    let mut people = Vec::new();
    let mut steps = Vec::new();
    for number in 0..options.people {
        let person = Person {
            name: name(number),
            transport: pick(rng, &transports),
            host: rng.random_range(0..settings.client_hosts),
            upgrade_after_events: None,
        };
        habits.act(rng, &person.name, settings.disturb_ms, &mut steps);
        people.push(person);
    }
    // Who acts first in the same instant is the seed's choice, not the alphabet's.
    people.shuffle(rng);
    steps.sort_by_key(|step| step.at_ms);
    (people, steps)
}

/// Half of those who can change to a WebSocket do so, before they are paired or while they talk.
fn upgrades(rng: &mut impl Rng, mut people: Vec<Person>) -> Vec<Person> {
    for person in &mut people {
        let events = rng.random::<bool>().then(|| rng.random_range(0..12));
        if person.transport == TransportKind::SocketioPolling {
            person.upgrade_after_events = events;
        }
    }
    people
}

/// What the people of one run are like.
struct Habits {
    /// Mean time between two actions, in milliseconds.
    pause_ms: u64,
    /// Everybody comes in the same instant.
    rush: bool,
    /// Actions and how often they are chosen.
    weights: Vec<(Action, u32)>,
}

impl Habits {
    fn draw(rng: &mut impl Rng) -> Self {
        let optional = [
            (Action::Repeat, 10),
            (Action::Next, 15),
            (Action::Abort, 10),
            (Action::SecondPoll, 10),
            (Action::Leave, 6),
            (Action::Vanish, 6),
        ];
        let mut weights = vec![(Action::Say, 60)];
        weights.extend(optional.into_iter().filter(|_| rng.random()));
        Self { pause_ms: pick(rng, &[40, 150, 600]), rush: rng.random(), weights }
    }

    fn act(&self, rng: &mut impl Rng, who: &str, end_ms: u64, steps: &mut Vec<Step>) {
        let mut at_ms = if self.rush { 100 } else { rng.random_range(0..1_000) };
        let mut push = |at_ms, action| steps.push(Step { at_ms, who: who.to_owned(), action });
        push(at_ms, Action::Join);
        loop {
            at_ms += rng.random_range(0..=2 * self.pause_ms);
            if at_ms >= end_ms {
                return;
            }
            let (action, _) = *self
                .weights
                .choose_weighted(rng, |(_, weight)| *weight)
                .expect("saying has a weight above zero");
            push(at_ms, action);
            if matches!(action, Action::Leave | Action::Vanish) {
                at_ms += rng.random_range(0..1_000);
                push(at_ms, Action::Join);
            }
        }
    }
}

fn faults(rng: &mut impl Rng, options: &Options, settings: &Settings) -> Vec<Fault> {
    let kinds: Vec<_> = options.faults.iter().copied().filter(|_| rng.random()).collect();
    if kinds.is_empty() {
        return Vec::new();
    }
    let per_second = rng.random_range(0.3..2.0);
    let count = (settings.disturb_ms as f64 / 1_000.0 * per_second).ceil() as usize;
    let mut faults: Vec<_> = (0..count).map(|_| fault(rng, &kinds, settings)).collect();
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

fn fault(rng: &mut impl Rng, kinds: &[FaultKind], settings: &Settings) -> Fault {
    Fault {
        at_ms: rng.random_range(200..settings.disturb_ms),
        kind: pick(rng, kinds),
        target: rng.random_range(0..64),
        for_ms: pick(rng, &[20, 200, 700, 1_500]),
    }
}

fn pick<T: Copy>(rng: &mut impl Rng, from: &[T]) -> T {
    *from.choose(rng).expect("there is something to choose from")
}

/// Names that are easy to tell apart in a transcript.
fn name(number: usize) -> String {
    const NAMES: [&str; 16] = [
        "ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy", "jon", "kim", "leo", "mia",
        "ned", "oda", "pia",
    ];
    match number / NAMES.len() {
        0 => NAMES[number].to_owned(),
        round => format!("{}{}", NAMES[number % NAMES.len()], round + 1),
    }
}
