//! Hands a packet on, once everything about it is decided.

use netctl_common::{
    drop_reason::DropReason,
    flow::{Flow, flags},
    settings,
    wire::Mac,
};

use crate::{
    family::Family,
    helpers, host,
    icmp::reply,
    maps,
    packet::{Packet, header::Header as _},
    rewrite,
};

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
    let leaves = flow.flags & (flags::TO_UPLINK | flags::TO_UPLINK_L2) != 0;
    if leaves && is_too_big(packet, flow.out_ifindex) {
        return Err(DropReason::TooBig);
    }
    rewrite::apply(packet, flow)?;
    Ok(deliver(packet, flow, hook))
}

/// Sends a packet that is rewritten already.
#[inline(always)]
pub(crate) fn deliver<A: Family>(packet: &Packet<A>, flow: &Flow<A>, hook: Hook) -> i32 {
    if flow.flags & flags::TO_CONTAINER != 0 {
        to_container(packet, flow.out_ifindex, hook)
    } else if flow.flags & flags::TO_UPLINK != 0 {
        helpers::redirect_neigh(flow.out_ifindex)
    } else if flow.flags & flags::TO_UPLINK_L2 != 0 {
        helpers::redirect(flow.out_ifindex)
    } else {
        helpers::redirect_ingress(flow.out_ifindex)
    }
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

/// A packet that is one on the wire must fit the uplink; the kernel would drop it unseen.
#[inline(always)]
pub(crate) fn is_too_big<A: Family>(packet: &Packet<A>, uplink: u32) -> bool {
    /// Every host takes this much, of IPv6 by RFC 8200; smaller packets skip the lookup.
    const SMALL: u32 = 1_280;
    let length = packet.headers.ip.total_length();
    length > SMALL
        && packet.segments() <= 1
        && host::uplink(uplink).is_some_and(|uplink| {
            reply::note_mtu(packet.skb, uplink.mtu);
            length > uplink.mtu
        })
}
