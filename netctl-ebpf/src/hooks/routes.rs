//! First packets of flows: where they go, and the draft of the flow that takes the rest there.
//!
//! Each function fills this CPU's draft; [`open`] makes the flow and sends the packet. One
//! place of creation in each program keeps the verifier's work small.

use netctl_common::{
    drop_reason::DropReason,
    endpoint::{Endpoint, NeighKey},
    flow::{flags, side},
    network::{Network, flags as network_flags},
    packet::proto,
    publish::Published,
    wire::V4,
};

use crate::{
    flow::{self, Keep, Leg, NewFlow},
    forward::{self, Hook},
    helpers, host,
    maps::{self, DRAFT4, NEIGH4},
    masquerade,
    packet::Packet,
};

/// This CPU's draft.
#[inline(always)]
pub(crate) fn draft() -> Result<&'static mut NewFlow<V4>, DropReason> {
    let draft = DRAFT4.get_ptr_mut(0).ok_or(DropReason::FlowTableFull)?;
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    Ok(unsafe { &mut *draft })
}

/// Makes the drafted flow and sends the packet by it.
#[inline(always)]
pub(crate) fn open(
    packet: &mut Packet,
    draft: &mut NewFlow<V4>,
    hook: Hook,
) -> Result<i32, DropReason> {
    let flow = masquerade::create(draft, packet)?;
    forward::by_flow(packet, flow, hook)
}

/// Out by an uplink, masqueraded unless the network says otherwise (walk 2).
#[inline(always)]
pub(crate) fn to_outside(
    packet: &Packet,
    endpoint: &Endpoint,
    network: &Network,
    ifindex: u32,
    draft: &mut NewFlow<V4>,
) -> Result<(), DropReason> {
    if !flow::may_open(packet) {
        return Err(DropReason::NoFlow);
    }
    let default = maps::settings().map_or(0, |s| s.default_uplink);
    let (src, dst) = (packet.headers.src, packet.headers.dst);
    let out = helpers::route(packet.skb, network.anchor_ifindex, src, dst, default).ok_or(
        if forward::is_too_big(packet, default) {
            DropReason::TooBig
        } else {
            DropReason::NoRoute
        },
    )?;
    let uplink = host::uplink(out).ok_or(DropReason::NoRoute)?;
    let masquerade = network.flags & network_flags::MASQUERADE != 0;
    let kind = if masquerade {
        if !packet.has_l4 {
            return Err(DropReason::UnknownProtocol);
        }
        if uplink.addr4.0 == 0 {
            return Err(DropReason::NoSourceAddress);
        }
        flags::SNAT
    } else {
        flags::IDENTITY
    };
    let key = packet.key(side::INSIDE);
    let mut reply = key.reversed(side::OUTSIDE);
    if masquerade {
        reply.dst = uplink.addr4;
    }
    *draft = NewFlow {
        key,
        reply,
        forward_leg: Leg {
            out_ifindex: out,
            endpoint: ifindex,
            generation: endpoint.generation,
            flags: flags::TO_UPLINK | flags::ROUTED | kind,
            smac: uplink.mac,
            dmac: network.mac,
        },
        reply_leg: Leg {
            out_ifindex: ifindex,
            endpoint: ifindex,
            generation: endpoint.generation,
            flags: flags::TO_CONTAINER | flags::ROUTED | kind,
            smac: network.mac,
            dmac: endpoint.mac,
        },
        port_id: 0,
        host_port: netctl_common::wire::Be16(0),
        tcp_flags: packet.tcp_flags,
        keep: if masquerade {
            Keep::IfUnused
        } else {
            Keep::Always
        },
    };
    Ok(())
}

/// To a published port by an address of the host: of another container (walk 6: only the
/// destination changes) or of the sender itself (walk 5: the source becomes the gateway, or the
/// container would see a packet from itself).
#[inline(always)]
pub(crate) fn to_published(
    packet: &Packet,
    endpoint: &Endpoint,
    ifindex: u32,
    published: &Published<V4>,
    draft: &mut NewFlow<V4>,
) -> Result<(), DropReason> {
    if !flow::may_open(packet) {
        return Err(DropReason::NoFlow);
    }
    let backend = host::endpoint(published.endpoint).ok_or(DropReason::NoEndpoint)?;
    let backend_network = host::network(backend.network).ok_or(DropReason::NoEndpoint)?;
    let own_network = host::network(endpoint.network).ok_or(DropReason::NoEndpoint)?;
    let hairpin = published.endpoint == ifindex;
    let key = packet.key(side::INSIDE);
    let mut reply = key.reversed(side::INSIDE);
    reply.src = published.addr;
    reply.sport = published.container_port(packet.dport);
    if hairpin {
        reply.dst = own_network.gateway4;
    }
    let kind = if hairpin {
        flags::DNAT | flags::SNAT
    } else {
        flags::DNAT
    };
    // A member of the backend's own network can also call it directly, and that is not tracked:
    // the port must be one that its stack does not draw for the same tuple.
    let keep = if backend.network == endpoint.network {
        Keep::IfUnused
    } else {
        Keep::Always
    };
    *draft = NewFlow {
        key,
        reply,
        forward_leg: Leg {
            out_ifindex: published.endpoint,
            endpoint: published.endpoint,
            generation: backend.generation,
            flags: flags::TO_CONTAINER | flags::ROUTED | flags::PORT_RX | kind,
            smac: backend_network.mac,
            dmac: backend.mac,
        },
        reply_leg: Leg {
            out_ifindex: ifindex,
            endpoint: ifindex,
            generation: endpoint.generation,
            flags: flags::TO_CONTAINER | flags::ROUTED | flags::PORT_TX | kind,
            smac: own_network.mac,
            dmac: endpoint.mac,
        },
        port_id: published.port_id,
        host_port: packet.dport,
        tcp_flags: packet.tcp_flags,
        keep,
    };
    Ok(())
}

/// To a member of the sender's own network, sent to the gateway's MAC.
#[inline(always)]
pub(crate) fn to_member(
    packet: &mut Packet,
    endpoint: &Endpoint,
    network: &Network,
) -> Result<i32, DropReason> {
    if network.flags & network_flags::ICC == 0 {
        return Err(DropReason::IccDisabled);
    }
    let key = NeighKey {
        network: endpoint.network,
        addr: packet.headers.dst,
    };
    let Some(neigh) = NEIGH4.get_ptr(&key) else {
        return Err(DropReason::UnknownDestination);
    };
    // SAFETY: the daemon replaces entries whole.
    let neigh = unsafe { *neigh };
    forward::to_container_as(
        packet,
        neigh.ifindex,
        (network.mac, neigh.mac),
        Hook::Ingress,
    )
}

/// From a host process that was led to a container by a published port (walk 7): nothing to
/// translate any more, but tracked, so that the port's counters and `netctl flows` tell of it.
#[inline(always)]
pub(crate) fn from_process(
    packet: &Packet,
    backend: (u32, &Endpoint),
    network: &Network,
    port: Option<(u32, netctl_common::wire::Be16)>,
    draft: &mut NewFlow<V4>,
) -> Result<(), DropReason> {
    let (out_ifindex, endpoint) = backend;
    let key = packet.key(side::INSIDE);
    let mut reply = key.reversed(side::INSIDE);
    // A process that bound itself to 127.0.0.1: the container must see an address that it can
    // answer (the anchor has route_localnet for this alone).
    let loopback = netctl_common::wire::Address::is_loopback(key.src);
    let kind = if loopback {
        reply.dst = network.gateway4;
        flags::SNAT
    } else {
        flags::IDENTITY
    };
    let leg = Leg {
        out_ifindex,
        endpoint: out_ifindex,
        generation: endpoint.generation,
        flags: flags::TO_CONTAINER | flags::PORT_RX | kind,
        smac: network.mac,
        dmac: endpoint.mac,
    };
    let (port_id, host_port) = port.unwrap_or_default();
    *draft = NewFlow {
        key,
        reply,
        forward_leg: leg,
        reply_leg: Leg {
            out_ifindex: network.anchor_ifindex,
            flags: flags::TO_HOST | flags::PORT_TX | kind,
            smac: endpoint.mac,
            dmac: network.mac,
            ..leg
        },
        port_id,
        host_port,
        tcp_flags: packet.tcp_flags,
        keep: if loopback { Keep::IfUnused } else { Keep::Only },
    };
    Ok(())
}

/// Protocols whose packets of a host process are tracked for a published port.
#[inline(always)]
pub(crate) fn is_tracked(protocol: u8) -> bool {
    protocol == proto::TCP || protocol == proto::UDP
}
