//! The JSON of the API: what requests ask for and what answers show.
//!
//! Requests carry addresses as text: the service explains what is wrong with them, which a
//! parser in the middle of a JSON document cannot.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    model::{EndpointId, Filtering, Mapping, Modes, NetworkId, PortId, Proto},
    view,
};

const fn yes() -> bool {
    true
}

/// One text, or a list of them.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        One(String),
        Many(Vec<String>),
        None,
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::One(text) => vec![text],
        Given::Many(texts) => texts,
        Given::None => Vec::new(),
    })
}

/// POST /v1/networks
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkCreate {
    pub name: String,
    /// At most one of each family. None of IPv4: a free one of the configured pools; none of
    /// IPv6, if that is wanted: a free unique local one.
    #[serde(default, deserialize_with = "one_or_many")]
    pub subnet: Vec<String>,
    /// At most one of each family. None: the subnet's first address.
    #[serde(default, deserialize_with = "one_or_many")]
    pub gateway: Vec<String>,
    /// At most one of each family.
    #[serde(default, deserialize_with = "one_or_many")]
    pub ip_range: Vec<String>,
    #[serde(default = "yes")]
    pub ipv4: bool,
    /// Also wanted when an IPv6 subnet is given.
    #[serde(default)]
    pub ipv6: bool,
    /// None: the smallest of the uplinks.
    #[serde(default)]
    pub mtu: Option<u32>,
    #[serde(default)]
    pub internal: bool,
    #[serde(default = "yes")]
    pub masquerade: bool,
    #[serde(default = "yes")]
    pub icc: bool,
    /// None: as configured.
    #[serde(default)]
    pub nat_mapping: Option<Mapping>,
    /// None: as configured.
    #[serde(default)]
    pub nat_filtering: Option<Filtering>,
}

/// POST /v1/networks/{network}/endpoints
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    pub ns: String,
    #[serde(default)]
    pub ip: Option<String>,
    #[serde(default)]
    pub ip6: Option<String>,
}

/// POST /v1/namespaces
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NsCreate {
    pub name: String,
    #[serde(default)]
    pub network: Option<String>,
    #[serde(default)]
    pub ip: Option<String>,
    #[serde(default)]
    pub ip6: Option<String>,
    #[serde(default)]
    pub mac: Option<String>,
    #[serde(default)]
    pub publish: Vec<String>,
    /// A network namespace that exists.
    #[serde(default)]
    pub netns: Option<PathBuf>,
    /// The one of this process.
    #[serde(default)]
    pub pid: Option<u32>,
}

/// POST and DELETE /v1/namespaces/{ns}/ports
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specs {
    pub specs: Vec<String>,
}

/// PUT /v1/namespaces/{ns}/ports/rules: what is not given stays as it is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortRules {
    pub specs: Vec<String>,
    /// Who is let in from outside: `10.0.0.0/8,tailscale0`, or `any`.
    #[serde(default)]
    pub from: Option<String>,
    /// How fast: `20conn/s,1000pkt/s`, or `none`.
    #[serde(default)]
    pub limit: Option<String>,
    /// Takes back what was given; labels of a container count again.
    #[serde(default)]
    pub clear: bool,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub id: NetworkId,
    pub name: String,
    /// None without IPv4.
    pub subnet: Option<Ipv4Net>,
    pub gateway: Option<Ipv4Addr>,
    pub ip_range: Option<Ipv4Net>,
    /// None without IPv6.
    pub subnet6: Option<Ipv6Net>,
    pub gateway6: Option<Ipv6Addr>,
    pub ip_range6: Option<Ipv6Net>,
    /// None: it follows the uplinks, of which there is none now.
    pub mtu: Option<u32>,
    pub mac: String,
    pub internal: bool,
    pub masquerade: bool,
    pub icc: bool,
    pub gateway_modes: Modes,
    pub nat_mapping: Mapping,
    pub nat_filtering: Filtering,
    /// The host's own interface in it.
    pub interface: String,
    pub endpoints: Vec<Endpoint>,
}

/// A namespace's attachment to a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub id: EndpointId,
    pub network: String,
    pub ns: String,
    /// Inside the namespace.
    pub ifname: String,
    /// With the subnet's prefix length; none without IPv4.
    pub address: Option<Ipv4Net>,
    pub ip: Option<Ipv4Addr>,
    pub gateway: Option<Ipv4Addr>,
    /// With the subnet's prefix length; none without IPv6.
    pub address6: Option<Ipv6Net>,
    pub ip6: Option<Ipv6Addr>,
    pub gateway6: Option<Ipv6Addr>,
    pub mac: String,
    /// The other side, on the host.
    pub host_interface: String,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ns {
    pub name: String,
    pub path: PathBuf,
    /// Whether netctl made it and removes it.
    pub managed: bool,
    /// Which namespace the path meant when it was given, if netctl did not make it.
    pub inode: Option<u64>,
    /// Whose namespace it is, if a container engine made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    pub endpoints: Vec<Endpoint>,
    pub ports: Vec<Port>,
}

/// A container of another engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// In its engine's words.
    pub id: String,
    pub name: String,
    /// Of the Compose file that it comes from, if it comes from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose_project: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose_service: Option<String>,
}

/// A published port or range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub id: PortId,
    pub ns: String,
    /// Whose port it is, if a container engine made the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// As given; none: every address of the host.
    pub host_ip: Option<IpAddr>,
    pub host_port: u16,
    pub container_port: u16,
    pub count: u16,
    pub proto: Proto,
    /// As a SPEC that leaves nothing out.
    pub spec: String,
    /// Who is let in from outside; none: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How fast each of them may be; none: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What it leads to now, at most one of each family.
    pub targets: Vec<Target>,
}

/// Where a published port leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// 0.0.0.0 or [::]: every address of the host of that family.
    pub host_ip: IpAddr,
    pub network: String,
    pub container_ip: IpAddr,
}

/// A flow and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    pub ns: Option<String>,
    pub network: Option<String>,
    #[serde(flatten)]
    pub flow: view::Flow,
}

/// What `netctl status` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub networks: usize,
    pub namespaces: usize,
    pub endpoints: usize,
    /// A range counts as one.
    pub published_ports: usize,
    /// The engine whose networks are adopted, if that is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<view::Engine>,
    #[serde(flatten)]
    pub status: view::Status,
}

/// GET /v1/plan: empty when there is nothing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub steps: Vec<String>,
}

/// GET /v1/flows?ns=
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowQuery {
    pub ns: Option<String>,
}

/// Body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub error: String,
}
