//! The program `netctl`: daemon and command line.

use std::process::ExitCode;

use clap::Parser;
use netctl::{cli::Cli, cmd};

fn main() -> ExitCode {
    match cmd::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("netctl: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
