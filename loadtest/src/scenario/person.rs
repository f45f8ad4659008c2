//! One person of the crowd: connects, waits for a partner, says what is due, books what arrives,
//! and perhaps wants another partner or leaves.
//!
//! Speaking and listening go on side by side, because a person who waits for an answer still has
//! ears. The two share one task and the knowledge who the partner is, and little else.
//!
//! ```text
//! pacer --ring 3--> speak --Say 3--> server --Message 3--> listen (the partner's) --> ledger
//! ```
//!
//! Nobody goes without having read everything: a mailbox is in order, so who has read the end of a
//! conversation, or of the session, has read every message of it that was ever accepted. A message
//! that such a reader has not seen is lost, and there is no excuse for it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use client::{ClientError, Receiver, Sender, Sent, TcpConnector, TransportKind};
use goose::goose::GooseUser;
use protocol::{
    ClientEvent, CloseReason, Event, MessageId, PairId, Problem, Refusal, Say, ServerEvent, Speaker,
};
use tokio::sync::{Mutex, MutexGuard, Notify};

use super::company::Company;
use super::seat::{Seat, Turn};
use super::stage::Stage;
use crate::counted::Counted;
use crate::ledger::Receipt;
use crate::preflight::Keeping;

/// What everybody says: 64 bytes, about the length of a line in a chat.
const TEXT: &str = "Half the pleasure of talking to a stranger is not knowing who it";
/// How often an opening is tried before the run is given up.
const OPENINGS_MAX: u32 = 3;
/// How often in a row a poll may fail before the person is gone.
const POLL_ERRORS_MAX: u32 = 3;
/// The pause before something that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long a person who already left waits when goose asks for another life.
const ENCORE_PAUSE: Duration = Duration::from_millis(20);
/// How long a farewell may take.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long the last words of somebody who left may take, beyond the time from poll to poll.
const LAST_WORDS_WAIT_MAX: Duration = Duration::from_secs(3);
/// The name under which goose keeps the messages, as it would keep a request's method.
pub(crate) const GOOSE_METHOD: &str = "MESSAGE";
/// The status of whatever an address has too much of.
const TOO_MANY_REQUESTS: u16 = 429;
/// The refusal of a message to a conversation that is over.
const STALE_PAIR: &str = "/problems/stale-pair";

type Connector = Counted<TcpConnector>;

/// A whole life, from the first connection to the farewell.
pub(crate) async fn live(stage: &Stage, user: &mut GooseUser) {
    match stage.take_seat() {
        Some(seat) => seat.occupy(stage, user).await,
        // Goose begins a transaction anew until it has told each user to exit, one by one.
        None => tokio::time::sleep(ENCORE_PAUSE).await,
    }
}

/// One session on a seat. The first one there belongs to the crowd that arrives before the run.
pub(super) async fn visit(
    stage: &Stage,
    seat: &Seat,
    user: &Mutex<&mut GooseUser>,
    is_first: bool,
) {
    let mut turn = seat.turn.lock().await;
    let company = if is_first { Company::default() } else { Company::alone_since(stage.now_us()) };
    let opened = {
        // What is rare or over soon is boxed: ten thousand people keep no room for it.
        let mut opening = Box::pin(open(stage, seat.number, is_first));
        loop {
            tokio::select! {
                biased;
                () = stage.stopped() => return,
                opened = &mut opening => break opened,
                // Nobody is there to say it.
                Some(number) = turn.bell.recv() => stage.ledger.skip(seat.number, number),
            }
        }
    };
    let (mut sender, mut receiver) = match opened {
        Ok(halves) => halves,
        Err(error) => {
            let why = format!("person {} could not connect: {error}", seat.number);
            stage.fail(why + advice_on(&error));
            return;
        }
    };
    stage.arrived(is_first);
    stage.add_requests(sender.requests() + receiver.requests());
    let me = Person { stage, number: seat.number, company, is_over: Notify::new() };
    let ((), left) =
        tokio::join!(me.listen(&mut receiver, user), me.speak(turn, seat, &mut sender));
    me.company.lose(stage);
    stage.connected.fetch_sub(1, Ordering::Relaxed);
    drop(receiver);
    if !left {
        Box::pin(me.leave(&mut sender)).await;
    }
}

async fn open(
    stage: &Stage,
    person: u32,
    is_first: bool,
) -> Result<(Sender<Connector>, Receiver<Connector>), ClientError> {
    let kind = stage.route.kind_of(person);
    let options = client::Options {
        poll_interval: stage.route.poll_interval,
        keep_alive: stage.route.keeping == Keeping::All,
        ..client::Options::new(stage.route.host.clone())
    };
    if kind == TransportKind::ShortPoll && is_first {
        tokio::time::sleep(phase(person, stage.route.poll_interval)).await;
    }
    let mut openings = 1;
    loop {
        let connector = stage.connector(person);
        match client::open(kind, connector, options.clone()).await {
            Err(ClientError::Io(error)) if openings < OPENINGS_MAX => {
                stage.add_error(format!("connecting, tried again: {error}"));
                tokio::time::sleep(RETRY_PAUSE * openings).await;
                openings += 1;
            }
            opened => return opened,
        }
    }
}

/// What to do about a refusal, as the end of a sentence; empty where that is not known.
fn advice_on(error: &ClientError) -> &'static str {
    match error {
        ClientError::Refused(problem) if problem.status == TOO_MANY_REQUESTS => {
            "; everybody comes from one address here, so start the server with \
             --connections-per-address-max 0 --sessions-per-address-max 0 \
             --opens-per-address-per-s-max 0"
        }
        _ => "",
    }
}

/// When in the interval a person polls. A client polls at whole intervals after its opening, and
/// people who were started together would poll together for ever. Steps of the golden ratio fill
/// the interval evenly for any number of people.
fn phase(person: u32, interval: Duration) -> Duration {
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
    interval.mul_f64((f64::from(person) * GOLDEN_RATIO).fract())
}

/// What speaking and listening share.
struct Person<'a> {
    stage: &'a Stage,
    number: u32,
    company: Company,
    /// Told by who listens, that the session is over, and by who speaks, that it is waited for no
    /// longer.
    is_over: Notify,
}

/// What whoever speaks does next.
enum Wish {
    Say(u32),
    Skip,
    Leave,
}

impl Person<'_> {
    /// Until the stage is stopped, or the person has left: true then.
    async fn speak(
        &self,
        mut turn: MutexGuard<'_, Turn>,
        seat: &Seat,
        sender: &mut Sender<Connector>,
    ) -> bool {
        turn.pass(self.stage.now_us());
        loop {
            let wish = tokio::select! {
                biased;
                () = self.stage.stopped() => return false,
                wish = self.wish(&mut turn) => wish,
            };
            match wish {
                None => return false,
                Some(Wish::Leave) => {
                    drop(turn);
                    self.company.leave();
                    seat.vacated.notify_one();
                    Box::pin(self.depart(sender)).await;
                    return true;
                }
                Some(wish) => tokio::select! {
                    biased;
                    () = self.stage.stopped() => return false,
                    () = Box::pin(self.act(wish, sender)) => {}
                },
            }
        }
    }

    async fn wish(&self, turn: &mut Turn) -> Option<Wish> {
        let (skip_us, leave_us) = (turn.skips.peek().copied(), turn.departures.peek().copied());
        tokio::select! {
            biased;
            number = turn.bell.recv() => number.map(Wish::Say),
            () = self.stage.until(leave_us) => {
                turn.departures.next();
                Some(Wish::Leave)
            }
            () = self.stage.until(skip_us) => {
                turn.skips.next();
                Some(Wish::Skip)
            }
        }
    }

    async fn act(&self, wish: Wish, sender: &mut Sender<Connector>) {
        let requests = sender.requests();
        match (wish, self.company.partner()) {
            (Wish::Say(number), Some(pair)) => self.say(number, pair, sender).await,
            (Wish::Say(number), None) => {
                let people_move = self.stage.route.habits.move_people();
                if !self.company.is_rightly_alone(people_move) {
                    self.stage.ledger.blame(self.number, number);
                }
                self.stage.ledger.skip(self.number, number);
            }
            (Wish::Skip, Some(pair)) => self.skip(pair, sender).await,
            (Wish::Skip | Wish::Leave, _) => {}
        }
        self.stage.add_requests(sender.requests() - requests);
    }

    async fn say(&self, number: u32, pair: PairId, sender: &mut Sender<Connector>) {
        let ledger = &self.stage.ledger;
        let id = ledger.send(self.number, number, pair.0, self.stage.now_us());
        let say = Say {
            id: MessageId::try_from(id).expect("three numbers fit in a message id"),
            text: TEXT.into(),
            pair: Some(pair),
        };
        match sender.send(ClientEvent::Say(say)).await {
            Ok(Sent::Accepted) => ledger.accept(self.number, number),
            Ok(Sent::Written) => {}
            Err(ClientError::Refused(problem)) => {
                self.refused(number, &problem);
            }
            Err(error) => {
                ledger.fail(self.number, number);
                self.stage.add_error(format!("sending: {error}"));
            }
        }
    }

    async fn skip(&self, pair: PairId, sender: &mut Sender<Connector>) {
        self.company.give_up(self.stage.now_us());
        if let Err(error) = sender.send(ClientEvent::Next { pair: Some(pair) }).await {
            self.stage.add_error(format!("skipping: {error}"));
        }
    }

    /// Says farewell and waits until whoever listens has heard the last words.
    async fn depart(&self, sender: &mut Sender<Connector>) {
        self.leave(sender).await;
        tokio::select! {
            biased;
            () = self.stage.stopped() => {}
            () = self.is_over.notified() => {}
            () = tokio::time::sleep(LAST_WORDS_WAIT_MAX + self.stage.route.poll_interval) => {
                self.stage.add_error("the end of a session was not told".to_owned());
                self.is_over.notify_one();
            }
        }
    }

    async fn leave(&self, sender: &mut Sender<Connector>) {
        // The server notices a closed connection too, only later.
        let _ = tokio::time::timeout(LEAVE_WAIT_MAX, sender.send(ClientEvent::Leave)).await;
    }

    async fn listen(&self, receiver: &mut Receiver<Connector>, user: &Mutex<&mut GooseUser>) {
        let mut errors_in_a_row = 0;
        loop {
            let requests = receiver.requests();
            let received = tokio::select! {
                biased;
                () = self.stage.stopped() => return,
                received = receiver.receive() => received,
                () = self.is_over.notified() => return,
            };
            let at_us = self.stage.now_us();
            self.stage.add_requests(receiver.requests() - requests);
            match received {
                Ok(received) => {
                    errors_in_a_row = 0;
                    received.refused.iter().for_each(|refusal| self.take_refusal(refusal));
                    for event in &received.events {
                        self.take(event, at_us, user).await;
                    }
                    if self.company.has_ended() {
                        return self.is_over.notify_one();
                    }
                }
                Err(error) => {
                    errors_in_a_row += 1;
                    let goes_on = self.goes_on_after(&error, errors_in_a_row);
                    if goes_on || !self.company.has_left() {
                        self.stage.add_error(format!("receiving: {error}"));
                    }
                    if !goes_on {
                        self.is_over.notify_one();
                        return self.company.cut_off(self.stage);
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// A poll or a stream that failed can be asked again; a socket that failed is gone.
    fn goes_on_after(&self, error: &ClientError, errors_in_a_row: u32) -> bool {
        self.stage.route.kind_of(self.number).reconnects()
            && !matches!(error, ClientError::Closed)
            && errors_in_a_row < POLL_ERRORS_MAX
    }

    async fn take(&self, event: &Event, at_us: u64, user: &Mutex<&mut GooseUser>) {
        let stage = self.stage;
        match &event.body {
            ServerEvent::Paired { pair } => self.company.meet(*pair, at_us, stage),
            ServerEvent::PartnerLeft { .. } => self.company.part(at_us, stage),
            ServerEvent::Message { from: Speaker::Me, id, .. } => {
                if let Some(number) = stage.ledger.number_of(self.number, id.as_str()) {
                    stage.ledger.accept(self.number, number);
                }
            }
            ServerEvent::Message { from: Speaker::Partner, id, .. } => {
                let pair = self.company.conversation().map(|pair| pair.0);
                match stage.ledger.receive(self.number, pair, id.as_str(), at_us) {
                    Receipt::First { intended_us } => {
                        let latency_us = at_us.saturating_sub(intended_us);
                        stage.live.record(latency_us);
                        tell_goose(stage, user, latency_us).await;
                    }
                    Receipt::Again => {}
                    Receipt::Foreign => stage.add_error("a message of another run".to_owned()),
                }
            }
            ServerEvent::Closing { reason: CloseReason::Left, .. } if self.company.has_left() => {
                self.company.end();
            }
            ServerEvent::Closing { reason, .. } => {
                stage.add_error(format!("the server closed a session: {reason:?}"));
            }
            ServerEvent::Lagged { .. } => stage.add_error("a mailbox overflowed".to_owned()),
            ServerEvent::Welcome { .. } | ServerEvent::Waiting | ServerEvent::Notice { .. } => {}
        }
    }

    fn take_refusal(&self, refusal: &Refusal) {
        let number = refusal
            .id
            .as_ref()
            .and_then(|id| self.stage.ledger.number_of(self.number, id.as_str()));
        match number {
            Some(number) => self.refused(number, &refusal.problem),
            None => self.add_refusal(&refusal.problem),
        }
    }

    fn refused(&self, number: u32, problem: &Problem) {
        if !self.is_excused(problem) {
            self.stage.ledger.blame(self.number, number);
        }
        self.stage.ledger.refuse(self.number, number);
        self.add_refusal(problem);
    }

    fn add_refusal(&self, problem: &Problem) {
        if !self.is_excused(problem) {
            let Problem { status, title, .. } = problem;
            self.stage.add_error(format!("sending: refused: {status} {title}"));
        }
    }

    /// Where people move about, a word to somebody who has just gone is no error.
    fn is_excused(&self, problem: &Problem) -> bool {
        problem.kind == STALE_PAIR && self.stage.route.habits.move_people()
    }
}

impl Turn {
    /// Passes over what should have happened while nobody sat here.
    fn pass(&mut self, now_us: u64) {
        for moments in [&mut self.skips, &mut self.departures] {
            while moments.next_if(|at_us| *at_us < now_us).is_some() {}
        }
    }
}

/// Enters the receipt in goose's own metrics, whose count must agree with the books.
async fn tell_goose(stage: &Stage, user: &Mutex<&mut GooseUser>, latency_us: u64) {
    let name = &*stage.route.label;
    let latency = Duration::from_micros(latency_us);
    let mut user = user.lock().await;
    let told =
        user.record_custom_request_duration(GOOSE_METHOD, name, latency, true, None, None).await;
    if let Err(error) = told {
        stage.add_error(format!("goose: {error}"));
    }
}
