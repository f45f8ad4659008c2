//! The matrix over the sockets of the operating system.

use client::{TcpConnector, TransportKind};

use super::cells::Place;
use crate::served::serve;

#[tokio::test]
async fn every_transport_with_every_other() {
    let pairs = TransportKind::ALL.map(|one| TransportKind::ALL.map(|other| (one, other)));
    let cells = pairs.into_iter().flatten().map(async |(one, other)| {
        let served = serve(super::server()).await;
        let connector = TcpConnector { target: served.addr, source: None };
        Place { connector, host: served.addr.to_string() }.cell(one, other).await;
    });
    // All at once, each pair of transports with a server of its own.
    futures_util::future::join_all(cells).await;
}
