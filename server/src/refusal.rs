//! A connection whose address has too many: one request is read, and answered with 429.
//!
//! The request is read for its `Origin`, so that a page of a listed origin can read when to come back;
//! a preflight is answered as always. A peer that sends none is told all the same. What it may send and
//! how long it may take is bounded, and so is the number of connections that are told at once.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::HttpError;
use crate::gate::Gate;

/// What a refused connection may have sent before it reads why, in bytes.
const BYTES_MAX: usize = 16_384;
/// How long the head of its request may take.
const HEAD_MAX: Duration = Duration::from_millis(500);
/// How long a refused connection may take to read why.
const REFUSAL_MAX: Duration = Duration::from_secs(1);

/// Tells a connection that its address has too many.
pub(crate) async fn tell<Io>(io: Io, gate: Arc<Gate>)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _gone = tokio::time::timeout(REFUSAL_MAX, answer(io, gate)).await;
}

async fn answer<Io>(io: Io, gate: Arc<Gate>) -> io::Result<u64>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(BYTES_MAX)
        .keep_alive(false);
    let mut served = http.serve_connection(TokioIo::new(io), Refusing(Arc::clone(&gate)));
    let ended = poll_fn(|cx| served.poll_without_shutdown(cx)).await;
    let mut io = served.into_parts().io.into_inner();
    if ended.is_err_and(|error| error.is_timeout()) {
        io.write_all(&why(&gate).to_wire()).await?;
    }
    io.shutdown().await?;
    // What the peer has sent is read, or else the system resets the connection and the peer may
    // never see the answer.
    tokio::io::copy(&mut io.take(BYTES_MAX as u64), &mut tokio::io::sink()).await
}

pub(crate) fn why(gate: &Gate) -> HttpError {
    gate.addresses.refusal(gate.hub.config().retry_after_ms)
}

/// The service of a refused connection.
struct Refusing(Arc<Gate>);

impl hyper::service::Service<Request<Incoming>> for Refusing {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let gate = Arc::clone(&self.0);
        let page = gate.answers.page(&request);
        let is_preflight = page.as_ref().is_some_and(|page| page.is_preflight());
        Box::pin(async move {
            let refusal = (!is_preflight).then(|| why(&gate).into_response());
            Ok(gate.answers.finish(page, refusal).await)
        })
    }
}
