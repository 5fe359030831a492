//! netctl: container networking in eBPF.
pub mod api;
pub mod cli;
pub mod client;
pub mod cmd;
pub mod config;
pub mod flows;
pub mod kernel;
pub mod metrics;
pub mod model;
pub mod reconcile;
pub mod service;
pub mod store;
pub mod version;
pub mod view;
