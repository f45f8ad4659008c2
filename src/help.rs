//! What `--help` ends with: examples of each command that can be typed as they stand, and its exit
//! codes.

/// The exit codes of every command, for the short help too.
pub(crate) const EXIT: &str = "\
Exit: 0 done and good; 1 done and not good; 2 wrong usage or environment; 3 measured but not valid.";

pub(crate) const ALL: &str = "\
Examples:
  racetrack                                       # the tour; open the report that it names
  racetrack sim --seeds 0..1000                   # look for races in a thousand worlds
  racetrack sim --seed 7                          # one world, told event by event
  racetrack load --transport sse,websocket --users 2000
  racetrack serve --addr 127.0.0.1:3000           # then open http://127.0.0.1:3000/
  racetrack load selftest --format json           # one JSON object on standard output

Results go to standard output, progress, logs and errors to standard error. An error is one line that \
starts with `racetrack: ` or, for a command line that cannot be read, with `error: `.

Exit: 0  done and good
      1  done and not good: a failing seed, a broken objective, a lost message
      2  wrong usage or environment: nothing was measured, and the error says what to do
      3  measured but not valid: figures that must not be trusted, or Ctrl-C cut it short";

pub(crate) const TOUR: &str = "\
Examples:
  racetrack tour                                  # 200 seeds; six transports, 1,000 people each
  racetrack tour --seeds 50 --users 200 --duration 3s     # in half a minute
  racetrack tour --out tour --format json

Exit: 0 good; 1 a seed failed or a message was lost; 2 wrong usage or environment; 3 the figures are not \
valid.";

pub(crate) const SERVE: &str = "\
Examples:
  racetrack serve                                 # on 127.0.0.1:3000, until Ctrl-C
  racetrack serve --addr 0.0.0.0:8080             # for other machines
  racetrack serve --addr 127.0.0.1:0              # on a free port, which it prints
  racetrack serve --config racetrack.toml --log json
  racetrack serve --config racetrack.toml --check-config  # what is in force, or what is wrong
  RUST_LOG=debug racetrack serve                  # connections and requests in the log

SIGINT and SIGTERM drain it: people are told, and may collect what they were sent. Once more stops it at \
once.

Exit: 0 stopped by a signal; 2 wrong usage or environment.";

pub(crate) const SIM: &str = "\
Examples:
  racetrack sim                                   # 200 seeds; plans that fail become files
  racetrack sim --seeds 0..10000 --first          # up to the first that fails
  racetrack sim --seed 7 --html seed-7.html       # one seed, as text and as a page
  racetrack sim --clients 40 --simulated 30s      # larger runs
  racetrack sim --fault crash --fault storm       # with these faults alone
  racetrack sim --seeds 0..2000 --verbose         # with each kind of fault and rare state

Exit: 0 every invariant held; 1 a seed failed, or --require-coverage was not met; 2 wrong usage or \
environment.";

pub(crate) const INIT: &str = "\
Examples:
  racetrack sim init                              # the crate in this folder
  racetrack sim init shop --sources ../racetrack  # another one, and where racetrack is

Nothing that is there is written over.

Exit: 0 written; 2 wrong usage or environment, and nothing was written.";

pub(crate) const LOAD: &str = "\
Examples:
  racetrack load                                                  # six transports, 10 s each
  racetrack load --transport long-poll --users 4000 --rate 1000
  racetrack load --transport short-poll --poll-interval 5s,1s     # a series each
  racetrack load --target http://127.0.0.1:3000 --users 100       # a server that runs already
  racetrack load --slo 'websocket p99 < 20ms' --slo 'lost = 0'    # exit 1 when one is broken
  racetrack load --search --p99-max 50ms                          # the highest rate of each
  racetrack load --repeat 5 --transport sse,websocket --out run   # five rounds, in turns

Ctrl-C ends it early and reports what was measured until then. A transport whose server dies fails, and the \
others are measured.

Exit: 0 good; 1 a message was lost or doubled, a transport failed, or an objective is broken; 2 wrong usage \
or environment; 3 the figures are not valid, or Ctrl-C.";

pub(crate) const SELFTEST: &str = "\
Example:
  racetrack load selftest --format json

Exit: 0 the ruler is right; 1 it is off, or not every length was measured; 2 wrong usage or \
environment; 3 the machine was too busy to tell.";

pub(crate) const REPORT: &str = "\
Examples:
  racetrack report target/racetrack/load-20261122T145741.312Z --out again
  racetrack report compare yesterday today
  racetrack report merge part-1 part-2 --out whole

Exit: as the run itself: 0 good; 1 not good; 3 not valid; or 2, wrong usage or environment.";

pub(crate) const COMPARE: &str = "\
Examples:
  racetrack report compare yesterday today
  racetrack report compare yesterday today --out beside      # and open beside/compare.html
  racetrack report compare a/run.json b/run.json --format json

Exit: 0 nothing is slower; 1 a percentile of B is slower; 2 wrong usage or environment; 3 none is slower, \
but one cannot be told: not valid, or not repeated.";

pub(crate) const MERGE: &str = "\
Example:
  racetrack report merge part-1 part-2 --out whole

Exit: 0 good; 1 a message was lost or doubled between the parts; 2 wrong usage or environment, or a part \
is missing; 3 the figures are not valid.";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  racetrack completions bash > ~/.local/share/bash-completion/completions/racetrack
  racetrack completions zsh > ~/.zfunc/_racetrack         # a directory of zsh's $fpath
  racetrack completions fish > ~/.config/fish/completions/racetrack.fish
  racetrack completions elvish > ~/.config/elvish/lib/racetrack.elv
  racetrack completions powershell > racetrack.ps1        # and dot-source it in the profile

Exit: 0 printed; 2 wrong usage or environment.";

pub(crate) const MAN: &str = "\
Examples:
  racetrack man | man -l -                        # read the page
  racetrack man --out ~/.local/share/man/man1     # racetrack(1), racetrack-sim(1) and so on

Exit: 0 printed or written; 2 wrong usage or environment.";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use crate::Cli;

    /// The commands and those below them, but for the hidden ones and `help`.
    fn commands() -> Vec<Command> {
        let mut whole = Cli::command().disable_help_subcommand(true);
        whole.build();
        let (mut open, mut commands) = (vec![whole], Vec::new());
        while let Some(command) = open.pop() {
            open.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).cloned());
            commands.push(command);
        }
        commands
    }

    /// The words of a line as a shell splits it, up to a comment or a redirection.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut is_quoted = false;
        for letter in line.trim().chars() {
            match letter {
                '\'' => is_quoted = !is_quoted,
                '#' | '|' | '>' if !is_quoted => break,
                ' ' if !is_quoted => words.push(String::new()),
                letter => words.last_mut().expect("there is always one").push(letter),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_command_has_examples_that_can_be_typed_as_they_stand() {
        for command in commands() {
            let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_display_name().unwrap_or_default().replace('-', " ");
            let mut examples = 0;
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                let mut words = words(line);
                words.retain(|word| !word.contains("RUST_LOG="));
                if words.first().is_none_or(|word| word != "racetrack") {
                    continue;
                }
                examples += 1;
                let read = Cli::try_parse_from(&words);
                assert!(read.is_ok(), "{line}: {:?}", read.err().map(|error| error.to_string()));
                assert!(words.join(" ").starts_with(&name), "{line} is no example of {name}");
            }
            assert!(examples > 0, "{name} has none");
            assert!(help.contains("\nExit: "), "{name} does not say how it ends");
        }
    }

    #[test]
    fn the_short_help_fits_a_screen() {
        for mut command in commands() {
            let help = command.render_help().to_string();
            let lines = help.lines().count();
            assert!(lines <= 45, "{} has {lines} lines:\n{help}", command.get_name());
            // A word cannot be broken.
            let is_wide =
                |line: &&str| line.chars().count() > 100 && line.split_whitespace().count() > 1;
            assert_eq!(help.lines().find(is_wide), None, "{}", command.get_name());
        }
    }

    /// An example that is broken in two cannot be copied.
    #[test]
    fn no_example_is_wider_than_the_help() {
        for command in commands() {
            let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            let mut examples = help.lines().filter(|line| line.starts_with("  "));
            assert_eq!(examples.find(|line| line.chars().count() > 98), None);
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
