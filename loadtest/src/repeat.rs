//! The same run several times, the transports in turns.
//!
//! Rounds go there and back (A B C, C B A, ...), so that a machine that slowly becomes busier is
//! held against all of them alike. Each round has a server of its own and a schedule of its own.

use reports::rounds;
use reports::run::{Failure, Series};

use crate::options::Options;
use crate::trial::Trial;
use crate::{LoadError, Measured, Progress};

/// Runs these trials of `options` as often as they say; gives one series each, with its rounds joined.
///
/// # Errors
///
/// As [`crate::run`], of the first round; a later one that cannot be made is a failure of its trials.
pub async fn repeat(
    options: &Options,
    trials: &[Trial],
    progress: impl Fn(Progress),
) -> Result<Measured, LoadError> {
    if options.repeat == 1 {
        return crate::run_trials(options, trials, progress).await;
    }
    options.validate()?;
    let mut gathered: Vec<Vec<Series>> = Vec::new();
    let (mut failures, mut interrupted): (Vec<Failure>, bool) = (Vec::new(), false);
    for round in 0..options.repeat {
        let (options, trials) = of_round(options, trials, round);
        let measured = match crate::run_trials(&options, &trials, &progress).await {
            Ok(measured) => measured,
            Err(error) if gathered.is_empty() && failures.is_empty() => return Err(error),
            Err(LoadError::Interrupted) => Measured { interrupted: true, ..Measured::default() },
            // What stands in the way of the first trial does so in that of the others.
            Err(error) => {
                let failed = trials.iter().map(|trial| error.of_trial(&trial.label));
                Measured { failures: failed.collect(), ..Measured::default() }
            }
        };
        for failure in measured.failures {
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
        for series in measured.series {
            let is_its = |rounds: &&mut Vec<Series>| rounds[0].transport == series.transport;
            match gathered.iter_mut().find(is_its) {
                Some(rounds) => rounds.push(series),
                None => gathered.push(vec![series]),
            }
        }
        if measured.interrupted {
            interrupted = true;
            break;
        }
    }
    let series = gathered.into_iter().filter_map(rounds::joined).collect();
    Ok(Measured { series, failures, interrupted })
}

fn of_round(options: &Options, trials: &[Trial], round: u32) -> (Options, Vec<Trial>) {
    let mut trials = trials.to_vec();
    if round % 2 == 1 {
        trials.reverse();
    }
    let seed = options.seed.wrapping_add(u64::from(round));
    (Options { seed, ..options.clone() }, trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_go_there_and_back_with_a_schedule_each() {
        let options = Options { repeat: 3, seed: 7, ..Options::default() };
        let there = options.trials();
        let rounds: Vec<_> = (0..3).map(|round| of_round(&options, &there, round)).collect();
        let back: Vec<_> = there.iter().rev().cloned().collect();
        assert_eq!(rounds.iter().map(|it| &it.1).collect::<Vec<_>>(), [&there, &back, &there]);
        assert_eq!(rounds.iter().map(|it| it.0.seed).collect::<Vec<_>>(), [7, 8, 9]);
    }
}
