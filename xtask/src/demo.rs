//! `cargo xtask demo`: builds the lab and lets it show netctl at work.

use anyhow::Result;
use clap::Args;

use crate::{kernel, root, setup, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Leave the lab up, and print what to try in it
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let Options { keep } = options;
    let lab = workspace.release("lab");
    // Before the build, so that a refusal does not come minutes later.
    let mut demo = root::command(&lab, &[], "make network namespaces for the demo")?.arg("demo");
    kernel::check()?;
    setup::build_tools(workspace)?;
    setup::test_tools()?;
    workspace
        .cargo("build")
        .args(["--release", "--bins"])
        .args(["--package", "netctl", "--package", "netctl-tests"])
        .run()?;
    if *keep {
        demo = demo.arg("--keep");
    }
    demo.arg("--netctl").arg(workspace.release("netctl")).run()
}
