//! Everything that a developer or CI runs, as `cargo xtask VERB`. One verb per file.

mod bench;
mod build;
mod ci;
mod claims;
mod cmd;
mod demo;
mod fuzz;
mod kernel;
mod lint;
mod parsers;
mod root;
mod run;
mod setup;
mod test;
mod tidy;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Builds, tests and shows netctl. Every verb echoes the commands that it runs and installs what
/// they need, saying what and where.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what building takes, and nothing else: an eBPF toolchain and bpf-linker
    Setup,
    /// Build target/release/netctl, with the eBPF programs inside
    Build(build::Options),
    /// Build netctl and start `netctl daemon ARGS` as root, for development
    Run(run::Options),
    /// Show netctl carry real traffic in a lab of its own, then clean up (as root)
    Demo(demo::Options),
    /// Measure netctl beside Docker, a bridge with nftables, and the limits (as root)
    Bench(bench::Options),
    /// Put mutated packets through the datapath and judge what comes out (as root)
    Fuzz(fuzz::Options),
    /// Search for inputs that break a parser, guided by what they reach
    Parsers(parsers::Options),
    /// Run the tests: those that need no privilege, then those on the real kernel (as root)
    Test(test::Options),
    /// Run the tests on older kernels, each in a virtual machine (needs no root)
    Vm(vm::Options),
    /// Check formatting, house rules, and clippy for the host and the eBPF target
    Lint,
    /// Run what CI runs: lint, test, then as much of vm as there is time for
    Ci,
}

fn main() -> ExitCode {
    match execute(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        // Printed here and not returned, because a backtrace would hide the remedy.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(verb: Verb) -> Result<()> {
    let workspace = Workspace::find()?;
    match verb {
        Verb::Setup => setup::build_tools(&workspace).map(drop),
        Verb::Build(options) => build::run(&workspace, &options),
        Verb::Run(options) => run::run(&workspace, &options),
        Verb::Demo(options) => demo::run(&workspace, &options),
        Verb::Bench(options) => bench::run(&workspace, &options),
        Verb::Fuzz(options) => fuzz::run(&workspace, &options),
        Verb::Parsers(options) => parsers::run(&workspace, &options),
        Verb::Test(options) => test::run(&workspace, &options),
        Verb::Vm(options) => vm::run(&workspace, &options),
        Verb::Lint => lint::run(&workspace),
        Verb::Ci => ci::run(&workspace),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
