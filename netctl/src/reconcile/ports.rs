//! Published ports as map entries: one for a single port, aligned blocks for a range.

use std::{collections::BTreeMap, net::IpAddr};

use netctl_common::{
    publish::{PublishKey, Published, RESERVED_BY_ENGINE, ReservedKey, port_blocks, range_prefix},
    wire::{Address, Be16, V4, V6},
};

use super::{shield, touch::Touch};
use crate::{
    kernel::{
        names,
        port_set::PortSet,
        state::{Key, LocalPorts, Object, State},
        tables::{Table, lpm_key},
    },
    model::{GatewayMode, Model, PublishedPort, Way},
};

/// `ways`: the endpoints of each sandbox that published ports lead to.
pub fn lower(state: &mut State, model: &Model, ways: &BTreeMap<&str, Way<'_>>, touch: &Touch) {
    lower_local_ports(state, model, touch);
    // Where two specs on different addresses reserve the same port, the youngest of ours names it,
    // and only one that nobody else has the engine of its container may bind.
    for port in touch.ports(model) {
        shield::lower_port(state, port);
        // A sandbox without a way in has nothing to lead to.
        let way = ways.get(port.sandbox.as_str()).copied().unwrap_or_default();
        for target in port.targets(way) {
            let endpoint = names::host_side(target.2);
            let network = model.networks.get(&target.2.network);
            if network.is_some_and(|n| n.modes.of(target.1) == GatewayMode::Routed) {
                lower_routed(state, port, target.0, target.1, endpoint);
                continue;
            }
            match (target.0, target.1) {
                (IpAddr::V4(host), IpAddr::V4(addr)) => {
                    let tables = (Table::Published4, Table::PublishedRange4);
                    lower_port(
                        state,
                        port,
                        tables,
                        V4::from(host),
                        V4::from(addr),
                        endpoint,
                    );
                }
                (IpAddr::V6(host), IpAddr::V6(addr)) => {
                    let tables = (Table::Published6, Table::PublishedRange6);
                    lower_port(
                        state,
                        port,
                        tables,
                        V6::from(host),
                        V6::from(addr),
                        endpoint,
                    );
                }
                // A target is of one family.
                _ => {}
            }
        }
    }
}

/// At the container's own address and port. Rules are about the host's ports: a port that has any
/// stays closed.
fn lower_routed(
    state: &mut State,
    port: &PublishedPort,
    host: IpAddr,
    container: IpAddr,
    endpoint: u32,
) {
    if host.is_loopback() || port.rules.in_force().is_some() {
        return;
    }
    let port = PublishedPort {
        host_port: port.container_port,
        ..port.clone()
    };
    match container {
        IpAddr::V4(addr) => {
            let addr = V4::from(addr);
            let tables = (Table::Published4, Table::PublishedRange4);
            lower_entries(state, &port, tables, (addr, addr), endpoint);
        }
        IpAddr::V6(addr) => {
            let addr = V6::from(addr);
            let tables = (Table::Published6, Table::PublishedRange6);
            lower_entries(state, &port, tables, (addr, addr), endpoint);
        }
    }
}

/// No process of the host is given a published port by chance. One set for all specs: they may
/// overlap, and a port stays reserved for as long as any of them has it.
fn lower_local_ports(state: &mut State, model: &Model, touch: &Touch) {
    if !touch.any_port() || model.ports.is_empty() {
        return;
    }
    let mut ports = PortSet::default();
    for port in model.ports.values() {
        ports.insert(port.host_port, port.host_last());
    }
    let local = LocalPorts {
        ports,
        recorded: true,
    };
    state.insert(Key::LocalPorts, Object::LocalPorts(local));
}

fn lower_port<A: Address>(
    state: &mut State,
    port: &PublishedPort,
    tables: (Table, Table),
    host: A,
    container: A,
    endpoint: u32,
) {
    lower_entries(state, port, tables, (host, container), endpoint);
    for block in port_blocks(port.host_port, port.host_last()) {
        // One for every address of the family.
        let reserved = ReservedKey::new::<A>(port.proto.number(), Be16::new(block.base));
        let reserved = lpm_key(ReservedKey::prefix(block.bits), reserved);
        let known = state.contains(&Key::Entry(Table::Reserved, reserved.clone()));
        if port.adopted && !known {
            state.raw_entry(Table::Reserved, reserved, &(port.id | RESERVED_BY_ENGINE));
        } else if !port.adopted {
            state.raw_entry(Table::Reserved, reserved, &port.id);
        }
    }
}

/// The ports of that address.
fn lower_entries<A: Address>(
    state: &mut State,
    port: &PublishedPort,
    (single, ranges): (Table, Table),
    (host, container): (A, A),
    endpoint: u32,
) {
    let value = Published {
        addr: container,
        endpoint,
        port_id: port.id,
        host_base: Be16::new(port.host_port),
        container_base: Be16::new(port.container_port),
    };
    let key = |port_no: u16| PublishKey {
        addr: host,
        proto: port.proto.number(),
        _pad: 0,
        port: Be16::new(port_no),
    };
    if port.count == 1 {
        state.entry(single, &key(port.host_port), &value);
        return;
    }
    for block in port_blocks(port.host_port, port.host_last()) {
        let range = lpm_key(range_prefix::<A>(block.bits), key(block.base));
        state.raw_entry(ranges, range, &value);
    }
}
