//! netctl: container networking in eBPF.
pub mod flows;
pub mod kernel;
pub mod model;
pub mod reconcile;
pub mod view;
