//! The one interpreter of [`Step`]: the only code that changes the machine's network.

use std::{io, net::IpAddr, os::fd::AsFd};

use ipnet::IpNet;
use netctl_common::wire::Mac;

use super::{
    machine::Machine,
    names::{self, LINK_ALIAS, LINK_GROUP, OurLink},
    netlink::{
        Netlink, is_absent,
        link::{Change, NewBridge, NewVeth},
    },
    netns,
    observe::{self, LOOPBACK},
    state::{Anchor, Inside, Veth},
    sysctl::{self, Ipv6Settings},
};
use crate::{
    flows,
    model::{EndpointId, NetworkId},
    reconcile::step::{Outcome, Step},
};

impl Machine {
    pub fn apply(&mut self, step: &Step) -> io::Result<Outcome> {
        match (self.change(step), step) {
            // An interface that others made and have removed by now.
            (
                Err(error),
                Step::Attach(_, ifindex)
                | Step::PutNeighbour(ifindex, ..)
                | Step::Detach(_, ifindex),
            ) if is_absent(&error) && OurLink::from_ifindex(*ifindex).is_none() => {
                Ok(Outcome::Moot)
            }
            (result, _) => result.map(|()| Outcome::Done),
        }
    }

    fn change(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::DeleteEntry { table, key } => {
                self.datapath.table(*table)?.delete(key)?;
                Ok(())
            }
            Step::PutEntry { table, key, value } => self
                .datapath
                .table(*table)?
                .update(key, value)
                .map_err(explain_full),
            Step::FlushFlows(what) => flows::flush(&self.datapath, *what),
            Step::RemoveLink(link) => self.netlink.delete_link(link.ifindex()),
            Step::RemoveEveryLink => self.netlink.delete_group(LINK_GROUP),
            Step::Detach(hook, ifindex) => {
                self.attachments.detach(&mut self.netlink, *hook, *ifindex)
            }
            Step::Attach(hook, ifindex) => {
                if !self.took_over {
                    self.datapath.take_over()?;
                    self.took_over = true;
                }
                let program = self.datapath.program(*hook)?;
                self.attachments
                    .attach(&mut self.netlink, *hook, *ifindex, program)
            }
            Step::RemoveNeighbour(ifindex, addr) => self.netlink.delete_neighbour(*ifindex, *addr),
            Step::PutNeighbour(ifindex, addr, mac) => {
                self.netlink.put_neighbour(*ifindex, *addr, *mac)
            }
            Step::RemoveNetns(name) => self.named.remove(name),
            Step::CreateNetns(name) => self.named.create(name),
            Step::UnpinMap(name) => self.datapath.unpin(name),
            Step::PinMap(name) => self.datapath.pin(name),
            Step::ReserveLocalPorts(ports) => self.local_ports.put(ports),
            Step::PutAnchor(id, anchor) => self.put_anchor(*id, anchor),
            Step::PutVeth(id, veth, inside) => self.put_veth(*id, veth, inside.as_ref()),
            Step::Configure(id, inside) => {
                let ns = netns::open_sandbox(&inside.sandbox, &inside.netns)?;
                let up = Change {
                    up: Some(true),
                    ..Change::default()
                };
                self.netlink
                    .change_link(names::endpoint_ifindex(*id), &up)?;
                netns::run_in(&ns, || configure(*id, inside))?
            }
        }
    }

    fn put_anchor(&mut self, id: NetworkId, anchor: &Anchor) -> io::Result<()> {
        let index = names::anchor_ifindex(id);
        let name = names::anchor_name(id);
        if self.netlink.link(index)?.is_none() {
            self.netlink
                .add_bridge(&NewBridge {
                    index,
                    name: &name,
                    mac: anchor.mac,
                    mtu: anchor.mtu,
                })
                .map_err(|error| explain_taken(error, &name))?;
        }
        sysctl::make_anchor(&name)?;
        self.ipv6.put(&name, anchor.ipv6)?;
        self.netlink.change_link(
            index,
            &Change {
                up: Some(anchor.up),
                arp: Some(anchor.arp),
                mac: Some(anchor.mac),
                mtu: Some(anchor.mtu),
                alias: Some(LINK_ALIAS),
                group: Some(LINK_GROUP),
                no_master: false,
            },
        )?;
        let mut addresses = anchor.addresses.iter();
        addresses.try_for_each(|net| self.netlink.add_address(index, *net))
    }

    fn put_veth(&mut self, id: EndpointId, veth: &Veth, inside: Option<&Inside>) -> io::Result<()> {
        let index = names::endpoint_ifindex(id);
        let name = OurLink::Endpoint(id).name();
        let existing = self.netlink.link(index)?;
        if existing.is_none() {
            let ns = inside
                .map(|inside| netns::open_sandbox(&inside.sandbox, &inside.netns))
                .transpose()?;
            let peer_name = match inside {
                Some(inside) => inside.ifname.clone(),
                None => names::waiting_name(id),
            };
            let peer_mac = inside.map(|inside| inside.mac).or(veth.handed);
            self.netlink
                .add_veth(&NewVeth {
                    index,
                    name: &name,
                    mtu: veth.mtu,
                    peer_index: names::inside_ifindex(id),
                    peer_name: &peer_name,
                    peer_mac: peer_mac.unwrap_or_default(),
                    peer_netns: ns.as_ref().map(AsFd::as_fd),
                })
                .map_err(|error| explain_taken(error, &peer_name))?;
        }
        self.ipv6.put(&name, veth.ipv6)?;
        self.netlink.change_link(
            index,
            &Change {
                // A new one is up when its program is attached: a process that is in the sandbox
                // already could use the other end before. One that Docker is still to be given has
                // nobody at its other end.
                up: (existing.is_some() || inside.is_none()).then_some(veth.up),
                arp: Some(veth.arp),
                mtu: existing.as_ref().map(|_| veth.mtu),
                alias: Some(LINK_ALIAS),
                group: Some(LINK_GROUP),
                no_master: existing.is_some_and(|link| link.master.is_some()) && !veth.has_master,
                ..Change::default()
            },
        )
    }
}

/// Puts right what differs inside the sandbox; runs in its network namespace.
fn configure(id: EndpointId, wanted: &Inside) -> io::Result<()> {
    let absent = || io::Error::new(io::ErrorKind::NotFound, "the interface is not there");
    let mut netlink = Netlink::open()?;
    let found = observe::inside(&mut netlink, id, wanted)?.ok_or_else(absent)?;
    let index = names::inside_ifindex(id);
    if !found.loopback_up {
        let up = Change {
            up: Some(true),
            ..Change::default()
        };
        netlink.change_link(LOOPBACK, &up)?;
    }
    if found.ipv6 != wanted.ipv6 || !found.loopback_ipv6 {
        // The container may have renamed them.
        let name = |netlink: &mut Netlink, index| {
            let link = netlink.link(index)?;
            link.map(|link| link.name).ok_or_else(absent)
        };
        let settings = Ipv6Settings::open()?;
        settings.put(&name(&mut netlink, index)?, wanted.ipv6)?;
        if !found.loopback_ipv6 {
            settings.enable(&name(&mut netlink, LOOPBACK)?)?;
        }
    }
    netlink.change_link(
        index,
        &Change {
            up: Some(wanted.up),
            mac: (found.mac != wanted.mac).then_some(wanted.mac),
            mtu: (found.mtu != wanted.mtu).then_some(wanted.mtu),
            ..Change::default()
        },
    )?;
    let missing = |net: &&IpNet| !found.addresses.contains(*net);
    for net in wanted.addresses.iter().filter(missing) {
        netlink.add_address(index, *net)?;
    }
    let missing = |neighbour: &&(IpAddr, Mac)| !found.neighbours.contains(*neighbour);
    for (addr, mac) in wanted.neighbours.iter().filter(missing) {
        netlink.put_neighbour(index, *addr, *mac)?;
    }
    let missing = |gateway: &&IpAddr| !found.gateways.contains(*gateway);
    for gateway in wanted.gateways.iter().filter(missing) {
        netlink.add_default_route(index, *gateway)?;
    }
    Ok(())
}

/// A link's name or number is held by a link that is not ours.
fn explain_taken(error: io::Error, name: &str) -> io::Error {
    if error.raw_os_error() == Some(libc::EEXIST) {
        io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("another interface has the name {name} or its number: rename or remove it"),
        )
    } else {
        error
    }
}

fn explain_full(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(libc::E2BIG) || error.raw_os_error() == Some(libc::ENOSPC) {
        io::Error::new(
            io::ErrorKind::QuotaExceeded,
            "the map is full: raise max_endpoints, or remove what is not needed",
        )
    } else {
        error
    }
}
