//! `/metrics` of the program itself: what the process uses is among it, `promtool` accepts all of it, and
//! the book lists it.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use super::serve::serve;
use crate::http::ask;

/// Figures in the text format of Prometheus.
async fn figures() -> String {
    let serving = serve(&[]).await;
    assert_eq!(ask("GET /nothing").of(serving.addr).await.status, 404);
    ask("GET /metrics").header("accept", "text/plain").of(serving.addr).await.body
}

/// Name and type of each family.
fn families(figures: &str) -> Vec<(&str, &str)> {
    figures.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

#[tokio::test]
async fn process_figures_are_told_by_the_program() {
    let figures = figures().await;
    for (name, kind, at_least) in [
        ("process_cpu_seconds_total", "counter", 0.0),
        ("process_resident_memory_bytes", "gauge", 1_000_000.0),
        ("process_open_fds", "gauge", 3.0),
        ("process_max_fds", "gauge", 3.0),
        ("process_start_time_seconds", "gauge", 1.5e9),
    ] {
        assert!(families(&figures).contains(&(name, kind)), "{name}: {figures}");
        let value = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value: f64 = value.expect(name).parse().expect(name);
        assert!(value >= at_least, "{name} {value}");
    }
}

#[tokio::test]
async fn promtool_accepts_the_figures() {
    let figures = figures().await;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    // Not everybody has it; `.ci/run` installs it.
    let Ok(mut promtool) = promtool.spawn() else { return };
    let mut stdin = promtool.stdin.take().expect("standard input is a pipe");
    stdin.write_all(figures.as_bytes()).expect("it reads");
    drop(stdin);
    let checked = promtool.wait_with_output().expect("it ends");
    let complaints = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && complaints.is_empty(), "{complaints}");
}

#[tokio::test]
async fn book_lists_every_figure_and_no_other() {
    let figures = figures().await;
    let told: BTreeSet<_> = families(&figures).into_iter().map(|(name, _)| name).collect();
    let page = crate::documents::document("docs/src/operations.md").text;
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names = names.map(|name| name.split('{').next().unwrap_or_default());
    let is_figure = |name: &&str| name.starts_with("racetrack_") || name.starts_with("process_");
    let listed: BTreeSet<_> = names.filter(is_figure).collect();
    assert_eq!(listed, told);
}
