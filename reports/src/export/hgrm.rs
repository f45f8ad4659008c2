//! `<transport>.hgrm`: the percentile distribution as text, for HdrHistogram's plotters.
//!
//! Values are milliseconds, as those plotters expect. Steps halve towards 100 %, five to each
//! halving, as the reference tools write them; the footer names mean, deviation and maximum.

use std::fmt::{self, Write};

use hdrhistogram::Histogram;

use crate::error::ReportError;
use crate::export::{Artifact, Exporter, File, file_stem};
use crate::run::{LATENCY_DIGITS, Run, Series};

/// Steps of the distribution for each halving of what is left.
const STEPS_PER_HALVING: u32 = 5;
const MICROS_PER_MILLI: f64 = 1000.0;

/// The exporter.
#[derive(Debug, Clone, Copy)]
pub struct Hgrm;

impl Exporter for Hgrm {
    fn name(&self) -> &'static str {
        "hgrm"
    }

    fn files(&self, run: &Run) -> Vec<File> {
        let what = "the distribution of the latency, for HdrHistogram's plotters";
        run.series.iter().map(|it| File::new(name(it), what)).collect()
    }

    fn export(&self, run: &Run) -> Result<Vec<Artifact>, ReportError> {
        Ok(run.series.iter().map(artifact).collect())
    }
}

fn artifact(series: &Series) -> Artifact {
    let mut text = String::new();
    write_distribution(&series.latency_us.to_histogram(), &mut text)
        .expect("a String can be written");
    if let Some(left_out) = series.left_out() {
        // Readers of the format pass over lines that begin with #.
        writeln!(text, "# This is the distribution of the messages that arrived. {left_out}.")
            .expect("a String can be written");
    }
    Artifact { name: name(series), bytes: text.into_bytes() }
}

fn name(series: &Series) -> String {
    format!("{}.hgrm", file_stem(&series.transport))
}

fn write_distribution(histogram: &Histogram<u64>, text: &mut String) -> fmt::Result {
    writeln!(
        text,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut total = 0;
    for step in histogram.iter_quantiles(STEPS_PER_HALVING) {
        total += step.count_since_last_iteration();
        let value_ms = step.value_iterated_to() as f64 / MICROS_PER_MILLI;
        let reached = step.quantile_iterated_to();
        write!(text, "{value_ms:12.3} {reached:2.12} {total:10}")?;
        if reached < 1.0 {
            write!(text, " {:14.2}", 1.0 / (1.0 - reached))?;
        }
        writeln!(text)?;
    }
    write_footer(histogram, text)
}

fn write_footer(histogram: &Histogram<u64>, text: &mut String) -> fmt::Result {
    let in_ms = |value_us: f64| value_us / MICROS_PER_MILLI;
    let (mean, deviation) = (in_ms(histogram.mean()), in_ms(histogram.stdev()));
    writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]")?;
    let (max, count) = (in_ms(histogram.max() as f64), histogram.len());
    writeln!(text, "#[Max     = {max:12.3}, Total count    = {count:12}]")?;
    // As the reference tools count them: 2 x 10^digits values told apart, rounded up to a power of
    // two, and one bucket more for each doubling up to the highest value.
    let sub_buckets = (2 * 10_u64.pow(u32::from(LATENCY_DIGITS))).next_power_of_two();
    let doublings = (histogram.high() / sub_buckets).max(1).ilog2() + 2;
    writeln!(text, "#[Buckets = {doublings:12}, SubBuckets     = {sub_buckets:12}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn distribution_with_missing_messages_ends_with_what_it_leaves_out() {
        let mut run = crate::sample::run(1, 5, 400);
        run.series[0].missing_us = crate::HistogramDump(vec![(3_000_000, 7)]);
        let file = Hgrm.export(&run).expect("a run fits").remove(0);
        let text = String::from_utf8(file.bytes).expect("it is text");
        expect![[r#"
            # This is the distribution of the messages that arrived. 7 of 1,938 messages never reached the partner; in the percentiles each counts as slower than the wait for it, which was 3 s or more.
        "#]]
        .assert_eq(&format!("{}\n", text.lines().last().unwrap_or_default()));
    }

    #[test]
    fn the_distribution_is_laid_out_as_plotters_read_it() {
        let mut histogram = crate::latency_histogram();
        for (value_us, count) in [(1_000, 6), (2_000, 3), (250_000, 1)] {
            histogram.record_n(value_us, count).expect("within the bounds");
        }
        let mut text = String::new();
        write_distribution(&histogram, &mut text).expect("a String can be written");
        expect![[r#"
                   Value     Percentile TotalCount 1/(1-Percentile)

                   1.000 0.000000000000          6           1.00
                   1.000 0.100000000000          6           1.11
                   1.000 0.200000000000          6           1.25
                   1.000 0.300000000000          6           1.43
                   1.000 0.400000000000          6           1.67
                   1.000 0.500000000000          6           2.00
                   1.000 0.550000000000          6           2.22
                   2.000 0.600000000000          9           2.50
                   2.000 0.650000000000          9           2.86
                   2.000 0.700000000000          9           3.33
                   2.000 0.750000000000          9           4.00
                   2.000 0.775000000000          9           4.44
                   2.000 0.800000000000          9           5.00
                   2.000 0.825000000000          9           5.71
                   2.000 0.850000000000          9           6.67
                   2.000 0.875000000000          9           8.00
                   2.000 0.887500000000          9           8.89
                 250.111 0.900000000000         10          10.00
                 250.111 1.000000000000         10
            #[Mean    =       26.205, StdDeviation   =       74.616]
            #[Max     =      250.111, Total count    =           10]
            #[Buckets =           17, SubBuckets     =         2048]
        "#]]
        .assert_eq(&text);
    }
}
