//! What the datapath knows of the host: the LOCAL4 and UPLINK maps.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Mac, V4},
};

/// LOCAL4 value; the key is the address ([`V4`]). Kept up to date from netlink. Holds every
/// address of the host's interfaces but the loopback network, which no device may translate.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Local {
    /// Interface that holds the address.
    pub ifindex: u32,
    /// Zero.
    pub _pad: u32,
}

/// UPLINK value; the key is the ifindex (`u32`).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Uplink {
    /// Address that masqueraded flows take, 0 when the interface has none.
    pub addr4: V4,
    /// MTU in bytes.
    pub mtu: u32,
    /// The interface's own MAC.
    pub mac: Mac,
    /// Zero.
    pub _pad: u16,
}

pod!(Local, Uplink);
