//! The attacker of a run: a host of its own, from which a flood comes whenever the plan says so.
//!
//! The nemesis stands between the steps and can open nothing; a task on that host does it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::flood::{ATTACKER, Attack};
use crate::medium::MediumConnector;
use crate::net::Network;

/// A flood, and where the connections are counted that it touched.
type Order = (Attack, Arc<AtomicUsize>);

/// Orders floods.
pub(crate) struct Attacker {
    /// None once everything has healed.
    orders: Option<mpsc::UnboundedSender<Order>>,
}

/// Carries them out.
pub(crate) struct Attacks {
    network: Network,
    orders: mpsc::UnboundedReceiver<Order>,
}

impl Attacker {
    pub(crate) fn new(network: Network) -> (Self, Attacks) {
        let (orders, ordered) = mpsc::unbounded_channel();
        (Self { orders: Some(orders) }, Attacks { network, orders: ordered })
    }

    /// Begins a flood; returns the count of the connections that it touches.
    pub(crate) fn begin(&self, attack: Attack) -> Arc<AtomicUsize> {
        let touched = Arc::new(AtomicUsize::new(0));
        if let Some(orders) = &self.orders {
            // Without an attacker nothing is touched, and that is what is counted.
            let _sent = orders.send((attack, Arc::clone(&touched)));
        }
        touched
    }

    /// No flood comes any more, and those that came are over.
    pub(crate) fn stop(&mut self) {
        self.orders = None;
    }
}

impl Attacks {
    /// Carries out what is ordered, until the attacker stops.
    pub(crate) async fn carry_out(mut self) {
        let connector = MediumConnector::simulated(&self.network, ATTACKER);
        let mut floods = JoinSet::new();
        while let Some((attack, touched)) = self.orders.recv().await {
            floods.spawn_local(attack.carry_out(connector.clone(), touched));
        }
        floods.shutdown().await;
    }
}
