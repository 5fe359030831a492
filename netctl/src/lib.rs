//! netctl: container networking in eBPF.
pub mod config;
pub mod kernel;
pub mod model;
pub mod store;
pub mod view;
