//! Host side of every veth, TC ingress: everything that a container sends.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    drop_reason::DropReason,
    endpoint::{Endpoint, FdbKey, flags as endpoint_flags},
    flow::side,
    jump,
    network::{Network, flags as network_flags},
    packet::{dhcp, ethertype, proto},
    wire::V4,
};

use crate::{
    arp,
    family::Family,
    flood, flow,
    forward::{self, Hook},
    fragment, helpers,
    hooks::routes,
    host,
    icmp::check,
    maps::FDB,
    packet::Packet,
    program::programs,
    publish::{self, Match},
};

programs! {
    /// See the module.
    from_container: V4 = try_from_container;
}

#[inline(always)]
fn try_from_container(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<V4>::new(skb);
    let kind = packet.load()?;
    if kind == ethertype::IPV6 {
        return helpers::jump(skb, jump::FROM_CONTAINER6);
    }
    let sender = Sender::of(&packet)?;
    if kind == ethertype::ARP {
        return arp::answer(&packet, sender.endpoint, sender.network);
    }
    if kind != ethertype::IPV4 {
        return Err(DropReason::UnknownEtherType);
    }
    if packet.src() != sender.endpoint.addr4 {
        return Err(DropReason::SpoofedSource);
    }
    packet.parse()?;
    walk(&mut packet, sender)
}

/// Who sends.
#[derive(Clone, Copy)]
pub(crate) struct Sender {
    pub(super) ifindex: u32,
    pub(super) endpoint: &'static Endpoint,
    pub(super) network: &'static Network,
}

impl Sender {
    /// By the interface; the frame must be the endpoint's own.
    #[inline(always)]
    pub(crate) fn of<A: Family>(packet: &Packet<A>) -> Result<Self, DropReason> {
        let ifindex = packet.ifindex();
        let endpoint = host::endpoint(ifindex).ok_or(DropReason::NoEndpoint)?;
        let network = host::network(endpoint.network).ok_or(DropReason::NoEndpoint)?;
        // SAFETY: the context of the running program.
        if unsafe { (*packet.skb).vlan_present } != 0 {
            return Err(DropReason::UnknownEtherType);
        }
        if packet.headers.smac != endpoint.mac {
            return Err(DropReason::SpoofedMac);
        }
        Ok(Self {
            ifindex,
            endpoint,
            network,
        })
    }

    #[inline(always)]
    fn has(&self, flag: u32) -> bool {
        self.network.flags & flag != 0
    }
}

/// A packet whose sender is who it says: by its destination MAC.
#[inline(always)]
pub(super) fn walk<A: Family>(packet: &mut Packet<A>, sender: Sender) -> Result<i32, DropReason> {
    if packet.headers.dmac == sender.network.mac {
        return to_gateway(packet, sender);
    }
    if is_dhcp_server(packet) {
        return Err(DropReason::DhcpServer);
    }
    if packet.headers.dmac.is_group() {
        if !sender.has(network_flags::ICC) {
            return Err(DropReason::IccDisabled);
        }
        return flood::start(packet.skb, sender.ifindex);
    }
    to_neighbour(packet, sender)
}

/// To the host itself; from an internal network to its gateway address only.
#[inline(always)]
fn to_host<A: Family>(packet: &Packet<A>, sender: Sender) -> Result<i32, DropReason> {
    let internal = sender.has(network_flags::INTERNAL);
    if internal && packet.dst() != A::of_gateway(sender.network) {
        return Err(DropReason::InternalNetwork);
    }
    Ok(forward::to_host(sender.network.anchor_ifindex))
}

/// What a DHCP server says to its clients (RFC 2131, section 4.1; RFC 8415, section 7.2).
#[inline(always)]
fn is_dhcp_server<A: Family>(packet: &Packet<A>) -> bool {
    let (server, client) = if A::VERSION == 4 {
        (dhcp::SERVER, dhcp::CLIENT)
    } else {
        (dhcp::SERVER6, dhcp::CLIENT6)
    };
    packet.proto == proto::UDP && packet.sport.get() == server && packet.dport.get() == client
}

/// An ICMP error about no flow of ours: of a packet that was not translated.
#[inline(always)]
pub(crate) fn untracked<A: Family>(packet: &Packet<A>, sender: Sender) -> Result<i32, DropReason> {
    if packet.headers.dmac != sender.network.mac {
        return to_member(packet, sender);
    }
    if !host::is_local(packet.dst()) {
        return Err(DropReason::IcmpUnsupported);
    }
    to_host(packet, sender)
}

/// A frame for another member: forwarded as it is, unless it answers a translated flow.
#[inline(always)]
fn to_neighbour<A: Family>(packet: &mut Packet<A>, sender: Sender) -> Result<i32, DropReason> {
    if sender.endpoint.flags & endpoint_flags::PUBLISHED != 0 {
        // What cannot be held and was not seen from its start is no reply of ours.
        let known = fragment::track(packet, side::INSIDE, Some(A::FROM_CONTAINER))?;
        if packet.is_icmp_error() {
            return check::start::<A>(packet.skb, A::ICMP_FROM_CONTAINER);
        }
        if known && let Some(flow) = flow::follow(&packet.key(side::INSIDE), packet) {
            return forward::by_flow(packet, flow, Hook::Ingress);
        }
    }
    to_member(packet, sender)
}

/// To another member by its MAC, as it is.
#[inline(always)]
fn to_member<A: Family>(packet: &Packet<A>, sender: Sender) -> Result<i32, DropReason> {
    if !sender.has(network_flags::ICC) {
        return Err(DropReason::IccDisabled);
    }
    let key = FdbKey {
        network: sender.endpoint.network,
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
fn to_gateway<A: Family>(packet: &mut Packet<A>, sender: Sender) -> Result<i32, DropReason> {
    if !fragment::track(packet, side::INSIDE, Some(A::FROM_CONTAINER))? {
        return Err(DropReason::Fragment);
    }
    if packet.is_icmp_error() {
        return check::start::<A>(packet.skb, A::ICMP_FROM_CONTAINER);
    }
    if let Some(flow) = flow::follow(&packet.key(side::INSIDE), packet) {
        return forward::by_flow(packet, flow, Hook::Ingress);
    }
    match A::OPEN_FROM_CONTAINER {
        Some(program) => helpers::jump(packet.skb, program),
        None => open(packet, sender),
    }
}

/// The first packet of a flow, or one that needs none.
#[inline(always)]
pub(super) fn open<A: Family>(packet: &mut Packet<A>, sender: Sender) -> Result<i32, DropReason> {
    let Sender {
        ifindex,
        endpoint,
        network,
    } = sender;
    let dst = packet.dst();
    if dst.is_loopback() || dst.is_multicast() || dst == A::ANY || dst.is_broadcast(network) {
        return Err(DropReason::MartianAddress);
    }
    let draft = routes::draft()?;
    let internal = sender.has(network_flags::INTERNAL);
    if host::is_local(dst) {
        match publish::lookup(dst, packet.dport, packet.proto, Match::Local) {
            Some(published) if !internal && packet.has_l4 => {
                routes::to_published(packet, endpoint, ifindex, published, draft)?;
            }
            None if !internal && routes::is_for_mapping(packet, network) => {
                routes::to_mapping(packet, endpoint, network, ifindex, draft)?;
            }
            _ => return to_host(packet, sender),
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
        // Neither an echo nor an error that could be translated by what it quotes.
        if packet.is_icmp_message() {
            return Err(DropReason::IcmpUnsupported);
        }
        routes::to_outside(packet, endpoint, network, ifindex, draft)?;
    }
    routes::open(packet, draft, Hook::Ingress)
}
