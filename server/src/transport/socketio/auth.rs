//! What a client says of itself when it connects: in the payload of CONNECT, or in a query.
//!
//! What the payload says beats the query of the handshake. Socket.IO 2 has no payload, so its clients
//! put the same fields into that query, or behind the namespace, from where `namespace_query` takes
//! them; the query of the handshake beats that one, as in Socket.IO 2. Nothing is looked up here.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;
use socketioxide::ProtocolVersion;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::TryData;
use socketioxide::handler::FromConnectParts;
use socketioxide::socket::Socket;
use socketioxide_core::Value;
use socketioxide_core::parser::ParserError;

use super::describe::Language;
use protocol::Seq;

/// Who connects, and how far the events were read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Auth {
    /// The session to take up again; without it a new one is opened.
    pub(super) token: Option<String>,
    /// The last event that has arrived. Who says so keeps a cursor, acknowledges, and may come
    /// back to the session.
    pub(super) after: Option<Seq>,
    #[serde(rename = "lang")]
    pub(super) language: Option<Language>,
}

impl Auth {
    /// Reads a query, which is passed over when it makes no sense: other fields of it belong to other
    /// people.
    fn of_query(handshake: &Uri) -> Self {
        let query = Query::try_from_uri(handshake).map(|Query(query)| query);
        query.unwrap_or_default()
    }

    /// Reads the query behind a namespace, which stands in the place of a payload.
    fn of_namespace(query: Option<&Value>) -> Self {
        let Some(Value::Str(query, _)) = query else { return Self::default() };
        let query = format!("/?{}", query.as_str().trim_end()).parse();
        query.map(|query| Self::of_query(&query)).unwrap_or_default()
    }

    fn or(self, other: Self) -> Self {
        Self {
            token: self.token.or(other.token),
            after: self.after.or(other.after),
            language: self.language.or(other.language),
        }
    }

    /// True when the session outlives its connection.
    pub(super) fn is_resumable(&self) -> bool {
        self.token.is_some() || self.after.is_some()
    }
}

/// Who connects, or why that was not understood.
pub(super) struct TryAuth(pub(super) Result<Auth, ParserError>);

impl FromConnectParts<LocalAdapter> for TryAuth {
    type Error = Infallible;

    fn from_connect_parts(socket: &Arc<Socket>, said: &Option<Value>) -> Result<Self, Infallible> {
        let query = Auth::of_query(&socket.req_parts().uri);
        if socket.protocol() == ProtocolVersion::V4 {
            return Ok(Self(Ok(query.or(Auth::of_namespace(said.as_ref())))));
        }
        let TryData(auth) = TryData::<Option<Auth>>::from_connect_parts(socket, said)?;
        Ok(Self(auth.map(|auth| auth.unwrap_or_default().or(query))))
    }
}
