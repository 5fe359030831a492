//! `cargo xtask bench`: netctl beside what people use today.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{kernel, root, setup, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Three to five minutes instead of half an hour: fewer and shorter rounds, smaller tables, one CPU
    #[arg(long)]
    quick: bool,
    /// Only rows whose name contains this, for example `LAN` or `memory`
    #[arg(long, value_name = "NAME")]
    row: Option<String>,
    /// Write every measurement, and which aims are met
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw an SVG for each row into this folder
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let Options {
        quick,
        row,
        json,
        plots,
    } = options;
    let program = workspace.release("bench");
    // Before the build, so that a refusal does not come minutes later.
    let mut bench = root::command(&program, &[], "make network namespaces to measure in")?;
    kernel::check()?;
    setup::build_tools(workspace)?;
    setup::test_tools()?;
    let tools = setup::peers(workspace);
    workspace
        .cargo("build")
        .args(["--release", "--bins"])
        .args(["--package", "netctl", "--package", "netctl-tests"])
        .run()?;
    bench = bench
        .arg("run")
        .arg("--netctl")
        .arg(workspace.release("netctl"))
        .arg("--tools")
        .arg(tools);
    if *quick {
        bench = bench.arg("--quick");
    }
    if let Some(row) = row {
        bench = bench.arg("--row").arg(row);
    }
    if let Some(json) = json {
        bench = bench.arg("--json").arg(std::path::absolute(json)?);
    }
    if let Some(plots) = plots {
        bench = bench.arg("--plots").arg(std::path::absolute(plots)?);
    }
    bench.run()
}
