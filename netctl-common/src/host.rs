//! What the datapath knows of the host: the LOCAL4/LOCAL6 and UPLINK maps.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Mac, V4, V6},
};

/// LOCAL4/LOCAL6 value; the key is the address. Kept up to date from netlink. Holds every
/// address of the host's interfaces but the loopback network, ::1 and link-local IPv6 addresses:
/// no device may translate those.
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
    /// The same for IPv6: a global address.
    pub addr6: V6,
    /// MTU in bytes.
    pub mtu: u32,
    /// [`uplink_flags`].
    pub flags: u32,
    /// The interface's own MAC; zero where there is no Ethernet header.
    pub mac: Mac,
    /// Zero.
    pub _pad: u16,
}

/// Most entries of ONLINK4 and of ONLINK6.
pub const MAX_ONLINK: u32 = 4_096;

/// Bits of [`Uplink::flags`].
pub mod uplink_flags {
    /// Frames have no Ethernet header (tun, WireGuard, Tailscale): they begin with the IP header.
    pub const NO_ETHERNET: u32 = 1 << 0;
    /// The rules of published ports are kept by the TC program: no XDP program of ours is there.
    pub const SHIELD_BY_TC: u32 = 1 << 1;
    /// A bridge of another container engine: those behind it are reached by their published ports
    /// only, as the members of another network.
    pub const ISOLATED: u32 = 1 << 2;
}

pod!(Local, Uplink);
