//! What an operator sees: liveness, readiness, figures.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::hub::{Counts, Hub};

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: new people are welcome.
pub(crate) async fn readyz(State(hub): State<Arc<Hub>>) -> impl IntoResponse {
    if hub.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

/// `GET /metrics`: gauges in the Prometheus text format.
pub(crate) async fn metrics(State(hub): State<Arc<Hub>>) -> String {
    let Counts { online, closed, waiting, pairs, attached, timers } = hub.counts();
    let gauges = [
        ("sessions", "Open sessions.", online),
        ("sessions_closed", "Ended sessions whose last events may be collected.", closed),
        ("waiting", "Sessions without a partner.", waiting),
        ("pairs", "Conversations.", pairs),
        ("readers", "Parked polls and sockets.", attached),
        ("timers", "Deadlines.", timers),
    ];
    let lines = gauges.map(|(name, help, value)| {
        format!(
            "# HELP racetrack_{name} {help}\n# TYPE racetrack_{name} gauge\nracetrack_{name} {value}\n"
        )
    });
    lines.concat()
}
