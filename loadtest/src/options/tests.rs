//! Options that are read, and those that are refused.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn parse(arguments: &str) -> Result<Options, String> {
    let words = std::iter::once("load").chain(arguments.split_whitespace());
    Line::try_parse_from(words).map(|line| line.options).map_err(|error| error.to_string())
}

#[test]
fn no_flag_means_the_defaults() {
    let options = parse("").expect("nothing is required");
    assert_eq!(options.transports, TransportKind::ALL.map(Transport::One));
    assert_eq!((options.users, options.rate_per_s()), (1_000, 500.0));
    assert_eq!(options.validate(), Ok(()));
}

#[test]
fn an_unknown_transport_is_answered_with_the_known_ones() {
    let error = parse("--transport long-poll,pigeon").expect_err("there is no such transport");
    for word in ["pigeon", "--transport", "short-poll, long-poll, sse, websocket"] {
        assert!(error.contains(word), "{word} is missing in: {error}");
    }
}

#[test]
fn a_length_without_a_unit_is_answered_with_examples() {
    let error = parse("--duration 10").expect_err("10 of what");
    assert!(error.contains("--duration") && error.contains("10s or 1m30s"), "{error}");
}

#[test]
fn a_refusal_names_the_flag_the_value_and_what_is_allowed() {
    for (arguments, expected) in [
        ("--users 1", "--users 1: 2 to 1000000 people can talk"),
        ("--duration 10ms", "--duration 10ms: 1s to 1h can be measured"),
        ("--warm-up 1h", "--warm-up 1h: 0s to 10m"),
        ("--repeat 0", "--repeat 0: 1 to 100 rounds"),
        ("--poll-interval 1s,1ms", "--poll-interval 1ms: 10ms to 30s"),
        ("--skip-every 1ms", "--skip-every 1ms: 100ms to 1h, on average"),
        ("--stay 2h", "--stay 2h: 100ms to 1h, on average"),
        (
            "--stay 1m --poll-interval 1s,6s",
            "--stay 1m: who leaves reads the last words with the next poll, so --poll-interval \
             is at most 5s",
        ),
        ("--arrival-rate 0", "--arrival-rate 0: 1 to 1000000 people a second"),
        ("--mix sse=1", "--mix sse=1: it takes --transport mix"),
        ("--transport sse,sse", "--transport sse: each can be asked for once"),
        ("--poll-interval 1s,1s", "--transport short-poll-1s: each can be asked for once"),
        ("--rate 0.01", "--rate 0.01: no message is due within --duration 10s; raise one of both"),
        (
            "--rate 1e300",
            "--rate 1e300: more than 0, and at most 50 million messages in the whole run",
        ),
        ("--arrival-rate inf", "--arrival-rate inf: 1 to 1000000 people a second"),
        ("--rate 0", "--rate 0: more than 0, and at most 50 million messages in the whole run"),
        ("--rate NaN", "--rate NaN: more than 0, and at most 50 million messages in the whole run"),
    ] {
        let options = parse(arguments).expect("it can be read");
        let error = options.validate().expect_err("it cannot be meant");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_peer_that_speaks_none_of_the_transports_is_refused() {
    let options = parse("--peer node --transport sse").expect("it can be read");
    let error = options.validate().expect_err("there is nothing to compare");
    assert_eq!(
        error.to_string(),
        "--peer node: it speaks socketio-websocket and socketio-polling, and --transport has \
         neither"
    );
    let error = parse("--peer node --target http://a").expect_err("which is ours");
    assert!(error.contains("cannot be used with"), "{error}");
}

#[test]
fn a_shard_takes_what_all_shards_must_agree_on() {
    let target = "--target http://127.0.0.1:3000";
    for arguments in ["--shard 1/2 --start-at 12:00:00", &format!("--shard 1/2 {target}")] {
        let error = parse(arguments).expect("it can be read").validate();
        let expected = "--shard 1/2: only with --target, the server of all shards, and \
                        --start-at, their start";
        assert_eq!(error.expect_err("it is not enough").to_string(), expected);
    }
    let soon = Timestamp::now() + jiff::Span::new().minutes(1);
    let slow = format!("--shard 1/2 {target} --start-at {soon} --arrival-rate 4");
    let error = parse(&slow).expect("it can be read").validate().expect_err("125 s are too long");
    let expected = "s ahead, and this generator's people take 125 s to arrive; choose a later start, \
                    or a higher --arrival-rate";
    assert!(error.to_string().ends_with(expected), "{error}");
    let alone = parse("--start-at 12:00:00").expect("it can be read").validate();
    let alone = alone.expect_err("nobody shares it").to_string();
    assert_eq!(alone, "--start-at 12:00:00: only with --shard I/N");
    let past = format!("--shard 1/2 {target} --start-at 2026-01-01T12:00:00Z");
    let error = parse(&past).expect("it can be read").validate().expect_err("it is over");
    let error = error.to_string();
    let expected = "--start-at 2026-01-01T12:00:00Z: 2026-01-01T12:00:00Z is over, it is ";
    assert!(error.starts_with(expected), "{error}");
    let many = format!("--shard 1/9 --users 8 {target} --start-at 2026-01-01T12:00:00Z");
    let error = parse(&many).expect("it can be read").validate().expect_err("nobody is left");
    assert_eq!(error.to_string(), "--shard 1/9: each has one of the --users at least");
}

#[test]
fn the_parts_of_a_run_have_everything_in_common_but_their_number_and_the_way_to_the_server() {
    let soon = Timestamp::now() + jiff::Span::new().minutes(5);
    let part = |shard: &str, host: &str, more: &str| {
        let line = format!("--shard {shard} --target http://{host} --start-at {soon} {more}");
        let part = parse(&line).expect("it can be read").part();
        part.expect("it is five minutes ahead").expect("it is a part")
    };
    let (one, other) = (part("1/2", "a:1", ""), part("2/2", "b:2", ""));
    assert_eq!((one.shard, other.shard, one.of), (1, 2, 2));
    assert_eq!((&one.plan, &one.start_at), (&other.plan, &other.start_at));
    assert_ne!(one.plan, part("1/2", "a:1", "--rate 7").plan);
    assert_eq!(one.plan["users"], "1000");
    assert_eq!(Options::default().part(), Ok(None));
}

#[test]
fn options_survive_being_written_as_json() {
    let options = parse("--transport long-poll --users 20 --rate 7 --duration 1m30s")
        .expect("all of these are options");
    let options = Options { mix: Some(Mix::of(TransportKind::Sse)), ..options };
    let json = serde_json::to_string(&options).expect("options are plain data");
    let again: Options = serde_json::from_str(&json).expect("it was just written");
    assert_eq!(serde_json::to_string(&again).expect("as before"), json);
    assert!(json.contains(r#""transports":["long-poll"]"#), "{json}");
}
