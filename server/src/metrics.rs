//! What an operator sees: liveness, readiness, and the figures in the OpenMetrics text format.
//!
//! The same figures in the same order every time: nothing here depends on the wall clock or on
//! the order of a hash map.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::{Registry, Unit};

use crate::hub::{Counts, Hub};
use crate::telemetry::{Distribution, Telemetry};

/// The format, as <https://prometheus.io/docs/specs/om/open_metrics_spec/> names it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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

/// `GET /metrics`
pub(crate) async fn metrics(State(hub): State<Arc<Hub>>) -> impl IntoResponse {
    let mut registry = Registry::with_prefix("racetrack");
    registry.register_collector(Box::new(Figures(hub)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)
        .expect("a string takes everything");
    ([(CONTENT_TYPE, OPEN_METRICS)], text)
}

/// Reads a hub whenever it is scraped.
struct Figures(Arc<Hub>);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let telemetry = self.0.telemetry();
        build(&mut encoder)?;
        for (name, help, value) in gauges(self.0.counts(), telemetry) {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&(value as u64))?;
        }
        counters(&mut encoder, "events", "Events put into mailboxes", "type", telemetry.events())?;
        let refused = telemetry.rejections().into_iter();
        counters(&mut encoder, "rejections", "Requests and commands refused", "reason", refused)?;
        let help = "From the mailbox to the transport that reads it";
        let delivered = telemetry.delivered_us();
        histogram(&mut encoder, "deliver", help, Some(&Unit::Seconds), &delivered, 1e6)?;
        let help = "Events in a mailbox when one is added";
        histogram(&mut encoder, "mailbox_depth", help, None, &telemetry.depth_events(), 1.0)
    }
}

fn gauges(counts: Counts, telemetry: &Telemetry) -> [(&'static str, &'static str, usize); 8] {
    let Counts { online, closed, waiting, pairs, attached, timers } = counts;
    [
        ("sessions", "Open sessions", online),
        ("sessions_closed", "Ended sessions whose last events may be collected", closed),
        ("waiting", "Sessions without a partner", waiting),
        ("pairs", "Conversations", pairs),
        ("readers", "Parked polls, streams and sockets, each of which reads a mailbox", attached),
        ("parked", "Parked requests that wait for an announcement", telemetry.parked_now()),
        ("connections", "Open connections, the one that asks included", telemetry.connections()),
        ("timers", "Deadlines", timers),
    ]
}

fn build(encoder: &mut DescriptorEncoder) -> fmt::Result {
    encoder
        .encode_descriptor("build", "What runs here", None, MetricType::Info)?
        .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
}

fn counters(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &'static str,
    counts: impl Iterator<Item = (&'static str, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in counts {
        ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}

/// A distribution whose values are told in the `per_unit`th part of the unit.
fn histogram(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    distribution: &Distribution,
    per_unit: f64,
) -> fmt::Result {
    let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| bound as f64 / per_unit);
    let buckets = distribution.buckets.iter();
    let buckets: Vec<_> = buckets.map(|(upper, count)| (bound(*upper), *count)).collect();
    let sum = distribution.sum as f64 / per_unit;
    encoder
        .encode_descriptor(name, help, unit, MetricType::Histogram)?
        .encode_histogram::<NoLabelSet>(sum, distribution.count(), &buckets, None)
}
