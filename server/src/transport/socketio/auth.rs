//! What a client says of itself when it connects: in the payload of CONNECT, or in the query.
//!
//! Socket.IO 2 has no payload, so its clients put the same fields into the query of the
//! handshake. What the payload says beats the query. Nothing is looked up here.

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;

use super::words::Language;
use crate::protocol::Seq;

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
    /// Fills the gaps from the query of the handshake, which is passed over when it makes no sense:
    /// other fields of it belong to other people.
    pub(super) fn or_query(self, handshake: &Uri) -> Self {
        let query = Query::<Self>::try_from_uri(handshake).map(|Query(query)| query);
        let query = query.unwrap_or_default();
        Self {
            token: self.token.or(query.token),
            after: self.after.or(query.after),
            language: self.language.or(query.language),
        }
    }

    /// True when the session outlives its connection.
    pub(super) fn is_resumable(&self) -> bool {
        self.token.is_some() || self.after.is_some()
    }
}
