//! Figures as people read them: three digits that matter, and a unit.
//!
//! Nothing here is parsed again; whoever wants to compute takes the CSV files or `run.json`.

/// What stands where nothing could be measured.
pub const ABSENT: &str = "–";

const MICROS: [(f64, &str); 3] = [(1.0, "µs"), (1e3, "ms"), (1e6, "s")];
const BYTES: [(f64, &str); 4] =
    [(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB")];

/// Microseconds as `950 µs`, `1.2 ms` or `3.05 s`.
#[must_use]
pub fn duration_us(us: f64) -> String {
    with_unit(us, &MICROS)
}

/// A latency in microseconds as `950 µs`; where it is not known but exceeds something, as `> 3 s`;
/// or [`ABSENT`].
#[must_use]
pub fn latency(known_us: Option<u64>, more_than_us: Option<u64>) -> String {
    match (known_us, more_than_us) {
        (Some(us), _) => duration_us(us as f64),
        (None, Some(us)) => format!("> {}", duration_us(us as f64)),
        (None, None) => ABSENT.to_owned(),
    }
}

/// Bytes as `210 B`, `3.4 KiB` or `1.5 GiB`.
#[must_use]
pub fn bytes(count: f64) -> String {
    with_unit(count, &BYTES)
}

/// A measured time with three digits, zeros included, so that `1.00 s` stands beside `993 ms`.
#[must_use]
pub fn mean_us(us: f64) -> String {
    with_digits(us, &MICROS)
}

/// A latency, which is measured in whole microseconds: `24 µs`, `1.00 ms`, `3.05 s`.
#[must_use]
pub fn latency_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} {}", MICROS[0].1),
        _ => mean_us(us as f64),
    }
}

/// Measured bytes with three digits, zeros included: `190 B`, `24.0 KiB`.
#[must_use]
pub fn size(bytes: f64) -> String {
    with_digits(bytes, &BYTES)
}

/// A measured number with three digits, zeros included: `0.25`, `3.00`, `12.5`, `1,250`.
#[must_use]
pub fn ratio(value: f64) -> String {
    match value {
        0.0..99.95 => {
            let decimals = if value >= 9.995 { 1 } else { 2 };
            format!("{value:.decimals$}")
        }
        _ => number(value),
    }
}

/// Two shown ends of an interval; the unit stands once where both have the same: `138–145 µs`.
#[must_use]
pub fn interval(low: &str, high: &str) -> String {
    match (low.rsplit_once(' '), high.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number}–{high}"),
        (None, None) => format!("{low}–{high}"),
        _ => format!("{low} – {high}"),
    }
}

/// What a percentile wants that too few messages lie beyond: `needs 21 s more`.
#[must_use]
pub fn lacking(seconds: u64) -> String {
    match seconds {
        0..600 => format!("needs {seconds} s more"),
        600..36_000 => format!("needs {} min more", seconds.div_ceil(60)),
        _ => format!("needs {} h more", count(seconds.div_ceil(3_600))),
    }
}

/// A share as `2.5 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}

/// A whole number with its thousands apart: `12,000`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Any number with three digits that matter: `0.25`, `12.5`, `1,250`.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    if value < 0.0 {
        return format!("-{}", number(-value));
    }
    if value >= 99.95 {
        return count(value.round() as u64);
    }
    let decimals = if value >= 9.995 { 1 } else { 2 };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1 seed`, `2 seeds`.
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// The value as `show` puts it, or [`ABSENT`].
pub fn or_absent<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| ABSENT.to_owned(), show)
}

fn with_unit(value: f64, units: &[(f64, &str)]) -> String {
    let (size, name) = unit_for(value, units);
    format!("{} {name}", number(value / size))
}

fn with_digits(value: f64, units: &[(f64, &str)]) -> String {
    let (size, name) = unit_for(value, units);
    let digits = if value == 0.0 { "0".to_owned() } else { ratio(value / size) };
    format!("{digits} {name}")
}

/// The largest unit in which the value does not round to below one.
fn unit_for<'a>(value: f64, units: &[(f64, &'a str)]) -> (f64, &'a str) {
    let magnitude = value.abs();
    let mut best = units[0];
    for (index, &(size, name)) in units.iter().enumerate().skip(1) {
        let previous = units[index - 1].0;
        // What would print as a whole next unit is written in that unit.
        if magnitude >= size - previous / 2.0 {
            best = (size, name);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_three_digits_and_take_the_unit_that_fits() {
        let shown: Vec<_> =
            [0.0, 0.384, 7.0, 950.0, 999.7, 1234.0, 12_340.0, 510_000.0, 3_050_000.0]
                .map(duration_us)
                .into();
        assert_eq!(
            shown,
            ["0 µs", "0.38 µs", "7 µs", "950 µs", "1 ms", "1.23 ms", "12.3 ms", "510 ms", "3.05 s"]
        );
    }

    #[test]
    fn measured_values_keep_their_three_digits() {
        let times: Vec<_> = [0.0, 0.384, 24.0, 80.5, 993_000.0, 999_600.0, 1_003_000.0].into();
        let times: Vec<_> = times.into_iter().map(mean_us).collect();
        assert_eq!(times, ["0 µs", "0.38 µs", "24.0 µs", "80.5 µs", "993 ms", "1.00 s", "1.00 s"]);
        assert_eq!([24, 999, 2_200].map(latency_us), ["24 µs", "999 µs", "2.20 ms"]);
        assert_eq!([190.0, 24_576.0].map(size), ["190 B", "24.0 KiB"]);
        assert_eq!(
            [0.0, 1.0, 3.06, 12.0, 1_250.0].map(ratio),
            ["0.00", "1.00", "3.06", "12.0", "1,250"]
        );
    }

    #[test]
    fn an_interval_names_its_unit_once() {
        assert_eq!(interval("138 µs", "145 µs"), "138–145 µs");
        assert_eq!(interval("990 µs", "1.02 ms"), "990 µs – 1.02 ms");
        assert_eq!(interval("1.00", "1.04"), "1.00–1.04");
        assert_eq!(
            [21, 700, 90_000].map(lacking),
            ["needs 21 s more", "needs 12 min more", "needs 25 h more"]
        );
    }

    #[test]
    fn bytes_are_in_powers_of_1024() {
        assert_eq!(bytes(210.0), "210 B");
        assert_eq!(bytes(3482.0), "3.4 KiB");
        assert_eq!(bytes(8_589_934_592.0), "8 GiB");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 0.254, 9.999, 12.54, 1250.4].map(number),
            ["0", "0.25", "10", "12.5", "1,250"]
        );
        assert_eq!(number(f64::NAN), ABSENT);
    }
}
