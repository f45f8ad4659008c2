//! Which transport has the best of a figure: the one decision that the verdict and the table share.
//!
//! A transport is the best where its 95 % interval lies clear of those of all others, and where it
//! differs from them by more than two runs of the same do anyway (`confidence`). Without an interval
//! nothing is decided. Figures that are not valid, or of a run that lost a message, take no part, and
//! under different loads there is no best.

use crate::confidence::is_clear;
use crate::figure::{Figure, Kind, Measured, Row};

/// What can be said of one figure of several transports; places are those of the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranking {
    /// Those that take part, by their value, the lowest first.
    pub(crate) order: Vec<usize>,
    /// The one with the lowest value and those that cannot be told from it, by their value.
    pub(crate) leaders: Vec<usize>,
    /// The one whose interval lies above those of all others.
    pub(crate) worst: Option<usize>,
}

impl Ranking {
    /// The one that is better than all others, of two or more.
    pub(crate) fn best(&self) -> Option<usize> {
        match self.leaders[..] {
            [best] if self.order.len() > 1 => Some(best),
            _ => None,
        }
    }
}

/// The ranking of all transports by a figure; empty where it is not one to be ranked by, and under
/// different loads.
pub(crate) fn rank(figure: &Figure, rows: &[Row]) -> Ranking {
    if figure.kind != Kind::Lowest || !are_loaded_alike(rows) {
        return Ranking::default();
    }
    let mut known: Vec<(usize, Measured)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.may_be_compared())
        .filter_map(|(place, row)| Some((place, (figure.measured)(row)?)))
        .collect();
    known.sort_by(|one, other| one.1.value.total_cmp(&other.1.value));
    let Some((lowest, others)) = known.split_first() else {
        return Ranking::default();
    };
    let near = others.iter().filter(|it| !is_clear(&lowest.1, &it.1));
    let leaders = [lowest].into_iter().chain(near).map(|it| it.0).collect();
    let (highest, below) = known.split_last().expect("it has a first");
    let is_worst = !below.is_empty() && below.iter().all(|it| is_clear(&it.1, &highest.1));
    Ranking {
        order: known.iter().map(|it| it.0).collect(),
        leaders,
        worst: is_worst.then_some(highest.0),
    }
}

/// Rates that are drawn from one schedule but read over other windows differ by less than this.
const LOADS_ALIKE_SHARE: f64 = 0.05;

/// As many users who send as much, of those that may be compared.
pub(crate) fn are_loaded_alike(rows: &[Row]) -> bool {
    let load = |row: &Row| (row.summary.users, row.summary.offered_per_s);
    let mut compared = rows.iter().filter(|row| row.may_be_compared()).map(load);
    compared.next().is_none_or(|first| compared.all(|load| are_loads_alike(load, first)))
}

/// As many users, and messages per second that differ by no more than schedules of one rate do.
pub(crate) fn are_loads_alike(one: (u64, f64), other: (u64, f64)) -> bool {
    let (less, more) = (one.1.min(other.1), one.1.max(other.1));
    one.0 == other.0 && more <= less * (1.0 + LOADS_ALIKE_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{COST, LATENCY, P50, SERVER_CPU, rows};

    fn names(places: &[usize], rows: &[Row]) -> Vec<String> {
        places.iter().map(|place| rows[*place].name().to_owned()).collect()
    }

    #[test]
    fn the_best_is_clear_of_all_others_and_so_is_the_worst() {
        let rows = rows(&crate::sample::run(3, 8, 400));
        let ranking = rank(&P50, &rows);
        assert_eq!(names(&ranking.order, &rows), ["websocket", "long-poll", "short-poll"]);
        assert_eq!((ranking.best(), ranking.worst), (Some(0), Some(2)));
        assert_eq!(rank(&SERVER_CPU, &rows).best(), Some(0));
    }

    #[test]
    fn two_that_are_alike_share_the_lead_and_the_rear() {
        let mut run = crate::sample::run(2, 8, 400);
        run.series[1] = run.series[0].clone();
        run.series[1].transport = "copy".to_owned();
        let rows = rows(&run);
        let ranking = rank(&P50, &rows);
        assert_eq!(names(&ranking.leaders, &rows), ["websocket", "copy"]);
        assert_eq!((ranking.best(), ranking.worst), (None, None));
    }

    #[test]
    fn counts_maxima_and_means_without_an_interval_have_no_best() {
        let mut run = crate::sample::run(3, 8, 400);
        let rows_of = rows(&run);
        let ranked: Vec<&str> = LATENCY
            .iter()
            .chain(&COST)
            .filter(|figure| rank(figure, &rows_of).best().is_some())
            .map(|figure| figure.name)
            .collect();
        assert_eq!(ranked, ["p50", "server CPU"]);
        for series in &mut run.series {
            series.intervals.iter_mut().for_each(|it| it.used = None);
        }
        assert_eq!(rank(&SERVER_CPU, &rows(&run)).best(), None, "its interval is not known");
    }

    #[test]
    fn what_cannot_be_trusted_takes_no_part_and_other_loads_have_no_best() {
        let mut run = crate::sample::run(3, 8, 400);
        run.series[0].invalid.push("a busy machine".into());
        run.series[0].users = 7;
        assert_eq!(rank(&P50, &rows(&run)).best(), Some(1));
        run.series[2].offered_per_s *= 2.0;
        assert_eq!(rank(&P50, &rows(&run)), Ranking::default());
    }
}
