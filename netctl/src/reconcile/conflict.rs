//! Subnets of ours that the host has come to use as well: an uplink that was renumbered, a route
//! of a VPN (RFC 4787, REQ-7). A new network is refused then; one that is there can only be told
//! of, since nothing says which of the two should go.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    kernel::names::OurLink,
    model::{Model, ipam},
    view::Host,
};

/// What stands in each other's way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conflicts {
    /// The host has an address in a subnet, or a route to a part of it: packets take the wrong way.
    pub(super) failures: Vec<String>,
    /// A route that is wider than a subnet: what it leads to is only out of the containers' reach.
    pub(super) warnings: Vec<String>,
}

/// Of what is wanted and the host as it is.
pub(super) fn find(model: &Model, host: &Host) -> Conflicts {
    let mut found = Conflicts::default();
    let adopted = model.adopted_bridges();
    let is_ours = |index: u32| OurLink::from_ifindex(index).is_some() || adopted.contains(&index);
    for network in model.networks.values() {
        for subnet in network.subnets() {
            let name = &network.name;
            let inside = |addr: &IpAddr| subnet.contains(addr);
            let foreign = host.addresses.iter();
            let foreign = foreign.filter(|(_, index)| !is_ours(**index));
            for (addr, index) in foreign.filter(|(addr, _)| inside(addr)) {
                let holder = host.uplinks.get(index);
                let holder = holder.map_or("another interface", |uplink| &uplink.name);
                found.failures.push(format!(
                    "address {addr} of {holder} is in the subnet {subnet} of network {name:?}: what is sent to it or from it may be dropped or reach a container; renumber one of the two"
                ));
            }
            for route in host.routes.iter().filter(|r| ipam::overlap_any(r, &subnet)) {
                if is_part(route, &subnet) {
                    found.failures.push(format!(
                        "the host's route to {route} leads away from the subnet {subnet} of network {name:?}: its containers may be out of reach; remove the route, or give the network another subnet"
                    ));
                } else {
                    found.warnings.push(format!(
                        "the host's route to {route} covers the subnet {subnet} of network {name:?}: containers do not reach what that route leads to there"
                    ));
                }
            }
        }
    }
    found
}

/// Whether every address of a net is one of the other, which overlaps it.
fn is_part(net: &IpNet, of: &IpNet) -> bool {
    net.prefix_len() >= of.prefix_len()
}
