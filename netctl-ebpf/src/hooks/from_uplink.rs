//! Every uplink, TC ingress: published ports, and replies to what containers sent. Everything
//! else is left alone.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use netctl_common::{
    drop_reason::DropReason,
    flow::{flags, side},
    packet::proto,
    publish::Published,
    wire::{Address, V4},
};

use crate::{
    drop,
    flow::{self, Keep, Leg, NewFlow},
    forward::{self, Hook},
    fragment,
    helpers::{self, verdict},
    hooks::routes,
    host, maps,
    packet::{Kind, Packet},
    publish::{self, Match},
};

/// See the module.
#[classifier]
#[inline(always)]
pub(crate) fn from_uplink(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    drop::finish(skb, try_from_uplink(skb))
}

#[inline(always)]
fn try_from_uplink(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program.
    if unsafe { (*skb).vlan_present } != 0 {
        // For a VLAN's own interface, where this program sees it again without the tag.
        return Ok(verdict::NEXT);
    }
    // What is too short or broken is the stack's to judge: it may not be ours at all.
    let mut packet = Packet::new(skb);
    let Ok(Kind::Ipv4) = packet.load() else {
        return Ok(verdict::NEXT);
    };
    if packet.headers.dmac.is_group() || packet.parse_ipv4().is_err() {
        return Ok(verdict::NEXT);
    }
    let known = fragment::track(&mut packet, side::OUTSIDE).is_ok();
    if known && let Some(flow) = flow::follow(&packet.key(side::OUTSIDE), &packet) {
        return forward::by_flow(&mut packet, flow, Hook::Ingress);
    }
    let (src, dst) = (packet.headers.src, packet.headers.dst);
    if host::network_of(src).is_some() {
        return Err(DropReason::SpoofedSource);
    }
    if host::network_of(dst).is_some() {
        return Err(DropReason::FromOutside);
    }
    if !packet.has_l4 || packet.headers.proto == proto::ICMP || !host::is_local(dst) {
        return Ok(verdict::NEXT);
    }
    match publish::lookup(dst, packet.dport, packet.headers.proto, Match::Local) {
        Some(published) => open(&mut packet, published),
        None => Ok(verdict::NEXT),
    }
}

/// First packet to a published port (walk 4): the client's address is kept.
#[inline(always)]
fn open(packet: &mut Packet, published: &Published<V4>) -> Result<i32, DropReason> {
    let (src, dst) = (packet.headers.src, packet.headers.dst);
    if src.is_loopback() || src.is_multicast() || src.0 == 0 || src == V4::BROADCAST {
        return Err(DropReason::MartianAddress);
    }
    if host::is_local(src) {
        return Err(DropReason::SpoofedSource);
    }
    // A process of the host may have drawn the port for a connection of its own, whose packets
    // these are then. What opens a connection goes to the published port: a listener that got
    // the port by chance does not take it.
    let socket = helpers::find_socket(
        packet.skb,
        packet.headers.proto,
        (src, packet.sport),
        (dst, packet.dport),
    );
    if socket == helpers::Socket::Connected {
        return Ok(verdict::NEXT);
    }
    if !flow::may_open(packet) {
        return Err(DropReason::NoFlow);
    }
    let endpoint = host::endpoint(published.endpoint).ok_or(DropReason::NoEndpoint)?;
    let network = host::network(endpoint.network).ok_or(DropReason::NoEndpoint)?;
    let key = packet.key(side::OUTSIDE);
    let mut reply = key.reversed(side::INSIDE);
    reply.src = published.addr;
    reply.sport = published.container_port(packet.dport);
    let leg = Leg {
        out_ifindex: published.endpoint,
        endpoint: published.endpoint,
        generation: endpoint.generation,
        flags: flags::TO_CONTAINER | flags::ROUTED | flags::PORT_RX | flags::DNAT,
        smac: network.mac,
        dmac: endpoint.mac,
    };
    let ifindex = packet.ifindex();
    let draft = routes::draft()?;
    *draft = NewFlow {
        key,
        reply,
        forward_leg: leg,
        reply_leg: Leg {
            out_ifindex: ifindex,
            flags: way_back(packet, network.anchor_ifindex, ifindex)
                | flags::ROUTED
                | flags::PORT_TX
                | flags::DNAT,
            smac: packet.headers.dmac,
            dmac: packet.headers.smac,
            ..leg
        },
        port_id: published.port_id,
        host_port: packet.dport,
        tcp_flags: packet.tcp_flags,
        keep: Keep::Always,
    };
    routes::open(packet, draft, Hook::Ingress)
}

/// The reply leaves by the interface that the request came in on: by the routes where they
/// agree, else back to the MAC that it came from.
#[inline(always)]
fn way_back(packet: &Packet, anchor: u32, ifindex: u32) -> u16 {
    let default = maps::settings().map_or(0, |s| s.default_uplink);
    let (src, dst) = (packet.headers.dst, packet.headers.src);
    match helpers::route(packet.skb, anchor, src, dst, default) {
        Some(out) if out == ifindex => flags::TO_UPLINK,
        _ => flags::TO_UPLINK_L2,
    }
}
