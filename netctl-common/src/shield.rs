//! Who may use a published port, and how fast: the SHIELD maps.
//!
//! Rules are found by the published port that a packet is for, which is looked up by the host port
//! as it stands in the packet: before any translation.

use bytemuck::{Pod, Zeroable};

use crate::{
    packet::proto,
    pod,
    wire::{Address, Be16, V4, V6},
};

/// SHIELD value: the rules of a published spec. The key is its
/// [`port_id`](crate::publish::Published::port_id).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Shield {
    /// [`flags`].
    pub flags: u32,
    /// Told apart from other limits that the port had or will have: with new ones every source
    /// begins anew.
    pub limits: u32,
    /// New connections of one source.
    pub connections: Pace,
    /// Packets of one source.
    pub packets: Pace,
}

/// Bits of [`Shield::flags`].
pub mod flags {
    /// Only sources that SHIELD_FROM4, SHIELD_FROM6 or SHIELD_BY name are let in.
    pub const LISTED: u32 = 1 << 0;
}

/// A rate, kept by the generic cell rate algorithm (ITU-T I.371, annex A): one number a source
/// and no timer. Nanoseconds. All zero: no limit.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Pace {
    /// Between two at the rate.
    pub interval: u64,
    /// How far ahead of the rate a source may be.
    pub burst: u64,
}

impl Pace {
    /// `count` in each `period` (nanoseconds), as many of them at once; `count` is not 0.
    pub const fn new(count: u32, period: u64) -> Self {
        let interval = period / count as u64;
        Self {
            interval,
            burst: interval * (count as u64 - 1),
        }
    }

    /// Whether there is a limit.
    #[inline(always)]
    pub const fn is_limit(&self) -> bool {
        self.interval != 0
    }

    /// Takes one at the time `now` from a source that is due at `due`; when it is due next, `None`
    /// when it comes too early.
    #[inline(always)]
    pub const fn take(&self, due: u64, now: u64, count: u64) -> Option<u64> {
        let due = if due > now { due } else { now };
        if due - now > self.burst {
            return None;
        }
        Some(due + self.interval * count)
    }
}

/// SHIELD_SOURCE value: when a source is due next. Kernel's CLOCK_MONOTONIC, nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Due {
    /// With a connection.
    pub connection: u64,
    /// With a packet.
    pub packet: u64,
}

/// SHIELD_SOURCE key.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct SourceKey {
    /// Of the published spec.
    pub port_id: u32,
    /// [`Shield::limits`], its lowest bit the family: 0 for IPv4.
    pub limits: u32,
    /// The address, or the /64 of an IPv6 one: whoever has one has all of it.
    pub net: [u32; 2],
}

impl SourceKey {
    /// The source that an address belongs to.
    #[inline(always)]
    pub fn new<A: Address>(port_id: u32, limits: u32, addr: A) -> Self {
        let [a, b, _, d] = addr.mapped().0;
        Self {
            port_id,
            limits: limits & !1 | u32::from(A::VERSION == 6),
            net: if A::VERSION == 6 { [a, b] } else { [d, 0] },
        }
    }
}

/// Key of the tries SHIELD_FROM4 and SHIELD_FROM6, whose value is the prefix length of the key:
/// a look-up tells which entry has answered.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FromKey<A> {
    /// Of the published spec.
    pub port_id: u32,
    /// Source address.
    pub addr: A,
}

impl<A: Address> FromKey<A> {
    /// Prefix length of which `bits` leading bits of the address count.
    pub const fn prefix(bits: u32) -> u32 {
        32 + bits
    }
}

/// SHIELD_BY key: packets that come in by an interface are let in whatever their source is. The
/// value is 1.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct ByKey {
    /// Of the published spec.
    pub port_id: u32,
    /// The interface.
    pub ifindex: u32,
}

/// Entries of the SHIELD_PORTS array: a bit for every host port of every protocol with ports.
/// What has no bit has no rules, on whatever address.
pub const PORT_WORDS: u32 = 3 * WORDS_A_PROTOCOL;
const WORDS_A_PROTOCOL: u32 = (1 << 16) / 64;

/// Index into SHIELD_PORTS and the bit in that word; `None` for protocols without ports.
#[inline(always)]
pub const fn port_bit(protocol: u8, port: Be16) -> Option<(u32, u64)> {
    let slot = match protocol {
        proto::TCP => 0,
        proto::UDP => 1,
        proto::SCTP => 2,
        _ => return None,
    };
    let port = port.get() as u32;
    Some((slot * WORDS_A_PROTOCOL + port / 64, 1 << (port % 64)))
}

/// Refusals of one port: place in [`PortStats::refused`](crate::stats::PortStats::refused).
pub mod refused {
    /// The source is not on the list.
    pub const SOURCE: usize = 0;
    /// Too many connections.
    pub const CONNECTION: usize = 1;
    /// Too many packets.
    pub const PACKET: usize = 2;
    /// How many there are.
    pub const KINDS: usize = 3;
}

const _: () = assert!(size_of::<FromKey<V4>>() == 8 && size_of::<FromKey<V6>>() == 20);

// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for FromKey<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for FromKey<A> {}

pod!(
    Shield,
    Pace,
    Due,
    SourceKey,
    FromKey<V4>,
    FromKey<V6>,
    ByKey
);
