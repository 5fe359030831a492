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

/// Offsets inside the transport header.
const TCP_CHECK: u32 = 16;
const UDP_CHECK: u32 = 6;
const ICMP_CHECK: u32 = 2;
const ICMP_ID: u32 = 4;

/// Writes the flow's view of the packet into the packet.
#[inline(always)]
pub(crate) fn apply(packet: &mut Packet, flow: &Flow<V4>) -> Result<(), DropReason> {
    let addresses = address_difference(packet, flow);
    let (old_ports, new_ports) = (
        u32::from(packet.sport.0) << 16 | u32::from(packet.dport.0),
        u32::from(flow.sport.0) << 16 | u32::from(flow.dport.0),
    );
    let headers = &mut packet.headers;
    if flow.flags & flags::ROUTED != 0 {
        if headers.ttl <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        let word = |ttl| u16::from_ne_bytes([ttl, headers.proto]);
        let check = checksum::replace16(headers.check, word(headers.ttl), word(headers.ttl - 1));
        (headers.check, headers.ttl) = (check, headers.ttl - 1);
    }
    if flow.flags & flags::IDENTITY == 0 {
        headers.check = checksum::replace32(headers.check, headers.src.0, flow.src.0);
        headers.check = checksum::replace32(headers.check, headers.dst.0, flow.dst.0);
        (headers.src, headers.dst) = (flow.src, flow.dst);
    }
    if flow.flags & flags::TO_UPLINK == 0 {
        (headers.smac, headers.dmac) = (flow.smac, flow.dmac);
    }
    packet.store_headers()?;
    if flow.flags & flags::IDENTITY != 0 || packet.is_later_fragment() {
        return Ok(());
    }
    let check = match packet.headers.proto {
        proto::TCP => TCP_CHECK,
        proto::UDP => UDP_CHECK,
        proto::ICMP => return rewrite_echo(packet, flow),
        // SCTP's CRC does not cover addresses, and its ports are never changed (RFC 9260).
        _ => return Ok(()),
    };
    let (skb, protocol) = (packet.skb, packet.headers.proto);
    if addresses != 0 {
        helpers::l4_checksum(
            skb,
            packet.l4 + check,
            protocol,
            addresses,
            Covers::PseudoHeader,
        )?;
    }
    if old_ports != new_ports {
        // Ones' complement sums do not care which half of a word a port stands in.
        let difference = ones_add(!old_ports, new_ports);
        helpers::l4_checksum(
            skb,
            packet.l4 + check,
            protocol,
            difference,
            Covers::Payload,
        )?;
        helpers::store(skb, packet.l4, &[flow.sport, flow.dport])?;
    }
    (packet.sport, packet.dport) = (flow.sport, flow.dport);
    Ok(())
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
    let difference = ones_add(!u32::from(packet.sport.0), u32::from(id.0));
    helpers::l4_checksum(
        packet.skb,
        packet.l4 + ICMP_CHECK,
        proto::ICMP,
        difference,
        Covers::Payload,
    )?;
    helpers::store(packet.skb, packet.l4 + ICMP_ID, &id)
}

/// Ones' complement sum of the new addresses less the old ones.
#[inline(always)]
fn address_difference(packet: &Packet, flow: &Flow<V4>) -> u32 {
    let (src, dst) = (packet.headers.src.0, packet.headers.dst.0);
    if src == flow.src.0 && dst == flow.dst.0 {
        return 0;
    }
    ones_add(ones_add(!src, flow.src.0), ones_add(!dst, flow.dst.0))
}

/// 32-bit addition with end-around carry.
#[inline(always)]
fn ones_add(a: u32, b: u32) -> u32 {
    let sum = u64::from(a) + u64::from(b);
    (sum as u32).wrapping_add((sum >> 32) as u32)
}
