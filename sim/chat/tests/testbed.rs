//! What a testbed says of names that nobody has, and what a server is like whose process is gone.

use std::io::ErrorKind;
use std::time::Duration;

use axum::serve::Listener;
use chat_sim::net::{Cut, Network, Side, SimListener};
use chat_sim::testbed::{Client, Run, Testbed};
use tokio::time::sleep;

/// A server that takes connections and keeps them.
async fn keeps(mut listener: SimListener) -> std::io::Result<()> {
    let mut kept = Vec::new();
    loop {
        kept.push(listener.accept().await);
    }
}

async fn waits(client: Client<String>) -> turmoil::Result {
    let _connection = client.connect("shop").await?;
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

fn shop() -> Testbed<String> {
    Testbed::new(1).server("shop", keeps).client("ann", waits).client("bob", waits)
}

/// The one line with which the run is refused.
#[track_caller]
fn refusal(testbed: Testbed<String>) -> String {
    let why = testbed.run().map(|Run { struck, .. }| struck).expect_err("a name is wrong");
    assert_eq!(why.lines().count(), 1, "{why}");
    why
}

#[test]
fn two_hosts_of_one_name_are_refused_with_all_names() {
    let hosts = r#"there are "shop", "ann", "bob", "ann""#;
    let clients = refusal(shop().client("ann", waits));
    assert_eq!(clients, format!(r#"two hosts are named "ann"; {hosts}"#));
    let servers = refusal(shop().server("shop", keeps));
    assert_eq!(servers, r#"two hosts are named "shop"; there are "shop", "shop", "ann", "bob""#);
    let both = refusal(shop().server("bob", keeps));
    assert!(both.starts_with(r#"two hosts are named "bob"; "#), "{both}");
    let address = refusal(shop().server("10.0.0.1", keeps));
    assert_eq!(address, r#"a host cannot be named "10.0.0.1"; choose a plain name"#);
}

#[test]
fn a_crash_of_an_unknown_server_is_refused_before_the_run() {
    let unknown = refusal(shop().crash(5, "shopp", 10));
    assert_eq!(unknown, r#"no server is named "shopp"; there is only "shop""#);
    let client = refusal(shop().crash(5, "ann", 10));
    assert_eq!(client, r#"no server is named "ann"; there is only "shop""#);
}

#[test]
fn a_fault_of_an_unknown_client_fails_the_run_at_the_line_that_names_it() {
    type Strike = fn(&Network) -> usize;
    let strikes: [Strike; 9] = [
        |network| network.cut("bobb", Cut::Reset),
        |network| network.lose("bobb"),
        |network| network.half_open("bobb"),
        |network| network.mute("bobb", Side::Client),
        |network| {
            network.unmute("bobb", Side::Client);
            1
        },
        |network| network.stall("bobb"),
        |network| network.go_on_reading("bobb"),
        |network| network.live("bobb"),
        // A server opens no connections here.
        |network| network.cut("shop", Cut::Finish),
    ];
    for strike in strikes {
        let why = refusal(shop().trouble(500, strike));
        assert!(why.starts_with("no client is named "), "{why}");
        assert!(why.contains(r#"; there are "ann", "bob" (at "#), "{why}");
        assert!(why.contains("tests/testbed.rs:"), "{why}");
    }
    let run = shop().trouble(500, |network| network.cut("bob", Cut::Reset)).run();
    assert_eq!(run.expect("he is there").struck, [1]);
}

#[test]
fn a_connection_to_an_unknown_server_fails_with_the_names_that_there_are() {
    let unknown = shop().client("cyd", |cyd| async move {
        let error = cyd.connect("shopp").await.err().expect("nobody is there");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        cyd.note(error.to_string());
        Ok(())
    });
    let run = unknown.run().expect("an error is no failure where it is expected");
    assert_eq!(run.history[0].what, r#"no server is named "shopp"; there is only "shop""#);
    let passed_on = refusal(shop().client("cyd", |cyd| async move {
        cyd.connect("shopp").await?;
        Ok(())
    }));
    assert!(passed_on.contains(r#"no server is named "shopp""#), "{passed_on}");
}

/// How `eve` fares who connects at these times of a run, in milliseconds: the kind of the error if there is
/// one, and whether it takes longer than the way there.
fn attempts(testbed: Testbed<String>, at_ms: &'static [u64]) -> Vec<String> {
    let run = testbed.client("eve", move |eve| async move {
        for at_ms in at_ms {
            let now = || turmoil::sim_elapsed().expect("within a host");
            sleep(Duration::from_millis(*at_ms) - now()).await;
            let begun = now();
            let connected = eve.connect("shop").await.map(drop).map_err(|error| error.kind());
            let when = if now() - begun <= AT_ONCE { "at once" } else { "late" };
            eve.note(format!("{connected:?} {when}"));
        }
        Ok(())
    });
    let run = run.latency_ms(10..=10).run().expect("nothing else goes wrong");
    run.history.into_iter().map(|noted| noted.what).collect()
}

/// One way of 10 ms, and two ticks.
const AT_ONCE: Duration = Duration::from_millis(20);
const REFUSED: &str = "Err(ConnectionRefused) at once";
const TAKEN: &str = "Ok(()) at once";

#[test]
fn a_server_that_crashed_refuses_connections_until_it_is_back() {
    let crashed = Testbed::new(1).server("shop", keeps).crash(100, "shop", 400);
    let told = attempts(crashed, &[50, 95, 110, 300, 600]);
    // The second is on its way when the server dies.
    assert_eq!(told, [TAKEN, REFUSED, REFUSED, REFUSED, TAKEN]);
}

#[test]
fn a_server_that_returns_resets_its_connections_and_refuses_new_ones() {
    let ended = Testbed::new(1).server("shop", |mut listener| async move {
        let kept = (listener.accept().await, listener.accept().await);
        sleep(Duration::from_millis(100)).await;
        drop(kept);
        Ok(())
    });
    let reads = |client: Client<String>| async move {
        let mut stream = client.connect("shop").await?;
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut [0]).await;
        client.note(format!("{read:?}"));
        Ok(())
    };
    let told = attempts(ended.client("ann", reads), &[10, 300]);
    assert_eq!(told[0], TAKEN, "{told:?}");
    assert_eq!(told[2], REFUSED, "{told:?}");
}
