//! A history, arranged by session and by conversation, so that each checker reads as its promise.

use std::collections::{BTreeMap, BTreeSet};

use server::protocol::{MessageId, PairId, ServerEvent, SessionId, Speaker};

use crate::history::{Event, Kind, Op, Phase};

/// A history and its indexes.
pub struct View<'a> {
    /// The history.
    pub history: &'a [Event],
    /// What each session's person was told, did and lost, in order.
    pub sessions: BTreeMap<SessionId, Vec<&'a Event>>,
    /// Who was told of each conversation, with the event that told it.
    pub pairs: BTreeMap<PairId, Vec<(SessionId, &'a Event)>>,
    /// Who heard which of a partner's messages.
    heard: BTreeSet<(SessionId, &'a MessageId)>,
    /// Who was there when everything had settled.
    present: BTreeSet<SessionId>,
}

impl<'a> View<'a> {
    /// Arranges a history.
    #[must_use]
    pub fn new(history: &'a [Event]) -> Self {
        let mut view = Self {
            history,
            sessions: BTreeMap::new(),
            pairs: BTreeMap::new(),
            heard: BTreeSet::new(),
            present: BTreeSet::new(),
        };
        for event in history {
            let Some(session) = event.session else { continue };
            view.sessions.entry(session).or_default().push(event);
            match event.told() {
                Some(ServerEvent::Paired { pair }) => {
                    view.pairs.entry(*pair).or_default().push((session, event));
                }
                Some(ServerEvent::Message { from: Speaker::Partner, id, .. }) => {
                    view.heard.insert((session, id));
                }
                _ => {}
            }
        }
        let sessions = view.sessions.keys().copied();
        view.present = sessions.filter(|session| view.rests(*session)).collect();
        view
    }

    /// The other member of a conversation, if both were told.
    #[must_use]
    pub fn partner(&self, pair: PairId, session: SessionId) -> Option<SessionId> {
        let members = self.pairs.get(&pair)?;
        members.iter().map(|(member, _)| *member).find(|member| *member != session)
    }

    /// Where a phase begins.
    #[must_use]
    pub fn phase(&self, wanted: Phase) -> Option<&'a Event> {
        self.history.iter().find(|event| matches!(event.op, Op::Phase { phase } if phase == wanted))
    }

    /// True when the session was told the message by its partner.
    #[must_use]
    pub fn has_heard(&self, session: SessionId, id: &MessageId) -> bool {
        self.heard.contains(&(session, id))
    }

    /// True when the person was in the session, and able to read, until everything had settled.
    #[must_use]
    pub fn is_present_at_rest(&self, session: SessionId) -> bool {
        self.present.contains(&session)
    }

    fn rests(&self, session: SessionId) -> bool {
        let Some(settled) = self.phase(Phase::Settled) else { return false };
        let Some(events) = self.sessions.get(&session) else { return false };
        let process = &events[0].process;
        let ended = |event: &&Event| {
            matches!(event.told(), Some(ServerEvent::Closing { .. }))
                || matches!(event.op, Op::Vanish | Op::Leave)
        };
        let last = self.history[..settled.index]
            .iter()
            .rfind(|event| event.process == *process && event.session.is_some());
        last.and_then(|event| event.session) == Some(session)
            && !events.iter().filter(|event| event.index < settled.index).any(ended)
            && !self.is_lost(settled, process)
    }

    /// True when the person's last word before `end` was of a connection that was not made again.
    fn is_lost(&self, end: &Event, process: &str) -> bool {
        let connections = self.history[..end.index].iter().rev().find(|event| {
            event.process == process
                && match event.op {
                    Op::Open { .. } => true,
                    Op::Lost => true,
                    Op::Told { .. } => true,
                    Op::Poll { .. } => event.kind == Kind::Ok,
                    _ => false,
                }
        });
        !connections.is_some_and(|event| match event.op {
            Op::Open { .. } | Op::Poll { .. } => event.kind == Kind::Ok,
            Op::Told { .. } => true,
            _ => false,
        })
    }
}
