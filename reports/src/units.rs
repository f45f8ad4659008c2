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

/// Bytes as `210 B`, `3.4 KiB` or `1.5 GiB`.
#[must_use]
pub fn bytes(count: f64) -> String {
    with_unit(count, &BYTES)
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

/// In the largest unit in which the value does not round to below one.
fn with_unit(value: f64, units: &[(f64, &str)]) -> String {
    let magnitude = value.abs();
    let mut best = units[0];
    for (index, &(size, name)) in units.iter().enumerate().skip(1) {
        let previous = units[index - 1].0;
        // What would print as a whole next unit is written in that unit.
        if magnitude >= size - previous / 2.0 {
            best = (size, name);
        }
    }
    format!("{} {}", number(value / best.0), best.1)
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
