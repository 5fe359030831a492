//! Labs by hand: the demo.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use netctl_tests::demo;

/// A lab of network namespaces that shows netctl at work. Needs root.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Every path by real HTTP: with the daemon, after kill -9, after its restart
    Demo {
        /// Leave the lab up until Ctrl-C, and print what to try in it
        #[arg(long)]
        keep: bool,
        /// The netctl program to show
        #[arg(long, value_name = "PATH")]
        netctl: PathBuf,
    },
}

fn main() -> ExitCode {
    let Arguments {
        verb: Verb::Demo { keep, netctl },
    } = Arguments::parse();
    if demo::run(&demo::Options {
        keep,
        netctl: &netctl,
    }) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
