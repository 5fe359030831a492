//! Tracked connections: the FLOW4/FLOW6 maps.
//!
//! A flow is two self-contained entries, one for each direction. An entry's key is the packet as
//! it arrives, its value is the whole of what to do with it. The sibling's key follows from the
//! entry itself ([`Flow::sibling_key`]), so a lost half can be found and made again.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Address, Be16, Mac, V4, V6},
};

/// The side that a packet comes from: its addresses mean different things on each.
pub mod side {
    /// From a container or from a process of the host (`from_container`, `from_host`).
    pub const INSIDE: u8 = 0;
    /// From the wire (`from_uplink`).
    pub const OUTSIDE: u8 = 1;
    /// From another container, by the port that it is masqueraded by (`hairpin`). Apart from
    /// [`OUTSIDE`], where nobody has such a source address.
    pub const HAIRPIN: u8 = 2;
}

/// A packet's tuple before any rewrite. For ICMP echo both ports hold the identifier.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FlowKey<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Source port, or ICMP echo identifier.
    pub sport: Be16,
    /// Destination port, or ICMP echo identifier.
    pub dport: Be16,
    /// IP protocol number.
    pub proto: u8,
    /// [`side`] that the packet came from.
    pub side: u8,
    /// Address space; always 0 while networks may not overlap.
    pub zone: u16,
}

/// What to do with packets of one direction of a flow. 64 bytes for IPv4.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flow<A> {
    /// Source address to write.
    pub src: A,
    /// Destination address to write.
    pub dst: A,
    /// Source port to write.
    pub sport: Be16,
    /// Destination port to write.
    pub dport: Be16,
    /// Interface to deliver to, as [`flags`] say: host side of a veth, an uplink or an anchor.
    pub out_ifindex: u32,
    /// ifindex of the container's veth: the flow dies with that endpoint.
    pub endpoint: u32,
    /// [`crate::endpoint::Endpoint::generation`] at creation.
    pub generation: u32,
    /// Published port that it came through, 0 if none: the flow dies with that port.
    pub port_id: u32,
    /// The published host port, for the counters of one port of a range.
    pub host_port: Be16,
    /// [`flags`].
    pub flags: u16,
    /// Jiffies (64-bit) of the last packet of this direction; written at most once a second.
    pub last_seen: u64,
    /// Jiffies (64-bit) of creation.
    pub created: u64,
    /// Source MAC to write, unless the kernel's neighbour table fills it in.
    pub smac: Mac,
    /// Destination MAC to write.
    pub dmac: Mac,
    /// TCP flags seen in this direction ([`crate::tcp::seen`]).
    pub tcp_seen: u8,
    /// IP protocol number, as in the key.
    pub proto: u8,
    /// The sibling's [`side`].
    pub sibling_side: u8,
    /// Zero.
    pub _pad: u8,
}

/// Bits of [`Flow::flags`].
pub mod flags {
    /// Deliver into the container behind `out_ifindex`.
    pub const TO_CONTAINER: u16 = 1 << 0;
    /// Leave by the uplink `out_ifindex`, MACs from the kernel's neighbour table.
    pub const TO_UPLINK: u16 = 1 << 1;
    /// Leave by the uplink `out_ifindex` with the MACs stored here: the way back to a client
    /// whose request came in by an interface that the routes would not choose.
    pub const TO_UPLINK_L2: u16 = 1 << 2;
    /// Deliver to the host's own stack on the anchor `out_ifindex`.
    pub const TO_HOST: u16 = 1 << 3;
    /// This entry's packets answer the flow's first packet.
    pub const REPLY: u16 = 1 << 4;
    /// Nothing to rewrite but MACs: the entry tracks or counts only.
    pub const IDENTITY: u16 = 1 << 5;
    /// The packet is routed: decrement its TTL.
    pub const ROUTED: u16 = 1 << 6;
    /// Packets of this direction count as received by the published port (towards the container).
    pub const PORT_RX: u16 = 1 << 7;
    /// Packets of this direction count as sent by the published port (from the container).
    pub const PORT_TX: u16 = 1 << 8;
    /// The source was masqueraded (SNAT), for display.
    pub const SNAT: u16 = 1 << 9;
    /// The destination was a published port (DNAT), for display.
    pub const DNAT: u16 = 1 << 10;
    /// The container's address and port have a mapping ([`crate::mapping`]), which this rests on.
    pub const MAPPED: u16 = 1 << 11;
    /// Back in at once, to the container behind the port that the packet is for now: for both it
    /// is as if the other one were outside (RFC 4787, REQ-9).
    pub const HAIRPIN: u16 = 1 << 12;
}

impl<A: Address> FlowKey<A> {
    /// The tuple of packets the other way.
    #[inline(always)]
    pub fn reversed(&self, side: u8) -> Self {
        Self {
            src: self.dst,
            dst: self.src,
            sport: self.dport,
            dport: self.sport,
            proto: self.proto,
            side,
            zone: self.zone,
        }
    }
}

impl<A: Address> Flow<A> {
    /// Key of the other direction's entry: the rewritten tuple, reversed.
    #[inline(always)]
    pub fn sibling_key(&self) -> FlowKey<A> {
        FlowKey {
            src: self.dst,
            dst: self.src,
            sport: self.dport,
            dport: self.sport,
            proto: self.proto,
            side: self.sibling_side,
            zone: 0,
        }
    }
}

const _: () = assert!(size_of::<FlowKey<V4>>() == 16 && size_of::<FlowKey<V6>>() == 40);
const _: () = assert!(size_of::<Flow<V4>>() == 64 && size_of::<Flow<V6>>() == 88);

// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for FlowKey<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for FlowKey<A> {}
// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for Flow<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for Flow<A> {}

pod!(FlowKey<V4>, FlowKey<V6>, Flow<V4>, Flow<V6>);
