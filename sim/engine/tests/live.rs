//! Declared services over real sockets: the same clients, checkers and faults as in the simulation.

use racetrack_sim::net::SimListener;
use racetrack_sim::{Client, Error, FaultKind, Life, Sim, Violation, live, scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers each byte with the next one.
async fn successor(listener: SimListener) -> std::io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            while let Ok(byte) = stream.read_u8().await {
                if stream.write_u8(byte.wrapping_add(1)).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Asks ten times, over a new connection wherever the last one broke.
fn asking(sim: &mut Sim<u8>, name: &str) {
    sim.client(name, |client: Client<u8>| async move {
        let mut byte = 0;
        while byte < 10 {
            let asked = async {
                let mut stream = client.connect("successor").await?;
                loop {
                    stream.write_u8(byte).await?;
                    byte = stream.read_u8().await?;
                    client.record(byte);
                    if byte == 10 {
                        return std::io::Result::Ok(());
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(40)).await;
                }
            };
            if asked.await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        Ok(())
    });
}

fn counting(sim: &mut Sim<u8>) {
    sim.host("successor", successor);
    asking(sim, "ann");
    asking(sim, "bob");
    sim.checker("counts", |history| {
        let of = |name: &'static str| history.iter().filter(move |event| event.client == name);
        let wrong =
            ["ann", "bob"].into_iter().filter(|name| !of(name).map(|it| it.what).eq(1..=10));
        wrong.map(|name| Violation::because(format!("{name} counted wrongly"), &[])).collect()
    });
}

#[test]
fn seeds_pass_over_real_sockets() {
    let reports = live(counting).seeds(0..2).run();
    assert!(reports.iter().all(|live| live.report.history().len() >= 10), "{reports:?}");
}

#[test]
fn faults_touch_real_connections() -> Result<(), Error> {
    let planned = scenario(counting)
        .at_ms(60, FaultKind::CutReset.on("ann"))
        .at_ms(100, FaultKind::Freeze.on("successor").for_ms(60))
        .at_ms(120, FaultKind::SlowReader.on("bob").for_ms(60))
        .at_ms(200, FaultKind::Crash.on("successor").for_ms(60))
        .at_ms(220, FaultKind::BlackHole.on("ann").for_ms(60));
    let live = live(counting).run_plan(&planned.plan()).map_err(Error::Live)?.expect("not stopped");
    assert!(live.report.passed(), "{:?}", live.report.violations);
    let kinds = [FaultKind::CutReset, FaultKind::Freeze, FaultKind::Crash];
    for kind in kinds {
        assert_eq!(live.report.faults[&kind.into()].effective, 1, "{kind}");
    }
    assert_eq!(live.left_out, [(FaultKind::BlackHole.into(), 1)].into());
    Ok(())
}

#[test]
fn broken_invariant_over_real_sockets_is_an_error() {
    let miscounting = |sim: &mut Sim<u8>| {
        sim.host("successor", successor);
        asking(sim, "ann");
        sim.checker("never-ten", |history| {
            let tens = history.iter().filter(|event| event.what == 10);
            tens.map(|event| Violation::because("ten was reached", &[event.index])).collect()
        });
    };
    let error = live(miscounting).seeds(0..1).try_run().expect_err("ten is reached");
    assert!(error.to_string().contains("never-ten: ten was reached"), "{error}");
}

#[test]
fn server_that_fails_is_a_violation() {
    let failing = |sim: &mut Sim<u8>| {
        sim.server("successor", |life: Life| async move {
            life.listener.accept().await?;
            Err(std::io::Error::other("out of numbers"))
        });
        sim.client("ann", |ann: Client<u8>| async move {
            let mut stream = ann.connect("successor").await?;
            let _reset = stream.read_u8().await;
            Ok(())
        });
    };
    let error = live(failing).seeds(0..1).try_run().expect_err("the server fails");
    assert!(error.to_string().contains("live: successor failed: out of numbers"), "{error}");
}
