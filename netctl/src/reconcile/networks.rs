//! Networks as the machine has them: anchors, and what the datapath knows of them.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use netctl_common::{
    host::Local,
    network,
    wire::{Mac, V4, V6},
};

use super::lower::attach;
use crate::{
    config::Nat,
    kernel::{
        host::Host,
        names,
        netlink::link::Ipv6,
        state::{Anchor, Hook, Key, Object, State},
        tables::{Table, lpm_key},
    },
    model::{Filtering, GatewayMode, Mapping, Network},
};

/// MTU where there is no uplink to follow.
const DEFAULT_MTU: u32 = 1500;

pub(super) fn mtu_of(network: &Network, host: &Host) -> u32 {
    let mtu = network.mtu_over(host.view.mtu());
    mtu.unwrap_or(DEFAULT_MTU)
}

/// An interface's own address in a subnet.
pub(super) fn in_subnet(addr: IpAddr, subnet: &IpNet) -> IpNet {
    // The prefix is that of a subnet of the same family.
    IpNet::new(addr, subnet.prefix_len()).unwrap_or_else(|_| addr.into())
}

fn link_local(mac: Mac) -> IpNet {
    let addr = IpAddr::V6(Ipv6Addr::from(mac.link_local()));
    IpNet::new(addr, 64).unwrap_or_else(|_| addr.into())
}

pub(super) fn lower(state: &mut State, network: &Network, host: &Host, nat: Nat) {
    let ifindex = names::anchor(network);
    let mtu = mtu_of(network, host);
    if network.adopted.is_none() {
        lower_anchor(state, network, mtu);
    }
    let (v4, v6) = (network.ipv4.as_ref(), network.ipv6.as_ref());
    let value = network::Network {
        anchor_ifindex: ifindex,
        flags: network_flags(network, nat),
        gateway4: v4.map(|v4| v4.gateway.into()).unwrap_or_default(),
        gateway6: v6.map(|v6| v6.gateway.into()).unwrap_or_default(),
        broadcast4: v4
            .map(|v4| v4.subnet.broadcast().into())
            .unwrap_or_default(),
        mtu,
        mac: network.mac,
        ..network::Network::default()
    };
    state.entry(Table::Network, &network.id, &value);
    let local = Local { ifindex, _pad: 0 };
    if let Some(v4) = v4 {
        let (prefix, base) = (v4.subnet.prefix_len(), V4::from(v4.subnet.network()));
        state.raw_entry(Table::Subnet4, lpm_key(prefix.into(), base), &network.id);
        state.entry(Table::Local4, &V4::from(v4.gateway), &local);
    }
    if let Some(v6) = v6 {
        let (prefix, base) = (v6.subnet.prefix_len(), V6::from(v6.subnet.network()));
        state.raw_entry(Table::Subnet6, lpm_key(prefix.into(), base), &network.id);
        state.entry(Table::Local6, &V6::from(v6.gateway), &local);
    }
    attach(state, Hook::FromHost, ifindex);
}

/// The host's own interface in a network that netctl made.
fn lower_anchor(state: &mut State, network: &Network, mtu: u32) {
    let subnets = network.gateways().zip(network.subnets());
    let mut addresses: Vec<IpNet> = subnets
        .map(|(gateway, subnet)| in_subnet(gateway, &subnet))
        .collect();
    // The kernel gives a link-local address to an interface with a carrier, which a bridge
    // without ports does not have.
    addresses.extend(network.ipv6.map(|_| link_local(network.mac)));
    let ipv6 = match network.ipv6 {
        None => Ipv6::Off,
        Some(_) => Ipv6::On {
            accept_ra: false,
            eui64: true,
            forwarding: true,
        },
    };
    let anchor = Anchor {
        mac: network.mac,
        addresses,
        mtu,
        up: true,
        arp: false,
        forwarding: true,
        route_localnet: true,
        ipv6,
        marked: true,
    };
    state.insert(Key::Anchor(network.id), Object::Anchor(anchor));
}

fn network_flags(network: &Network, nat: Nat) -> u32 {
    use network::flags;
    let mapping = network.mapping.unwrap_or(nat.mapping);
    let filtering = network.filtering.unwrap_or(nat.filtering);
    let all = [
        (network.masquerade, flags::MASQUERADE),
        (network.icc, flags::ICC),
        (network.internal, flags::INTERNAL),
        (
            mapping == Mapping::AddressAndPortDependent,
            flags::MAPPING_BY_DESTINATION,
        ),
        (
            filtering == Filtering::EndpointIndependent,
            flags::FILTER_NONE,
        ),
        (
            filtering == Filtering::AddressDependent,
            flags::FILTER_BY_ADDRESS,
        ),
        (network.modes.v4 == GatewayMode::Routed, flags::ROUTED4),
        (network.modes.v6 == GatewayMode::Routed, flags::ROUTED6),
        (
            network.modes.v4 == GatewayMode::NatUnprotected,
            flags::OPEN4,
        ),
        (
            network.modes.v6 == GatewayMode::NatUnprotected,
            flags::OPEN6,
        ),
    ];
    let set = all.into_iter().filter(|(on, _)| *on);
    set.fold(0, |flags, (_, flag)| flags | flag)
}
