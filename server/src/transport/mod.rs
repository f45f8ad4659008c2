//! The ways in. A transport decides when a mailbox is read and how what it holds is framed.
//!
//! The contract of each: open or resume a session with [`Hub`](crate::hub::Hub), read its mailbox
//! through one [`Reader`](crate::hub::Reader), hand what the person says to `Hub::send`. No
//! transport talks to another, and none keeps events of its own: what cannot be sent now stays
//! in the mailbox.
//!
//! | transport | read | order | lost across a reconnect | presence ends |
//! |---|---|---|---|---|
//! | short poll | on request | FIFO | nothing, within the lease | `leave`, or the lease ran out |
//! | long poll | on request, parked | FIFO | nothing, within the resume window | `leave`, or the resume window after a cut poll |
//! | SSE | pushed | FIFO | nothing, within the resume window | `leave`, or the resume window after a cut stream |
//! | WebSocket | pushed | FIFO | nothing, within the resume window | close frame: at once; lost, or no heartbeat: the resume window |
//! | Socket.IO | pushed | FIFO | what was in flight; nothing, within the resume window, with `after` or a token | disconnect: at once; lost, or no poll within the grace after a cut one, or no heartbeat: at once; the resume window with `after` or a token |

pub(crate) mod who;

pub(crate) mod classic;
pub(crate) mod poll;
pub(crate) mod sse;
pub(crate) mod websocket;

pub(crate) mod socketio;

use serde::Deserialize;
use utoipa::IntoParams;

use crate::hub::{Detach, Reader, Rejected};
use crate::protocol::{Seq, whole};

/// The query of a transport that pushes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Opening {
    /// The last event that the client has; without it, everything that the mailbox still has is
    /// sent.
    #[serde(default, deserialize_with = "whole::seq_in_query")]
    after: Option<Seq>,
}

/// Begins to read behind `after`, which that acknowledges; without it, with the first event that
/// the mailbox still has.
async fn take_up(reader: Reader, after: Option<Seq>) -> Result<(Reader, Seq), Rejected> {
    let begun = match after {
        // Somebody who pushes nothing back need not acknowledge ever: that is not said by this.
        Some(Seq(0)) if reader.beginning().await == Ok(Seq(0)) => Ok(Seq(0)),
        Some(after) => reader.acknowledge(after).await.map(|()| after),
        None => reader.beginning().await,
    };
    match begun {
        Ok(cursor) => Ok((reader, cursor)),
        Err(rejected) => {
            reader.finish(Detach::Answered).await;
            Err(rejected)
        }
    }
}
