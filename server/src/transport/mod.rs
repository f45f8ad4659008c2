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
//! | Socket.IO | pushed | FIFO | what was in flight, unless a token was used | disconnect: at once; lost: at once, or the resume window if a token was used |

pub(crate) mod poll;
pub(crate) mod socketio;
