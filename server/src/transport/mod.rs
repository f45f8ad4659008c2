//! The ways in. A transport decides when a mailbox is read and how what it holds is framed.
//!
//! The contract of each: open or resume a session with [`Hub`](crate::hub::Hub), read its mailbox
//! through one [`Reader`](crate::hub::Reader), hand what the person says to `Hub::send`. No
//! transport talks to another, and none keeps events of its own: what cannot be sent now stays
//! in the mailbox. A cursor that is refused supersedes nobody. HEAD is answered as GET where that can
//! be said without reading, and changes nothing (RFC 9110, section 9.2.1).
//!
//! | transport | read | order | lost across a reconnect | presence ends |
//! |---|---|---|---|---|
//! | short poll | on request | FIFO | nothing, within the lease | `leave`, or the lease ran out |
//! | long poll | on request, parked | FIFO | nothing, within the resume window | `leave`, or the resume window after a cut poll |
//! | SSE | pushed | FIFO | nothing, within the resume window | `leave`, or the resume window after a cut stream |
//! | WebSocket | pushed | FIFO | nothing, within the resume window | close frame: at once; lost, or no heartbeat: the resume window |
//! | Socket.IO | pushed | FIFO | what was in flight; nothing, within the resume window, with `after` or a token | disconnect: at once; lost, or no poll within the grace after a cut one, or no heartbeat: at once; the resume window with `after` or a token |

pub(crate) mod credentials;

mod handshake;

pub(crate) mod classic;
pub(crate) mod poll;
pub(crate) mod sse;
pub(crate) mod ticket;
pub(crate) mod websocket;

pub(crate) mod socketio;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use protocol::{Seq, safe_integer};

/// The query of a transport that pushes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Opening {
    /// The last event that the client has; without it, everything that the mailbox still has is
    /// sent.
    #[serde(default, deserialize_with = "safe_integer::seq_in_query")]
    after: Option<Seq>,
}

/// Body of an answer to HEAD. Its length is not known, so that nothing is said of the length that the
/// answer to GET would have.
fn no_body() -> Body {
    Body::from_stream(stream::empty::<Result<Bytes, Infallible>>())
}
