//! A worker: it follows the queue's stream of leases, does each job, and says so.
//!
//! It knows nothing of any simulation but the type of the connector by which its HTTP client dials.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client as HttpClient;
use racetrack_sim::HyperConnector;
use tokio::time::{sleep, timeout};

use crate::queue::{KEEP_ALIVE, Lease};

/// An HTTP client that keeps its connections in a pool.
pub(crate) type Http = HttpClient<HyperConnector, Full<Bytes>>;
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a job takes.
const WORK: Duration = Duration::from_millis(50);
/// A queue of which nothing is heard for so long is gone.
const SILENCE: Duration = KEEP_ALIVE.saturating_mul(6);
/// How long until the worker connects again.
const AGAIN: Duration = Duration::from_millis(20);

/// Works until its process is ended.
pub(crate) async fn work(http: Http) -> ! {
    loop {
        // Where the stream breaks off, the leases that were on their way expire.
        let _broken = follow(&http).await;
        sleep(AGAIN).await;
    }
}

/// Does what one stream leases, until the stream ends.
async fn follow(http: &Http) -> Result<(), Error> {
    let request = Request::get("http://queue/leases").body(Full::default())?;
    let mut leases = timeout(SILENCE, http.request(request)).await??.into_body();
    let mut received = Vec::new();
    while let Some(frame) = timeout(SILENCE, leases.frame()).await? {
        received.extend_from_slice(&frame?.into_data().unwrap_or_default());
        while let Some(event) = next_event(&mut received) {
            if let Some(data) = event.strip_prefix(b"data: ") {
                tokio::spawn(complete(http.clone(), serde_json::from_slice(data)?));
            }
        }
    }
    Ok(())
}

/// Takes the next event off what was received, once it is complete; an event of the queue is one line.
fn next_event(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = received.windows(2).position(|bytes| bytes == b"\n\n")?;
    let mut event: Vec<_> = received.drain(..end + 2).collect();
    event.truncate(end);
    Some(event)
}

/// Does a job. If the queue does not hear of it, the lease expires, and the job is done again.
async fn complete(http: Http, lease: Lease) {
    sleep(WORK).await;
    let body = serde_json::to_vec(&lease).expect("a lease is plain data");
    let _unheard = call(&http, Method::POST, "http://queue/completions", body).await;
}

/// Sends a request, and returns the body of the answer.
pub(crate) async fn call(
    http: &Http,
    method: Method,
    uri: &str,
    body: Vec<u8>,
) -> Result<Bytes, Error> {
    let request = Request::builder().method(method).uri(uri);
    let request = request.header("content-type", "application/json").body(Full::from(body))?;
    let answered = async { Ok(http.request(request).await?.into_body().collect().await?) };
    let answer: Result<_, Error> = timeout(SILENCE, answered).await?;
    Ok(answer?.to_bytes())
}
