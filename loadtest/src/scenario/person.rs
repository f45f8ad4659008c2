//! One person of the crowd: connects, waits for a partner, says what is due, books what arrives.
//!
//! Speaking and listening go on side by side, because a person who waits for an answer still has
//! ears. The two share one task and the knowledge who the partner is, and nothing else.
//!
//! ```text
//! pacer --ring 3--> speak --Say 3--> server --Message 3--> listen (the partner's) --> ledger
//! ```

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use client::protocol::{ClientEvent, Event, MessageId, PairId, Refusal, Say, ServerEvent, Speaker};
use client::{ClientError, Receiver, Sender, Sent, TcpConnector, TransportKind};
use goose::goose::GooseUser;

use super::stage::{Seat, Stage};
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
/// The name under which goose keeps the messages, as it would keep a request's method.
pub(crate) const GOOSE_METHOD: &str = "MESSAGE";

type Connector = Counted<TcpConnector>;

/// A whole life, from the first connection to the farewell.
pub(crate) async fn live(stage: &Stage, user: &mut GooseUser) {
    let Some(mut seat) = stage.take_seat() else {
        // Goose begins a transaction anew until it has told each user to exit, one by one.
        tokio::time::sleep(ENCORE_PAUSE).await;
        return;
    };
    let opened = tokio::select! {
        biased;
        () = stage.stopped() => return,
        opened = open(stage, seat.person) => opened,
    };
    let (mut sender, mut receiver) = match opened {
        Ok(halves) => halves,
        Err(error) => {
            stage.fail(format!("person {} could not connect: {error}", seat.person));
            return;
        }
    };
    stage.connected.fetch_add(1, Ordering::Relaxed);
    stage.add_requests(sender.requests() + receiver.requests());
    let me = Person { stage, number: seat.person, partner: Mutex::new(None) };
    tokio::join!(me.speak(&mut seat, &mut sender), me.listen(&mut receiver, user));
    me.lose_partner();
    drop(receiver);
    // The server notices a closed connection too, only later.
    let _ = tokio::time::timeout(LEAVE_WAIT_MAX, sender.send(ClientEvent::Leave)).await;
}

async fn open(
    stage: &Stage,
    person: u32,
) -> Result<(Sender<Connector>, Receiver<Connector>), ClientError> {
    let options = client::Options {
        poll_interval: stage.route.poll_interval,
        keep_alive: stage.route.keeping == Keeping::All,
        ..client::Options::new(stage.route.host.clone())
    };
    if stage.route.kind == TransportKind::ShortPoll {
        tokio::time::sleep(phase(person, stage.route.poll_interval)).await;
    }
    let mut openings = 1;
    loop {
        let connector = stage.connector(person);
        match client::open(stage.route.kind, connector, options.clone()).await {
            Err(ClientError::Io(_)) if openings < OPENINGS_MAX => {
                tokio::time::sleep(RETRY_PAUSE * openings).await;
                openings += 1;
            }
            opened => return opened,
        }
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
    partner: Mutex<Option<PairId>>,
}

impl Person<'_> {
    async fn speak(&self, seat: &mut Seat, sender: &mut Sender<Connector>) {
        loop {
            let number = tokio::select! {
                biased;
                () = self.stage.stopped() => return,
                number = seat.bell.recv() => number,
            };
            let Some(number) = number else {
                return;
            };
            let Some(pair) = self.partner() else {
                self.stage.ledger.skip(self.number, number);
                continue;
            };
            tokio::select! {
                biased;
                () = self.stage.stopped() => return,
                () = self.say(number, pair, sender) => {}
            }
        }
    }

    async fn say(&self, number: u32, pair: PairId, sender: &mut Sender<Connector>) {
        let ledger = &self.stage.ledger;
        let requests = sender.requests();
        let id = ledger.send(self.number, number, pair.0, self.stage.now_us());
        let say = Say {
            id: MessageId::try_from(id).expect("three numbers fit in a message id"),
            text: TEXT.into(),
            pair: Some(pair),
        };
        match sender.send(ClientEvent::Say(say)).await {
            Ok(Sent::Accepted) => ledger.accept(self.number, number),
            Ok(Sent::Written) => {}
            Err(error) => {
                match error {
                    ClientError::Refused(_) => ledger.refuse(self.number, number),
                    _ => ledger.fail(self.number, number),
                }
                self.stage.add_error(format!("sending: {error}"));
            }
        }
        self.stage.add_requests(sender.requests() - requests);
    }

    async fn listen(&self, receiver: &mut Receiver<Connector>, user: &mut GooseUser) {
        let mut errors_in_a_row = 0;
        loop {
            let requests = receiver.requests();
            let received = tokio::select! {
                biased;
                () = self.stage.stopped() => return,
                received = receiver.receive() => received,
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
                }
                Err(error) => {
                    errors_in_a_row += 1;
                    self.stage.add_error(format!("receiving: {error}"));
                    if !self.goes_on_after(&error, errors_in_a_row) {
                        return self.lose_partner();
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// A poll or a stream that failed can be asked again; a socket that failed is gone.
    fn goes_on_after(&self, error: &ClientError, errors_in_a_row: u32) -> bool {
        self.stage.route.kind.reconnects()
            && !matches!(error, ClientError::Closed)
            && errors_in_a_row < POLL_ERRORS_MAX
    }

    async fn take(&self, event: &Event, at_us: u64, user: &mut GooseUser) {
        let stage = self.stage;
        match &event.body {
            ServerEvent::Paired { pair } => self.meet(*pair),
            ServerEvent::PartnerLeft { .. } => self.lose_partner(),
            ServerEvent::Message { from: Speaker::Me, id, .. } => {
                if let Some(number) = stage.ledger.number_of(self.number, id.as_str()) {
                    stage.ledger.accept(self.number, number);
                }
            }
            ServerEvent::Message { from: Speaker::Partner, id, .. } => {
                let pair = self.partner().map(|pair| pair.0);
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
            ServerEvent::Closing { reason, .. } => {
                stage.add_error(format!("the server closed a session: {reason:?}"));
            }
            ServerEvent::Lagged { .. } => stage.add_error("a mailbox overflowed".to_owned()),
            ServerEvent::Welcome { .. } | ServerEvent::Waiting | ServerEvent::Notice { .. } => {}
        }
    }

    fn take_refusal(&self, refusal: &Refusal) {
        let problem = &refusal.problem;
        self.stage.add_error(format!("sending: refused: {} {}", problem.status, problem.title));
        let number = refusal
            .id
            .as_ref()
            .and_then(|id| self.stage.ledger.number_of(self.number, id.as_str()));
        if let Some(number) = number {
            self.stage.ledger.refuse(self.number, number);
        }
    }

    fn partner(&self) -> Option<PairId> {
        *self.partner.lock().expect("nothing panics under this lock")
    }

    fn meet(&self, pair: PairId) {
        let mut partner = self.partner.lock().expect("nothing panics under this lock");
        if partner.replace(pair).is_none() {
            self.stage.paired.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lose_partner(&self) {
        let mut partner = self.partner.lock().expect("nothing panics under this lock");
        if partner.take().is_some() {
            self.stage.paired.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Enters the receipt in goose's own metrics, whose count must agree with the books.
async fn tell_goose(stage: &Stage, user: &mut GooseUser, latency_us: u64) {
    let name = stage.route.kind.name();
    let latency = Duration::from_micros(latency_us);
    let told =
        user.record_custom_request_duration(GOOSE_METHOD, name, latency, true, None, None).await;
    if let Err(error) = told {
        stage.add_error(format!("goose: {error}"));
    }
}
