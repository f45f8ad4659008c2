//! The comparison of the transports: a column each, a row a figure, each with its 95 % interval.
//!
//! Bold is what `ranking` decides, as the verdict does. Transports stand in columns so that six of
//! them fit on a sheet of paper; on a phone each figure lists the transports below one another, and a
//! figure that is the same for all of them is said once. Roles are written out because that
//! layout takes the table's own from it.

use maud::{Markup, html};

use super::tables::scrolling;
use crate::chart::mark::Marks;
use crate::figure::{COST, Figure, Kind, LATENCY, LOAD, MESSAGES, Measured, Row};
use crate::ranking::{are_loaded_alike, rank};
use crate::units::{ABSENT, interval, lacking};

/// The comparison, in groups.
const GROUPS: [(&str, &[Figure]); 4] =
    [("Load", &LOAD), ("Latency", &LATENCY), ("Messages", &MESSAGES), ("Cost", &COST)];

/// All transports side by side: a column each, a row a figure.
pub(super) fn comparison(rows: &[Row], marks: &Marks) -> Markup {
    let table = html! {
        table.comparison role="table" {
            colgroup { col.figure; @for _ in rows { col; } }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "transport" }
                    @for row in rows {
                        th scope="col" role="columnheader" {
                            (marks.get(row.name()).key()) (broken(row.name()))
                        }
                    }
                }
            }
            @for (group, figures) in GROUPS {
                tbody role="rowgroup" {
                    (group_heading(group, rows.len()))
                    @for figure in figures { (figure_row(figure, rows, marks)) }
                }
            }
            tbody role="rowgroup" {
                (group_heading("Trust", rows.len()))
                (yes_or_no("accounted", "every message is explained", rows, marks, |row| row.summary.accounted))
                (yes_or_no("valid", "the figures may be trusted", rows, marks, |row| row.summary.valid))
            }
        }
    };
    html! {
        section aria-labelledby="comparison" {
            h2 id="comparison" { "The transports compared" }
            (scrolling("Comparison of the transports", &table))
            (note(rows))
        }
    }
}

fn note(rows: &[Row]) -> Markup {
    html! {
        p.note {
            "Small under a value: its 95 % interval. "
            @if rows.len() > 1 && are_loaded_alike(rows) {
                "Bold: the best, where its interval is clear of all others'. A row without bold has no \
                 interval, or the best two are too close to tell apart. "
            } @else if rows.len() > 1 {
                "The transports carried different loads, so none is marked as the best. "
            }
            "A dash: not measured, or fewer than ten messages lie beyond that percentile."
            @if rows.iter().any(|row| row.summary.latency_us.missing > 0) {
                " The sign >: the percentile lies among messages that never arrived, each of which took \
                 longer than the wait for it."
            }
        }
    }
}

fn group_heading(group: &str, transports: usize) -> Markup {
    html! {
        tr.group role="row" {
            th scope="rowgroup" role="rowheader" colspan=(transports + 1) { (group) }
        }
    }
}

/// A name that may go on to the next line behind its hyphens.
fn broken(name: &str) -> Markup {
    let parts: Vec<&str> = name.split_inclusive('-').collect();
    html! { @for part in parts { (part) wbr; } }
}

/// What one cell shows.
struct Cell {
    class: Option<&'static str>,
    value: String,
    small: Option<String>,
}

fn figure_row(figure: &Figure, rows: &[Row], marks: &Marks) -> Markup {
    let best = rank(figure, rows).best();
    let cells: Vec<Cell> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| cell(figure, row, best == Some(place)))
        .collect();
    table_row(figure.name, figure.hint, rows, marks, &cells)
}

fn cell(figure: &Figure, row: &Row, is_best: bool) -> Cell {
    let Some(Measured { value, interval: bounds }) = (figure.measured)(row) else {
        if let Some(us) = (figure.more_than)(row) {
            let value = format!("> {}", (figure.show)(us as f64));
            return Cell { class: None, value, small: None };
        }
        let lacks_s = figure.quantile.and_then(|quantile| row.seconds_lacking(quantile));
        return Cell { class: None, value: ABSENT.to_owned(), small: lacks_s.map(lacking) };
    };
    let is_bad = figure.kind == Kind::Zero && value > 0.0;
    Cell {
        class: if is_bad { Some("bad") } else { is_best.then_some("best") },
        value: (figure.show)(value),
        small: bounds.map(|(low, high)| interval(&(figure.show)(low), &(figure.show)(high))),
    }
}

fn table_row(name: &str, hint: &str, rows: &[Row], marks: &Marks, cells: &[Cell]) -> Markup {
    let is_same = cells
        .windows(2)
        .all(|two| two[0].value == two[1].value && two.iter().all(|it| it.small.is_none()));
    html! {
        tr role="row" class=[(is_same && rows.len() > 1).then_some("same")] {
            th scope="row" role="rowheader" { (name) " " small { (hint) } }
            @for (row, cell) in rows.iter().zip(cells) {
                @let class = cell.class.unwrap_or_default();
                td role="cell" class=[cell.class] data-name=(row.name())
                    style=(format!("--line:var(--{})", marks.get(row.name()).class())) {
                    @if class.is_empty() { (cell.value) } @else { strong { (cell.value) } }
                    @if let Some(small) = &cell.small { " " small { (small) } }
                }
            }
        }
    }
}

fn yes_or_no(
    name: &str,
    hint: &str,
    rows: &[Row],
    marks: &Marks,
    holds: fn(&Row) -> bool,
) -> Markup {
    let cell = |row: &Row| match holds(row) {
        true => Cell { class: None, value: "yes".to_owned(), small: None },
        false => Cell { class: Some("bad"), value: "no".to_owned(), small: None },
    };
    table_row(name, hint, rows, marks, &rows.iter().map(cell).collect::<Vec<_>>())
}
