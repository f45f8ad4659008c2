"""Reads a run directory with HdrHistogram's own tools, and fails when they see other figures than ours.

    python check.py RUN_DIRECTORY

For each transport: every bucket of every second of the .hlog is that of run.json; all seconds added up
are the latency of the whole window, bucket by bucket; every percentile of percentiles.csv is what the
tools say of the sample of that rank; every line of the .hgrm says what they say of its value, and its
foot is theirs.
Nothing is compared within a tolerance: the formats lose nothing.
"""

import csv
import io
import json
import sys
from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

# As racetrack's: 1 us to 120 s, three digits.
LOWEST_US, HIGHEST_US, DIGITS = 1, 120_000_000, 3
STEPS_PER_HALVING = 5
MICROS_PER_MILLI = 1000.0


def main():
    directory = Path(sys.argv[1])
    run = json.loads((directory / "run.json").read_text())
    rows = list(csv.DictReader((directory / "percentiles.csv").open()))
    assert run["series"], "the run has no transport"
    for series in run["series"]:
        name = series["transport"]
        whole = check_log(directory / f"{name}.hlog", name, series)
        percentiles = check_percentiles(whole, [row for row in rows if row["transport"] == name])
        lines = check_distribution(directory / f"{name}.hgrm", whole)
        print(f"{name}: {len(series['intervals'])} seconds, {whole.get_total_count()} messages, "
              f"{percentiles} percentiles, {lines} lines of the distribution")


def empty():
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)


def buckets(histogram):
    """Non-empty buckets as run.json writes them: highest value and count."""
    recorded = histogram.get_recorded_iterator()
    return [[step.value_iterated_to, step.count_added_in_this_iter_step] for step in recorded]


def equal(what, theirs, ours):
    if theirs != ours:
        sys.exit(f"{what}: HdrHistogram's tools read {theirs}, and racetrack says {ours}")


def check_log(path, name, series):
    """All seconds of the log, added up by the tools."""
    reader = HistogramLogReader(str(path), empty())
    for interval in series["intervals"]:
        what = f"{path.name}, second {interval['second']}"
        second = reader.get_next_interval_histogram()
        if second is None:
            sys.exit(f"{what} is missing")
        equal(f"{what}, tag", second.get_tag(), name)
        equal(f"{what}, buckets", buckets(second), interval["latency_us"])
        start_s = second.get_start_time_stamp() / 1000.0 - reader.get_start_time_sec()
        equal(f"{what}, start", round(start_s, 3), float(interval["second"]))
    equal(f"{path.name}, one second more", reader.get_next_interval_histogram(), None)
    reader.close()
    reader = HistogramLogReader(str(path), empty())
    whole = empty()
    while reader.add_next_interval_histogram(whole):
        pass
    reader.close()
    equal(f"{path.name}, all seconds", buckets(whole), series["latency_us"])
    return whole


def check_percentiles(whole, rows):
    """How many percentiles of the table have a value."""
    checked = 0
    for row in rows:
        if row["metric"] != "latency" or not row["value_us"]:
            continue
        # The tools round a rank to the nearest whole number, racetrack rounds it up; so they are
        # asked for the very sample.
        count = whole.get_total_count()
        parts = round(float(row["percentile"]) * 10_000)
        rank = max(-(-parts * count // 1_000_000), 1)
        theirs = whole.get_value_at_percentile(100.0 * rank / count)
        equal(f"percentiles.csv, p{row['percentile']}", theirs, int(row["value_us"]))
        checked += 1
    assert checked > 0, "no percentile has a value"
    return checked


def check_distribution(path, whole):
    """How many lines the distribution has.

    Where between two lines a tool steps is its own affair. That each line says of its value and of
    its share what the tools say of them, that the shares rise to 1, and the head and the foot are not.
    """
    written = io.BytesIO()
    whole.output_percentile_distribution(written, MICROS_PER_MILLI, STEPS_PER_HALVING)
    theirs = written.getvalue().decode().splitlines()
    ours = path.read_text().splitlines()
    total = whole.get_total_count()
    lines = [list(map(float, line.split())) for line in ours if line[:1] == " " and "V" not in line]
    for line in lines:
        value_ms, share, up_to = line[:3]
        what = f"{path.name}, {share}"
        value_us = whole.get_value_at_percentile(100.0 * up_to / total)
        equal(f"{what}, value", f"{value_us / MICROS_PER_MILLI:.3f}", f"{value_ms:.3f}")
        # The share is printed to twelve digits.
        assert share * total <= up_to + 1e-6, f"{what}: {up_to} samples are too few"
        if share < 1.0:
            equal(f"{what}, 1/(1-share)", round(1 / (1 - share), 2), line[3])
    shares = [line[1] for line in lines]
    equal(f"{path.name}, shares", sorted(shares), shares)
    equal(f"{path.name}, last line", [shares[-1], lines[-1][2]], [1.0, float(total)])
    for nth in [0, 1, -1]:
        equal(f"{path.name}, line {nth}", theirs[nth].split(), ours[nth].split())
    # As the reference writes them; the tools of Python leave the deviation in microseconds.
    mean, deviation, highest = [
        figure / MICROS_PER_MILLI
        for figure in (whole.get_mean_value(), whole.get_stddev(), whole.get_max_value())
    ]
    foot = [
        f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]",
        f"#[Max     = {highest:12.3f}, Total count    = {total:12}]",
    ]
    equal(f"{path.name}, foot", foot, ours[-3:-1])
    return len(lines)


if __name__ == "__main__":
    main()
