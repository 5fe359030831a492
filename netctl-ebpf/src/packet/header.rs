//! Ethernet and IP headers as they follow each other in a frame.

use netctl_common::{
    packet::ETH_LEN,
    wire::{Address, Be16, Mac},
};

/// The fixed part of an IP header.
pub(crate) trait Header<A: Address>: Copy + Default {
    /// Bytes.
    const LEN: usize = size_of::<Self>();
    /// Whether the header has a checksum of its own, which makes up for what changes in it.
    const HAS_CHECKSUM: bool;
    /// Offsets of the fields that a rewrite changes.
    const SRC: usize;
    const DST: usize;

    /// A header of our own.
    fn made(src: A, dst: A, proto: u8, payload: u16) -> Self;
    fn src(&self) -> A;
    fn dst(&self) -> A;
    fn set_addresses(&mut self, src: A, dst: A);
    /// Time to live, hop limit.
    fn hops(&self) -> u8;
    /// One hop less. What the sum of the header changes by.
    fn take_hop(&mut self) -> u32;
    /// Brings a checksum of the header's own up to date.
    fn update_checksum(&mut self, difference: u32);
    /// What [`Self::total_length`] says when the header does not tell the length.
    const NO_LENGTH: u32;

    /// Where a checksum of the header's own stands in it, and its value.
    fn checksum_field(&self) -> Option<(u32, u16)>;
    /// Whether routers may cut the packet in pieces.
    fn may_be_cut(&self) -> bool;
    /// Length of the whole packet, this header included.
    fn total_length(&self) -> u32;
    /// Writes the fields that are neither addresses nor MACs back into the packet.
    ///
    /// # Safety
    /// `at` points at this header in the packet, which may be written.
    unsafe fn write_rest(&self, at: *mut u8);
}

/// Ethernet, IP and the start of the transport header in one piece, as they follow each other
/// in nearly every packet. The lead makes the addresses 4-byte aligned on the stack, which the
/// verifier asks for.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Headers<I> {
    lead: [u8; 2],
    pub(crate) dmac: Mac,
    pub(crate) smac: Mac,
    pub(crate) ethertype: Be16,
    pub(crate) ip: I,
    /// TCP without options, or the 8 bytes of the others, as they stand in the packet.
    pub(crate) transport: [u16; 10],
}

pub(crate) const LEAD: usize = 2;
pub(crate) const TCP_LEN: usize = 20;
/// Of UDP and ICMP echo.
pub(crate) const SHORT_LEN: usize = 8;
/// Of SCTP, which every segment has.
pub(crate) const SCTP_COMMON: u32 = 12;
/// Of SCTP with the header of its first chunk (RFC 9260, section 3).
pub(crate) const SCTP_LEN: usize = 16;

impl<I> Headers<I> {
    /// Where in it the IP header starts.
    pub(crate) const IP: usize = LEAD + ETH_LEN as usize;
    /// Where the transport header starts.
    pub(crate) const TRANSPORT: usize = Self::IP + size_of::<I>();

    /// Where the four bytes end that a word of the transport header is in.
    pub(crate) const fn end_of(word: usize) -> usize {
        Self::TRANSPORT + (word / 2 + 1) * 4
    }
}
