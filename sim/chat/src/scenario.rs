//! A race, written by hand: who does what at which millisecond, over a network without surprises.
//!
//! ```no_run
//! use client::TransportKind::LongPoll;
//! use chat_sim::plan::Action::{Join, Say};
//! use chat_sim::scenario::Scenario;
//!
//! let report = Scenario::new()
//!     .person("ann", LongPoll)
//!     .person("bob", LongPoll)
//!     .at(100, "ann", Join)
//!     .at(100, "bob", Join)
//!     .at(500, "ann", Say)
//!     .run();
//! assert!(chat_sim::transcript::story(&report, "bob").contains("partner ann-1"));
//! ```

use client::TransportKind;
use server::config::Config;

use crate::fault::ChatFaultKind;
use crate::model::{self, Chat, Report, SERVER};
use crate::names::unknown;
use crate::plan::{Action, ChatConfig, Fault, Person, Plan, Scope, Settings, Step};
use crate::transcript::transcript;

/// A plan under construction. Packets take 10 ms each way unless said otherwise.
#[derive(Debug, Clone)]
pub struct Scenario(Plan);

impl Default for Scenario {
    fn default() -> Self {
        Self::new()
    }
}

impl Scenario {
    /// Nobody, and nothing that goes wrong.
    #[must_use]
    pub fn new() -> Self {
        let mut plan = crate::plan::empty(1);
        plan.settings = Settings {
            tick_ms: 1,
            latency_ms_min: 10,
            latency_ms_max: 10,
            client_hosts: 1,
            ..Settings::default()
        };
        Self(plan)
    }

    /// The seed of what the plan leaves open, above all who is first in the same instant.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Somebody takes part, on a host of their own.
    #[must_use]
    pub fn person(mut self, name: &str, transport: TransportKind) -> Self {
        let host = self.0.clients.len();
        self.0.settings.client_hosts = host + 1;
        let name = name.to_owned();
        self.0.clients.push(Person { name, profile: transport.into(), host });
        self
    }

    /// The person before, who polls Socket.IO, changes to a WebSocket once so many events have come.
    ///
    /// # Panics
    ///
    /// If there is nobody yet.
    #[must_use]
    pub fn upgrading_after(mut self, events: u64) -> Self {
        let person = self.0.clients.last_mut().expect("somebody takes part");
        person.profile.upgrade_after_events = Some(events);
        self
    }

    /// Somebody does something.
    #[must_use]
    pub fn at(mut self, at_ms: u64, who: &str, action: Action) -> Self {
        self.0.steps.push(Step { at_ms, client: who.to_owned(), action });
        self
    }

    /// A person's connections, or the link to their host, go wrong.
    ///
    /// # Panics
    ///
    /// If nobody has that name, or what goes wrong with that kind of fault is the server.
    #[must_use]
    #[track_caller]
    pub fn trouble(
        mut self,
        at_ms: u64,
        kind: impl Into<ChatFaultKind>,
        who: &str,
        for_ms: u64,
    ) -> Self {
        let kind = kind.into();
        let is_of_people = matches!(kind.scope(), Scope::ClientHost | Scope::Client);
        assert!(is_of_people, "{kind} strikes the server: use server_trouble");
        if self.0.client(who).is_none() {
            let known = self.0.clients.iter().map(|person| person.name.as_str());
            panic!("{} before the trouble at {at_ms} ms", unknown("client", who, known))
        }
        let target = who.to_owned();
        self.0.faults.push(Fault { at_ms, kind, target, for_ms, count: None });
        self
    }

    /// The server goes wrong, or is attacked.
    ///
    /// # Panics
    ///
    /// If that kind of fault strikes people.
    #[must_use]
    #[track_caller]
    pub fn server_trouble(
        mut self,
        at_ms: u64,
        kind: impl Into<ChatFaultKind>,
        for_ms: u64,
    ) -> Self {
        let kind = kind.into();
        let is_of_server = matches!(kind.scope(), Scope::Server | Scope::Attack);
        assert!(is_of_server, "{kind} strikes people: use trouble");
        let target = SERVER.to_owned();
        self.0.faults.push(Fault { at_ms, kind, target, for_ms, count: None });
        self
    }

    /// The server has other limits.
    #[must_use]
    pub fn server(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.0.config.server);
        self
    }

    /// Users poll otherwise.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut ChatConfig)) -> Self {
        change(&mut self.0.config);
        self
    }

    /// The network and the phases are others.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.0.settings);
        self
    }

    /// The plan so far.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let mut plan = self.0.clone();
        plan.steps.sort_by_key(|step| step.at_ms);
        plan.faults.sort_by_key(|fault| fault.at_ms);
        plan
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// With one line, if the plan makes no sense, as where an unknown person acts. With the transcript,
    /// if a checker finds anything or a fault touched nothing.
    #[must_use]
    #[track_caller]
    pub fn run(&self) -> Report {
        let plan = self.plan();
        if let Err(why) = plan.check(&Chat) {
            panic!("{why}");
        }
        let report = model::run(&plan, false);
        assert!(report.passed(), "{}", transcript(&report));
        for (kind, count) in &report.faults {
            assert_eq!(
                count.planned,
                count.effective,
                "{kind} touched nothing\n{}",
                transcript(&report)
            );
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use client::TransportKind::LongPoll;

    use super::*;
    use crate::plan::FaultKind;

    fn ann_and_bob() -> Scenario {
        Scenario::new().person("ann", LongPoll).person("bob", LongPoll)
    }

    #[test]
    #[should_panic = r#"step 1 of the plan, at 9 ms: no client is named "bobb"; there are "ann", "bob""#]
    fn a_step_of_an_unknown_person_is_refused() {
        let scenario = ann_and_bob().at(5, "bob", Action::Join).at(9, "bobb", Action::Join);
        let _report = scenario.run();
    }

    #[test]
    #[should_panic = r#"no client is named "bobb"; there are "ann", "bob""#]
    fn a_fault_of_an_unknown_person_is_refused() {
        let _scenario = ann_and_bob().trouble(5, FaultKind::CutReset, "bobb", 0);
    }

    #[test]
    #[should_panic = r#"the plan has two clients named "ann""#]
    fn two_people_of_one_name_are_refused() {
        let _report = ann_and_bob().person("ann", LongPoll).run();
    }

    #[test]
    #[should_panic = "cut-reset strikes people: use trouble"]
    fn a_fault_of_people_does_not_strike_the_server() {
        let _scenario = ann_and_bob().server_trouble(5, FaultKind::CutReset, 0);
    }

    #[test]
    #[should_panic = "crash strikes the server: use server_trouble"]
    fn a_fault_of_the_server_does_not_strike_a_person() {
        let _scenario = ann_and_bob().trouble(5, FaultKind::Crash, "ann", 0);
    }
}
