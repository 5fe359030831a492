//! `cargo xtask run`: a daemon built from the working copy.

use anyhow::Result;
use clap::Args;

use crate::{build, root, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    build: build::Options,
    /// Passed on to `netctl daemon`
    #[arg(last = true)]
    args: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let Options { build, args } = options;
    build::run(workspace, build)?;
    root::command(
        &workspace.release("netctl"),
        &[],
        "change the host's network",
    )?
    .arg("daemon")
    .args(args)
    .run()
}
