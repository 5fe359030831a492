//! `cargo xtask fuzz`: many more mutated packets than `cargo xtask test` has the time for.

use anyhow::Result;
use clap::Args;

use crate::{kernel, root, setup, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// How many packets
    #[arg(long, default_value_t = 10_000_000)]
    count: u64,
    /// Decides every packet; by default the time
    #[arg(long)]
    seed: Option<u64>,
    /// Only this epoch of the seed, as a finding names it
    #[arg(long, requires = "seed")]
    epoch: Option<u64>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let program = workspace.release("fuzz");
    // Before the build, so that a refusal does not come minutes later.
    let fuzz = root::command(&program, &[], "load eBPF programs into the kernel")?;
    kernel::check()?;
    setup::build_tools(workspace)?;
    setup::test_tools()?;
    workspace
        .cargo("build")
        .args(["--release", "--package", "netctl-tests", "--bin", "fuzz"])
        .run()?;
    let seed = match options.seed {
        Some(seed) => seed,
        None => std::time::UNIX_EPOCH.elapsed()?.as_secs(),
    };
    let fuzz = fuzz
        .args(["--count", &options.count.to_string()])
        .args(["--seed", &seed.to_string()]);
    match options.epoch {
        Some(epoch) => fuzz.args(["--epoch", &epoch.to_string()]).run(),
        None => fuzz.run(),
    }
}
