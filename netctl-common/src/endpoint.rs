//! Endpoints: the ENDPOINT, FDB, NEIGH4/NEIGH6 and FLOOD maps.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Address, Mac, V4, V6},
};

/// Slots of ENDPOINT for interfaces of one kind: those that the daemon numbers, and those that
/// others made and the kernel numbered.
pub const ENDPOINT_SLOTS: u32 = 65_536;

/// Entries of ENDPOINT, which is an array: what every packet asks for costs no hash.
pub const ENDPOINT_ENTRIES: u32 = 2 * ENDPOINT_SLOTS;

/// Set in every interface index that the daemon chooses for an endpoint, and in none that the
/// kernel counts up to.
pub const OWN_ENDPOINT: u32 = 0x2000_0000;

/// Where in ENDPOINT an interface stands. The daemon never has two endpoints at one time that
/// share a slot.
#[inline(always)]
pub const fn slot(ifindex: u32) -> u32 {
    (ifindex % ENDPOINT_SLOTS) | ((ifindex & OWN_ENDPOINT) / (OWN_ENDPOINT / ENDPOINT_SLOTS))
}

/// ENDPOINT value; the key is the [`slot`] of the veth's host side.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Endpoint {
    /// The veth's host side: a slot serves several interfaces, one after the other. 0: none now.
    pub ifindex: u32,
    /// Index into NETWORK.
    pub network: u32,
    /// Differs from every earlier endpoint's that had this ifindex; flows remember it.
    pub generation: u32,
    /// [`flags`].
    pub flags: u32,
    /// The container's address; nothing else may be its source. 0: none.
    pub addr4: V4,
    /// The container's IPv6 address. 0: none.
    pub addr6: V6,
    /// The container's MAC; nothing else may be its source.
    pub mac: Mac,
    /// Zero.
    pub _pad: u16,
}

/// Bits of [`Endpoint::flags`].
pub mod flags {
    /// A published port leads here, or to the same container in another network: same-network
    /// packets that it sends may be replies to translated flows and need the flow lookup.
    pub const PUBLISHED: u32 = 1 << 0;
}

/// FDB key: where a MAC is inside one network.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable, PartialOrd, Ord)]
pub struct FdbKey {
    /// Index into NETWORK.
    pub network: u32,
    /// Destination MAC.
    pub mac: Mac,
    /// Zero.
    pub _pad: u16,
}

/// FDB value.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Fdb {
    /// Host side of the owner's veth.
    pub ifindex: u32,
    /// Address of the remote VTEP (overlay), 0 for a local endpoint.
    pub vtep: V4,
}

/// NEIGH4/NEIGH6 key: who has an address inside one network. Link-local IPv6 addresses are not
/// in it: they are made of the MAC ([`Mac::link_local`]), which FDB knows.
///
/// With [`BESIDE`] in `network`, who in that network is the same container as the one that has the
/// address in another network, where published ports lead to.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct NeighKey<A> {
    /// Index into NETWORK.
    pub network: u32,
    /// The address.
    pub addr: A,
}

const _: () = assert!(size_of::<NeighKey<V4>>() == 8 && size_of::<NeighKey<V6>>() == 20);
// SAFETY: repr(C) with zeroable fields only.
unsafe impl<A: Address> Zeroable for NeighKey<A> {}
// SAFETY: repr(C), all fields Pod; the size assertion above proves that there is no padding.
unsafe impl<A: Address> Pod for NeighKey<A> {}

/// See [`NeighKey`]; no index into NETWORK has it.
pub const BESIDE: u32 = 1 << 31;

/// NEIGH4/NEIGH6 value.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Neigh {
    /// Host side of the owner's veth.
    pub ifindex: u32,
    /// The owner's MAC.
    pub mac: Mac,
    /// Zero.
    pub _pad: u16,
}

/// Members in one FLOOD entry.
pub const FLOOD_CHUNK: usize = 32;
/// FLOOD entries of one network at most: with [`FLOOD_CHUNK`] its limit of endpoints.
pub const FLOOD_CHUNKS: u32 = 128;

/// FLOOD key: one slice of a network's members.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable, PartialOrd, Ord)]
pub struct FloodKey {
    /// Index into NETWORK.
    pub network: u32,
    /// 0, 1, … without a gap: the first one that is missing ends the walk.
    pub chunk: u32,
}

/// FLOOD value: ifindexes of members, filled from the front, 0 where free.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
pub struct Flood {
    /// Host sides of the members' veths.
    pub ifindex: [u32; FLOOD_CHUNK],
}

pod!(
    Endpoint,
    FdbKey,
    Fdb,
    NeighKey<V4>,
    NeighKey<V6>,
    Neigh,
    FloodKey,
    Flood
);
