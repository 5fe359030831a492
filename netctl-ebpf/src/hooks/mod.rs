//! The TC and XDP programs, named for where they sit. A file has the program that is attached there, for
//! ARP and IPv4, and the one that it jumps to for IPv6; what both do is written once.

mod create;
pub(crate) mod from_container;
mod from_container6;
pub(crate) mod from_host;
mod from_ip_uplink;
pub(crate) mod from_uplink;
mod hairpin;
mod routes;
pub(crate) mod shield;
mod xdp_shield;
