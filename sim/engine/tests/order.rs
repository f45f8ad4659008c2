//! Mistakes that only another order of ready tasks shows: tokio's order hides each of them in 5,000 seeds, and the order that
//! seeds draw finds it in 2,000.
//!
//! None of the services waits between its steps: each lock is free, each queue has room. So a handler runs from its request to
//! its reply in one turn, and what it checked before still holds when it acts.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use racetrack_sim::{
    Client, History, IntoModel, Options, Sim, SimListener, SimStream, Violation,
    sweep_to_first_failure,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::AbortHandle;

type Error = Box<dyn std::error::Error>;

/// Seeds in which tokio's order must find nothing.
const FIFO_SEEDS: u64 = 5_000;
/// Seeds in which the drawn order must find it, and in which the corrected service must pass.
const DRAWN_SEEDS: u64 = 2_000;
/// How long a client waits for a reply.
const PATIENCE: Duration = Duration::from_millis(500);

/// Answers each line of each connection with a line.
async fn serve<F: Future<Output = String> + Send + 'static>(
    listener: SimListener,
    answer: impl Fn(String) -> F + Clone + Send + Sync + 'static,
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer_lines(stream, answer.clone()));
    }
}

async fn answer_lines<F: Future<Output = String>>(
    stream: SimStream,
    answer: impl Fn(String) -> F,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let reply = answer(line.trim_end().to_owned()).await;
        stream.write_all(format!("{reply}\n").as_bytes()).await?;
    }
}

/// Asks for each of the lines in turn, and records the last reply.
async fn ask(client: Client<String>, lines: &[&str]) -> Result<(), Error> {
    let mut stream = BufReader::new(client.connect("service").await?);
    let mut reply = String::new();
    for line in lines {
        reply.clear();
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        if tokio::time::timeout(PATIENCE, stream.read_line(&mut reply)).await.is_err() {
            reply.push_str("no reply");
        }
    }
    client.record(reply.trim_end().to_owned());
    Ok(())
}

/// A violation for every reply that is this one.
fn never(reply: &'static str) -> impl Fn(&History<String>) -> Vec<Violation> {
    move |history| {
        let wrong = history.iter().filter(|event| event.what == reply);
        wrong.map(|event| Violation::because(reply, &[event.index])).collect()
    }
}

/// The first seed that fails: in tokio's order, in an order that it draws.
fn first_failure(declare: impl Fn(&mut Sim<String>), seeds: u64, reorder: bool) -> Option<u64> {
    let options = Options { faults: Vec::new(), reorder, ..Options::default() };
    let jobs = racetrack_sim::sweep::cores();
    let sweep = sweep_to_first_failure(&declare.into_model(), 0..seeds, &options, jobs, |_| ());
    sweep.failures.first().map(|failure| failure.seed)
}

/// Only a drawn order finds the mistake, and nothing is found once it is corrected.
#[track_caller]
fn only_a_drawn_order_finds(mistaken: fn(&mut Sim<String>), corrected: fn(&mut Sim<String>)) {
    assert_eq!(first_failure(mistaken, FIFO_SEEDS, false), None, "in tokio's order");
    let found = first_failure(mistaken, DRAWN_SEEDS, true);
    assert!(found.is_some(), "in drawn orders");
    assert_eq!(first_failure(corrected, DRAWN_SEEDS, true), None, "corrected");
}

// A coupon that is valid once. The check takes the lock, and so does the note that it was used.

async fn redeem(used: Arc<Mutex<BTreeSet<String>>>, coupon: String, is_careful: bool) -> String {
    if is_careful {
        let is_first = used.lock().await.insert(coupon);
        return if is_first { "granted" } else { "used" }.to_owned();
    }
    if used.lock().await.contains(&coupon) {
        return "used".to_owned();
    }
    used.lock().await.insert(coupon);
    "granted".to_owned()
}

fn coupons(sim: &mut Sim<String>, is_careful: bool) {
    sim.host("service", move |listener| {
        let used = Arc::default();
        serve(listener, move |coupon| redeem(Arc::clone(&used), coupon, is_careful))
    });
    for name in ["ann", "bob"] {
        sim.client(name, |client| ask(client, &["SPRING"]));
    }
    sim.checker("coupon-used-once", |history| {
        let granted = history.iter().filter(|event| event.what == "granted");
        let granted: Vec<_> = granted.map(|event| event.index).collect();
        let is_twice = granted.len() > 1;
        is_twice
            .then(|| Violation::because("a coupon was used twice", &granted))
            .into_iter()
            .collect()
    });
}

#[test]
fn check_and_act_under_two_locks_are_found_only_by_a_drawn_order() {
    only_a_drawn_order_finds(|sim| coupons(sim, false), |sim| coupons(sim, true));
}

// Jobs that run in tasks of their own. A job removes itself from the register, where its handler puts it after it was started
// and announced.

#[derive(Clone)]
struct Jobs {
    register: Arc<Mutex<BTreeMap<String, AbortHandle>>>,
    announced: mpsc::Sender<String>,
}

impl Jobs {
    fn none() -> Self {
        let (announced, mut announcements) = mpsc::channel(16);
        tokio::spawn(async move { while announcements.recv().await.is_some() {} });
        Self { register: Arc::default(), announced }
    }

    async fn start(self, id: String, is_careful: bool) -> String {
        if id == "count" {
            return format!("{} running", self.register.lock().await.len());
        }
        let mut register = None;
        if is_careful {
            register = Some(self.register.lock().await);
        }
        let (job, ended) = (id.clone(), Arc::clone(&self.register));
        let job = tokio::spawn(async move { drop(ended.lock().await.remove(&job)) });
        let _reader_never_ends = self.announced.send(id.clone()).await;
        let mut register = match register {
            Some(register) => register,
            None => self.register.lock().await,
        };
        register.insert(id, job.abort_handle());
        "started".to_owned()
    }
}

fn jobs(sim: &mut Sim<String>, is_careful: bool) {
    sim.host("service", move |listener| {
        let jobs = Jobs::none();
        serve(listener, move |line| jobs.clone().start(line, is_careful))
    });
    sim.client("ann", |client| ask(client, &["backup", "count"]));
    sim.checker("ended-jobs-are-forgotten", never("1 running"));
}

#[test]
fn task_that_ends_before_it_is_registered_is_found_only_by_a_drawn_order() {
    only_a_drawn_order_finds(|sim| jobs(sim, false), |sim| jobs(sim, true));
}

// A worker that looks up who waits for its result. The handler counts and registers that after it sent the request.

#[derive(Clone)]
struct Worker {
    requests: mpsc::Sender<String>,
    waiting: Arc<Mutex<BTreeMap<String, oneshot::Sender<usize>>>>,
    asked: Arc<Mutex<usize>>,
}

impl Worker {
    fn start() -> Self {
        let (requests, mut queue) = mpsc::channel::<String>(16);
        let waiting = Arc::<Mutex<BTreeMap<String, oneshot::Sender<usize>>>>::default();
        let replies = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(request) = queue.recv().await {
                if let Some(reply) = replies.lock().await.remove(&request) {
                    let _client_is_gone = reply.send(request.len());
                }
            }
        });
        Self { requests, waiting, asked: Arc::default() }
    }

    async fn ask(self, request: String, is_careful: bool) -> String {
        let (reply, result) = oneshot::channel();
        if is_careful {
            self.waiting.lock().await.insert(request.clone(), reply);
            let _worker_never_ends = self.requests.send(request).await;
        } else {
            let _worker_never_ends = self.requests.send(request.clone()).await;
            *self.asked.lock().await += 1;
            self.waiting.lock().await.insert(request, reply);
        }
        result.await.map_or_else(|_| "no result".to_owned(), |length| length.to_string())
    }
}

fn lengths(sim: &mut Sim<String>, is_careful: bool) {
    sim.host("service", move |listener| {
        let worker = Worker::start();
        serve(listener, move |request| worker.clone().ask(request, is_careful))
    });
    sim.client("ann", |client| ask(client, &["abc"]));
    sim.checker("requests-are-answered", never("no reply"));
}

#[test]
fn reply_that_is_registered_after_the_request_is_found_only_by_a_drawn_order() {
    only_a_drawn_order_finds(|sim| lengths(sim, false), |sim| lengths(sim, true));
}

// Two queues: orders go to the ledger, and then to the mailer, which takes them to be in the ledger by then. Neither worker
// has a connection; the ledger reads the clock and writes a journal before it enters the order.

type Ledger = Arc<Mutex<BTreeMap<String, Instant>>>;

#[derive(Clone)]
struct Shop {
    entries: mpsc::Sender<(String, oneshot::Sender<()>)>,
    mails: mpsc::Sender<(String, oneshot::Sender<&'static str>)>,
}

impl Shop {
    fn open() -> Self {
        let (entries, mut to_enter) = mpsc::channel::<(String, oneshot::Sender<()>)>(16);
        let (mails, mut to_send) = mpsc::channel::<(String, oneshot::Sender<&str>)>(16);
        let ledger = Ledger::default();
        let entered = Arc::clone(&ledger);
        let (journal, mut written) = mpsc::channel(16);
        tokio::spawn(async move { while written.recv().await.is_some() {} });
        tokio::spawn(async move {
            while let Some((order, done)) = to_enter.recv().await {
                #[allow(clippy::disallowed_methods, reason = "a service reads std's clock")]
                let at = Instant::now();
                let _journal_never_ends = journal.send(order.clone()).await;
                entered.lock().await.insert(order, at);
                let _nobody_waits = done.send(());
            }
        });
        tokio::spawn(async move {
            while let Some((order, sent)) = to_send.recv().await {
                let is_known = ledger.lock().await.contains_key(&order);
                let _client_is_gone = sent.send(if is_known { "mailed" } else { "unknown order" });
            }
        });
        Self { entries, mails }
    }

    async fn order(self, order: String, is_careful: bool) -> String {
        let ((done, entered), (sent, mail)) = (oneshot::channel(), oneshot::channel());
        let _worker_never_ends = self.entries.send((order.clone(), done)).await;
        if is_careful {
            let _worker_never_ends = entered.await;
        }
        let _worker_never_ends = self.mails.send((order, sent)).await;
        mail.await.unwrap_or("no mailer").to_owned()
    }
}

fn shop(sim: &mut Sim<String>, is_careful: bool) {
    sim.host("service", move |listener| {
        let shop = Shop::open();
        serve(listener, move |order| shop.clone().order(order, is_careful))
    });
    sim.client("ann", |client| ask(client, &["7"]));
    sim.checker("mailed-orders-are-in-the-ledger", never("unknown order"));
}

#[test]
fn order_of_two_queues_is_found_only_by_a_drawn_order() {
    only_a_drawn_order_finds(|sim| shop(sim, false), |sim| shop(sim, true));
}
