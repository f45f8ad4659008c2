//! One seat of the crowd, which goose drives: who sits there says what is due there.
//!
//! Usually one person keeps it for the whole run. Where people leave, the next one comes at once,
//! with a session and connections of their own, while who has left still reads the last words:
//!
//! ```text
//! seat     |--- first person ---------------|--- second person --------- ...
//! sessions |== opens, talks ================ leaves, reads to the end ==|
//!                                           |== opens, talks ========== ...
//! ```

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use goose::goose::GooseUser;
use tokio::sync::{Mutex, Notify, mpsc};

use super::person;
use super::stage::Stage;
use crate::habits::Moments;

/// The place of one person: a number, and what is decided for whoever sits there.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) number: u32,
    /// Held by whoever sits here.
    pub(super) turn: Mutex<Turn>,
    /// The person who had it has stood up.
    pub(super) vacated: Notify,
}

/// What whoever sits here will do.
pub(super) struct Turn {
    /// The numbers of the messages that are due; at most as many as the schedule has.
    pub(super) bell: mpsc::UnboundedReceiver<u32>,
    pub(super) skips: Moments,
    pub(super) departures: Moments,
}

impl Seat {
    pub(super) fn new(number: u32, turn: Turn) -> Self {
        Self { number, turn: Mutex::new(turn), vacated: Notify::new() }
    }

    /// Everybody who ever sits here, one after the other, until the stage is stopped.
    pub(super) async fn occupy(&self, stage: &Stage, user: &mut GooseUser) {
        let user = Mutex::new(user);
        if !stage.route.habits.move_people() {
            return person::visit(stage, self, &user, true).await;
        }
        let mut visits = FuturesUnordered::new();
        visits.push(person::visit(stage, self, &user, true));
        loop {
            tokio::select! {
                biased;
                () = self.vacated.notified() => {
                    visits.push(person::visit(stage, self, &user, false));
                }
                ended = visits.next() => if ended.is_none() {
                    return;
                }
            }
        }
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("bell", &self.bell).finish_non_exhaustive()
    }
}
