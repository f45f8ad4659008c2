//! A history, arranged by session and by conversation, so that each checker reads as its promise.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{MessageId, PairId, ServerEvent, SessionId, Speaker};

use crate::history::{Event, Kind, Op, Phase};

/// A history and its indexes.
pub struct View<'a> {
    /// The history.
    pub history: &'a [Event],
    /// What each session's person was told, did and lost, in order.
    pub sessions: BTreeMap<SessionId, Vec<&'a Event>>,
    /// Who was told of each conversation, with the event that told it.
    pub pairs: BTreeMap<PairId, Vec<(SessionId, &'a Event)>>,
    /// Where everything had settled.
    pub settled: Option<&'a Event>,
    /// Who heard which of a partner's messages.
    heard: BTreeSet<(SessionId, &'a MessageId)>,
    /// Who was there when everything had settled.
    present: BTreeSet<SessionId>,
}

/// What one member of a conversation knows of it.
pub struct Talk<'a> {
    /// What told that it began.
    pub began: &'a Event,
    /// What ended it, before everything had settled.
    pub ended: Option<&'a Event>,
}

impl<'a> View<'a> {
    /// Arranges a history.
    #[must_use]
    pub fn new(history: &'a [Event]) -> Self {
        let mut view = Self {
            history,
            sessions: BTreeMap::new(),
            pairs: BTreeMap::new(),
            settled: phase(history, Phase::Settled),
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
        view.present = view.present();
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
        phase(self.history, wanted)
    }

    /// A conversation as one of its members was told of it; none where it was not.
    #[must_use]
    pub fn talk(&self, session: SessionId, pair: PairId) -> Option<Talk<'a>> {
        let settled = self.settled?;
        let events = self.sessions.get(&session)?;
        let is_begin = |event: &&Event| event.told() == Some(&ServerEvent::Paired { pair });
        let began = events.iter().position(is_begin)?;
        let ended = events[began + 1..].iter().copied().find(|event| ends(event));
        let ended = ended.filter(|event| event.index < settled.index);
        Some(Talk { began: events[began], ended })
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

    /// The last event, before everything had settled, that says whether a session waits or talks.
    #[must_use]
    pub fn last_word(&self, session: SessionId) -> Option<(&'a Event, &'a ServerEvent)> {
        let settled = self.settled?;
        let events = self.sessions.get(&session)?.iter().rev();
        events.filter(|event| event.index < settled.index).find_map(|event| {
            let told = event.told()?;
            let is_word = matches!(told, ServerEvent::Paired { .. } | ServerEvent::Waiting);
            is_word.then_some((*event, told))
        })
    }

    /// The sessions in which their people were, able to read, when everything had settled.
    fn present(&self) -> BTreeSet<SessionId> {
        let Some(settled) = self.settled else { return BTreeSet::new() };
        let mut latest: BTreeMap<&str, Latest> = BTreeMap::new();
        let mut ended = BTreeSet::new();
        for event in &self.history[..settled.index] {
            let latest = latest.entry(&event.process).or_default();
            latest.take(event);
            let Some(session) = event.session else { continue };
            latest.session = Some(session);
            if matches!(event.told(), Some(ServerEvent::Closing { .. }))
                || matches!(event.op, Op::Vanish | Op::Leave)
            {
                ended.insert(session);
            }
        }
        let connected = latest.into_values().filter(|latest| latest.is_connected);
        connected.filter_map(|latest| latest.session.filter(|one| !ended.contains(one))).collect()
    }
}

/// True for what ends the conversation of whoever is told it, or does it.
fn ends(event: &Event) -> bool {
    let is_told = matches!(
        event.told(),
        Some(
            ServerEvent::Waiting
                | ServerEvent::Paired { .. }
                | ServerEvent::PartnerLeft { .. }
                | ServerEvent::Closing { .. }
        )
    );
    is_told || matches!(event.op, Op::Leave | Op::Vanish)
}

fn phase(history: &[Event], wanted: Phase) -> Option<&Event> {
    history.iter().find(|event| matches!(event.op, Op::Phase { phase } if phase == wanted))
}

/// The last that is known of somebody.
#[derive(Default)]
struct Latest {
    session: Option<SessionId>,
    /// The last word of a connection was not that it was lost.
    is_connected: bool,
    /// The client connects again by itself.
    reconnects: bool,
}

impl Latest {
    /// Takes note of what an event says about a connection.
    fn take(&mut self, event: &Event) {
        match event.op {
            Op::Open { transport, .. } => {
                self.reconnects = transport.reconnects();
                self.is_connected = event.kind == Kind::Ok;
            }
            Op::Told { .. } => self.is_connected = true,
            Op::Poll { .. } if event.kind == Kind::Ok => self.is_connected = true,
            // Who connects again need not be told anything for a long time.
            Op::Lost => self.is_connected &= self.reconnects && !event.is_away(),
            _ => {}
        }
    }
}
