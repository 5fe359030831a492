//! netctl: container networking in eBPF.
pub mod kernel;
pub mod model;
pub mod view;
