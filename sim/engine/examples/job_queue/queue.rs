//! A job queue: an ordinary axum service that knows nothing of any simulation.
//!
//! ```text
//! PUT  /jobs/{job}    submits a job; submitting it again changes nothing
//! GET  /jobs/{job}    how often it was leased and completed
//! GET  /leases        for workers: server-sent events, each of which leases one job for a while
//! POST /completions   a worker has done the job that it leased
//! ```
//!
//! A worker that is lost completes nothing, so a job whose lease has expired is leased again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// How long a worker has until the job goes to another.
pub(crate) const LEASE: Duration = Duration::from_millis(150);
/// How often a stream without leases sends a comment, so that its worker knows that the queue is there.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_millis(100);
/// How often leases that have expired are looked for.
const EXPIRY_CHECK: Duration = Duration::from_millis(20);

/// How the queue takes completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completing {
    /// Takes each, for workers complete only what they have leased.
    Hasty,
    /// Takes only that of the job's present lease.
    Careful,
}

/// The right to do a job, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    job: String,
    number: u64,
}

/// How often a job was leased and completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) leased: u32,
    pub(crate) completed: u32,
}

/// What the queue keeps on its disk.
#[derive(Default)]
pub(crate) struct Jobs {
    jobs: BTreeMap<String, Progress>,
    /// The present lease of each job that has one: its number, and when it expires.
    leases: BTreeMap<String, (u64, Instant)>,
    last_lease: u64,
}

/// The queue. Clones share it.
#[derive(Clone)]
struct Queue {
    jobs: Arc<Mutex<Jobs>>,
    submitted: Arc<Notify>,
    completing: Completing,
}

/// A queue of the jobs on this disk.
pub(crate) fn router(jobs: Arc<Mutex<Jobs>>, completing: Completing) -> Router {
    let queue = Queue { jobs, submitted: Arc::default(), completing };
    // The last process may have ended in the middle of a lease: its time is over.
    queue.lock().leases.clear();
    Router::new()
        .route("/jobs/{job}", put(submit))
        .route("/jobs/{job}", get(progress))
        .route("/leases", get(leases))
        .route("/completions", post(complete))
        .with_state(queue)
}

async fn submit(State(queue): State<Queue>, Path(job): Path<String>) -> StatusCode {
    queue.lock().jobs.entry(job).or_default();
    queue.submitted.notify_waiters();
    StatusCode::NO_CONTENT
}

async fn progress(State(queue): State<Queue>, Path(job): Path<String>) -> Json<Progress> {
    Json(queue.lock().jobs.get(&job).copied().unwrap_or_default())
}

async fn leases(State(queue): State<Queue>) -> Sse<impl Stream<Item = Result<Event, axum::Error>>> {
    let leases = stream::unfold(queue, |queue| async {
        let lease = queue.next_lease().await;
        Some((Event::default().json_data(lease), queue))
    });
    Sse::new(leases).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

async fn complete(State(queue): State<Queue>, Json(lease): Json<Lease>) -> StatusCode {
    let Lease { job, number } = lease;
    let mut jobs = queue.lock();
    let is_present = jobs.leases.get(&job).is_some_and(|(present, _)| *present == number);
    if queue.completing == Completing::Careful && !is_present {
        return StatusCode::CONFLICT;
    }
    jobs.leases.remove(&job);
    jobs.jobs.entry(job).or_default().completed += 1;
    StatusCode::NO_CONTENT
}

impl Queue {
    /// Leases a job as soon as there is one.
    async fn next_lease(&self) -> Lease {
        loop {
            let submitted = self.submitted.notified();
            if let Some(lease) = self.lock().lease(Instant::now()) {
                return lease;
            }
            let _either = timeout(EXPIRY_CHECK, submitted).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    /// Leases a job that is neither completed nor leased.
    fn lease(&mut self, now: Instant) -> Option<Lease> {
        self.leases.retain(|_, (_, expires)| *expires > now);
        let is_free = |job: &String| !self.leases.contains_key(job);
        let mut waiting = self.jobs.iter_mut().filter(|(_, progress)| progress.completed == 0);
        let (job, progress) = waiting.find(|(job, _)| is_free(job))?;
        progress.leased += 1;
        self.last_lease += 1;
        self.leases.insert(job.clone(), (self.last_lease, now + LEASE));
        Some(Lease { job: job.clone(), number: self.last_lease })
    }
}
