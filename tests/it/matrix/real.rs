//! The matrix over the sockets of the operating system.

use client::TcpConnector;

use super::cells::Place;
use super::pairs;
use crate::served::serve;

#[tokio::test]
async fn every_transport_with_every_other() {
    // All at once, each pair of transports with a server of its own.
    let cells = pairs().map(|(one, other)| {
        let cell = tokio::spawn(async move {
            let served = serve(super::server()).await;
            let connector = TcpConnector { target: served.addr, source: None };
            Place { connector, host: served.addr.to_string() }.cell(one, other).await;
        });
        (one, other, cell)
    });
    let mut failed = Vec::new();
    for (one, other, cell) in cells.collect::<Vec<_>>() {
        if let Err(error) = cell.await {
            failed.push(format!("{one} with {other}: {error}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
