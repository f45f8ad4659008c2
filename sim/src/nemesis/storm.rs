//! Connections by the dozen, opened at once and of no use to anybody.
//!
//! The nemesis stands between the steps and can open nothing; a task on a client host does it.

use std::time::Duration;

use client::Connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::net::{Network, SimConnector};

/// Connections in one storm.
const CONNECTIONS: usize = 50;
/// What they say: nothing, half of a request, a whole one.
const WORDS: [&str; 3] =
    ["", "GET /api/events?after=", "GET /healthz HTTP/1.1\r\nhost: server\r\n\r\n"];

/// Asks for storms.
pub(crate) struct Storm {
    storms: mpsc::UnboundedSender<Duration>,
}

/// Makes them.
pub(crate) struct Winds {
    network: Network,
    storms: mpsc::UnboundedReceiver<Duration>,
}

impl Storm {
    pub(crate) fn new(network: Network) -> (Self, Winds) {
        let (storms, asked) = mpsc::unbounded_channel();
        (Self { storms }, Winds { network, storms: asked })
    }

    /// Opens connections that last so long; returns how many.
    pub(crate) fn brew(&self, lasts: Duration) -> usize {
        if self.storms.send(lasts).is_ok() { CONNECTIONS } else { 0 }
    }
}

impl Winds {
    /// Makes the storms that are asked for, until it is dropped.
    pub(crate) async fn blow(mut self) {
        let connector = SimConnector::to_server(self.network.clone(), "storm");
        while let Some(lasts) = self.storms.recv().await {
            rage(&connector, lasts);
        }
    }
}

/// One storm; returns how many connections it opens.
pub(crate) fn rage(connector: &impl Connect, lasts: Duration) -> usize {
    for number in 0..CONNECTIONS {
        let words = WORDS[number % WORDS.len()];
        tokio::task::spawn_local(gust(connector.clone(), words, lasts));
    }
    CONNECTIONS
}

async fn gust(connector: impl Connect, words: &'static str, lasts: Duration) {
    let connection = async {
        let mut stream = connector.connect().await?;
        stream.write_all(words.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await
    };
    // Whatever comes of it: a refusal, an answer, the server's death.
    let _nobody_cares = tokio::time::timeout(lasts, connection).await;
}
