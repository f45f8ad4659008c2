//! A job queue under the simulation: an axum service that streams leases, a worker on a host of its own which dials it by name,
//! and two clients that submit a job each.
//!
//! ```sh
//! cargo run -p racetrack-sim --example job_queue -- --first                  # finds the seed at which a job is completed twice
//! COMPLETING=careful cargo run -p racetrack-sim --example job_queue          # every job is completed once
//! cargo run -p racetrack-sim --example job_queue -- --help                   # the other commands
//! ```

mod queue;
mod worker;

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use hyper::Method;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use queue::{Completing, Jobs, LEASE, Progress};
use racetrack_sim::{Client, History, Sim, Violation, cli};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use worker::{Http, call};

/// How long a client waits before it asks again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a client records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Event {
    Retried { job: String },
    Seen { job: String, progress: Progress },
}

fn hasty(sim: &mut Sim<Event>) {
    job_queue(sim, Completing::Hasty);
}

fn careful(sim: &mut Sim<Event>) {
    job_queue(sim, Completing::Careful);
}

fn job_queue(sim: &mut Sim<Event>, completing: Completing) {
    sim.server("queue", move |life| async move {
        let jobs = life.disk.load::<Mutex<Jobs>>();
        axum::serve(life.listener, queue::router(jobs, completing)).await
    });
    sim.server("worker", |life| async move {
        worker::work(HttpClient::builder(TokioExecutor::new()).build(life.dialer.hyper_connector()))
            .await
    });
    for name in ["ann", "bob"] {
        sim.client(name, submit_and_wait);
    }
    sim.checker("job-completed-once", job_completed_once);
    sim.sometimes("an answer was lost", |history| {
        history.any(|event| matches!(event.what, Event::Retried { .. }))
    });
    sim.sometimes("a lease expired", |history| {
        let leased =
            |event: &Event| matches!(event, Event::Seen { progress, .. } if progress.leased > 1);
        history.any(|event| leased(&event.what))
    });
}

/// Submits a job, waits until it is completed, and looks at it again when a second completion would have come.
async fn submit_and_wait(client: Client<Event>) -> Result<(), Box<dyn std::error::Error>> {
    let http = HttpClient::builder(TokioExecutor::new()).build(client.hyper_connector());
    let job = format!("{}-1", client.name());
    ask(&client, &http, Method::PUT, &job).await;
    let is_completed = async || see(&client, &http, &job).await.completed > 0;
    while !is_completed().await {
        sleep(AGAIN).await;
    }
    sleep(LEASE * 2).await;
    see(&client, &http, &job).await;
    Ok(())
}

/// Records how often a job was leased and completed, if it was completed.
async fn see(client: &Client<Event>, http: &Http, job: &str) -> Progress {
    let answer = ask(client, http, Method::GET, job).await;
    let progress: Progress = serde_json::from_slice(&answer).unwrap_or_default();
    if progress.completed > 0 {
        client.record(Event::Seen { job: job.to_owned(), progress });
    }
    progress
}

/// Asks the queue about a job until it answers.
async fn ask(client: &Client<Event>, http: &Http, method: Method, job: &str) -> Vec<u8> {
    loop {
        match call(http, method.clone(), &format!("http://queue/jobs/{job}"), Vec::new()).await {
            Ok(answer) => return answer.into(),
            Err(_) => client.record(Event::Retried { job: job.to_owned() }),
        }
        sleep(AGAIN).await;
    }
}

/// No job is completed twice.
fn job_completed_once(history: &History<Event>) -> Vec<Violation> {
    let violation = |event: &racetrack_sim::Recorded<Event>| match &event.what {
        Event::Seen { job, progress } if progress.completed > 1 => {
            let Progress { leased, completed } = progress;
            let what =
                format!("job {job} was leased {leased} times and completed {completed} times");
            Some(Violation::because(what, &[event.index]))
        }
        _ => None,
    };
    history.iter().filter_map(violation).collect()
}

fn main() -> ExitCode {
    match std::env::var("COMPLETING").is_ok_and(|completing| completing == "careful") {
        true => cli::main(careful),
        false => cli::main(hasty),
    }
}

#[cfg(test)]
mod tests {
    use racetrack_sim::{explore, prove};

    use super::*;

    #[test]
    fn hasty_queue_completes_a_job_twice_within_forty_seeds() {
        let explored = explore(hasty).seeds(0..40).try_run();
        let text = explored.map(|explored| explored.replayed).expect_err("it fails").to_string();
        assert!(text.contains(" failed: job-completed-once: "), "{text}");
        assert!(text.contains("2 clients to 1"), "{text}");
    }

    #[test]
    fn careful_queue_completes_every_job_once() {
        let explored = explore(careful).seeds(0..150).require_states().run();
        assert_eq!(explored.sweep.seeds, 150);
    }

    #[test]
    fn both_queues_run_alike_twice() {
        assert_eq!(prove(hasty).seeds(0..4).run(), prove(hasty).seeds(0..4).run());
        assert_eq!(prove(careful).seeds(0..4).run(), prove(careful).seeds(0..4).run());
    }
}
