//! Random inputs against a model that is small enough to be obviously right.
//!
//! The model knows who is open and who talks to whom, learned only from what people are told. It
//! is compared after every input: partners are mutual, nobody waits and talks at once, at most one
//! person that may be paired waits, a message reaches the partner and nobody else.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::core::Counts;
use crate::core::session::{Session, State};
use protocol::Speaker;

#[derive(Debug, Clone)]
enum Step {
    Open,
    Say(prop::sample::Index),
    Next(prop::sample::Index),
    Leave(prop::sample::Index),
    Park(prop::sample::Index),
    Detach(prop::sample::Index, u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<prop::sample::Index>;
    prop_oneof![
        4 => Just(Step::Open),
        8 => who().prop_map(Step::Say),
        3 => who().prop_map(Step::Next),
        2 => who().prop_map(Step::Leave),
        2 => who().prop_map(Step::Park),
        3 => (who(), 0..3_u8).prop_map(|(who, how)| Step::Detach(who, how)),
        2 => (0..12_000_u64).prop_map(Step::Pass),
    ]
}

/// What one person must believe, having read everything.
#[derive(Debug, Default)]
struct Belief {
    pair: Option<PairId>,
    closed: bool,
    suspect: bool,
}

struct Model {
    room: Room,
    beliefs: BTreeMap<SessionId, Belief>,
    opened: u64,
    said: u64,
}

impl Model {
    fn apply(&mut self, step: Step) {
        let who = |index: &prop::sample::Index, model: &Self| {
            let known: Vec<_> = model.room.cursors.keys().copied().collect();
            (!known.is_empty()).then(|| *index.get(&known))
        };
        match step {
            Step::Open => {
                self.opened += 1;
                let session = SessionId(self.opened);
                self.room.open(session).expect("there is room");
                self.beliefs.insert(session, Belief::default());
            }
            Step::Pass(ms) => self.room.pass(ms),
            Step::Say(index) => {
                if let Some(session) = who(&index, self) {
                    return self.say(session);
                }
            }
            Step::Next(index) => self.act(who(&index, self), |room, session| {
                room.command(session, ClientEvent::Next { pair: None })
            }),
            Step::Leave(index) => self
                .act(who(&index, self), |room, session| room.command(session, ClientEvent::Leave)),
            Step::Park(index) => {
                self.act(who(&index, self), |room, session| room.attach(session).map(drop))
            }
            Step::Detach(index, how) => {
                let how = [Detach::Answered, Detach::Dropped, Detach::Ended][usize::from(how)];
                let session = who(&index, self);
                self.act(session, |room, session| room.detach(session, how));
                if let Some(belief) = session.and_then(|who| self.beliefs.get_mut(&who)) {
                    belief.suspect = how == Detach::Dropped;
                }
            }
        }
        self.read_everything(None);
    }

    fn act(
        &mut self,
        session: Option<SessionId>,
        act: impl FnOnce(&mut Room, SessionId) -> Result<(), Rejected>,
    ) {
        let Some(session) = session else { return };
        let result = act(&mut self.room, session);
        let belief = self.beliefs.get_mut(&session).expect("everybody has beliefs");
        assert!(result.is_ok() || belief.closed, "{session} was refused: {result:?}");
        belief.suspect = false;
    }

    fn say(&mut self, session: SessionId) {
        self.said += 1;
        let text = format!("m{}", self.said);
        let belief = self.beliefs.get_mut(&session).expect("everybody has beliefs");
        let pair = belief.pair;
        let result = self.room.command(session, say(&text, &text, None));
        if !belief.closed {
            belief.suspect = false;
        }
        let accepted = match result {
            Ok(()) => {
                assert!(pair.is_some(), "{session} talks to nobody");
                true
            }
            Err(Rejected::TooFast { .. } | Rejected::MailboxFull { .. }) => false,
            Err(_) => {
                assert!(pair.is_none(), "{session} has a partner and was refused");
                false
            }
        };
        self.read_everything(accepted.then_some((session, pair, text)));
    }

    /// Everybody reads; a message that was just accepted must reach exactly the two.
    fn read_everything(&mut self, said: Option<(SessionId, Option<PairId>, String)>) {
        self.check_counts();
        let mut heard = Vec::new();
        for session in self.room.cursors.keys().copied().collect::<Vec<_>>() {
            for event in self.room.news(session) {
                let belief = self.beliefs.get_mut(&session).expect("everybody has beliefs");
                assert!(!belief.closed, "{session} was told {event:?} after closing");
                match event {
                    ServerEvent::Paired { pair } => {
                        assert_eq!(belief.pair.replace(pair), None, "{session} has two partners");
                    }
                    ServerEvent::PartnerLeft { .. } => {
                        assert!(belief.pair.take().is_some(), "{session} had no partner");
                    }
                    ServerEvent::Closing { .. } => {
                        belief.pair = None;
                        belief.closed = true;
                    }
                    ServerEvent::Message { from, text, .. } => {
                        heard.push((session, from, belief.pair, text));
                    }
                    _ => {}
                }
            }
        }
        for (session, belief) in &mut self.beliefs {
            if !self.room.cursors.contains_key(session) {
                *belief = Belief { closed: true, ..Belief::default() };
            }
        }
        self.check_message(said, heard);
        self.check_everybody();
    }

    fn check_message(
        &self,
        said: Option<(SessionId, Option<PairId>, String)>,
        heard: Vec<(SessionId, Speaker, Option<PairId>, Arc<str>)>,
    ) {
        let Some((sender, pair, text)) = said else {
            assert!(heard.is_empty(), "nobody spoke, yet {heard:?} was heard");
            return;
        };
        assert_eq!(heard.len(), 2, "{heard:?}");
        for (who, from, in_pair, words) in heard {
            assert_eq!((in_pair, &*words), (pair, &*text));
            assert_eq!(from == Speaker::Me, who == sender);
        }
    }

    fn check_everybody(&self) {
        let open = || self.beliefs.values().filter(|belief| !belief.closed);
        let mut pairs = BTreeMap::<_, usize>::new();
        for pair in open().filter_map(|belief| belief.pair) {
            *pairs.entry(pair).or_default() += 1;
        }
        assert!(pairs.values().all(|members| *members == 2), "{pairs:?}");
        let ready = open().filter(|belief| belief.pair.is_none() && !belief.suspect).count();
        assert!(ready <= 1, "{ready} people wait for each other");
        let Counts { online, pairs: counted, waiting, .. } = self.room.core.counts();
        assert_eq!(online, open().count());
        assert_eq!(counted, pairs.len());
        assert_eq!(waiting, online - 2 * counted);
        self.check_counts();
    }

    /// What the core counts as it goes along is what a walk through everybody finds.
    fn check_counts(&self) {
        let core = &self.room.core;
        let all: Vec<_> = (1..=self.opened)
            .filter_map(|id| core.sessions.get(core.find(SessionId(id)).ok()?))
            .collect();
        let count = |wanted: fn(&Session) -> bool| all.iter().filter(|one| wanted(one)).count();
        let walked = Counts {
            online: count(|one| one.state != State::Closed),
            closed: count(|one| one.state == State::Closed),
            waiting: count(|one| one.state == State::Waiting),
            pairs: count(|one| matches!(one.state, State::Paired { .. })) / 2,
            attached: count(|one| one.reader.is_some()),
            timers: count(|one| one.timer.is_some())
                + count(|one| one.notice_at.is_some())
                + count(|one| one.is_stalled),
        };
        assert_eq!(core.counts(), walked);
        assert_eq!(all.len(), core.sessions.len());
        assert_eq!(core.is_drained(), !all.iter().any(|one| one.is_waited_for()));
        let late = |one: &&Session| one.deadline.is_some() && one.timer > one.deadline;
        assert_eq!(all.iter().find(|one| late(one)).map(|one| one.id), None, "a timer is late");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_history_keeps_the_promises(steps in prop::collection::vec(step(), 1..80)) {
        let config =
            Config { notice_interval_ms: 7_000, nexts_burst_max: 1_000, ..Config::default() };
        let mut model =
            Model { room: Room::new(config), beliefs: BTreeMap::new(), opened: 0, said: 0 };
        for step in steps {
            model.apply(step);
        }
        model.room.pass(200_000);
        model.read_everything(None);
        let attached = model.room.core.counts().attached;
        let Counts { online, timers, .. } = model.room.core.counts();
        prop_assert_eq!(online, attached, "only readers keep a session for ever");
        prop_assert_eq!(timers, online, "only the head counts are left");
    }
}
