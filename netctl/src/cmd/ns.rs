//! `netctl ns`, but for `exec`

use std::{net::IpAddr, path::absolute, process::ExitCode};

use anyhow::{Context as _, Result, bail};

use super::{
    network::remove,
    output::{Output, both, pairs, table, yes_no},
    port,
};
use crate::{
    api::types::{Endpoint, Ns, NsCreate},
    cli,
    client::{Client, segment},
    model::names,
};

pub(super) async fn run(client: &Client, out: Output, command: cli::Ns) -> Result<ExitCode> {
    match command {
        cli::Ns::Create(args) => {
            let made: Ns = client.post("/v1/namespaces", &request(args)?).await?;
            out.print(&made, summary)?;
        }
        cli::Ns::Ls => {
            let all: Vec<Ns> = client.get("/v1/namespaces").await?;
            out.print(&all, |all| list(all))?;
        }
        cli::Ns::Inspect { name } => {
            out.print(&get(client, &name).await?, inspect)?;
        }
        cli::Ns::Rm { names } => return remove(client, out, "/v1/namespaces", &names).await,
        cli::Ns::Exec { .. } => bail!("exec runs before there is a runtime"),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn get(client: &Client, name: &str) -> Result<Ns> {
    names::check(name)?;
    client
        .get(&format!("/v1/namespaces/{}", segment(name)))
        .await
}

/// Name and addresses, then the published ports: what a creation has chosen.
pub(super) fn summary(ns: &Ns) -> String {
    let mut lines = vec![ns.name.clone()];
    for address in ns.endpoints.iter().flat_map(addresses) {
        lines[0].push_str(&format!(" {address}"));
    }
    lines.extend(ns.ports.iter().flat_map(port::mappings));
    lines.join("\n")
}

fn addresses(endpoint: &Endpoint) -> impl Iterator<Item = IpAddr> {
    let v4 = endpoint.ip.into_iter().map(IpAddr::from);
    v4.chain(endpoint.ip6.into_iter().map(IpAddr::from))
}

fn request(args: cli::NsCreate) -> Result<NsCreate> {
    let cli::NsCreate {
        name,
        network,
        ip,
        ip6,
        mac,
        publish,
        netns,
        pid,
    } = args;
    // The daemon has another working folder.
    let netns = netns
        .map(|path| absolute(&path).with_context(|| format!("path {path:?}")))
        .transpose()?;
    Ok(NsCreate {
        name,
        network,
        ip,
        ip6,
        mac,
        publish,
        netns,
        pid,
    })
}

fn list(all: &[Ns]) -> String {
    let row = |ns: &Ns| {
        let joined = |each: &mut dyn Iterator<Item = String>| {
            let all: Vec<_> = each.collect();
            if all.is_empty() {
                "-".to_owned()
            } else {
                all.join(", ")
            }
        };
        [
            ns.name.clone(),
            joined(&mut ns.endpoints.iter().map(|e| e.network.clone())),
            joined(
                &mut ns
                    .endpoints
                    .iter()
                    .flat_map(addresses)
                    .map(|a| a.to_string()),
            ),
            joined(&mut ns.ports.iter().flat_map(port::mappings)),
        ]
    };
    table(
        ["NAME", "NETWORKS", "ADDRESSES", "PORTS"],
        all.iter().map(row),
    )
}

fn inspect(ns: &Ns) -> String {
    let mut about = vec![
        ("Name", ns.name.clone()),
        ("Path", ns.path.display().to_string()),
        ("Made by netctl", yes_no(ns.managed).to_owned()),
    ];
    if let Some(container) = &ns.container {
        about.push((
            "Container",
            format!("{} ({})", container.name, container.id),
        ));
        let compose = [&container.compose_project, &container.compose_service];
        let compose: Vec<&str> = compose.into_iter().flatten().map(String::as_str).collect();
        if !compose.is_empty() {
            about.push(("Compose", compose.join(" / ")));
        }
    }
    let mut text = pairs(about);
    if !ns.endpoints.is_empty() {
        let header = [
            "NETWORK",
            "IFNAME",
            "ADDRESS",
            "MAC",
            "GATEWAY",
            "HOST INTERFACE",
        ];
        let rows = ns.endpoints.iter().map(|e| {
            [
                e.network.clone(),
                e.ifname.clone(),
                both(e.address, e.address6),
                e.mac.clone(),
                both(e.gateway, e.gateway6),
                e.host_interface.clone(),
            ]
        });
        text.push_str("\n\n");
        text.push_str(&table(header, rows));
    }
    if !ns.ports.is_empty() {
        text.push_str("\n\n");
        text.push_str(&port::list(&ns.ports));
    }
    text
}
