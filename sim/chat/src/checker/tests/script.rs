//! A history in a few lines, and what the checkers say to it.
//!
//! ```text
//!   ann cannot go on     ann < notice put 900      put into the mailbox so many ms before
//!   ann is refused a session as too-many-sessions | as opens-too-fast
//!   ann opens            ann does not get in      ann leaves | vanishes | hangs | loses power
//!   ann loses            ann goes away            who loses a connection makes another one
//!   flood begins         ann asks to come in     ann comes in | is kept out | is turned away
//!   drain begins         drain ended             server exits
//!   ann says ann-1 to 1  ann accepted ann-1 to 1
//!   ann < paired 1       ann < partner bob-1 @4   what the person is told, and its place
//!   ann < again @4       what the person was told before comes over the wire again
//!   ann refused ann-1 to 1 as over | as too fast for 50 | as too long | as closing
//!   ann cannot acknowledge                       ann is superseded
//!   ann wants another    ann gets another        asks for another partner, and that is accepted
//!   ann refused another as too fast for 50       ann cannot acknowledge as too fast for 50
//!   ann polls            ann polled after 3       pass 500
//!   healed   settled     holds sessions=1
//! ```
//!
//! People are told things in order unless a place is given. A script that does not say how it
//! comes to rest does so in good order.

use std::collections::BTreeMap;

use client::TransportKind;
use expect_test::Expect;
use protocol::{
    self, CloseReason, LeftReason, MessageId, PairId, Problem, Rated, Refusal, Seq, ServerEvent,
    SessionId, Speaker,
};
use server::core::Rejected;

use super::super::check;
use super::super::resume::OUT_OF_BOUNDS;
use crate::fault::{ChatFault, ChatFaultKind};
use crate::flood::Flood;
use crate::flood::MESSAGE_PREFIX;
use crate::history::{Detail, Event, Kind, Note, Op, Phase};
use crate::plan::{FaultKind, Plan};
use racetrack_sim::run::EPOCH_MS;

/// What the checkers say to a script: a line a violation.
pub(super) fn verdict(script: &str, expected: Expect) {
    verdict_under(&crate::plan::empty(1), script, expected);
}

/// As [`verdict`], of a run of this plan.
pub(super) fn verdict_under(plan: &Plan, script: &str, expected: Expect) {
    let mut history = History::default();
    let settled = script.contains("settled");
    let ending = if settled { "" } else { "\nsettled\nholds sessions=0 pairs=0" };
    for line in format!("{script}{ending}").lines().map(str::trim).filter(|line| !line.is_empty()) {
        history.add(line);
    }
    let violations = check(plan, &history.events);
    let lines: String = violations.iter().map(|violation| format!("{violation}\n")).collect();
    expected.assert_eq(&lines);
    let known = violations.iter().flat_map(|violation| &violation.evidence);
    assert!(known.max().is_none_or(|last| *last < history.events.len()), "evidence exists");
}

/// Every promise is kept.
pub(super) fn good(script: &str) {
    verdict(script, expect_test::expect![[""]]);
}

#[derive(Default)]
struct History {
    events: Vec<Event>,
    now_us: u64,
    sessions: BTreeMap<String, SessionId>,
    heads: BTreeMap<String, u64>,
}

impl History {
    fn add(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["healed"] => self.phase(Phase::Healed),
            ["settled"] => self.phase(Phase::Settled),
            ["holds", ..] => self.gauges(&words[1..]),
            ["pass", ms] => self.now_us += 1_000 * number(ms),
            [who, "opens"] => self.open(who),
            [who, "does", "not", "get", "in"] => self.push(who, None, Kind::Info, open()),
            [who, "is", "refused", "a", "session", "as", why] => {
                self.push(who, None, Kind::Invoke, open());
                self.push(who, None, Kind::Info, open());
                self.refusal(&why.to_lowercase(), "");
            }
            [who, "cannot", "go", "on"] => self.cannot_go_on(who),
            [who, "leaves"] => self.act(who, Kind::Invoke, Op::Leave),
            [who, "vanishes"] => self.act(who, Kind::Observe, Op::Vanish),
            ["flood", "begins"] => self.flood(Flood::Say),
            [who, "asks", "to", "come", "in"] => self.push(who, None, Kind::Invoke, open()),
            [who, "comes", "in"] => self.come_in(who),
            [who, "is", "kept", "out"] => {
                self.push(who, None, Kind::Info, open());
                self.detail(Detail::Unanswered { after_ms: 700 });
            }
            [who, "is", "turned", "away"] => {
                self.push(who, None, Kind::Invoke, open());
                self.push(who, None, Kind::Info, open());
                self.refusal("full", "");
            }
            ["drain", "begins"] => self.fault(Kind::Invoke, FaultKind::Drain, 0),
            ["drain", "ended"] => self.fault(Kind::Ok, FaultKind::Drain, 1),
            ["server", "exits"] => self.push("nemesis", None, Kind::Observe, Op::Exited),
            [who, "loses", "power"] => {
                self.act(who, Kind::Observe, Op::Vanish);
                self.detail(Detail::PowerCut);
            }
            [who, "hangs"] => {
                self.act(who, Kind::Observe, Op::Vanish);
                self.detail(Detail::Hangs);
            }
            [who, "loses"] => self.act(who, Kind::Observe, Op::Lost),
            [who, "goes", "away"] => {
                self.act(who, Kind::Observe, Op::Lost);
                self.detail(Detail::WentAway);
            }
            [who, "polls"] => self.act(who, Kind::Invoke, Op::Poll { after: Seq(0) }),
            [who, "polled"] => self.act(who, Kind::Ok, Op::Poll { after: Seq(0) }),
            [who, "polled", "after", after] => {
                self.act(who, Kind::Ok, Op::Poll { after: Seq(number(after)) });
            }
            [who, "<", "again", place] => {
                self.act(who, Kind::Observe, Op::Repeated { seq: Seq(number(&place[1..])) });
            }
            [who, "says", id, "to", pair] => self.act(who, Kind::Invoke, say(id, pair)),
            [who, "says", id, "to", pair, "in", bytes, "bytes"] => {
                let (id, pair, bytes) = (name(id), PairId(number(pair)), number(bytes) as usize);
                self.act(who, Kind::Invoke, Op::Say { id, pair, bytes });
            }
            [who, "repeats", id, "to", pair, "elsewhere"] => {
                self.act(who, Kind::Invoke, say(id, pair));
                self.detail(Detail::OtherConnection);
            }
            [who, "wrote", id, "to", pair] => {
                self.act(who, Kind::Info, say(id, pair));
                self.detail(Detail::Written);
            }
            [who, "refused", id, "to", pair] => self.act(who, Kind::Fail, say(id, pair)),
            [who, "refused", id, "to", pair, "as", "over"] => {
                self.act(who, Kind::Fail, say(id, pair));
                self.refusal("stale-pair", "");
            }
            [who, "refused", id, "to", pair, "as", "too", "fast", "for", ms] => {
                self.act(who, Kind::Fail, say(id, pair));
                self.too_fast(Rated::Messages, ms);
            }
            [who, "refused", id, "to", pair, "as", "closing"] => {
                self.act(who, Kind::Info, say(id, pair));
                self.refusal("draining", "");
            }
            [who, "refused", id, "to", pair, "as", "too", "long"] => {
                self.act(who, Kind::Fail, say(id, pair));
                self.refusal("message-too-long", "");
            }
            [who, "cannot", "acknowledge"] => {
                let why = Rejected::Cursor { after: Seq(1), acknowledged: Seq(2), head: Seq(3) };
                self.refused(who, "/problems/cursor", "cursor", &why);
            }
            [who, "is", "superseded"] => {
                self.refused(who, Problem::SUPERSEDED, "superseded", &Rejected::Superseded);
            }
            [who, "wants", "another"] => self.act(who, Kind::Invoke, Op::Next),
            [who, "gets", "another"] => self.act(who, Kind::Ok, Op::Next),
            [who, "refused", "another", "as", "too", "fast", "for", ms] => {
                self.act(who, Kind::Fail, Op::Next);
                self.too_fast(Rated::Nexts, ms);
            }
            [who, "cannot", "acknowledge", "as", "too", "fast", "for", ms] => {
                let retry_after_ms = number(ms);
                let why = Rejected::TooFast { what: Rated::Commands, retry_after_ms };
                self.refused(who, "/problems/too-fast", "too fast", &why);
            }
            [who, "accepted", id, "to", pair] => self.act(who, Kind::Ok, say(id, pair)),
            [who, "<", ..] => self.told(who, &words[2..]),
            _ => panic!("not a line of a history: {line}"),
        }
    }

    fn open(&mut self, who: &str) {
        self.push(who, None, Kind::Invoke, open());
        self.come_in(who);
    }

    fn come_in(&mut self, who: &str) {
        let session = SessionId(self.sessions.len() as u64 + 1);
        self.sessions.insert(who.to_owned(), session);
        self.act(who, Kind::Ok, open());
    }

    fn told(&mut self, who: &str, words: &[&str]) {
        let (words, place) = match words {
            [words @ .., place] if place.starts_with('@') => (words, number(&place[1..])),
            words => (words, self.heads.get(who).copied().unwrap_or_default() + 1),
        };
        self.heads.insert(who.to_owned(), place);
        let (words, at) = match words {
            [words @ .., "put", ms] => (words, self.wall_clock(number(ms))),
            words => (words, String::new()),
        };
        let event = protocol::Event { seq: Seq(place), at, body: body(words) };
        self.act(who, Kind::Observe, Op::Told { event });
    }

    /// The time of day, so many milliseconds ago.
    fn wall_clock(&self, ago_ms: u64) -> String {
        let at_ms = EPOCH_MS + self.now_us / 1_000 - ago_ms;
        let at = jiff::Timestamp::from_millisecond(at_ms as i64).expect("it lies in this century");
        at.to_string()
    }

    fn cannot_go_on(&mut self, who: &str) {
        self.act(who, Kind::Observe, Op::Lost);
        let refused = self.events.last_mut().expect("it was just pushed");
        refused.what.detail = Some(Detail::Refused { problem: problem(OUT_OF_BOUNDS, "") });
    }

    /// A refusal that is about no message.
    fn refused(&mut self, who: &str, kind: &str, title: &str, why: &Rejected) {
        let (kind, title) = (kind.to_owned(), title.to_owned());
        let limit = match why {
            Rejected::TooFast { what, .. } => Some(*what),
            _ => None,
        };
        let (detail, retry_after_ms) = (why.to_string(), None);
        let problem = Problem { kind, title, status: 409, detail, limit, retry_after_ms };
        let refusal = Refusal { id: None, problem };
        self.act(who, Kind::Observe, Op::Refused { refusal });
    }

    /// The first fault of the plan.
    fn fault(&mut self, stage: Kind, kind: impl Into<ChatFaultKind>, effect: usize) {
        let kind = kind.into();
        self.push("nemesis", None, stage, Op::Fault { fault: 0, kind, effect });
    }

    fn flood(&mut self, flood: Flood) {
        self.fault(Kind::Invoke, ChatFaultKind::Model(ChatFault::Flood(flood)), 0);
    }

    fn phase(&mut self, phase: Phase) {
        self.push("simulation", None, Kind::Info, Op::Phase { phase });
    }

    fn gauges(&mut self, words: &[&str]) {
        let gauges = words.iter().filter_map(|word| word.rsplit_once('='));
        let gauges = gauges.map(|(name, value)| (name.to_owned(), number(value))).collect();
        self.push("operator", None, Kind::Ok, Op::Gauges { gauges });
    }

    fn act(&mut self, who: &str, kind: Kind, op: Op) {
        let session = self.sessions.get(who).copied();
        self.push(who, session, kind, op);
    }

    /// The last event was refused: more than may be done of this.
    fn too_fast(&mut self, what: Rated, ms: &str) {
        let retry_after_ms = number(ms);
        let detail = Rejected::TooFast { what, retry_after_ms }.to_string();
        let (limit, retry_after_ms) = (Some(what), Some(retry_after_ms));
        let problem = Problem { limit, retry_after_ms, ..problem("too-fast", &detail) };
        self.detail(Detail::Refused { problem });
    }

    /// The last event was refused with a problem of that kind.
    fn refusal(&mut self, kind: &str, text: &str) {
        self.detail(Detail::Refused { problem: problem(kind, text) });
    }

    /// Says more of the last event.
    fn detail(&mut self, detail: Detail) {
        let last = self.events.last_mut().expect("there is an event to say more of");
        last.what.detail = Some(detail);
    }

    fn push(&mut self, who: &str, session: Option<SessionId>, kind: Kind, op: Op) {
        let (index, at_us, process) = (self.events.len(), self.now_us, who.to_owned());
        let what = Note { session, op, detail: None };
        self.events.push(Event { index, at_us, process, kind, what });
    }
}

fn body(words: &[&str]) -> ServerEvent {
    let message = |from, id: &str| ServerEvent::Message { from, id: name(id), text: "".into() };
    match *words {
        ["waiting"] => ServerEvent::Waiting,
        ["paired", pair] => ServerEvent::Paired { pair: PairId(number(pair)) },
        ["me", id] => message(Speaker::Me, id),
        ["partner", id] => message(Speaker::Partner, id),
        ["left"] => ServerEvent::PartnerLeft { reason: LeftReason::Left },
        ["skipped"] => ServerEvent::PartnerLeft { reason: LeftReason::Skipped },
        ["lagged", missed] => ServerEvent::Lagged { missed: number(missed) },
        ["flood", number] => message(Speaker::Partner, &format!("{MESSAGE_PREFIX}0_1_{number}")),
        ["notice"] => ServerEvent::Notice { online: 1 },
        ["notice", "of", online] => ServerEvent::Notice { online: number(online) },
        ["closing", "draining"] => {
            ServerEvent::Closing { reason: CloseReason::Draining, retry_after_ms: None }
        }
        ["closing", "slow"] => {
            ServerEvent::Closing { reason: CloseReason::Slow, retry_after_ms: None }
        }
        ["closing", "lost"] => {
            ServerEvent::Closing { reason: CloseReason::Lost, retry_after_ms: None }
        }
        ["closing"] => ServerEvent::Closing { reason: CloseReason::Left, retry_after_ms: None },
        _ => panic!("nobody is told {words:?}"),
    }
}

fn problem(kind: &str, text: &str) -> Problem {
    let detail = if text.is_empty() { kind } else { text }.to_owned();
    let (kind, title) = (format!("/problems/{kind}"), String::new());
    Problem { kind, title, status: 429, detail, limit: None, retry_after_ms: None }
}

fn open() -> Op {
    Op::Open { transport: TransportKind::LongPoll, resumes: None }
}

fn say(id: &str, pair: &str) -> Op {
    Op::Say { id: name(id), pair: PairId(number(pair)), bytes: 10 }
}

fn name(id: &str) -> MessageId {
    id.parse().expect("the ids of scripts are short")
}

fn number(text: &str) -> u64 {
    text.parse().expect("the numbers of scripts are numbers")
}
