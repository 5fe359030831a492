//! The benchmark, and both ends of its load.
#![allow(clippy::print_stdout, reason = "a worker's answer is its output")]

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use netctl_tests::bench::{
    self, Options, flood, frames,
    load::{self, Load},
    tools,
};

/// Measures netctl beside Docker, a bridge with nftables, and the limits. Needs root.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// All rows, or those that are named
    Run {
        /// The netctl program to measure
        #[arg(long, value_name = "PATH")]
        netctl: PathBuf,
        /// Folder of the peers' unpacked packages
        #[arg(long, value_name = "PATH")]
        tools: PathBuf,
        #[arg(long)]
        quick: bool,
        #[arg(long)]
        row: Option<String>,
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        #[arg(long, value_name = "FOLDER")]
        plots: Option<PathBuf>,
    },
    /// One end of a load
    #[command(hide = true, subcommand)]
    Worker(Worker),
}

#[derive(Subcommand)]
enum Worker {
    Serve {
        load: Load,
        addr: SocketAddr,
        cpu: usize,
    },
    Drive {
        load: Load,
        target: SocketAddr,
        #[command(flatten)]
        turn: Turn,
    },
    /// A web server for wrk
    Http { addr: SocketAddr },
    Flood {
        target: SocketAddr,
        count: u32,
        cpu: usize,
    },
    /// One frame over and over, as a network card would receive it
    Frames {
        interface: String,
        target: SocketAddr,
        #[command(flatten)]
        turn: Turn,
    },
}

/// Where and how long.
#[derive(Args)]
struct Turn {
    cpu: usize,
    milliseconds: u64,
}

impl Turn {
    /// Binds this process to the CPU; the time.
    fn begin(&self) -> std::io::Result<Duration> {
        load::pin(self.cpu)?;
        Ok(Duration::from_millis(self.milliseconds))
    }
}

fn main() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Run {
            netctl,
            tools,
            quick,
            row,
            json,
            plots,
        } => bench::run(&Options {
            // Programs are started in other folders than this one.
            netctl: std::path::absolute(netctl)?,
            tools: std::path::absolute(tools)?,
            quick,
            row,
            json,
            plots,
        }),
        Verb::Worker(worker) => Ok(work(worker)?),
    }
}

fn work(worker: Worker) -> std::io::Result<()> {
    match worker {
        Worker::Serve { load, addr, cpu } => {
            load::pin(cpu)?;
            load::serve(load, addr, || println!("ready"))
        }
        Worker::Drive { load, target, turn } => {
            let (done, took) = load::drive(load, target, turn.begin()?)?;
            println!("{done} {}", took.as_nanos());
            Ok(())
        }
        Worker::Http { addr } => tools::serve_http(addr),
        Worker::Flood { target, count, cpu } => {
            load::pin(cpu)?;
            let took = flood::send(target, count)?;
            println!("{count} {}", took.as_nanos());
            Ok(())
        }
        Worker::Frames {
            interface,
            target,
            turn,
        } => {
            let (sent, took) = frames::send(&interface, target, turn.begin()?)?;
            println!("{sent} {}", took.as_nanos());
            Ok(())
        }
    }
}
