//! The JSON of the API: what requests ask for and what answers show.
//!
//! Requests carry addresses as text: the service explains what is wrong with them, which a
//! parser in the middle of a JSON document cannot.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::{
    model::{EndpointId, NetworkId, PortId, Proto},
    view,
};

const fn yes() -> bool {
    true
}

/// POST /v1/networks
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkCreate {
    pub name: String,
    /// None: a free one of the configured pools.
    #[serde(default)]
    pub subnet: Option<String>,
    /// None: the subnet's first address.
    #[serde(default)]
    pub gateway: Option<String>,
    #[serde(default)]
    pub ip_range: Option<String>,
    /// None: the smallest of the uplinks.
    #[serde(default)]
    pub mtu: Option<u32>,
    #[serde(default)]
    pub internal: bool,
    #[serde(default = "yes")]
    pub masquerade: bool,
    #[serde(default = "yes")]
    pub icc: bool,
}

/// POST /v1/networks/{network}/endpoints
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    pub ns: String,
    #[serde(default)]
    pub ip: Option<String>,
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

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub id: NetworkId,
    pub name: String,
    pub subnet: Ipv4Net,
    pub gateway: Ipv4Addr,
    pub ip_range: Option<Ipv4Net>,
    /// None: it follows the uplinks, of which there is none now.
    pub mtu: Option<u32>,
    pub mac: String,
    pub internal: bool,
    pub masquerade: bool,
    pub icc: bool,
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
    /// With the subnet's prefix length.
    pub address: Ipv4Net,
    pub ip: Ipv4Addr,
    pub mac: String,
    pub gateway: Ipv4Addr,
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
    pub endpoints: Vec<Endpoint>,
    pub ports: Vec<Port>,
}

/// A published port or range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub id: PortId,
    pub ns: String,
    /// Network of the endpoint that it leads to.
    pub network: Option<String>,
    pub host_ip: IpAddr,
    pub host_port: u16,
    pub container_ip: Option<Ipv4Addr>,
    pub container_port: u16,
    pub count: u16,
    pub proto: Proto,
    /// As a SPEC that leaves nothing out.
    pub spec: String,
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
