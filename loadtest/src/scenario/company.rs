//! Whom a person is talking to, as the person knows it: told by the mailbox, and ahead of it where
//! the person has asked for an end.
//!
//! ```text
//!              speaks to   hears from            without a partner since
//! paired       p1          p1
//! skips        nobody      p1, until it is over  the skip
//! partner left nobody      nobody                the skip, or now
//! paired       p2          p2                    (the time between is the wait for a partner)
//! ```

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use protocol::PairId;

use super::stage::Stage;

/// Shared by who speaks and who listens.
#[derive(Debug, Default)]
pub(super) struct Company(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The conversation whose messages are next in the mailbox.
    conversation: Option<PairId>,
    /// The person has asked for its end.
    is_given_up: bool,
    /// There was a partner at some time.
    has_met: bool,
    /// The connection is lost.
    is_cut_off: bool,
    /// When the person was left, gave up, or came, on the clock of the run; none with a partner.
    alone_since_us: Option<u64>,
    has_left: bool,
    has_ended: bool,
}

impl Company {
    /// Of somebody who looks for a partner since then.
    pub(super) fn alone_since(at_us: u64) -> Self {
        Self(Mutex::new(State { alone_since_us: Some(at_us), ..State::default() }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().expect("nothing panics under this lock"))
    }

    /// Whom to speak to.
    pub(super) fn partner(&self) -> Option<PairId> {
        self.with(|state| state.conversation.filter(|_| !state.is_given_up && !state.has_left))
    }

    /// The conversation that what is heard now belongs to.
    pub(super) fn conversation(&self) -> Option<PairId> {
        self.with(|state| state.conversation)
    }

    /// The mailbox says that a partner was found.
    pub(super) fn meet(&self, pair: PairId, at_us: u64, stage: &Stage) {
        self.with(|state| {
            state.has_met = true;
            if state.conversation.replace(pair).is_none() {
                stage.paired.fetch_add(1, Ordering::Relaxed);
            }
            state.is_given_up = false;
            if let Some(since_us) = state.alone_since_us.take() {
                stage.add_pairing(at_us, at_us.saturating_sub(since_us));
            }
        });
    }

    /// The mailbox says that the conversation is over.
    pub(super) fn part(&self, at_us: u64, stage: &Stage) {
        self.lose(stage);
        self.with(|state| {
            state.alone_since_us.get_or_insert(at_us);
        });
    }

    /// The person has asked for another partner.
    pub(super) fn give_up(&self, at_us: u64) {
        self.with(|state| {
            state.is_given_up = true;
            state.alone_since_us.get_or_insert(at_us);
        });
    }

    /// The person goes, and reads what there still is.
    pub(super) fn leave(&self) {
        self.with(|state| state.has_left = true);
    }

    pub(super) fn has_left(&self) -> bool {
        self.with(|state| state.has_left)
    }

    /// The mailbox says that the session is over.
    pub(super) fn end(&self) {
        self.with(|state| state.has_ended = true);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.with(|state| state.has_ended)
    }

    /// The connection is lost, and with it whoever there was to talk to.
    pub(super) fn cut_off(&self, stage: &Stage) {
        self.lose(stage);
        self.with(|state| state.is_cut_off = true);
    }

    /// That there is nobody to speak to is in order: people move about, or nobody has been found yet.
    pub(super) fn is_rightly_alone(&self, people_move: bool) -> bool {
        self.with(|state| !state.is_cut_off && (people_move || !state.has_met))
    }

    /// There is no conversation any more.
    pub(super) fn lose(&self, stage: &Stage) {
        self.with(|state| {
            if state.conversation.take().is_some() {
                stage.paired.fetch_sub(1, Ordering::Relaxed);
            }
            state.is_given_up = false;
        });
    }
}
