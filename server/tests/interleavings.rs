//! Every interleaving of threads in which somebody waits for a mailbox while it grows, while another
//! reader takes over, while the one before lets go.
//!
//! The simulation has one thread, and cannot see these. Here the very source of the hub's signal is
//! compiled once more, with loom's atomics and locks in place of the standard library's, and loom
//! runs it in every order that the memory model allows. A wake-up that is lost in any of them
//! leaves a thread waiting for ever, which loom reports as a deadlock. Nothing here knows of events
//! or sessions.

use std::task::Waker;

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;
use protocol::Seq;

use crate::core::ReaderId;
use crate::signal::Signal;

/// As the crate that the signal's source belongs to.
mod core {
    pub(crate) use server::core::ReaderId;
}

/// What the signal is made of.
mod primitives {
    pub(crate) use loom::sync::atomic::AtomicU64;
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

#[path = "../src/hub/signal.rs"]
mod signal;

const FIRST: ReaderId = ReaderId(1);
const SECOND: ReaderId = ReaderId(2);
/// Switches of threads that nothing forces, in one order of events: more than three make no
/// difference to what two or three threads of a few steps do to each other (Musuvathi and Qadeer,
/// "Iterative Context Bounding", 2007), and take hours.
const PREEMPTIONS_MAX: usize = 3;

/// How reading came to its end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    News,
    Superseded,
}

fn every_order(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.check(body);
}

/// A signal that the first reader has, as after an attach.
fn read_by_first() -> Arc<Signal> {
    let signal = Arc::new(Signal::default());
    assert!(signal.hand_over(FIRST).is_none(), "nobody waited");
    signal
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Reads as the hub's reader does: looks, and waits where there is nothing.
fn receive(signal: &Signal, reader: ReaderId) -> End {
    block_on(async {
        loop {
            if !signal.is_read_by(reader) {
                return End::Superseded;
            }
            if !signal.is_at(Seq(0)) {
                return End::News;
            }
            signal.past(Seq(0), reader).await;
        }
    })
}

#[test]
fn what_is_told_while_a_reader_goes_to_sleep_wakes_it() {
    every_order(|| {
        let signal = read_by_first();
        let teller = Arc::clone(&signal);
        let telling = thread::spawn(move || wake(teller.raise(Seq(1))));
        assert_eq!(receive(&signal, FIRST), End::News);
        telling.join().expect("telling does not panic");
    });
}

#[test]
fn a_session_that_ends_while_its_reader_goes_to_sleep_wakes_it() {
    every_order(|| {
        let signal = read_by_first();
        let ender = Arc::clone(&signal);
        let ending = thread::spawn(move || wake(ender.end()));
        assert_eq!(receive(&signal, FIRST), End::News);
        ending.join().expect("ending does not panic");
    });
}

#[test]
fn a_poll_that_is_replaced_while_it_goes_to_sleep_returns() {
    every_order(|| {
        let signal = read_by_first();
        let second = Arc::clone(&signal);
        let replacing = thread::spawn(move || wake(second.hand_over(SECOND)));
        assert_eq!(receive(&signal, FIRST), End::Superseded);
        replacing.join().expect("replacing does not panic");
    });
}

#[test]
fn the_second_poll_hears_what_is_told_while_it_replaces_the_first() {
    every_order(|| {
        let signal = read_by_first();
        let (second, teller) = (Arc::clone(&signal), Arc::clone(&signal));
        let replacing = thread::spawn(move || {
            wake(second.hand_over(SECOND));
            assert_eq!(receive(&second, SECOND), End::News);
        });
        let telling = thread::spawn(move || wake(teller.raise(Seq(1))));
        // Whichever came first, the first one does not wait any more.
        receive(&signal, FIRST);
        replacing.join().expect("the second poll does not panic");
        telling.join().expect("telling does not panic");
    });
}

#[test]
fn a_reader_that_lets_go_does_not_take_the_wake_up_of_the_one_that_came_after_it() {
    every_order(|| {
        let signal = read_by_first();
        let (second, first) = (Arc::clone(&signal), Arc::clone(&signal));
        let replacing = thread::spawn(move || {
            wake(second.hand_over(SECOND));
            assert_eq!(receive(&second, SECOND), End::News);
        });
        // A connection that is cut at any moment, before or after somebody has taken over.
        let leaving = thread::spawn(move || first.let_go(FIRST));
        wake(signal.raise(Seq(1)));
        replacing.join().expect("the second reader does not panic");
        leaving.join().expect("letting go does not panic");
    });
}

#[test]
fn what_a_connection_says_itself_is_heard_by_the_reader_that_takes_over_meanwhile() {
    every_order(|| {
        let signal = read_by_first();
        // The hub asks who reads, raises and hands over under its one lock.
        let hub = Arc::new(loom::sync::Mutex::new(()));
        let (second, its_hub) = (Arc::clone(&signal), Arc::clone(&hub));
        let replacing = thread::spawn(move || {
            let replaced = {
                let _hub = its_hub.lock().expect("nobody panics");
                second.hand_over(SECOND)
            };
            wake(replaced);
            assert_eq!(receive(&second, SECOND), End::News);
        });
        let told = {
            let _hub = hub.lock().expect("nobody panics");
            if signal.is_read_by(FIRST) {
                signal.raise_quietly(Seq(1));
                None
            } else {
                signal.raise(Seq(1))
            }
        };
        wake(told);
        replacing.join().expect("the second reader does not panic");
    });
}
