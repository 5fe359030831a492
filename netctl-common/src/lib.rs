//! Types that netctl's eBPF programs and its daemon share, and pure packet arithmetic.
//!
//! Separate because both sides must agree on every byte: what is here is compiled once for the
//! kernel and once for userspace from the same source.
//!
//! Invariants: no I/O, no allocation, no `std`; every map type is plain old data without padding.
#![no_std]
#![warn(missing_docs)]

pub mod checksum;
pub mod claim;
pub mod drop_reason;
pub mod endpoint;
pub mod event;
pub mod flow;
pub mod host;
pub mod insert;
pub mod jump;
pub mod mapping;
pub mod network;
pub mod packet;
pub mod pod;
pub mod port;
pub mod publish;
pub mod sctp;
pub mod settings;
pub mod shield;
pub mod sock;
pub mod stats;
pub mod tcp;
pub mod wire;

/// Version of every map's key and value layout, and of what programs leave for those that they
/// jump to; part of the pin path (`<bpffs>/netctl/v<LAYOUT_VERSION>/`), so two versions never read
/// each other's maps, nor jump into each other's programs.
/// Raise it whenever a size or an offset in this crate changes, or what a jump hands on.
pub const LAYOUT_VERSION: u32 = 6;
