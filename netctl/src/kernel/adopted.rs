//! Bridges and veths of others, as the kernel shows them: what adopted networks and endpoints are
//! served on.
//!
//! A container's veth is told by the network namespace of its other end, which nobody inside can
//! change, and not by MAC or name: a container with CAP_NET_ADMIN could give itself another's.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    net::IpAddr,
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::PathBuf,
};

use futures_util::{FutureExt as _, StreamExt as _, stream, stream::Stream};
use ipnet::IpNet;
use netctl_common::wire::Mac;
use rtnetlink::{MulticastGroup, new_multicast_connection};

use super::{
    names::OurLink,
    netlink::{
        Netlink,
        link::{Kind, Link},
    },
    netns,
};
use crate::model::EndpointId;

/// A bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    pub ifindex: u32,
    pub mac: Mac,
    pub mtu: u32,
    /// Routes IPv4 for what comes in by it.
    pub forwarding: bool,
    pub addresses: Vec<IpNet>,
}

/// Name and index of a veth's host side.
pub type Veth = (String, u32);

/// A network namespace that containers live in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    pub inode: u64,
    /// Host sides, by the index of the bridge that they are ports of.
    pub veths: BTreeMap<u32, Veth>,
    /// Gateways of the default routes inside, where they were asked for.
    pub gateways: BTreeSet<IpAddr>,
}

/// What there is of what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// By name.
    pub bridges: BTreeMap<String, Bridge>,
    /// By path.
    pub sandboxes: BTreeMap<PathBuf, Sandbox>,
    /// By path: which endpoints of ours lead into a network namespace.
    pub driven: BTreeMap<PathBuf, BTreeSet<EndpointId>>,
    /// Veths that lead into none of these sandboxes, by the index of their bridge: the MAC of
    /// their other end.
    pub fresh: BTreeMap<u32, Vec<(Mac, Veth)>>,
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By name.
    pub bridges: BTreeSet<String>,
    /// By path; `true` asks for the routes inside.
    pub sandboxes: BTreeMap<PathBuf, bool>,
    /// Network namespaces, by path, that veths of ours were moved into.
    pub driven: BTreeSet<PathBuf>,
    /// Whether veths matter that lead into no sandbox yet: nobody inside can have changed the MAC
    /// of one that is just being made.
    pub fresh: bool,
}

/// Looks. What is not there is left out.
pub fn look(wanted: &Wanted) -> io::Result<Found> {
    let Wanted {
        bridges,
        sandboxes,
        driven,
        fresh,
    } = wanted;
    let mut netlink = Netlink::open()?;
    let links = netlink.links()?;
    let addresses = netlink.addresses()?;
    let mut found = Found::default();
    for link in links.iter().filter(|link| is_bridge(link)) {
        if let (true, Some(mac)) = (bridges.contains(&link.name), link.mac) {
            let own = addresses.iter().filter(|a| a.index == link.index);
            let bridge = Bridge {
                ifindex: link.index,
                mac,
                mtu: link.mtu,
                forwarding: link.forwarding,
                addresses: own.map(|address| address.net).collect(),
            };
            found.bridges.insert(link.name.clone(), bridge);
        }
    }
    let veths = || links.iter().filter(|link| link.kind == Kind::Veth);
    let mut leading: HashMap<i32, Vec<&Link>> = HashMap::new();
    for link in veths() {
        if let Some(number) = link.peer_netns {
            leading.entry(number).or_default().push(link);
        }
    }
    let mut taken = BTreeSet::new();
    for path in sandboxes.keys() {
        // One that has ended meanwhile has nothing to serve.
        let Ok(netns) = netns::open(path) else {
            continue;
        };
        let Some(number) = netlink.netns_number(netns.as_fd())? else {
            continue;
        };
        taken.insert(number);
        let ports = leading.get(&number).into_iter().flatten();
        let sandbox = Sandbox {
            inode: netns.metadata()?.ino(),
            veths: ports
                .filter_map(|link| Some((link.master?, (link.name.clone(), link.index))))
                .collect(),
            gateways: BTreeSet::new(),
        };
        found.sandboxes.insert(path.clone(), sandbox);
    }
    for path in driven {
        let Ok(netns) = netns::open(path) else {
            continue;
        };
        // Without a number nothing of the host's leads there.
        let number = netlink.netns_number(netns.as_fd())?;
        let lead = number.and_then(|number| leading.get(&number));
        let ours = lead.into_iter().flatten().filter_map(|link| {
            match OurLink::of(link.index, &link.name)? {
                OurLink::Endpoint(id) => Some(id),
                OurLink::Anchor(_) => None,
            }
        });
        found.driven.insert(path.clone(), ours.collect());
    }
    if *fresh {
        let is_taken = |link: &Link| {
            link.peer_netns
                .is_some_and(|number| taken.contains(&number))
        };
        let ports = veths().filter_map(|link| Some((link, link.master?)));
        for (link, bridge) in ports.filter(|(link, _)| !is_taken(link)) {
            let peer = match (link.peer_netns, link.peer) {
                (_, None) => None,
                (None, Some(peer)) => links.iter().find(|l| l.index == peer).and_then(|l| l.mac),
                (Some(number), Some(peer)) => netlink.link_in(number, peer)?.and_then(|l| l.mac),
            };
            if let Some(mac) = peer {
                let name = link.name.clone();
                let of_bridge = found.fresh.entry(bridge).or_default();
                of_bridge.push((mac, (name, link.index)));
            }
        }
    }
    let asked = sandboxes.iter().filter(|(_, routes)| **routes);
    let asked: Vec<&PathBuf> = asked.map(|(path, _)| path).collect();
    let routes = netns::visit(
        asked,
        |path| netns::open(path),
        |_| Netlink::open()?.routes(),
    )?;
    for (path, routes) in routes {
        if let (Some(sandbox), Ok(routes)) = (found.sandboxes.get_mut(path), routes) {
            let defaults = routes
                .iter()
                .filter(|route| route.main_table && route.destination.prefix_len() == 0);
            sandbox.gateways = defaults.filter_map(|route| route.gateway).collect();
        }
    }
    Ok(found)
}

fn is_bridge(link: &Link) -> bool {
    link.kind == Kind::Bridge && OurLink::of(link.index, &link.name).is_none()
}

/// Says that an interface or an address has come, gone or changed in the network namespace of the
/// calling thread. It ends when nothing more can be heard.
pub fn changes() -> io::Result<impl Stream<Item = ()>> {
    let groups = [
        MulticastGroup::Link,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
    ];
    let (connection, handle, messages) = new_multicast_connection(&groups)?;
    // The connection lives as long as its handle, and works when it is polled.
    let messages = messages.map(move |_| drop(handle.clone()));
    Ok(stream::select(messages, connection.into_stream()))
}

/// Names and indexes of the interfaces that are there.
pub fn present() -> io::Result<BTreeSet<(String, u32)>> {
    let links = Netlink::open()?.links()?;
    Ok(links
        .into_iter()
        .map(|link| (link.name, link.index))
        .collect())
}
