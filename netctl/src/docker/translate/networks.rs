//! The Engine's networks as ours.

use std::collections::BTreeMap;

use netctl_common::network::MAX_NETWORKS;

use super::{Translation, with_id};
use crate::{
    docker::facts::{self, Facts},
    kernel::adopted::Bridge,
    model::{Network, NetworkId, Subnet, adopted, family::Family},
};

impl Translation<'_> {
    /// Numbers of the networks that are served, by the Engine's ids.
    pub(super) fn networks(&mut self, facts: &Facts) -> BTreeMap<String, NetworkId> {
        let mut wanted = BTreeMap::new();
        for (id, fact) in &facts.networks {
            let name = &fact.name;
            let Some(bridge) = self.found.bridges.get(&fact.bridge) else {
                self.problem(format!(
                    "docker network {name:?}: its bridge {} is not there; restart the Engine, or remove the network",
                    fact.bridge
                ));
                continue;
            };
            if fact.isolated && gateways(fact, bridge).next().is_none() {
                // Nothing of it passes the host: Docker's bridge does all that was asked for.
                continue;
            }
            match network(fact, id, bridge) {
                Ok(network) => drop(wanted.insert(id.clone(), network)),
                Err(problem) => self.problem(problem),
            }
            if !bridge.forwarding {
                self.problem(format!(
                    "docker network {name:?}: its bridge {} does not route, so that containers do not reach the outside; set net.ipv4.ip_forward=1, or take \"ip-forward\": false out of daemon.json",
                    fact.bridge
                ));
            }
            if !fact.unserved.is_empty() {
                let options = fact.unserved.join(", ");
                self.problem(format!(
                    "docker network {name:?}: {options} is not served, and the network is as without it; make it anew without that"
                ));
            }
        }
        let is_wanted = |network: &Network| {
            let bridge = network.adopted.as_ref();
            bridge.is_none_or(|bridge| wanted.contains_key(&bridge.id))
        };
        self.model.networks.retain(|_, network| is_wanted(network));
        let mut numbers = BTreeMap::new();
        for (id, network) in wanted {
            match self.put_network(network) {
                Ok(number) => drop(numbers.insert(id, number)),
                Err(problem) => self.problem(problem),
            }
        }
        numbers
    }

    /// Bridges that are left to the Engine: nothing is served there, and nobody reaches them.
    pub(super) fn note_others(&mut self, facts: &Facts) {
        let others = &mut self.model.others;
        others.retain(|bridge, _| facts.others.contains_key(bridge));
        for (bridge, network) in &facts.others {
            let is_known = others.get(bridge).is_some_and(|known| **known == *network);
            if !is_known {
                others.insert(bridge.clone(), network.clone().into());
            }
        }
    }

    fn put_network(&mut self, mut network: Network) -> Result<NetworkId, String> {
        let networks = &mut self.model.networks;
        let same = |other: &Network| {
            let ids = [&network, other].map(|n| n.adopted.as_ref().map(|bridge| &bridge.id));
            ids[0] == ids[1]
        };
        let known = networks.values().find(|other| same(other)).map(|n| n.id);
        let others = || networks.values().filter(|other| Some(other.id) != known);
        let name = network.name.clone();
        if let Some(other) = others().find(|other| other.overlaps(&network)) {
            let problem = format!(
                "docker network {name:?} is not served: its addresses are also those of network {:?}; remove one of them",
                other.name
            );
            networks.retain(|id, _| Some(*id) != known);
            return Err(problem);
        }
        if others().any(|other| other.name == name) {
            network.name = with_id(&name, network.adopted.as_ref().map(|bridge| &*bridge.id));
        }
        let free = || (1..MAX_NETWORKS).find(|id| !networks.contains_key(id));
        let id = known.or_else(free).ok_or_else(|| {
            format!("docker network {name:?} is not served: there are {MAX_NETWORKS} networks, which is all that fit; remove one")
        })?;
        network.id = id;
        if networks.get(&id).is_none_or(|old| **old != network) {
            networks.insert(id, network.into());
        }
        Ok(id)
    }
}

/// A network as the kernel has its bridge: the addresses there are what containers are told to be
/// the gateway, and what the host has.
fn network(fact: &facts::Network, id: &str, bridge: &Bridge) -> Result<Network, String> {
    let v4 = gateways(fact, bridge).find_map(|net| match net {
        ipnet::IpNet::V4(net) => Some(subnet(net.addr(), net.trunc())),
        ipnet::IpNet::V6(_) => None,
    });
    let v6 = gateways(fact, bridge).find_map(|net| match net {
        ipnet::IpNet::V6(net) => Some(subnet(net.addr(), net.trunc())),
        ipnet::IpNet::V4(_) => None,
    });
    if v4.is_none() && v6.is_none() {
        return Err(format!(
            "docker network {:?} is not served: its bridge {} has no address in any of its subnets; take the option inhibit_ipv4 away, or give the bridge its gateway address",
            fact.name, fact.bridge
        ));
    }
    Ok(Network {
        id: 0,
        name: fact.name.clone(),
        ipv4: v4,
        ipv6: v6,
        mtu: Some(fact.mtu.unwrap_or(bridge.mtu)),
        mac: bridge.mac,
        internal: fact.internal,
        masquerade: fact.masquerade,
        icc: fact.icc,
        mapping: None,
        filtering: None,
        modes: fact.modes,
        driver: None,
        adopted: Some(adopted::Bridge {
            id: id.to_owned(),
            name: fact.bridge.clone(),
            ifindex: bridge.ifindex,
        }),
    })
}

/// Addresses of the bridge in the network's subnets.
fn gateways<'a>(
    fact: &'a facts::Network,
    bridge: &'a Bridge,
) -> impl Iterator<Item = &'a ipnet::IpNet> {
    let is_of_network = |net: &&ipnet::IpNet| fact.subnets.contains(&net.trunc());
    bridge.addresses.iter().filter(is_of_network)
}

fn subnet<F: Family>(gateway: F, subnet: F::Net) -> Subnet<F> {
    Subnet {
        subnet,
        gateway,
        ip_range: None,
    }
}
