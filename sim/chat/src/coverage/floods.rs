//! An attacker who was answered, while people were there.

use super::State;
use crate::flood::Flood;

pub(super) const STATES: &[State] = &[
    ("an attacker opened sessions", |run| run.was_flooded_by(Flood::Sessions)),
    ("an attacker opened streams", |run| run.was_flooded_by(Flood::Streams)),
    ("an attacker opened WebSockets", |run| run.was_flooded_by(Flood::WebSockets)),
    ("an attacker opened connections of Engine.IO", |run| run.was_flooded_by(Flood::EngineIo)),
    ("an attacker joined the chat over Engine.IO", |run| run.was_flooded_by(Flood::SocketIo)),
    ("an attacker parked requests", |run| run.was_flooded_by(Flood::Parked)),
    ("an attacker asked for other partners", |run| run.was_flooded_by(Flood::Next)),
    ("an attacker said as much as it may, and more", |run| run.was_flooded_by(Flood::Say)),
    ("an attacker acknowledged too often", |run| run.was_flooded_by(Flood::Ack)),
    ("an attacker opened connections and left them", |run| run.was_flooded_by(Flood::Connections)),
    ("an attacker kept half of a request on many connections", |run| {
        run.was_flooded_by(Flood::HalfRequests)
    }),
];
