//! A real connection can be broken as a simulated one can.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::net::{Cut, SimConnector, SimStream, Trap};

/// A connection of ann's, and its other end.
async fn connection() -> (Network, SimStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let source = Ipv4Addr::new(127, 0, 0, 3);
    let network = Network::real([("ann".to_owned(), source)].into());
    network.serve_at("server", listener.local_addr().ok());
    let connector = SimConnector::new(network.clone(), ("server".to_owned(), 80), "ann");
    let (ours, theirs) = tokio::join!(connector.connect(), listener.accept());
    let (theirs, from) = theirs.expect("a client connects");
    assert_eq!(from.ip(), source, "each host has an address of its own");
    (network, ours.expect("the server listens"), theirs)
}

#[tokio::test]
async fn server_without_an_address_refuses_connections() {
    let network = Network::real(BTreeMap::new());
    let connector = SimConnector::new(network, ("server".to_owned(), 80), "ann");
    let error = connector.connect().await.err().expect("no server listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn reset_breaks_both_ends_of_one_owner_only() {
    let (network, mut ours, mut theirs) = connection().await;
    assert_eq!(network.cut("bob", Cut::Reset), 0);
    assert_eq!(network.cut("ann", Cut::Reset), 1);
    for error in [
        ours.read_u8().await.expect_err("it is cut"),
        ours.write_u8(1).await.expect_err("it is cut"),
        theirs.read_u8().await.expect_err("it is cut"),
    ] {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(network.live_connections(), 0);
}

#[tokio::test]
async fn reset_wakes_a_pending_read() {
    let (network, mut ours, _theirs) = connection().await;
    let cut = async {
        tokio::task::yield_now().await;
        network.cut("ann", Cut::Reset)
    };
    let (read, count) = tokio::join!(ours.read_u8(), cut);
    assert!(read.is_err() && count == 1);
}

#[tokio::test]
async fn finish_shuts_down_one_half() {
    let (network, mut ours, mut theirs) = connection().await;
    ours.write_all(b"ask").await.expect("it stands");
    assert_eq!(network.cut("ann", Cut::Finish), 1);
    let mut asked = String::new();
    theirs.read_to_string(&mut asked).await.expect("it ends well");
    theirs.write_all(b"told").await.expect("the other half stands");
    let mut told = [0; 4];
    ours.read_exact(&mut told).await.expect("it arrives");
    assert_eq!((asked.as_str(), &told), ("ask", b"told"));
}

#[tokio::test]
async fn slow_reader_reads_later_what_arrived() {
    let (network, mut ours, mut theirs) = connection().await;
    assert_eq!(network.stall("ann"), 1);
    theirs.write_all(b"x").await.expect("it stands");
    let early = tokio::time::timeout(Duration::from_millis(50), ours.read_u8()).await;
    assert!(early.is_err(), "it reads nothing");
    assert_eq!(network.resume_reads("ann"), 1);
    assert_eq!(ours.read_u8().await.expect("it is there"), b'x');
}

#[tokio::test]
async fn aborted_request_is_half_sent() {
    let (network, mut ours, mut theirs) = connection().await;
    let sprung = network.trap("ann", Trap::Asking);
    assert!(ours.write_all(b"question").await.is_err());
    let mut asked = String::new();
    theirs.read_to_string(&mut asked).await.expect("it ends");
    assert_eq!((asked.as_str(), sprung.load(Ordering::Relaxed)), ("ques", 1));
}

#[tokio::test]
async fn aborted_answer_is_half_received() {
    let (network, mut ours, mut theirs) = connection().await;
    let sprung = network.trap("ann", Trap::Answered);
    theirs.write_all(b"answer").await.expect("it stands");
    let mut answer = [0; 6];
    assert_eq!(ours.read(&mut answer).await.expect("half of it"), 3);
    assert!(ours.read(&mut answer).await.is_err());
    assert_eq!(sprung.load(Ordering::Relaxed), 1);
}
