//! Published ports: the PUBLISHED4, PUBLISHED_RANGE4 and RESERVED maps.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Address, Be16, V4, V6},
};

/// PUBLISHED key: one port.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PublishKey<A> {
    /// Host address, or [`Address::ANY`] for every local one.
    pub addr: A,
    /// IP protocol number.
    pub proto: u8,
    /// Zero.
    pub _pad: u8,
    /// Host port. Last, so that a prefix of the key covers an aligned block of ports.
    pub port: Be16,
}

/// PUBLISHED value.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Published<A> {
    /// The container's address.
    pub addr: A,
    /// ifindex of the container's veth.
    pub endpoint: u32,
    /// Identifies the published spec (one for a whole range); never 0, never used again.
    pub port_id: u32,
    /// First host port of the spec.
    pub host_base: Be16,
    /// Container port that `host_base` leads to; the others follow in step.
    pub container_base: Be16,
}

impl<A: Address> Published<A> {
    /// Container port for a host port of the spec.
    #[inline(always)]
    pub fn container_port(&self, host: Be16) -> Be16 {
        Be16::new(
            self.container_base
                .get()
                .wrapping_add(host.get().wrapping_sub(self.host_base.get())),
        )
    }
}

/// Set in a value of RESERVED, which is the number of a spec that has the port: an engine's own
/// socket keeps others off it. That engine must be let bind, after it was started anew as well.
pub const RESERVED_BY_ENGINE: u32 = 1 << 31;

/// Prefix length of a [`PublishKey`] of which `port_bits` leading bits of the port count, in
/// the LPM tries PUBLISHED_RANGE.
pub const fn range_prefix<A: Address>(port_bits: u32) -> u32 {
    A::BITS + 16 + port_bits
}

/// RESERVED key: a port that is published in a family, on whatever address.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct ReservedKey {
    /// [`Address::VERSION`].
    pub family: u8,
    /// IP protocol number.
    pub proto: u8,
    /// Host port. Last, as in [`PublishKey`].
    pub port: Be16,
}

impl ReservedKey {
    /// That port of a family.
    #[inline(always)]
    pub const fn new<A: Address>(proto: u8, port: Be16) -> Self {
        Self {
            family: A::VERSION,
            proto,
            port,
        }
    }

    /// Prefix length of which `port_bits` leading bits of the port count.
    pub const fn prefix(port_bits: u32) -> u32 {
        16 + port_bits
    }
}

/// One aligned block of ports: the `bits` leading bits of `base` are fixed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortBlock {
    /// First port.
    pub base: u16,
    /// Fixed leading bits, 0 to 16.
    pub bits: u32,
}

/// Splits `first..=last` into aligned blocks, ascending: at most 30 of them, whatever its length.
///
/// That is what makes a range constant in cost: a longest-prefix-match trie holds the blocks.
pub fn port_blocks(first: u16, last: u16) -> impl Iterator<Item = PortBlock> {
    let (mut next, end) = (u32::from(first), u32::from(last) + 1);
    core::iter::from_fn(move || {
        if next >= end {
            return None;
        }
        let align = if next == 0 { 16 } else { next.trailing_zeros() };
        let fit = (end - next).ilog2();
        let size = if align < fit { align } else { fit };
        let block = PortBlock {
            base: next as u16,
            bits: 16 - size,
        };
        next += 1 << size;
        Some(block)
    })
}

const _: () = assert!(size_of::<PublishKey<V4>>() == 8 && size_of::<PublishKey<V6>>() == 20);
const _: () = assert!(size_of::<Published<V4>>() == 16 && size_of::<Published<V6>>() == 28);

// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for PublishKey<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for PublishKey<A> {}
// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for Published<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for Published<A> {}

pod!(
    PublishKey<V4>,
    PublishKey<V6>,
    Published<V4>,
    Published<V6>,
    ReservedKey
);
