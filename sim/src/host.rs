//! The server as a host of the simulated network: the production `serve`, nothing else.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::rc::Rc;

use client::Connect;
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::history::{Kind, Op, Recorder};
use crate::net::{Network, SimListener};
use crate::workload::PORT;

/// What the simulation does to the server's process, and learns of it.
#[derive(Clone, Default)]
pub(crate) struct Process {
    terminate: Rc<RefCell<Rc<Notify>>>,
    exited: Rc<Cell<bool>>,
}

impl Process {
    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.terminate.borrow().notify_one();
    }

    /// True once, after the process has come to its end by itself.
    pub(crate) fn take_exited(&self) -> bool {
        self.exited.take()
    }

    /// One life of the process, from its start until it is killed.
    pub(crate) fn start(
        &self,
        network: Network,
        config: Config,
    ) -> impl Future<Output = turmoil::Result> + use<> {
        let terminate = Rc::new(Notify::new());
        *self.terminate.borrow_mut() = Rc::clone(&terminate);
        let exited = Rc::clone(&self.exited);
        exited.set(false);
        async move {
            let listener = SimListener::bind(network, PORT).await?;
            server::serve(listener, config, async move { terminate.notified().await }).await?;
            exited.set(true);
            // The system closes a process's sockets when it exits; turmoil does when the host is
            // crashed, which the simulation does as soon as it sees the flag.
            std::future::pending().await
        }
    }
}

/// Who asks the server what it holds.
pub(crate) const OPERATOR: &str = "operator";
/// What an operator asks, on one connection: whether new people are welcome, and what is held.
const QUESTIONS: &str = "GET /readyz HTTP/1.1\r\nhost: server\r\n\r\n\
                         GET /metrics HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n";

/// Asks the server for its gauges, as an operator would: what it holds at this moment, and takes them
/// down. Whether it is `ready` is told as one of them.
pub(crate) async fn ask(connector: impl Connect, recorder: &Recorder) -> io::Result<()> {
    let mut stream = connector.connect().await?;
    stream.write_all(QUESTIONS.as_bytes()).await?;
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await?;
    let ready = u64::from(answers.starts_with("HTTP/1.1 200 "));
    let gauges = gauges(&answers).into_iter().chain([("ready".to_owned(), ready)]).collect();
    recorder.record(OPERATOR, None, Kind::Ok, Op::Gauges { gauges });
    Ok(())
}

/// The gauges in the OpenMetrics text format; each is one line behind its type.
fn gauges(text: &str) -> Vec<(String, u64)> {
    let lines = || text.lines().filter_map(|line| line.split_once("racetrack_"));
    let types = lines().filter(|(before, _)| *before == "# TYPE ");
    let names = types.filter_map(|(_, rest)| rest.strip_suffix(" gauge"));
    let value_of = |name: &str| {
        let mut values = lines().filter(|(before, _)| before.is_empty());
        values.find_map(|(_, rest)| rest.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    };
    names.filter_map(|name| Some((name.to_owned(), value_of(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_found_among_counters_and_histograms() {
        let text = "# HELP racetrack_pairs Conversations.\n# TYPE racetrack_pairs gauge\n\
                    racetrack_pairs 3\n# TYPE racetrack_events counter\n\
                    racetrack_events_total{type=\"message\"} 9\n\
                    # TYPE racetrack_deliver_seconds histogram\n\
                    racetrack_deliver_seconds_count 2\n# TYPE racetrack_timers gauge\n\
                    racetrack_timers 0\n# EOF\n";
        assert_eq!(gauges(text), [("pairs".to_owned(), 3), ("timers".to_owned(), 0)]);
    }
}
