//! What the Engine says of its networks and containers, as far as it concerns us.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use ipnet::IpNet;
use netctl_common::wire::Mac;

use crate::{
    kernel::adopted::Wanted,
    model::{Modes, PortRow},
};

/// Networks and containers by the Engine's ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Those that are adopted.
    pub(super) networks: BTreeMap<String, Network>,
    /// Names of those that were made by netctl's driver.
    pub(super) driven: BTreeMap<String, String>,
    /// Names of other networks with a bridge of Docker's own, by the bridges' names.
    pub(super) others: BTreeMap<String, String>,
    /// Those that run, or are being started.
    pub(super) containers: BTreeMap<String, Container>,
    /// Those that do not run, but may.
    pub(super) idle: BTreeMap<String, Idle>,
}

/// What there is of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Networks {
    pub(super) adopted: BTreeMap<String, Network>,
    pub(super) driven: BTreeMap<String, String>,
    pub(super) others: BTreeMap<String, String>,
    /// Subnets of those whose addresses are netctl's IPAM driver's to give, whatever made them.
    pub(super) pools: BTreeSet<IpNet>,
}

/// A network of the driver `bridge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) name: String,
    /// Name of the bridge interface.
    pub(super) bridge: String,
    pub(super) subnets: Vec<IpNet>,
    pub(super) internal: bool,
    pub(super) icc: bool,
    pub(super) masquerade: bool,
    pub(super) modes: Modes,
    pub(super) mtu: Option<u32>,
    /// Where ports are published that name no host address.
    pub(super) host_ip: Ipv4Addr,
    /// Members meet each other and nobody else: `gateway_mode` says so of a family.
    pub(super) isolated: bool,
    /// Options that are not served as they ask for.
    pub(super) unserved: Vec<String>,
}

/// A container that does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Idle {
    /// Networks that it is going to be on.
    pub(super) networks: usize,
    /// Ports that it asks for by number. No host address is [`Network::host_ip`].
    pub(super) ports: Vec<PortRow>,
    /// As [`Container::labels`].
    pub(super) labels: BTreeMap<String, String>,
}

/// A container with a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) name: String,
    /// File of its network namespace; `None` while it is started.
    pub(super) sandbox: Option<PathBuf>,
    pub(super) endpoints: Vec<Endpoint>,
    /// A host port 0: none, in a network that is reached by routing.
    pub(super) ports: Vec<PortRow>,
    /// Its labels that mean something here: `netctl.*` and `com.docker.compose.*`. What others
    /// are there are as many and as long as their author likes. `None`: the Engine has not told yet.
    pub(super) labels: Option<BTreeMap<String, String>>,
}

/// A container's interface in a network of whatever driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) id: String,
    /// Id of the network.
    pub(super) network: String,
    pub(super) mac: Mac,
    pub(super) addr: Option<Ipv4Addr>,
    pub(super) addr6: Option<Ipv6Addr>,
}

impl Facts {
    /// What is to be looked for in the kernel.
    pub(super) fn wanted(&self) -> Wanted {
        let adopted = || self.on(&self.networks);
        let sandboxes = adopted().filter_map(|c| Some((c.sandbox.clone()?, c.endpoints.len() > 1)));
        let driven = self.on(&self.driven);
        Wanted {
            bridges: self.networks.values().map(|n| n.bridge.clone()).collect(),
            sandboxes: sandboxes.collect(),
            driven: driven.filter_map(|c| c.sandbox.clone()).collect(),
            fresh: adopted().any(|c| c.sandbox.is_none()),
        }
    }

    /// Containers with an interface in one of these networks, which are by the Engine's ids.
    fn on<V>(&self, networks: &BTreeMap<String, V>) -> impl Iterator<Item = &Container> {
        self.containers.values().filter(|container| {
            let mut endpoints = container.endpoints.iter();
            endpoints.any(|endpoint| networks.contains_key(&endpoint.network))
        })
    }
}
