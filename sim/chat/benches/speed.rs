//! How fast the simulation is, per core: what a sweep of many seeds costs in processor time.
//!
//! A run is a plan made from a seed, the simulation itself, the checkers and the rare states:
//! all that `racetrack sim` does for a seed. Processor time is what is quoted, because it is
//! the same on a machine that is busy with something else; wall time says how far threads are
//! from standing in each other's way.
//!
//! ```sh
//! cargo bench -p racetrack-chat-sim --bench speed
//! cargo bench -p racetrack-chat-sim --bench speed -- 16    # the figure of 16 people alone
//! ```

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark says what it has measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use chat_sim::{Chat, Options, coverage, generate};
use nix::time::{ClockId, clock_gettime};

/// Every figure is the median of so many measurements.
const ROUNDS: usize = 5;

/// What one figure is about.
struct Load {
    people: usize,
    simulated_s: u64,
    /// Seeds of one measurement.
    seeds: usize,
}

const LOADS: [Load; 3] = [
    Load { people: 4, simulated_s: 10, seeds: 100 },
    Load { people: 16, simulated_s: 30, seeds: 8 },
    Load { people: 200, simulated_s: 60, seeds: 1 },
];

fn main() {
    // Cargo adds options of its own, which are no numbers.
    let wanted: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let is_wanted = |load: &&Load| wanted.is_empty() || wanted.contains(&load.people);
    for load in LOADS.iter().filter(is_wanted) {
        load.print((0..ROUNDS).map(|round| load.measure(round)).collect());
    }
    if wanted.is_empty() {
        threads();
    }
}

impl Load {
    fn options(&self) -> Options {
        Options {
            clients: self.people,
            simulated_ms: self.simulated_s * 1_000,
            ..Options::default()
        }
    }

    /// The processor time of one round; no seed is in two rounds.
    fn measure(&self, round: usize) -> Duration {
        let options = self.options();
        // Half of all plans have fewer people than were asked for.
        let plans = (0..).map(|seed| generate::plan(seed, &options));
        let full = plans.filter(|plan| plan.clients.len() == self.people);
        let plans: Vec<_> = full.skip(round * self.seeds).take(self.seeds).collect();
        let before = processor_time();
        for plan in &plans {
            let report = chat_sim::run(plan, false);
            assert!(report.passed(), "seed {}: {}", plan.seed, report.violations[0]);
            black_box(coverage::reached(&report));
        }
        processor_time() - before
    }

    fn print(&self, mut spent: Vec<Duration>) {
        spent.sort_unstable();
        let Self { people, simulated_s, seeds } = self;
        let per_second = |spent: Duration| *seeds as f64 / spent.as_secs_f64();
        let [slowest, median, fastest] =
            [spent[ROUNDS - 1], spent[ROUNDS / 2], spent[0]].map(per_second);
        println!(
            "{people:>3} people x {simulated_s} s: {median:>6.1} seeds/s/core \
             ({slowest:.1} to {fastest:.1}), {:>5.0} simulated seconds a second",
            median * *simulated_s as f64,
        );
    }
}

/// What a seed costs when one thread sweeps, and when one a core does.
fn threads() {
    const SEEDS: u64 = 100;
    let jobs_max = racetrack_sim::sweep::cores();
    for jobs in [1, jobs_max] {
        let mut rounds: Vec<_> = (0..ROUNDS as u64)
            .map(|round| {
                let (clock, before) = (Instant::now(), processor_time());
                let seeds = round * SEEDS..(round + 1) * SEEDS;
                let sweep = racetrack_sim::sweep(&Chat, seeds, &Options::default(), jobs, |_| {});
                assert!(sweep.failures.is_empty(), "{:?}", sweep.failures);
                (processor_time() - before, clock.elapsed())
            })
            .collect();
        rounds.sort_unstable();
        let (spent, wall) = rounds[ROUNDS / 2];
        println!(
            "sweep on {jobs} threads: {:.2} ms of processor time a seed, {:.2} cores busy, {:.0} seeds/s",
            spent.as_secs_f64() * 1_000.0 / SEEDS as f64,
            spent.as_secs_f64() / wall.as_secs_f64(),
            SEEDS as f64 / wall.as_secs_f64(),
        );
    }
}

/// What all threads of this process have spent so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.expect("Linux counts the processor time of every process").into()
}
