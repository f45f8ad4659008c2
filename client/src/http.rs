//! One keep-alive HTTP/1.1 connection: a request, then its answer, read to the end.
//!
//! An answer that does not end is read as it comes in, over a connection of its own.
//!
//! It knows nothing of sessions. Between two requests only the bare stream is kept, so an idle
//! client costs no buffers; while a request is under way the stream is owned by its future, so
//! dropping that future closes the connection at once. There is no task behind it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{ANSWER_BYTES_MAX, ClientError, Connect, Options};

/// A request, as far as the transports differ.
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    /// JSON; empty where there is none.
    pub(crate) body: Bytes,
    /// True when the server may get it twice without harm.
    pub(crate) repeatable: bool,
    /// How long the server may take on purpose.
    pub(crate) wait: Duration,
}

/// A connection to one server on behalf of one session, opened when it is needed.
pub(crate) struct HttpConnection<C: Connect> {
    connector: C,
    host: HeaderValue,
    bearer: Option<HeaderValue>,
    answer_max: Duration,
    /// Whether commands leave a connection behind that the next may go over.
    keep_alive: bool,
    idle: Option<C::Stream>,
    requests: u64,
}

impl<C: Connect> HttpConnection<C> {
    pub(crate) fn new(connector: C, options: &Options) -> Result<Self, ClientError> {
        let host = header(&options.host)?;
        let Options { answer_max, keep_alive, .. } = *options;
        Ok(Self { connector, host, bearer: None, answer_max, keep_alive, idle: None, requests: 0 })
    }

    /// Sends the session's token with every request from now on.
    pub(crate) fn authorize(&mut self, token: &str) -> Result<(), ClientError> {
        self.bearer = Some(bearer(token)?);
        Ok(())
    }

    /// Requests sent, those sent again included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// The body of a 2xx answer; any other answer is an error.
    pub(crate) async fn request(&mut self, ask: Ask) -> Result<Bytes, ClientError> {
        let limit = ask.wait + self.answer_max;
        let answer = tokio::time::timeout(limit, self.ask_and_repeat(&ask))
            .await
            .map_err(|_| ClientError::Unanswered(limit))??;
        match answer.status {
            200..=299 => Ok(answer.body),
            status => Err(ClientError::from_answer(status, &answer.body)),
        }
    }

    /// Asks for an answer without an end, on a new connection.
    pub(crate) async fn stream(&mut self, ask: Ask) -> Result<Streamed<C::Stream>, ClientError> {
        self.requests += 1;
        let begin = async {
            let stream = self.connector.connect().await?;
            Streamed::begin(stream, self.compose(&ask)).await
        };
        let begun = tokio::time::timeout(self.answer_max, begin).await;
        begun.map_err(|_| ClientError::Unanswered(self.answer_max))?
    }

    async fn ask_and_repeat(&mut self, ask: &Ask) -> Result<Answer, ClientError> {
        if let Some(stream) = self.take_idle().await {
            match self.ask_on(stream, ask).await {
                Err(failure) if failure.may_repeat(ask) => {}
                outcome => return outcome.map_err(Failure::into_error),
            }
        }
        let stream = self.connector.connect().await?;
        self.ask_on(stream, ask).await.map_err(Failure::into_error)
    }

    /// The kept connection, unless the server has closed it in the meantime.
    async fn take_idle(&mut self) -> Option<C::Stream> {
        let mut stream = self.idle.take()?;
        is_quiet(&mut stream).await.then_some(stream)
    }

    async fn ask_on(&mut self, stream: C::Stream, ask: &Ask) -> Result<Answer, Failure> {
        self.requests += 1;
        let (answer, stream) = exchange(stream, self.compose(ask)).await?;
        self.idle = stream.filter(|_| self.keeps(ask));
        Ok(answer)
    }

    /// What is listened on is kept in any case.
    fn keeps(&self, ask: &Ask) -> bool {
        self.keep_alive || ask.method == Method::GET
    }

    fn compose(&self, ask: &Ask) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = ask.target.parse().expect("targets are written by this crate");
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        if let Some(bearer) = &self.bearer {
            headers.insert(AUTHORIZATION, bearer.clone());
        }
        if !self.keeps(ask) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if !ask.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request
    }
}

/// The value of `Authorization` that carries a session's token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let mut bearer = header(&format!("Bearer {token}"))?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

fn header(text: &str) -> Result<HeaderValue, ClientError> {
    HeaderValue::from_str(text)
        .map_err(|_| ClientError::Protocol(format!("{text:?} does not fit in a header")))
}

/// True when nothing waits to be read: neither the end of the stream, nor bytes that no request
/// asked for.
async fn is_quiet<S: AsyncRead + Unpin>(stream: &mut S) -> bool {
    poll_fn(|cx| {
        let mut byte = [0];
        let read = Pin::new(&mut *stream).poll_read(cx, &mut ReadBuf::new(&mut byte));
        Poll::Ready(read.is_pending())
    })
    .await
}

struct Answer {
    status: u16,
    body: Bytes,
    keep_alive: bool,
}

/// How far a request came before it failed.
enum Failure {
    /// Nothing of it was written.
    Unsent(ClientError),
    /// It may have arrived; no answer did.
    Unanswered(ClientError),
    /// An answer began.
    Broken(ClientError),
}

impl Failure {
    fn may_repeat(&self, ask: &Ask) -> bool {
        match self {
            Self::Unsent(_) => true,
            Self::Unanswered(_) => ask.repeatable,
            Self::Broken(_) => false,
        }
    }

    fn into_error(self) -> ClientError {
        match self {
            Self::Unsent(error) | Self::Unanswered(error) | Self::Broken(error) => error,
        }
    }
}

/// One request on `stream`, driven here; gives the stream back when it can serve another.
async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(Answer, Option<S>), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, mut connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::Unsent(error.into()))?;
    let mut answer = pin!(read_answer(sender.try_send_request(request)));
    tokio::select! {
        biased;
        answer = &mut answer => {
            let answer = answer?;
            let parts = connection.into_parts();
            let spare = answer.keep_alive && parts.read_buf.is_empty();
            return Ok((answer, spare.then(|| parts.io.into_inner())));
        }
        // The connection has ended, perhaps right behind the answer.
        _ = &mut connection => {}
    }
    drop(connection);
    Ok((answer.await?, None))
}

/// A 2xx answer that goes on; the connection is driven while somebody waits for more of it.
pub(crate) struct Streamed<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    body: Incoming,
    connection: http1::Connection<TokioIo<S>, Full<Bytes>>,
    connection_has_ended: bool,
    /// Without it, the connection would take the answer for the last thing that is wanted.
    _requests: http1::SendRequest<Full<Bytes>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Streamed<S> {
    async fn begin(stream: S, request: Request<Full<Bytes>>) -> Result<Self, ClientError> {
        let (mut requests, mut connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut response = pin!(requests.send_request(request));
        let mut connection_has_ended = false;
        let response = loop {
            tokio::select! {
                biased;
                response = &mut response => break response?,
                _ = &mut connection, if !connection_has_ended => connection_has_ended = true,
            }
        };
        let (head, body) = response.into_parts();
        let mut streamed = Self { body, connection, connection_has_ended, _requests: requests };
        if head.status.is_success() {
            return Ok(streamed);
        }
        let mut refusal = Vec::new();
        while let Some(bytes) = streamed.next().await? {
            refusal.extend_from_slice(&bytes);
            if refusal.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        Err(ClientError::from_answer(head.status.as_u16(), &refusal))
    }

    /// What comes in next; none at the end of the answer. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            tokio::select! {
                biased;
                frame = self.body.frame() => match frame {
                    None => return Ok(None),
                    Some(frame) => if let Ok(bytes) = frame?.into_data() {
                        return Ok(Some(bytes));
                    },
                },
                // What it has read before its end is still to be had.
                _ = &mut self.connection, if !self.connection_has_ended => {
                    self.connection_has_ended = true;
                }
            }
        }
    }
}

async fn read_answer(
    response: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>>>,
) -> Result<Answer, Failure> {
    let (head, body) = response.await.map_err(not_answered)?.into_parts();
    let keep_alive = head.version == Version::HTTP_11
        && head
            .headers
            .get(CONNECTION)
            .is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"close"));
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(broken)?.to_bytes();
    Ok(Answer { status: head.status.as_u16(), body, keep_alive })
}

fn not_answered(mut error: TrySendError<Request<Full<Bytes>>>) -> Failure {
    match error.take_message() {
        Some(_) => Failure::Unsent(error.into_error().into()),
        None => Failure::Unanswered(error.into_error().into()),
    }
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> Failure {
    Failure::Broken(match error.downcast::<hyper::Error>() {
        Ok(error) => ClientError::from(*error),
        Err(error) if error.is::<LengthLimitError>() => {
            ClientError::Protocol(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"))
        }
        Err(error) => ClientError::Protocol(format!("http body: {error}")),
    })
}
