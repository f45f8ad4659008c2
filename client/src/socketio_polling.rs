//! Socket.IO over HTTP long-polling, with or without the upgrade to a WebSocket.
//!
//! ```text
//! client                                            server
//!    |---- GET /socket.io/?EIO=4&transport=polling ------->|
//!    |<--- OPEN {sid, pingInterval, pingTimeout} ----------|
//!    |---- POST &sid=..  CONNECT /chat {token?, after} --->|
//!    |---- GET &sid=.. ----------------------------------->|  waits until there is something
//!    |<--- CONNECT, "session", "msg" Event ... ------------|
//!    |---- POST &sid=..  "say", pong, "ack" -------------->|
//!    |                                                     |
//!    |==== WebSocket &sid=..  2probe =====================>|  the upgrade
//!    |<=== 3probe =========================================|  and an answer to the waiting GET
//!    |==== 5, then as over any WebSocket =================>|
//! ```
//!
//! A poll that is lost with its answer has lost events, so it is never sent again: the session is
//! resumed instead. Where the upgrade fails before `5` is sent, the polls go on. Requests under way survive a dropped call, because a poll that is cut tells the
//! server that its client is gone. No command is under way while the connection is upgraded, so
//! commands keep their order.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use hyper::Method;
use protocol::{ClientEvent, Opened, Seq};
use tokio::sync::Mutex;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::http::{Ask, HttpConnection};
use crate::packet::{self, Commands, Frame, NAMESPACE, OpenParameters};
use crate::reading::{Owed, Reading, joined};
use crate::socket::{self, Listener, Sink};
use crate::{ACKNOWLEDGE_EVERY, ClientError, Connect, Options, Received, Resume, Sent, socketio};

type Future<T> = Pin<Box<dyn std::future::Future<Output = T> + Send>>;

/// The two ends of a WebSocket.
type Halves<S> = (Sink<S>, Listener<S>);

/// The first request, and the beginning of all further ones.
const TARGET: &str = "/socket.io/?EIO=4&transport=polling";

/// Opens or resumes a session.
pub(crate) async fn open<C: Connect>(
    connector: C,
    options: Options,
) -> Result<(Resume, Sender<C>, Receiver<C>), ClientError> {
    let mut polls = HttpConnection::new(connector.clone(), &options)?;
    let mut posts = HttpConnection::new(connector.clone(), &options)?;
    let opening = polls.request(get(TARGET, Duration::ZERO)).await?;
    let parameters = match Frame::parse(text(&opening)?)? {
        Frame::Open(parameters) => OpenParameters::parse(parameters)?,
        other => return Err(ClientError::Protocol(format!("OPEN comes first, not {other:?}"))),
    };
    let target = format!("{TARGET}&sid={}", parameters.sid);
    posts.request(post(&target, packet::connect(&options), false)).await?;
    let mut owed = Owed::default();
    let silence_max = parameters.silence_max();
    let (opened, payload) = join(&mut polls, &target, silence_max, &mut owed).await?;
    let identity = socket::identify(opened, options.resume.clone())?;
    let mut taken = Taken::new(Reading::owing(identity.after, options.acknowledge_every, owed));
    taken.take(&payload)?;
    let line = Line {
        upgrade_at: format!("/socket.io/?EIO=4&transport=websocket&sid={}", parameters.sid),
        target: target.clone(),
        host: options.host.clone(),
        silence_max,
        answer_max: options.answer_max,
    };
    let answers = HttpConnection::new(connector.clone(), &options)?;
    let way = Arc::new(Mutex::new(Way::Posts(posts, target)));
    let commands = Commands::new(options.answer_every);
    let receiver = Receiver {
        taken,
        way: Reads::Polls(Box::new(Polls {
            connector,
            line,
            polls: Flight::Idle(polls),
            answers: Flight::Idle(answers),
            upgrade: match options.upgrade_after_events {
                Some(events) => Upgrade::After(events),
                None => Upgrade::Never,
            },
            commands: Arc::clone(&way),
        })),
        requests: 0,
    };
    Ok((identity, Sender { way, commands, requests: OPENING_REQUESTS }, receiver))
}

/// OPEN, CONNECT and the poll for its answer.
const OPENING_REQUESTS: u64 = 3;

/// Polls until the session is there; gives it and what came behind it, and notes what came before.
async fn join<C: Connect>(
    polls: &mut HttpConnection<C>,
    target: &str,
    silence_max: Duration,
    owed: &mut Owed,
) -> Result<(Opened, String), ClientError> {
    loop {
        let payload = polls.request(get(target, silence_max)).await?;
        let mut frames = text(&payload)?.split(packet::SEPARATOR);
        while let Some(frame) = frames.next() {
            match Frame::parse(frame)? {
                Frame::Close => return Err(ClientError::Closed),
                Frame::Ping => owed.pong(),
                Frame::Message(packet) if packet.namespace == NAMESPACE => {
                    if let Some(opened) = joined(&packet)? {
                        let rest: Vec<_> = frames.collect();
                        return Ok((opened, rest.join("\x1e")));
                    }
                }
                _ => {}
            }
        }
    }
}

fn get(target: &str, wait: Duration) -> Ask {
    let target = target.to_owned();
    Ask { method: Method::GET, target, body: Bytes::new(), repeatable: false, wait }
}

fn post(target: &str, body: String, repeatable: bool) -> Ask {
    let target = target.to_owned();
    Ask { method: Method::POST, target, body: body.into(), repeatable, wait: Duration::ZERO }
}

fn text(payload: &Bytes) -> Result<&str, ClientError> {
    std::str::from_utf8(payload)
        .map_err(|_| ClientError::Protocol("a payload that is not UTF-8".to_owned()))
}

/// How commands go out; the upgrade changes it between two commands.
enum Way<C: Connect> {
    Posts(HttpConnection<C>, String),
    Socket(Sink<C::Stream>),
}

/// Commands, one request or frame each.
pub(crate) struct Sender<C: Connect> {
    way: Arc<Mutex<Way<C>>>,
    commands: Commands,
    requests: u64,
}

impl<C: Connect> Sender<C> {
    pub(crate) async fn send(&mut self, event: ClientEvent) -> Result<Sent, ClientError> {
        let frame = self.commands.frame(&event);
        match &mut *self.way.lock().await {
            Way::Posts(connection, target) => {
                // All but `next` may arrive twice without harm.
                let repeatable = !matches!(event, ClientEvent::Next { .. });
                connection.request(post(target, frame, repeatable)).await?;
            }
            Way::Socket(sink) => sink.lock().await.send(Message::text(frame)).await?,
        }
        self.requests += 1;
        Ok(Sent::Written)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}

/// Events, as many as a poll brings.
pub(crate) struct Receiver<C: Connect> {
    taken: Taken,
    way: Reads<C>,
    requests: u64,
}

enum Reads<C: Connect> {
    Polls(Box<Polls<C>>),
    Socket(socketio::Receiver<C::Stream>),
}

/// What was read and not yet given out.
struct Taken {
    reading: Reading,
    received: Received,
    /// The last event that was given out; the reading is ahead of it.
    given: Seq,
    events: u64,
    end: Option<ClientError>,
}

impl Taken {
    fn new(reading: Reading) -> Self {
        let given = reading.cursor();
        Self { reading, received: Received::default(), given, events: 0, end: None }
    }

    /// Takes the frames of one answer; what stands in front of an end is given out first.
    fn take(&mut self, payload: &str) -> Result<(), ClientError> {
        for frame in payload.split(packet::SEPARATOR).filter(|frame| !frame.is_empty()) {
            match self.reading.take(Frame::parse(frame)?, &mut self.received) {
                Ok(()) => {}
                Err(end) => {
                    self.end = Some(end);
                    break;
                }
            }
        }
        Ok(())
    }

    fn give(&mut self) -> Option<Result<Received, ClientError>> {
        if self.received != Received::default() {
            self.events += self.received.events.len() as u64;
            self.given = self.reading.cursor();
            return Some(Ok(std::mem::take(&mut self.received)));
        }
        match &self.end {
            None => None,
            Some(ClientError::Closed) => Some(Err(ClientError::Closed)),
            Some(_) => self.end.replace(ClientError::Closed).map(Err),
        }
    }
}

impl<C: Connect> Receiver<C> {
    pub(crate) async fn receive(&mut self) -> Result<Received, ClientError> {
        loop {
            if let Some(received) = self.taken.give() {
                return received;
            }
            let polls = match &mut self.way {
                Reads::Socket(receiver) => return receiver.receive().await,
                Reads::Polls(polls) => polls,
            };
            match polls.step(&mut self.taken).await? {
                Step::Read => {}
                Step::Upgraded(sink, listener) => {
                    self.requests += polls.requests();
                    let reading = std::mem::replace(
                        &mut self.taken.reading,
                        Reading::owing(Seq(0), ACKNOWLEDGE_EVERY, Owed::default()),
                    );
                    let silence_max = polls.line.silence_max;
                    let receiver = socketio::Receiver::new(sink, listener, reading, silence_max);
                    self.way = Reads::Socket(receiver);
                }
            }
        }
    }

    pub(crate) fn cursor(&self) -> Seq {
        match &self.way {
            Reads::Polls(_) => self.taken.given,
            Reads::Socket(receiver) => receiver.cursor(),
        }
    }

    /// True once a WebSocket has taken over from the polls.
    pub(crate) fn is_upgraded(&self) -> bool {
        matches!(self.way, Reads::Socket(_))
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
            + match &self.way {
                Reads::Polls(polls) => polls.requests(),
                Reads::Socket(receiver) => receiver.requests(),
            }
    }
}

/// What one connection is called, and how long it may be silent.
struct Line {
    target: String,
    upgrade_at: String,
    host: String,
    silence_max: Duration,
    answer_max: Duration,
}

/// Reading by polls, until there is a WebSocket.
struct Polls<C: Connect> {
    connector: C,
    line: Line,
    polls: Flight<C>,
    answers: Flight<C>,
    upgrade: Upgrade<C::Stream>,
    commands: Arc<Mutex<Way<C>>>,
}

/// How far the upgrade has come.
enum Upgrade<S> {
    Never,
    /// Once so many events have been given out.
    After(u64),
    Probing(Future<Result<WebSocketStream<S>, ClientError>>),
    /// The WebSocket works; the poll that is waiting will be answered and is the last.
    Probed(Box<WebSocketStream<S>>),
    Switching(Future<Result<Halves<S>, ClientError>>),
}

enum Step<S> {
    Read,
    Upgraded(Sink<S>, Listener<S>),
}

impl<C: Connect> Polls<C> {
    /// Lets one thing happen. Dropping the future changes nothing.
    async fn step(&mut self, taken: &mut Taken) -> Result<Step<C::Stream>, ClientError> {
        self.begin(taken);
        tokio::select! {
            biased;
            answer = self.answers.end(), if self.answers.is_busy() => {
                answer?;
                Ok(Step::Read)
            }
            upgraded = self.upgrade.go_on(), if self.upgrade.is_busy() => {
                Ok(upgraded?.map_or(Step::Read, |(sink, listener)| Step::Upgraded(sink, listener)))
            }
            payload = self.polls.end(), if self.polls.is_busy() => {
                let payload = payload?;
                if payload.is_empty() {
                    return Err(ClientError::cut_off());
                }
                taken.take(text(&payload)?)?;
                Ok(Step::Read)
            }
        }
    }

    /// Sends whatever may be sent now.
    fn begin(&mut self, taken: &mut Taken) {
        let Line { target, silence_max, .. } = &self.line;
        let owed = &mut taken.reading.owed;
        if !self.answers.is_busy() && !self.upgrade.is_switching() && !owed.is_nothing() {
            let mut frames = Vec::new();
            while let Some(frame) = owed.frame() {
                frames.push(frame);
                owed.cross_off();
            }
            self.answers.begin(post(target, frames.join("\x1e"), false));
        }
        if matches!(self.upgrade, Upgrade::After(events) if taken.events >= events) {
            self.upgrade = Upgrade::Probing(self.probe());
        }
        if !self.polls.is_busy() {
            match &self.upgrade {
                Upgrade::Probed(_) if !self.answers.is_busy() => self.switch(),
                Upgrade::Probed(_) | Upgrade::Switching(_) => {}
                _ => self.polls.begin(get(target, *silence_max)),
            }
        }
    }

    fn probe(&self) -> Future<Result<WebSocketStream<C::Stream>, ClientError>> {
        let connector = self.connector.clone();
        let (host, target) = (self.line.host.clone(), self.line.upgrade_at.clone());
        in_time(self.line.answer_max, async move {
            let stream = connector.connect().await?;
            let mut socket = socket::upgrade(stream, &host, &target, None).await?;
            socket.send(Message::text(packet::PROBE)).await?;
            match socket::next_text(&mut socket).await?.as_str() {
                packet::PROBE_ANSWER => Ok(socket),
                other => Err(ClientError::Protocol(format!("{other:.60} answers a probe"))),
            }
        })
    }

    /// The lock makes sure that no command is under way.
    fn switch(&mut self) {
        let Upgrade::Probed(mut socket) = std::mem::replace(&mut self.upgrade, Upgrade::Never)
        else {
            unreachable!("the caller has looked");
        };
        let commands = Arc::clone(&self.commands);
        self.upgrade = Upgrade::Switching(in_time(self.line.answer_max, async move {
            let mut way = commands.lock().await;
            socket.send(Message::text(packet::UPGRADE)).await?;
            let (sink, listener) = socket::split(*socket);
            *way = Way::Socket(Arc::clone(&sink));
            Ok((sink, listener))
        }));
    }

    fn requests(&self) -> u64 {
        self.polls.requests() + self.answers.requests()
    }
}

fn in_time<T: 'static>(
    answer_max: Duration,
    work: impl std::future::Future<Output = Result<T, ClientError>> + Send + 'static,
) -> Future<Result<T, ClientError>> {
    Box::pin(async move {
        let done = tokio::time::timeout(answer_max, work).await;
        done.map_err(|_| ClientError::Unanswered(answer_max))?
    })
}

impl<S> Upgrade<S> {
    fn is_busy(&self) -> bool {
        matches!(self, Self::Probing(_) | Self::Switching(_))
    }

    fn is_switching(&self) -> bool {
        matches!(self, Self::Switching(_))
    }

    /// The socket, when it has taken over.
    async fn go_on(&mut self) -> Result<Option<Halves<S>>, ClientError> {
        match self {
            Self::Probing(probe) => {
                let socket = probe.as_mut().await;
                // Until `5` is sent, a WebSocket that fails takes nothing with it.
                *self = socket.map_or(Self::Never, |socket| Self::Probed(Box::new(socket)));
                Ok(None)
            }
            Self::Switching(switch) => {
                let switched = switch.as_mut().await;
                *self = Self::Never;
                switched.map(Some)
            }
            Self::Never | Self::After(_) | Self::Probed(_) => std::future::pending().await,
        }
    }
}

/// One HTTP connection and its request under way, which outlives a dropped call.
enum Flight<C: Connect> {
    Idle(HttpConnection<C>),
    Busy {
        requests: u64,
        answer: Future<(HttpConnection<C>, Result<Bytes, ClientError>)>,
    },
    /// Between the two.
    Turning,
}

impl<C: Connect> Flight<C> {
    fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    fn begin(&mut self, ask: Ask) {
        let Self::Idle(mut connection) = std::mem::replace(self, Self::Turning) else {
            unreachable!("the caller has looked");
        };
        let requests = connection.requests() + 1;
        let answer = Box::pin(async move {
            let answer = connection.request(ask).await;
            (connection, answer)
        });
        *self = Self::Busy { requests, answer };
    }

    /// The answer to the request under way.
    async fn end(&mut self) -> Result<Bytes, ClientError> {
        let Self::Busy { answer, .. } = self else {
            return std::future::pending().await;
        };
        let (connection, answer) = answer.as_mut().await;
        *self = Self::Idle(connection);
        answer
    }

    fn requests(&self) -> u64 {
        match self {
            Self::Idle(connection) => connection.requests(),
            Self::Busy { requests, .. } => *requests,
            Self::Turning => 0,
        }
    }
}
