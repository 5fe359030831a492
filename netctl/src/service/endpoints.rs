//! A new endpoint: which address, MAC and name it gets.

use std::{collections::HashSet, sync::Arc};

use netctl_common::{
    endpoint::{FLOOD_CHUNK, FLOOD_CHUNKS, slot},
    wire::Mac,
};

use super::{Error, Result, Service, adopt::own_network, error::no_network};
use crate::{
    kernel::names::endpoint_ifindex,
    model::{Endpoint, Model, Network, Subnet, family::Family, ipam, mac},
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
        let members: Vec<&Endpoint> = model
            .endpoints
            .values()
            .map(Arc::as_ref)
            .filter(|e| e.network == net.id)
            .collect();
        if members.iter().any(|e| e.sandbox == ns) {
            return Err(Error::Conflict(format!(
                "namespace {ns:?} is connected to network {network:?} already; disconnect it first to change its address"
            )));
        }
        if members.len() >= MAX_MEMBERS {
            return Err(Error::Conflict(format!(
                "network {network:?} has {MAX_MEMBERS} members, which is all that fit; make a further network"
            )));
        }
        if model.endpoints.len() >= self.options.max_endpoints as usize {
            return Err(Error::Conflict(format!(
                "namespace {ns:?}: there are {} endpoints, as many as datapath.max_endpoints allows; raise it in the configuration and start the daemon again",
                model.endpoints.len()
            )));
        }
        let addr = address(net, net.ipv4.as_ref(), &members, wanted.ip, |e| e.addr)?;
        let addr6 = address(net, net.ipv6.as_ref(), &members, wanted.ip6, |e| e.addr6)?;
        let taken = |mac| mac == net.mac || members.iter().any(|e| e.mac == mac);
        let mac = match (wanted.mac, addr, addr6) {
            (Some(text), ..) => wanted_mac(net, &members, text)?,
            (None, Some(addr), _) => ipam::mac_of(addr),
            (None, None, Some(addr6)) => ipam::mac_of_v6(addr6, taken),
            (None, None, None) => {
                return Err(Error::Failed(format!(
                    "network {network:?} has no addresses of any family; remove it"
                )));
            }
        };
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
        let slot = |id| slot(endpoint_ifindex(id));
        let taken: HashSet<u32> = model.endpoints.keys().map(|id| slot(*id)).collect();
        let mut id = model.last_endpoint + 1;
        // Ends: max_endpoints is at most the number of slots, and one more endpoint fits.
        while taken.contains(&slot(id)) {
            id += 1;
        }
        let endpoint = Endpoint {
            id,
            network,
            sandbox: ns.to_owned(),
            ifname,
            mac,
            addr,
            addr6,
            adopted: None,
        };
        model.last_endpoint = id;
        model.endpoints.insert(id, endpoint.into());
        Ok(())
    }
}

/// An address of one family, if the network has that.
fn address<F: Family>(
    network: &Network,
    subnet: Option<&Subnet<F>>,
    members: &[&Endpoint],
    wanted: Option<&str>,
    of: impl Fn(&Endpoint) -> Option<F>,
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
        let taken = members.iter().filter_map(|e| of(e)).collect();
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
            other.sandbox
        ))),
    }
}

fn wanted_mac(network: &Network, members: &[&Endpoint], text: &str) -> Result<Mac> {
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
        Some(other) => format!("namespace {:?}", other.sandbox),
        None if mac == network.mac => "the gateway".to_owned(),
        None => return Ok(mac),
    };
    Err(Error::Conflict(format!(
        "mac {mac} of network {:?} is taken by {owner}; choose another, or leave it out",
        network.name
    )))
}
