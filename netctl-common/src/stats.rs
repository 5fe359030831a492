//! Counters: the PORT_STATS and DROPS maps.

use bytemuck::{Pod, Zeroable};

use crate::{pod, shield::refused, wire::Be16};

/// PORT_STATS key (per-CPU hash): one host port of a published spec. Created by the port's
/// first flow or refusal, so a range has entries only for ports that saw traffic.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct PortStatsKey {
    /// [`crate::publish::Published::port_id`].
    pub port_id: u32,
    /// Host port.
    pub port: Be16,
    /// Zero.
    pub _pad: u16,
}

/// PORT_STATS value, one a CPU. Bytes are of the IP layer, headers included; segmented packets
/// (GSO, GRO) count as the packets and bytes that they are on the wire.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct PortStats {
    /// Packets towards the container.
    pub rx_packets: u64,
    /// Bytes towards the container.
    pub rx_bytes: u64,
    /// Packets from the container.
    pub tx_packets: u64,
    /// Bytes from the container.
    pub tx_bytes: u64,
    /// Flows created.
    pub opened: u64,
    /// Packets that the port's rules refused, by [`refused`].
    pub refused: [u64; refused::KINDS],
}

/// DROPS value, one a CPU; the key is a [`crate::drop_reason::DropReason`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct DropCount {
    /// Packets dropped.
    pub packets: u64,
    /// Jiffies of the last sample that this CPU wrote to EVENTS for this reason.
    pub sampled: u64,
}

pod!(PortStatsKey, PortStats, DropCount);
