//! The host as netlink shows it: uplinks, addresses, routes.

use std::{collections::BTreeMap, io, net::Ipv4Addr};

use netctl_common::wire::Mac;

use super::{
    names::OurLink,
    netlink::{Netlink, address::Address, link::Link, route::Route},
};
use crate::view;

/// What lowering needs of the host; changes whenever somebody changes the host's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// What front ends see of it.
    pub view: view::Host,
    /// MACs of the uplinks, by interface index.
    pub macs: BTreeMap<u32, Mac>,
    /// The host's addresses outside of 127/8 and of our own anchors.
    pub local: BTreeMap<Ipv4Addr, u32>,
    /// Interfaces that cannot be uplinks, and names that are not there.
    pub warnings: Vec<String>,
}

impl Host {
    /// Reads links, addresses and routes. `only`: names of the uplinks; empty for all.
    pub fn read(netlink: &mut Netlink, only: &[String]) -> io::Result<Self> {
        let links = netlink.links()?;
        let addresses = netlink.addresses()?;
        let routes = netlink.routes()?;
        Ok(Self::from_parts(&links, &addresses, &routes, only))
    }

    fn from_parts(
        links: &[Link],
        addresses: &[Address],
        routes: &[Route],
        only: &[String],
    ) -> Self {
        let mut host = Self::default();
        let is_ours = |index: u32| OurLink::from_ifindex(index).is_some();
        let defaults = default_routes(routes);
        host.view.default_uplink = defaults.first().and_then(|route| route.index);
        for link in links {
            if link.loopback || OurLink::of(link.index, &link.name).is_some() {
                continue;
            }
            if !only.is_empty() && !only.contains(&link.name) {
                continue;
            }
            // Of a bond or a bridge only the whole is an uplink: programs on a member would see
            // its packets first and pin flows to the member.
            if only.is_empty() && link.has_master {
                continue;
            }
            match link.mac.filter(|_| link.ethernet) {
                Some(mac) => {
                    host.macs.insert(link.index, mac);
                    let gateway = defaults
                        .iter()
                        .find(|route| route.index == Some(link.index))
                        .and_then(|route| route.gateway);
                    let uplink = view::Uplink {
                        name: link.name.clone(),
                        mtu: link.mtu,
                        mac: mac.to_string(),
                        address: source_address(addresses, link.index, gateway),
                    };
                    host.view.uplinks.insert(link.index, uplink);
                }
                None => host.warnings.push(format!(
                    "{} is no uplink: it has no Ethernet header",
                    link.name
                )),
            }
        }
        for name in only {
            if !links.iter().any(|link| link.name == *name) {
                host.warnings
                    .push(format!("uplink {name} is not there (yet)"));
            }
        }
        for address in addresses {
            host.view.addresses.insert(address.addr, address.index);
            if !address.addr.is_loopback() && !is_ours(address.index) {
                host.local.insert(address.addr, address.index);
            }
        }
        host.view.routes = routes
            .iter()
            .filter(|route| route.destination.prefix_len() != 0)
            .filter(|route| !route.index.is_some_and(is_ours))
            .map(|route| route.destination)
            .collect();
        host.view.routes.sort_unstable();
        host.view.routes.dedup();
        host
    }

    /// MTU for networks that have none of their own: what passes every uplink in use, which is
    /// one with an address.
    pub fn mtu(&self) -> u32 {
        let all = || self.view.uplinks.values();
        let used = all().filter(|uplink| uplink.address.is_some());
        let smallest = used.map(|uplink| uplink.mtu).min();
        smallest
            .or_else(|| all().map(|uplink| uplink.mtu).min())
            .unwrap_or(1500)
    }
}

/// The main table's default routes, the preferred one first.
fn default_routes(routes: &[Route]) -> Vec<&Route> {
    let mut found: Vec<_> = routes
        .iter()
        .filter(|route| route.main_table && route.destination.prefix_len() == 0)
        .collect();
    found.sort_by_key(|route| route.metric);
    found
}

/// The address that masqueraded flows take: the one in the gateway's subnet, else the primary
/// global one, as the kernel would choose.
fn source_address(
    addresses: &[Address],
    index: u32,
    gateway: Option<Ipv4Addr>,
) -> Option<Ipv4Addr> {
    let candidates = || addresses.iter().filter(|a| a.index == index && a.global);
    let beside_gateway = gateway.and_then(|gateway| {
        candidates().find(|a| {
            ipnet::Ipv4Net::new(a.addr, a.prefix).is_ok_and(|subnet| subnet.contains(&gateway))
        })
    });
    beside_gateway
        .or_else(|| candidates().find(|a| !a.secondary))
        .or_else(|| candidates().next())
        .map(|a| a.addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(index: u32, addr: [u8; 4], prefix: u8) -> Address {
        Address {
            index,
            addr: addr.into(),
            prefix,
            global: true,
            secondary: false,
        }
    }

    #[test]
    fn masquerade_takes_the_address_beside_the_gateway() {
        let addresses = [
            address(2, [10, 0, 0, 5], 24),
            address(2, [10, 9, 0, 5], 24),
            address(3, [10, 8, 0, 5], 24),
        ];
        let of = |gateway: Option<[u8; 4]>| source_address(&addresses, 2, gateway.map(Into::into));
        assert_eq!(of(Some([10, 9, 0, 1])), Some([10, 9, 0, 5].into()));
        assert_eq!(of(Some([10, 7, 0, 1])), Some([10, 0, 0, 5].into()));
        assert_eq!(of(None), Some([10, 0, 0, 5].into()));
        assert_eq!(source_address(&addresses, 9, None), None);
    }

    #[test]
    fn loopback_and_our_links_are_no_uplinks() {
        let ours = OurLink::Anchor(1);
        let link = |index, name: &str, ethernet, loopback| Link {
            index,
            name: name.into(),
            ethernet,
            loopback,
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            mtu: 1400,
            ..Link::default()
        };
        let idle = Link {
            mtu: 1280,
            ..link(4, "eth1", true, false)
        };
        let links = [
            link(1, "lo", false, true),
            link(2, "eth0", true, false),
            idle,
            link(3, "tun0", false, false),
            link(ours.ifindex(), &ours.name(), true, false),
        ];
        let addresses = [
            address(1, [127, 0, 0, 1], 8),
            address(2, [10, 0, 0, 5], 24),
            address(ours.ifindex(), [10, 1, 0, 1], 24),
        ];
        let host = Host::from_parts(&links, &addresses, &[], &[]);
        assert_eq!(host.view.uplinks.keys().collect::<Vec<_>>(), [&2, &4]);
        assert_eq!(host.mtu(), 1400, "not that of an interface without address");
        assert_eq!(host.warnings.len(), 1, "{:?}", host.warnings);
        assert_eq!(host.local.len(), 1, "neither 127/8 nor our gateways");
        assert_eq!(host.view.addresses.len(), 3);
        let host = Host::from_parts(&links, &addresses, &[], &["wan0".into()]);
        assert!(host.view.uplinks.is_empty());
        assert_eq!(host.warnings, ["uplink wan0 is not there (yet)"]);
    }
}
