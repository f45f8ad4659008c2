//! What the packets of Socket.IO bring, whatever carries them, and what is owed for it.
//!
//! It reads and writes nothing: a carrier gives it frames, and sends what is owed when it can.

use protocol::{ClientEvent, Opened, Problem, Seq, ServerEvent};

use crate::cursor::Cursor;
use crate::packet::{self, Emitted, Frame, Kind, NAMESPACE, Packet};
use crate::{ClientError, Received};

/// One session, read over Socket.IO.
pub(crate) struct Reading {
    cursor: Cursor,
    acknowledged: Seq,
    /// How many events are received before they are acknowledged.
    acknowledge_every: u64,
    /// The last event of the session has come.
    over: bool,
    pub(crate) owed: Owed,
}

/// What a client has to send because of what it has read.
#[derive(Default)]
pub(crate) struct Owed {
    pong: bool,
    acknowledgement: Option<Seq>,
}

impl Reading {
    /// Reads on behind `seq`; the opening already owes something.
    pub(crate) fn owing(seq: Seq, acknowledge_every: u64, owed: Owed) -> Self {
        let cursor = Cursor::after(seq);
        Self { cursor, acknowledged: seq, acknowledge_every, over: false, owed }
    }

    /// Takes one frame; what it has for the application goes into `received`.
    ///
    pub(crate) fn take(
        &mut self,
        frame: Frame<'_>,
        received: &mut Received,
    ) -> Result<(), ClientError> {
        match frame {
            Frame::Ping => {
                self.owed.pong();
                Ok(())
            }
            Frame::Message(packet) if packet.namespace == NAMESPACE => {
                self.take_packet(&packet, received)
            }
            Frame::Close => Err(self.end()),
            Frame::Open(_) => Err(ClientError::Protocol("a second OPEN".to_owned())),
            Frame::Message(_) | Frame::Pong | Frame::Noop => Ok(()),
        }
    }

    fn take_packet(
        &mut self,
        packet: &Packet<'_>,
        received: &mut Received,
    ) -> Result<(), ClientError> {
        match packet.kind {
            Kind::Event => self.take_event(Emitted::parse(packet.payload)?, received),
            Kind::Disconnect => Err(self.end()),
            Kind::ConnectError => Err(packet::connect_error(packet.payload)),
            Kind::Connect => Err(ClientError::Protocol("a second CONNECT".to_owned())),
            Kind::Ack => {
                received.refused.extend(packet::refused_by(packet.payload)?);
                Ok(())
            }
        }
    }

    fn take_event(&mut self, emitted: Emitted, received: &mut Received) -> Result<(), ClientError> {
        match emitted {
            Emitted::Message(event) => {
                self.over |= matches!(event.body, ServerEvent::Closing { .. });
                if received.take(event, &mut self.cursor) {
                    self.acknowledge_in_time();
                }
            }
            Emitted::Refused(refusal) if refusal.problem.kind == Problem::SUPERSEDED => {
                return Err(ClientError::Refused(refusal.problem));
            }
            Emitted::Refused(refusal) => received.refused.push(refusal),
            Emitted::Session(_) | Emitted::Other => {}
        }
        Ok(())
    }

    fn acknowledge_in_time(&mut self) {
        let seq = self.cursor.seq();
        if seq.0 - self.acknowledged.0 >= self.acknowledge_every {
            self.acknowledged = seq;
            self.owed.acknowledgement = Some(seq);
        }
    }

    /// What it means that the server has closed the connection in good order: the end after the last
    /// event, and a lost connection before it.
    pub(crate) fn end(&self) -> ClientError {
        if self.over { ClientError::Closed } else { ClientError::cut_off() }
    }

    pub(crate) fn cursor(&self) -> Seq {
        self.cursor.seq()
    }
}

impl Owed {
    /// A ping has come.
    pub(crate) fn pong(&mut self) {
        self.pong = true;
    }

    pub(crate) fn is_nothing(&self) -> bool {
        !self.pong && self.acknowledgement.is_none()
    }

    /// The next frame that is owed.
    pub(crate) fn frame(&self) -> Option<String> {
        if self.pong {
            return Some(packet::PONG.to_owned());
        }
        self.acknowledgement.map(|seq| packet::command(&ClientEvent::Ack { seq }))
    }

    /// The frame that [`Owed::frame`] gave was sent.
    pub(crate) fn cross_off(&mut self) {
        if self.pong {
            self.pong = false;
        } else {
            self.acknowledgement = None;
        }
    }
}

/// The session, when this packet brings it, during the opening.
pub(crate) fn joined(packet: &Packet<'_>) -> Result<Option<Opened>, ClientError> {
    match packet.kind {
        Kind::Connect | Kind::Ack => Ok(None),
        Kind::Disconnect => Err(ClientError::Closed),
        Kind::ConnectError => Err(packet::connect_error(packet.payload)),
        Kind::Event => match Emitted::parse(packet.payload)? {
            Emitted::Session(opened) => Ok(Some(opened)),
            Emitted::Refused(refusal) => Err(ClientError::Refused(refusal.problem)),
            Emitted::Message(event) => {
                Err(ClientError::Protocol(format!("event {} before the session", event.seq)))
            }
            Emitted::Other => Ok(None),
        },
    }
}
