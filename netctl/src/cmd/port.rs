//! `netctl port`

use std::process::ExitCode;

use anyhow::Result;

use super::output::{Output, or_dash, table};
use crate::{
    api::types::{Port, Specs},
    cli,
    client::{Client, segment},
    model::{names, spec},
};

pub(super) async fn run(client: &Client, out: Output, command: cli::Port) -> Result<ExitCode> {
    match command {
        cli::Port::Add { ns, specs } => {
            let added: Vec<Port> = client.post(&path(&ns)?, &Specs { specs }).await?;
            out.print(&added, |ports| {
                ports.iter().map(mapping).collect::<Vec<_>>().join("\n")
            })?;
        }
        cli::Port::Rm { ns, specs } => {
            let specs = Specs { specs };
            client.delete_with(&path(&ns)?, &specs).await?;
            out.print(&specs.specs, |specs| specs.join("\n"))?;
        }
        cli::Port::Ls => {
            let ports: Vec<Port> = client.get("/v1/ports").await?;
            out.print(&ports, |ports| list(ports))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(ns: &str) -> Result<String> {
    names::check(ns)?;
    Ok(format!("/v1/namespaces/{}/ports", segment(ns)))
}

/// As `docker ps` shows it.
pub(super) fn mapping(port: &Port) -> String {
    let host = spec::range(port.host_port, port.count);
    let container = spec::range(port.container_port, port.count);
    format!("{}:{host}->{container}/{}", port.host_ip, port.proto.name())
}

pub(super) fn list(ports: &[Port]) -> String {
    let row = |p: &Port| {
        [
            p.ns.clone(),
            p.host_ip.to_string(),
            spec::range(p.host_port, p.count),
            or_dash(p.container_ip),
            spec::range(p.container_port, p.count),
            p.proto.name().to_owned(),
            or_dash(p.network.as_ref()),
        ]
    };
    let header = [
        "NS",
        "HOST IP",
        "HOST PORT",
        "ADDRESS",
        "PORT",
        "PROTOCOL",
        "NETWORK",
    ];
    table(header, ports.iter().map(row))
}
