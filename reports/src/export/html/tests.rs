//! What the page promises whoever opens it.

use super::*;

const BYTES_MAX: usize = 500 * 1000;

fn sample() -> Run {
    crate::sample::run(3, 5, 400)
}

fn text(run: &Run) -> String {
    page(run).into_string()
}

/// Everything that a page could fetch or run, were it there.
fn check_self_contained(page: &str) {
    for forbidden in ["http://", "https://", "<script", "@import", "url(", " src=", "onclick"] {
        assert!(!page.contains(forbidden), "{forbidden} in the page");
    }
    let links = page.split(" href=\"").skip(1).map(|it| it.split('"').next().unwrap_or_default());
    let leads_out = |link: &&str| *link != "data:," && link.contains([':', '/', '?', '#', '%']);
    assert_eq!(links.filter(leads_out).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn raw_files_beside_the_page_are_links_whatever_transports_are_called() {
    let mut run = sample();
    run.series[0].transport = "../of \"mine\"".to_owned();
    let page = text(&run);
    check_self_contained(&page);
    for exporter in crate::export::all() {
        for file in exporter.files(&run).into_iter().filter(|it| it.name != FILE) {
            assert!(page.contains(&format!("<a href=\"{}\">", file.name)), "{}", file.name);
        }
    }
}

#[test]
fn page_and_its_title_say_what_was_measured() {
    let page = text(&sample());
    let told = "websocket, long-poll and short-poll: 1,000 users, 400 messages/s, 5 s each";
    assert!(page.contains(&format!("<h1>{told}</h1>")));
    assert!(page.contains(&format!("<title>{told}, 2026-03-01T09:30:00Z - racetrack</title>")));
}

#[test]
fn the_page_fetches_nothing_and_runs_no_script() {
    check_self_contained(&text(&sample()));
}

#[test]
fn six_transports_of_two_minutes_fit_into_half_a_megabyte() {
    let page = text(&crate::sample::run(6, 120, 1200));
    assert!(page.len() < BYTES_MAX, "{} bytes", page.len());
    check_self_contained(&page);
}

#[test]
fn an_hour_of_six_transports_fits_too() {
    let page = text(&crate::sample::run(6, 3_600, 30));
    assert!(page.len() < BYTES_MAX, "{} bytes", page.len());
    assert!(page.contains("due in each 30 s"), "it says what a point is");
}

#[test]
fn what_decides_comes_first() {
    let page = text(&sample());
    let places: Vec<usize> = [
        "id=\"verdict\"",
        "id=\"comparison\"",
        "id=\"speed-and-cost\"",
        "id=\"spectrum\"",
        "id=\"over-time\"",
        "id=\"honesty\"",
        "id=\"simulation\"",
        "id=\"environment\"",
        "id=\"glossary\"",
    ]
    .into_iter()
    .map(|id| page.find(id).unwrap_or_else(|| panic!("{id} is missing")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn every_picture_has_a_name_and_its_figures_in_a_table() {
    let page = text(&sample());
    let pictures = page.matches("role=\"img\"").count();
    assert!(pictures >= 2 + 2 + 2 * 3, "{pictures}");
    assert_eq!(pictures, page.matches("role=\"img\" aria-label=\"").count());
    for figure in page.split("<figure").skip(1) {
        let figure = figure.split("</figure>").next().expect("a figure ends");
        assert!(figure.contains("<details") && figure.contains("<table"), "{figure}");
    }
}

#[test]
fn a_lost_message_is_in_the_verdict_before_anything_else() {
    let mut run = sample();
    run.series[1].messages.lost = 2;
    run.series[1].messages.delivered -= 2;
    let page = text(&run);
    let warning = page.find("long-poll did not account").expect("the warning");
    let headline = page
        .find("long-poll did not account")
        .and_then(|_| page.find("was fastest"))
        .expect("the headline");
    assert!(warning < headline && page.contains("verdict failed"));
}

#[test]
fn objectives_stand_in_a_table_and_a_broken_one_in_the_verdict() {
    assert!(!text(&sample()).contains("id=\"objectives\""));
    let mut run = sample();
    run.slos = vec!["websocket p50 < 1us".parse().expect("an objective")];
    let page = text(&run);
    assert!(page.contains("id=\"objectives\"") && page.contains("verdict failed"));
    assert!(page.contains("websocket p50 &lt; 1us is broken: 516 µs."));
}

#[test]
fn what_a_run_says_of_itself_is_text_and_never_markup() {
    let mut run = sample();
    run.command = "racetrack load --slo '<script>alert(1)</script>'".to_owned();
    run.series[0].transport = "<b>\"&".to_owned();
    run.series[0].traffic.errors.insert("<img src=x>".to_owned(), 3);
    run.series[0].invalid.push("<i>".into());
    let page = text(&run);
    for raw in ["<script", "<b>", "<img", "<i>"] {
        assert!(!page.contains(raw), "{raw} in the page");
    }
}

#[test]
fn a_run_of_a_simulation_alone_has_no_load_in_its_report() {
    let page = text(&crate::sample::run(0, 1, 1));
    assert!(page.contains("no transport was put under load"));
    assert!(page.contains("id=\"simulation\"") && !page.contains("id=\"comparison\""));
}

#[test]
fn a_run_with_hardly_a_message_still_makes_a_page() {
    let mut run = crate::sample::run(2, 1, 3);
    run.series[0].server = None;
    run.series[1].intervals.clear();
    let page = text(&run);
    assert!(page.contains("id=\"comparison\"") && !page.contains("NaN"));
}

#[test]
fn a_search_has_its_picture_and_every_probe_in_a_table() {
    let mut run = sample();
    assert!(!text(&run).contains("How much each transport carries"));
    run.knees = crate::sample::knees();
    let page = text(&run);
    check_self_contained(&page);
    assert!(page.contains("How much each transport carries"));
    let probes: usize = run.knees.iter().map(|knee| knee.probes.len()).sum();
    let section = page.split("id=\"knees\"").nth(1).expect("it is there");
    let section = section.split("</section>").next().expect("and ends");
    assert_eq!(section.matches("<tr>").count(), 1 + probes);
}

#[test]
fn nobody_is_called_the_best_under_different_loads() {
    let mut run = sample();
    let is_called = |run: &Run| text(run).contains("class=\"best\"");
    assert!(is_called(&run));
    run.series[1].offered_per_s *= 2.0;
    assert!(!is_called(&run));
}
