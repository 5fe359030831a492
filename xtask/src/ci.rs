//! `cargo xtask ci`: what CI runs, for anyone to run beforehand.

use anyhow::{Result, ensure};

use crate::{lint, test, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    // The tests run even so: both answers are wanted from one run.
    let lints = lint::run(workspace).inspect_err(|error| eprintln!("error: {error:#}"));
    test::run(workspace, &test::Options::default())?;
    ensure!(
        lints.is_ok(),
        "the tests passed, but lint did not: see above"
    );
    Ok(())
}
