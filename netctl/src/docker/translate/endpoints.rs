//! The Engine's containers as sandboxes with endpoints.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc};

use netctl_common::endpoint::slot;

use super::{Translation, is_of, with_id};
use crate::{
    docker::{
        facts::{self, Facts},
        read::compose,
    },
    kernel::adopted::{self as links, Found},
    model::{
        Endpoint, Netns, NetworkId, Sandbox,
        adopted::{self, Container},
    },
};

impl Translation<'_> {
    /// Names of the containers' sandboxes in the model, which go with the containers'.
    pub(super) fn sandboxes(&mut self, facts: &Facts) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (id, container) in &facts.containers {
            let sandboxes = &self.model.sandboxes;
            let known = sandboxes.values().find(|s| is_container(s, id));
            let before = known.and_then(|known| known.adopted.clone());
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
            let path = container
                .sandbox
                .clone()
                .or_else(|| self.joined_at(container));
            let (compose_of, rules) =
                before.map_or_else(Default::default, |known| (known.compose, known.rules));
            let sandbox = Sandbox {
                name: name.clone(),
                netns: Netns::Path {
                    path: path.unwrap_or_default(),
                    inode: inside(self.found, container).map_or(0, |sandbox| sandbox.inode),
                },
                adopted: Some(Container {
                    id: Some(id.clone()),
                    name: container.name.clone(),
                    compose: container.labels.as_ref().map_or(compose_of, compose),
                    rules,
                }),
            };
            let sandboxes = &mut self.model.sandboxes;
            if sandboxes.get(&name).is_none_or(|old| **old != sandbox) {
                sandboxes.insert(name.clone(), sandbox.into());
            }
            names.insert(id.clone(), name);
        }
        names
    }

    /// Where a container that is being started has its namespace, as the network driver was told: it
    /// may join more of the driver's networks, and is known by that then.
    fn joined_at(&self, container: &facts::Container) -> Option<PathBuf> {
        container.endpoints.iter().find_map(|fact| {
            let joined = self.model.joined(&fact.id)?;
            match &self.model.sandboxes.get(&joined.sandbox)?.netns {
                Netns::Path { path, .. } if !path.as_os_str().is_empty() => Some(path.clone()),
                Netns::Path { .. } | Netns::Named => None,
            }
        })
    }

    fn rename(&mut self, old: &str, new: &str) {
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

    /// The endpoint's number.
    pub(super) fn put_endpoint(
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
            None => fresh_veth(found, &self.starting, bridge, fact),
        };
        let Some((veth, ifindex)) = veth else {
            return Err(format!(
                "container {name:?} on network {:?} is not served: no port of the bridge leads into its network namespace; restart the container",
                of.name
            ));
        };
        let leads = |gateway: Option<IpAddr>| {
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
            driver: None,
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
        let meets = |other: &&Arc<Endpoint>| {
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
}

/// The veth of a container that is being started: by the MAC that its other end is given when it
/// moves into the container; before that the only one that can be meant, if there is one.
fn fresh_veth<'f>(
    found: &'f Found,
    starting: &[&facts::Endpoint],
    bridge: u32,
    fact: &facts::Endpoint,
) -> Option<&'f links::Veth> {
    let fresh = found.fresh.get(&bridge)?;
    if let Some((_, veth)) = fresh.iter().find(|(mac, _)| *mac == fact.mac) {
        return Some(veth);
    }
    let mut open = starting.iter().filter(|other| {
        other.network == fact.network && fresh.iter().all(|(mac, _)| *mac != other.mac)
    });
    match (fresh.as_slice(), open.next(), open.next()) {
        ([(_, veth)], Some(_), None) => Some(veth),
        _ => None,
    }
}

/// The container's network namespace, once it is known and there.
fn inside<'f>(found: &'f Found, container: &facts::Container) -> Option<&'f links::Sandbox> {
    found.sandboxes.get(container.sandbox.as_ref()?)
}

fn is_container(sandbox: &Sandbox, id: &str) -> bool {
    sandbox
        .adopted
        .as_ref()
        .is_some_and(|container| container.id.as_deref() == Some(id))
}

/// Whether flows of the one may go on as those of the other.
fn same_place(a: &Endpoint, b: &Endpoint) -> bool {
    (a.network, a.mac, a.addr, a.addr6) == (b.network, b.mac, b.addr, b.addr6)
}
