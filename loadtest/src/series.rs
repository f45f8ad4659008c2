//! From what was booked and observed to one [`Series`].

use std::time::Duration;

use reports::part::Crossing;
use reports::run::{GeneratorCost, HistogramDump, Messages, Series, ServerCost, Traffic, Used};
use reports::units;

use crate::crossing;
use crate::preflight::Keeping;
use crate::process::Usage;
use crate::recorder::Figures;
use crate::scenario::{Observed, Reading, Stage};
use crate::validity::{self, Evidence};

/// A run that has come to its end.
pub(crate) struct Finished<'a> {
    /// All people, of all generators.
    pub(crate) people: u32,
    pub(crate) stage: &'a Stage,
    /// The server before the first connection.
    pub(crate) idle: Option<Usage>,
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
        for (interval, used) in figures.intervals.iter_mut().zip(&self.used) {
            interval.used = Some(*used);
        }
        let crossing = crossing::read(&self.stage.ledger, window);
        let duration_s = self.duration().as_secs_f64();
        Series {
            transport: self.stage.route.kind.name().to_owned(),
            users: self.users(),
            duration_s,
            offered_per_s: messages.scheduled as f64 / duration_s,
            achieved_per_s: figures.received_in_window as f64 / duration_s,
            messages,
            traffic: self.traffic(),
            server: self.server(),
            generator: self.generator(),
            latency_us: HistogramDump::from(&figures.latency),
            service_us: HistogramDump::from(&figures.service),
            send_lag_us: HistogramDump::from(&figures.send_lag),
            hiccups_us: HistogramDump::from(&self.observed.hiccups),
            invalid: self.invalid(&figures, &messages, crossing.as_ref()),
            discarded: Vec::new(),
            rounds: Vec::new(),
            notes: self.notes(),
            intervals: figures.intervals,
            crossing,
            crossed_us: HistogramDump::default(),
        }
    }

    /// The people of this generator.
    fn users(&self) -> u64 {
        u64::from(self.stage.ledger.shard.people(self.people))
    }

    /// How this measurement differs from what is usual.
    fn notes(&self) -> Vec<String> {
        let route = &self.stage.route;
        let usual = Keeping::All.connections_per_user(route.kind);
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
    ) -> Vec<String> {
        // One of an odd number has nobody to talk to, by design; anybody else should have.
        let alone = u64::from(self.people % 2) * messages.unsent;
        let evidence = Evidence {
            sendable: messages.scheduled - alone,
            generator_cpu_us: self.generator().cpu_us,
            server_cpu_us: self.server().map(|server| server.cpu_us),
            others_cpu_us: self.others_cpu_us(),
            window: self.duration(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let mut reasons = validity::reasons(figures, &evidence);
        reasons.extend(crossing.and_then(crossing::early));
        let received = self.stage.ledger.received();
        if self.counted_by_goose != received {
            reasons.push(format!(
                "goose counted {} messages and the books hold {received}",
                self.counted_by_goose
            ));
        }
        reasons
    }
}
