//! What belongs to the host and its networks, by address.

use aya_ebpf::maps::lpm_trie::Key;
use netctl_common::{
    endpoint::{Endpoint, slot},
    host::Uplink,
    network::Network,
    wire::{Address, V4},
};

use crate::maps::{ENDPOINT, LOCAL4, NETWORK, SUBNET4, UPLINK};

/// Whether the host itself holds the address (never for 127.0.0.0/8).
#[inline(always)]
pub(crate) fn is_local(addr: V4) -> bool {
    LOCAL4.get_ptr(&addr).is_some()
}

/// The network whose subnet the address is in.
#[inline(always)]
pub(crate) fn network_of(addr: V4) -> Option<u32> {
    SUBNET4.get(&Key::new(V4::BITS, addr)).copied()
}

/// The endpoint behind a veth.
#[inline(always)]
pub(crate) fn endpoint(ifindex: u32) -> Option<&'static Endpoint> {
    ENDPOINT.get(slot(ifindex)).filter(|e| e.ifindex == ifindex)
}

/// A network that exists.
#[inline(always)]
pub(crate) fn network(id: u32) -> Option<&'static Network> {
    NETWORK.get(id).filter(|n| n.anchor_ifindex != 0)
}

/// An interface towards the outside.
#[inline(always)]
pub(crate) fn uplink(ifindex: u32) -> Option<&'static Uplink> {
    // SAFETY: the daemon replaces entries whole.
    UPLINK.get_ptr(&ifindex).map(|u| unsafe { &*u })
}
