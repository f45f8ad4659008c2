//! The same run several times, the transports in turns.
//!
//! Rounds go there and back (A B C, C B A, ...), so that a machine that slowly becomes busier is
//! held against all of them alike. Each round has a server of its own and a schedule of its own.

use client::TransportKind;
use reports::rounds;
use reports::run::Series;

use crate::options::Options;
use crate::{LoadError, Measured, Progress};

/// Runs `options` as often as they say; gives one series a transport, with its rounds joined.
///
/// # Errors
///
/// As [`crate::run`]; Ctrl-C gives what was measured until then.
pub async fn repeat(options: &Options, progress: impl Fn(Progress)) -> Result<Measured, LoadError> {
    if options.repeat == 1 {
        return crate::run(options, progress).await;
    }
    options.validate()?;
    let mut gathered: Vec<Vec<Series>> = Vec::new();
    let mut interrupted = false;
    for round in 0..options.repeat {
        let measured = match crate::run(&of_round(options, round), &progress).await {
            Err(LoadError::Interrupted) if !gathered.is_empty() => {
                Measured { series: Vec::new(), interrupted: true }
            }
            measured => measured?,
        };
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
    Ok(Measured { series, interrupted })
}

fn of_round(options: &Options, round: u32) -> Options {
    let mut transports: Vec<TransportKind> = options.transports.clone();
    if round % 2 == 1 {
        transports.reverse();
    }
    let seed = options.seed.wrapping_add(u64::from(round));
    Options { transports, seed, ..options.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_go_there_and_back_with_a_schedule_each() {
        let options = Options { repeat: 3, seed: 7, ..Options::default() };
        let rounds: Vec<Options> = (0..3).map(|round| of_round(&options, round)).collect();
        let back: Vec<_> = options.transports.iter().rev().copied().collect();
        assert_eq!(rounds[0].transports, options.transports);
        assert_eq!(rounds[1].transports, back);
        assert_eq!(rounds[2].transports, options.transports);
        assert_eq!(rounds.iter().map(|it| it.seed).collect::<Vec<_>>(), [7, 8, 9]);
    }
}
