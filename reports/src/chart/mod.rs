//! Pictures of a run, as SVG inside a page.
//!
//! A chart takes its colours from the page (`var(--s0)` and so on, in `export/html/style.css`),
//! so that one picture serves a light screen, a dark one and paper. It runs no script and says
//! nothing that the tables of the page do not say too. Each transport has a colour, a dash
//! pattern and a marker, so that no one of them is needed to tell it apart.

use maud::{Markup, html};

pub mod axis;
pub mod gap;
mod heat;
pub mod knee;
pub mod mark;
pub mod scatter;
pub mod series;
pub mod spectrum;

/// How large a chart is drawn: text keeps its size, the plot gets what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// For a screen or a sheet of paper.
    Wide,
    /// For a phone; the legend alone names the transports.
    Narrow,
    /// One of several small ones side by side.
    Panel,
}

impl Size {
    /// Width and height of the drawing, in units that a page shows as about a pixel each.
    #[must_use]
    pub fn dimensions(self) -> (f64, f64) {
        match self {
            Self::Wide => (820.0, 430.0),
            Self::Narrow => (360.0, 330.0),
            Self::Panel => (340.0, 190.0),
        }
    }
}

/// The drawing as an image with a name, for those who hear it and those who see it.
fn image(size: Size, label: &str, content: &Markup) -> Markup {
    let (width, height) = size.dimensions();
    let class = match size {
        Size::Wide => "wide",
        Size::Narrow => "narrow",
        Size::Panel => "panel",
    };
    html! {
        svg class=(class) viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(label) {
            (content)
        }
    }
}

/// A coordinate: a tenth of a pixel is fine enough, and short.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// The `points` of a polyline.
fn points(line: &[(f64, f64)]) -> String {
    let pairs: Vec<String> = line.iter().map(|&(x, y)| format!("{},{}", px(x), px(y))).collect();
    pairs.join(" ")
}
