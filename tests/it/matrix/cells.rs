//! What is promised to any two people, whatever their transports.

use client::{Connect, TransportKind};
use protocol::{ClientEvent, LeftReason};

use super::person::Person;

/// Messages in a burst: more than fit in one packet of anything, fewer than a mailbox holds.
const BURST: usize = 40;

/// Where the two people live, and how they get to the server.
#[derive(Clone)]
pub(super) struct Place<C: Connect> {
    pub(super) connector: C,
    pub(super) host: String,
}

impl<C: Connect> Place<C> {
    async fn arrive(&self, kind: TransportKind) -> Person<C> {
        Person::arrive(kind, &self.connector, &self.host).await
    }

    /// Two people who have met.
    async fn couple(&self, one: TransportKind, other: TransportKind) -> (Person<C>, Person<C>) {
        let mut ann = self.arrive(one).await;
        let mut bob = self.arrive(other).await;
        assert_eq!(ann.meets().await, bob.meets().await, "{one} and {other} meet each other");
        (ann, bob)
    }

    /// Everything that is promised to `one` in the company of `other`.
    pub(super) async fn cell(&self, one: TransportKind, other: TransportKind) {
        self.talk(one, other).await;
        self.leave(one, other).await;
        self.vanish(one, other).await;
        self.resume(one, other).await;
    }

    /// Both talk at once, each in bursts; each hears the other, and the own echo, in order.
    async fn talk(&self, one: TransportKind, other: TransportKind) {
        let (mut ann, mut bob) = self.couple(one, other).await;
        for n in 0..BURST {
            ann.says(&format!("ann-{n}")).await;
            bob.says(&format!("bob-{n}")).await;
        }
        for n in 0..BURST {
            ann.hears(&format!("bob-{n}")).await;
            bob.hears(&format!("ann-{n}")).await;
        }
        ann.is_echoed().await;
        bob.is_echoed().await;
        self.part(ann, bob).await;
    }

    /// One leaves in the middle of what the other says; the other is told, once, and meets the
    /// next one.
    async fn leave(&self, one: TransportKind, other: TransportKind) {
        let (mut ann, mut bob) = self.couple(one, other).await;
        ann.says("goodbye").await;
        ann.does(ClientEvent::Leave).await;
        bob.hears("goodbye").await;
        assert_eq!(bob.is_left().await, LeftReason::Left, "{one} leaves {other}");
        let mut cyd = self.arrive(one).await;
        assert_eq!(bob.meets().await, cyd.meets().await, "{other} goes on with the next one");
        cyd.says("hello").await;
        bob.hears("hello").await;
        self.part(bob, cyd).await;
    }

    /// One is gone without a word; the other is told when it is certain, and meets the next one.
    async fn vanish(&self, one: TransportKind, other: TransportKind) {
        let (mut ann, mut bob) = self.couple(one, other).await;
        ann.says("hello").await;
        bob.hears("hello").await;
        drop(ann);
        assert_eq!(bob.is_left().await, LeftReason::Lost, "{one} is lost to {other}");
        let mut cyd = self.arrive(one).await;
        assert_eq!(bob.meets().await, cyd.meets().await, "the lost one is paired with nobody");
        self.part(bob, cyd).await;
    }

    /// One loses every connection in the middle of a burst and comes back with the cursor: the
    /// conversation goes on, nothing is lost and nothing is doubled. Twice, the second time over
    /// the other's transport.
    async fn resume(&self, one: TransportKind, other: TransportKind) {
        let (mut ann, mut bob) = self.couple(one, other).await;
        for n in 0..BURST {
            bob.says(&format!("bob-{n}")).await;
            if n == BURST / 3 {
                ann.reads_a_little().await;
                ann = ann.comes_back().await;
            }
            if n == BURST / 2 {
                ann = ann.comes_back_over(other).await;
            }
        }
        for n in 0..BURST {
            ann.hears(&format!("bob-{n}")).await;
        }
        ann.says("back").await;
        bob.hears("back").await;
        self.part(ann, bob).await;
    }

    /// Both leave, so that the next scene begins with an empty lobby.
    async fn part(&self, mut first: Person<C>, mut second: Person<C>) {
        first.does(ClientEvent::Leave).await;
        assert_eq!(second.is_left().await, LeftReason::Left);
        second.does(ClientEvent::Leave).await;
        second.is_over().await;
    }
}
