//! Opening a session and sending commands over plain HTTP, one request each.
//!
//! Every transport that reads over HTTP speaks this way; they differ in how they read.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use protocol::{Ack, ClientEvent, Opened, Seq};
use serde::Deserialize;

use crate::http::{Ask, HttpConnection};
use crate::{ClientError, Connect, Options, Resume, Sent};

/// How what was received is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledges {
    /// With the next request of the receiver.
    ByAsking,
    /// By a request of its own.
    ByCommand,
}

/// Commands, one request each.
pub(crate) struct Sender<C: Connect> {
    connection: HttpConnection<C>,
    acknowledges: Acknowledges,
}

/// Opens a session, or takes the one to resume; gives the half that speaks.
pub(crate) async fn open<C: Connect>(
    connector: C,
    options: &Options,
    acknowledges: Acknowledges,
) -> Result<(Resume, Sender<C>), ClientError> {
    let mut connection = HttpConnection::new(connector, options)?;
    let identity = match &options.resume {
        Some(resume) => resume.clone(),
        None => open_session(&mut connection).await?,
    };
    connection.authorize(&identity.token)?;
    Ok((identity, Sender { connection, acknowledges }))
}

async fn open_session<C: Connect>(
    connection: &mut HttpConnection<C>,
) -> Result<Resume, ClientError> {
    let answer = connection.request(command(Method::POST, "/api/session", Bytes::new())).await?;
    let opened: Opened = parse("the answer to an opening", &answer)?;
    Ok(Resume { session: opened.session, token: opened.token, after: opened.next })
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(what: &str, body: &'a [u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::unreadable(what, &error))
}

/// Everything up to `seq` has arrived; an acknowledgement may arrive twice.
pub(crate) fn acknowledgement(seq: Seq) -> Ask {
    let body = serde_json::to_vec(&Ack { seq }).expect("a number is JSON");
    Ask { repeatable: true, ..command(Method::POST, "/api/ack", body.into()) }
}

/// A request that changes something, and that must not be repeated blindly.
fn command(method: Method, target: &str, body: Bytes) -> Ask {
    Ask { method, target: target.to_owned(), body, repeatable: false, wait: Duration::ZERO }
}

impl<C: Connect> Sender<C> {
    pub(crate) async fn send(&mut self, event: ClientEvent) -> Result<Sent, ClientError> {
        let ask = match event {
            ClientEvent::Say(say) => {
                let body = serde_json::to_vec(&say).expect("text and numbers are JSON");
                // The message's id tells the server that a repeated message is the same one.
                Ask { repeatable: true, ..command(Method::POST, "/api/messages", body.into()) }
            }
            ClientEvent::Next { pair: None } => command(Method::POST, "/api/next", Bytes::new()),
            ClientEvent::Next { pair: Some(pair) } => {
                let body = serde_json::json!({ "pair": pair }).to_string();
                command(Method::POST, "/api/next", body.into())
            }
            ClientEvent::Leave => {
                // Who has left already leaves again without harm.
                Ask { repeatable: true, ..command(Method::DELETE, "/api/session", Bytes::new()) }
            }
            ClientEvent::Ack { seq } => match self.acknowledges {
                Acknowledges::ByAsking => return Ok(Sent::Accepted),
                Acknowledges::ByCommand => acknowledgement(seq),
            },
        };
        self.connection.request(ask).await?;
        Ok(Sent::Accepted)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.connection.requests()
    }
}
