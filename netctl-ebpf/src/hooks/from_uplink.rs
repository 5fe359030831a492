//! Every uplink, TC ingress: published ports, and replies to what containers sent. Everything
//! else is left alone.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    drop_reason::DropReason,
    flow::{flags, side},
    jump,
    mapping::Mapping,
    network::{Network, flags as network_flags},
    packet::{ethertype, proto},
    publish::Published,
    tcp::header,
    wire::{V4, V6},
};

use crate::{
    claim,
    family::Family,
    flow::{self, Keep, Leg},
    forward::{self, Hook},
    fragment,
    helpers::{self, verdict},
    hooks::{routes, shield},
    host,
    icmp::check,
    lookup, mapping,
    packet::{Packet, has_ports},
    program::programs,
    publish::{self, Match},
};

programs! {
    /// See the module.
    from_uplink: V4 = try_from_uplink;

    /// The same, jumped to.
    from_uplink4: V4 = enter;

    /// See the module. Jumped to.
    from_uplink6: V6 = try_from_uplink6;
}

#[inline(always)]
fn try_from_uplink(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program.
    if unsafe { (*skb).vlan_present } != 0 {
        // For a VLAN's own interface, where this program sees it again without the tag.
        return Ok(verdict::NEXT);
    }
    shield::mark(skb, false);
    enter(skb)
}

#[inline(always)]
fn enter(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    // What is too short or broken is the stack's to judge: it may not be ours at all.
    let mut packet = Packet::<V4>::new(skb);
    match packet.load() {
        Ok(ethertype::IPV4) => walk(&mut packet),
        Ok(ethertype::IPV6) => helpers::jump(skb, jump::FROM_UPLINK6),
        _ => Ok(verdict::NEXT),
    }
}

#[inline(always)]
fn try_from_uplink6(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<V6>::new(skb);
    if packet.load().is_err() {
        return Ok(verdict::NEXT);
    }
    walk(&mut packet)
}

#[inline(always)]
fn walk<A: Family>(packet: &mut Packet<A>) -> Result<i32, DropReason> {
    if packet.headers.dmac.is_group() {
        // The host takes a unicast packet from such a frame, too.
        return untracked(packet);
    }
    let whole = packet.parse().is_ok();
    if shield::is_due(packet, whole) {
        return helpers::jump(packet.skb, A::SHIELD);
    }
    if !whole {
        return untracked(packet);
    }
    // What a container must not get the host's own processes may: their stack judges for itself.
    let (known, broken) = match ports_known(packet) {
        Ok(known) => (known, false),
        Err(_overlaps) => (true, true),
    };
    if packet.is_icmp_error() && !broken {
        let src = packet.src();
        if is_martian(src) || host::is_local(src) || host::network_of(src).is_some() {
            return untracked(packet);
        }
        return check::start::<A>(packet.skb, A::ICMP_FROM_UPLINK);
    }
    if known && let Some(flow) = flow::follow(&packet.key(side::OUTSIDE), packet) {
        if broken {
            return Err(DropReason::Fragment);
        }
        return forward::by_flow(packet, flow, Hook::Ingress);
    }
    let dst = packet.dst();
    if host::network_of(packet.src()).is_some() {
        return Err(DropReason::SpoofedSource);
    }
    if let Some(id) = host::network_of(dst) {
        return to_member(packet, id, known);
    }
    if packet.proto == A::ICMP || !host::is_local(dst) {
        return Ok(verdict::NEXT);
    }
    let is_later = packet.is_later_fragment();
    if !packet.has_l4 && !(known && is_later) {
        if !has_ports::<A>(packet.proto) {
            claim::by_host(packet);
        }
        return Ok(verdict::NEXT);
    }
    let target = match publish::lookup(dst, packet.dport, packet.proto, Match::Local) {
        Some(published) => Target::Published(published),
        None if packet.proto == proto::SCTP => {
            claim::by_host(packet);
            return Ok(verdict::NEXT);
        }
        None if !opens(packet) => return Ok(verdict::NEXT),
        None => match mapping::behind(dst, packet.dport, packet.proto) {
            Some(mapping) => Target::Mapped(mapping),
            None => return Ok(verdict::NEXT),
        },
    };
    if broken || is_later {
        // Of a container's datagram, whose first fragment was refused.
        return Err(DropReason::Fragment);
    }
    open(packet, target)
}

/// To a container's own address: for a network that the outside reaches by routing.
#[inline(always)]
fn to_member<A: Family>(packet: &mut Packet<A>, id: u32, known: bool) -> Result<i32, DropReason> {
    let network = host::network(id).ok_or(DropReason::FromOutside)?;
    if network.flags & (A::ROUTED | A::OPEN) == 0 || host::is_isolated(packet.ifindex()) {
        return answered_elsewhere(packet);
    }
    if !known || packet.is_later_fragment() {
        return Err(DropReason::Fragment);
    }
    if network.flags & A::OPEN == 0 && packet.proto != A::ICMP {
        let (dst, dport) = (packet.dst(), packet.dport);
        let published = publish::lookup(dst, dport, packet.proto, Match::Exact);
        let published = published.filter(|_| packet.has_l4);
        return open(
            packet,
            Target::Published(published.ok_or(DropReason::FromOutside)?),
        );
    }
    if packet.is_icmp_message() {
        return Err(DropReason::IcmpUnsupported);
    }
    let member = host::neighbour(id, packet.dst()).ok_or(DropReason::UnknownDestination)?;
    open(packet, Target::Member(member.ifindex))
}

/// The stack's, unless it claims to be a container's, or is for one.
#[inline(always)]
pub(crate) fn untracked<A: Family>(packet: &Packet<A>) -> Result<i32, DropReason> {
    if host::network_of(packet.src()).is_some() {
        return Err(DropReason::SpoofedSource);
    }
    if host::network_of(packet.dst()).is_some() {
        return answered_elsewhere(packet);
    }
    Ok(verdict::NEXT)
}

/// For a container that nobody outside reaches by its own address. What comes from another engine's
/// container may be an answer of a port that this engine publishes by netfilter: the stack knows. Only
/// TCP tells answers from questions, whatever address netfilter then gives them.
#[inline(always)]
fn answered_elsewhere<A: Family>(packet: &Packet<A>) -> Result<i32, DropReason> {
    if packet.proto == proto::TCP && !opens(packet) && host::is_isolated(packet.ifindex()) {
        return Ok(verdict::NEXT);
    }
    Err(DropReason::FromOutside)
}

/// Whether the packet has its ports or they are known. A fragment is looked at only if it is for the
/// host, or for a network that is reached by routing: what goes elsewhere is none of ours, in whatever
/// order.
#[inline(always)]
fn ports_known<A: Family>(packet: &mut Packet<A>) -> Result<bool, DropReason> {
    if !packet.is_fragment() {
        return Ok(true);
    }
    if !host::is_local(packet.dst()) && !is_routed(packet.dst()) {
        return Ok(false);
    }
    fragment::track(packet, side::OUTSIDE, Some(A::FROM_UPLINK))
}

#[inline(always)]
fn is_routed<A: Family>(dst: A) -> bool {
    let network = host::network_of(dst).and_then(host::network);
    network.is_some_and(|network| network.flags & (A::ROUTED | A::OPEN) != 0)
}

/// Nobody outside has such an address.
#[inline(always)]
fn is_martian<A: Family>(src: A) -> bool {
    src.is_loopback() || src.is_multicast() || src == A::ANY || src.is_martian()
}

/// Whether a packet of no flow may be meant for a mapping: of TCP only what opens a connection,
/// so that the host's own connections pay nothing.
#[inline(always)]
pub(super) fn opens<A: Family>(packet: &Packet<A>) -> bool {
    packet.proto == proto::UDP
        || packet.proto == proto::TCP
            && packet.tcp_flags & (header::SYN | header::ACK) == header::SYN
}

/// What a first packet from outside is for.
#[derive(Clone, Copy)]
pub(super) enum Target<A: Family> {
    /// A published port (walk 4).
    Published(&'static Published<A>),
    /// A port that a container sends from.
    Mapped(Mapping<A>),
    /// The container behind that interface, by its own address.
    Member(u32),
}

/// First packet of a flow that the outside opens: the client's address is kept.
#[inline(always)]
fn open<A: Family>(packet: &mut Packet<A>, target: Target<A>) -> Result<i32, DropReason> {
    let (src, dst) = (packet.src(), packet.dst());
    if is_martian(src) {
        return Err(DropReason::MartianAddress);
    }
    if host::is_local(src) {
        return Err(DropReason::SpoofedSource);
    }
    // A process of the host may have drawn the port for a connection of its own, whose packets
    // these are then. What opens a connection goes to the published port: a listener that got
    // the port by chance does not take it. A mapping has no such claim to a port.
    let socket = lookup::find_socket(
        packet.skb,
        packet.proto,
        (src, packet.sport),
        (dst, packet.dport),
    );
    let is_mapping = matches!(target, Target::Mapped(_));
    if socket == lookup::Socket::Connected || (socket == lookup::Socket::Open && is_mapping) {
        return Ok(verdict::NEXT);
    }
    if !flow::may_open(packet) {
        return Err(DropReason::NoFlow);
    }
    let network = lead_in(packet, side::OUTSIDE, target)?;
    let ifindex = packet.ifindex();
    let draft = routes::draft::<A>()?;
    draft.reply_leg.out_ifindex = ifindex;
    draft.reply_leg.flags |= way_back(packet, network.anchor_ifindex, ifindex);
    routes::open(packet, draft, Hook::Ingress)
}

/// Drafts the flow of a packet from `side` to a container, but for the way of its answers: whatever
/// that is, they go to the MAC that the packet came from. The container's network.
#[inline(always)]
pub(super) fn lead_in<A: Family>(
    packet: &Packet<A>,
    side: u8,
    target: Target<A>,
) -> Result<&'static Network, DropReason> {
    let (ifindex, to, back) = match target {
        Target::Published(published) => (published.endpoint, flags::PORT_RX, flags::PORT_TX),
        Target::Mapped(mapping) => (mapping.endpoint, flags::MAPPED, flags::MAPPED),
        Target::Member(ifindex) => (ifindex, 0, 0),
    };
    let kind = if matches!(target, Target::Member(_)) {
        flags::IDENTITY
    } else {
        flags::DNAT
    };
    let endpoint = host::endpoint(ifindex).ok_or(DropReason::NoEndpoint)?;
    let network = host::network(endpoint.network).ok_or(DropReason::NoEndpoint)?;
    if matches!(target, Target::Mapped(_)) && !admits(packet, network) {
        return Err(DropReason::Unsolicited);
    }
    let leg = Leg {
        out_ifindex: ifindex,
        endpoint: ifindex,
        generation: endpoint.generation,
        flags: flags::TO_CONTAINER | flags::ROUTED | kind | to,
        smac: network.mac,
        dmac: endpoint.mac,
    };
    let draft = routes::draft()?;
    draft.begin(packet, side, side::INSIDE);
    match target {
        Target::Published(published) => draft.lead_to(published, packet.dport),
        Target::Mapped(mapping) => {
            (draft.reply.src, draft.reply.sport) = (mapping.addr, mapping.port);
            draft.keep = Keep::Only;
        }
        Target::Member(_) => draft.keep = Keep::Only,
    }
    draft.forward_leg = leg;
    draft.reply_leg = Leg {
        out_ifindex: 0,
        flags: flags::ROUTED | kind | back,
        smac: packet.headers.dmac,
        dmac: packet.headers.smac,
        ..leg
    };
    Ok(network)
}

/// Whether the network's filter lets strangers in (RFC 4787, section 5).
#[inline(always)]
fn admits<A: Family>(packet: &Packet<A>, network: &Network) -> bool {
    if network.flags & network_flags::FILTER_BY_ADDRESS != 0 {
        return mapping::knows(packet.dst(), packet.dport, packet.proto, packet.src());
    }
    network.flags & network_flags::FILTER_NONE != 0
}

/// The reply leaves by the interface that the request came in on: by the routes where they
/// agree, else back to the MAC that it came from.
#[inline(always)]
fn way_back<A: Family>(packet: &Packet<A>, anchor: u32, ifindex: u32) -> u16 {
    match lookup::route(packet.skb, anchor, packet.dst(), packet.src()) {
        Some(out) if out.get() == ifindex => flags::TO_UPLINK,
        _ => flags::TO_UPLINK_L2,
    }
}
