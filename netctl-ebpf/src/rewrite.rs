//! Applies a flow to a packet: addresses, ports, TTL, MACs and every checksum.

use netctl_common::{
    checksum,
    drop_reason::DropReason,
    flow::{Flow, flags},
    packet::proto,
};

use crate::{
    family::Family,
    helpers::{self, Covers},
    packet::{Packet, header::Header as _},
};

/// Words of the transport header that hold its checksum.
const TCP_CHECK: usize = 8;
const UDP_CHECK: usize = 3;
/// Offsets inside the ICMP header.
const ICMP_CHECK: u32 = 2;
const ICMP_ID: u32 = 4;

/// What a rewrite changes sums by.
#[derive(Clone, Copy)]
struct Change {
    /// The pseudo header's sum before it.
    pseudo: u32,
    addresses: u32,
    hop: u32,
}

/// Writes the flow's view of the packet into the packet.
#[inline(always)]
pub(crate) fn apply<A: Family>(packet: &mut Packet<A>, flow: &Flow<A>) -> Result<(), DropReason> {
    let mut change = Change {
        pseudo: packet.pseudo_header(),
        addresses: 0,
        hop: 0,
    };
    let headers = &mut packet.headers;
    if flow.flags & flags::IDENTITY == 0 {
        change.addresses = checksum::add(
            checksum::difference(headers.ip.src().sum(), flow.src.sum()),
            checksum::difference(headers.ip.dst().sum(), flow.dst.sum()),
        );
        headers.ip.set_addresses(flow.src, flow.dst);
    }
    if flow.flags & flags::ROUTED != 0 {
        if headers.ip.hops() <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        change.hop = headers.ip.take_hop();
    }
    headers
        .ip
        .update_checksum(checksum::add(change.addresses, change.hop));
    if flow.flags & flags::TO_UPLINK == 0 {
        (headers.smac, headers.dmac) = (flow.smac, flow.dmac);
    }
    if flow.flags & flags::IDENTITY != 0 || packet.is_later_fragment() {
        return store_headers(packet, change);
    }
    if packet.proto == proto::TCP {
        rewrite_ports(packet, flow, change, TCP_CHECK)
    } else if packet.proto == proto::UDP {
        rewrite_ports(packet, flow, change, UDP_CHECK)
    } else if packet.proto == A::ICMP {
        store_headers(packet, change)?;
        rewrite_echo(packet, flow, change)
    } else {
        // SCTP's CRC does not cover addresses, and its ports are never changed (RFC 9260).
        store_headers(packet, change)?;
        if has_pseudo_header(packet.proto) && change.addresses != 0 {
            let (offset, covers) = (packet.l4 + 2 * UDP_CHECK as u32, Covers::PseudoHeader);
            helpers::l4_checksum(packet.skb, offset, packet.proto, change.addresses, covers)?;
        }
        Ok(())
    }
}

/// Of the protocols that are translated by address alone, those whose checksum covers addresses
/// all the same. It stands where UDP's does (RFC 3828, section 3.1; RFC 4340, section 5.1).
#[inline(always)]
fn has_pseudo_header(protocol: u8) -> bool {
    matches!(protocol, proto::UDP_LITE | proto::DCCP)
}

/// Ethernet and IP header alone.
#[inline(always)]
fn store_headers<A: Family>(packet: &Packet<A>, change: Change) -> Result<(), DropReason> {
    if !A::Header::HAS_CHECKSUM {
        sum_changed(packet, checksum::add(change.addresses, change.hop));
    }
    packet.store_headers()
}

/// See [`helpers::sum_changed`].
#[inline(always)]
fn sum_changed<A: Family>(packet: &Packet<A>, difference: u32) {
    if difference != 0 {
        helpers::sum_changed(packet.skb, difference);
    }
}

/// TCP and UDP: ports, and a checksum that covers them and the addresses.
///
/// A packet whose checksum its device will make (CHECKSUM_PARTIAL) has the pseudo header's sum in
/// the field, or what the device makes would be wrong. So any other field is a checksum already,
/// which is brought up to date here. One that is that sum, as a checksum is by chance one time
/// in 65535, is the kernel's to change: it alone knows which packets are unfinished. So are
/// packets of several segments, whose length may not be the IP header's (above 64 KiB), or not
/// be in the sum at all.
#[inline(always)]
fn rewrite_ports<A: Family>(
    packet: &mut Packet<A>,
    flow: &Flow<A>,
    change: Change,
    check: usize,
) -> Result<(), DropReason> {
    let old = u32::from(packet.sport.0) << 16 | u32::from(packet.dport.0);
    let new = u32::from(flow.sport.0) << 16 | u32::from(flow.dport.0);
    // Ones' complement sums do not care which half of a word a port stands in.
    let ports = checksum::difference(old, new);
    let is_udp = packet.proto == proto::UDP;
    let before = packet.headers.transport[check];
    let is_pseudo = is_zero(checksum::difference(change.pseudo, u32::from(before)));
    if is_pseudo || packet.is_fragment() || packet.is_segmented() {
        let offset = packet.l4 + 2 * check as u32;
        let (skb, protocol) = (packet.skb, packet.proto);
        helpers::l4_checksum(
            skb,
            offset,
            protocol,
            change.addresses,
            Covers::PseudoHeader,
        )?;
        helpers::l4_checksum(skb, offset, protocol, ports, Covers::Payload)?;
        packet.load_transport(check)?;
        if !A::Header::HAS_CHECKSUM {
            // The helper took the addresses out of the device's sum, as is right where an IPv4
            // header's checksum makes up for them (before BPF_F_IPV6, 6.16).
            sum_changed(packet, checksum::add(change.addresses, change.hop));
        }
    } else if is_udp && before == 0 {
        // A UDP checksum of 0 means "none" and stays (RFC 768, RFC 6935).
        sum_changed(packet, ports);
        if !A::Header::HAS_CHECKSUM {
            sum_changed(packet, checksum::add(change.addresses, change.hop));
        }
    } else {
        let sum = checksum::update(before, checksum::add(change.addresses, ports));
        packet.headers.transport[check] = if is_udp && sum == 0 { u16::MAX } else { sum };
        // The checksum makes up for the ports and the addresses; so does an IPv4 header's for
        // the addresses and the hop. Nothing in an IPv6 packet makes up for the hop.
        let rest = if A::Header::HAS_CHECKSUM {
            !change.addresses
        } else {
            change.hop
        };
        sum_changed(packet, rest);
    }
    (packet.sport, packet.dport) = (flow.sport, flow.dport);
    packet.store_with_transport(check)
}

/// Ones' complement has two zeroes.
#[inline(always)]
fn is_zero(sum: u32) -> bool {
    matches!(checksum::fold(sum), 0 | u16::MAX)
}

/// The identifier takes the port's place (RFC 5508, section 3.1). ICMPv6 has a pseudo header,
/// ICMP has none.
#[inline(always)]
fn rewrite_echo<A: Family>(
    packet: &Packet<A>,
    flow: &Flow<A>,
    change: Change,
) -> Result<(), DropReason> {
    let offset = packet.l4 + ICMP_CHECK;
    if !A::Header::HAS_CHECKSUM && change.addresses != 0 {
        let covers = Covers::PseudoHeader;
        helpers::l4_checksum(packet.skb, offset, A::ICMP, change.addresses, covers)?;
    }
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
    helpers::l4_checksum(packet.skb, offset, A::ICMP, difference, Covers::Payload)?;
    helpers::store(packet.skb, packet.l4 + ICMP_ID, &id)
}
