//! IPv4 (RFC 791).

use core::mem::offset_of;

use netctl_common::{
    checksum,
    drop_reason::DropReason,
    packet::{ETH_LEN, IPV4_LEN},
    wire::{Be16, V4},
};

use super::{Packet, header::Header};

/// Without options.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Ipv4 {
    pub(crate) version_ihl: u8,
    pub(crate) tos: u8,
    pub(crate) tot_len: Be16,
    pub(crate) id: Be16,
    pub(crate) frag: Be16,
    pub(crate) ttl: u8,
    pub(crate) proto: u8,
    /// As it stands in the packet.
    pub(crate) check: u16,
    pub(crate) src: V4,
    pub(crate) dst: V4,
}

const _: () = assert!(size_of::<Ipv4>() == IPV4_LEN as usize);

pub(crate) const MORE_FRAGMENTS: u16 = 0x2000;
pub(crate) const FRAGMENT_OFFSET: u16 = 0x1fff;
const DONT_FRAGMENT: u16 = 0x4000;
/// Time to live of packets of our own (RFC 1700).
pub(super) const OWN_TTL: u8 = 64;

impl Header<V4> for Ipv4 {
    const HAS_CHECKSUM: bool = true;
    const NO_LENGTH: u32 = 0;
    const SRC: usize = offset_of!(Self, src);
    const DST: usize = offset_of!(Self, dst);

    #[inline(always)]
    fn made(src: V4, dst: V4, proto: u8, payload: u16) -> Self {
        let mut header = Self {
            version_ihl: 0x45,
            // Internetwork control (RFC 1812, section 4.3.2.5).
            tos: 0xc0,
            tot_len: Be16::new(IPV4_LEN as u16 + payload),
            id: Be16(0),
            frag: Be16::new(DONT_FRAGMENT),
            ttl: OWN_TTL,
            proto,
            check: 0,
            src,
            dst,
        };
        header.make_checksum();
        header
    }
    #[inline(always)]
    fn src(&self) -> V4 {
        self.src
    }
    #[inline(always)]
    fn dst(&self) -> V4 {
        self.dst
    }
    #[inline(always)]
    fn set_addresses(&mut self, src: V4, dst: V4) {
        (self.src, self.dst) = (src, dst);
    }
    #[inline(always)]
    fn hops(&self) -> u8 {
        self.ttl
    }
    #[inline(always)]
    fn take_hop(&mut self) -> u32 {
        let word = |ttl| u32::from(u16::from_ne_bytes([ttl, self.proto]));
        let hop = checksum::difference(word(self.ttl), word(self.ttl - 1));
        self.ttl -= 1;
        hop
    }
    #[inline(always)]
    fn update_checksum(&mut self, difference: u32) {
        self.check = checksum::update(self.check, difference);
    }
    #[inline(always)]
    fn checksum_field(&self) -> Option<(u32, u16)> {
        Some((offset_of!(Self, check) as u32, self.check))
    }
    #[inline(always)]
    fn may_be_cut(&self) -> bool {
        self.frag.get() & DONT_FRAGMENT == 0
    }
    #[inline(always)]
    fn total_length(&self) -> u32 {
        u32::from(self.tot_len.get())
    }
    #[inline(always)]
    unsafe fn write_rest(&self, at: *mut u8) {
        // SAFETY: as the caller promises.
        unsafe {
            at.add(offset_of!(Self, ttl)).write(self.ttl);
            at.add(offset_of!(Self, check))
                .cast::<u16>()
                .write(self.check);
        }
    }
}

impl Ipv4 {
    /// Of a header without options.
    #[inline(always)]
    pub(crate) fn make_checksum(&mut self) {
        self.check = 0;
        self.check = !checksum::fold(self.sum());
    }

    /// Whether the checksum of a header without options is right.
    #[inline(always)]
    pub(crate) fn is_intact(&self) -> bool {
        checksum::fold(self.sum()) == u16::MAX
    }

    /// Sum of the header's words, without options.
    #[inline(always)]
    fn sum(&self) -> u32 {
        let word = |a, b| u32::from(u16::from_ne_bytes([a, b]));
        let parts = [
            word(self.version_ihl, self.tos),
            u32::from(self.tot_len.0),
            u32::from(self.id.0),
            u32::from(self.frag.0),
            word(self.ttl, self.proto),
            u32::from(self.check),
            self.src.0,
        ];
        let mut sum = self.dst.0;
        for part in parts {
            sum = checksum::add(sum, part);
        }
        sum
    }
}

impl Packet<V4> {
    /// Checks the header; behind options the transport header is further on.
    #[inline(always)]
    pub(crate) fn find_transport4(&mut self) -> Result<(), DropReason> {
        let ip = &self.headers.ip;
        let ihl = u32::from(ip.version_ihl & 0x0f) * 4;
        if ip.version_ihl >> 4 != 4 || ihl < IPV4_LEN {
            return Err(DropReason::Malformed);
        }
        let frag = ip.frag.get();
        (self.proto, self.fragment.id) = (ip.proto, u32::from(ip.id.0));
        self.fragment.offset = frag & FRAGMENT_OFFSET;
        self.fragment.more = frag & MORE_FRAGMENTS != 0;
        self.l4 = ETH_LEN + ihl;
        Ok(())
    }
}
