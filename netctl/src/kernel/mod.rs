//! The machine: everything that reads or changes it.

pub mod adopted;
pub mod apply;
pub mod attach;
pub mod bpf;
mod cookie;
pub mod events;
#[cfg(test)]
pub(crate) mod fake;
pub mod features;
pub mod foreign;
pub mod host;
pub mod local_ports;
pub mod machine;
pub mod names;
pub mod netlink;
pub mod netns;
pub mod object;
pub mod observe;
pub mod owner;
pub mod port_set;
pub mod probe;
pub mod state;
pub mod sysctl;
pub mod tables;
