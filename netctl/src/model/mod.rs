//! What is wanted, in the words of users: networks, sandboxes, endpoints, published ports.
//!
//! Front ends write it through [`crate::service`], the store keeps it, `reconcile::lower` turns
//! it into the machine's terms. It knows nothing of kernels, sockets or files.

pub mod delta;
pub mod ipam;
pub mod names;
pub mod spec;

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::Arc,
};

use ipnet::Ipv4Net;
use netctl_common::wire::Mac;
use serde::{Deserialize, Serialize};

/// Index of a network in the datapath's NETWORK array: 1 to 4095, the lowest free one.
pub type NetworkId = u32;
/// Number of an endpoint: counted up, never used again, so that an interface index derived from
/// it (`kernel::names::endpoint_ifindex`) never means another endpoint.
pub type EndpointId = u32;
/// Number of a published spec: counted up, never used again. Never 0.
pub type PortId = u32;

/// Everything that is wanted on this host. An operation changes a copy, which shares what it
/// leaves alone with the model that it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// By id.
    pub networks: BTreeMap<NetworkId, Arc<Network>>,
    /// By name.
    pub sandboxes: BTreeMap<String, Arc<Sandbox>>,
    /// By id.
    pub endpoints: BTreeMap<EndpointId, Arc<Endpoint>>,
    /// By id.
    pub ports: BTreeMap<PortId, Arc<PublishedPort>>,
    /// Highest endpoint number ever given.
    pub last_endpoint: EndpointId,
    /// Highest port number ever given.
    pub last_port: PortId,
}

/// A network of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    pub id: NetworkId,
    pub name: String,
    pub subnet: Ipv4Net,
    /// The host's own address in the network.
    pub gateway: Ipv4Addr,
    /// Part of the subnet that addresses are chosen from.
    pub ip_range: Option<Ipv4Net>,
    /// None: the smallest MTU of the uplinks.
    pub mtu: Option<u32>,
    /// MAC of the anchor, which the gateway address resolves to.
    #[serde(with = "mac")]
    pub mac: Mac,
    pub internal: bool,
    pub masquerade: bool,
    pub icc: bool,
}

/// A network namespace that endpoints live in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    pub name: String,
    pub netns: Netns,
}

/// Where a sandbox's network namespace is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Netns {
    /// Made and removed by netctl: /run/netns/NAME, where `ip netns` finds it too.
    Named,
    /// Somebody else's, by a path such as /run/netns/x or /proc/123/ns/net. `inode` is the
    /// namespace's when it was given, so that a process id that was used again is noticed.
    Path { path: PathBuf, inode: u64 },
}

/// A sandbox's attachment to a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    pub id: EndpointId,
    pub network: NetworkId,
    pub sandbox: String,
    /// Name inside the sandbox: eth0, eth1, …
    pub ifname: String,
    #[serde(with = "mac")]
    pub mac: Mac,
    pub addr: Ipv4Addr,
}

/// Transport protocol of a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    Tcp,
    Udp,
    Sctp,
}

impl Proto {
    /// IP protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => netctl_common::packet::proto::TCP,
            Self::Udp => netctl_common::packet::proto::UDP,
            Self::Sctp => netctl_common::packet::proto::SCTP,
        }
    }

    /// As in a SPEC.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// One published SPEC: `count` ports from `host_port`, each leading to the container port in
/// step with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedPort {
    pub id: PortId,
    pub sandbox: String,
    /// 0.0.0.0: every address of the host.
    pub host_ip: IpAddr,
    pub host_port: u16,
    pub container_port: u16,
    pub count: u16,
    pub proto: Proto,
}

impl PublishedPort {
    /// Last host port.
    pub const fn host_last(&self) -> u16 {
        self.host_port + (self.count - 1)
    }

    /// Last container port.
    pub const fn container_last(&self) -> u16 {
        self.container_port + (self.count - 1)
    }

    /// Whether both want a host port that only one can have: a wildcard address covers all.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let addresses = self.host_ip == other.host_ip
            || self.host_ip.is_unspecified()
            || other.host_ip.is_unspecified();
        self.proto == other.proto
            && addresses
            && self.host_port <= other.host_last()
            && other.host_port <= self.host_last()
    }
}

/// As a SPEC that leaves nothing out.
impl Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spec::Spec {
            host_ip: Some(self.host_ip),
            host: spec::HostPorts::From(self.host_port),
            container_port: self.container_port,
            count: self.count,
            proto: self.proto,
        }
        .fmt(f)
    }
}

impl Model {
    /// The endpoint that a published port of the sandbox leads to: the first on a network that
    /// is not internal.
    pub fn published_endpoint(&self, sandbox: &str) -> Option<&Endpoint> {
        let mut endpoints = self.endpoints.values().map(Arc::as_ref);
        endpoints.find(|e| {
            e.sandbox == sandbox && self.networks.get(&e.network).is_some_and(|n| !n.internal)
        })
    }

    /// The network of that name.
    pub fn network_named(&self, name: &str) -> Option<&Network> {
        let mut networks = self.networks.values().map(Arc::as_ref);
        networks.find(|n| n.name == name)
    }
}

/// A MAC as `aa:bb:cc:dd:ee:ff` in JSON.
pub mod mac {
    use netctl_common::wire::Mac;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Parses six colon-separated octets in hex.
    pub fn parse(text: &str) -> Option<Mac> {
        let mut octets = [0_u8; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next()?;
            if part.len() != 2 {
                return None;
            }
            *octet = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Mac(octets))
    }

    pub fn serialize<S: Serializer>(mac: &Mac, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(mac)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not a MAC address")))
    }
}
