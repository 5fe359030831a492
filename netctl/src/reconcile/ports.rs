//! Published ports as map entries: one for a single port, aligned blocks for a range.

use std::{collections::BTreeMap, net::IpAddr};

use netctl_common::{
    publish::{PublishKey, Published, port_blocks, range_prefix},
    wire::{Address, Be16, V4},
};

use super::touch::Touch;
use crate::{
    kernel::{
        names,
        port_set::PortSet,
        state::{Key, LocalPorts, Object, State},
        tables::{Table, lpm_key},
    },
    model::{EndpointId, Model, PublishedPort},
};

/// `first`: the endpoint of each sandbox that published ports lead to.
pub fn lower(state: &mut State, model: &Model, first: &BTreeMap<&str, EndpointId>, touch: &Touch) {
    lower_local_ports(state, model, touch);
    // In order of their numbers: where two specs on different addresses reserve the same port,
    // the older one names it.
    for port in touch.ports(model) {
        let IpAddr::V4(host_ip) = port.host_ip else {
            continue;
        };
        let endpoint = first
            .get(port.sandbox.as_str())
            .and_then(|id| model.endpoints.get(id));
        // A sandbox without a way in has nothing to lead to.
        let Some(endpoint) = endpoint else { continue };
        let value = Published {
            addr: V4::from(endpoint.addr),
            endpoint: names::endpoint_ifindex(endpoint.id),
            port_id: port.id,
            host_base: Be16::new(port.host_port),
            container_base: Be16::new(port.container_port),
        };
        lower_port(state, port, V4::from(host_ip), &value);
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

fn lower_port(state: &mut State, port: &PublishedPort, addr: V4, value: &Published<V4>) {
    let key = |addr: V4, port_no: u16| PublishKey {
        addr,
        proto: port.proto.number(),
        _pad: 0,
        port: Be16::new(port_no),
    };
    if port.count == 1 {
        state.entry(Table::Published4, &key(addr, port.host_port), value);
    }
    for block in port_blocks(port.host_port, port.host_last()) {
        let prefix = range_prefix::<V4>(block.bits);
        if port.count > 1 {
            let range = lpm_key(prefix, key(addr, block.base));
            state.raw_entry(Table::PublishedRange4, range, value);
        }
        let reserved = lpm_key(prefix, key(V4::ANY, block.base));
        if !state.contains(&Key::Entry(Table::Reserved, reserved.clone())) {
            state.raw_entry(Table::Reserved, reserved, &port.id);
        }
    }
}
