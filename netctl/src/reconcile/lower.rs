//! From what is wanted to how the machine should be: pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use netctl_common::{
    endpoint::{self, FLOOD_CHUNK, Fdb, FdbKey, Flood, FloodKey, Neigh, NeighKey},
    host::{Local, Uplink, uplink_flags},
    settings::{self, Settings},
    wire::{Address, V4, V6},
};

use super::{
    networks::{self, in_subnet, mtu_of},
    ports, shield,
    touch::Touch,
};
use crate::{
    config::Nat,
    kernel::{
        host::Host,
        names,
        netlink::link::{Frame, Ipv6},
        probe::Facts,
        state::{Attachment, Hook, Inside, Key, Object, State, Veth},
        tables::{self, Table, lpm_key},
    },
    model::{Endpoint, Model, Netns, Network, NetworkId, Sandbox, Way},
};

/// Broadcast and multicast packets that an endpoint may send a second: far above what ARP and
/// service discovery need, far below what would hurt a network of a thousand members.
const FLOOD_RATE: u32 = 1000;

/// What stays the same while the daemon runs.
#[derive(Clone, Debug)]
pub struct Constants {
    pub facts: Facts,
    pub hz: u32,
    /// See [`Settings::nat_seed`].
    pub nat_seed: u32,
    /// See [`Settings::generic_seconds`].
    pub generic_seconds: u32,
    pub nat_ports: (u16, u16),
    /// Of networks that say nothing.
    pub nat: Nat,
}

/// The desired state of what `touch` names.
pub fn lower(model: &Model, host: &Host, constants: &Constants, touch: &Touch) -> State {
    let mut state = State::default();
    for network in touch.networks(model) {
        networks::lower(&mut state, network, host, constants.nat);
    }
    lower_floods(&mut state, model, touch);
    for sandbox in touch.sandboxes(model) {
        if sandbox.netns == Netns::Named {
            state.insert(Key::Netns(sandbox.name.clone()), Object::Netns);
        }
    }
    let ways = ways(model, touch);
    let publishers = model.ports.values().map(|p| p.sandbox.as_str());
    let published: BTreeSet<&str> = publishers.filter(|s| ways.contains_key(s)).collect();
    for endpoint in touch.endpoints(model) {
        let sandbox = endpoint.sandbox.as_str();
        let way = ways.get(sandbox).copied().unwrap_or_default();
        let is_published = published.contains(sandbox);
        lower_endpoint(&mut state, model, host, endpoint, way, is_published);
    }
    ports::lower(&mut state, model, &ways, touch);
    lower_settings(&mut state, model, host, constants);
    if touch.host() {
        lower_host(&mut state, model, host);
        shield::lower_host(&mut state, model, host);
    }
    if *touch == Touch::All {
        let pins = Table::ALL.map(Table::name);
        for name in pins.into_iter().chain(tables::kept::PINNED) {
            state.insert(Key::MapPin(name), Object::MapPin);
        }
        for hook in Hook::CGROUP {
            attach(&mut state, hook, 0);
        }
    }
    state
}

pub(super) fn attach(state: &mut State, hook: Hook, ifindex: u32) {
    let wanted = Object::Attachment(Attachment::WANTED);
    state.insert(Key::Attachment(hook, ifindex), wanted);
}

/// Members in order of their numbers: a new endpoint has the highest and only changes the last
/// chunk, and chunks have no gap.
fn lower_floods(state: &mut State, model: &Model, touch: &Touch) {
    let mut members: BTreeMap<NetworkId, Vec<u32>> = BTreeMap::new();
    for endpoint in model.endpoints.values() {
        if touch.flood(endpoint.network) {
            let ifindex = names::host_side(endpoint);
            members.entry(endpoint.network).or_default().push(ifindex);
        }
    }
    for (network, members) in members {
        for (chunk, members) in (0..).zip(members.chunks(FLOOD_CHUNK)) {
            let mut flood = Flood {
                ifindex: [0; FLOOD_CHUNK],
            };
            flood.ifindex[..members.len()].copy_from_slice(members);
            state.entry(Table::Flood, &FloodKey { network, chunk }, &flood);
        }
    }
}

/// The endpoints of each sandbox that have its default routes and that published ports lead to:
/// as [`Model::published_endpoints`], for many sandboxes at the cost of one.
fn ways<'m>(model: &'m Model, touch: &Touch) -> BTreeMap<&'m str, Way<'m>> {
    let asked: Option<BTreeSet<&str>> = match touch {
        Touch::All => None,
        Touch::Host => return BTreeMap::new(),
        Touch::Some(part) => {
            let endpoints = part
                .endpoints
                .iter()
                .filter_map(|id| model.endpoints.get(id));
            let ports = part.ports.iter().filter_map(|id| model.ports.get(id));
            Some(
                endpoints
                    .map(|endpoint| endpoint.sandbox.as_str())
                    .chain(ports.map(|port| port.sandbox.as_str()))
                    .collect(),
            )
        }
    };
    let mut ways: BTreeMap<&str, Way<'_>> = BTreeMap::new();
    for endpoint in model.endpoints.values() {
        let sandbox = endpoint.sandbox.as_str();
        if asked.as_ref().is_none_or(|asked| asked.contains(sandbox)) {
            let way = ways.entry(sandbox).or_default();
            way.offer(endpoint, model.networks.get(&endpoint.network));
        }
    }
    ways
}

fn lower_endpoint(
    state: &mut State,
    model: &Model,
    host: &Host,
    endpoint: &Endpoint,
    way: Way<'_>,
    is_published: bool,
) {
    // The service layer refuses an endpoint without its network or sandbox; a damaged store
    // must not bring more down than that endpoint.
    let (Some(network), Some(sandbox)) = (
        model.networks.get(&endpoint.network),
        model.sandboxes.get(&endpoint.sandbox),
    ) else {
        return;
    };
    let ifindex = names::host_side(endpoint);
    if endpoint.adopted.is_none() {
        let mtu = mtu_of(network, host);
        lower_host_side(state, endpoint, mtu);
        if endpoint.driver.is_none() {
            lower_inside(state, (network, sandbox, endpoint), mtu, way);
        }
    }
    for addr in endpoint.addresses() {
        let neighbour = Key::Neighbour(names::anchor(network), addr);
        state.insert(neighbour, Object::Neighbour(endpoint.mac));
    }
    let way = if is_published { way } else { Way::default() };
    let value = endpoint::Endpoint {
        ifindex,
        network: network.id,
        generation: endpoint.id,
        flags: if way.endpoints().next().is_some() {
            endpoint::flags::PUBLISHED
        } else {
            0
        },
        addr4: endpoint.addr.map(V4::from).unwrap_or_default(),
        addr6: endpoint.addr6.map(V6::from).unwrap_or_default(),
        mac: endpoint.mac,
        ..endpoint::Endpoint::default()
    };
    state.entry(Table::Endpoint, &endpoint::slot(ifindex), &value);
    let fdb = FdbKey {
        network: network.id,
        mac: endpoint.mac,
        _pad: 0,
    };
    let value = Fdb {
        ifindex,
        vtep: V4(0),
    };
    state.entry(Table::Fdb, &fdb, &value);
    let value = Neigh {
        ifindex,
        mac: endpoint.mac,
        _pad: 0,
    };
    let elsewhere = |first: &&Endpoint| first.network != endpoint.network;
    if let Some(addr) = endpoint.addr {
        let there = way.v4.filter(elsewhere).and_then(|first| first.addr);
        lower_neighbour::<V4>(state, Table::Neigh4, network.id, (addr, there), &value);
    }
    if let Some(addr) = endpoint.addr6 {
        let there = way.v6.filter(elsewhere).and_then(|first| first.addr6);
        lower_neighbour::<V6>(state, Table::Neigh6, network.id, (addr, there), &value);
    }
    attach(state, Hook::FromContainer, ifindex);
}

/// Who has an address in a network; and `there`, in another one, if its published ports lead to that.
fn lower_neighbour<A: Address>(
    state: &mut State,
    table: Table,
    network: NetworkId,
    (addr, there): (impl Into<A>, Option<impl Into<A>>),
    value: &Neigh,
) where
    NeighKey<A>: bytemuck::Pod,
{
    let addr = addr.into();
    state.entry(table, &NeighKey { network, addr }, value);
    if let Some(addr) = there.map(Into::into) {
        let network = network | endpoint::BESIDE;
        state.entry(table, &NeighKey { network, addr }, value);
    }
}

/// The veth pair of an endpoint, which netctl makes.
fn lower_host_side(state: &mut State, endpoint: &Endpoint, mtu: u32) {
    let veth = Veth {
        mtu,
        up: true,
        arp: false,
        ipv6: Ipv6::Off,
        has_master: false,
        marked: true,
        handed: endpoint.driver.as_ref().map(|_| endpoint.mac),
    };
    state.insert(Key::Veth(endpoint.id), Object::Veth(veth));
}

/// Its other end, in a namespace that netctl sets up.
fn lower_inside(
    state: &mut State,
    (network, sandbox, endpoint): (&Network, &Sandbox, &Endpoint),
    mtu: u32,
    way: Way<'_>,
) {
    let addresses = endpoint.addresses().filter_map(|addr| {
        let mut subnets = network.subnets();
        let subnet = subnets.find(|subnet| subnet.addr().is_ipv4() == addr.is_ipv4())?;
        Some(in_subnet(addr, &subnet))
    });
    let is = |way: Option<&Endpoint>| way.is_some_and(|first| first.id == endpoint.id);
    let routed = network.gateways().filter(|gateway| match gateway {
        IpAddr::V4(_) => is(way.v4),
        IpAddr::V6(_) => is(way.v6),
    });
    let inside = Inside {
        sandbox: sandbox.name.clone(),
        netns: sandbox.netns.clone(),
        ifname: endpoint.ifname.clone(),
        mac: endpoint.mac,
        mtu,
        addresses: addresses.collect(),
        up: true,
        loopback_up: true,
        loopback_ipv6: true,
        ipv6: match endpoint.addr6 {
            // As others set it up it would have an address that nobody gave it (CVE-2024-32473).
            None => Ipv6::Off,
            Some(_) => Ipv6::On {
                accept_ra: false,
                eui64: true,
                forwarding: false,
            },
        },
        neighbours: network.gateways().map(|addr| (addr, network.mac)).collect(),
        gateways: routed.collect(),
    };
    state.insert(Key::Inside(endpoint.id), Object::Inside(inside));
}

/// Always part of a pass: one entry, and a port's publication may change it.
fn lower_settings(state: &mut State, model: &Model, host: &Host, constants: &Constants) {
    let mut flags = 0;
    if constants.facts.redirect_peer {
        flags |= settings::flags::REDIRECT_PEER;
    }
    if model.ports.values().any(|port| port.count > 1) {
        flags |= settings::flags::HAS_RANGES;
    }
    flags |= shield::settings_flags(model, host);
    let value = Settings {
        flags,
        generic_seconds: constants.generic_seconds,
        host_cookie: constants.facts.netns_cookie,
        nat_port_first: constants.nat_ports.0,
        nat_port_last: constants.nat_ports.1,
        local_port_first: constants.facts.local_ports.0,
        local_port_last: constants.facts.local_ports.1,
        hz: constants.hz,
        flood_rate: FLOOD_RATE,
        nat_seed: constants.nat_seed,
        _pad: 0,
    };
    state.entry(Table::Settings, &0_u32, &value);
}

fn lower_host(state: &mut State, model: &Model, host: &Host) {
    for (addr, ifindex) in &host.local {
        let local = Local {
            ifindex: *ifindex,
            _pad: 0,
        };
        match addr {
            IpAddr::V4(addr) => state.entry(Table::Local4, &V4::from(*addr), &local),
            IpAddr::V6(addr) => state.entry(Table::Local6, &V6::from(*addr), &local),
        }
    }
    for (net, ifindex) in &host.onlink {
        let prefix = net.prefix_len().into();
        match net.network() {
            IpAddr::V4(addr) => {
                state.raw_entry(Table::Onlink4, lpm_key(prefix, V4::from(addr)), ifindex);
            }
            IpAddr::V6(addr) => {
                state.raw_entry(Table::Onlink6, lpm_key(prefix, V6::from(addr)), ifindex);
            }
        }
    }
    for (ifindex, uplink) in &host.view.uplinks {
        let mac = host.macs.get(ifindex);
        let value = Uplink {
            addr4: uplink.address.map(V4::from).unwrap_or_default(),
            addr6: uplink.address6.map(V6::from).unwrap_or_default(),
            mtu: uplink.mtu,
            flags: mac.map_or(uplink_flags::NO_ETHERNET, |_| 0)
                | host
                    .isolated
                    .get(ifindex)
                    .map_or(0, |_| uplink_flags::ISOLATED)
                | shield::uplink_flags(model, host, *ifindex),
            mac: mac.copied().unwrap_or_default(),
            _pad: 0,
        };
        state.entry(Table::Uplink, ifindex, &value);
        let frame = mac.map_or(Frame::Ip, |_| Frame::Ethernet);
        attach(state, Hook::of_uplink(frame), *ifindex);
    }
}
