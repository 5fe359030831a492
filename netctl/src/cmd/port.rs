//! `netctl port`

use std::{net::IpAddr, process::ExitCode};

use anyhow::Result;

use super::output::{Output, or_dash, table};
use crate::{
    api::types::{Port, PortRules, Specs, Target},
    cli,
    client::{Client, segment},
    model::{names, spec},
};

pub(super) async fn run(client: &Client, out: Output, command: cli::Port) -> Result<ExitCode> {
    match command {
        cli::Port::Add { ns, specs } => {
            let added: Vec<Port> = client.post(&path(&ns)?, &Specs { specs }).await?;
            out.print(&added, |ports| {
                let lines: Vec<_> = ports.iter().flat_map(mappings).collect();
                lines.join("\n")
            })?;
        }
        cli::Port::Rm { ns, specs } => {
            let specs = Specs { specs };
            client.delete_with(&path(&ns)?, &specs).await?;
            out.print(&specs.specs, |specs| specs.join("\n"))?;
        }
        cli::Port::Allow {
            ns,
            specs,
            from,
            limit,
            clear,
        } => {
            let rules = PortRules {
                specs,
                from: (!from.is_empty()).then(|| from.join(",")),
                limit,
                clear,
            };
            let path = format!("{}/rules", path(&ns)?);
            let ruled: Vec<Port> = client.put(&path, &rules).await?;
            out.print(&ruled, |ports| list(ports))?;
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

/// As `docker ps` shows it: a line for each family.
pub(super) fn mappings(port: &Port) -> Vec<String> {
    let host = spec::range(port.host_port, port.count);
    let container = spec::range(port.container_port, port.count);
    let mapping = |target: &Target| {
        let ip = bracketed(target.host_ip);
        format!("{ip}:{host}->{container}/{}", port.proto.name())
    };
    port.targets.iter().map(mapping).collect()
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

pub(super) fn list(ports: &[Port]) -> String {
    let row = |p: &Port, target: Option<&Target>| {
        [
            p.ns.clone(),
            or_dash(target.map(|target| target.host_ip).or(p.host_ip)),
            spec::range(p.host_port, p.count),
            or_dash(target.map(|target| target.container_ip)),
            spec::range(p.container_port, p.count),
            p.proto.name().to_owned(),
            or_dash(target.map(|target| &target.network)),
            or_dash(p.from.as_ref()),
            or_dash(p.limit.as_ref()),
        ]
    };
    let rows = ports.iter().flat_map(|p| match p.targets.as_slice() {
        [] => vec![row(p, None)],
        targets => targets.iter().map(|target| row(p, Some(target))).collect(),
    });
    let header = [
        "NS",
        "HOST IP",
        "HOST PORT",
        "ADDRESS",
        "PORT",
        "PROTOCOL",
        "NETWORK",
        "FROM",
        "LIMIT",
    ];
    table(header, rows)
}
