//! `cargo xtask build`: the release executable.

use anyhow::Result;
use clap::Args;

use crate::{setup, workspace::Workspace};

#[derive(Args)]
#[group(id = "build options")]
pub(crate) struct Options {
    /// With the datapath's per-packet log, for debugging
    #[arg(long)]
    log: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let Options { log } = options;
    setup::build_tools(workspace)?;
    let mut cargo = workspace
        .cargo("build")
        .args(["--release", "--package", "netctl"]);
    if *log {
        cargo = cargo.args(["--features", "netctl/log"]);
    }
    cargo.run()?;
    eprintln!("built {}", workspace.release("netctl").display());
    Ok(())
}
