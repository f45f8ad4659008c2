//! What several generators' books prove together, with losses and more planted between them.

use expect_test::{Expect, expect};

use super::*;

/// A message: the shard that said it, and whoever received it, in order.
type Planted<'a> = (u32, &'a [u32]);

/// The runs of `of` generators among which these messages went.
fn runs(of: u32, messages: &[Planted]) -> Vec<(String, Run)> {
    let numbers = 1..=of;
    numbers.map(|shard| (format!("run-{shard}"), run(shard, of, messages))).collect()
}

fn run(shard: u32, of: u32, messages: &[Planted]) -> Run {
    let mut run = crate::sample::run(1, 2, 50);
    let plan = [("users", "10"), ("rate", "40")];
    run.part = Some(Part {
        shard,
        of,
        start_at: "2026-03-01T09:30:00Z".to_owned(),
        plan: plan.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    });
    let series = &mut run.series[0];
    series.messages = Messages::default();
    let mut crossing = Crossing::default();
    for ((from, readers), id) in messages.iter().zip(1..) {
        let fingerprint = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(id);
        if *from == shard {
            say(&mut series.messages, &mut crossing, readers.contains(&shard), fingerprint);
        } else {
            let times = readers.iter().filter(|reader| **reader == shard).count();
            hear(crossing.come.entry(*from).or_default(), times, fingerprint);
        }
    }
    series.crossing = Some(crossing);
    run
}

fn say(messages: &mut Messages, crossing: &mut Crossing, at_home: bool, fingerprint: u64) {
    messages.scheduled += 1;
    messages.sent += 1;
    if at_home {
        messages.delivered += 1;
    } else {
        messages.abroad += 1;
        crossing.window.due.add(fingerprint);
    }
}

fn hear(come: &mut Come, times: usize, fingerprint: u64) {
    if times > 0 {
        come.window.add(fingerprint);
        come.latency_us = sum([&come.latency_us, &HistogramDump(vec![(500, 1)])]);
    }
    come.messages.delivered += u64::from(times == 1);
    come.messages.duplicated += u64::from(times > 1);
}

fn merged(runs: &[(String, Run)]) -> Run {
    merge(runs, "racetrack report merge".to_owned()).expect("they are parts of one run")
}

fn messages(of: u32, planted: &[Planted]) -> Messages {
    let messages = merged(&runs(of, planted)).series[0].messages;
    assert_eq!((messages.abroad, messages.sent), (0, planted.len() as u64), "{messages:?}");
    messages
}

#[test]
fn messages_that_arrived_once_are_delivered_wherever_that_was() {
    let messages = messages(3, &[(1, &[2]), (1, &[3]), (2, &[2]), (3, &[1]), (3, &[3])]);
    assert_eq!(messages.delivered, 5);
    assert!(messages.all_accounted_for());
}

#[test]
fn a_message_that_arrived_nowhere_is_lost() {
    let messages = messages(2, &[(1, &[2]), (1, &[]), (2, &[1])]);
    assert_eq!((messages.delivered, messages.lost), (2, 1));
    assert!(!messages.all_accounted_for());
}

#[test]
fn a_message_that_its_reader_had_twice_is_duplicated() {
    let messages = messages(2, &[(1, &[2, 2]), (1, &[2])]);
    assert_eq!((messages.delivered, messages.duplicated), (1, 1));
}

#[test]
fn a_message_that_reached_two_generators_is_duplicated() {
    let at_home_too = messages(2, &[(1, &[1, 2]), (1, &[2]), (1, &[1])]);
    assert_eq!((at_home_too.delivered, at_home_too.duplicated), (2, 1));
    let at_two_others = messages(3, &[(1, &[2, 3]), (1, &[3])]);
    assert_eq!((at_two_others.delivered, at_two_others.duplicated), (1, 1));
}

#[test]
fn a_loss_and_a_second_delivery_do_not_make_up_for_each_other() {
    let messages = messages(2, &[(1, &[]), (1, &[1, 2]), (1, &[2]), (1, &[1])]);
    assert_eq!((messages.lost, messages.duplicated, messages.delivered), (1, 1, 2));
}

#[test]
fn a_misdelivery_that_the_reader_saw_stays_one() {
    let mut runs = runs(2, &[(1, &[2]), (1, &[2])]);
    let crossing = runs[1].1.series[0].crossing.as_mut().expect("it is a part");
    let come = crossing.come.get_mut(&1).expect("two came");
    (come.messages.delivered, come.messages.misdelivered) = (1, 1);
    let run = merged(&runs);
    assert_eq!((run.series[0].messages.delivered, run.series[0].messages.misdelivered), (1, 1));
    assert_eq!(crate::verdict(&run).standing, crate::Standing::Failed);
}

#[test]
fn what_was_lost_before_the_window_is_counted_as_well() {
    let mut runs = runs(2, &[(1, &[2])]);
    let crossing = runs[0].1.series[0].crossing.as_mut().expect("it is a part");
    crossing.warm_up.due.add(99);
    let messages = merged(&runs).series[0].messages;
    assert_eq!((messages.sent, messages.delivered, messages.lost), (2, 1, 1));
}

#[test]
fn of_messages_whose_sending_failed_the_fingerprints_say_which_arrived() {
    let prints = [3, 5, 8].map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut gone = Gone { doubtful: prints.to_vec(), ..Gone::default() };
    gone.due.add(1);
    let came = |arrived: &[u64]| {
        let mut tally = gone.due;
        arrived.iter().for_each(|print| tally.add(*print));
        tally
    };
    let refused = |refused| Closed { refused, ..Closed::default() };
    assert_eq!(settle(&gone, came(&[])), refused(3));
    assert_eq!(settle(&gone, came(&prints[1..2])), refused(2));
    assert_eq!(settle(&gone, came(&prints)), refused(0));
    assert_eq!(settle(&gone, Tally::default()), Closed { lost: 1, twice: 0, refused: 3 });
    let too_many = Tally { count: 6, fingerprint: 9 };
    assert_eq!(settle(&gone, too_many), Closed { lost: 0, twice: 2, refused: 3 });
}

#[test]
fn figures_are_added_up_exactly() {
    let runs = runs(2, &[(1, &[2]), (2, &[1])]);
    let run = merged(&runs);
    let [one, other, both] = [&runs[0].1.series[0], &runs[1].1.series[0], &run.series[0]];
    assert_eq!(both.latency_us, sum([&one.latency_us, &other.latency_us]));
    assert_eq!(both.users, one.users + other.users);
    assert_eq!(both.traffic.requests, 2 * one.traffic.requests);
    assert_eq!(both.generator.cpu_us, 2 * one.generator.cpu_us);
    assert_eq!(both.server, one.server, "there is one server");
    assert_eq!(both.intervals.len(), one.intervals.len());
    assert_eq!(both.intervals[1].received, 2 * one.intervals[1].received);
    assert_eq!(both.crossed_us, HistogramDump(vec![(500, 2)]));
    let generators: Vec<_> = run.generators.iter().map(|it| it.shard.as_str()).collect();
    assert_eq!(generators, ["1/2", "2/2"]);
}

#[test]
fn what_is_not_valid_in_one_generator_is_not_valid_in_all_and_says_whose_it_is() {
    let mut runs = runs(2, &[(1, &[2])]);
    runs[1].1.series[0].invalid.push("a busy machine".into());
    assert_eq!(merged(&runs).series[0].invalid, ["shard 2/2: a busy machine".into()]);
}

#[test]
fn a_part_alone_is_neither_failed_nor_valid() {
    let run = runs(2, &[(1, &[2]), (1, &[1])]).remove(0).1;
    let verdict = crate::verdict(&run);
    assert_eq!(verdict.standing, crate::Standing::Invalid);
    expect![[r#"
        The figures of websocket are not valid: this is the part of one generator of several: 1 message crossed between them, and only `racetrack report merge` can account for those."#]]
    .assert_eq(&verdict.warnings.join("\n"));
}

#[test]
fn clocks_that_are_apart_are_found_out_by_what_goes_both_ways() {
    let apart = |there_us: u64, back_us: u64| {
        let mut runs = runs(2, &[(1, &[2]), (2, &[1])]);
        for ((_, run), (origin, us)) in runs.iter_mut().zip([(2, back_us), (1, there_us)]) {
            let crossing = run.series[0].crossing.as_mut().expect("it is a part");
            let come = crossing.come.get_mut(&origin).expect("something came");
            come.latency_us = HistogramDump(vec![(us - 20, 40), (us, 40), (us + 20, 40)]);
        }
        merged(&runs).series[0].invalid.clone()
    };
    assert_eq!(apart(500, 520), []);
    let said = apart(40_500, 500);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].cause, Cause::ClocksApart);
    let text = &said[0].text;
    assert!(text.starts_with("the clocks of shards 1 and 2 are about 20 ms apart"), "{text}");
}

#[test]
fn a_merged_run_says_how_much_went_from_one_generator_to_another() {
    let notes = crate::verdict(&merged(&runs(2, &[(1, &[2]), (2, &[1])]))).notes;
    expect!["2 of websocket's 194 messages went from one generator to another, so that two clocks measured them: their median is –, that of the others 798 µs."]
    .assert_eq(&notes.join("\n"));
}

#[track_caller]
fn refused(runs: &[(String, Run)], expected: Expect) {
    let error = merge(runs, String::new()).expect_err("they cannot be merged");
    expected.assert_eq(&error.to_string());
}

#[test]
fn what_does_not_belong_together_is_refused_with_both_names_and_the_field() {
    let changed = |change: fn(&mut Run)| {
        let mut runs = runs(2, &[(1, &[2])]);
        change(&mut runs[1].1);
        runs
    };
    refused(
        &changed(|run| run.seed = 8),
        expect!["run-1 and run-2 are not parts of one run: --seed is 7 and 8"],
    );
    refused(
        &changed(|run| {
            let part = run.part.as_mut().expect("it is a part");
            part.plan.insert("rate".to_owned(), "80".to_owned());
        }),
        expect!["run-1 and run-2 are not parts of one run: --rate is 40 and 80"],
    );
    refused(
        &changed(|run| {
            let part = run.part.as_mut().expect("it is a part");
            part.plan.insert("new".to_owned(), "1".to_owned());
        }),
        expect!["run-1 and run-2 are not parts of one run: --new is – and 1"],
    );
    refused(
        &changed(|run| {
            run.part.as_mut().expect("it is a part").start_at = "2026-03-01T10:30:00Z".to_owned();
        }),
        expect![
            "run-1 and run-2 are not parts of one run: --start-at is 2026-03-01T09:30:00Z and 2026-03-01T10:30:00Z"
        ],
    );
    refused(
        &changed(|run| run.series[0].transport = "sse".to_owned()),
        expect![
            "run-1 and run-2 are not parts of one run: the list of measured transports is websocket and sse"
        ],
    );
    refused(
        &changed(|run| run.series[0].duration_s = 1.5),
        expect![
            "run-1 and run-2 are not parts of one run: the length of the windows in seconds is 2 and 1.5"
        ],
    );
    refused(
        &changed(|run| run.part = None),
        expect!["run-2 is not the run of one generator of several: it was made without --shard"],
    );
}

#[test]
fn every_shard_must_be_there_once() {
    let all = runs(3, &[(1, &[2])]);
    let missing = expect![
        "shard 2/3 is missing: without it nobody knows what became of the messages between it and the others"
    ];
    refused(&[all[0].clone(), all[2].clone()], missing);
    let twice = [all[0].clone(), all[1].clone(), (String::from("again"), all[1].1.clone())];
    refused(&twice, expect!["run-2 and again are both shard 2/3"]);
    refused(&[], expect!["there is nothing to merge"]);
}

#[test]
fn transport_that_failed_for_one_generator_is_left_out_and_the_others_are_merged() {
    let mut runs = runs(2, &[(1, &[2])]);
    for (_, run) in &mut runs {
        run.series.push(Series { transport: "sse".to_owned(), ..run.series[0].clone() });
    }
    let sse = runs[1].1.series.pop().expect("it was just put there");
    let why = "it died".to_owned();
    runs[1].1.failures.push(Failure { transport: sse.transport, why });
    let run = merged(&runs);
    let names: Vec<_> = run.series.iter().map(|it| it.transport.as_str()).collect();
    assert_eq!(names, ["websocket"]);
    assert_eq!(run.failures[0].why, "shard 2/2: it died");
    assert_eq!(crate::verdict(&run).standing, crate::Standing::Failed);
}
