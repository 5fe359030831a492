//! Ports for fragments that have no transport header, remembered from the first fragment.
//!
//! Fragments must arrive in order; one that comes before the first has no flow and is dropped.

use netctl_common::{drop_reason::DropReason, wire::Be16};

use crate::{family::Family, packet::Packet};

/// FRAG4/FRAG6 key: one datagram (RFC 791: source, destination, protocol, identification; RFC
/// 8200 leaves the protocol out, which changes nothing).
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct FragmentKey<A> {
    src: A,
    dst: A,
    /// As it stands in the packet.
    id: u32,
    proto: u8,
    side: u8,
    _pad: u16,
}

/// Remembers a first fragment's ports, gives them to a later one. Nothing for whole packets.
#[inline(always)]
pub(crate) fn track<A: Family>(packet: &mut Packet<A>, side: u8) -> Result<(), DropReason> {
    let key = FragmentKey {
        src: packet.src(),
        dst: packet.dst(),
        id: packet.fragment.id,
        proto: packet.proto,
        side,
        _pad: 0,
    };
    if packet.is_later_fragment() {
        let Some(ports) = A::fragments().get_ptr(&key) else {
            return Err(DropReason::Fragment);
        };
        // SAFETY: a value of the map; it may be overwritten meanwhile, but is one word.
        let ports = unsafe { *ports };
        packet.sport = Be16((ports >> 16) as u16);
        packet.dport = Be16(ports as u16);
    } else if packet.is_first_fragment() && packet.has_l4 {
        let ports = u32::from(packet.sport.0) << 16 | u32::from(packet.dport.0);
        // A table that takes no more costs the later fragments, which are then counted.
        let _remembered = A::fragments().insert(&key, ports, 0);
    }
    Ok(())
}
