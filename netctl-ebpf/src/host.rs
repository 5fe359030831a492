//! What belongs to the host and its networks, by address.

use core::num::NonZeroU32;

use aya_ebpf::maps::lpm_trie::Key;
use netctl_common::{
    endpoint::{BESIDE, Endpoint, Neigh, NeighKey, slot},
    host::{Uplink, uplink_flags},
    network::Network,
};

use crate::{
    family::Family,
    maps::{ENDPOINT, NETWORK, UPLINK},
};

/// Whether the host itself holds the address (never for loopback and link-local ones).
#[inline(always)]
pub(crate) fn is_local<A: Family>(addr: A) -> bool {
    A::locals().get_ptr(&addr).is_some()
}

/// The network whose subnet the address is in.
#[inline(always)]
pub(crate) fn network_of<A: Family>(addr: A) -> Option<u32> {
    A::subnets().get(&Key::new(A::BITS, addr)).copied()
}

/// Who has an address inside a network.
#[inline(always)]
pub(crate) fn neighbour<A: Family>(network: u32, addr: A) -> Option<Neigh> {
    let key = NeighKey { network, addr };
    // SAFETY: the daemon replaces entries whole.
    A::neighbours().get_ptr(&key).map(|neigh| unsafe { *neigh })
}

/// Interface in `network` of the container that has the address in another one, if published ports
/// lead to it there.
#[inline(always)]
pub(crate) fn beside<A: Family>(network: u32, addr: A) -> Option<NonZeroU32> {
    NonZeroU32::new(neighbour(network | BESIDE, addr)?.ifindex)
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

/// Whether the interface is another engine's bridge.
#[inline(always)]
pub(crate) fn is_isolated(ifindex: u32) -> bool {
    uplink(ifindex).is_some_and(|uplink| uplink.flags & uplink_flags::ISOLATED != 0)
}

/// Uplink that a next hop is on, 0 without one: what the routes say, as far as they name an
/// interface and no gateway.
#[inline(always)]
pub(crate) fn onlink<A: Family>(next_hop: A) -> u32 {
    let found = A::onlinks().get(&Key::new(A::BITS, next_hop));
    found.copied().unwrap_or(0)
}
