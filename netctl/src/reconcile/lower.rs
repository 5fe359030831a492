//! From what is wanted to how the machine should be: pure.

use std::collections::{BTreeMap, BTreeSet};

use netctl_common::{
    endpoint::{self, FLOOD_CHUNK, Fdb, FdbKey, Flood, FloodKey, Neigh, NeighKey},
    host::{Local, Uplink},
    network,
    settings::{self, Settings},
    wire::V4,
};

use super::{ports, touch::Touch};
use crate::{
    kernel::{
        host::Host,
        names,
        probe::Facts,
        state::{Anchor, Attachment, Hook, Inside, Key, Object, State, Veth},
        tables::{self, Table, lpm_key},
    },
    model::{Endpoint, EndpointId, Model, Netns, Network, NetworkId},
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
    pub nat_ports: (u16, u16),
}

/// The desired state of what `touch` names.
pub fn lower(model: &Model, host: &Host, constants: &Constants, touch: &Touch) -> State {
    let mut state = State::default();
    for network in touch.networks(model) {
        lower_network(&mut state, network, host);
    }
    lower_floods(&mut state, model, touch);
    for sandbox in touch.sandboxes(model) {
        if sandbox.netns == Netns::Named {
            state.insert(Key::Netns(sandbox.name.clone()), Object::Netns);
        }
    }
    let first = first_endpoints(model, touch);
    let publishers = model.ports.values().map(|p| p.sandbox.as_str());
    let published: BTreeSet<&str> = publishers.filter(|s| first.contains_key(s)).collect();
    for endpoint in touch.endpoints(model) {
        let is_first = first.get(endpoint.sandbox.as_str()) == Some(&endpoint.id);
        let is_published = is_first && published.contains(endpoint.sandbox.as_str());
        lower_endpoint(&mut state, model, host, endpoint, is_first, is_published);
    }
    ports::lower(&mut state, model, &first, touch);
    lower_settings(&mut state, model, host, constants);
    if touch.host() {
        lower_host(&mut state, host);
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

fn attach(state: &mut State, hook: Hook, ifindex: u32) {
    let wanted = Object::Attachment(Attachment::WANTED);
    state.insert(Key::Attachment(hook, ifindex), wanted);
}

fn mtu_of(network: &Network, host: &Host) -> u32 {
    network.mtu.unwrap_or_else(|| host.mtu())
}

fn lower_network(state: &mut State, network: &Network, host: &Host) {
    let ifindex = names::anchor_ifindex(network.id);
    let mtu = mtu_of(network, host);
    let gateway = V4::from(network.gateway);
    let anchor = Anchor {
        mac: network.mac,
        addr: Some((network.gateway, network.subnet.prefix_len())),
        mtu,
        up: true,
        arp: false,
        forwarding: true,
        route_localnet: true,
        ipv6_off: true,
        marked: true,
    };
    state.insert(Key::Anchor(network.id), Object::Anchor(anchor));
    let mut flags = 0;
    for (on, flag) in [
        (network.masquerade, network::flags::MASQUERADE),
        (network.icc, network::flags::ICC),
        (network.internal, network::flags::INTERNAL),
    ] {
        flags |= if on { flag } else { 0 };
    }
    let value = network::Network {
        anchor_ifindex: ifindex,
        flags,
        gateway4: gateway,
        broadcast4: network.subnet.broadcast().into(),
        mtu,
        mac: network.mac,
        ..network::Network::default()
    };
    state.entry(Table::Network, &network.id, &value);
    let subnet = lpm_key(
        u32::from(network.subnet.prefix_len()),
        V4::from(network.subnet.network()),
    );
    state.raw_entry(Table::Subnet4, subnet, &network.id);
    let local = Local { ifindex, _pad: 0 };
    state.entry(Table::Local4, &gateway, &local);
    attach(state, Hook::FromHost, ifindex);
}

/// Members in order of their numbers: a new endpoint has the highest and only changes the last
/// chunk, and chunks have no gap.
fn lower_floods(state: &mut State, model: &Model, touch: &Touch) {
    let mut members: BTreeMap<NetworkId, Vec<u32>> = BTreeMap::new();
    for endpoint in model.endpoints.values() {
        if touch.flood(endpoint.network) {
            let ifindex = names::endpoint_ifindex(endpoint.id);
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

/// The endpoint of each sandbox that has the default route and that published ports lead to: as
/// [`Model::published_endpoint`], for many sandboxes at the cost of one.
fn first_endpoints<'m>(model: &'m Model, touch: &Touch) -> BTreeMap<&'m str, EndpointId> {
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
    let mut first = BTreeMap::new();
    for endpoint in model.endpoints.values() {
        let sandbox = endpoint.sandbox.as_str();
        let network = model.networks.get(&endpoint.network);
        if asked.as_ref().is_none_or(|asked| asked.contains(sandbox))
            && network.is_some_and(|network| !network.internal)
        {
            first.entry(sandbox).or_insert(endpoint.id);
        }
    }
    first
}

fn lower_endpoint(
    state: &mut State,
    model: &Model,
    host: &Host,
    endpoint: &Endpoint,
    is_first: bool,
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
    let ifindex = names::endpoint_ifindex(endpoint.id);
    let mtu = mtu_of(network, host);
    let addr = V4::from(endpoint.addr);
    let veth = Veth {
        mtu,
        up: true,
        ipv6_off: true,
        has_master: false,
        marked: true,
    };
    state.insert(Key::Veth(endpoint.id), Object::Veth(veth));
    let inside = Inside {
        sandbox: sandbox.name.clone(),
        netns: sandbox.netns.clone(),
        ifname: endpoint.ifname.clone(),
        mac: endpoint.mac,
        mtu,
        addr: Some((endpoint.addr, network.subnet.prefix_len())),
        up: true,
        loopback_up: true,
        ipv6_off: true,
        neighbour: Some((network.gateway, network.mac)),
        gateway: is_first.then_some(network.gateway),
    };
    state.insert(Key::Inside(endpoint.id), Object::Inside(inside));
    let neighbour = Key::Neighbour(network.id, endpoint.addr);
    state.insert(neighbour, Object::Neighbour(endpoint.mac));
    let value = endpoint::Endpoint {
        ifindex,
        network: network.id,
        generation: endpoint.id,
        flags: if is_published {
            endpoint::flags::PUBLISHED
        } else {
            0
        },
        addr4: addr,
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
    let neigh = NeighKey {
        network: network.id,
        addr,
    };
    let value = Neigh {
        ifindex,
        mac: endpoint.mac,
        _pad: 0,
    };
    state.entry(Table::Neigh4, &neigh, &value);
    attach(state, Hook::FromContainer, ifindex);
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
    let value = Settings {
        flags,
        default_uplink: host.view.default_uplink.unwrap_or(0),
        host_cookie: constants.facts.netns_cookie,
        nat_port_first: constants.nat_ports.0,
        nat_port_last: constants.nat_ports.1,
        local_port_first: constants.facts.local_ports.0,
        local_port_last: constants.facts.local_ports.1,
        hz: constants.hz,
        flood_rate: FLOOD_RATE,
        nat_seed: constants.nat_seed,
        default_uplink6: 0,
    };
    state.entry(Table::Settings, &0_u32, &value);
}

fn lower_host(state: &mut State, host: &Host) {
    for (addr, ifindex) in &host.local {
        let local = Local {
            ifindex: *ifindex,
            _pad: 0,
        };
        state.entry(Table::Local4, &V4::from(*addr), &local);
    }
    for (ifindex, uplink) in &host.view.uplinks {
        let value = Uplink {
            addr4: uplink.address.map(V4::from).unwrap_or_default(),
            mtu: uplink.mtu,
            mac: host.macs.get(ifindex).copied().unwrap_or_default(),
            ..Uplink::default()
        };
        state.entry(Table::Uplink, ifindex, &value);
        attach(state, Hook::FromUplink, *ifindex);
    }
}
