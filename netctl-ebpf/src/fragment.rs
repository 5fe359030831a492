//! Ports for fragments that have no transport header, remembered from the first fragment.
//!
//! Fragments must arrive in order; one that comes before the first has no flow and is dropped.

use netctl_common::{
    drop_reason::DropReason,
    wire::{Be16, V4},
};

use crate::{maps::Family, packet::Packet};

/// FRAG4 key: one datagram (RFC 791: source, destination, protocol, identification).
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct FragmentKey<A> {
    src: A,
    dst: A,
    id: Be16,
    proto: u8,
    side: u8,
}

/// Remembers a first fragment's ports, gives them to a later one. Nothing for whole packets.
#[inline(always)]
pub(crate) fn track(packet: &mut Packet, side: u8) -> Result<(), DropReason> {
    let key = FragmentKey {
        src: packet.headers.src,
        dst: packet.headers.dst,
        id: packet.headers.id,
        proto: packet.headers.proto,
        side,
    };
    if packet.is_later_fragment() {
        let Some(ports) = V4::fragments().get_ptr(&key) else {
            return Err(DropReason::Fragment);
        };
        // SAFETY: a value of the map; it may be overwritten meanwhile, but is one word.
        let ports = unsafe { *ports };
        packet.sport = Be16((ports >> 16) as u16);
        packet.dport = Be16(ports as u16);
    } else if packet.is_first_fragment() && packet.has_l4 {
        let ports = u32::from(packet.sport.0) << 16 | u32::from(packet.dport.0);
        // A table that takes no more costs the later fragments, which are then counted.
        let _remembered = V4::fragments().insert(&key, ports, 0);
    }
    Ok(())
}
