//! Applies a flow to a packet: addresses, ports, TTL, MACs and every checksum.

use netctl_common::{
    checksum,
    drop_reason::DropReason,
    flow::{Flow, flags},
    packet::proto,
    wire::V4,
};

use crate::{
    helpers::{self, Covers},
    packet::Packet,
};

/// Words of the transport header that hold its checksum.
const TCP_CHECK: usize = 8;
const UDP_CHECK: usize = 3;
/// Offsets inside the ICMP header.
const ICMP_CHECK: u32 = 2;
const ICMP_ID: u32 = 4;

/// Writes the flow's view of the packet into the packet.
#[inline(always)]
pub(crate) fn apply(packet: &mut Packet, flow: &Flow<V4>) -> Result<(), DropReason> {
    let headers = &mut packet.headers;
    // What the addresses change by, then the whole IPv4 header.
    let (mut addresses, mut all) = (0, 0);
    if flow.flags & flags::IDENTITY == 0 {
        addresses = checksum::add(
            checksum::difference(headers.src.0, flow.src.0),
            checksum::difference(headers.dst.0, flow.dst.0),
        );
        all = addresses;
        (headers.src, headers.dst) = (flow.src, flow.dst);
    }
    if flow.flags & flags::ROUTED != 0 {
        if headers.ttl <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        let word = |ttl| u32::from(u16::from_ne_bytes([ttl, headers.proto]));
        let hop = checksum::difference(word(headers.ttl), word(headers.ttl - 1));
        all = checksum::add(all, hop);
        headers.ttl -= 1;
    }
    headers.check = checksum::update(headers.check, all);
    if flow.flags & flags::TO_UPLINK == 0 {
        (headers.smac, headers.dmac) = (flow.smac, flow.dmac);
    }
    if flow.flags & flags::IDENTITY != 0 || packet.is_later_fragment() {
        return packet.store_headers();
    }
    match packet.headers.proto {
        proto::TCP => rewrite_ports(packet, flow, addresses, TCP_CHECK),
        proto::UDP => rewrite_ports(packet, flow, addresses, UDP_CHECK),
        proto::ICMP => {
            packet.store_headers()?;
            rewrite_echo(packet, flow)
        }
        // SCTP's CRC does not cover addresses, and its ports are never changed (RFC 9260).
        _ => packet.store_headers(),
    }
}

/// TCP and UDP: addresses, ports and checksum, with two calls where the kernel's own way (a call
/// for the addresses' share of the checksum, one for the ports', a write for each) has four.
///
/// The checksum of a packet that its device will finish covers addresses and no ports yet. Only
/// the kernel knows which packets are so, and shows it by what it makes of the addresses.
#[inline(always)]
fn rewrite_ports(
    packet: &mut Packet,
    flow: &Flow<V4>,
    addresses: u32,
    check: usize,
) -> Result<(), DropReason> {
    let (skb, protocol) = (packet.skb, packet.headers.proto);
    let offset = packet.l4 + 2 * check as u32;
    helpers::l4_checksum(skb, offset, protocol, addresses, Covers::PseudoHeader)?;
    let old = u32::from(packet.sport.0) << 16 | u32::from(packet.dport.0);
    let new = u32::from(flow.sport.0) << 16 | u32::from(flow.dport.0);
    // Ones' complement sums do not care which half of a word a port stands in.
    let ports = checksum::difference(old, new);
    let shown = !is_zero(addresses);
    if old != new && !shown {
        helpers::l4_checksum(skb, offset, protocol, ports, Covers::Payload)?;
    }
    let before = packet.headers.transport[check];
    packet.load_transport(check)?;
    let after = packet.headers.transport[check];
    let unfinished = is_zero(checksum::difference(
        checksum::add(u32::from(before), addresses),
        u32::from(after),
    ));
    // A UDP checksum of 0 means "none" and stays (RFC 768).
    let none = protocol == proto::UDP && before == 0;
    if old != new && shown && !unfinished && !none {
        let sum = checksum::update(after, ports);
        packet.headers.transport[check] = if protocol == proto::UDP && sum == 0 {
            u16::MAX
        } else {
            sum
        };
    }
    (packet.sport, packet.dport) = (flow.sport, flow.dport);
    packet.store_with_transport(check)
}

/// Ones' complement has two zeroes.
#[inline(always)]
fn is_zero(sum: u32) -> bool {
    matches!(checksum::fold(sum), 0 | u16::MAX)
}

/// The identifier takes the port's place (RFC 5508, section 3.1); no pseudo header in ICMPv4.
#[inline(always)]
fn rewrite_echo(packet: &Packet, flow: &Flow<V4>) -> Result<(), DropReason> {
    // The identifier that was changed is in the source port on the way out, in the
    // destination port on the way back.
    let id = if flow.sport == packet.sport {
        flow.dport
    } else {
        flow.sport
    };
    if id == packet.sport {
        return Ok(());
    }
    let difference = checksum::difference(u32::from(packet.sport.0), u32::from(id.0));
    helpers::l4_checksum(
        packet.skb,
        packet.l4 + ICMP_CHECK,
        proto::ICMP,
        difference,
        Covers::Payload,
    )?;
    helpers::store(packet.skb, packet.l4 + ICMP_ID, &id)
}
