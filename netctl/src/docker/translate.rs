//! Facts of the Engine and of the kernel into the model: pure.
//!
//! What is there already keeps its number, so that flows and counters go on. What cannot be served
//! is left out and named; it never keeps the rest from being served.

use std::collections::{BTreeMap, BTreeSet};

use netctl_common::{endpoint::slot, network::MAX_NETWORKS};

use super::facts::{self, Facts};
use crate::{
    kernel::adopted::{self as adopted_links, Bridge, Found},
    model::{
        Endpoint, Model, Netns, Network, NetworkId, PublishedPort, Sandbox, Subnet,
        adopted::{self, Container},
        family::Family,
    },
};

/// Brings what is adopted in line. Returns what cannot be served, for a person.
pub(super) fn translate(
    model: &mut Model,
    facts: &Facts,
    found: &Found,
    max_endpoints: u32,
) -> Vec<String> {
    let mut translation = Translation {
        model,
        found,
        max_endpoints,
        problems: Vec::new(),
    };
    let networks = translation.networks(facts);
    translation.containers(facts, &networks);
    translation.problems
}

struct Translation<'a> {
    model: &'a mut Model,
    found: &'a Found,
    max_endpoints: u32,
    problems: Vec<String>,
}

impl Translation<'_> {
    /// Numbers of the networks that are served, by the Engine's ids.
    fn networks(&mut self, facts: &Facts) -> BTreeMap<String, NetworkId> {
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
                    "docker network {name:?}: {options} is not served; the network is as without it"
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

    fn containers(&mut self, facts: &Facts, networks: &BTreeMap<String, NetworkId>) {
        let mut served = BTreeSet::new();
        let mut published = BTreeSet::new();
        let names = self.sandboxes(facts);
        // Those that stay keep what they have against those that come.
        let (stay, come): (Vec<_>, Vec<_>) = facts
            .containers
            .iter()
            .flat_map(|(id, container)| container.endpoints.iter().map(move |e| (id, container, e)))
            .partition(|(_, _, fact)| self.model.endpoints.values().any(|e| is_of(e, &fact.id)));
        for (id, container, fact) in stay.into_iter().chain(come) {
            // One of another driver is none of ours.
            let Some(network) = networks.get(&fact.network) else {
                continue;
            };
            match self.put_endpoint(&names[id], container, fact, *network) {
                Ok(number) => drop(served.insert(number)),
                // One that is being started is looked at again when it has.
                Err(_) if container.sandbox.is_none() => {}
                Err(problem) => self.problem(problem),
            }
        }
        let endpoints = &mut self.model.endpoints;
        endpoints.retain(|id, e| e.adopted.is_none() || served.contains(id));
        for (id, container) in &facts.containers {
            for port in &container.ports {
                match self.put_port(&names[id], container, port, &published) {
                    Ok(number) => drop(published.insert(number)),
                    Err(problem) => self.problem(problem),
                }
            }
        }
        let ports = &mut self.model.ports;
        ports.retain(|id, port| !port.adopted || published.contains(id));
        let exists = |id: &str| facts.containers.contains_key(id) || facts.idle.contains_key(id);
        self.model.drop_idle_containers(exists);
    }

    /// Names of the containers' sandboxes in the model, which go with the containers'.
    fn sandboxes(&mut self, facts: &Facts) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (id, container) in &facts.containers {
            let sandboxes = &self.model.sandboxes;
            let known = sandboxes.values().find(|s| is_container(s, id));
            let known = known.map(|sandbox| sandbox.name.clone());
            let taken = |name: &String| {
                sandboxes
                    .get(name)
                    .is_some_and(|other| !is_container(other, id))
            };
            let mut name = container.name.clone();
            if taken(&name) {
                name = with_id(&name, Some(id));
            }
            if let Some(old) = known.filter(|old| *old != name) {
                self.rename(&old, &name);
            }
            let sandbox = Sandbox {
                name: name.clone(),
                netns: Netns::Path {
                    path: container.sandbox.clone().unwrap_or_default(),
                    inode: inside(self.found, container).map_or(0, |sandbox| sandbox.inode),
                },
                adopted: Some(Container { id: id.clone() }),
            };
            let sandboxes = &mut self.model.sandboxes;
            if sandboxes.get(&name).is_none_or(|old| **old != sandbox) {
                sandboxes.insert(name.clone(), sandbox.into());
            }
            names.insert(id.clone(), name);
        }
        names
    }

    fn rename(&mut self, old: &str, new: &str) {
        use std::sync::Arc;
        self.model.sandboxes.remove(old);
        let endpoints = self.model.endpoints.values_mut();
        for endpoint in endpoints.filter(|endpoint| endpoint.sandbox == old) {
            Arc::make_mut(endpoint).sandbox = new.to_owned();
        }
        let ports = self.model.ports.values_mut();
        for port in ports.filter(|port| port.sandbox == old) {
            Arc::make_mut(port).sandbox = new.to_owned();
        }
    }

    fn put_endpoint(
        &mut self,
        sandbox: &str,
        container: &facts::Container,
        fact: &facts::Endpoint,
        network: NetworkId,
    ) -> Result<u32, String> {
        let name = &container.name;
        let of = &self.model.networks[&network];
        let found = self.found;
        let inside = inside(found, container);
        let bridge = of.adopted.as_ref().map_or(0, |bridge| bridge.ifindex);
        let veth = match &container.sandbox {
            Some(_) => inside.and_then(|inside| inside.veths.get(&bridge)),
            None => found.fresh.get(&(bridge, fact.mac)),
        };
        let Some((veth, ifindex)) = veth else {
            return Err(format!(
                "container {name:?} on network {:?} is not served: no port of the bridge leads into its network namespace; restart the container",
                of.name
            ));
        };
        let leads = |gateway: Option<std::net::IpAddr>| {
            let gateways = inside.map(|inside| &inside.gateways);
            gateway.is_some_and(|gateway| gateways.is_some_and(|all| all.contains(&gateway)))
        };
        let only = container.endpoints.len() == 1;
        let mut endpoint = Endpoint {
            id: 0,
            network,
            sandbox: sandbox.to_owned(),
            ifname: String::new(),
            mac: fact.mac,
            addr: fact.addr.filter(|_| of.ipv4.is_some()),
            addr6: fact.addr6.filter(|_| of.ipv6.is_some()),
            adopted: Some(adopted::Veth {
                id: fact.id.clone(),
                name: veth.clone(),
                ifindex: *ifindex,
                default4: only || leads(of.ipv4.map(|v4| v4.gateway.into())),
                default6: only || leads(of.ipv6.map(|v6| v6.gateway.into())),
            }),
        };
        let endpoints = &mut self.model.endpoints;
        let known = endpoints.values().find(|old| {
            let is_same = old
                .adopted
                .as_ref()
                .is_some_and(|old| old.ifindex == *ifindex);
            is_of(old, &fact.id) && is_same && same_place(old, &endpoint)
        });
        let known = known.map(|old| old.id);
        let others = || endpoints.values().filter(|other| Some(other.id) != known);
        let meets = |other: &&std::sync::Arc<Endpoint>| {
            other
                .adopted
                .as_ref()
                .is_some_and(|other| other.id != fact.id && slot(other.ifindex) == slot(*ifindex))
        };
        if let Some(other) = others().find(meets) {
            return Err(format!(
                "container {name:?} is not served: the number of its interface {veth}, {ifindex}, has the place of container {:?}'s; restart {name}, which gives it another one",
                other.sandbox
            ));
        }
        if known.is_none()
            && others().filter(|e| !is_of(e, &fact.id)).count() >= self.max_endpoints as usize
        {
            return Err(format!(
                "container {name:?} is not served: there are {} endpoints, as many as datapath.max_endpoints allows; raise it in the configuration and start the daemon again",
                self.max_endpoints
            ));
        }
        endpoint.id = known.unwrap_or(self.model.last_endpoint + 1);
        let id = endpoint.id;
        self.model.last_endpoint = self.model.last_endpoint.max(id);
        if endpoints.get(&id).is_none_or(|old| **old != endpoint) {
            endpoints.insert(id, endpoint.into());
        }
        Ok(id)
    }

    fn put_port(
        &mut self,
        sandbox: &str,
        container: &facts::Container,
        fact: &facts::Port,
        taken: &BTreeSet<u32>,
    ) -> Result<u32, String> {
        let mut port = PublishedPort {
            id: 0,
            sandbox: sandbox.to_owned(),
            host_ip: fact.host_ip,
            host_port: fact.host_port,
            container_port: fact.container_port,
            count: fact.count,
            proto: fact.proto,
            adopted: true,
        };
        let name = &container.name;
        if port.proto == crate::model::Proto::Sctp && port.host_port != port.container_port {
            return Err(format!(
                "container {name:?}: published port {port} is not served: an sctp port cannot be translated to another number, since its checksum covers the whole packet; publish it under its own number"
            ));
        }
        let ports = &mut self.model.ports;
        // The same port: on which addresses may only be known when the container is started.
        let same = |old: &PublishedPort| {
            let of = |p: &PublishedPort| (p.container_port, p.count, p.host_port);
            old.adopted
                && old.sandbox == port.sandbox
                && of(old) == of(&port)
                && old.conflicts_with(&port)
        };
        let exact = |old: &PublishedPort| same(old) && old.host_ip == port.host_ip;
        let known = ports.values().find(|old| exact(old));
        let known = known.or_else(|| {
            let mut rest = ports.values().filter(|old| !taken.contains(&old.id));
            rest.find(|old| same(old))
        });
        if let Some(known) = known.map(|port| port.id) {
            port.id = known;
            if ports.get(&known).is_none_or(|old| **old != port) {
                ports.insert(known, port.into());
            }
            return Ok(known);
        }
        // Of those that the Engine published it has let go what it published anew.
        let stays = |old: &PublishedPort| !old.adopted;
        if let Some(other) = ports
            .values()
            .find(|old| stays(old) && old.conflicts_with(&port))
        {
            return Err(format!(
                "container {name:?}: published port {port} is not served: namespace {:?} has {other}; `netctl port rm {} {other}`, or publish another host port",
                other.sandbox, other.sandbox
            ));
        }
        port.id = self.model.last_port + 1;
        let id = port.id;
        self.model.last_port = id;
        ports.insert(id, port.into());
        Ok(id)
    }

    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }
}

/// The container's network namespace, once it is known and there.
fn inside<'f>(
    found: &'f Found,
    container: &facts::Container,
) -> Option<&'f adopted_links::Sandbox> {
    found.sandboxes.get(container.sandbox.as_ref()?)
}

fn is_of(endpoint: &Endpoint, id: &str) -> bool {
    endpoint.adopted.as_ref().is_some_and(|veth| veth.id == id)
}

fn is_container(sandbox: &Sandbox, id: &str) -> bool {
    sandbox
        .adopted
        .as_ref()
        .is_some_and(|container| container.id == id)
}

/// Whether flows of the one may go on as those of the other.
fn same_place(a: &Endpoint, b: &Endpoint) -> bool {
    (a.network, a.mac, a.addr, a.addr6) == (b.network, b.mac, b.addr, b.addr6)
}

/// A name that somebody else has, made another one.
fn with_id(name: &str, id: Option<&str>) -> String {
    let id = id.unwrap_or_default();
    format!("{name}-{}", id.get(..12).unwrap_or(id))
}

/// A network as the kernel has its bridge: the addresses there are what containers are told to be
/// the gateway, and what the host has.
fn network(fact: &facts::Network, id: &str, bridge: &Bridge) -> Result<Network, String> {
    let gateways = || {
        bridge
            .addresses
            .iter()
            .filter(|net| fact.subnets.contains(&net.trunc()))
    };
    let v4 = gateways().find_map(|net| match net {
        ipnet::IpNet::V4(net) => Some(subnet(net.addr(), net.trunc())),
        ipnet::IpNet::V6(_) => None,
    });
    let v6 = gateways().find_map(|net| match net {
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
        adopted: Some(adopted::Bridge {
            id: id.to_owned(),
            name: fact.bridge.clone(),
            ifindex: bridge.ifindex,
        }),
    })
}

fn subnet<F: Family>(gateway: F, subnet: F::Net) -> Subnet<F> {
    Subnet {
        subnet,
        gateway,
        ip_range: None,
    }
}
