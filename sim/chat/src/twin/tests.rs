//! That a loopback connection can be broken as a simulated one can, and that a plan becomes one
//! that this machine allows.

use std::sync::atomic::Ordering;
use std::time::Duration;

use client::Connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::loopback::{Loopback, LoopbackStream};
use super::possible;
use crate::generate;
use crate::net::{Cut, Trap};
use crate::options::Options;
use crate::plan::Action::{Hang, PowerCut, Vanish};
use crate::plan::{FaultKind, Plan};

/// A connection of ann's, and its other end.
async fn connection() -> (Loopback, LoopbackStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let loopback = Loopback::default();
    loopback.redirect(listener.local_addr().expect("it is bound"));
    let connector = loopback.connector("ann", 1);
    let (ours, theirs) = tokio::join!(connector.connect(), listener.accept());
    let (theirs, from) = theirs.expect("somebody connects");
    assert_eq!(from.ip().to_string(), "127.0.0.3", "each host has an address of its own");
    (loopback, ours.expect("somebody listens"), theirs)
}

#[tokio::test]
async fn a_reset_is_felt_by_both_ends_and_by_nobody_else() {
    let (loopback, mut ours, mut theirs) = connection().await;
    assert_eq!(loopback.cut("bob", Cut::Reset), 0);
    assert_eq!(loopback.cut("ann", Cut::Reset), 1);
    for error in [
        ours.read_u8().await.expect_err("it is cut"),
        ours.write_u8(1).await.expect_err("it is cut"),
        theirs.read_u8().await.expect_err("it is cut"),
    ] {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!(loopback.live_connections(), 0);
}

#[tokio::test]
async fn whoever_waits_to_read_is_woken_by_a_reset() {
    let (loopback, mut ours, _theirs) = connection().await;
    let cut = async {
        tokio::task::yield_now().await;
        loopback.cut("ann", Cut::Reset)
    };
    let (read, count) = tokio::join!(ours.read_u8(), cut);
    assert!(read.is_err() && count == 1);
}

#[tokio::test]
async fn a_finish_ends_what_is_written_and_lets_the_answer_through() {
    let (loopback, mut ours, mut theirs) = connection().await;
    ours.write_all(b"ask").await.expect("it stands");
    assert_eq!(loopback.cut("ann", Cut::Finish), 1);
    let mut asked = String::new();
    theirs.read_to_string(&mut asked).await.expect("it ends well");
    theirs.write_all(b"told").await.expect("the other half stands");
    let mut told = [0; 4];
    ours.read_exact(&mut told).await.expect("it arrives");
    assert_eq!((asked.as_str(), &told), ("ask", b"told"));
}

#[tokio::test]
async fn a_slow_reader_reads_what_has_come_in_when_it_goes_on() {
    let (loopback, mut ours, mut theirs) = connection().await;
    assert_eq!(loopback.stall("ann"), 1);
    theirs.write_all(b"x").await.expect("it stands");
    let early = tokio::time::timeout(Duration::from_millis(50), ours.read_u8()).await;
    assert!(early.is_err(), "it reads nothing");
    assert_eq!(loopback.resume_reads("ann"), 1);
    assert_eq!(ours.read_u8().await.expect("it is there"), b'x');
}

#[tokio::test]
async fn half_of_a_request_goes_out_before_the_client_is_gone() {
    let (loopback, mut ours, mut theirs) = connection().await;
    let sprung = loopback.trap("ann", Trap::Asking);
    assert!(ours.write_all(b"question").await.is_err());
    let mut asked = String::new();
    theirs.read_to_string(&mut asked).await.expect("it ends");
    assert_eq!((asked.as_str(), sprung.load(Ordering::Relaxed)), ("ques", 1));
}

#[tokio::test]
async fn half_of_an_answer_comes_in_before_the_client_is_gone() {
    let (loopback, mut ours, mut theirs) = connection().await;
    let sprung = loopback.trap("ann", Trap::Answered);
    theirs.write_all(b"answer").await.expect("it stands");
    let mut answer = [0; 6];
    assert_eq!(ours.read(&mut answer).await.expect("half of it"), 3);
    assert!(ours.read(&mut answer).await.is_err());
    assert_eq!(sprung.load(Ordering::Relaxed), 1);
}

#[test]
fn what_a_loopback_cannot_do_is_left_out_and_counted() {
    let all = (0..20).map(|seed| generate::plan(seed, &Options::default()));
    for plan in all {
        let (possible, left_out) = possible(&plan);
        let count = left_out.values().sum::<u64>() as usize + possible.faults.len();
        assert_eq!(count, plan.faults.len());
        assert!(possible.clients == plan.clients, "seed {}", plan.seed);
        let acts = |plan: &Plan| plan.steps.iter().map(|step| step.action).collect::<Vec<_>>();
        let vanishing = |action| if matches!(action, PowerCut | Hang) { Vanish } else { action };
        let expected: Vec<_> = acts(&plan).into_iter().map(vanishing).collect();
        assert!(acts(&possible) == expected, "seed {}", plan.seed);
        assert!(possible.faults.iter().all(|fault| !left_out.contains_key(&fault.kind)));
        assert!(!left_out.contains_key(&FaultKind::Crash.into()));
        assert!(possible.settings.settle_ms > plan.settings.settle_ms);
    }
}
