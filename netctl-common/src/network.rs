//! Networks: the NETWORK and SUBNET4/SUBNET6 maps.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Mac, V4, V6},
};

/// Entries of the NETWORK array; index 0 is never used.
pub const MAX_NETWORKS: u32 = 4096;

/// The value of SUBNET4/SUBNET6 (tries over an address as it stands in the packet) is the index
/// into NETWORK of the network that the address belongs to.
pub type SubnetValue = u32;

/// NETWORK value; the key is the network's index (`u32`). All zero: no such network.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Network {
    /// The host's own interface in the network, 0 if there is no such network.
    pub anchor_ifindex: u32,
    /// [`flags`].
    pub flags: u32,
    /// Gateway address, held by the anchor; 0 without IPv4.
    pub gateway4: V4,
    /// Gateway IPv6 address, 0 without IPv6.
    pub gateway6: V6,
    /// Last address of the subnet: its directed broadcast; 0 without IPv4.
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
    /// A masqueraded UDP socket has one outside port for each destination and port
    /// (address and port-dependent mapping, RFC 4787 section 4.1). Clear: one for all.
    pub const MAPPING_BY_DESTINATION: u32 = 1 << 3;
    /// A mapping takes packets from any sender (endpoint-independent filtering, RFC 4787
    /// section 5), not only from those that the container has sent to.
    pub const FILTER_NONE: u32 = 1 << 4;
    /// A mapping takes packets from every port of an address that the container has sent to
    /// (address-dependent filtering).
    pub const FILTER_BY_ADDRESS: u32 = 1 << 5;
    /// IPv4 is routed: nothing takes the uplink's address, and published ports are reached by the
    /// members' own addresses, which PUBLISHED has.
    pub const ROUTED4: u32 = 1 << 6;
    /// The same of IPv6.
    pub const ROUTED6: u32 = 1 << 7;
    /// Every port of a member is reached from outside by its own IPv4 address.
    pub const OPEN4: u32 = 1 << 8;
    /// The same of IPv6.
    pub const OPEN6: u32 = 1 << 9;
}

pod!(Network);
