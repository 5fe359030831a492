//! Runs mutated packets through the datapath, as many as asked for: `cargo xtask fuzz`.

use std::{process::ExitCode, thread};

use clap::Parser;
use netctl_tests::fuzz::{self, Options};

#[derive(Parser)]
struct Cli {
    /// How many packets
    #[arg(long, default_value_t = 10_000_000)]
    count: u64,
    /// Decides every packet; a run of the same seed is the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this epoch of the seed, as a finding names it
    #[arg(long)]
    epoch: Option<u64>,
    /// How many at once; by default one for each CPU
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let cpus = || thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        seed: cli.seed,
        count: cli.count,
        epoch: cli.epoch,
        threads: cli.threads.unwrap_or_else(cpus),
    };
    let report = fuzz::run(options);
    println!("seed {}: {report}", cli.seed);
    if report.finding.is_some() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
