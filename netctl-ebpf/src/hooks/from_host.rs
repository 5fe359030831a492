//! The anchor, TC egress: what the host's own processes send to containers.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use netctl_common::{
    drop_reason::DropReason,
    endpoint::{NeighKey, flags as endpoint_flags},
    flow::side,
    sock::SockKey,
    wire::{Address, Be16},
};

use crate::{
    drop, flow,
    forward::{self, Hook},
    fragment, helpers,
    helpers::verdict,
    hooks::routes,
    host,
    maps::{NEIGH4, SOCK4},
    packet::{Kind, Packet},
};

/// See the module.
#[classifier]
#[inline(always)]
pub(crate) fn from_host(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    drop::finish(skb, try_from_host(skb))
}

#[inline(always)]
fn try_from_host(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::new(skb);
    let kind = packet.load()?;
    if !matches!(kind, Kind::Ipv4) {
        // The anchor has no ports: what is not ours ends there, as on any empty bridge.
        return Ok(verdict::NEXT);
    }
    // SAFETY: the context of the running program.
    if unsafe { (*skb).ingress_ifindex } != 0 {
        // Forwarded by the stack for somebody else: containers are reached by their ports only.
        return Err(DropReason::NotFromHost);
    }
    packet.parse_ipv4()?;
    if packet.headers.dst.is_multicast() || packet.headers.dmac.is_group() {
        return Ok(verdict::NEXT);
    }
    fragment::track(&mut packet, side::INSIDE)?;
    if let Some(flow) = flow::follow(&packet.key(side::INSIDE), &packet) {
        return forward::by_flow(&mut packet, flow, Hook::Egress);
    }
    let id = host::network_of(packet.headers.dst).ok_or(DropReason::UnknownDestination)?;
    let network = host::network(id).ok_or(DropReason::UnknownDestination)?;
    let key = NeighKey {
        network: id,
        addr: packet.headers.dst,
    };
    let Some(neigh) = NEIGH4.get_ptr(&key) else {
        return Err(DropReason::UnknownDestination);
    };
    // SAFETY: the daemon replaces entries whole.
    let neigh = unsafe { *neigh };
    let endpoint = host::endpoint(neigh.ifindex).ok_or(DropReason::NoEndpoint)?;
    let loopback = packet.headers.src.is_loopback();
    if loopback && !packet.has_l4 {
        // The container could not answer it, and nothing tells whose answer it would be.
        return Err(DropReason::MartianAddress);
    }
    if packet.has_l4 && (endpoint.flags & endpoint_flags::PUBLISHED != 0 || loopback) {
        let port = published_port(&packet);
        if loopback || port.is_some() {
            let draft = routes::draft()?;
            routes::from_process(&packet, (neigh.ifindex, endpoint), network, port, draft)?;
            return routes::open(&mut packet, draft, Hook::Egress);
        }
    }
    forward::to_container_as(
        &mut packet,
        neigh.ifindex,
        (network.mac, neigh.mac),
        Hook::Egress,
    )
}

/// The published port that led the sending socket here, if one did.
#[inline(always)]
fn published_port(packet: &Packet) -> Option<(u32, Be16)> {
    if !routes::is_tracked(packet.headers.proto) {
        return None;
    }
    let key = SockKey {
        cookie: helpers::socket_cookie(packet.skb.cast()),
        addr: packet.headers.dst,
        port: packet.dport,
        proto: packet.headers.proto,
        _pad: 0,
    };
    let sock = SOCK4.get_ptr(&key)?;
    // SAFETY: a live value, written once for a socket and destination.
    let sock = unsafe { *sock };
    Some((sock.port_id, sock.port))
}
