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
    let pseudo = packet.pseudo_header();
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
        proto::TCP => rewrite_ports(packet, flow, (pseudo, addresses), TCP_CHECK),
        proto::UDP => rewrite_ports(packet, flow, (pseudo, addresses), UDP_CHECK),
        proto::ICMP => {
            packet.store_headers()?;
            rewrite_echo(packet, flow)
        }
        // SCTP's CRC does not cover addresses, and its ports are never changed (RFC 9260).
        _ => packet.store_headers(),
    }
}

/// TCP and UDP: ports, and a checksum that covers them and the addresses.
///
/// A packet whose checksum its device will make (CHECKSUM_PARTIAL) has the pseudo header's sum in
/// the field, or what the device makes would be wrong. So any other field is a checksum already,
/// which is brought up to date here. One that is that sum, as a checksum is by chance one time
/// in 65535, is the kernel's to change: it alone knows which packets are unfinished. So are
/// packets of several segments, whose length may not be the IPv4 header's (above 64 KiB), or not
/// be in the sum at all.
#[inline(always)]
fn rewrite_ports(
    packet: &mut Packet,
    flow: &Flow<V4>,
    (pseudo, addresses): (u32, u32),
    check: usize,
) -> Result<(), DropReason> {
    let old = u32::from(packet.sport.0) << 16 | u32::from(packet.dport.0);
    let new = u32::from(flow.sport.0) << 16 | u32::from(flow.dport.0);
    // Ones' complement sums do not care which half of a word a port stands in.
    let ports = checksum::difference(old, new);
    let is_udp = packet.headers.proto == proto::UDP;
    let before = packet.headers.transport[check];
    let is_pseudo = is_zero(checksum::difference(pseudo, u32::from(before)));
    if is_pseudo || packet.is_fragment() || packet.is_segmented() {
        let offset = packet.l4 + 2 * check as u32;
        let (skb, protocol) = (packet.skb, packet.headers.proto);
        helpers::l4_checksum(skb, offset, protocol, addresses, Covers::PseudoHeader)?;
        helpers::l4_checksum(skb, offset, protocol, ports, Covers::Payload)?;
        packet.load_transport(check)?;
    } else if !(is_udp && before == 0) {
        // A UDP checksum of 0 means "none" and stays (RFC 768).
        let sum = checksum::update(before, checksum::add(addresses, ports));
        packet.headers.transport[check] = if is_udp && sum == 0 { u16::MAX } else { sum };
        // Header and checksum make up for each other's changes; the pseudo header's has no
        // counterpart in the packet.
        helpers::sum_changed(packet.skb, !addresses);
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
