//! One socket at work: commands go to the hub, the mailbox goes to the socket.
//!
//! One `select!` waits for everything, in this order: commands, a full socket, a poll that was cut,
//! new events. Events are read from the mailbox only when the socket has taken those
//! before, so that what cannot be sent stays where it is counted.

use std::sync::Arc;
use std::time::Duration;

use socketioxide::TransportType;
use socketioxide::socket::{DisconnectReason, Socket};
use tokio::time::Instant;

use super::commands::{AckId, Command, Incoming, Line};
use super::describe::Language;
use super::outbox::{Outbox, Outcome, Outgoing};
use super::polling::{Cut, EngineGate, Polls, Presence};
use super::transport;
use crate::error::HttpError;
use crate::hub::{Detach, Hub, Reader, Rejected, Transport};
use protocol::{Batch, ClientEvent, MessageId, Opened, Refusal, Say, Seq, ServerEvent, SessionId};

/// Packets that may wait for a full socket before its commands wait as well.
const PACKETS_MAX: usize = 128;
/// How soon a client that polls asks again when it has not seen the last packet.
const ASKS_AGAIN_MAX: Duration = Duration::from_millis(500);
/// Commands that are executed in a row before events are read.
const COMMANDS_IN_A_ROW_MAX: usize = 16;

/// One socket and the session that it speaks for.
pub(super) struct Conversation {
    hub: Arc<Hub>,
    gate: Arc<EngineGate>,
    socket: Arc<Socket>,
    session: SessionId,
    reader: Reader,
    cursor: Seq,
    line: Arc<Line>,
    outbox: Outbox,
    presence: Arc<Presence>,
    /// How the polls went, as far as that is known here.
    polls: Polls,
    /// When a client whose poll was cut is given up; the session is suspect until then.
    given_up_at: Option<Instant>,
    /// How the reading ends, once everything was sent.
    end: Option<Detach>,
    language: Language,
    resumable: bool,
    names: Names,
}

/// What a conversation begins with.
pub(super) struct Beginning {
    pub(super) socket: Arc<Socket>,
    pub(super) line: Arc<Line>,
    pub(super) presence: Arc<Presence>,
    pub(super) opened: Opened,
    pub(super) reader: Reader,
    pub(super) language: Language,
    pub(super) resumable: bool,
}

impl Conversation {
    pub(super) fn new(hub: Arc<Hub>, gate: Arc<EngineGate>, beginning: Beginning) -> Self {
        let Beginning { socket, line, presence, opened, reader, language, resumable } = beginning;
        let (session, cursor) = (opened.session, opened.next);
        let mut outbox = Outbox::new(hub.config().body_bytes_max);
        outbox.push(Outgoing::Session(opened));
        Self {
            hub,
            gate,
            socket,
            session,
            reader,
            cursor,
            line,
            outbox,
            presence,
            polls: Polls::default(),
            given_up_at: None,
            end: None,
            language,
            resumable,
            names: Names::default(),
        }
    }

    pub(super) async fn run(mut self) {
        self.line.set_reader(Some(self.reader.handle()));
        let how = self.converse().await;
        self.line.set_reader(None);
        self.reader.finish(how).await;
    }

    async fn converse(&mut self) -> Detach {
        let mut commands_in_a_row = 0;
        loop {
            match self.outbox.flush(&self.socket, self.presence.departures()) {
                Outcome::Gone => return self.gone().await,
                Outcome::Sent if let Some(how) = self.end => {
                    self.fetched().await;
                    self.disconnect().await;
                    return how;
                }
                Outcome::Sent | Outcome::Full => {}
            }
            self.reader.go_on_over(self.transport());
            if self.line.is_overrun() {
                return self.give_up().await;
            }
            let may_read = self.outbox.is_empty() && self.given_up_at.is_none();
            if commands_in_a_row == COMMANDS_IN_A_ROW_MAX {
                commands_in_a_row = 0;
                if may_read {
                    let batch = self.reader.receive(self.cursor, Some(Instant::now())).await;
                    self.take_batch(batch).await;
                    continue;
                }
            }
            let is_full = !self.outbox.is_empty();
            tokio::select! {
                biased;
                incoming = self.line.next(), if self.outbox.len() < PACKETS_MAX => {
                    commands_in_a_row += 1;
                    match incoming {
                        Incoming::Disconnected(reason) => return self.left(reason).await,
                        Incoming::Command(command, ack_id) => self.execute(command, ack_id).await,
                        Incoming::Malformed(why, ack_id) => {
                            self.refuse(None, HttpError::Malformed(why), ack_id);
                        }
                        Incoming::Refused(id, rejected) => self.reject(id, rejected, None),
                    }
                }
                () = self.outbox.pause(self.presence.departures()), if is_full => {}
                polls = self.presence.changed(self.polls), if self.presence.is_watched() => {
                    if let Some(how) = self.take_polls(polls).await {
                        return how;
                    }
                }
                () = until(self.given_up_at) => return self.give_up().await,
                batch = self.reader.receive(self.cursor, None), if may_read => {
                    commands_in_a_row = 0;
                    self.take_batch(batch).await;
                }
            }
        }
    }

    async fn execute(&mut self, command: Command, ack_id: Option<AckId>) {
        let event = match command {
            Command::Event(event) => event,
            Command::Text(text) => {
                ClientEvent::Say(Say { id: self.names.next(), text, pair: None })
            }
        };
        let id = event.message_id();
        match (self.reader.send(event).await, ack_id) {
            (Err(rejected), ack_id) => self.reject(id, rejected, ack_id),
            (Ok(()), Some(ack_id)) => self.outbox.push(Outgoing::Answered(ack_id, None)),
            (Ok(()), None) => {}
        }
    }

    /// Says that the hub has refused a command; who was superseded is through with that.
    fn reject(&mut self, id: Option<MessageId>, why: Rejected, ack_id: Option<AckId>) {
        if why == Rejected::Superseded && self.end.replace(Detach::Answered).is_some() {
            return;
        }
        self.refuse(id, why, ack_id);
    }

    fn refuse(&mut self, id: Option<MessageId>, why: impl Into<HttpError>, ack_id: Option<AckId>) {
        let problem = why.into().into();
        self.outbox.push(Outgoing::refused(Refusal { id, problem }, ack_id));
    }

    /// Puts events on their way, and forgets what nobody can ask for again.
    async fn take_batch(&mut self, batch: Result<Batch, Rejected>) {
        match batch {
            Ok(batch) if !batch.events.is_empty() => {
                if !self.resumable {
                    let _session_is_over = self.reader.forget(batch.next).await;
                }
                self.cursor = batch.next;
                let is_last = batch.events.last().is_some_and(is_closing);
                for event in batch.events {
                    self.outbox.push(Outgoing::Event(event, self.language));
                }
                if is_last {
                    self.end = Some(Detach::Answered);
                }
            }
            Ok(_) if self.reader.is_superseded() => {
                self.reject(None, Rejected::Superseded, None);
            }
            // There is nothing to read at this moment.
            Ok(_) => {}
            // The session is over, and its last event was forgotten with it.
            Err(_) => self.end = Some(Detach::Answered),
        }
    }

    /// Says the last word. Whatever the client sends to this namespace behind it makes socketioxide
    /// close the whole connection, with all that waits for a poll: so nothing may wait any more.
    async fn disconnect(&mut self) {
        while Outgoing::Disconnect.send(&self.socket) == Outcome::Full {
            self.outbox.pause(self.presence.departures()).await;
        }
    }

    /// What becomes of a session whose poll was cut, or which polls again.
    async fn take_polls(&mut self, polls: Polls) -> Option<Detach> {
        self.polls = polls;
        match (polls.cut, self.given_up_at) {
            (Some(Cut::Answer), _) => return Some(self.give_up().await),
            (Some(Cut::Waiting), None) if self.is_polling() => {
                self.reader.suspect().await;
                let grace = Duration::from_millis(self.hub.config().poll_grace_ms);
                self.given_up_at = Some(Instant::now() + grace);
            }
            (None, Some(_)) => return self.come_back().await,
            (None, None) | (Some(Cut::Waiting), _) => {}
        }
        None
    }

    /// The client of a suspect session is there after all.
    async fn come_back(&mut self) -> Option<Detach> {
        self.given_up_at = None;
        if self.reader.is_superseded() {
            return None;
        }
        match self.hub.attach(self.session, self.transport()).await {
            Ok(reader) => {
                self.line.set_reader(Some(reader.handle()));
                self.reader = reader;
                None
            }
            Err(_) => Some(self.lost()),
        }
    }

    /// Nobody is there any more, though nothing has said so.
    async fn give_up(&mut self) -> Detach {
        if self.is_polling() {
            self.gate.close(self.socket.id, self.socket.protocol()).await;
        } else {
            let _already_gone = Arc::clone(&self.socket).disconnect();
        }
        self.lost()
    }

    /// What it is carried by, which the engine learns a moment later than its polls do.
    fn transport(&self) -> Transport {
        match self.presence.polls().are_over {
            true => Transport::SocketIoWebSocket,
            false => transport(&self.socket),
        }
    }

    fn is_polling(&self) -> bool {
        self.socket.transport_type() == TransportType::Polling
    }

    /// The socket is gone: executes the commands that came before, and finds out how it ended.
    async fn gone(&mut self) -> Detach {
        loop {
            match self.line.next().await {
                // There is nobody whom the answer could reach.
                Incoming::Command(command, _) => self.execute(command, None).await,
                Incoming::Malformed(..) | Incoming::Refused(..) => {}
                Incoming::Disconnected(reason) => return self.left(reason).await,
            }
        }
    }

    async fn left(&self, reason: DisconnectReason) -> Detach {
        match reason {
            DisconnectReason::ClientNSDisconnect => {
                let _not_for_us_to_end = self.reader.send(ClientEvent::Leave).await;
                Detach::Answered
            }
            _ => self.lost(),
        }
    }

    fn lost(&self) -> Detach {
        if self.resumable { Detach::Dropped } else { Detach::Ended }
    }

    /// Waits until the last packets have been asked for, which a socket need not be.
    async fn fetched(&mut self) {
        if !self.is_polling() {
            return;
        }
        self.polls = self.presence.polls();
        let Polls { begun, answered, .. } = self.polls;
        let grace = Duration::from_millis(self.hub.config().poll_grace_ms);
        let fetched = async {
            while self.polls.cut.is_none() && self.polls.fetched <= begun {
                let changed = self.presence.changed(self.polls);
                // The first answer may have been under way before the last packets were; whoever
                // has not seen them asks again at once, and whoever has may do so or not.
                let may_be_all =
                    self.polls.answered > answered && self.polls.begun == self.polls.answered;
                let wait = if may_be_all { ASKS_AGAIN_MAX } else { grace };
                let Ok(polls) = tokio::time::timeout(wait, changed).await else { return };
                self.polls = polls;
            }
        };
        // Late or gone: the packets are kept by Engine.IO until the connection ends.
        let _late = tokio::time::timeout(grace, fetched).await;
    }
}

fn is_closing(event: &protocol::Event) -> bool {
    matches!(event.body, ServerEvent::Closing { .. })
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Names for messages whose senders gave none: unlike those of any other socket of the session,
/// because the same name again would be the same message.
#[derive(Default)]
struct Names {
    first: Option<u64>,
    given: u64,
}

impl Names {
    fn next(&mut self) -> MessageId {
        let first = *self.first.get_or_insert_with(|| {
            getrandom::u64().expect("the system gave entropy at start and does so since")
        });
        self.given += 1;
        let name = format!("msg-{first:016x}-{}", self.given);
        name.parse().expect("4 + 16 + 1 + 20 bytes at most")
    }
}
