//! Numbers that nobody can have measured are refused when a run is read: its file may come from
//! anybody, and what is derived from it adds, divides and draws.

use serde_json::Value;

use crate::run::Run;

/// More than was ever counted: a hundred terabytes, or three years in microseconds.
const NUMBER_MAX: f64 = 1e14;
/// Less than was ever measured, but for nothing at all.
const NUMBER_MIN: f64 = 1e-9;
/// Numbers that are drawn, or for which the operating system may say that there is no limit.
const ANY: [&str; 5] = ["seed", "failures", "fingerprint", "doubtful", "open_files_max"];
/// Seconds of a window: a day.
const SECONDS_MAX: u64 = 24 * 60 * 60;

/// Looks for a number that cannot be meant, whatever it is for.
pub(crate) fn check_numbers(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Number(number) => {
            let range = NUMBER_MIN..=NUMBER_MAX;
            let can_be_meant = number.as_f64().is_some_and(|it| it == 0.0 || range.contains(&it));
            if can_be_meant || ANY.contains(&name) {
                return Ok(());
            }
            Err(format!("{name:?} is {number}, which nobody can have measured"))
        }
        Value::Array(values) => values.iter().try_for_each(|value| check_numbers(name, value)),
        Value::Object(fields) => {
            fields.iter().try_for_each(|(name, value)| check_numbers(name, value))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// Looks for seconds that are no window.
pub(crate) fn check_seconds(run: &Run) -> Result<(), String> {
    for series in &run.series {
        let mut seconds = series.intervals.iter().map(|interval| interval.second);
        if !seconds.clone().is_sorted_by(|one, other| one < other) {
            return Err(format!("the seconds of {:?} are out of order", series.transport));
        }
        if let Some(second) = seconds.find(|second| *second >= SECONDS_MAX) {
            return Err(format!("second {second} lies beyond a day"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::directory::parse_run;
    use crate::run::Run;

    fn refusal(change: impl FnOnce(&mut Run)) -> String {
        let mut run = crate::sample::run(1, 5, 400);
        change(&mut run);
        let bytes = serde_json::to_vec(&run).expect("a run is JSON");
        parse_run(&bytes, Path::new("run.json")).expect_err("it cannot be meant").to_string()
    }

    #[test]
    fn a_count_that_would_overflow_is_refused_with_its_name() {
        let line = refusal(|run| run.series[0].messages.lost = u64::MAX);
        assert_eq!(
            line,
            "run.json is not a run: \"lost\" is 18446744073709551615, which nobody can have \
             measured; give a run directory or the run.json in one"
        );
        let line = refusal(|run| run.series[0].duration_s = 1e-300);
        assert!(line.contains("\"duration_s\" is 1e-300, which"), "{line}");
        let line = refusal(|run| run.series[0].achieved_per_s = -1.0);
        assert!(line.contains("\"achieved_per_s\" is -1.0, which"), "{line}");
    }

    #[test]
    fn seconds_that_are_no_window_are_refused() {
        let line = refusal(|run| run.series[0].intervals.reverse());
        assert!(line.contains("the seconds of \"websocket\" are out of order"), "{line}");
        let line = refusal(|run| run.series[0].intervals[4].second = 86_400);
        assert!(line.contains("second 86400 lies beyond a day"), "{line}");
    }

    #[test]
    fn a_histogram_that_no_run_recorded_is_refused() {
        let line = refusal(|run| run.series[0].latency_us.0.reverse());
        assert!(line.contains("the values of a histogram rise"), "{line}");
        let line = refusal(|run| run.series[0].latency_us.0 = vec![(1_000_000_000, 1)]);
        assert!(line.contains("1000000000 us is beyond every histogram"), "{line}");
    }

    #[test]
    fn what_is_drawn_or_has_no_limit_may_be_any_number() {
        let mut run = crate::sample::run(1, 5, 400);
        (run.seed, run.environment.open_files_max) = (u64::MAX, u64::MAX);
        let bytes = serde_json::to_vec(&run).expect("a run is JSON");
        let again = parse_run(&bytes, Path::new("run.json")).expect("it can be meant");
        assert_eq!(again.seed, u64::MAX);
    }
}
