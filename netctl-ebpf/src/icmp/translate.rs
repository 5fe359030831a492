//! ICMP errors about translated flows (RFC 5508): what they quote becomes what its sender sent,
//! and they come from where the sender's packets seemed to go.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    checksum,
    drop_reason::DropReason,
    flow::{Flow, flags, side},
    wire::{V4, V6},
};

use super::quote::Quote;
use crate::{
    family::Family,
    flow,
    forward::{self, Hook},
    helpers,
    hooks::{from_container, from_host, from_uplink},
    host,
    packet::{Packet, header::Header as _},
    program::programs,
};

/// Where the checksum stands in the ICMP header: offset, word.
const CHECK: u32 = 2;
const CHECK_WORD: usize = 1;

programs! {
    /// See the module. Jumped to from the hook of its name.
    icmp_from_container4: V4 = from_container::<V4>;

    /// See the module. Jumped to from the hook of its name.
    icmp_from_container6: V6 = from_container::<V6>;

    /// See the module. Jumped to from the hook of its name.
    icmp_from_host4: V4 = from_host::<V4>;

    /// See the module. Jumped to from the hook of its name.
    icmp_from_host6: V6 = from_host::<V6>;

    /// See the module. Jumped to from the hook of its name.
    icmp_from_uplink4: V4 = from_uplink::<V4>;

    /// See the module. Jumped to from the hook of its name.
    icmp_from_uplink6: V6 = from_uplink::<V6>;
}

#[inline(always)]
fn from_container<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<A>::new(skb);
    packet.load()?;
    let sender = from_container::Sender::of(&packet)?;
    packet.parse_error()?;
    let mut quote = Quote::new(&packet);
    match find(&packet, &mut quote, side::INSIDE) {
        Some(flow) => {
            // It comes from the address that the quoted packet was sent to (REQ-5).
            let (src, dst) = (flow.src, flow.dst);
            send(&mut packet, &mut quote, flow, (src, dst), Hook::Ingress)
        }
        None => from_container::untracked(&packet, sender),
    }
}

#[inline(always)]
fn from_host<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<A>::new(skb);
    packet.load()?;
    packet.parse_error()?;
    let mut quote = Quote::new(&packet);
    match find(&packet, &mut quote, side::INSIDE) {
        Some(flow) => {
            let (src, dst) = (flow.src, flow.dst);
            send(&mut packet, &mut quote, flow, (src, dst), Hook::Egress)
        }
        None => from_host::untracked_error(&mut packet),
    }
}

#[inline(always)]
fn from_uplink<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<A>::new(skb);
    packet.load()?;
    packet.parse_error()?;
    let mut quote = Quote::new(&packet);
    // Not by an uplink: on its way from one container to another, see `hooks::hairpin`.
    let is_hairpin = host::uplink(packet.ifindex()).is_none();
    let side = if is_hairpin {
        side::HAIRPIN
    } else {
        side::OUTSIDE
    };
    match find(&packet, &mut quote, side) {
        Some(flow) => {
            // Any router on the way may be the sender, and its address is news (REQ-4).
            let (src, dst) = (packet.src(), flow.dst);
            send(&mut packet, &mut quote, flow, (src, dst), Hook::Ingress)
        }
        None if is_hairpin => Err(DropReason::IcmpUnsupported),
        None => from_uplink::untracked(&packet),
    }
}

/// Reads the quoted packet. The flow of packets that go where the error goes. An error tells nothing
/// of a flow's state: it is neither refreshed nor ended (REQ-6, RFC 4787 REQ-12).
#[inline(always)]
fn find<A: Family>(packet: &Packet<A>, quote: &mut Quote<A>, side: u8) -> Option<&'static Flow<A>> {
    quote.load(packet).ok()?;
    // From inside only about packets that the sender itself received; from outside only to the
    // address that sent the quoted packet.
    let is_about_itself = if side == side::INSIDE {
        quote.dst() == packet.src()
    } else {
        quote.src() == packet.dst()
    };
    if !is_about_itself {
        return None;
    }
    flow::peek(&quote.answer_key(side))
}

#[inline(always)]
fn send<A: Family>(
    packet: &mut Packet<A>,
    quote: &mut Quote<A>,
    flow: &Flow<A>,
    (src, dst): (A, A),
    hook: Hook,
) -> Result<i32, DropReason> {
    if flow.flags & flags::IDENTITY == 0 {
        let mut quoted = quote.restore(packet, flow)?;
        if !A::Header::HAS_CHECKSUM {
            // The pseudo header of ICMPv6.
            let ends = checksum::add(
                checksum::difference(packet.src().sum(), src.sum()),
                checksum::difference(packet.dst().sum(), dst.sum()),
            );
            quoted = checksum::add(quoted, ends);
        }
        let check = checksum::update(packet.headers.transport[CHECK_WORD], quoted);
        helpers::store(packet.skb, packet.l4 + CHECK, &check)?;
    }
    relay(packet, flow, (src, dst))?;
    forward::deliver(packet, flow, hook)
}

/// The error's own IP header.
#[inline(always)]
fn relay<A: Family>(
    packet: &mut Packet<A>,
    flow: &Flow<A>,
    (src, dst): (A, A),
) -> Result<(), DropReason> {
    let headers = &mut packet.headers;
    let mut change = 0;
    if flow.flags & flags::IDENTITY == 0 {
        change = checksum::add(
            checksum::difference(headers.ip.src().sum(), src.sum()),
            checksum::difference(headers.ip.dst().sum(), dst.sum()),
        );
        headers.ip.set_addresses(src, dst);
    }
    if flow.flags & flags::ROUTED != 0 {
        if headers.ip.hops() <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        let hop = headers.ip.take_hop();
        change = checksum::add(change, hop);
        if !A::Header::HAS_CHECKSUM {
            helpers::sum_changed(packet.skb, hop);
        }
    }
    headers.ip.update_checksum(change);
    if flow.flags & flags::TO_UPLINK == 0 {
        (headers.smac, headers.dmac) = (flow.smac, flow.dmac);
    }
    packet.store_headers()
}
