//! Masqueraded sockets: the MAPPING4/MAPPING6 maps.
//!
//! A mapping gives one inside address, port and protocol one outside address and port for all
//! destinations (endpoint-independent mapping, RFC 4787 section 4.1). It is two entries that name
//! each other. The one of the outside port is inserted first, with `BPF_NOEXIST`: that insert is
//! the allocation. Only a flow's creation looks here; the daemon takes away what no flow rests on
//! any more.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Address, Be16, V4, V6},
};

/// What a [`MappingKey`] stands for.
pub mod kind {
    /// `addr`, `port`: a container's; `via`: the outside address. The value is the outside tuple.
    pub const INSIDE: u8 = 0;
    /// `addr`, `port`: the outside tuple; `via`: zero. The value is the container's tuple.
    pub const OUTSIDE: u8 = 1;
    /// As [`OUTSIDE`], with `via` an address that the container has sent to. Only in networks that
    /// filter by address (RFC 4787, section 5).
    pub const PEER: u8 = 2;
    /// Of no entry: a look-up that must not find anything.
    pub const NONE: u8 = 3;
}

/// One name of a mapping.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct MappingKey<A> {
    /// See [`kind`].
    pub addr: A,
    /// See [`kind`].
    pub via: A,
    /// Port, or ICMP echo identifier.
    pub port: Be16,
    /// IP protocol number.
    pub proto: u8,
    /// [`kind`].
    pub kind: u8,
}

/// The other side of a mapping, and whose it is.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mapping<A> {
    /// Address of the other side.
    pub addr: A,
    /// Port of the other side, or ICMP echo identifier.
    pub port: Be16,
    /// Zero.
    pub _pad: u16,
    /// ifindex of the container's veth.
    pub endpoint: u32,
    /// [`crate::endpoint::Endpoint::generation`] at creation.
    pub generation: u32,
    /// Low half of the jiffies when a flow last took it.
    pub last_used: u32,
}

impl<A: Address> MappingKey<A> {
    /// Of what a container sends from, on its way out by the address `via`.
    #[inline(always)]
    pub fn inside(addr: A, port: Be16, proto: u8, via: A) -> Self {
        Self {
            addr,
            via,
            port,
            proto,
            kind: kind::INSIDE,
        }
    }

    /// Of what the outside sees.
    #[inline(always)]
    pub fn outside(addr: A, port: Be16, proto: u8) -> Self {
        Self {
            addr,
            via: A::ANY,
            port,
            proto,
            kind: kind::OUTSIDE,
        }
    }

    /// Of what the outside sees, with a peer's address.
    #[inline(always)]
    pub fn peer(addr: A, port: Be16, proto: u8, peer: A) -> Self {
        Self {
            addr,
            via: peer,
            port,
            proto,
            kind: kind::PEER,
        }
    }
}

const _: () = assert!(size_of::<MappingKey<V4>>() == 12 && size_of::<MappingKey<V6>>() == 36);
const _: () = assert!(size_of::<Mapping<V4>>() == 20 && size_of::<Mapping<V6>>() == 32);

// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for MappingKey<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for MappingKey<A> {}
// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for Mapping<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for Mapping<A> {}

pod!(MappingKey<V4>, MappingKey<V6>, Mapping<V4>, Mapping<V6>);
