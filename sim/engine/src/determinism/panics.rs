//! Panics on simulated threads, kept as evidence instead of printed.
//!
//! A panicking task is reported by its runtime in other words than its own, or
//! caught by a layer of the server and answered with a status; here the first
//! words and their place survive. Panics on other threads are not touched.

use std::any::Any;
use std::panic;

use super::outside::Outside;
use super::state;

/// How the panic of tokio begins that its sockets and signals raise on a simulated host, whose
/// runtime has no driver for either. Its advice, to enable I/O, cannot be followed there.
const NO_DRIVER: &str = "A Tokio 1.x context was found, but IO is disabled";

/// Puts a hook before the present one. To be called once a process.
pub(super) fn install_hook() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = text_of(info.payload());
        if text.starts_with(NO_DRIVER) {
            let _is_simulated = state::trip("tokio's I/O driver", Outside::Driver);
        }
        let line = match info.location() {
            Some(place) => format!("{text} (at {place})"),
            None => text.to_owned(),
        };
        if state::with(|state| state.panics.push(line)).is_none() {
            previous(info);
        }
    }));
}

/// What the panics of a thread said, one a line; for lack of any (somebody
/// else's hook may have replaced ours) what the last one carried.
pub(super) fn describe(panics: &[String], payload: &(dyn Any + Send)) -> String {
    if panics.is_empty() {
        return text_of(payload).to_owned();
    }
    panics.join("\n")
}

pub(crate) fn text_of(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a text"
    }
}
