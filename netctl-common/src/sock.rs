//! Host sockets translated at connect(): the SOCK4 and SOCK6 maps.
//!
//! A socket of AF_INET6 has its entry in SOCK6, also when it was led to an IPv4 address, which is
//! then v4-mapped there (RFC 4291, section 2.5.5.2). SOCK4 has one for every socket whose packets
//! are IPv4.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Address, Be16, V4, V6},
};

/// A socket's cookie (SO_COOKIE), unique while the machine is up. In halves, so that a key needs
/// no padding in either family.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct Cookie(pub [u32; 2]);

impl From<u64> for Cookie {
    #[inline(always)]
    fn from(cookie: u64) -> Self {
        Self([cookie as u32, (cookie >> 32) as u32])
    }
}

/// SOCK4/SOCK6 key: a socket and the container that it talks to.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SockKey<A> {
    /// The socket.
    pub cookie: Cookie,
    /// The container's address.
    pub addr: A,
    /// The container's port.
    pub port: Be16,
    /// IP protocol number.
    pub proto: u8,
    /// Zero.
    pub _pad: u8,
}

/// SOCK4/SOCK6 value: what the process asked for.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sock<A> {
    /// Address that the process gave.
    pub addr: A,
    /// Port that the process gave.
    pub port: Be16,
    /// Zero.
    pub _pad: u16,
    /// The published port that translated it.
    pub port_id: u32,
    /// ifindex of the container's veth.
    pub endpoint: u32,
}

const _: () = assert!(size_of::<SockKey<V4>>() == 16 && size_of::<SockKey<V6>>() == 28);
const _: () = assert!(size_of::<Sock<V4>>() == 16 && size_of::<Sock<V6>>() == 28);

// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for SockKey<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for SockKey<A> {}
// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for Sock<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for Sock<A> {}

pod!(Cookie, SockKey<V4>, SockKey<V6>, Sock<V4>, Sock<V6>);
