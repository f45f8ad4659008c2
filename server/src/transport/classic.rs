//! The long-polling server as it began: requests that are parked until somebody announces
//! something, and a delayed greeting. It knows no session and no mailbox.
//!
//! ```text
//!   GET or POST /longpolling  ──>  park
//!                             <──  the announcement, at once
//!                             <──  `End/`, when none came in time; ask again
//!   POST /announce  text      ──>  everybody who is parked
//!   GET /hello                <──  `Hello World`, a second later
//! ```
//!
//! Every request waits for its own time, and a request whose connection is closed is forgotten.

mod rate;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError, watch};
use tokio::time::Instant;

use self::rate::{AnnounceRate, TooFast};
use super::no_body;
use crate::error::HttpError;
use crate::hub::{Hub, Rated, Rejected};
use crate::source::Source;

const TEXT: &str = "text/plain; charset=utf-8";
/// How long the greeting takes.
const HELLO_DELAY: Duration = Duration::from_secs(1);
/// The answer to a request that was parked in vain.
const END: &str = "End/\n";

/// Everybody who is parked.
pub(crate) struct Classic {
    hub: Arc<Hub>,
    news: watch::Sender<News>,
    /// Permits for parked requests, `parked_max` in all.
    permits: Semaphore,
    rate: Mutex<AnnounceRate>,
}

/// Permit for one parked request; dropping it returns it.
struct ParkPermit<'a> {
    classic: &'a Classic,
    _permit: SemaphorePermit<'a>,
}

#[derive(Debug, Clone)]
enum News {
    None,
    Announced(Arc<str>),
    /// The server shuts down.
    Over,
}

impl Classic {
    pub(crate) fn new(hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self {
            news: watch::Sender::new(News::None),
            permits: Semaphore::new(hub.config().parked_max),
            rate: Mutex::new(AnnounceRate::new(hub.config())),
            hub,
        })
    }

    /// The paths of the original program.
    pub(crate) fn routes(self: &Arc<Self>) -> Router<Arc<Hub>> {
        Router::new()
            .route("/longpolling", get(park).post(park))
            .route("/announce", post(announce))
            .route("/hello", get(hello))
            .with_state(Arc::clone(self))
    }

    /// Answers everybody who is parked, and parks nobody any more.
    pub(crate) fn drain(&self) {
        self.news.send_replace(News::Over);
    }

    fn check_length(&self, text: &str) -> Result<(), Rejected> {
        let (bytes, bytes_max) = (text.len(), self.hub.config().message_bytes_max);
        if bytes > bytes_max { Err(Rejected::TooLong { bytes, bytes_max }) } else { Ok(()) }
    }

    /// Counts one announcement of this address against the rate limits.
    fn rate_limit(&self, address: Option<IpAddr>) -> Result<(), Rejected> {
        let mut rate = self.rate.lock().expect("nothing panics under this lock");
        let taken = rate.take(Instant::now(), address);
        taken.map_err(|TooFast(wait)| Rejected::TooFast {
            what: Rated::Messages,
            retry_after_ms: wait.as_millis() as u64 + 1,
        })
    }
}

impl<'a> ParkPermit<'a> {
    fn take(classic: &'a Classic) -> Result<Self, TryAcquireError> {
        let permit = classic.permits.try_acquire()?;
        classic.hub.telemetry().parked();
        Ok(Self { classic, _permit: permit })
    }
}

impl Drop for ParkPermit<'_> {
    fn drop(&mut self) {
        self.classic.hub.telemetry().unparked();
    }
}

/// `GET /longpolling` and `POST /longpolling`
async fn park(State(classic): State<Arc<Classic>>, method: Method) -> Result<Response, HttpError> {
    if method == Method::HEAD {
        return Ok(head());
    }
    let config = classic.hub.config();
    let mut news = classic.news.subscribe();
    if let News::Over = *news.borrow_and_update() {
        return Ok(answer(END.to_owned()));
    }
    let Ok(_parked) = ParkPermit::take(&classic) else {
        return Err(HttpError::TooManyParked { retry_after_ms: config.retry_after_ms });
    };
    let told = tokio::time::timeout(config.poll_wait_max(), news.changed()).await;
    let news = news.borrow();
    Ok(answer(match (told, &*news) {
        (Ok(_), News::Announced(text)) => format!("{text}\n"),
        _ => END.to_owned(),
    }))
}

/// `POST /announce`
async fn announce(
    State(classic): State<Arc<Classic>>,
    source: Source,
    text: Result<String, StringRejection>,
) -> Result<StatusCode, HttpError> {
    let text = text?;
    if text.is_empty() {
        return Err(HttpError::NothingAnnounced);
    }
    let allowed = classic.check_length(&text).and_then(|()| classic.rate_limit(source.address));
    allowed.inspect_err(|rejected| classic.hub.telemetry().rejected(rejected.reason()))?;
    classic.news.send_if_modified(|news| {
        let goes_on = !matches!(news, News::Over);
        if goes_on {
            *news = News::Announced(text.into());
        }
        goes_on
    });
    Ok(StatusCode::ACCEPTED)
}

/// `GET /hello`
async fn hello(method: Method) -> Response {
    if method == Method::HEAD {
        return head();
    }
    tokio::time::sleep(HELLO_DELAY).await;
    answer("Hello World\n".to_owned())
}

fn answer(text: String) -> Response {
    text.into_response()
}

/// What GET is answered without its text, which is not known before its time.
fn head() -> Response {
    ([(CONTENT_TYPE, TEXT)], no_body()).into_response()
}
