//! What is wanted, in the words of users: networks, sandboxes, endpoints, published ports.
//!
//! Front ends write it through [`crate::service`], the store keeps it, `reconcile::lower` turns
//! it into the machine's terms. It knows nothing of kernels, sockets or files.

pub mod adopted;
pub mod delta;
pub mod driver;
pub mod family;
pub mod ipam;
pub mod names;
mod network;
mod port;
mod row;
pub mod shield;
pub mod spec;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
};

use netctl_common::wire::Mac;
use serde::{Deserialize, Serialize};

pub use self::{
    network::{Filtering, GatewayMode, MIN_MTU6, Mapping, Modes, Network, Subnet},
    port::{Proto, PublishedPort, Way},
    row::PortRow,
    shield::Rules,
};

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
    /// Endpoints of the network driver, by Docker's ids.
    pub members: BTreeMap<String, Arc<driver::Member>>,
    /// Pools of the IPAM driver, by the ids that Docker was told.
    pub pools: BTreeMap<String, Arc<driver::Pool>>,
    /// Networks of another engine that are left to it, by the names of their bridges.
    pub others: BTreeMap<String, Arc<String>>,
    /// Highest endpoint number ever given.
    pub last_endpoint: EndpointId,
    /// Highest port number ever given.
    pub last_port: PortId,
    /// Global ID of this host's unique local addresses, 40 bits; chosen when first needed, then
    /// kept (RFC 4193, section 3.2).
    pub global_id: Option<u64>,
}

/// A network namespace that endpoints live in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    pub name: String,
    pub netns: Netns,
    /// The container that it is of, if another engine made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<adopted::Container>,
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
    /// One of each family that the network has.
    pub addr: Option<Ipv4Addr>,
    pub addr6: Option<Ipv6Addr>,
    /// The host side, if another engine made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<adopted::Veth>,
    /// What of Docker's it is, if it was made for the network driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<driver::Joined>,
}

impl Endpoint {
    /// Its addresses, of either family.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self.addr.into_iter().map(IpAddr::from);
        v4.chain(self.addr6.into_iter().map(IpAddr::from))
    }
}

impl Model {
    /// The endpoints that published ports of the sandbox lead to, one of each family: the first
    /// on a network that is not internal. They are often the same one.
    pub fn published_endpoints(&self, sandbox: &str) -> Way<'_> {
        let mut way = Way::default();
        for endpoint in self.endpoints.values().filter(|e| e.sandbox == sandbox) {
            way.offer(endpoint, self.networks.get(&endpoint.network));
        }
        way
    }

    /// Indexes of the interfaces that others made and that are anchors of ours.
    pub fn adopted_bridges(&self) -> BTreeSet<u32> {
        let bridges = self.networks.values().filter_map(|n| n.adopted.as_ref());
        bridges.map(|bridge| bridge.ifindex).collect()
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
            // from_str_radix takes a sign for a digit.
            if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
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
