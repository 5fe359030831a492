//! A new endpoint: which address, MAC and name it gets.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, Ipv6Addr},
};

use netctl_common::{
    endpoint::{FLOOD_CHUNK, FLOOD_CHUNKS, slot},
    wire::Mac,
};

use super::{Error, Result, Service, adopt::own_network, error::no_network};
use crate::{
    kernel::names::endpoint_ifindex,
    model::{Endpoint, EndpointId, Model, Network, Subnet, family::Family, ipam, mac},
};

/// Endpoints that one network has room for.
const MAX_MEMBERS: usize = FLOOD_CHUNK * FLOOD_CHUNKS as usize;

/// What is asked for by name; the rest is chosen.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted<'r> {
    pub(super) ip: Option<&'r str>,
    pub(super) ip6: Option<&'r str>,
    pub(super) mac: Option<&'r str>,
}

/// What somebody has in a network.
#[derive(Clone, Copy)]
pub(super) struct Held<'m> {
    /// For a person.
    pub(super) owner: &'m str,
    pub(super) mac: Mac,
    pub(super) addr: Option<Ipv4Addr>,
    pub(super) addr6: Option<Ipv6Addr>,
}

impl Service {
    /// Adds an endpoint to the model.
    pub(super) fn add_endpoint(
        &self,
        model: &mut Model,
        ns: &str,
        network: &str,
        wanted: Wanted<'_>,
    ) -> Result<()> {
        let net = model
            .network_named(network)
            .ok_or_else(|| no_network(network))?;
        own_network(net)?;
        let members = model.endpoints.values().filter(|e| e.network == net.id);
        let members: Vec<Held<'_>> = members
            .map(|e| Held {
                owner: &e.sandbox,
                mac: e.mac,
                addr: e.addr,
                addr6: e.addr6,
            })
            .collect();
        if members.iter().any(|e| e.owner == ns) {
            return Err(Error::Conflict(format!(
                "namespace {ns:?} is connected to network {network:?} already; disconnect it first to change its address"
            )));
        }
        self.check_room(model, ns)?;
        let (mac, addr, addr6) = choose(net, &members, wanted)?;
        let names: HashSet<&str> = model
            .endpoints
            .values()
            .filter(|e| e.sandbox == ns)
            .map(|e| e.ifname.as_str())
            .collect();
        let ifname = (0..)
            .map(|n| format!("eth{n}"))
            .find(|name| !names.contains(name.as_str()))
            .unwrap_or_default();
        let network = net.id;
        let id = next_number(model);
        let endpoint = Endpoint {
            id,
            network,
            sandbox: ns.to_owned(),
            ifname,
            mac,
            addr,
            addr6,
            driver: None,
            adopted: None,
        };
        model.endpoints.insert(id, endpoint.into());
        Ok(())
    }

    /// Refuses one more endpoint than fit.
    pub(super) fn check_room(&self, model: &Model, ns: &str) -> Result<()> {
        if model.endpoints.len() < self.options.max_endpoints as usize {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "namespace {ns:?}: there are {} endpoints, as many as datapath.max_endpoints allows; raise it in the configuration and start the daemon again",
            model.endpoints.len()
        )))
    }
}

/// Takes the next number of an endpoint.
pub(super) fn next_number(model: &mut Model) -> EndpointId {
    let slot = |id| slot(endpoint_ifindex(id));
    let taken: HashSet<u32> = model.endpoints.keys().map(|id| slot(*id)).collect();
    let mut id = model.last_endpoint + 1;
    // Ends: max_endpoints is at most the number of slots, and one more endpoint fits.
    while taken.contains(&slot(id)) {
        id += 1;
    }
    model.last_endpoint = id;
    id
}

/// MAC and addresses of one more member of a network: as wanted, or free ones.
pub(super) fn choose(
    net: &Network,
    members: &[Held<'_>],
    wanted: Wanted<'_>,
) -> Result<(Mac, Option<Ipv4Addr>, Option<Ipv6Addr>)> {
    let network = &net.name;
    if members.len() >= MAX_MEMBERS {
        return Err(Error::Conflict(format!(
            "network {network:?} has {MAX_MEMBERS} members, which is all that fit; make a further network"
        )));
    }
    let addr = address(net, net.ipv4.as_ref(), members, wanted.ip, |e| e.addr)?;
    let addr6 = address(net, net.ipv6.as_ref(), members, wanted.ip6, |e| e.addr6)?;
    let taken = |mac| mac == net.mac || members.iter().any(|e| e.mac == mac);
    let mac = match (wanted.mac, addr, addr6) {
        (Some(text), ..) => wanted_mac(net, members, text)?,
        (None, Some(addr), _) => ipam::mac_of(addr),
        (None, None, Some(addr6)) => ipam::mac_of_v6(addr6, taken),
        (None, None, None) => {
            return Err(Error::Failed(format!(
                "network {network:?} has no addresses of any family; remove it"
            )));
        }
    };
    Ok((mac, addr, addr6))
}

/// An address of one family, if the network has that.
fn address<F: Family>(
    network: &Network,
    subnet: Option<&Subnet<F>>,
    members: &[Held<'_>],
    wanted: Option<&str>,
    of: impl Fn(&Held<'_>) -> Option<F>,
) -> Result<Option<F>> {
    let name = &network.name;
    let Some(subnet) = subnet else {
        return match wanted {
            None => Ok(None),
            Some(text) => Err(Error::Invalid(format!(
                "address {text:?}: network {name:?} has no {}; leave it out",
                F::NAME
            ))),
        };
    };
    let Some(text) = wanted else {
        let taken = members.iter().filter_map(&of).collect();
        let free = ipam::free_address(subnet, &taken).ok_or_else(|| {
            let range = subnet.ip_range.unwrap_or(subnet.subnet);
            Error::Conflict(format!(
                "network {name:?} has no free address left in {range}; remove a member, or make a larger network"
            ))
        });
        return free.map(Some);
    };
    let addr = ipam::parse_address::<F>(text)?;
    ipam::check_address(addr, &subnet.subnet)?;
    if addr == subnet.gateway {
        return Err(Error::Conflict(format!(
            "address {addr} is the gateway of network {name:?}; choose another, or leave it out to get a free one"
        )));
    }
    match members.iter().find(|e| of(e) == Some(addr)) {
        None => Ok(Some(addr)),
        Some(other) => Err(Error::Conflict(format!(
            "address {addr} of network {name:?} is taken by namespace {:?}; choose another, or leave it out to get a free one",
            other.owner
        ))),
    }
}

fn wanted_mac(network: &Network, members: &[Held<'_>], text: &str) -> Result<Mac> {
    let Some(mac) = mac::parse(text) else {
        return Err(Error::Invalid(format!(
            "mac {text:?} is not a MAC address; write for example 02:00:00:00:00:01"
        )));
    };
    if mac.is_group() || mac == Mac([0; 6]) {
        return Err(Error::Invalid(format!(
            "mac {mac} is a multicast or zero address, which no interface can have; choose one such as 02:00:00:00:00:01"
        )));
    }
    let owner = match members.iter().find(|e| e.mac == mac) {
        Some(other) => format!("namespace {:?}", other.owner),
        None if mac == network.mac => "the gateway".to_owned(),
        None => return Ok(mac),
    };
    Err(Error::Conflict(format!(
        "mac {mac} of network {:?} is taken by {owner}; choose another, or leave it out",
        network.name
    )))
}
