//! One module for each word of the command line: the edge, where errors gain their context and
//! results their form.

mod daemon;
mod docker;
mod docker_check;
mod exec;
mod network;
mod ns;
mod output;
mod port;
mod purge;
mod run_folder;
mod settings;
mod show;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::CommandFactory;

use self::output::Output;
use crate::{
    cli::{Cli, Command, Docker, Ns},
    client::Client,
};

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<ExitCode> {
    let folder = cli.run_folder();
    let client = Client::new(&folder);
    let out = Output::new(cli.output);
    match cli.command {
        Command::Daemon(args) => {
            daemon::run(args, cli.run)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "netctl", &mut script);
            out.raw(&script)?;
            Ok(ExitCode::SUCCESS)
        }
        // Enters the namespace on this thread, so no other may run yet.
        Command::Ns(Ns::Exec { name, command }) => Err(exec::exec(&client, &name, &command)?),
        Command::Purge(places) => wait(purge::purge(&client, cli.run, places)),
        Command::Network(command) => wait(network::run(&client, out, command)),
        Command::Ns(command) => wait(ns::run(&client, out, command)),
        Command::Port(command) => wait(port::run(&client, out, command)),
        Command::Docker(Docker::Check(files)) => wait(docker_check::run(&client, out, files)),
        Command::Docker(Docker::Enable(args)) => docker::enable(out, args),
        Command::Docker(Docker::Disable(args)) => docker::disable(out, args),
        Command::Flows { ns } => wait(show::flows(&client, out, ns.as_deref())),
        Command::Drops => wait(show::drops(&client, out)),
        Command::Status => wait(show::status(&client, out)),
        Command::Plan => wait(show::plan(&client, out)),
    }
}

/// Runs a client's work on this thread alone.
fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("runtime")?
        .block_on(work)
}
