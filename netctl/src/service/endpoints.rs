//! A new endpoint: which address, MAC and name it gets.

use std::{collections::HashSet, net::Ipv4Addr, sync::Arc};

use netctl_common::{
    endpoint::{FLOOD_CHUNK, FLOOD_CHUNKS, slot},
    wire::Mac,
};

use super::{Error, Result, Service, error::no_network};
use crate::{
    kernel::names::endpoint_ifindex,
    model::{Endpoint, Model, Network, ipam, mac},
};

/// Endpoints that one network has room for.
const MAX_MEMBERS: usize = FLOOD_CHUNK * FLOOD_CHUNKS as usize;

impl Service {
    /// Adds an endpoint to the model.
    pub(super) fn add_endpoint(
        &self,
        model: &mut Model,
        ns: &str,
        network: &str,
        ip: Option<&str>,
        mac: Option<&str>,
    ) -> Result<()> {
        let net = model
            .network_named(network)
            .ok_or_else(|| no_network(network))?;
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
        let addr = address(net, &members, ip)?;
        let mac = match mac {
            None => ipam::mac_of(addr),
            Some(text) => wanted_mac(net, &members, text)?,
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
        };
        model.last_endpoint = id;
        model.endpoints.insert(id, endpoint.into());
        Ok(())
    }
}

fn address(network: &Network, members: &[&Endpoint], ip: Option<&str>) -> Result<Ipv4Addr> {
    let Network {
        name,
        subnet,
        gateway,
        ..
    } = network;
    let Some(text) = ip else {
        let taken = members.iter().map(|e| e.addr).collect();
        return ipam::free_address(network, &taken).ok_or_else(|| {
            let range = network.ip_range.unwrap_or(*subnet);
            Error::Conflict(format!(
                "network {name:?} has no free address left in {range}; remove a member, or make a larger network"
            ))
        });
    };
    let addr = ipam::parse_address(text)?;
    ipam::check_address(addr, *subnet)?;
    if addr == *gateway {
        return Err(Error::Conflict(format!(
            "address {addr} is the gateway of network {name:?}; choose another, or leave it out to get a free one"
        )));
    }
    match members.iter().find(|e| e.addr == addr) {
        None => Ok(addr),
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
