//! The text of Engine.IO 4 and Socket.IO 5 packets.
//!
//! It parses and writes frames and never does I/O. A frame is one digit of Engine.IO and, in a
//! message, one digit of Socket.IO, the namespace, an optional number that asks for an
//! acknowledgement, and JSON:
//!
//! ```text
//! 0{"sid":..}  2  3                     open, ping, pong
//! 40/chat,{}   44/chat,{"message":..}   connect, connect error
//! 42/chat,["msg", ..]   42/chat,17["msg", ..]
//! ```
//!
//! The parser crates of the server do not fit: they are the server's side of the protocol, and
//! read neither OPEN nor CONNECT_ERROR, the two packets that a client cannot do without.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use protocol::{ClientEvent, Event, Opened, Refusal};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use crate::{ClientError, Options};

/// The namespace of the chat.
pub(crate) const NAMESPACE: &str = "/chat";

/// Between two frames of one HTTP body.
pub(crate) const SEPARATOR: char = '\x1e';

/// The frames that test a WebSocket before a connection is upgraded to it, and the one that does so.
pub(crate) const PROBE: &str = "2probe";
pub(crate) const PROBE_ANSWER: &str = "3probe";
pub(crate) const UPGRADE: &str = "5";

/// The answer to an Engine.IO ping.
pub(crate) const PONG: &str = "3";

/// One Engine.IO packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// With the session's parameters, as JSON.
    Open(&'a str),
    Close,
    Ping,
    Pong,
    Message(Packet<'a>),
    Noop,
}

/// One Socket.IO packet without binary attachments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) kind: Kind,
    pub(crate) namespace: &'a str,
    /// The number under which the sender wants, or gives, an acknowledgement.
    pub(crate) acknowledgement: Option<u64>,
    /// JSON, or nothing.
    pub(crate) payload: &'a str,
}

/// What a Socket.IO packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
}

impl<'a> Frame<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, ClientError> {
        let (digit, rest) = split_digit(text).ok_or_else(|| wrong("frame", text))?;
        Ok(match digit {
            b'0' => Self::Open(rest),
            b'1' => Self::Close,
            b'2' => Self::Ping,
            b'3' => Self::Pong,
            b'4' => Self::Message(Packet::parse(rest)?),
            b'6' => Self::Noop,
            _ => return Err(wrong("frame", text)),
        })
    }
}

impl<'a> Packet<'a> {
    fn parse(text: &'a str) -> Result<Self, ClientError> {
        let (digit, rest) = split_digit(text).ok_or_else(|| wrong("packet", text))?;
        let kind = match digit {
            b'0' => Kind::Connect,
            b'1' => Kind::Disconnect,
            b'2' => Kind::Event,
            b'3' => Kind::Ack,
            b'4' => Kind::ConnectError,
            _ => return Err(wrong("packet", text)),
        };
        let (namespace, rest) = split_namespace(rest);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, payload) = rest.split_at(digits);
        let acknowledgement = match number {
            "" => None,
            number => Some(number.parse().map_err(|_| wrong("acknowledgement", text))?),
        };
        Ok(Self { kind, namespace, acknowledgement, payload })
    }
}

fn split_digit(text: &str) -> Option<(u8, &str)> {
    let digit = text.bytes().next().filter(u8::is_ascii_digit)?;
    Some((digit, &text[1..]))
}

/// The namespace ends at the first comma, or with the packet; without one it is the main one.
fn split_namespace(text: &str) -> (&str, &str) {
    match text.split_once(',') {
        _ if !text.starts_with('/') => ("/", text),
        Some((namespace, rest)) => (namespace, rest),
        None => (text, ""),
    }
}

fn wrong(what: &str, text: &str) -> ClientError {
    let excerpt: String = text.chars().take(60).collect();
    ClientError::Protocol(format!("not a {what} of Socket.IO: {excerpt:?}"))
}

/// The parameters of an Engine.IO connection; those that a client needs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenParameters {
    /// The name of the connection, which every further request of it says.
    pub(crate) sid: String,
    /// Milliseconds; 32 bits, so that no sum with an instant can overflow.
    ping_interval: u32,
    /// Milliseconds.
    ping_timeout: u32,
}

impl OpenParameters {
    pub(crate) fn parse(json: &str) -> Result<Self, ClientError> {
        serde_json::from_str(json).map_err(|error| ClientError::unreadable("OPEN", &error))
    }

    /// How long nothing may be heard before the server counts as lost.
    pub(crate) fn silence_max(&self) -> Duration {
        Duration::from_millis(u64::from(self.ping_interval) + u64::from(self.ping_timeout))
    }
}

/// The message of a CONNECT_ERROR.
pub(crate) fn connect_error(payload: &str) -> ClientError {
    #[derive(Deserialize)]
    struct Payload {
        message: String,
    }
    match serde_json::from_str::<Payload>(payload) {
        Ok(Payload { message }) => match serde_json::from_str(&message) {
            Ok(problem) => ClientError::Refused(problem),
            Err(_) => ClientError::ConnectError(message),
        },
        Err(error) => ClientError::unreadable("CONNECT_ERROR", &error),
    }
}

/// What the server emits in [`NAMESPACE`].
#[derive(Debug)]
pub(crate) enum Emitted {
    Session(Opened),
    Message(Event),
    Refused(Refusal),
    /// An event of a name that this client does not know.
    Other,
}

impl Emitted {
    pub(crate) fn parse(payload: &str) -> Result<Self, ClientError> {
        serde_json::from_str(payload).map_err(|error| ClientError::unreadable("EVENT", &error))
    }
}

impl<'de> Deserialize<'de> for Emitted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EmittedVisitor)
    }
}

struct EmittedVisitor;

impl<'de> Visitor<'de> for EmittedVisitor {
    type Value = Emitted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of an event's name and its arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Emitted, A::Error> {
        let name: Cow<'de, str> = argument(&mut array)?;
        let emitted = match name.as_ref() {
            "session" => Emitted::Session(argument(&mut array)?),
            "msg" => {
                // The first argument is the sentence for people, the second the event itself.
                let _: IgnoredAny = argument(&mut array)?;
                Emitted::Message(argument(&mut array)?)
            }
            "refused" => Emitted::Refused(argument(&mut array)?),
            _ => Emitted::Other,
        };
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(emitted)
    }
}

fn argument<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(array: &mut A) -> Result<T, A::Error> {
    array.next_element()?.ok_or_else(|| A::Error::custom("an argument is missing"))
}

/// What the answer to a command says against it, if it does.
pub(crate) fn refused_by(payload: &str) -> Result<Option<Refusal>, ClientError> {
    #[derive(Deserialize)]
    struct Answer {
        refused: Option<Refusal>,
    }
    let answer: Result<[Answer; 1], _> = serde_json::from_str(payload);
    let [answer] = answer.map_err(|error| ClientError::unreadable("ACK", &error))?;
    Ok(answer.refused)
}

/// CONNECT to [`NAMESPACE`], for a new session or an old one.
pub(crate) fn connect(options: &Options) -> String {
    let auth = match &options.resume {
        Some(resume) if options.names_cursor => {
            serde_json::json!({ "token": resume.token, "after": resume.after })
        }
        Some(resume) => serde_json::json!({ "token": resume.token }),
        // Who says `after` keeps a cursor and may come back.
        None => serde_json::json!({ "after": 0 }),
    };
    format!("40{NAMESPACE},{auth}")
}

/// One command as an EVENT that wants no answer.
pub(crate) fn command(event: &ClientEvent) -> String {
    numbered_command(event, None)
}

/// The commands of one client, some of which ask for an answer.
pub(crate) struct Commands {
    /// Every so-many-th asks for one; none where this is nothing.
    answer_every: Option<NonZeroU64>,
    count: u64,
}

impl Commands {
    pub(crate) fn new(answer_every: Option<NonZeroU64>) -> Self {
        Self { answer_every, count: 0 }
    }

    /// One command as an EVENT, which asks for an answer where it is the turn of that.
    pub(crate) fn frame(&mut self, event: &ClientEvent) -> String {
        self.count += 1;
        let is_due = self.answer_every.is_some_and(|every| self.count.is_multiple_of(every.get()));
        numbered_command(event, is_due.then_some(self.count))
    }
}

fn numbered_command(event: &ClientEvent, number: Option<u64>) -> String {
    let arguments = match event {
        ClientEvent::Say(say) => serde_json::to_string(&("say", say)),
        ClientEvent::Next { pair: None } => serde_json::to_string(&["next"]),
        ClientEvent::Next { pair } => {
            serde_json::to_string(&("next", serde_json::json!({ "pair": pair })))
        }
        ClientEvent::Leave => serde_json::to_string(&["leave"]),
        ClientEvent::Ack { seq } => {
            serde_json::to_string(&("ack", serde_json::json!({ "seq": seq })))
        }
    };
    let number = number.map_or_else(String::new, |number| number.to_string());
    format!("42{NAMESPACE},{number}{}", arguments.expect("text and numbers are JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(text: &str) -> (Kind, &str, Option<u64>, &str) {
        match Frame::parse(text) {
            Ok(Frame::Message(p)) => (p.kind, p.namespace, p.acknowledgement, p.payload),
            other => panic!("{text} is a message, not {other:?}"),
        }
    }

    #[test]
    fn every_text_packet_of_the_protocol_is_read() {
        assert_eq!(packet("40"), (Kind::Connect, "/", None, ""));
        assert_eq!(packet("40/chat,{\"a\":1}"), (Kind::Connect, "/chat", None, "{\"a\":1}"));
        assert_eq!(packet("41/chat,"), (Kind::Disconnect, "/chat", None, ""));
        assert_eq!(packet("41/chat"), (Kind::Disconnect, "/chat", None, ""));
        assert_eq!(packet("42[\"a,b\"]"), (Kind::Event, "/", None, "[\"a,b\"]"));
        assert_eq!(packet("42/chat,12[\"a\"]"), (Kind::Event, "/chat", Some(12), "[\"a\"]"));
        assert_eq!(packet("4313[]"), (Kind::Ack, "/", Some(13), "[]"));
        assert_eq!(packet("44/chat,{}"), (Kind::ConnectError, "/chat", None, "{}"));
        assert_eq!(Frame::parse("2").expect("a ping"), Frame::Ping);
        assert_eq!(Frame::parse("6").expect("a noop"), Frame::Noop);
    }

    #[test]
    fn text_that_is_no_packet_is_an_error_and_not_a_panic() {
        for text in ["", "x", "é", "4", "4é", "7", "45-[]", "42/chat,99999999999999999999[]"] {
            let outcome = Frame::parse(text);
            assert!(matches!(outcome, Err(ClientError::Protocol(_))), "{text}: {outcome:?}");
        }
    }

    #[test]
    fn events_of_unknown_names_are_passed_over_whatever_they_carry() {
        assert!(matches!(Emitted::parse(r#"["online",1,{"x":[]}]"#), Ok(Emitted::Other)));
        assert!(matches!(Emitted::parse(r#"["msg","a"]"#), Err(ClientError::Protocol(_))));
        assert!(matches!(Emitted::parse("[]"), Err(ClientError::Protocol(_))));
    }

    #[test]
    fn commands_are_written_as_the_official_client_writes_them() {
        let say = r#"{"type":"say","id":"a","text":"\"hi\"","pair":3}"#;
        let say = serde_json::from_str(say).expect("a command");
        assert_eq!(command(&say), r#"42/chat,["say",{"id":"a","text":"\"hi\"","pair":3}]"#);
        assert_eq!(command(&ClientEvent::Next { pair: None }), r#"42/chat,["next"]"#);
        let named = ClientEvent::Next { pair: Some(protocol::PairId(7)) };
        assert_eq!(command(&named), r#"42/chat,["next",{"pair":7}]"#);
        assert_eq!(command(&ClientEvent::Leave), r#"42/chat,["leave"]"#);
        let seq = protocol::Seq(7);
        assert_eq!(command(&ClientEvent::Ack { seq }), r#"42/chat,["ack",{"seq":7}]"#);
    }

    #[test]
    fn every_second_command_asks_for_an_answer_where_that_is_wanted() {
        let mut commands = Commands::new(NonZeroU64::new(2));
        let frames: Vec<_> = (0..4).map(|_| commands.frame(&ClientEvent::Leave)).collect();
        let (bare, second) = (r#"42/chat,["leave"]"#, r#"42/chat,2["leave"]"#);
        assert_eq!(frames, [bare, second, bare, r#"42/chat,4["leave"]"#]);
        assert_eq!(Commands::new(None).frame(&ClientEvent::Leave), bare);
    }

    #[test]
    fn an_answer_says_whether_the_command_was_refused() {
        assert_eq!(refused_by(r#"[{"accepted":true}]"#).expect("an answer"), None);
        let problem = r#"{"type":"/closed","title":"Closed","status":409,"detail":"over"}"#;
        let answer = format!(r#"[{{"refused":{{"id":"a","problem":{problem}}}}}]"#);
        let refusal = refused_by(&answer).expect("an answer").expect("a refusal");
        assert_eq!(refusal.problem.kind, "/closed");
        assert!(matches!(refused_by("[]"), Err(ClientError::Protocol(_))));
    }
}
