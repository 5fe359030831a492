//! Records of the EVENTS ring buffer: samples of dropped packets.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Be16, Mac, V6},
};

/// A dropped packet. At most ten a second for each reason and CPU are sampled.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct DropEvent {
    /// [`crate::drop_reason::DropReason`] as a number.
    pub reason: u32,
    /// Interface that the program ran on.
    pub ifindex: u32,
    /// Source address; an IPv4 one is v4-mapped (RFC 4291, section 2.5.5.2), 0 when the packet
    /// was of neither family.
    pub src: V6,
    /// Destination address, likewise.
    pub dst: V6,
    /// Source port.
    pub sport: Be16,
    /// Destination port.
    pub dport: Be16,
    /// EtherType.
    pub ethertype: Be16,
    /// IP protocol number.
    pub proto: u8,
    /// Zero.
    pub _pad: u8,
    /// Source MAC.
    pub smac: Mac,
    /// Destination MAC.
    pub dmac: Mac,
}

/// Answer of the `clock` program through the CLOCK array: how userspace reads the kernel's time
/// base. Key 0.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Clock {
    /// 64-bit jiffies.
    pub jiffies: u64,
    /// CLOCK_MONOTONIC in nanoseconds.
    pub monotonic_ns: u64,
}

pod!(DropEvent, Clock);
