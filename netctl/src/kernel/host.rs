//! The host as netlink shows it: uplinks, addresses, routes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;
use netctl_common::{host::MAX_ONLINK, wire::Mac};

use super::{
    names::{self, OurLink},
    netlink::{
        Netlink,
        address::Address,
        link::{Frame, Kind, Link, Xdp, XdpPlace},
        route::Route,
    },
};
use crate::{config::XdpMode, view};

/// What lowering needs of the host; changes whenever somebody changes the host's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// What front ends see of it.
    pub view: view::Host,
    /// Uplinks that are bridges of another container engine, by interface index.
    pub isolated: BTreeSet<u32>,
    /// MACs of the uplinks that have one, by interface index.
    pub macs: BTreeMap<u32, Mac>,
    /// The host's addresses outside of 127/8, ::1, fe80::/10 and of our own anchors.
    pub local: BTreeMap<IpAddr, u32>,
    /// What has the XDP hook of an uplink with Ethernet frames; none: nothing has.
    pub xdp: BTreeMap<u32, XdpHolder>,
    /// On which uplinks the operator wants XDP programs of ours.
    pub xdp_mode: XdpMode,
    /// Uplinks that are veths.
    pub veths: BTreeSet<u32>,
    /// Parts of uplinks (a bond's, a bridge's): a native XDP program of the whole runs on each of
    /// them, and is told that one's index (of bonds from 5.15 on).
    pub parts: BTreeMap<u32, Vec<u32>>,
    /// Interfaces that carry a VLAN which is an uplink itself, and its name.
    pub carriers: BTreeMap<u32, String>,
    /// Uplinks by the destinations that are on their link, and by 0.0.0.0/0 and ::/0: for kernels
    /// whose `bpf_fib_lookup` tells the next hop alone.
    pub onlink: BTreeMap<IpNet, u32>,
    /// Interfaces that cannot be uplinks, names that are not there, routes that there is no room
    /// for.
    pub warnings: Vec<String>,
}

/// The bridge by which containers of Swarm's networks reach the outside.
const SWARM: &str = "docker_gwbridge";

/// Whose XDP program an uplink has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpHolder {
    /// Ours, and where it runs.
    Ours(XdpPlace),
    /// Somebody else's, by its number.
    Other(u32),
}

/// Which interfaces are uplinks.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Names of the uplinks; empty for all that may be.
    pub only: &'a [String],
    /// Indexes of bridges that belong to networks of ours.
    pub adopted: &'a BTreeSet<u32>,
    /// Names of bridges that belong to other networks of Docker's.
    pub others: &'a BTreeMap<String, Arc<String>>,
    /// Leave out what Docker makes, also before it is known to be adopted.
    pub no_docker: bool,
    /// Numbers of our XDP programs by interface.
    pub xdp: &'a BTreeMap<u32, u32>,
}

impl Host {
    /// Reads links, addresses and routes.
    pub fn read(netlink: &mut Netlink, choice: Choice<'_>) -> io::Result<Self> {
        let links = netlink.links()?;
        let addresses = netlink.addresses()?;
        let routes = netlink.routes()?;
        Ok(Self::from_parts(&links, &addresses, &routes, choice))
    }

    fn from_parts(
        links: &[Link],
        addresses: &[Address],
        routes: &[Route],
        choice: Choice<'_>,
    ) -> Self {
        let mut host = Self::default();
        let Choice { only, adopted, .. } = choice;
        let is_ours =
            |index: u32| OurLink::from_ifindex(index).is_some() || adopted.contains(&index);
        let defaults = default_routes(routes);
        let first = |test: fn(&IpAddr) -> bool| {
            let mut of_family = defaults.iter().filter(|r| test(&r.destination.addr()));
            of_family.next().and_then(|route| route.index)
        };
        host.view.default_uplink = first(IpAddr::is_ipv4);
        host.view.default_uplink6 = first(IpAddr::is_ipv6);
        for link in links {
            let named = only.contains(&link.name);
            let others = adopted.contains(&link.index) || choice.no_docker && is_dockers(link);
            if !(named || only.is_empty()) || others || !may_be_uplink(link, named) {
                continue;
            }
            let mac = match (link.frame, link.mac) {
                (Frame::Ethernet, Some(mac)) => Some(mac),
                (Frame::Ip, _) => None,
                (Frame::Ethernet, None) | (Frame::Other, _) => {
                    host.warnings.push(format!(
                        "{} is no uplink: its frames are neither Ethernet's nor plain IP packets",
                        link.name
                    ));
                    continue;
                }
            };
            // Whom the administrator calls an uplink is one.
            let is_other =
                is_dockers(link) || link.name == SWARM || choice.others.contains_key(&link.name);
            if !named && link.kind == Kind::Bridge && is_other {
                host.isolated.insert(link.index);
            }
            host.macs.extend(mac.map(|mac| (link.index, mac)));
            let holder = |found: Xdp| match choice.xdp.get(&link.index) {
                Some(ours) if *ours == found.program => XdpHolder::Ours(found.place),
                _ => XdpHolder::Other(found.program),
            };
            let holder = link.xdp.map(|found| (link.index, holder(found)));
            host.xdp.extend(holder);
            let own = |a: &&Address| a.index == link.index;
            let own: Vec<&Address> = addresses.iter().filter(own).collect();
            let mut gateways = defaults
                .iter()
                .filter(|route| route.index == Some(link.index));
            let gateway4 = gateways.find_map(|route| match route.gateway {
                Some(IpAddr::V4(gateway)) => Some(gateway),
                _ => None,
            });
            let uplink = view::Uplink {
                name: link.name.clone(),
                mtu: link.mtu,
                mac: mac.map(|mac| mac.to_string()),
                address: source_address4(&own, gateway4),
                address6: source_address6(&own),
            };
            host.view.uplinks.insert(link.index, uplink);
            if link.kind == Kind::Veth {
                host.veths.insert(link.index);
            }
            if let (Kind::Vlan, None, Some(carrier)) = (link.kind, link.peer_netns, link.peer) {
                host.carriers.insert(carrier, link.name.clone());
            }
        }
        for part in links {
            let whole = part.master.filter(|m| host.view.uplinks.contains_key(m));
            if let Some(whole) = whole {
                host.parts.entry(whole).or_default().push(part.index);
            }
        }
        for name in only {
            if !links.iter().any(|link| link.name == *name) {
                host.warnings
                    .push(format!("uplink {name} is not there (yet)"));
            }
        }
        host.onlink = onlink(routes, |index| host.view.uplinks.contains_key(&index));
        for (family, kept) in [
            ("IPv4", IpAddr::is_ipv4 as fn(&IpAddr) -> bool),
            ("IPv6", IpAddr::is_ipv6),
        ] {
            host.warnings
                .extend(leave_out(&mut host.onlink, family, kept));
        }
        for address in addresses.iter().filter(|a| !is_link_local(a.addr())) {
            host.view.addresses.insert(address.addr(), address.index);
            if !address.addr().is_loopback() && !address.tentative && !is_ours(address.index) {
                host.local.insert(address.addr(), address.index);
            }
        }
        host.view.routes = routes
            .iter()
            .filter(|route| route.destination.prefix_len() != 0)
            .filter(|route| !route.index.is_some_and(is_ours))
            .map(|route| route.destination)
            .filter(|destination| !is_link_local(destination.addr()))
            .collect();
        host.view.routes.sort_unstable();
        host.view.routes.dedup();
        host
    }
}

/// Whether an interface leads outside; `named`: the administrator says so.
fn may_be_uplink(link: &Link, named: bool) -> bool {
    let ours = OurLink::of(link.index, &link.name).is_some() || names::is_inside(link.index);
    if link.loopback || ours {
        return false;
    }
    // Of a bond or a bridge only the whole is an uplink: programs on a member would see its
    // packets first and pin flows to the member.
    let part = link.master.is_some();
    // Modules of tunnels make an interface in every namespace that nobody asked for (sit0, gre0).
    let idle = link.frame == Frame::Ip && !link.up;
    named || !(part || idle)
}

/// By the names that Docker's bridge driver gives (libnetwork, drivers/bridge): a bridge is there
/// before the Engine tells of its network, and a veth's ends are before they have a bridge.
fn is_dockers(link: &Link) -> bool {
    let made = |prefix: &str, digits: usize| {
        let rest = link.name.strip_prefix(prefix);
        rest.is_some_and(|hex| hex.len() == digits && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    match link.kind {
        Kind::Bridge => link.name == "docker0" || made("br-", 12),
        Kind::Veth => made("veth", 7),
        Kind::Vlan | Kind::Other => false,
    }
}

/// fe80::/10 only: 169.254.0.0/16 is an ordinary subnet in clouds.
fn is_link_local(addr: IpAddr) -> bool {
    matches!(addr, IpAddr::V6(addr) if addr.is_unicast_link_local())
}

/// The main table's default routes, the preferred ones first.
fn default_routes(routes: &[Route]) -> Vec<&Route> {
    let mut found: Vec<_> = routes
        .iter()
        .filter(|route| route.main_table && route.destination.prefix_len() == 0)
        .collect();
    found.sort_by_key(|route| route.metric);
    found
}

/// Destinations that are reached by an uplink without a gateway, and the default route: of several
/// to one destination the preferred one. Link-local ones are on every link.
fn onlink(routes: &[Route], is_uplink: impl Fn(u32) -> bool) -> BTreeMap<IpNet, u32> {
    let mut found: Vec<_> = routes
        .iter()
        .filter(|route| route.main_table && !is_link_local(route.destination.addr()))
        .filter(|route| route.gateway.is_none() || route.destination.prefix_len() == 0)
        .filter_map(|route| Some((route, route.index.filter(|index| is_uplink(*index))?)))
        .collect();
    // The last one of a destination stays.
    found.sort_by_key(|(route, _)| Reverse(route.metric));
    let by_destination = found.into_iter();
    by_destination
        .map(|(route, index)| (route.destination.trunc(), index))
        .collect()
}

/// Keeps the largest destinations of a family for which there is room.
fn leave_out(
    onlink: &mut BTreeMap<IpNet, u32>,
    family: &str,
    is_of_family: impl Fn(&IpAddr) -> bool,
) -> Option<String> {
    let of_family = onlink.keys().filter(|net| is_of_family(&net.addr()));
    let mut all: Vec<IpNet> = of_family.copied().collect();
    all.sort_by_key(IpNet::prefix_len);
    let more = all.split_off(all.len().min(MAX_ONLINK as usize));
    let last = more.last()?;
    let warning = format!(
        "{} {family} routes without a gateway ({last} and others) are left out: {MAX_ONLINK} are looked at where the kernel (before 5.12) does not tell the interface of a neighbour that it has not met yet",
        more.len()
    );
    for net in more {
        onlink.remove(&net);
    }
    Some(warning)
}

/// The IPv4 address that masqueraded flows take: the one in the gateway's subnet, else the
/// primary global one, as the kernel would choose.
fn source_address4(addresses: &[&Address], gateway: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
    let candidates = || {
        addresses.iter().filter_map(|a| match a.addr() {
            IpAddr::V4(addr) if a.global => Some((addr, a)),
            _ => None,
        })
    };
    let beside_gateway = gateway.and_then(|gateway| {
        let gateway = IpAddr::V4(gateway);
        candidates().find(|(_, a)| a.net.contains(&gateway))
    });
    beside_gateway
        .or_else(|| candidates().find(|(_, a)| !a.secondary))
        .or_else(|| candidates().next())
        .map(|(addr, _)| addr)
}

/// The IPv6 address that masqueraded flows take: of those that may be used at all the one that
/// serves longest and reaches farthest. Preferred before deprecated, global before unique local
/// (RFC 4193), lasting before temporary.
fn source_address6(addresses: &[&Address]) -> Option<Ipv6Addr> {
    let candidates = addresses.iter().filter_map(|a| match a.addr() {
        IpAddr::V6(addr) if a.global && !a.tentative => Some((addr, a)),
        _ => None,
    });
    // Of equal ones the first, as the kernel lists them.
    let best = candidates
        .rev()
        .max_by_key(|(addr, a)| Reverse((a.deprecated, addr.is_unique_local(), a.secondary)));
    best.map(|(addr, _)| addr)
}

#[cfg(test)]
mod tests;
