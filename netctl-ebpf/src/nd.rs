//! Neighbour discovery (RFC 4861), answered in place: the solicitation is turned into its
//! advertisement and sent back.

use netctl_common::{
    checksum,
    drop_reason::DropReason,
    endpoint::{Endpoint, FdbKey},
    network::Network,
    packet::{ETH_LEN, IPV6_LEN, icmpv6, proto},
    wire::{Address, Be16, Mac, V6},
};

use crate::{helpers, host, maps::FDB, packet::Packet};

/// A solicitation or advertisement with the option that tells a link-layer address.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Neighbour {
    kind: u8,
    code: u8,
    /// As it stands in the packet.
    check: u16,
    flags: [u8; 4],
    target: V6,
    option: [u8; 2],
    mac: Mac,
}

/// Without the option.
const SHORT: usize = 24;
const LENGTH: u32 = 32;
const _: () = assert!(size_of::<Neighbour>() == LENGTH as usize);

const MESSAGE: u32 = ETH_LEN + IPV6_LEN;
/// Hop limit that shows that no router has forwarded the packet (RFC 4861, section 7.1.1).
const ON_LINK: u8 = 255;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
/// "Target link-layer address", length 1 unit of 8 bytes.
const TARGET_MAC: [u8; 2] = [2, 1];
/// ff02::1
const ALL_NODES: V6 = V6([0xff02_0000_u32.to_be(), 0, 0, 1_u32.to_be()]);

/// Answers for the gateway and for other endpoints of the network; never for the asker's own
/// address (so that it can detect duplicates, RFC 4862, section 5.4) and never for an address
/// that nobody has. Nobody on the link routes or leads elsewhere but the gateway.
#[inline(always)]
pub(crate) fn answer(
    packet: &Packet<V6>,
    endpoint: &Endpoint,
    network: &Network,
) -> Result<i32, DropReason> {
    match packet.icmp_type {
        icmpv6::NEIGHBOUR_SOLICITATION | icmpv6::NEIGHBOUR_ADVERTISEMENT => {}
        icmpv6::ROUTER_ADVERTISEMENT | icmpv6::REDIRECT => {
            return Err(DropReason::RouterAdvertisement);
        }
        _ => return Err(DropReason::NdUnanswered),
    }
    // Never in fragments (RFC 6980) and never behind other headers in practice.
    if packet.has_options() || packet.headers.ip.hops != ON_LINK {
        return Err(DropReason::Malformed);
    }
    let mut message = Neighbour::default();
    if !helpers::load(packet.skb, MESSAGE, &mut message, 0..SHORT) {
        return Err(DropReason::Malformed);
    }
    let target = message.target;
    let is_own = target == endpoint.addr6 || target == endpoint.mac.link_local();
    if message.kind == icmpv6::NEIGHBOUR_ADVERTISEMENT {
        // Where everybody is, is known here: an announcement is true or false, never needed.
        return Err(if is_own {
            DropReason::NdUnanswered
        } else {
            DropReason::SpoofedNd
        });
    }
    if is_own {
        return Err(DropReason::NdUnanswered);
    }
    let (owner, router) = owner(target, endpoint, network).ok_or(DropReason::NdUnanswered)?;
    advertise(packet, target, owner, router)
}

/// Who has the address, and whether it is a router.
#[inline(always)]
fn owner(target: V6, endpoint: &Endpoint, network: &Network) -> Option<(Mac, u8)> {
    if target == network.gateway6 || target == network.mac.link_local() {
        return Some((network.mac, ROUTER));
    }
    if let Some(mac) = target.link_local_mac() {
        let key = FdbKey {
            network: endpoint.network,
            mac,
            _pad: 0,
        };
        return FDB.get_ptr(&key).map(|_| (mac, 0));
    }
    host::neighbour(endpoint.network, target).map(|neigh| (neigh.mac, 0))
}

#[inline(always)]
fn advertise(packet: &Packet<V6>, target: V6, owner: Mac, router: u8) -> Result<i32, DropReason> {
    let asker = packet.src();
    // Who has no address yet is told by way of everybody (RFC 4861, section 7.2.4).
    let (dst, solicited) = if asker == V6::ANY {
        (ALL_NODES, 0)
    } else {
        (asker, SOLICITED)
    };
    let mut message = Neighbour {
        kind: icmpv6::NEIGHBOUR_ADVERTISEMENT,
        code: 0,
        check: 0,
        flags: [router | solicited | OVERRIDE, 0, 0, 0],
        target,
        option: TARGET_MAC,
        mac: owner,
    };
    message.check = checksum_of(&message, target, dst);
    helpers::set_length(packet.skb, MESSAGE + LENGTH)?;
    let mut headers = packet.headers;
    (headers.dmac, headers.smac) = (headers.smac, owner);
    headers.ip.payload_len = Be16::new(LENGTH as u16);
    (headers.ip.src, headers.ip.dst) = (target, dst);
    packet.store_other(&headers)?;
    helpers::store(packet.skb, MESSAGE, &message)?;
    Ok(helpers::redirect(packet.ifindex()))
}

/// Checksum of the message and its pseudo header (RFC 4443, section 2.3).
#[inline(always)]
fn checksum_of(message: &Neighbour, src: V6, dst: V6) -> u16 {
    let word = |bytes: [u8; 4]| u32::from_ne_bytes(bytes);
    let [a, b, c, d, e, f] = message.mac.0;
    let [x, y] = message.option;
    let parts = [
        dst.sum(),
        word([message.kind, message.code, 0, 0]),
        word(message.flags),
        message.target.sum(),
        word([x, y, a, b]),
        word([c, d, e, f]),
        LENGTH.to_be(),
        u32::from(proto::ICMPV6).to_be(),
    ];
    let mut sum = src.sum();
    for part in parts {
        sum = checksum::add(sum, part);
    }
    !checksum::fold(sum)
}
