//! Tasks that faults start on simulated hosts.
//!
//! The nemesis acts between two steps, outside of every host, where no connection can be opened. An agent is a
//! task on a host that starts what it is handed.

use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Starts tasks on the agent's host; those in the set end when the agent stops.
type Order = Box<dyn FnOnce(&mut JoinSet<()>)>;

/// Hands work to an agent.
pub(crate) struct Agent {
    /// None once it is stopped.
    orders: Option<mpsc::UnboundedSender<Order>>,
}

/// What runs on the host.
pub(crate) struct AgentTask {
    orders: mpsc::UnboundedReceiver<Order>,
}

/// An agent and its task.
pub(crate) fn agent() -> (Agent, AgentTask) {
    let (orders, ordered) = mpsc::unbounded_channel();
    (Agent { orders: Some(orders) }, AgentTask { orders: ordered })
}

impl Agent {
    /// Hands an order to the task; false if it does not run.
    pub(crate) fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }

    /// No order comes any more, and the tasks in the set are aborted.
    pub(crate) fn stop(&mut self) {
        self.orders = None;
    }
}

impl AgentTask {
    /// Carries out orders until the agent stops.
    pub(crate) async fn run(mut self) {
        let mut tasks = JoinSet::new();
        while let Some(order) = self.orders.recv().await {
            order(&mut tasks);
        }
        tasks.shutdown().await;
    }
}
