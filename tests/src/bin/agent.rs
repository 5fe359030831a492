//! A process that lives in one namespace of a lab and does there what a test asks.

use std::path::PathBuf;

use clap::Parser;
use netctl_tests::agent::{Role, run};

/// Answers one JSON request a line from stdin; ends with it.
#[derive(Parser)]
struct Arguments {
    /// Move into a new network namespace first.
    #[arg(long, conflicts_with = "host")]
    neighbour: bool,
    /// Become a machine of its own first, with a bpffs at that folder.
    #[arg(long, value_name = "BPFFS")]
    host: Option<PathBuf>,
}

fn main() -> std::io::Result<()> {
    let Arguments { neighbour, host } = Arguments::parse();
    run(&match host {
        Some(bpffs) => Role::Host { bpffs },
        None if neighbour => Role::Neighbour,
        None => Role::Resident,
    })
}
