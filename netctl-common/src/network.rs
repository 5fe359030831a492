//! Networks: the NETWORK and SUBNET4 maps.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Mac, V4, V6},
};

/// Entries of the NETWORK array; index 0 is never used.
pub const MAX_NETWORKS: u32 = 4096;

/// NETWORK value; the key is the network's index (`u32`). All zero: no such network.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Network {
    /// The host's own interface in the network, 0 if there is no such network.
    pub anchor_ifindex: u32,
    /// [`flags`].
    pub flags: u32,
    /// Gateway address, held by the anchor.
    pub gateway4: V4,
    /// Gateway IPv6 address, 0 without IPv6.
    pub gateway6: V6,
    /// Last address of the subnet: its directed broadcast.
    pub broadcast4: V4,
    /// VXLAN network identifier, 0 for a network of one host.
    pub vni: u32,
    /// MTU of the containers' interfaces.
    pub mtu: u32,
    /// The anchor's MAC, which the gateway address resolves to.
    pub mac: Mac,
    /// Zero.
    pub _pad: u16,
}

/// Bits of [`Network::flags`].
pub mod flags {
    /// Packets that leave by an uplink take the uplink's address.
    pub const MASQUERADE: u32 = 1 << 0;
    /// Members may talk to each other directly.
    pub const ICC: u32 = 1 << 1;
    /// No way out and no way in but the gateway address.
    pub const INTERNAL: u32 = 1 << 2;
}

/// SUBNET4 key data (LPM trie): an address, as it stands in the packet. The value is the index
/// into NETWORK of the network that the address belongs to.
pub type Subnet4 = V4;

pod!(Network);
