//! The tiers on the real kernel. Built as the user, run as root.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result, ensure};

use super::{Options, Tier, summary::Outcome};
use crate::{root, setup, workspace::Workspace};

const PURPOSE: &str = "run the tests on the real kernel (`cargo xtask test --tier unit` runs \
                       those that need no privilege)";

/// Variables of the user that the tests may look at; sudo would drop them.
const PASSED_ON: [&str; 5] = [
    "CI",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "PROPTEST_CASES",
    "UPDATE_GOLDEN",
];

/// Tests whose links have drivers that are modules (VLANs, bonds, tunnels): not every kernel has
/// them, those of `cargo xtask vm` do.
const LEFT_TO_VM: &str = "modular::";

/// Executables by cargo's kind and name of their target.
pub(crate) struct Built(HashMap<(String, String), PathBuf>);

impl Built {
    /// Path of what was built.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Result<&Path> {
        self.0
            .get(&(kind.to_owned(), name.to_owned()))
            .map(PathBuf::as_path)
            .with_context(|| format!("cargo built no {kind} {name}; is it in a Cargo.toml?"))
    }
}

/// Fails when there is no way to become root.
pub(crate) fn check_root() -> Result<()> {
    root::command(Path::new("true"), &[], PURPOSE).map(drop)
}

/// Builds netctl, the tests and their helpers in one go: then cargo settles on one set of
/// features, and nothing is compiled twice. In the release profile, as the demo is.
pub(crate) fn build(workspace: &Workspace, tiers: &[Tier]) -> Result<Built> {
    let mut cargo = workspace
        .cargo("build")
        .args(["--release", "--message-format", "json-render-diagnostics"])
        .args(["--package", "netctl", "--package", "netctl-tests", "--bins"]);
    for tier in tiers {
        cargo = cargo.args(["--test", tier.name()]);
    }
    let mut built = HashMap::new();
    let status = cargo.lines(|line| built.extend(executable(line)))?;
    ensure!(status.success(), "the tests do not build: {status}");
    Ok(Built(built))
}

/// What one of cargo's messages says about an executable.
fn executable(message: &str) -> Option<((String, String), PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let path = message.get("executable")?.as_str()?;
    let target = message.get("target")?;
    let kind = target.get("kind")?.get(0)?.as_str()?;
    let name = target.get("name")?.as_str()?;
    Some(((kind.to_owned(), name.to_owned()), path.into()))
}

/// `engine`: folder of the Docker Engine, for the tier that needs it.
pub(crate) fn run(
    workspace: &Workspace,
    (built, engine): (&Built, Option<&Path>),
    tier: Tier,
    options: &Options,
) -> Outcome {
    let command = || {
        let mut variables = vec![
            ("NETCTL_BIN", built.get("bin", "netctl")?.to_owned()),
            ("NETCTL_AGENT", built.get("bin", "agent")?.to_owned()),
        ];
        if let Some(folder) = engine {
            variables.push(("NETCTL_ENGINE", folder.to_owned()));
            variables.push(("NETCTL_COMPOSE", setup::compose_folder(workspace)));
        }
        if tier == Tier::Docker {
            // Most of such a test's time is waiting for an Engine. The flag of that name wins.
            let processors = thread::available_parallelism().map_or(1, usize::from);
            let threads = (processors + processors.div_ceil(2)).to_string();
            variables.push(("RUST_TEST_THREADS", threads.into()));
        }
        variables.extend(
            PASSED_ON
                .iter()
                .filter_map(|name| Some((*name, env::var_os(name)?.into()))),
        );
        let tests = built.get("test", tier.name())?;
        let mut command = root::command(tests, &variables, PURPOSE)?
            // Where cargo itself would run them.
            .folder(&workspace.root().join("tests"))
            .args(options.libtest_args());
        if tier == Tier::Netns && !options.names(LEFT_TO_VM) {
            println!("{LEFT_TO_VM} is left to `cargo xtask vm`, whose kernels have the drivers");
            command = command.args(["--skip", LEFT_TO_VM]);
        }
        Ok(command)
    };
    match command() {
        Ok(command) => Outcome::of(tier, command),
        Err(error) => Outcome::not_run(tier, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_read_from_cargo() {
        let message = r#"{"reason":"compiler-artifact","target":{"kind":["test"],
            "name":"netns"},"executable":"/t/release/deps/netns-1"}"#;
        assert_eq!(
            executable(message),
            Some((
                ("test".to_owned(), "netns".to_owned()),
                PathBuf::from("/t/release/deps/netns-1")
            ))
        );
        assert_eq!(executable(r#"{"reason":"build-finished"}"#), None);
        assert_eq!(executable("warning: something"), None);
    }
}
