//! One series to be: which server, over which transport, and what it is called.
//!
//! [`Options::trials`] makes the list of them from what was asked for; nothing is started here.

use std::sync::Arc;
use std::time::Duration;

use client::TransportKind;

use crate::mix::{Mix, Transport};
use crate::options::Options;
use crate::peer::Peer;
use reports::Span;

/// One server under one load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// What it is called in files, tables and objectives; no two trials of a run share it.
    pub label: Arc<str>,
    /// How the people reach the server.
    pub mix: Mix,
    /// How often a short-polling person asks.
    pub poll_interval: Duration,
    /// Whose server it is, where it is not ours.
    pub peer: Option<Peer>,
    /// The trial of our server that this one stands beside.
    pub beside: Option<Arc<str>>,
}

impl Options {
    /// Everything that is to be measured, in order: each transport on our server, short polling as
    /// often as there are intervals, and right behind it on the peer's, where there is a peer that
    /// speaks it.
    #[must_use]
    pub fn trials(&self) -> Vec<Trial> {
        let ours = self.transports.iter().flat_map(|transport| self.on_ours(*transport));
        ours.flat_map(|ours| {
            let theirs = self.peer.and_then(|peer| ours.on(peer));
            [Some(ours), theirs].into_iter().flatten()
        })
        .collect()
    }

    fn on_ours(&self, transport: Transport) -> Vec<Trial> {
        let trial = |label: &str, mix, interval: Option<&Span>| Trial {
            label: label.into(),
            mix,
            poll_interval: interval.map(|span| span.0).unwrap_or_default(),
            peer: None,
            beside: None,
        };
        let name = transport.name();
        match (transport, &self.poll_intervals[..]) {
            (Transport::One(kind @ TransportKind::ShortPoll), [_, _, ..]) => {
                let labelled = |span| trial(&format!("{name}-{span}"), Mix::of(kind), Some(span));
                self.poll_intervals.iter().map(labelled).collect()
            }
            (Transport::One(kind), intervals) => {
                vec![trial(name, Mix::of(kind), intervals.first())]
            }
            (Transport::Mix, intervals) => {
                let mix = self.mix.clone().unwrap_or_else(Mix::equal);
                vec![trial(name, mix, intervals.first())]
            }
        }
    }

    /// The labels of what the peer does not speak, so that it runs on our server alone.
    #[must_use]
    pub fn ours_alone(&self) -> Vec<Arc<str>> {
        let Some(peer) = self.peer else { return Vec::new() };
        let trials = self.trials().into_iter();
        trials
            .filter(|trial| trial.peer.is_none() && trial.on(peer).is_none())
            .map(|trial| trial.label)
            .collect()
    }
}

impl Trial {
    /// The same people on the server of `peer`; none where it does not speak the transport.
    fn on(&self, peer: Peer) -> Option<Self> {
        let is_spoken = self.mix.kinds().all(|kind| peer.transports().contains(&kind));
        is_spoken.then(|| Self {
            label: format!("{peer}-{}", self.label).into(),
            peer: Some(peer),
            beside: Some(Arc::clone(&self.label)),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(options: &Options) -> Vec<String> {
        options.trials().iter().map(|trial| trial.label.to_string()).collect()
    }

    #[test]
    fn without_a_peer_each_transport_is_one_trial_of_our_server() {
        let options = Options::default();
        assert_eq!(labels(&options), TransportKind::ALL.map(TransportKind::name));
        assert!(options.trials().iter().all(|trial| trial.peer.is_none()));
        assert_eq!(options.ours_alone(), []);
    }

    #[test]
    fn the_peer_comes_right_behind_ours_wherever_it_speaks_the_transport() {
        let transports =
            [TransportKind::SocketioWebsocket, TransportKind::Sse, TransportKind::SocketioPolling];
        let transports = transports.map(Transport::One).to_vec();
        let options = Options { transports, peer: Some(Peer::Node), ..Options::default() };
        assert_eq!(
            labels(&options),
            [
                "socketio-websocket",
                "node-socketio-websocket",
                "sse",
                "socketio-polling",
                "node-socketio-polling"
            ]
        );
        assert_eq!(options.ours_alone(), [Arc::from("sse")]);
        let beside = options.trials()[1].beside.clone();
        assert_eq!(beside.as_deref(), Some("socketio-websocket"));
    }

    #[test]
    fn short_polling_is_a_trial_for_each_interval_and_the_others_are_one() {
        let poll_intervals = ["5s", "100ms"].map(|span| span.parse().expect("a time")).to_vec();
        let transports =
            vec![TransportKind::ShortPoll.into(), TransportKind::Sse.into(), Transport::Mix];
        let options = Options { transports, poll_intervals, ..Options::default() };
        assert_eq!(labels(&options), ["short-poll-5s", "short-poll-100ms", "sse", "mix"]);
        let intervals = options.trials().into_iter().map(|trial| trial.poll_interval.as_millis());
        assert_eq!(intervals.collect::<Vec<_>>(), [5_000, 100, 5_000, 5_000]);
    }

    #[test]
    fn a_mix_that_the_peer_speaks_runs_on_both() {
        let mix = "socketio-websocket=2,socketio-polling=1".parse().expect("a mix");
        let with = |mix| Options {
            transports: vec![Transport::Mix],
            mix,
            peer: Some(Peer::Node),
            ..Options::default()
        };
        assert_eq!(labels(&with(Some(mix))), ["mix", "node-mix"]);
        assert_eq!(labels(&with(None)), ["mix"], "Node's server speaks two of the six");
    }
}
