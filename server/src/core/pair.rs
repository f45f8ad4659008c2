//! Two sessions talking: how they meet, what one says to the other, how they part.
//!
//! The link is symmetric at all times: whoever has a partner is that partner's partner. A
//! message goes into both mailboxes in one step, so nothing can come between acceptance and
//! delivery, and nothing of an old partner can follow `partner_left`.

use tracing::trace;

use super::Rated;
use super::mailbox::{Bounds, Entry};
use super::recent_ids::IdHash;
use super::session::{State, Told};
use super::sessions::Slot;
use super::{Core, Instant, Rejected};
use protocol::{CloseReason, LeftReason, PairId, Say, ServerEvent, SessionId, Speaker};

const ONE_SIDED: &str = "the pair is not symmetric";

impl Core {
    /// Pairs everybody who can be paired, then tells the others that they wait.
    pub(super) fn pair_up(&mut self, now: Instant) {
        while let Some((one, other)) = self.match_two() {
            self.meet(now, one, other);
        }
        for session in self.lobby.take_untold() {
            let slot = self.slot(session);
            self.tell(now, slot, ServerEvent::Waiting);
        }
    }

    fn match_two(&mut self) -> Option<(SessionId, SessionId)> {
        let sessions = &self.sessions;
        self.lobby.match_two(|one, other| {
            let left = |one, other| {
                sessions.slot(one).is_some_and(|slot| sessions[slot].parted_from == Some(other))
            };
            left(one, other) || left(other, one)
        })
    }

    fn meet(&mut self, now: Instant, one: SessionId, other: SessionId) {
        assert_ne!(one, other, "nobody talks to themselves");
        let pair = self.next_pair;
        self.next_pair = PairId(pair.0 + 1);
        self.pairs += 1;
        let slots = [one, other].map(|session| self.slot(session));
        let [first, second] = slots;
        trace!(
            name: "met",
            session = one.0,
            partner = other.0,
            again = self.sessions[first].parted_from == Some(other),
        );
        self.sessions.link(first, second);
        for (mine, partner) in [(first, other), (second, one)] {
            let known = &mut self.sessions[mine];
            assert_eq!(known.state, State::Waiting, "{} was matched without waiting", known.id);
            known.state = State::Paired { pair, partner };
        }
        // Both learn of the pair before either is closed, so nobody loses a partner unmet.
        let told = slots.map(|slot| self.try_tell(now, slot, ServerEvent::Paired { pair }));
        for (session, told) in [one, other].into_iter().zip(told) {
            // The first of two whose mailboxes are both full takes the other along.
            if told.is_err() && self.known(session).state != State::Closed {
                self.close(now, session, CloseReason::Slow);
            }
        }
    }

    /// Takes the message into the mailboxes of both.
    pub(super) fn say(&mut self, now: Instant, from: Slot, say: Say) -> Result<(), Rejected> {
        let Say { id, text, pair: meant } = say;
        let partner = self.sessions.partner(from);
        let (speaker, listener) = (&self.sessions[from], &self.sessions[partner]);
        let is_mutual = listener.state.partner() == Some(speaker.id);
        let id_hash = IdHash::new(&id);
        if speaker.recent_ids.contains(id_hash) {
            // Without an effect, and without a limit: a refusal would call it a message that was
            // never accepted.
            trace!(name: "said again", session = speaker.id.0);
            return Ok(());
        }
        match (speaker.state.pair(), meant) {
            (Some(pair), meant) if meant.is_none_or(|meant| meant == pair) => {}
            (_, Some(meant)) => return Err(Rejected::StalePair { meant }),
            (_, None) => return Err(Rejected::NotPaired),
        }
        assert!(is_mutual, "{ONE_SIDED}");
        let speaker_id = speaker.id;
        // Both are made before either is put away: mailboxes are seldom in a cache, and what is
        // copied, or counted once more, waits for the stores before it.
        let [heard, told] = [(Speaker::Me, id.clone(), text.clone()), (Speaker::Partner, id, text)]
            .map(|(from, id, text)| Entry::new(now, ServerEvent::Message { from, id, text }));
        self.has_room(now, from, &heard)?;
        self.has_room(now, partner, &told)?;
        self.rate_limit(now, from, Rated::Messages)?;
        let bounds = Bounds::of_messages(&self.config);
        self.put(from, heard, bounds);
        trace!(
            name: "said",
            session = speaker_id.0,
            partner = self.sessions[partner].id.0,
            partner_is_suspect = self.sessions[partner].suspect,
            partner_is_reading = self.sessions[partner].reader.is_some(),
            is_reading = self.sessions[from].reader.is_some(),
        );
        self.put(partner, told, bounds);
        self.sessions[from].recent_ids.remember(id_hash, self.config.message_ids_max);
        Ok(())
    }

    /// Refuses a message that a mailbox cannot hold: until its person reads, or is closed as slow.
    fn has_room(&mut self, now: Instant, slot: Slot, entry: &Entry) -> Result<(), Rejected> {
        let bounds = Bounds::of_messages(&self.config);
        if self.sessions[slot].mailbox.could_take(&entry.event, bounds) {
            return Ok(());
        }
        self.stall(now, slot);
        let ServerEvent::Message { from: whose, .. } = entry.event else {
            unreachable!("only what somebody says is refused");
        };
        Err(Rejected::MailboxFull { whose, retry_after_ms: self.config.retry_after_ms })
    }

    /// Leaves the partner for another one; without a partner there is nothing to leave, nor when
    /// the conversation that was meant is over.
    ///
    /// Both are told, so that each mailbox shows the beginning and the end of each conversation;
    /// who was left waits in front of who left.
    pub(super) fn skip(&mut self, now: Instant, session: SessionId, meant: Option<PairId>) {
        let current = self.known(session).state.pair();
        if meant.is_some() && meant != current {
            trace!(name: "skipped too late", session = session.0);
            return;
        }
        let Some(partner) = self.part(session) else { return };
        trace!(name: "skipped", session = session.0, partner = partner.0);
        self.tell_partner_left(now, partner, LeftReason::Skipped);
        self.tell_partner_left(now, session, LeftReason::Skipped);
    }

    /// Parts a session from its partner, who is returned and is in nobody's company afterwards.
    pub(super) fn part(&mut self, session: SessionId) -> Option<SessionId> {
        let partner = self.known(session).state.partner()?;
        assert_eq!(self.known(partner).state.partner(), Some(session), "{ONE_SIDED}");
        for (one, other) in [(session, partner), (partner, session)] {
            let slot = self.slot(one);
            self.sessions.unlink(slot);
            let known = &mut self.sessions[slot];
            known.state = State::Waiting;
            known.parted_from = Some(other);
        }
        self.pairs -= 1;
        Some(partner)
    }

    /// Tells somebody who was just parted, and puts them back into the lobby.
    pub(super) fn tell_partner_left(&mut self, now: Instant, left: SessionId, reason: LeftReason) {
        let slot = self.slot(left);
        trace!(
            name: "was left",
            session = left.0,
            is_lost = reason == LeftReason::Lost,
            is_skipped = reason == LeftReason::Skipped,
            is_suspect = self.sessions[slot].suspect,
            is_reading = self.sessions[slot].reader.is_some(),
        );
        if self.try_tell(now, slot, ServerEvent::PartnerLeft { reason }).is_err() {
            self.end(now, left, CloseReason::Slow);
        } else if self.sessions[slot].suspect {
            self.tell(now, slot, ServerEvent::Waiting);
        } else {
            self.admit(now, left, Told::Not);
        }
    }
}

impl State {
    pub(super) fn partner(self) -> Option<SessionId> {
        match self {
            Self::Paired { partner, .. } => Some(partner),
            Self::Waiting | Self::Closed => None,
        }
    }

    fn pair(self) -> Option<PairId> {
        match self {
            Self::Paired { pair, .. } => Some(pair),
            Self::Waiting | Self::Closed => None,
        }
    }
}
