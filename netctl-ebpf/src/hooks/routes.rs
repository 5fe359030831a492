//! First packets of flows: where they go, and the draft of the flow that takes the rest there.
//!
//! Each function fills this CPU's draft; [`open`] has the flow made and the packet sent.

use netctl_common::{
    drop_reason::DropReason,
    endpoint::Endpoint,
    flow::{flags, side},
    host::uplink_flags,
    network::{Network, flags as network_flags},
    packet::proto,
    publish::Published,
    wire::{Be16, Mac},
};

use crate::{
    family::Family,
    flow::{self, Keep, Leg, NewFlow},
    forward::{self, Hook},
    helpers,
    hooks::from_uplink,
    host, lookup, mapping,
    packet::{Packet, has_ports},
};

/// This CPU's draft.
#[inline(always)]
pub(crate) fn draft<A: Family>() -> Result<&'static mut NewFlow<A>, DropReason> {
    let draft = A::drafts()
        .get_ptr_mut(0)
        .ok_or(DropReason::FlowTableFull)?;
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    Ok(unsafe { &mut *draft })
}

/// Goes on with the program that makes the drafted flow and sends the packet by it.
#[inline(always)]
pub(crate) fn open<A: Family>(
    packet: &Packet<A>,
    draft: &mut NewFlow<A>,
    hook: Hook,
) -> Result<i32, DropReason> {
    draft.hook = hook;
    helpers::jump(packet.skb, A::CREATE)
}

/// Out by an uplink, masqueraded unless the network says otherwise (walk 2).
#[inline(always)]
pub(crate) fn to_outside<A: Family>(
    packet: &Packet<A>,
    endpoint: &Endpoint,
    network: &Network,
    ifindex: u32,
    draft: &mut NewFlow<A>,
) -> Result<(), DropReason> {
    if !flow::may_open(packet) {
        return Err(DropReason::NoFlow);
    }
    let (src, dst) = (packet.src(), packet.dst());
    let out = lookup::route(packet.skb, network.anchor_ifindex, src, dst)
        .ok_or(DropReason::NoRoute)?
        .get();
    let uplink = host::uplink(out).ok_or(DropReason::NoRoute)?;
    if uplink.flags & uplink_flags::ISOLATED != 0 {
        return Err(DropReason::NetworkIsolated);
    }
    draft.begin(packet, side::INSIDE, side::OUTSIDE);
    let kind = if masquerades::<A>(network) {
        masquerade(packet, network, A::of_uplink(uplink), draft)?
    } else {
        flags::IDENTITY
    };
    draft.forward_leg = Leg {
        out_ifindex: out,
        endpoint: ifindex,
        generation: endpoint.generation,
        flags: flags::TO_UPLINK | flags::ROUTED | kind,
        smac: uplink.mac,
        dmac: network.mac,
    };
    draft.reply_leg = Leg {
        out_ifindex: ifindex,
        flags: flags::TO_CONTAINER | flags::ROUTED | kind,
        smac: network.mac,
        dmac: endpoint.mac,
        ..draft.forward_leg
    };
    Ok(())
}

/// Whether what leaves the network by an uplink takes the uplink's address.
#[inline(always)]
fn masquerades<A: Family>(network: &Network) -> bool {
    network.flags & (network_flags::MASQUERADE | A::ROUTED) == network_flags::MASQUERADE
}

/// Whether the packet, for an address of the host, opens a connection to a port that a container is
/// masqueraded by, and no process of the host has.
#[inline(always)]
pub(crate) fn is_for_mapping<A: Family>(packet: &Packet<A>, network: &Network) -> bool {
    let (src, dst) = ((packet.src(), packet.sport), (packet.dst(), packet.dport));
    masquerades::<A>(network)
        && packet.has_l4
        && from_uplink::opens(packet)
        && mapping::behind(dst.0, dst.1, packet.proto).is_some()
        && lookup::find_socket(packet.skb, packet.proto, src, dst) == lookup::Socket::None
}

/// To a port that a container is masqueraded by: out from the sender's own mapping, and back in by
/// `hairpin`.
#[inline(always)]
pub(crate) fn to_mapping<A: Family>(
    packet: &Packet<A>,
    endpoint: &Endpoint,
    network: &Network,
    ifindex: u32,
    draft: &mut NewFlow<A>,
) -> Result<(), DropReason> {
    draft.begin(packet, side::INSIDE, side::HAIRPIN);
    let kind = masquerade(packet, network, packet.dst(), draft)?;
    draft.forward_leg = Leg {
        out_ifindex: 0,
        endpoint: ifindex,
        generation: endpoint.generation,
        flags: flags::HAIRPIN | flags::ROUTED | kind,
        smac: network.mac,
        dmac: network.mac,
    };
    draft.reply_leg = Leg {
        out_ifindex: ifindex,
        flags: flags::TO_CONTAINER | flags::ROUTED | kind,
        dmac: endpoint.mac,
        ..draft.forward_leg
    };
    Ok(())
}

/// Has the drafted flow's packets leave with the source `addr`; which kind of flow that makes it.
#[inline(always)]
fn masquerade<A: Family>(
    packet: &Packet<A>,
    network: &Network,
    addr: A,
    draft: &mut NewFlow<A>,
) -> Result<u16, DropReason> {
    if !packet.has_l4 && has_ports::<A>(packet.proto) {
        return Err(DropReason::UnknownProtocol);
    }
    if addr == A::ANY {
        return Err(DropReason::NoSourceAddress);
    }
    draft.reply.dst = addr;
    draft.keep = keep(packet, network);
    draft.notes_peers = u8::from(network.flags & network_flags::FILTER_BY_ADDRESS != 0);
    Ok(flags::SNAT)
}

/// Whether what a container of that network sends from gets one port for all destinations.
#[inline(always)]
fn keep<A: Family>(packet: &Packet<A>, network: &Network) -> Keep {
    if packet.proto == proto::SCTP || !has_ports::<A>(packet.proto) {
        Keep::Unmoved
    } else if network.flags & network_flags::MAPPING_BY_DESTINATION == 0 {
        Keep::Mapped
    } else {
        Keep::IfUnused
    }
}

/// To a published port by an address of the host: of another container (walk 6: only the
/// destination changes) or of the sender itself (walk 5: the source becomes the gateway, or the
/// container would see a packet from itself).
///
/// A container that is on the sender's network as well is reached there: its answer takes that way,
/// and would come from an address that it does not have there.
#[inline(always)]
pub(crate) fn to_published<A: Family>(
    packet: &Packet<A>,
    endpoint: &Endpoint,
    ifindex: u32,
    published: &Published<A>,
    draft: &mut NewFlow<A>,
) -> Result<(), DropReason> {
    if !flow::may_open(packet) {
        return Err(DropReason::NoFlow);
    }
    let mut target = published.endpoint;
    let mut backend = host::endpoint(target).ok_or(DropReason::NoEndpoint)?;
    let mut addr = published.addr;
    if backend.network != endpoint.network
        && let Some(beside) = host::beside(endpoint.network, addr)
    {
        target = beside.get();
        backend = host::endpoint(target).ok_or(DropReason::NoEndpoint)?;
        addr = A::of_endpoint(backend);
    }
    let backend_network = host::network(backend.network).ok_or(DropReason::NoEndpoint)?;
    let own_network = host::network(endpoint.network).ok_or(DropReason::NoEndpoint)?;
    let hairpin = target == ifindex;
    draft.begin(packet, side::INSIDE, side::INSIDE);
    draft.lead_to(published, packet.dport);
    draft.reply.src = addr;
    if hairpin {
        draft.reply.dst = A::of_gateway(own_network);
    }
    let kind = if hairpin {
        flags::DNAT | flags::SNAT
    } else {
        flags::DNAT
    };
    // A member of the backend's own network can also call it directly, and that is not tracked;
    // and the gateway's address is the host's own. So the port is one that neither of them has.
    if backend.network == endpoint.network && packet.proto != proto::SCTP {
        draft.keep = Keep::Moved;
    }
    draft.forward_leg = Leg {
        out_ifindex: target,
        endpoint: target,
        generation: backend.generation,
        flags: flags::TO_CONTAINER | flags::ROUTED | flags::PORT_RX | kind,
        smac: backend_network.mac,
        dmac: backend.mac,
    };
    draft.reply_leg = Leg {
        out_ifindex: ifindex,
        endpoint: ifindex,
        generation: endpoint.generation,
        flags: flags::TO_CONTAINER | flags::ROUTED | flags::PORT_TX | kind,
        smac: own_network.mac,
        dmac: endpoint.mac,
    };
    Ok(())
}

/// To a member of the sender's own network, sent to the gateway's MAC.
#[inline(always)]
pub(crate) fn to_member<A: Family>(
    packet: &mut Packet<A>,
    endpoint: &Endpoint,
    network: &Network,
) -> Result<i32, DropReason> {
    if network.flags & network_flags::ICC == 0 {
        return Err(DropReason::IccDisabled);
    }
    let neigh =
        host::neighbour(endpoint.network, packet.dst()).ok_or(DropReason::UnknownDestination)?;
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
pub(crate) fn from_process<A: Family>(
    packet: &Packet<A>,
    backend: (u32, &Endpoint),
    network: &Network,
    port: Option<(u32, Be16)>,
    draft: &mut NewFlow<A>,
) -> Result<(), DropReason> {
    let (out_ifindex, endpoint) = backend;
    draft.begin(packet, side::INSIDE, side::INSIDE);
    // A process that bound itself to 127.0.0.1: the container must see an address that it can
    // answer (the anchor has route_localnet for this alone).
    let kind = if packet.src().is_loopback() {
        draft.reply.dst = A::of_gateway(network);
        draft.keep = Keep::IfUnused;
        flags::SNAT
    } else {
        draft.keep = Keep::Only;
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
    (draft.port_id, draft.host_port) = port.unwrap_or_default();
    draft.forward_leg = leg;
    // The stack takes a packet to ::1 from the loopback interface only (ip6_rcv_core).
    let (host_ifindex, host_mac) = if A::VERSION == 6 && packet.src().is_loopback() {
        (LOOPBACK, Mac([0; 6]))
    } else {
        (network.anchor_ifindex, network.mac)
    };
    draft.reply_leg = Leg {
        out_ifindex: host_ifindex,
        flags: flags::TO_HOST | flags::PORT_TX | kind,
        smac: endpoint.mac,
        dmac: host_mac,
        ..leg
    };
    Ok(())
}

/// Index of `lo` in every network namespace; its MAC is zero.
const LOOPBACK: u32 = 1;

/// Protocols whose packets of a host process are tracked for a published port.
#[inline(always)]
pub(crate) fn is_tracked(protocol: u8) -> bool {
    protocol == proto::TCP || protocol == proto::UDP
}
