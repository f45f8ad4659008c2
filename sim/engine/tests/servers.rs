//! What a server is like whose process is gone, and what connecting to an unknown one gives.

use std::io::ErrorKind;
use std::time::Duration;

use racetrack_sim::net::SimListener;
use racetrack_sim::{Client, FaultKind, Sim, scenario};
use tokio::io::AsyncReadExt;
use tokio::time::sleep;

/// One way of 10 ms, and two ticks.
const AT_ONCE: Duration = Duration::from_millis(20);
const REFUSED: &str = "Err(ConnectionRefused) at once";
const TAKEN: &str = "Ok(()) at once";

/// A server that takes connections and keeps them.
async fn keeps(listener: SimListener) -> std::io::Result<()> {
    let mut kept = Vec::new();
    loop {
        kept.push(listener.accept().await?);
    }
}

/// Connects at these times of a run, in milliseconds, and records the kind of the error if there is one, and whether
/// it takes longer than the way there.
fn attempts(sim: &mut Sim<String>, at_ms: &'static [u64]) {
    sim.client("eve", move |eve: Client<String>| async move {
        for at_ms in at_ms {
            sleep(Duration::from_millis(*at_ms) - eve.now()).await;
            let begun = eve.now();
            let connected = eve.connect("shop").await.map(drop).map_err(|error| error.kind());
            let when = if eve.now() - begun <= AT_ONCE { "at once" } else { "late" };
            eve.record(format!("{connected:?} {when}"));
        }
        Ok(())
    });
}

#[test]
fn server_that_crashed_refuses_connections_until_it_is_back() -> Result<(), racetrack_sim::Error> {
    let shop = |sim: &mut Sim<String>| {
        sim.host("shop", keeps);
        attempts(sim, &[50, 95, 110, 300, 600]);
    };
    let report = scenario(shop).at_ms(100, FaultKind::Crash.on("shop").for_ms(400)).run()?;
    let history = report.history();
    let seen: Vec<_> = history.iter().map(|event| event.what.as_str()).collect();
    // The second is on its way when the server dies.
    assert_eq!(seen, [TAKEN, REFUSED, REFUSED, REFUSED, TAKEN]);
    Ok(())
}

#[test]
fn server_that_returns_resets_its_connections_and_refuses_new_ones()
-> Result<(), racetrack_sim::Error> {
    let shop = |sim: &mut Sim<String>| {
        sim.host("shop", |listener: SimListener| async move {
            let kept = (listener.accept().await?, listener.accept().await?);
            sleep(Duration::from_millis(100)).await;
            drop(kept);
            Ok(())
        });
        sim.client("ann", |ann| async move {
            let mut stream = ann.connect("shop").await?;
            let read = stream.read(&mut [0]).await;
            ann.record(format!("{read:?}"));
            Ok(())
        });
        attempts(sim, &[10, 300]);
    };
    let history = scenario(shop).run()?.history();
    let of_eve = history.iter().filter(|event| event.client == "eve");
    let seen: Vec<_> = of_eve.map(|event| event.what.as_str()).collect();
    assert_eq!(seen, [TAKEN, REFUSED]);
    assert!(history.any(|event| event.client == "ann"), "her read ended");
    Ok(())
}

#[test]
fn connection_to_an_unknown_server_fails_with_the_known_names() -> Result<(), racetrack_sim::Error>
{
    let shop = |sim: &mut Sim<String>| {
        sim.host("shop", keeps);
        sim.client("cyd", |cyd| async move {
            let error = cyd.connect("shopp").await.err().expect("no server has that name");
            assert_eq!(error.kind(), ErrorKind::NotFound);
            cyd.record(error.to_string());
            Ok(())
        });
    };
    let history = scenario(shop).run()?.history();
    assert!(
        history.any(|event| event.what == r#"no server is named "shopp"; there is only "shop""#)
    );
    Ok(())
}

/// A ledger on a disk, and a server that dials another one.
#[test]
fn disk_outlives_a_crash_and_servers_dial_each_other() -> Result<(), racetrack_sim::Error> {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::io::AsyncWriteExt;

    let lives = |sim: &mut Sim<u64>| {
        sim.server("store", |life| async move {
            let lives = life.disk.load::<AtomicU64>();
            lives.fetch_add(1, Ordering::Relaxed);
            loop {
                let (mut stream, _) = life.listener.accept().await?;
                stream.write_u64(lives.load(Ordering::Relaxed)).await?;
            }
        });
        sim.server("front", |life| async move {
            loop {
                let (mut stream, _) = life.listener.accept().await?;
                let mut store = life.dialer.connector("store").connect().await?;
                stream.write_u64(store.read_u64().await?).await?;
            }
        });
        sim.client("ann", |ann| async move {
            for at_ms in [50, 500] {
                sleep(Duration::from_millis(at_ms) - ann.now()).await;
                ann.record(ann.connect("front").await?.read_u64().await?);
            }
            Ok(())
        });
    };
    let crashed = scenario(lives).at_ms(200, FaultKind::Crash.on("store").for_ms(100));
    let history = crashed.run()?.history();
    let seen: Vec<_> = history.iter().map(|event| event.what).collect();
    assert_eq!(seen, [1, 2]);
    Ok(())
}
