//! The text formats of figures, and which of them is wanted.
//!
//! The figures are written in OpenMetrics. The older format of Prometheus, which browsers show as text
//! and `promtool` reads, has them line by line, but for what it calls a family.

use axum::http::HeaderMap;

use crate::media;

/// Media type of <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const OPEN_METRICS: &str = "application/openmetrics-text";
/// Media type of <https://prometheus.io/docs/instrumenting/exposition_formats/>.
const PROMETHEUS: &str = "text/plain";
/// What a browser asks for, and nobody else.
const PAGE: &str = "text/html";

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// The format that `Accept` prefers; OpenMetrics where it prefers none, and text for browsers.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let is_page = |name: &[u8]| name.eq_ignore_ascii_case(PAGE.as_bytes());
        let is_browser =
            media::ranges(headers).any(|(name, quality)| is_page(name) && quality > 0.0);
        let quality = |name| media::quality(headers, name);
        if is_browser || quality(PROMETHEUS) > quality(OPEN_METRICS) {
            Self::Prometheus
        } else {
            Self::OpenMetrics
        }
    }

    /// Value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Figures in this format, from those in OpenMetrics.
    pub(super) fn of(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Prometheus => prometheus(&open_metrics),
        }
    }
}

/// The older format names a family as its samples, knows no `info`, no units and no end.
fn prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        let described = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '));
        if let Some((name, kind)) = described {
            let (end, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            text += &format!("# HELP {name}{end} {help}\n# TYPE {name}{end} {kind}\n");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if !line.starts_with('#') {
            text += line;
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::ACCEPT;
    use expect_test::expect;

    use super::*;

    #[test]
    fn format_is_the_one_that_accept_prefers() {
        use Format::{OpenMetrics, Prometheus};
        for (accept, expected) in [
            (None, OpenMetrics),
            (Some(""), OpenMetrics),
            (Some("*/*"), OpenMetrics),
            (Some("application/json"), OpenMetrics),
            (Some("text/plain"), Prometheus),
            (Some("TEXT/Plain; version=0.0.4"), Prometheus),
            (Some("text/*"), Prometheus),
            (Some("text/plain;q=0.5, application/openmetrics-text;q=0.4"), Prometheus),
            (Some("text/plain;q=0.4, application/openmetrics-text;q=0.5"), OpenMetrics),
            (Some("application/openmetrics-text;q=0, */*"), Prometheus),
            (Some("text/plain;q=0, */*;q=0.1"), OpenMetrics),
            // Prometheus 2 and 3.
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;q=0.5,\
                     application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,\
                     */*;q=0.2",
                ),
                OpenMetrics,
            ),
            // Browsers.
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Prometheus),
            (Some("text/html;q=0,*/*"), OpenMetrics),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(Format::wanted(&headers), expected, "{accept:?}");
        }
    }

    #[test]
    fn families_are_named_as_their_samples_in_the_older_format() {
        let text = "# HELP a_build What runs\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                    # HELP a_s Time\n# TYPE a_s histogram\n# UNIT a_s s\na_s_sum 1.0\n\
                    # HELP a_e Events\n# TYPE a_e counter\na_e_total{type=\"x\"} 1\n\
                    # HELP a_g Now\n# TYPE a_g gauge\na_g 1\n# EOF\n";
        expect![[r#"
            # HELP a_build_info What runs
            # TYPE a_build_info gauge
            a_build_info{version="1"} 1
            # HELP a_s Time
            # TYPE a_s histogram
            a_s_sum 1.0
            # HELP a_e_total Events
            # TYPE a_e_total counter
            a_e_total{type="x"} 1
            # HELP a_g Now
            # TYPE a_g gauge
            a_g 1
        "#]]
        .assert_eq(&Format::Prometheus.of(text.to_owned()));
    }
}
