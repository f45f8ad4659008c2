//! What the text and the page promise whoever reads them.

use expect_test::{Expect, expect};

use super::*;

const BYTES_MAX: usize = 500 * 1000;

fn lane(name: &str, note: &str) -> Lane {
    Lane { name: name.to_owned(), note: note.to_owned() }
}

fn entry(index: usize, at_us: u64, lane: usize, course: Course, words: &str) -> Entry {
    let who = ["ann", "server", "bob"][lane].to_owned();
    let words = words.to_owned();
    Entry { index, at_us, who, lane: Some(lane), course, words, is_minor: false }
}

/// Two people, one message, a cut, and a promise that the last two events break.
fn sample() -> Sequence {
    let cut = Entry {
        lane: None,
        course: Course::Across,
        who: "nemesis".to_owned(),
        ..entry(3, 520_000, 1, Course::Across, "cut-reset of bob")
    };
    let minor = Entry { is_minor: true, ..entry(4, 521_000, 2, Course::Stays, "poll") };
    Sequence {
        title: "seed 7".to_owned(),
        facts: vec![("trace hash".to_owned(), "00ff".to_owned())],
        findings: vec![Finding {
            what: "delivery: ann-1 was heard twice".to_owned(),
            evidence: vec![2, 5],
            consequences: Vec::new(),
        }],
        lanes: vec![lane("ann", "long-poll"), lane("server", ""), lane("bob", "websocket")],
        server: 1,
        entries: vec![
            entry(0, 500_000, 0, Course::Out, "says ann-1 to p1"),
            entry(1, 510_000, 0, Course::In, "#4 me ann-1"),
            entry(2, 510_000, 2, Course::In, "#3 partner ann-1"),
            cut,
            minor,
            entry(
                5,
                900_000,
                2,
                Course::In,
                "#4 partner ann-1, with more words than there is room",
            ),
            entry(6, 900_000, 2, Course::Stays, "loses the connection: nobody knows why"),
            entry(7, 910_000, 2, Course::Out, "opens"),
        ],
        arrows: vec![
            Arrow { from: (0, 500_000), to: (1, 505_000), entry: 0, tone: Some(0), is_lost: false },
            Arrow { from: (1, 505_000), to: (2, 510_000), entry: 2, tone: Some(0), is_lost: false },
            Arrow { from: (2, 910_000), to: (1, 910_000), entry: 7, tone: None, is_lost: true },
        ],
        bands: vec![Band { lane: 0, span_us: (100_000, 910_000), name: "p1".to_owned(), tone: 0 }],
        troubles: vec![Trouble {
            name: "cut-reset".to_owned(),
            effect: "touched 1".to_owned(),
            span_us: (520_000, 520_000),
            lanes: vec![2],
        }],
        phases: vec![(0, "disturb".to_owned()), (600_000, "settle".to_owned())],
        ended_us: 910_000,
    }
}

fn check(detail: Detail, sequence: &Sequence, expected: Expect) {
    let text = text(sequence, detail);
    // The first line shows where the left margin is, which `expect!` would take for its own.
    expected.assert_eq(&format!("|\n{text}"));
    assert!(text.lines().all(|line| line.len() <= 100), "a terminal has no more room");
}

#[test]
fn everybody_has_a_lifeline_and_every_event_a_row() {
    check(
        Detail::Whole,
        &sample(),
        expect![[r#"
            |
                       ann                             server                        bob
                       long-poll                                               websocket
               0.500   |- says ann-1 to p1 ----------->|                               |
               0.510   |< #4 me ann-1 -----------------|                               |
               0.510 ! |                               |----------- #3 partner ann-1 ->|
               0.520   = cut-reset of bob ==============================================
               0.900 ! |                               | #4 partner ann-1, with mo.. ->|
               0.900   |                        loses the connection: nobody knows why |
               0.910   |                               |<--------------------- opens --|
        "#]],
    );
}

#[test]
fn what_comes_behind_the_evidence_can_be_left_out() {
    let mut sequence = sample();
    sequence.findings[0].evidence = vec![0, 1];
    check(
        Detail::UntilTheEvidence,
        &sequence,
        expect![[r#"
            |
                       ann                             server                        bob
                       long-poll                                               websocket
               0.500 ! |- says ann-1 to p1 ----------->|                               |
               0.510 ! |< #4 me ann-1 -----------------|                               |
                 ...   and 6 more events, up to the end at 0.910 s
        "#]],
    );
}

#[test]
fn more_people_than_there_is_room_for_are_told_apart_by_name() {
    let mut sequence = sample();
    sequence.lanes.extend((0..4).map(|number| lane(&format!("cyd{number}"), "sse")));
    check(
        Detail::Whole,
        &sequence,
        expect![[r#"
            |
               0.500   ann: says ann-1 to p1
               0.510   ann: < #4 me ann-1
               0.510 ! bob: < #3 partner ann-1
               0.520   nemesis: cut-reset of bob
               0.900 ! bob: < #4 partner ann-1, with more words than there is room
               0.900   bob: loses the connection: nobody knows why
               0.910   bob: opens
        "#]],
    );
}

#[test]
fn the_page_fetches_nothing_and_every_link_leads_to_a_place_on_it() {
    let page = page(&sample());
    for forbidden in ["http://", "https://", "@import", " src=", "onclick", "fetch(", "import "] {
        assert!(!page.contains(forbidden), "{forbidden} in the page");
    }
    let links = page.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let links: Vec<_> = links.filter(|link| *link != "data:,").collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        let id = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leads out"));
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn what_contradicts_is_told_first_and_marked_in_the_picture_and_the_table() {
    let page = page(&sample());
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words} is missing"));
    let first = place("ann-1 was heard twice");
    assert!(first < place("id=\"overview\"") && place("id=\"overview\"") < place("id=\"picture\""));
    assert!(place("id=\"picture\"") < place("<table"));
    assert!(page.contains("class=\"row evidence\" id=\"e2\""), "{page}");
    assert!(page.contains("class=\"row evidence\" id=\"e5\""), "{page}");
    assert_eq!(page.matches("class=\"evidence\"").count(), 2);
}

#[test]
fn a_run_in_which_all_went_well_says_so() {
    let page = page(&Sequence { findings: Vec::new(), ..sample() });
    assert!(page.contains("Every promise kept") && !page.contains("class=\"row evidence\""));
}

#[test]
fn what_was_said_in_a_run_is_text_and_never_markup() {
    let mut sequence = sample();
    let raw = "</text><script>alert(1)</script>";
    sequence.title = raw.to_owned();
    sequence.entries[0].words = raw.to_owned();
    sequence.entries[0].who = raw.to_owned();
    sequence.lanes[0].name = raw.to_owned();
    sequence.findings[0].what = raw.to_owned();
    sequence.troubles[0].effect = raw.to_owned();
    assert!(!page(&sequence).contains("<script>alert"));
}

#[test]
fn earlier_is_never_drawn_below_later() {
    let sequence = sample();
    let layout = layout::Layout::of(&sequence);
    let rows = (0..sequence.entries.len()).map(|place| layout.row(place)).collect::<Vec<_>>();
    for (place, pair) in sequence.entries.windows(2).enumerate() {
        let is_later = pair[0].at_us < pair[1].at_us;
        assert!(!is_later || rows[place] <= rows[place + 1], "{rows:?}");
    }
    let times: Vec<_> = (0..1_000).map(|ms| layout.at(ms * 1_000)).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times.iter().all(|place| (0.0..=layout.height()).contains(place)));
}

#[test]
fn a_thousand_events_fit_into_half_a_megabyte() {
    let mut sequence = sample();
    let words = "says ann-123 to p12";
    sequence.entries =
        (0..1_000).map(|n| entry(n, n as u64 * 9_000, 2 * (n % 2), Course::Out, words)).collect();
    let arrow = |n: usize| {
        let at_us = n as u64 * 9_000;
        Arrow {
            from: (2 * (n % 2), at_us),
            to: (1, at_us + 5_000),
            entry: n,
            tone: Some(n),
            is_lost: false,
        }
    };
    sequence.arrows = (0..1_000).map(arrow).collect();
    let length = page(&sequence).len();
    assert!(length < BYTES_MAX, "{length} bytes");
}

#[test]
fn a_run_in_which_nothing_happened_makes_a_page_too() {
    let empty = Sequence { lanes: vec![lane("server", "")], ..Sequence::default() };
    assert!(page(&empty).contains("Every promise kept"));
    assert_eq!(text(&empty, Detail::Whole).lines().next().map(str::trim), Some("server"));
    assert_eq!(text(&Sequence::default(), Detail::Whole), "");
}
