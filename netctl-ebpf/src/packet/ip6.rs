//! IPv6 (RFC 8200) with its extension headers.

use core::mem::offset_of;

use netctl_common::{
    checksum,
    drop_reason::DropReason,
    packet::{IPV6_LEN, proto},
    wire::{Be16, V6},
};

use super::{Packet, header::Header, ip4::OWN_TTL};
use crate::helpers;

/// The fixed header.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Ipv6 {
    /// Version, traffic class and flow label as they stand in the packet.
    pub(crate) version: [u8; 4],
    pub(crate) payload_len: Be16,
    pub(crate) next: u8,
    pub(crate) hops: u8,
    pub(crate) src: V6,
    pub(crate) dst: V6,
}

const _: () = assert!(size_of::<Ipv6>() == IPV6_LEN as usize);

/// Extension headers that are walked; a packet with more of them is malformed. Real ones have
/// three at most.
pub(crate) const EXTENSIONS: u32 = 6;
/// Flag and offset of a fragment header (RFC 8200, section 4.5).
const MORE_FRAGMENTS: u16 = 1;
pub(crate) const OFFSET_SHIFT: u16 = 3;

impl Header<V6> for Ipv6 {
    const HAS_CHECKSUM: bool = false;
    const NO_LENGTH: u32 = IPV6_LEN;
    const SRC: usize = offset_of!(Self, src);
    const DST: usize = offset_of!(Self, dst);

    #[inline(always)]
    fn made(src: V6, dst: V6, proto: u8, payload: u16) -> Self {
        Self {
            version: [0x60, 0, 0, 0],
            payload_len: Be16::new(payload),
            next: proto,
            hops: OWN_TTL,
            src,
            dst,
        }
    }
    #[inline(always)]
    fn src(&self) -> V6 {
        self.src
    }
    #[inline(always)]
    fn dst(&self) -> V6 {
        self.dst
    }
    #[inline(always)]
    fn set_addresses(&mut self, src: V6, dst: V6) {
        (self.src, self.dst) = (src, dst);
    }
    #[inline(always)]
    fn hops(&self) -> u8 {
        self.hops
    }
    #[inline(always)]
    fn take_hop(&mut self) -> u32 {
        let word = |hops| u32::from(u16::from_ne_bytes([self.next, hops]));
        let hop = checksum::difference(word(self.hops), word(self.hops - 1));
        self.hops -= 1;
        hop
    }
    #[inline(always)]
    fn update_checksum(&mut self, _difference: u32) {}
    #[inline(always)]
    fn checksum_field(&self) -> Option<(u32, u16)> {
        None
    }
    #[inline(always)]
    fn may_be_cut(&self) -> bool {
        false
    }
    #[inline(always)]
    fn total_length(&self) -> u32 {
        IPV6_LEN + u32::from(self.payload_len.get())
    }
    #[inline(always)]
    unsafe fn write_rest(&self, at: *mut u8) {
        // SAFETY: as the caller promises.
        unsafe { at.add(offset_of!(Self, hops)).write(self.hops) }
    }
}

impl Packet<V6> {
    /// Checks the header and walks the extension headers to the transport header.
    #[inline(always)]
    pub(crate) fn find_transport6(&mut self) -> Result<(), DropReason> {
        if self.headers.ip.version[0] >> 4 != 6 {
            return Err(DropReason::Malformed);
        }
        self.proto = self.headers.ip.next;
        if is_extension(self.proto) {
            self.walk_extensions()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn walk_extensions(&mut self) -> Result<(), DropReason> {
        for _ in 0..EXTENSIONS {
            let mut extension = [0_u8; 8];
            if !helpers::load(self.skb, self.l4, &mut extension, 0..8) {
                return Err(DropReason::Malformed);
            }
            let [next, length, a, b, id @ ..] = extension;
            if self.proto == proto::FRAGMENT {
                let field = u16::from_be_bytes([a, b]);
                self.fragment.offset = field >> OFFSET_SHIFT;
                self.fragment.more = field & MORE_FRAGMENTS != 0;
                self.fragment.id = u32::from_ne_bytes(id);
            }
            self.l4 += extension_length(self.proto, length);
            self.proto = next;
            // What follows the fragment header of a later fragment is data.
            if !is_extension(next) || self.is_later_fragment() {
                return Ok(());
            }
        }
        Err(DropReason::Malformed)
    }
}

/// Bytes of an extension header whose length field says `length` (RFC 8200, section 4; RFC 4302,
/// section 2.2).
#[inline(always)]
pub(crate) fn extension_length(kind: u8, length: u8) -> u32 {
    match kind {
        proto::FRAGMENT => 8,
        proto::AUTH => (u32::from(length) + 2) * 4,
        _ => (u32::from(length) + 1) * 8,
    }
}

/// Whether a header of that number is followed by another one.
#[inline(always)]
pub(crate) fn is_extension(next: u8) -> bool {
    matches!(
        next,
        proto::HOP_BY_HOP
            | proto::ROUTING
            | proto::FRAGMENT
            | proto::AUTH
            | proto::DESTINATION
            | proto::MOBILITY
    )
}
