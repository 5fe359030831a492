//! Network-order numbers and addresses: the only code that swaps bytes.
//!
//! A bare `u16` port or `u32` is always host order; a value as it stands in a packet has a type
//! from here. Addresses of both families implement [`Address`], over which flows, published
//! ports and their lookups are generic.

use bytemuck::{Pod, Zeroable};

use crate::{checksum, pod};

/// A 16-bit number in network byte order, as it stands in the packet.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Pod, Zeroable, PartialOrd, Ord)]
pub struct Be16(pub u16);

impl Be16 {
    /// From host order.
    #[inline(always)]
    pub const fn new(host: u16) -> Self {
        Self(host.to_be())
    }
    /// To host order.
    #[inline(always)]
    pub const fn get(self) -> u16 {
        u16::from_be(self.0)
    }
}

impl core::fmt::Debug for Be16 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.get())
    }
}

/// An IPv4 address in network byte order, as it stands in the packet.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Pod, Zeroable)]
pub struct V4(pub u32);

/// An IPv6 address in network byte order, as four words of the packet.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Pod, Zeroable)]
pub struct V6(pub [u32; 4]);

/// An Ethernet address. Aligned as it is in every header and map, so that it is compared and
/// copied in three words and not in six bytes.
#[repr(C, align(2))]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Pod, Zeroable, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The group bit: broadcast and multicast (IEEE 802, I/G bit).
    #[inline(always)]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// The link-local address of an interface with this MAC: fe80::/64 and the modified EUI-64
    /// identifier (RFC 4291, appendix A).
    #[inline(always)]
    pub const fn link_local(self) -> V6 {
        let [a, b, c, d, e, f] = self.0;
        V6([
            0xfe80_0000_u32.to_be(),
            0,
            u32::from_ne_bytes([a ^ 2, b, c, 0xff]),
            u32::from_ne_bytes([0xfe, d, e, f]),
        ])
    }
}

impl core::fmt::Display for Mac {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl core::fmt::Debug for Mac {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// What the datapath needs of an address of either family.
pub trait Address: Copy + Eq + Default + Pod {
    /// The unspecified address: "any local address" in a published port.
    const ANY: Self;
    /// IP version, 4 or 6.
    const VERSION: u8;
    /// Length in bits.
    const BITS: u32;
    /// 127.0.0.0/8 or ::1.
    fn is_loopback(self) -> bool;
    /// 224.0.0.0/4 or ff00::/8.
    fn is_multicast(self) -> bool;
    /// Sum of its words, as a pseudo header counts them (RFC 1071).
    fn sum(self) -> u32;
    /// The address as an IPv6 one; an IPv4 address becomes v4-mapped (RFC 4291, section 2.5.5.2).
    fn mapped(self) -> V6;
}

impl Address for V4 {
    const ANY: Self = Self(0);
    const VERSION: u8 = 4;
    const BITS: u32 = 32;
    #[inline(always)]
    fn is_loopback(self) -> bool {
        self.0 & 0xff00_0000_u32.to_be() == 0x7f00_0000_u32.to_be()
    }
    #[inline(always)]
    fn is_multicast(self) -> bool {
        self.0 & 0xf000_0000_u32.to_be() == 0xe000_0000_u32.to_be()
    }
    #[inline(always)]
    fn sum(self) -> u32 {
        self.0
    }
    #[inline(always)]
    fn mapped(self) -> V6 {
        V6([0, 0, V6::MAPPED, self.0])
    }
}

impl Address for V6 {
    const ANY: Self = Self([0; 4]);
    const VERSION: u8 = 6;
    const BITS: u32 = 128;
    #[inline(always)]
    fn is_loopback(self) -> bool {
        self.0 == [0, 0, 0, 1_u32.to_be()]
    }
    #[inline(always)]
    fn is_multicast(self) -> bool {
        self.0[0] & 0xff00_0000_u32.to_be() == 0xff00_0000_u32.to_be()
    }
    #[inline(always)]
    fn sum(self) -> u32 {
        let [a, b, c, d] = self.0;
        checksum::add(checksum::add(a, b), checksum::add(c, d))
    }
    #[inline(always)]
    fn mapped(self) -> V6 {
        self
    }
}

impl V6 {
    /// Third word of a v4-mapped address (RFC 4291, section 2.5.5.2).
    pub const MAPPED: u32 = 0x0000_ffff_u32.to_be();

    /// The IPv4 address that a v4-mapped one stands for.
    #[inline(always)]
    pub const fn unmapped(self) -> Option<V4> {
        let [a, b, c, d] = self.0;
        if a | b == 0 && c == Self::MAPPED {
            Some(V4(d))
        } else {
            None
        }
    }

    /// fe80::/10.
    #[inline(always)]
    pub const fn is_link_local(self) -> bool {
        self.0[0] & 0xffc0_0000_u32.to_be() == 0xfe80_0000_u32.to_be()
    }

    /// The MAC that a link-local address was made of ([`Mac::link_local`]), if it was made so.
    #[inline(always)]
    pub const fn link_local_mac(self) -> Option<Mac> {
        let ([_, _, x, y], prefix) = (self.0, [self.0[0], self.0[1]]);
        let ([a, b, c, m1], [m2, d, e, f]) = (x.to_ne_bytes(), y.to_ne_bytes());
        if prefix[0] == 0xfe80_0000_u32.to_be() && prefix[1] == 0 && m1 == 0xff && m2 == 0xfe {
            Some(Mac([a ^ 2, b, c, d, e, f]))
        } else {
            None
        }
    }
}

impl V4 {
    /// Limited broadcast, 255.255.255.255.
    pub const BROADCAST: Self = Self(u32::MAX);
}

impl From<core::net::Ipv4Addr> for V4 {
    fn from(a: core::net::Ipv4Addr) -> Self {
        Self(u32::from_ne_bytes(a.octets()))
    }
}

impl From<V4> for core::net::Ipv4Addr {
    fn from(a: V4) -> Self {
        Self::from(a.0.to_ne_bytes())
    }
}

impl From<core::net::Ipv6Addr> for V6 {
    fn from(a: core::net::Ipv6Addr) -> Self {
        Self(bytemuck::cast(a.octets()))
    }
}

impl From<V6> for core::net::Ipv6Addr {
    fn from(a: V6) -> Self {
        Self::from(bytemuck::cast::<[u32; 4], [u8; 16]>(a.0))
    }
}

impl core::fmt::Debug for V4 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&core::net::Ipv4Addr::from(*self), f)
    }
}

impl core::fmt::Debug for V6 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&core::net::Ipv6Addr::from(*self), f)
    }
}

pod!(Be16, V4, V6, Mac);
