//! One history entered twice: in the books of one generator, and in those of several whose runs are
//! then merged. Whatever went wrong in it, both must give the same account of it.

use std::collections::BTreeMap;
use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reports::part::Part;
use reports::run::{Environment, Messages, Run, SCHEMA, Series};

use super::read;
use crate::ledger::Ledger;
use crate::schedule::{Arrivals, Schedule};
use crate::shard::Shard;

const RUN: u64 = 0xabc;
const WINDOW: Range<u64> = 1_000_000..4_000_000;
const PEOPLE: u32 = 12;

/// What becomes of a message in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lot {
    Delivered,
    Unsent,
    Refused,
    /// The server told the partner all the same.
    RefusedAndArrived,
    FailedAndArrived,
    Failed,
    Lost,
    Twice,
    /// To the partner and to somebody else, in the same conversation.
    ToTwo,
    Astray,
    /// After the sender's next one.
    Late,
}

impl Lot {
    /// In a third of the histories everything goes well, in another little, in the last much.
    fn draw(random: &mut ChaCha8Rng, seed: u64) -> Self {
        let wrong = [
            Self::Lost,
            Self::Twice,
            Self::ToTwo,
            Self::Astray,
            Self::Late,
            Self::Failed,
            Self::FailedAndArrived,
            Self::RefusedAndArrived,
        ];
        let right =
            [Self::Delivered, Self::Delivered, Self::Delivered, Self::Unsent, Self::Refused];
        let share = [0.0, 0.02, 0.2][(seed % 3) as usize];
        match random.random_bool(share) {
            true => wrong[random.random_range(0..wrong.len())],
            false => right[random.random_range(0..right.len())],
        }
    }
}

/// The books of all generators, or the one book.
struct Books(Vec<Ledger>);

impl Books {
    fn new(schedule: &Schedule, of: u32) -> Self {
        let shards = (1..=of).map(|number| format!("{number}/{of}").parse::<Shard>());
        let books = shards.map(|shard| Ledger::new(RUN, schedule, shard.expect("a shard")));
        Self(books.collect())
    }

    /// The books in which `person` is at home.
    fn of(&self, person: u32) -> &Ledger {
        self.0.iter().find(|ledger| ledger.shard.owns(person)).expect("everybody is somewhere")
    }

    fn receive(&self, person: u32, pair: u64, id: &str, at_us: u64) {
        self.of(person).receive(person, Some(pair), id, at_us);
    }

    fn enter(&self, schedule: &Schedule, seed: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let partner = |person: u32| (person + PEOPLE / 2) % PEOPLE;
        let mut late: BTreeMap<u32, (u64, String)> = BTreeMap::new();
        for due in &schedule.due {
            let (sender, number, reader) = (due.person, due.number, partner(due.person));
            let pair = u64::from(sender.min(reader));
            let lot = Lot::draw(&mut random, seed);
            let books = self.of(sender);
            if lot == Lot::Unsent {
                books.skip(sender, number);
                continue;
            }
            let id = books.send(sender, number, pair, due.at_us + 30);
            let at_us = due.at_us + 200;
            match lot {
                Lot::Refused | Lot::RefusedAndArrived => books.refuse(sender, number),
                Lot::Failed | Lot::FailedAndArrived => books.fail(sender, number),
                _ => books.accept(sender, number),
            }
            match lot {
                Lot::Unsent | Lot::Refused | Lot::Failed | Lot::Lost => {}
                Lot::Delivered | Lot::FailedAndArrived | Lot::RefusedAndArrived => {
                    self.receive(reader, pair, &id, at_us)
                }
                Lot::Twice => {
                    (0..2).for_each(|again| self.receive(reader, pair, &id, at_us + again));
                }
                Lot::ToTwo => {
                    self.receive(reader, pair, &id, at_us);
                    self.receive((reader + 1) % PEOPLE, pair, &id, at_us);
                }
                Lot::Astray => self.receive(reader, pair + 100, &id, at_us),
                Lot::Late => {
                    late.insert(sender, (pair, id));
                    continue;
                }
            }
            if let Some((pair, id)) = late.remove(&sender) {
                self.receive(reader, pair, &id, at_us + 10);
            }
        }
        for (sender, (pair, id)) in late {
            self.receive(partner(sender), pair, &id, 5_000_000);
        }
    }

    /// The account of all books together.
    fn messages(&self) -> Messages {
        if let [whole] = self.0.as_slice() {
            return whole.messages(&WINDOW);
        }
        let runs: Vec<_> =
            self.0.iter().map(|ledger| (ledger.shard.to_string(), run(ledger))).collect();
        let merged =
            reports::merge::merge(&runs, String::new()).expect("they are parts of one run");
        merged.series[0].messages
    }
}

fn run(ledger: &Ledger) -> Run {
    let part = Part {
        shard: ledger.shard.number(),
        of: ledger.shard.of(),
        start_at: String::new(),
        plan: BTreeMap::new(),
    };
    let series = Series {
        transport: "websocket".to_owned(),
        duration_s: 3.0,
        messages: ledger.messages(&WINDOW),
        crossing: read(ledger, &WINDOW),
        ..Series::default()
    };
    Run {
        schema: SCHEMA,
        command: String::new(),
        started_at: String::new(),
        seed: 1,
        environment: Environment::default(),
        simulation: None,
        target: None,
        slos: Vec::new(),
        interrupted: false,
        failures: Vec::new(),
        part: Some(part),
        generators: Vec::new(),
        series: vec![series],
        knees: Vec::new(),
    }
}

#[test]
fn several_generators_give_the_same_account_of_a_history_as_one() {
    let length = std::time::Duration::from_micros(WINDOW.end);
    let mut wrong = 0;
    for seed in 0..300 {
        let schedule = Schedule::new(Arrivals::Poisson, PEOPLE, 40.0, length, seed);
        let account = |of| {
            let books = Books::new(&schedule, of);
            books.enter(&schedule, seed);
            books.messages()
        };
        let one = account(1);
        wrong += u64::from(!one.all_accounted_for());
        for of in [2, 3, 5] {
            let several = account(of);
            assert_eq!(
                several.all_accounted_for(),
                one.all_accounted_for(),
                "seed {seed}, {of} generators: {several:?}, and one: {one:?}"
            );
            // Where much goes wrong at once, counts alone cannot say how much of each.
            if seed % 3 == 0 {
                assert_eq!(several, one, "seed {seed}, {of} generators");
            }
        }
    }
    assert!((100..=200).contains(&wrong), "{wrong} of 300 histories must be found wrong");
}
