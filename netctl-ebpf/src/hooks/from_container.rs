//! Host side of every veth, TC ingress: everything that a container sends.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use netctl_common::{
    drop_reason::DropReason,
    endpoint::{Endpoint, FdbKey, flags as endpoint_flags},
    flow::side,
    network::{Network, flags as network_flags},
    wire::Address,
};

use crate::{
    arp, drop, flood, flow,
    forward::{self, Hook},
    fragment,
    hooks::routes,
    host,
    maps::FDB,
    packet::{Kind, Packet},
    publish::{self, Match},
};

/// See the module.
#[classifier]
#[inline(always)]
pub(crate) fn from_container(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    drop::finish(skb, try_from_container(skb))
}

#[inline(always)]
fn try_from_container(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::new(skb);
    let kind = packet.load()?;
    let ifindex = packet.ifindex();
    let endpoint = host::endpoint(ifindex).ok_or(DropReason::NoEndpoint)?;
    let network = host::network(endpoint.network).ok_or(DropReason::NoEndpoint)?;
    // SAFETY: the context of the running program.
    if unsafe { (*skb).vlan_present } != 0 {
        return Err(DropReason::UnknownEtherType);
    }
    if packet.headers.smac != endpoint.mac {
        return Err(DropReason::SpoofedMac);
    }
    match kind {
        Kind::Arp => return arp::answer(&mut packet, endpoint, network),
        Kind::Other => return Err(DropReason::UnknownEtherType),
        Kind::Ipv4 => {}
    }
    if packet.headers.src != endpoint.addr4 {
        return Err(DropReason::SpoofedSource);
    }
    packet.parse_ipv4()?;
    if packet.headers.dmac.is_group() {
        if network.flags & network_flags::ICC == 0 {
            return Err(DropReason::IccDisabled);
        }
        return flood::start(skb, ifindex);
    }
    if packet.headers.dmac == network.mac {
        return to_gateway(&mut packet, endpoint, network, ifindex);
    }
    to_neighbour(&mut packet, endpoint, network)
}

/// A frame for another member: forwarded as it is, unless it answers a translated flow.
#[inline(always)]
fn to_neighbour(
    packet: &mut Packet,
    endpoint: &Endpoint,
    network: &Network,
) -> Result<i32, DropReason> {
    if endpoint.flags & endpoint_flags::PUBLISHED != 0 {
        // A later fragment whose first one was not seen is no reply of ours: forward as is.
        let known = fragment::track(packet, side::INSIDE).is_ok();
        if known && let Some(flow) = flow::follow(&packet.key(side::INSIDE), packet) {
            return forward::by_flow(packet, flow, Hook::Ingress);
        }
    }
    if network.flags & network_flags::ICC == 0 {
        return Err(DropReason::IccDisabled);
    }
    let key = FdbKey {
        network: endpoint.network,
        mac: packet.headers.dmac,
        _pad: 0,
    };
    let Some(entry) = FDB.get_ptr(&key) else {
        return Err(DropReason::UnknownUnicast);
    };
    // SAFETY: the daemon replaces entries whole.
    let target = unsafe { (*entry).ifindex };
    Ok(forward::to_container(packet, target, Hook::Ingress))
}

/// A frame for the gateway: to be routed, or for the host itself.
#[inline(always)]
fn to_gateway(
    packet: &mut Packet,
    endpoint: &Endpoint,
    network: &Network,
    ifindex: u32,
) -> Result<i32, DropReason> {
    fragment::track(packet, side::INSIDE)?;
    if let Some(flow) = flow::follow(&packet.key(side::INSIDE), packet) {
        return forward::by_flow(packet, flow, Hook::Ingress);
    }
    let dst = packet.headers.dst;
    if dst.is_loopback() || dst.is_multicast() || dst.0 == 0 || dst == network.broadcast4 {
        return Err(DropReason::MartianAddress);
    }
    let draft = routes::draft()?;
    let internal = network.flags & network_flags::INTERNAL != 0;
    if host::is_local(dst) {
        if internal && dst != network.gateway4 {
            return Err(DropReason::InternalNetwork);
        }
        match publish::lookup(dst, packet.dport, packet.headers.proto, Match::Local) {
            Some(published) if !internal && packet.has_l4 => {
                routes::to_published(packet, endpoint, ifindex, published, draft)?;
            }
            _ => return Ok(forward::to_host(network.anchor_ifindex)),
        }
    } else {
        match host::network_of(dst) {
            // Sent by way of the gateway, but the destination is a neighbour.
            Some(id) if id == endpoint.network => {
                return routes::to_member(packet, endpoint, network);
            }
            Some(_) => return Err(DropReason::NetworkIsolated),
            None if internal => return Err(DropReason::InternalNetwork),
            None => {}
        }
        // It would have to be translated by what it quotes.
        if packet.is_icmp_message() {
            return Err(DropReason::IcmpUnsupported);
        }
        routes::to_outside(packet, endpoint, network, ifindex, draft)?;
    }
    routes::open(packet, draft, Hook::Ingress)
}
