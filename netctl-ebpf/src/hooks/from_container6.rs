//! IPv6 from a container: what differs from IPv4 before the common walk.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    drop_reason::DropReason,
    flow::side,
    jump,
    packet::{icmpv6, proto},
    wire::{Address, V6},
};

use super::from_container::{Sender, open, walk};
use crate::{forward, fragment, helpers, nd, packet::Packet, program::programs};

programs! {
    /// See the module. Jumped to from `from_container`.
    from_container6: V6 = try_from_container6;
}

#[inline(always)]
fn try_from_container6(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<V6>::new(skb);
    packet.load()?;
    let sender = Sender::of(&packet)?;
    let (endpoint, network) = (sender.endpoint, sender.network);
    if endpoint.addr6 == V6::ANY {
        return Err(DropReason::Ipv6Disabled);
    }
    packet.parse()?;
    let src = packet.src();
    let is_link_local = src == endpoint.mac.link_local();
    // An interface that has no address yet asks whether anybody has its own, and nothing else.
    let is_nameless = src == V6::ANY && is_control(&packet);
    if src != endpoint.addr6 && !is_link_local && !is_nameless {
        return Err(DropReason::SpoofedSource);
    }
    if is_control(&packet) {
        return helpers::jump(skb, jump::ND);
    }
    let dst = packet.dst();
    if packet.headers.dmac == network.mac && (is_link_local || dst.is_link_local()) {
        // Nothing of this kind is routed (RFC 4291, section 2.5.6).
        return if dst == network.mac.link_local() || dst == network.gateway6 {
            Ok(forward::to_host(network.anchor_ifindex))
        } else {
            Err(DropReason::MartianAddress)
        };
    }
    walk(&mut packet, sender)
}

programs! {
    /// The first packet of a flow. Jumped to from `from_container6`, which has looked at it.
    open_from_container6: V6 = try_open;
}

#[inline(always)]
fn try_open(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<V6>::new(skb);
    packet.load()?;
    let sender = Sender::of(&packet)?;
    packet.parse()?;
    // A later fragment got its ports there; here it asks again.
    if !fragment::track(&mut packet, side::INSIDE, None)? {
        return Err(DropReason::Fragment);
    }
    open(&mut packet, sender)
}

programs! {
    /// Neighbour discovery. Jumped to from `from_container6`, which has looked at the sender.
    nd: V6 = try_nd;
}

#[inline(always)]
fn try_nd(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<V6>::new(skb);
    packet.load()?;
    let Sender {
        endpoint, network, ..
    } = Sender::of(&packet)?;
    packet.parse()?;
    nd::answer(&packet, endpoint, network)
}

/// Neighbour discovery and multicast listeners' reports: between an interface and its link.
#[inline(always)]
fn is_control(packet: &Packet<V6>) -> bool {
    packet.proto == proto::ICMPV6
        && !packet.is_later_fragment()
        && (matches!(
            packet.icmp_type,
            icmpv6::ROUTER_SOLICITATION..=icmpv6::REDIRECT
                | icmpv6::LISTENER_QUERY..=icmpv6::LISTENER_DONE
                | icmpv6::LISTENER_REPORT_V2
        ))
}
