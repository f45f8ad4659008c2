//! From what was booked and observed to one [`Series`].

use std::time::Duration;

use reports::part::Crossing;
use reports::run::{
    GeneratorCost, HistogramDump, Messages, Readers, Series, ServerCost, Traffic, Used,
    latency_histogram,
};
use reports::{Cause, Invalid, units};

use crate::cores::Cores;
use crate::crossing;
use crate::missing::Missing;
use crate::options::Options;
use crate::preflight::Keeping;
use crate::process::Usage;
use crate::readers;
use crate::recorder::Figures;
use crate::scenario::{Observed, Reading, Stage};
use crate::trial::Trial;
use crate::validity::{self, Evidence};

/// A run that has come to its end.
pub(crate) struct Finished<'a> {
    pub(crate) options: &'a Options,
    pub(crate) trial: &'a Trial,
    pub(crate) stage: &'a Stage,
    /// The server before the first connection.
    pub(crate) idle: Option<Usage>,
    /// This process before the first connection.
    pub(crate) generator_idle: Usage,
    pub(crate) observed: Observed,
    pub(crate) counted_by_goose: u64,
    /// One entry a second, from the opening of the window on; some more than it has.
    pub(crate) used: Vec<Used>,
}

impl Finished<'_> {
    pub(crate) fn into_series(self) -> Series {
        let window = &self.observed.window;
        let messages = self.stage.ledger.messages(window);
        let mut figures = Figures::read(&self.stage.ledger, window);
        let missing = Missing::read(&self.stage.ledger, window, self.observed.drained_us);
        for interval in &mut figures.intervals {
            interval.missing_us = missing.of_second(interval.second);
        }
        for (interval, used) in figures.intervals.iter_mut().zip(&self.used) {
            interval.used = Some(*used);
        }
        let mut crossing = crossing::read(&self.stage.ledger, window);
        if let Some(crossing) = &mut crossing {
            crossing.drained_us = self.observed.drained_us.saturating_sub(window.end);
        }
        let duration_s = self.duration().as_secs_f64();
        Series {
            transport: self.trial.label.to_string(),
            beside: self.trial.beside.as_deref().map(str::to_owned),
            users: self.users(),
            duration_s,
            offered_per_s: messages.scheduled as f64 / duration_s,
            achieved_per_s: figures.received_in_window as f64 / duration_s,
            messages,
            traffic: self.traffic(),
            server: self.server(),
            generator: self.generator(),
            latency_us: HistogramDump::from(&figures.latency),
            missing_us: missing.all(),
            service_us: HistogramDump::from(&figures.service),
            send_lag_us: HistogramDump::from(&figures.send_lag),
            hiccups_us: HistogramDump::from(&self.observed.hiccups),
            invalid: self.invalid(&figures, &messages, crossing.as_ref()),
            discarded: Vec::new(),
            connect_s: Some(self.stage.arrival_time().as_secs_f64()),
            pairing_us: self.pairing(),
            by_reader: self.by_reader(),
            rounds: Vec::new(),
            missing_us_of_rounds: Vec::new(),
            notes: self.notes(),
            intervals: figures.intervals,
            crossing,
            crossed_us: HistogramDump::default(),
            round_starts: Vec::new(),
        }
    }

    /// The people of this generator.
    fn users(&self) -> u64 {
        u64::from(self.stage.ledger.shard.people(self.options.users))
    }

    /// How this measurement differs from what is usual.
    fn notes(&self) -> Vec<String> {
        let route = &self.stage.route;
        let usual = Keeping::All.connections_per_user(self.trial.mix.heaviest());
        let with_each = units::count(u64::from(usual));
        match route.keeping {
            Keeping::All => Vec::new(),
            Keeping::Listening => vec![format!(
                "each command took a connection of its own, because the open files of a process \
                 do not suffice for {} people with {with_each} connections each",
                units::count(self.users()),
            )],
        }
    }

    /// How long people were without a partner who found one in the window; empty where nobody moves.
    fn pairing(&self) -> HistogramDump {
        let mut waits = latency_histogram();
        if self.options.habits().move_people() {
            let pairings = self.stage.pairings().into_iter();
            for pairing in pairings.filter(|it| self.observed.window.contains(&it.at_us)) {
                waits.saturating_record(pairing.waited_us);
            }
        }
        HistogramDump::from(&waits)
    }

    /// Latency by what its reader uses; empty where everybody uses the same.
    fn by_reader(&self) -> Vec<Readers> {
        let route = &self.stage.route;
        if self.trial.mix.kinds().nth(1).is_none() {
            return Vec::new();
        }
        let Observed { window, drained_us, .. } = &self.observed;
        let (kinds, kind_of) = (self.trial.mix.kinds(), |person| route.kind_of(person));
        let mut all = readers::read(&self.stage.ledger, window, *drained_us, kinds, kind_of);
        let shard = self.stage.ledger.shard;
        for person in (0..self.options.users).filter(|person| shard.owns(*person)) {
            let name = route.kind_of(person).name();
            let of_its_kind = all.iter_mut().find(|it| it.transport == name);
            of_its_kind.expect("it is in the mix").users += 1;
        }
        all
    }

    /// Messages of the window that could not be said, because there was nobody to say them to.
    fn alone(&self, messages: &Messages) -> u64 {
        if !self.options.habits().move_people() {
            // One of an odd number has nobody to talk to, by design; anybody else should have.
            let unsent = messages.unsent.saturating_sub(self.prevented());
            return u64::from(self.options.users % 2) * unsent;
        }
        let mut alone = 0;
        self.stage.ledger.for_each(|record| {
            let is_of_the_window = self.observed.window.contains(&record.intended_us);
            alone += u64::from(is_of_the_window && record.was_skipped());
        });
        alone
    }

    /// Messages of the window that could not be said, because the server did not let their senders.
    fn prevented(&self) -> u64 {
        self.stage.ledger.prevented(&self.observed.window)
    }

    /// How long the window was.
    fn duration(&self) -> Duration {
        let window = &self.observed.window;
        Duration::from_micros(window.end - window.start)
    }

    fn traffic(&self) -> Traffic {
        let Reading { requests, bytes_sent, bytes_received, .. } = self.observed.opened;
        let closed = &self.observed.closed;
        Traffic {
            requests: closed.requests - requests,
            bytes_sent: closed.bytes_sent - bytes_sent,
            bytes_received: closed.bytes_received - bytes_received,
            errors: self.stage.errors(),
        }
    }

    fn server(&self) -> Option<ServerCost> {
        Some(ServerCost {
            cpu_us: self.observed.closed.server?.cpu_us - self.observed.opened.server?.cpu_us,
            rss_idle_bytes: self.idle?.rss_bytes,
            rss_bytes: self.observed.gathered.server?.rss_bytes,
        })
    }

    fn generator(&self) -> GeneratorCost {
        let Observed { gathered, opened, closed, .. } = &self.observed;
        GeneratorCost {
            cpu_us: closed.generator.cpu_us - opened.generator.cpu_us,
            rss_idle_bytes: self.generator_idle.rss_bytes,
            rss_bytes: gathered.generator.rss_bytes,
        }
    }

    /// Processor time of all other programs over the window.
    fn others_cpu_us(&self) -> Option<u64> {
        let Observed { opened, closed, .. } = &self.observed;
        let machine = closed.machine_cpu_us?.saturating_sub(opened.machine_cpu_us?);
        let server = self.server().map_or(0, |server| server.cpu_us);
        Some(machine.saturating_sub(self.generator().cpu_us + server))
    }

    fn invalid(
        &self,
        figures: &Figures,
        messages: &Messages,
        crossing: Option<&Crossing>,
    ) -> Vec<Invalid> {
        let evidence = Evidence {
            sendable: messages.scheduled.saturating_sub(self.alone(messages) + self.prevented()),
            generator_cpu_us: self.generator().cpu_us,
            server_cpu_us: self.server().map(|server| server.cpu_us),
            others_cpu_us: self.others_cpu_us(),
            window: self.duration(),
            cores: match self.options.cores {
                Some(Cores { .. }) => 2,
                None => std::thread::available_parallelism().map_or(1, usize::from),
            },
        };
        let mut reasons = validity::reasons(figures, &evidence);
        reasons.extend(crossing.and_then(crossing::early));
        let received = self.stage.ledger.received();
        if self.counted_by_goose != received {
            let counted = self.counted_by_goose;
            let text = format!("goose counted {counted} messages and the books hold {received}");
            reasons.push(Invalid::new(Cause::CountsDiffer, text));
        }
        reasons
    }
}
