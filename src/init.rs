//! `racetrack sim init`: what a crate needs for the simulation of its service, and a first test.
//!
//! Nothing that is there is written over, and nothing at all is written where a part of it cannot be.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueHint};
use reports::cli::{Outcome, Output};
use serde_json::json;
use toml_edit::{DocumentMut, Item, Table, Value};

/// The first test; the README shows it.
const TEST: &str = include_str!("init/simulation.rs");
/// Where it belongs in a crate.
const TEST_FILE: &str = "tests/simulation.rs";
/// Cargo's configuration of a workspace.
const CONFIG_FILE: &str = ".cargo/config.toml";
/// What makes the seed decide the order of an unbiased `select!`.
const FLAG: &str = "tokio_unstable";
const CONFIG: &str = "\
# Lets the seed of a simulation decide the order in which an unbiased `select!` looks at its branches.
[build]
rustflags = [\"--cfg\", \"tokio_unstable\"]
";
/// What the first test uses beside the simulation.
const DEPENDENCIES: [(&str, &str); 2] =
    [("axum", "\"0.8\""), ("tokio", "{ version = \"1\", features = [\"io-util\", \"time\"] }")];

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder of a crate
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
    /// A checkout of racetrack, which the crate then depends on [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    sources: Option<PathBuf>,
}

/// What is to be done to a crate.
struct Changes {
    manifest: PathBuf,
    /// Its new text, and the dependencies that it gets.
    text: String,
    added: Vec<&'static str>,
    test: PathBuf,
    config: Config,
}

/// The state of Cargo's configuration.
enum Config {
    /// It sets the flag.
    Set,
    /// There is none yet.
    Missing(PathBuf),
    /// It says other things, which are not ours to change.
    Other(PathBuf),
}

impl Init {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let changes = Changes::of(&self.folder, &self.sources()?)?;
        changes.write()?;
        output.result(&changes.describe(), || {
            json!({
                "test": changes.test,
                "manifest": changes.manifest,
                "dependencies": changes.added,
                "config": match &changes.config {
                    Config::Missing(file) => Some(file),
                    Config::Set | Config::Other(_) => None,
                },
                "is_flag_set": !matches!(changes.config, Config::Other(_)),
            })
        })?;
        Ok(Outcome::Good)
    }

    /// The folder of the engine's crate.
    fn sources(&self) -> anyhow::Result<PathBuf> {
        let built_from = || PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let sources = self.sources.clone().unwrap_or_else(built_from);
        let engine = sources.join("sim/engine");
        ensure!(
            engine.join("Cargo.toml").is_file(),
            "{} is no checkout of racetrack; name one with --sources DIR",
            sources.display()
        );
        engine.canonicalize().with_context(|| format!("{} cannot be read", engine.display()))
    }
}

impl Changes {
    fn of(folder: &Path, engine: &Path) -> anyhow::Result<Self> {
        let manifest = folder.join("Cargo.toml");
        ensure!(
            manifest.is_file(),
            "{} has no Cargo.toml: make a crate first, with `cargo init`, or name the folder of one",
            folder.display()
        );
        let mut document = read_manifest(&manifest)?;
        ensure!(
            document.contains_key("package"),
            "{} is a workspace without a package; name the folder of one of its crates",
            manifest.display()
        );
        let test = folder.join(TEST_FILE);
        ensure!(
            !test.exists(),
            "{} is there already, and nothing was changed; move it away to have a first test",
            test.display()
        );
        let added = add_dependencies(&mut document, engine)
            .with_context(|| manifest.display().to_string())?;
        let config = Config::of(folder)?;
        Ok(Self { manifest, text: document.to_string(), added, test, config })
    }

    /// The manifest comes last: without it the other files mean nothing.
    fn write(&self) -> anyhow::Result<()> {
        create(&self.test, TEST)?;
        if let Config::Missing(file) = &self.config {
            create(file, CONFIG)?;
        }
        if !self.added.is_empty() {
            let written = fs::write(&self.manifest, &self.text);
            written.with_context(|| format!("cannot write {}", self.manifest.display()))?;
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let added = match self.added[..] {
            [] => "unchanged".to_owned(),
            _ => format!("dev-dependencies {}", self.added.join(", ")),
        };
        let config = match &self.config {
            Config::Set => String::new(),
            Config::Missing(file) => {
                format!(
                    "  {}: --cfg {FLAG}, so that the seed decides `select!` too\n",
                    file.display()
                )
            }
            Config::Other(file) => format!(
                "  {} is left as it is: add --cfg {FLAG} to its rustflags, or seeds do not decide `select!`\n",
                file.display()
            ),
        };
        format!(
            "  {}: {added}\n{config}  {}: a service with a race, its clients, a checker; put your own there\n\n\
             cargo test --test simulation    # finds the race, and keeps its plan in tests/regressions/\n",
            self.manifest.display(),
            self.test.display(),
        )
    }
}

impl Config {
    /// That of the workspace, or one above it.
    fn of(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
        for above in folder.ancestors() {
            let text = fs::read_to_string(above.join(CONFIG_FILE)).unwrap_or_default();
            if text.contains(FLAG) {
                return Ok(Self::Set);
            }
        }
        let root = folder.ancestors().find(|above| is_workspace(above));
        let file = root.unwrap_or(&folder).join(CONFIG_FILE);
        Ok(if file.exists() { Self::Other(file) } else { Self::Missing(file) })
    }
}

/// Whether the folder is the root of a workspace.
fn is_workspace(folder: &Path) -> bool {
    let manifest = read_manifest(&folder.join("Cargo.toml"));
    manifest.is_ok_and(|document| document.contains_key("workspace"))
}

fn read_manifest(file: &Path) -> anyhow::Result<DocumentMut> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let parsed = text.parse::<DocumentMut>();
    parsed.map_err(|error| anyhow::anyhow!("{}: {}", file.display(), error.message()))
}

/// Adds the dependencies that the crate does not have yet; returns their names.
fn add_dependencies(
    document: &mut DocumentMut,
    engine: &Path,
) -> anyhow::Result<Vec<&'static str>> {
    let path = engine.to_str().context("the path of the checkout is not UTF-8")?;
    let simulation = format!("{{ path = {} }}", Value::from(path));
    let wanted = [("racetrack-sim", simulation.as_str())].into_iter().chain(DEPENDENCIES);
    let has = |document: &DocumentMut, name: &str| {
        let tables = ["dependencies", "dev-dependencies"];
        tables.iter().any(|table| document.get(table).is_some_and(|it| it.get(name).is_some()))
    };
    let mut added = Vec::new();
    for (name, says) in wanted {
        if has(document, name) {
            continue;
        }
        let table = document.entry("dev-dependencies").or_insert(Item::Table(Table::new()));
        let Some(table) = table.as_table_like_mut() else { bail!("dev-dependencies is no table") };
        table.insert(name, Item::Value(says.parse().context("a dependency of ours is TOML")?));
        added.push(name);
    }
    Ok(added)
}

/// Writes a file that is not there.
fn create(file: &Path, text: &str) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    let created = fs::create_dir_all(folder)
        .and_then(|()| fs::File::create_new(file))
        .and_then(|mut created| created.write_all(text.as_bytes()));
    created.with_context(|| format!("cannot write {}", file.display()))
}
