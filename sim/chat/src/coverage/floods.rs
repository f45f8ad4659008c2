//! An attacker who was answered, while people were there.

use super::State;
use crate::plan::FaultKind;

pub(super) const STATES: &[State] = &[
    ("an attacker opened sessions", |run| run.was_struck_by(FaultKind::FloodSessions)),
    ("an attacker opened streams", |run| run.was_struck_by(FaultKind::FloodStreams)),
    ("an attacker opened WebSockets", |run| run.was_struck_by(FaultKind::FloodWebSockets)),
    ("an attacker opened connections of Engine.IO", |run| {
        run.was_struck_by(FaultKind::FloodEngineIo)
    }),
    ("an attacker joined the chat over Engine.IO", |run| {
        run.was_struck_by(FaultKind::FloodSocketIo)
    }),
    ("an attacker parked requests", |run| run.was_struck_by(FaultKind::FloodParked)),
    ("an attacker asked for other partners", |run| run.was_struck_by(FaultKind::FloodNext)),
    ("an attacker said as much as it may, and more", |run| run.was_struck_by(FaultKind::FloodSay)),
    ("an attacker acknowledged too often", |run| run.was_struck_by(FaultKind::FloodAck)),
    ("an attacker opened connections and left them", |run| {
        run.was_struck_by(FaultKind::FloodConnections)
    }),
    ("an attacker kept half of a request on many connections", |run| {
        run.was_struck_by(FaultKind::FloodHalfRequests)
    }),
];
