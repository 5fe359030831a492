//! Records of the EVENTS ring buffer: samples of dropped packets.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Be16, Mac, V4},
};

/// A dropped packet. At most ten a second for each reason and CPU are sampled.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct DropEvent {
    /// [`crate::drop_reason::DropReason`] as a number.
    pub reason: u32,
    /// Interface that the program ran on.
    pub ifindex: u32,
    /// Source address, 0 when it was not IPv4.
    pub src: V4,
    /// Destination address.
    pub dst: V4,
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
