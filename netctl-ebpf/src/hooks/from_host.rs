//! The anchor, TC egress: what the host's own processes send to containers.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    drop_reason::DropReason,
    endpoint::flags as endpoint_flags,
    flow::side,
    jump,
    packet::ethertype,
    sock::SockKey,
    wire::{Be16, V4, V6},
};

use crate::{
    family::Family,
    flow,
    forward::{self, Hook},
    fragment, helpers,
    helpers::verdict,
    hooks::routes,
    host,
    icmp::check,
    packet::Packet,
    program::programs,
};

programs! {
    /// See the module.
    from_host: V4 = try_from_host;

    /// See the module. Jumped to from `from_host`.
    from_host6: V6 = try_from_host6;
}

#[inline(always)]
fn try_from_host(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<V4>::new(skb);
    match packet.load()? {
        ethertype::IPV4 => walk(&mut packet),
        ethertype::IPV6 => helpers::jump(skb, jump::FROM_HOST6),
        // The anchor has no ports: what is not ours ends there, as on any empty bridge.
        _ => Ok(verdict::NEXT),
    }
}

#[inline(always)]
fn try_from_host6(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<V6>::new(skb);
    packet.load()?;
    walk(&mut packet)
}

#[inline(always)]
fn walk<A: Family>(packet: &mut Packet<A>) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program.
    let received_by = unsafe { (*packet.skb).ingress_ifindex };
    // Forwarded by the stack for somebody else: containers are reached by their ports only.
    if received_by != 0 && !is_answer(packet, received_by) {
        return Err(DropReason::NotFromHost);
    }
    packet.parse()?;
    if packet.dst().is_multicast() || packet.headers.dmac.is_group() {
        return Ok(verdict::NEXT);
    }
    // The host's stack sends the first one first.
    if !fragment::track(packet, side::INSIDE, None)? {
        return Err(DropReason::Fragment);
    }
    if packet.is_icmp_error() {
        return check::start::<A>(packet.skb, A::ICMP_FROM_HOST);
    }
    if let Some(flow) = flow::follow(&packet.key(side::INSIDE), packet) {
        return forward::by_flow(packet, flow, Hook::Egress);
    }
    untracked(packet)
}

/// Whether the packet is an answer of a port that another engine publishes by netfilter: the stack gave
/// it an address of the host, as which nothing is received. `from_uplink` keeps questions out.
#[inline(always)]
fn is_answer<A: Family>(packet: &Packet<A>, received_by: u32) -> bool {
    host::is_isolated(received_by) && host::is_local(packet.src())
}

/// An ICMP error about no flow of ours: to the container as it is.
// VERIFIER: "invalid read from stack" (5.10): what `published_port` may not give is not asked for.
#[inline(always)]
pub(crate) fn untracked_error<A: Family>(packet: &mut Packet<A>) -> Result<i32, DropReason> {
    if packet.src().is_loopback() {
        return Err(DropReason::MartianAddress);
    }
    let id = host::network_of(packet.dst()).ok_or(DropReason::UnknownDestination)?;
    let network = host::network(id).ok_or(DropReason::UnknownDestination)?;
    let neigh = host::neighbour(id, packet.dst()).ok_or(DropReason::UnknownDestination)?;
    let macs = (network.mac, neigh.mac);
    forward::to_container_as(packet, neigh.ifindex, macs, Hook::Egress)
}

/// A packet of no flow yet: to the container, with one if a published port led here.
#[inline(always)]
fn untracked<A: Family>(packet: &mut Packet<A>) -> Result<i32, DropReason> {
    let id = host::network_of(packet.dst()).ok_or(DropReason::UnknownDestination)?;
    let network = host::network(id).ok_or(DropReason::UnknownDestination)?;
    let neigh = host::neighbour(id, packet.dst()).ok_or(DropReason::UnknownDestination)?;
    let endpoint = host::endpoint(neigh.ifindex).ok_or(DropReason::NoEndpoint)?;
    let loopback = packet.src().is_loopback();
    if loopback && !packet.has_l4 {
        // The container could not answer it, and nothing tells whose answer it would be.
        return Err(DropReason::MartianAddress);
    }
    if packet.has_l4 && (endpoint.flags & endpoint_flags::PUBLISHED != 0 || loopback) {
        let port = published_port(packet);
        if loopback || port.is_some() {
            let draft = routes::draft()?;
            routes::from_process(packet, (neigh.ifindex, endpoint), network, port, draft)?;
            return routes::open(packet, draft, Hook::Egress);
        }
    }
    forward::to_container_as(
        packet,
        neigh.ifindex,
        (network.mac, neigh.mac),
        Hook::Egress,
    )
}

/// The published port that led the sending socket here, if one did.
#[inline(always)]
fn published_port<A: Family>(packet: &Packet<A>) -> Option<(u32, Be16)> {
    if !routes::is_tracked(packet.proto) {
        return None;
    }
    let key = SockKey {
        cookie: helpers::socket_cookie(packet.skb.cast()).into(),
        addr: packet.dst(),
        port: packet.dport,
        proto: packet.proto,
        _pad: 0,
    };
    let sock = A::socks().get_ptr(&key)?;
    // SAFETY: a live value, written once for a socket and destination.
    let sock = unsafe { *sock };
    Some((sock.port_id, sock.port))
}
