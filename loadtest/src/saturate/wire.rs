//! The two wires: what a person says, and what a text frame of the server means to the crowd.
//!
//! Only what the crowd acts on is parsed. Anything that a run may not contain (a partner who
//! leaves, a refused message) ends the run, so the peers need to speak no more than this either.

use std::fmt::{self, Write};
use std::str::FromStr;

use clap::ValueEnum;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// `/api/ws`: one JSON object a text frame.
    Websocket,
    /// `/chat` of Socket.IO, over WebSocket alone.
    Socketio,
}

/// A message's name: the `number`th of `person`, both from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) person: u32,
    pub(super) number: u64,
}

/// What a text frame means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The server waits for this frame.
    Asked(&'static str),
    /// A partner was found.
    Paired(u64),
    /// One's own message, accepted.
    Echo(Id),
    /// The partner's message.
    Relay(Id),
    /// Nothing that matters here.
    Other,
}

/// The fields of an event that somebody acts on.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    from: Option<&'a str>,
    id: Option<&'a str>,
    pair: Option<u64>,
}

impl Wire {
    /// As it is called on the command line and in figures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Socketio => "socketio",
        }
    }

    /// What to upgrade.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Websocket => "/api/ws",
            Self::Socketio => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// Writes the frame that says `words`, which must need no escaping, into `text`.
    pub(super) fn say(self, text: &mut String, id: Id, pair: u64, words: &str) {
        text.clear();
        let written = match self {
            Self::Websocket => {
                write!(text, r#"{{"type":"say","id":"{id}","text":"{words}","pair":{pair}}}"#)
            }
            Self::Socketio => {
                write!(text, r#"42/chat,["say",{{"id":"{id}","text":"{words}","pair":{pair}}}]"#)
            }
        };
        written.expect("a string takes what it is given");
    }

    /// What a frame means, or why it may not be in a run.
    pub(super) fn hear(self, text: &str) -> Result<Heard, String> {
        match self {
            Self::Websocket => event(parse(text)?, text),
            Self::Socketio => packet(text),
        }
    }
}

/// One Engine.IO packet with, where it is a message, one Socket.IO packet in it.
fn packet(text: &str) -> Result<Heard, String> {
    if let Some(arguments) = text.strip_prefix("42/chat,") {
        if arguments.starts_with(r#"["msg","#) {
            let (_, _, heard): (IgnoredAny, IgnoredAny, Event<'_>) = parse(arguments)?;
            return event(heard, text);
        }
        let expected = arguments.starts_with(r#"["session","#);
        return if expected { Ok(Heard::Other) } else { Err(unwanted(text)) };
    }
    match text.as_bytes() {
        [b'0', ..] => Ok(Heard::Asked("40/chat,")),
        [b'2'] => Ok(Heard::Asked("3")),
        [b'4', b'0', ..] => Ok(Heard::Other),
        _ => Err(unwanted(text)),
    }
}

fn event(event: Event<'_>, text: &str) -> Result<Heard, String> {
    match event {
        Event { kind: "message", from: Some("me"), id: Some(id), .. } => {
            Ok(Heard::Echo(id.parse()?))
        }
        Event { kind: "message", from: Some("partner"), id: Some(id), .. } => {
            Ok(Heard::Relay(id.parse()?))
        }
        Event { kind: "paired", pair: Some(pair), .. } => Ok(Heard::Paired(pair)),
        Event { kind: "opened" | "welcome" | "waiting" | "notice" | "lagged", .. } => {
            Ok(Heard::Other)
        }
        _ => Err(unwanted(text)),
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{error} in {text:.200}"))
}

fn unwanted(text: &str) -> String {
    format!("nobody expected {text:.200}")
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.person, self.number)
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let foreign = || format!("the message {text:.80} is not of this run");
        let (person, number) = text.split_once('-').ok_or_else(foreign)?;
        let person = person.parse().map_err(|_| foreign())?;
        let number = number.parse().map_err(|_| foreign())?;
        Ok(Self { person, number })
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ClientEvent, Event, MessageId, PairId, Seq, ServerEvent, Speaker};

    use super::*;

    const ID: Id = Id { person: 7, number: 12 };

    /// A frame of each wire that brings `body`.
    fn frames(body: ServerEvent) -> [(Wire, String); 2] {
        let event = Event { seq: Seq(3), at: "2025-01-01T00:00:00.000Z".into(), body };
        let event = serde_json::to_string(&event).expect("the wire is plain data");
        let packet = format!(r#"42/chat,["msg","[나]안녕, \"you\"",{event}]"#);
        [(Wire::Websocket, event), (Wire::Socketio, packet)]
    }

    fn message(from: Speaker) -> ServerEvent {
        let id: MessageId = ID.to_string().parse().expect("a short id");
        ServerEvent::Message { from, id, text: "say \"hi\"".into() }
    }

    #[test]
    fn the_server_understands_what_is_said() {
        let mut text = String::new();
        for (wire, before, after) in
            [(Wire::Websocket, "", ""), (Wire::Socketio, r#"42/chat,["say","#, "]")]
        {
            wire.say(&mut text, ID, 99, "hello");
            let object = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            let mut object: serde_json::Value =
                serde_json::from_str(object.expect("framed so")).expect("an object");
            object["type"] = "say".into();
            let event: ClientEvent = serde_json::from_value(object).expect("the server's own type");
            let ClientEvent::Say(say) = event else { panic!("{event:?}") };
            assert_eq!(say.id.as_str().parse(), Ok(ID));
            assert_eq!((say.pair, &*say.text), (Some(PairId(99)), "hello"));
        }
    }

    #[test]
    fn the_server_is_understood() {
        for (wire, text) in frames(message(Speaker::Me)) {
            assert_eq!(wire.hear(&text), Ok(Heard::Echo(ID)));
        }
        for (wire, text) in frames(message(Speaker::Partner)) {
            assert_eq!(wire.hear(&text), Ok(Heard::Relay(ID)));
        }
        for (wire, text) in frames(ServerEvent::Paired { pair: PairId(9) }) {
            assert_eq!(wire.hear(&text), Ok(Heard::Paired(9)));
        }
        for (wire, text) in frames(ServerEvent::Notice { online: 4 }) {
            assert_eq!(wire.hear(&text), Ok(Heard::Other));
        }
    }

    #[test]
    fn engine_io_is_answered() {
        assert_eq!(Wire::Socketio.hear(r#"0{"sid":"x"}"#), Ok(Heard::Asked("40/chat,")));
        assert_eq!(Wire::Socketio.hear("2"), Ok(Heard::Asked("3")));
        assert_eq!(Wire::Socketio.hear(r#"40/chat,{"sid":"x"}"#), Ok(Heard::Other));
        assert_eq!(Wire::Socketio.hear(r#"42/chat,["session",{}]"#), Ok(Heard::Other));
    }

    #[test]
    fn what_a_run_may_not_contain_ends_it() {
        let refused = r#"{"type":"refused","id":"7-12","problem":{}}"#;
        assert!(Wire::Websocket.hear(refused).is_err());
        assert!(Wire::Websocket.hear(r#"{"type":"partner_left","reason":"lost"}"#).is_err());
        for text in [r#"42/chat,["refused",{}]"#, "41/chat,", r#"44/chat,{"message":"no"}"#, "1"] {
            assert!(Wire::Socketio.hear(text).is_err(), "{text}");
        }
        let foreign = r#"{"type":"message","from":"me","id":"abc","text":""}"#;
        let error = Wire::Websocket.hear(foreign).expect_err("nobody said this");
        assert_eq!(error, "the message abc is not of this run");
    }
}
