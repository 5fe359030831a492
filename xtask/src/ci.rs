//! `cargo xtask ci`: what CI runs, for anyone to run beforehand.

use anyhow::{Result, ensure};

use crate::{lint, test, vm, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    // All of them run, whatever became of those before: every answer is wanted from one run.
    let steps: [(&str, &dyn Fn() -> Result<()>); 3] = [
        ("lint", &|| lint::run(workspace)),
        ("tests", &|| test::run(workspace, &test::Options::default())),
        ("tests on other kernels", &|| vm::run_for_ci(workspace)),
    ];
    let failed: Vec<&str> = steps
        .into_iter()
        .filter(|(_, step)| {
            step()
                .inspect_err(|error| eprintln!("error: {error:#}"))
                .is_err()
        })
        .map(|(name, _)| name)
        .collect();
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}
