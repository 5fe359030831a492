//! Hands a packet on, once everything about it is decided.

use netctl_common::{
    drop_reason::DropReason,
    flow::{Flow, flags},
    settings,
    wire::Mac,
};

use crate::{cut, family::Family, helpers, host, icmp::reply, maps, packet::Packet, rewrite};

/// Where the running program is attached: `redirect_peer` works from ingress only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    Ingress,
    Egress,
}

/// Rewrites the packet as its flow says and sends it where the flow says.
#[inline(always)]
pub(crate) fn by_flow<A: Family>(
    packet: &mut Packet<A>,
    flow: &Flow<A>,
    hook: Hook,
) -> Result<i32, DropReason> {
    // What the host's stack sends fits the anchor, whose MTU is the network's.
    if hook == Hook::Ingress && is_too_big(packet, flow) {
        return cut::start(packet, flow);
    }
    rewrite::apply(packet, flow)?;
    deliver(packet, flow, hook)
}

/// Sends a packet that is rewritten already.
#[inline(always)]
pub(crate) fn deliver<A: Family>(
    packet: &Packet<A>,
    flow: &Flow<A>,
    hook: Hook,
) -> Result<i32, DropReason> {
    Ok(if flow.flags & flags::TO_CONTAINER != 0 {
        to_container(packet, flow.out_ifindex, hook)
    } else if flow.flags & flags::TO_UPLINK != 0 {
        helpers::redirect_neigh(flow.out_ifindex)
    } else if flow.flags & flags::TO_UPLINK_L2 != 0 {
        helpers::redirect(flow.out_ifindex)
    } else if flow.flags & flags::HAIRPIN != 0 {
        return helpers::jump(packet.skb, A::HAIRPIN);
    } else {
        helpers::redirect_ingress(flow.out_ifindex)
    })
}

/// Into the container behind `ifindex`, MACs already right.
#[inline(always)]
pub(crate) fn to_container<A: Family>(packet: &Packet<A>, ifindex: u32, hook: Hook) -> i32 {
    let may_peer = maps::settings().is_some_and(|s| s.flags & settings::flags::REDIRECT_PEER != 0);
    helpers::redirect_peer(packet.skb, ifindex, hook == Hook::Ingress && may_peer)
}

/// Into the container with MACs of the network's gateway and of the container.
#[inline(always)]
pub(crate) fn to_container_as<A: Family>(
    packet: &mut Packet<A>,
    ifindex: u32,
    (smac, dmac): (Mac, Mac),
    hook: Hook,
) -> Result<i32, DropReason> {
    (packet.headers.smac, packet.headers.dmac) = (smac, dmac);
    packet.store_headers()?;
    Ok(to_container(packet, ifindex, hook))
}

/// To the host's own stack, as received on the anchor: its firewall and rp_filter see it.
#[inline(always)]
pub(crate) fn to_host(anchor: u32) -> i32 {
    helpers::redirect_ingress(anchor)
}

/// What is one packet on the wire must fit the interface that it goes to, or the kernel would drop
/// it unseen: on its way out, and before 6.1, where packets go to containers through the veth's
/// queue, on its way in.
#[inline(always)]
fn is_too_big<A: Family>(packet: &Packet<A>, flow: &Flow<A>) -> bool {
    /// Every host takes this much, of IPv6 by RFC 8200; smaller packets skip the lookup.
    const SMALL: u32 = 1_280;
    let length = packet.longest();
    length > SMALL
        && mtu_of(flow).is_some_and(|mtu| {
            reply::note_mtu(packet.skb, mtu);
            length > mtu
        })
}

/// MTU of the interface that the flow's packets go to; `None`: the host's own stack takes all.
#[inline(always)]
fn mtu_of<A: Family>(flow: &Flow<A>) -> Option<u32> {
    if flow.flags & (flags::TO_UPLINK | flags::TO_UPLINK_L2) != 0 {
        return host::uplink(flow.out_ifindex).map(|uplink| uplink.mtu);
    }
    if flow.flags & flags::TO_CONTAINER == 0 {
        return None;
    }
    let endpoint = host::endpoint(flow.out_ifindex)?;
    host::network(endpoint.network).map(|network| network.mtu)
}
