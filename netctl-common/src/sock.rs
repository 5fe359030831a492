//! Host sockets translated at connect(): the SOCK4 map.

use bytemuck::{Pod, Zeroable};

use crate::{
    pod,
    wire::{Be16, V4},
};

/// SOCK4 key: a socket and the container that it talks to.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct SockKey {
    /// Socket cookie, unique while the machine is up.
    pub cookie: u64,
    /// The container's address.
    pub addr: V4,
    /// The container's port.
    pub port: Be16,
    /// IP protocol number.
    pub proto: u8,
    /// Zero.
    pub _pad: u8,
}

/// SOCK4 value: what the process asked for.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Sock {
    /// Address that the process gave.
    pub addr: V4,
    /// Port that the process gave.
    pub port: Be16,
    /// Zero.
    pub _pad: u16,
    /// The published port that translated it.
    pub port_id: u32,
    /// ifindex of the container's veth.
    pub endpoint: u32,
}

pod!(SockKey, Sock);
