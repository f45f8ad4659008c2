//! What the nemesis can do to connections.
//!
//! All of it is done to the wires between the ends, between two steps of the simulation. A fault
//! of one person's connections is named by their owner; nothing here draws chance. Where the owners are
//! known beforehand, as in a testbed, each of these panics if nobody has the name.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::wire::{Fate, Wire};
use super::{Conditions, Network, Side, lock};
use crate::determinism;

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// As by RST: reads and writes of both ends fail at once with
    /// `ConnectionReset`, and bytes in flight are lost.
    Reset,
    /// As by FIN: the client's half is shut down behind what it has written;
    /// the server reads to the end, and what it still writes arrives.
    Finish,
}

/// What the client's end of a connection runs into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// Half of its next write goes out, then the client is gone.
    Asking,
    /// Half of what it reads next comes in, then the client is gone.
    Answered,
}

/// How marked connections are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakage {
    /// Neither end is told.
    pub is_silent: bool,
    /// Writes of the client before the connection breaks, the marked one included.
    pub writes_min: usize,
}

impl Network {
    /// Cuts every live connection of `owner`; returns how many there were.
    #[track_caller]
    pub(crate) fn cut(&self, owner: &str, manner: Cut) -> usize {
        self.expect_owner(owner);
        self.cut_where(manner, |_, wire| wire.is_live() && wire.is_owned_by(owner))
    }

    /// Cuts every live connection of `owner` on which nothing has moved for so long, as a proxy
    /// does; returns how many there were.
    pub(crate) fn cut_idle(&self, owner: &str, now: Duration, quiet_min: Duration) -> usize {
        self.cut_where(Cut::Finish, |_, wire| {
            wire.is_live() && wire.is_owned_by(owner) && now - wire.moved_at >= quiet_min
        })
    }

    /// Runs `act`, which kills a process or a whole world and drops the streams in it; returns
    /// how many connections were live before.
    ///
    /// Every connection whose server's end is open is reset first, in order; what a server wrote
    /// before it closed its end still arrives. What `act` drops leaves no trace and sends no
    /// packet: the runtime of a dying process drops its tasks in an order that follows from a
    /// counter of tasks which all runs of this program share, and so is no function of the seed.
    pub(crate) fn crash(&self, act: impl FnOnce()) -> usize {
        let is_live = |wire: &Wire| wire.is_live() && wire.is_served();
        let count = self.apply(|_, wire| is_live(wire), |wire| wire.fate = Fate::Reset);
        self.bury(act);
        count
    }

    /// As [`Network::crash`], for one server of several.
    pub(crate) fn crash_server(&self, server: IpAddr, act: impl FnOnce()) -> usize {
        let chosen = |wire: &Wire| wire.is_live() && wire.is_served_by(server);
        let count = self.apply(|_, wire| chosen(wire), |wire| wire.fate = Fate::Reset);
        self.bury(act);
        count
    }

    /// The machine of a server loses its power: nobody is told. Returns how many connections were
    /// live before; [`Network::recover_lost`] is what its return is like.
    pub(crate) fn black_out(&self, server: IpAddr, act: impl FnOnce()) -> usize {
        let chosen = |wire: &Wire| wire.is_live() && wire.is_served_by(server);
        let count = self.apply(|_, wire| chosen(wire), Wire::lose);
        self.bury(act);
        count
    }

    /// Runs `act`; streams that it drops send nothing and leave no trace.
    fn bury(&self, act: impl FnOnce()) {
        determinism::finish_blocking();
        *lock(&self.crashed) = Some(Vec::new());
        act();
        // Outside of a host, where turmoil sends nothing on behalf of a dropped stream.
        drop(lock(&self.crashed).take());
    }

    /// From now on, nothing arrives on any live connection of `owner`, and neither end is told;
    /// returns how many there were.
    #[track_caller]
    pub fn lose(&self, owner: &str) -> usize {
        self.expect_owner(owner);
        self.apply(|_, wire| wire.is_live() && wire.is_owned_by(owner), Wire::lose)
    }

    /// Breaks the live connections of `owner` on which the client has written the mark of the network;
    /// returns how many.
    pub fn break_marked(&self, owner: &str, breakage: Breakage) -> usize {
        let chosen = |wire: &Wire| {
            let is_due = wire.marked_writes >= breakage.writes_min;
            is_due && wire.is_live() && wire.is_owned_by(owner)
        };
        let act = |wire: &mut Wire| match breakage.is_silent {
            true => wire.lose(),
            false => wire.fate = Fate::Reset,
        };
        self.apply(|_, wire| chosen(wire), act)
    }

    /// The client of every live connection of `owner` is gone, and the server is not told; returns
    /// how many there were.
    #[track_caller]
    pub(crate) fn half_open(&self, owner: &str) -> usize {
        self.expect_owner(owner);
        let chosen = |wire: &Wire| wire.is_live() && wire.is_owned_by(owner);
        self.apply(
            |_, wire| chosen(wire),
            |wire| {
                wire.lose();
                wire.break_end(Side::Client);
            },
        )
    }

    /// The way is open again on which connections were lost, and the other side does not know them
    /// any more: who has something under way, or writes, is reset; who only listens hears nothing.
    pub fn recover_lost(&self, is_chosen: impl Fn(Option<&str>) -> bool) {
        let chosen = |wire: &Wire| wire.fate == Fate::Lost && is_chosen(wire.owner.as_deref());
        self.apply(|_, wire| chosen(wire), |wire| wire.fate = Fate::Forgotten);
    }

    /// What `side` of the connections of `owner` sends does not arrive until [`Network::heal_one_way`];
    /// returns how many live connections there were.
    #[track_caller]
    pub(crate) fn partition_one_way(&self, owner: &str, side: Side) -> usize {
        self.expect_owner(owner);
        lock(&self.conditions).blocked.entry(owner.to_owned()).or_default()[side as usize] = true;
        let chosen = |wire: &Wire| wire.is_live() && wire.is_owned_by(owner);
        self.apply(|_, wire| chosen(wire), |wire| wire.block(side))
    }

    /// What was sent meanwhile arrives after all, as TCP sends it again.
    #[track_caller]
    pub(crate) fn heal_one_way(&self, owner: &str, side: Side) {
        self.expect_owner(owner);
        self.change_conditions(|conditions| {
            if let Some(blocked) = conditions.blocked.get_mut(owner) {
                blocked[side as usize] = false;
            }
        });
        self.apply(|_, wire| wire.is_owned_by(owner), |wire| wire.unblock(side));
    }

    /// The client's program reads nothing from the live connections of `owner`; returns how many
    /// there were.
    #[track_caller]
    pub fn stall(&self, owner: &str) -> usize {
        self.expect_owner(owner);
        let chosen = |wire: &Wire| wire.is_live() && wire.is_owned_by(owner);
        self.apply(|_, wire| chosen(wire), |wire| wire.is_stalled = true)
    }

    /// It reads again; returns on how many connections something had come in meanwhile.
    #[track_caller]
    pub fn resume_reads(&self, owner: &str) -> usize {
        self.expect_owner(owner);
        let mut waiting = 0;
        self.apply(
            |_, wire| wire.is_stalled && wire.is_owned_by(owner),
            |wire| {
                wire.is_stalled = false;
                waiting += usize::from(wire.is_waited_for(Side::Client));
            },
        );
        waiting
    }

    /// The program at the client's end of the live connections of `owner` hangs for good, while its
    /// system goes on taking what comes in: what it drops stays open, and nobody reads it. Returns how
    /// many there were.
    pub fn hang(&self, owner: &str) -> usize {
        let chosen = |wire: &Wire| wire.is_live() && wire.is_owned_by(owner);
        self.apply(|_, wire| chosen(wire), |wire| wire.is_hung = true)
    }

    /// Sets a trap on every live connection of `owner`, and on new ones until one was sprung; the counter tells how many
    /// were.
    pub fn trap(&self, owner: &str, trap: Trap) -> Arc<AtomicUsize> {
        let sprung = Arc::new(AtomicUsize::new(0));
        let chosen = |wire: &Wire| wire.is_live() && wire.is_owned_by(owner);
        let set = |wire: &mut Wire| wire.trap = Some((trap, Arc::clone(&sprung)));
        self.apply(|_, wire| chosen(wire), set);
        lock(&self.conditions).traps.insert(owner.to_owned(), (trap, Arc::clone(&sprung)));
        sprung
    }

    /// Takes the traps of `owner` away.
    pub(crate) fn untrap(&self, owner: &str) {
        lock(&self.conditions).traps.remove(owner);
        self.apply(|_, wire| wire.is_owned_by(owner), |wire| wire.trap = None);
    }

    /// The processes at these addresses stand still, while their kernels go on accepting connections and bytes, as by
    /// SIGSTOP; their timers run. Returns how many connections they had.
    pub(crate) fn freeze(&self, servers: &[IpAddr]) -> usize {
        lock(&self.conditions).frozen.extend(servers);
        let chosen = |wire: &Wire| wire.is_served() && wire.is_of(servers);
        self.apply(|_, wire| chosen(wire), |wire| wire.is_frozen = true)
    }

    /// They go on.
    pub(crate) fn thaw(&self, servers: &[IpAddr]) {
        self.change_conditions(|conditions| {
            conditions.frozen.retain(|server| !servers.contains(server))
        });
        self.apply(|_, wire| wire.is_frozen && wire.is_of(servers), |wire| wire.is_frozen = false);
    }

    /// New connections to a server go to this host from now on.
    pub(crate) fn redirect(&self, server: &str, host: &str) {
        lock(&self.conditions).redirects.insert(server.to_owned(), host.to_owned());
    }

    /// Gives up, in the name of the server's system, connections on which something has been
    /// under way for longer than `user_timeout` (RFC 5482).
    pub(crate) fn give_up_unacknowledged(&self, now: Duration, user_timeout: Duration) {
        let is_late = |wire: &Wire| {
            wire.unsent_since(Side::Server).is_some_and(|since| now - since >= user_timeout)
        };
        self.apply(|_, wire| is_late(wire), |wire| wire.break_end(Side::Server));
    }

    /// On how many live connections of clients on that host something has moved since then.
    pub(crate) fn moved_since(&self, client: IpAddr, since: Duration) -> usize {
        let wires = self.snapshot();
        let moved = wires.iter().filter(|(address, wire)| {
            let wire = lock(wire);
            address.ip() == client && wire.is_live() && wire.moved_at > since
        });
        moved.count()
    }

    /// How many live connections there are, whoever owns them.
    pub(crate) fn live_connections(&self) -> usize {
        self.snapshot().iter().filter(|(_, wire)| lock(wire).is_live()).count()
    }

    pub(super) fn note_sprung(sprung: &AtomicUsize) {
        sprung.fetch_add(1, Ordering::Relaxed);
    }

    fn cut_where(
        &self,
        manner: Cut,
        chosen: impl FnMut(&std::net::SocketAddr, &Wire) -> bool,
    ) -> usize {
        let fate = match manner {
            Cut::Reset => Fate::Reset,
            Cut::Finish => Fate::Finish,
        };
        self.apply(chosen, |wire| wire.decide(fate))
    }

    fn change_conditions(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut lock(&self.conditions));
        self.conditions_changed.notify_waiters();
    }
}
