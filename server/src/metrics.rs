//! What an operator sees: liveness, readiness, and the figures in the OpenMetrics text format or in that
//! of Prometheus.
//!
//! The same figures in the same order every time: nothing here depends on the wall clock or on
//! the order of a hash map. What the process uses is told where the command hands in how to read it.

mod format;
mod process;

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::{Registry, Unit};
use tracing::debug;

use self::format::Format;
pub(crate) use self::process::{Process, ReadProcess};
use crate::hub::{Counts, Hub, Transport};
use crate::telemetry::{Distribution, Telemetry};

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
pub(crate) async fn metrics(
    hub: Arc<Hub>,
    headers: HeaderMap,
    process: Option<ReadProcess>,
) -> impl IntoResponse {
    let mut registry = Registry::default();
    registry.sub_registry_with_prefix("racetrack").register_collector(Box::new(HubMetrics(hub)));
    if let Some(process) = in_use(process).await {
        registry.register_collector(Box::new(process));
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)
        .expect("a string takes everything");
    let format = Format::wanted(&headers);
    ([(CONTENT_TYPE, format.content_type()), (VARY, "accept")], format.of(text))
}

/// What the process uses, read where it keeps nobody waiting.
async fn in_use(read: Option<ReadProcess>) -> Option<Process> {
    let process = tokio::task::spawn_blocking(read?).await.ok()?;
    process.inspect_err(|error| debug!(%error, "what the process uses is not known")).ok()
}

/// Reads a hub whenever it is scraped.
struct HubMetrics(Arc<Hub>);

impl fmt::Debug for HubMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubMetrics")
    }
}

impl Collector for HubMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let telemetry = self.0.telemetry();
        build(&mut encoder)?;
        for (name, help, value) in gauges(self.0.counts(), telemetry) {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&(value as u64))?;
        }
        let help = "Mailboxes that a parked poll, a stream or a socket reads";
        let mut readers = encoder.encode_descriptor("readers", help, None, MetricType::Gauge)?;
        for (over, count) in self.0.readers() {
            let labels = [("transport", over.name())];
            readers.encode_family(&labels)?.encode_gauge(&(count as u64))?;
        }
        let help = "Requests that were answered, of no transport where they belong to all";
        let mut requests =
            encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for (over, class, count) in telemetry.requests() {
            let labels = [("transport", over.map_or("none", Transport::name)), ("code", class)];
            ConstCounter::new(count).encode(requests.encode_family(&labels)?)?;
        }
        let help = "Messages accepted, by what their sender's mailbox is read over, or was last";
        let mut messages =
            encoder.encode_descriptor("messages", help, None, MetricType::Counter)?;
        for (over, count) in telemetry.messages() {
            let labels = [("transport", over.map_or("none", Transport::name))];
            ConstCounter::new(count).encode(messages.encode_family(&labels)?)?;
        }
        counters(&mut encoder, "events", "Events put into mailboxes", "type", telemetry.events())?;
        let refused = telemetry.rejections().into_iter();
        counters(&mut encoder, "rejections", "Requests and commands refused", "reason", refused)?;
        let help = "From the mailbox to the transport that reads it";
        let (unit, kind) = (Some(&Unit::Seconds), MetricType::Histogram);
        let mut deliver = encoder.encode_descriptor("deliver", help, unit, kind)?;
        for (over, delivered) in telemetry.delivered_us() {
            let labels = [("transport", over.name())];
            histogram(deliver.encode_family(&labels)?, &delivered, 1e6)?;
        }
        let help = "Events in a mailbox when one is added";
        let depth = encoder.encode_descriptor("mailbox_depth", help, None, kind)?;
        histogram(depth, &telemetry.depth_events(), 1.0)
    }
}

fn gauges(counts: Counts, telemetry: &Telemetry) -> [(&'static str, &'static str, usize); 7] {
    let Counts { online, closed, waiting, pairs, timers, .. } = counts;
    [
        ("sessions", "Open sessions", online),
        ("sessions_closed", "Ended sessions whose last events may be collected", closed),
        ("waiting", "Sessions without a partner", waiting),
        ("pairs", "Conversations", pairs),
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
    mut encoder: MetricEncoder<'_>,
    distribution: &Distribution,
    per_unit: f64,
) -> fmt::Result {
    let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| bound as f64 / per_unit);
    let buckets = distribution.buckets.iter();
    let buckets: Vec<_> = buckets.map(|(upper, count)| (bound(*upper), *count)).collect();
    let sum = distribution.sum as f64 / per_unit;
    encoder.encode_histogram::<NoLabelSet>(sum, distribution.count(), &buckets, None)
}
