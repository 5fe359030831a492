//! ARP (RFC 826), answered in place: the question is turned into its answer and sent back.

use netctl_common::{
    drop_reason::DropReason,
    endpoint::Endpoint,
    network::Network,
    packet::{ETH_LEN, arp},
    wire::{Be16, Mac, V4},
};

use crate::{helpers, host, packet::Packet};

/// ARP for IPv4 over Ethernet, with a lead that aligns the addresses on the stack. The addresses
/// are at odd words in the packet, so they are kept as halves.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Arp {
    hardware: Be16,
    protocol: Be16,
    lengths: [u8; 2],
    operation: Be16,
    sender_mac: Mac,
    sender: [u16; 2],
    target_mac: Mac,
    target: [u16; 2],
}

const _: () = assert!(size_of::<Arp>() == 28);
const ETHERNET: u16 = 1;
const IPV4: u16 = 0x0800;

#[inline(always)]
fn address(halves: [u16; 2]) -> V4 {
    // Halves in packet order make a word in packet order.
    V4(if cfg!(target_endian = "little") {
        u32::from(halves[1]) << 16 | u32::from(halves[0])
    } else {
        u32::from(halves[0]) << 16 | u32::from(halves[1])
    })
}

/// Answers for the gateway and for other endpoints of the network; never for the asker's own
/// address (so that it can detect duplicates, RFC 5227) and never for an address that nobody has.
#[inline(always)]
pub(crate) fn answer(
    packet: &Packet<V4>,
    endpoint: &Endpoint,
    network: &Network,
) -> Result<i32, DropReason> {
    let mut body = Arp::default();
    if !helpers::load(packet.skb, ETH_LEN, &mut body, 0..size_of::<Arp>()) {
        return Err(DropReason::Malformed);
    }
    if body.hardware.get() != ETHERNET || body.protocol.get() != IPV4 || body.lengths != [6, 4] {
        return Err(DropReason::Malformed);
    }
    let (sender, target) = (address(body.sender), address(body.target));
    // A probe (sender 0) claims nothing.
    if body.sender_mac != endpoint.mac || (sender.0 != 0 && sender != endpoint.addr4) {
        return Err(DropReason::SpoofedArp);
    }
    if body.operation.get() != arp::REQUEST || target == endpoint.addr4 {
        return Err(DropReason::ArpUnanswered);
    }
    let owner = if target == network.gateway4 {
        network.mac
    } else {
        host::neighbour(endpoint.network, target)
            .ok_or(DropReason::ArpUnanswered)?
            .mac
    };
    let reply = Arp {
        operation: Be16::new(arp::REPLY),
        sender_mac: owner,
        sender: body.target,
        target_mac: body.sender_mac,
        target: body.sender,
        ..body
    };
    helpers::store(packet.skb, ETH_LEN, &reply)?;
    helpers::store(packet.skb, 0, &[body.sender_mac, owner])?;
    Ok(helpers::redirect(packet.ifindex()))
}
