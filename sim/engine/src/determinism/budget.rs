//! Shortens the turns of tasks, so that the seed decides the order of tasks that are ready at the same time.
//!
//! Tokio gives each poll of a task a budget of 128 units. An operation of its channels, locks, semaphores, timers and
//! join handles costs a unit; without one it is pending, and the task goes behind all that are ready. A service whose
//! handlers do less than that is never interrupted:
//!
//! ```text
//!   tokio's order      A: read, lock, lock, write | B: read, lock, lock, write
//!   one unit is left   A: read, lock | B: read, lock, lock, write | A: lock, write
//! ```
//!
//! A lock or a permit is taken first, and pending then: other tasks find it taken.
//!
//! Here the calling task loses all of its budget but a few units: after reads and writes of simulated streams, after an
//! accepted connection, and when it reads a clock or draws entropy. A task that does none of these keeps its budget.

use std::task::{Context, Poll, Waker};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::{coop, try_id};

use super::state;

/// Keeps what is drawn here apart from what else is drawn from a seed.
const PLAN_STREAM: u64 = u64::from_be_bytes(*b"budgets\0");
/// The same during a run.
const RUN_STREAM: u64 = u64::from_be_bytes(*b"budget\0\0");
/// More units than a poll has, unless it has no limit.
const UNITS_MAX: usize = 256;
/// What seeds draw from: half of them leave tasks in tokio's order.
const DRAWN: [u8; 6] = [0, 0, 0, 1, 2, 6];

/// The highest `task_budget`: tokio's own has one more.
pub(crate) const TASK_BUDGET_MAX: u8 = 127;

/// The `task_budget` of a seed.
pub(crate) fn of_seed(seed: u64) -> u8 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(PLAN_STREAM);
    DRAWN[rng.random_range(0..DRAWN.len())]
}

/// What the turns of one run are shortened to.
pub(super) struct TaskBudget {
    rng: ChaCha8Rng,
    units_max: u8,
}

impl TaskBudget {
    /// Half of the turns keep what they have; the others keep 0 to `units_max` units.
    pub(super) fn new(seed: u64, units_max: u8) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(RUN_STREAM);
        Self { rng, units_max }
    }

    /// The units that the present turn keeps; none where it is not shortened.
    pub(super) fn draw(&mut self) -> Option<usize> {
        let is_shortened: bool = self.rng.random();
        is_shortened.then(|| usize::from(self.rng.random_range(0..=self.units_max)))
    }
}

/// Shortens the turn of the calling task, if the run has a budget and its seed says so; nothing outside of a task.
pub(crate) fn shorten_turn() {
    let has_budget = state::with(|state| state.has_task_budget()).unwrap_or(false);
    if has_budget && try_id().is_some() {
        let units = state::with(|state| state.draw_task_budget()).flatten();
        units.into_iter().for_each(leave);
    }
}

/// Spends the budget of the calling task down to so many units; a task without a limit has none to spend.
///
/// The C library's functions end up here, so nothing is allocated, and no waker is stored: one would be only where no
/// budget is left, which is asked before.
fn leave(units: usize) {
    let mut cx = Context::from_waker(Waker::noop());
    if !coop::has_budget_remaining() {
        return;
    }
    // Dropped without progress, the first unit gives back all that were spent after it.
    let Poll::Ready(first) = coop::poll_proceed(&mut cx) else { return };
    let mut spent = 1;
    while spent < UNITS_MAX && spend(&mut cx) {
        spent += 1;
    }
    drop(first);
    if spent < UNITS_MAX {
        for _ in units..spent {
            spend(&mut cx);
        }
    }
}

/// Spends one unit; false where none is left.
fn spend(cx: &mut Context<'_>) -> bool {
    if !coop::has_budget_remaining() {
        return false;
    }
    let unit = coop::poll_proceed(cx);
    if let Poll::Ready(unit) = &unit {
        unit.made_progress();
    }
    unit.is_ready()
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    /// The units that the calling task has left, which are then gone.
    fn spend_all() -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        (0..UNITS_MAX).take_while(|_| spend(&mut cx)).count()
    }

    fn in_task(body: impl FnOnce() -> usize + Send + 'static) -> usize {
        let runtime = Builder::new_current_thread().build().expect("a runtime can be built");
        let task = runtime.spawn(async { body() });
        runtime.block_on(task).expect("the task does not panic")
    }

    #[test]
    fn leave_keeps_so_many_units_and_never_adds_one() {
        for units in [0, 1, 5] {
            let left = in_task(move || {
                leave(units);
                spend_all()
            });
            assert_eq!(left, units);
        }
        let left = in_task(|| {
            leave(2);
            leave(7);
            spend_all()
        });
        assert_eq!(left, 2);
    }

    #[test]
    fn task_without_a_limit_keeps_none() {
        leave(3);
        assert_eq!(spend_all(), UNITS_MAX, "no task, no limit");
    }

    #[test]
    fn seeds_shorten_some_turns_to_each_length_and_half_of_them_none() {
        let mut budget = TaskBudget::new(7, 2);
        let drawn: Vec<_> = (0..100).map(|_| budget.draw()).collect();
        for expected in [None, Some(0), Some(1), Some(2)] {
            assert!(drawn.contains(&expected), "{expected:?} is never drawn");
        }
        let off = (0..1_000).filter(|seed| of_seed(*seed) == 0).count();
        assert!((400..600).contains(&off), "{off} of 1000 seeds leave tokio's order");
    }
}
