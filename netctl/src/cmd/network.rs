//! `netctl network`

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use super::{
    ns,
    output::{Output, both, or_dash, pairs, table, yes_no},
};
use crate::{
    api::types::{Connect, Network, NetworkCreate, Ns},
    cli,
    client::{Client, segment},
    model::names,
};

pub(super) async fn run(client: &Client, out: Output, command: cli::Network) -> Result<ExitCode> {
    match command {
        cli::Network::Create(args) => {
            let made: Network = client.post("/v1/networks", &request(args)).await?;
            out.print(&made, |n| {
                format!("{} {}", n.name, subnets(n).replace(", ", " "))
            })?;
        }
        cli::Network::Ls => {
            let networks: Vec<Network> = client.get("/v1/networks").await?;
            out.print(&networks, |n| list(n))?;
        }
        cli::Network::Inspect { name } => {
            names::check(&name)?;
            let path = format!("/v1/networks/{}", segment(&name));
            let network: Network = client.get(&path).await?;
            out.print(&network, inspect)?;
        }
        cli::Network::Rm { names } => return remove(client, out, "/v1/networks", &names).await,
        cli::Network::Connect { net, ns, ip, ip6 } => {
            names::check(&net)?;
            let path = format!("/v1/networks/{}/endpoints", segment(&net));
            let connected: Ns = client.post(&path, &Connect { ns, ip, ip6 }).await?;
            out.print(&connected, ns::summary)?;
        }
        cli::Network::Disconnect { net, ns } => {
            names::check(&net)?;
            names::check(&ns)?;
            let path = format!("/v1/networks/{}/endpoints/{}", segment(&net), segment(&ns));
            client.delete(&path).await?;
            out.print(&json!({ "network": net, "ns": ns }), |_| ns.clone())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes each of the names; one that stays does not keep the others.
pub(super) async fn remove(
    client: &Client,
    out: Output,
    collection: &str,
    names: &[String],
) -> Result<ExitCode> {
    let mut removed = Vec::new();
    let mut failed = 0;
    for name in names {
        let done = match names::check(name) {
            Ok(()) => {
                client
                    .delete(&format!("{collection}/{}", segment(name)))
                    .await
            }
            Err(e) => Err(e.into()),
        };
        match done {
            Ok(()) => removed.push(name.as_str()),
            Err(e) => {
                failed += 1;
                eprintln!("netctl: error: {e:#}");
            }
        }
    }
    out.print(&removed, |names| names.join("\n"))?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn request(args: cli::NetworkCreate) -> NetworkCreate {
    let cli::NetworkCreate {
        name,
        subnet,
        gateway,
        ip_range,
        ipv4,
        ipv6,
        mtu,
        internal,
        no_masquerade,
        no_icc,
        nat_mapping,
        nat_filtering,
    } = args;
    NetworkCreate {
        name,
        subnet,
        gateway,
        ip_range,
        ipv4,
        ipv6,
        mtu,
        internal,
        masquerade: !no_masquerade,
        icc: !no_icc,
        nat_mapping,
        nat_filtering,
    }
}

fn subnets(network: &Network) -> String {
    both(network.subnet, network.subnet6)
}

/// As it is given on the command line.
fn word(value: impl ValueEnum) -> String {
    or_dash(
        value
            .to_possible_value()
            .map(|value| value.get_name().to_owned()),
    )
}

fn list(networks: &[Network]) -> String {
    let header = [
        "NAME",
        "SUBNET",
        "GATEWAY",
        "INTERFACE",
        "MTU",
        "INTERNAL",
        "MEMBERS",
    ];
    let row = |n: &Network| {
        [
            n.name.clone(),
            subnets(n),
            both(n.gateway, n.gateway6),
            n.interface.clone(),
            or_dash(n.mtu),
            yes_no(n.internal).to_owned(),
            n.endpoints.len().to_string(),
        ]
    };
    table(header, networks.iter().map(row))
}

fn inspect(network: &Network) -> String {
    let n = network;
    let head = pairs([
        ("Name", n.name.clone()),
        ("Subnet", subnets(n)),
        ("Gateway", both(n.gateway, n.gateway6)),
        ("IP range", both(n.ip_range, n.ip_range6)),
        ("MTU", or_dash(n.mtu)),
        ("MAC", n.mac.clone()),
        ("Interface", n.interface.clone()),
        ("Internal", yes_no(n.internal).to_owned()),
        ("Masquerade", yes_no(n.masquerade).to_owned()),
        ("ICC", yes_no(n.icc).to_owned()),
        ("Gateway mode", gateway_modes(n)),
        ("NAT mapping", word(n.nat_mapping)),
        ("NAT filtering", word(n.nat_filtering)),
        ("Members", n.endpoints.len().to_string()),
    ]);
    if n.endpoints.is_empty() {
        return head;
    }
    let rows = n.endpoints.iter().map(|e| {
        let (ns, ip) = (e.ns.clone(), both(e.ip, e.ip6));
        [
            ns,
            ip,
            e.mac.clone(),
            e.ifname.clone(),
            e.host_interface.clone(),
        ]
    });
    let members = table(["NS", "ADDRESS", "MAC", "IFNAME", "HOST INTERFACE"], rows);
    format!("{head}\n\n{members}")
}

/// One word where both families have the same.
fn gateway_modes(n: &Network) -> String {
    let (v4, v6) = (word(n.gateway_modes.v4), word(n.gateway_modes.v6));
    match v4 == v6 {
        true => v4,
        false => format!("{v4}, of IPv6 {v6}"),
    }
}
