//! The crate as its callers use it: a run in, a directory out, and the same run back.

use crate::{Standing, read_run, summaries, verdict, write_run};

#[test]
fn a_run_means_the_same_after_it_was_written_and_read() {
    let root = tempfile::tempdir().expect("a directory for the test");
    let mut run = crate::sample::run(3, 5, 400);
    run.series[2].invalid.push("send lag p99 above a tenth of latency p99".into());
    let written = write_run(&run, root.path()).whole().expect("it can be written");
    let again = read_run(&written.dir).expect("it can be read");
    assert_eq!(summaries(&again), summaries(&run));
    assert_eq!(verdict(&again), verdict(&run));
    assert_eq!(verdict(&again).standing, Standing::Invalid);
}

#[test]
fn every_exporter_has_its_own_name_and_files() {
    let run = crate::sample::run(6, 2, 50);
    let exporters = crate::export::all();
    let mut names: Vec<String> = exporters.iter().map(|it| it.name().to_owned()).collect();
    for exporter in exporters {
        let artifacts = exporter.export(&run).expect("a run fits every format");
        names.extend(artifacts.into_iter().map(|artifact| artifact.name));
    }
    let before = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), before, "{names:?}");
}
