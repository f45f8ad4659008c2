//! One series to be: which server, over which transport, and what it is called.
//!
//! [`Options::trials`] makes the list of them from what was asked for; nothing is started here.

use std::sync::Arc;
use std::time::Duration;

use client::TransportKind;

use crate::options::Options;
use crate::peer::Peer;

/// One server under one load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// What it is called in files, tables and objectives; no two trials of a run share it.
    pub label: Arc<str>,
    /// How the people reach the server.
    pub kind: TransportKind,
    /// How often a short-polling person asks.
    pub poll_interval: Duration,
    /// Whose server it is, where it is not ours.
    pub peer: Option<Peer>,
    /// The trial of our server that this one stands beside.
    pub beside: Option<Arc<str>>,
}

impl Options {
    /// Everything that is to be measured, in order: each transport on our server, and right behind
    /// it on the peer's, where there is a peer that speaks it.
    #[must_use]
    pub fn trials(&self) -> Vec<Trial> {
        let ours = self.transports.iter().map(|&kind| Trial {
            label: kind.name().into(),
            kind,
            poll_interval: self.poll_interval.0,
            peer: None,
            beside: None,
        });
        ours.flat_map(|ours| {
            let theirs = self.peer.and_then(|peer| ours.on(peer));
            [Some(ours), theirs].into_iter().flatten()
        })
        .collect()
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
        peer.transports().contains(&self.kind).then(|| Self {
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
        let transports = vec![
            TransportKind::SocketioWebsocket,
            TransportKind::Sse,
            TransportKind::SocketioPolling,
        ];
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
}
