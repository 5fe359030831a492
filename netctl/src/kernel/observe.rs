//! Reads the machine as a [`State`].

use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    io,
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    bpf::map::Map,
    machine::Machine,
    names::{self, LINK_ALIAS, LINK_GROUP, OurLink},
    netlink::{
        Netlink,
        address::Address,
        link::{Ipv6, Kind, Link},
    },
    netns,
    state::{Anchor, Hook, Inside, Key, LocalPorts, Object, State, Veth},
    tables::{Table, kept},
};
use crate::model::EndpointId;

/// What to read.
pub enum Selection<'k> {
    /// Everything that is ours.
    Everything,
    /// These objects, at a cost that does not depend on how many others there are.
    Keys(&'k BTreeSet<Key>),
}

impl Machine {
    /// `desired` says in which namespace an endpoint's other end is looked for.
    pub fn observe(&mut self, selection: &Selection<'_>, desired: &State) -> io::Result<State> {
        match selection {
            Selection::Everything => self.observe_everything(desired),
            Selection::Keys(keys) => self.observe_keys(keys, desired),
        }
    }

    fn observe_everything(&mut self, desired: &State) -> io::Result<State> {
        let mut state = State::default();
        for name in self.named.list()? {
            state.insert(Key::Netns(name), Object::Netns);
        }
        let links = self.netlink.links()?;
        let addresses = self.netlink.addresses()?;
        for link in &links {
            if let Some(ours) = OurLink::of(link.index, &link.name) {
                insert_link(&mut state, ours, link, &addresses, desired);
            }
        }
        for neighbour in self.netlink.neighbours()? {
            let ours = matches!(
                OurLink::from_ifindex(neighbour.index),
                Some(OurLink::Anchor(_))
            );
            if ours || neighbour.marked {
                let key = Key::Neighbour(neighbour.index, neighbour.addr);
                state.insert(key, Object::Neighbour(neighbour.mac));
            }
        }
        let insides = desired.0.keys().filter_map(|key| match key {
            Key::Inside(id) => Some(*id),
            _ => None,
        });
        insert_insides(&mut state, insides, desired)?;
        let pins = Table::ALL.map(Table::name);
        for name in pins.into_iter().chain(kept::PINNED) {
            if self.datapath.is_pinned(name) {
                state.insert(Key::MapPin(name), Object::MapPin);
            }
        }
        let mut hooks: BTreeSet<(Hook, u32)> = self.attachments.held().collect();
        hooks.extend(desired.0.keys().filter_map(|key| match key {
            Key::Attachment(hook, ifindex) => Some((*hook, *ifindex)),
            _ => None,
        }));
        // Filters are found on the interfaces themselves: one may be no uplink any more, or a
        // container's that is not served any more.
        let foreign = links
            .iter()
            .filter(|link| OurLink::of(link.index, &link.name).is_none());
        for link in foreign {
            if !self.tcx {
                hooks.insert((Hook::of_uplink(link.frame), link.index));
            }
            match link.kind {
                Kind::Bridge => drop(hooks.insert((Hook::FromHost, link.index))),
                Kind::Veth => drop(hooks.insert((Hook::FromContainer, link.index))),
                Kind::Vlan | Kind::Other => {}
            }
        }
        for ifindex in self.attachments.qdiscs() {
            if !links.iter().any(|link| link.index == ifindex) {
                // Whatever it carried, it is gone: what is left of it goes with this.
                hooks.insert((Hook::FromContainer, ifindex));
            }
        }
        for (hook, ifindex) in hooks {
            self.insert_attachment(&mut state, hook, ifindex)?;
        }
        self.insert_local_ports(&mut state, desired)?;
        for table in Table::ALL {
            self.datapath.table(table)?.for_each(|key, value| {
                let key = Key::Entry(table, key.to_vec());
                state.insert(key, Object::Entry(value.to_vec()));
            })?;
        }
        Ok(state)
    }

    fn observe_keys(&mut self, keys: &BTreeSet<Key>, desired: &State) -> io::Result<State> {
        let mut state = State::default();
        // Networks are few, and only a network's own pass asks for its addresses.
        let mut addresses: Option<Vec<Address>> = None;
        let mut covering: BTreeMap<Table, Entries> = BTreeMap::new();
        for key in keys {
            match key {
                Key::Netns(name) => {
                    if self.named.is_ours(name) {
                        state.insert(key.clone(), Object::Netns);
                    }
                }
                Key::Anchor(id) => {
                    let known = match &mut addresses {
                        Some(known) => known,
                        none => none.insert(self.netlink.addresses()?),
                    };
                    let ours = OurLink::Anchor(*id);
                    if let Some(link) = self.netlink.link(ours.ifindex())? {
                        insert_link(&mut state, ours, &link, known, desired);
                    }
                }
                Key::Veth(id) => {
                    let ours = OurLink::Endpoint(*id);
                    if let Some(link) = self.netlink.link(ours.ifindex())? {
                        insert_link(&mut state, ours, &link, &[], desired);
                    }
                }
                Key::Inside(id) => insert_insides(&mut state, [*id], desired)?,
                Key::Neighbour(ifindex, addr) => {
                    if let Some(found) = self.netlink.neighbour(*ifindex, *addr)? {
                        state.insert(key.clone(), Object::Neighbour(found.mac));
                    }
                }
                Key::MapPin(name) => {
                    if self.datapath.is_pinned(name) {
                        state.insert(key.clone(), Object::MapPin);
                    }
                }
                Key::Attachment(hook, ifindex) => {
                    self.insert_attachment(&mut state, *hook, *ifindex)?;
                }
                Key::LocalPorts => self.insert_local_ports(&mut state, desired)?,
                Key::Entry(table, entry) if table.is_covering() => {
                    let all = match covering.entry(*table) {
                        btree_map::Entry::Occupied(read) => read.into_mut(),
                        btree_map::Entry::Vacant(unread) => {
                            unread.insert(entries(self.datapath.table(*table)?)?)
                        }
                    };
                    if let Some(value) = all.remove(entry) {
                        state.insert(key.clone(), Object::Entry(value));
                    }
                }
                Key::Entry(table, entry) => {
                    let map = self.datapath.table(*table)?;
                    if let Some(value) = map.lookup(entry)?
                        && !(map.is_array() && value.iter().all(|b| *b == 0))
                    {
                        state.insert(key.clone(), Object::Entry(value));
                    }
                }
            }
        }
        Ok(state)
    }

    fn insert_local_ports(&self, state: &mut State, desired: &State) -> io::Result<()> {
        let wanted = match desired.get(&Key::LocalPorts) {
            Some(Object::LocalPorts(wanted)) => Some(wanted),
            _ => None,
        };
        let found: Option<LocalPorts> = self.local_ports.observe(wanted)?;
        if let Some(found) = found {
            state.insert(Key::LocalPorts, Object::LocalPorts(found));
        }
        Ok(())
    }

    fn insert_attachment(&mut self, state: &mut State, hook: Hook, ifindex: u32) -> io::Result<()> {
        let program = self.datapath.program(hook)?;
        let found = self
            .attachments
            .observe(&mut self.netlink, hook, ifindex, program)?;
        if let Some(found) = found {
            state.insert(Key::Attachment(hook, ifindex), Object::Attachment(found));
        }
        Ok(())
    }
}

/// The values of a table by their keys.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

fn entries(map: &Map) -> io::Result<Entries> {
    let mut all = Entries::new();
    map.for_each(|key, value| {
        all.insert(key.to_vec(), value.to_vec());
    })?;
    Ok(all)
}

fn insert_link(
    state: &mut State,
    ours: OurLink,
    link: &Link,
    addresses: &[Address],
    desired: &State,
) {
    let marked = link.alias.as_deref() == Some(LINK_ALIAS) && link.group == LINK_GROUP;
    match ours {
        OurLink::Anchor(id) => {
            let key = Key::Anchor(id);
            let wanted = match desired.get(&key) {
                Some(Object::Anchor(anchor)) => anchor.addresses.as_slice(),
                _ => &[],
            };
            let anchor = Anchor {
                mac: link.mac.unwrap_or_default(),
                addresses: held(wanted, addresses, link.index),
                mtu: link.mtu,
                up: link.up,
                arp: link.arp,
                forwarding: link.forwarding,
                route_localnet: link.route_localnet,
                ipv6: link.ipv6,
                marked,
            };
            state.insert(key, Object::Anchor(anchor));
        }
        OurLink::Endpoint(id) => {
            let veth = Veth {
                mtu: link.mtu,
                up: link.up,
                arp: link.arp,
                ipv6: link.ipv6,
                has_master: link.master.is_some(),
                marked,
                handed: desired.veth(id).and_then(|wanted| wanted.handed),
            };
            state.insert(Key::Veth(id), Object::Veth(veth));
        }
    }
}

/// Those of the wanted addresses that the interface has.
fn held(wanted: &[IpNet], all: &[Address], index: u32) -> Vec<IpNet> {
    let has = |net: &IpNet| all.iter().any(|a| a.index == index && a.net == *net);
    wanted.iter().copied().filter(has).collect()
}

/// A namespace that cannot be entered has nothing inside: the step that needs it says why.
fn insert_insides(
    state: &mut State,
    ids: impl IntoIterator<Item = EndpointId>,
    desired: &State,
) -> io::Result<()> {
    let wanted: Vec<(EndpointId, &Inside)> = ids
        .into_iter()
        .filter_map(|id| Some((id, desired.inside(id)?)))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let found = netns::visit(
        wanted,
        |(_, wanted)| netns::open_sandbox(&wanted.sandbox, &wanted.netns),
        |(id, wanted)| inside(&mut Netlink::open()?, *id, wanted),
    )?;
    for ((id, wanted), found) in found {
        match found {
            Ok(Some(inside)) => state.insert(Key::Inside(id), Object::Inside(inside)),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(sandbox = wanted.sandbox, %error, "nothing to see in the sandbox");
            }
        }
    }
    Ok(())
}

/// Reads an endpoint's interface in the network namespace of the socket.
pub fn inside(
    netlink: &mut Netlink,
    id: EndpointId,
    wanted: &Inside,
) -> io::Result<Option<Inside>> {
    let index = names::inside_ifindex(id);
    let Some(link) = netlink.link(index)? else {
        return Ok(None);
    };
    let loopback = netlink.link(LOOPBACK)?;
    let mut neighbours = Vec::new();
    for (addr, _) in &wanted.neighbours {
        let found = netlink.neighbour(index, *addr)?;
        neighbours.extend(found.map(|found| (found.addr, found.mac)));
    }
    let mut gateways = wanted.gateways.clone();
    if !gateways.is_empty() {
        // Another default route than ours is the container's own choice.
        let routes = netlink.routes()?;
        let has_default = |gateway: &IpAddr| {
            let defaults = routes
                .iter()
                .filter(|route| route.main_table && route.destination.prefix_len() == 0);
            defaults
                .map(|route| route.destination.addr())
                .any(|any| any.is_ipv4() == gateway.is_ipv4())
        };
        gateways.retain(has_default);
    }
    let ipv6 = match link.ipv6 {
        // Whether it is a router for others is the container's own choice.
        Ipv6::On {
            accept_ra, eui64, ..
        } => Ipv6::On {
            accept_ra,
            eui64,
            forwarding: false,
        },
        Ipv6::Off => Ipv6::Off,
    };
    let own_loopback = |test: fn(&Link) -> bool| loopback.as_ref().is_none_or(test);
    Ok(Some(Inside {
        mac: link.mac.unwrap_or_default(),
        mtu: link.mtu,
        addresses: held(&wanted.addresses, &netlink.addresses()?, index),
        up: link.up,
        loopback_up: own_loopback(|lo| lo.up),
        loopback_ipv6: wanted.ipv6 == Ipv6::Off || own_loopback(|lo| lo.ipv6 != Ipv6::Off),
        ipv6,
        neighbours,
        gateways,
        ..wanted.clone()
    }))
}

/// Index of `lo` in every network namespace.
pub const LOOPBACK: u32 = 1;
