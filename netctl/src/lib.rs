//! netctl: container networking in eBPF. The modules are listed in the order in which data
//! flows through them; README.md is the architecture.

pub mod cli;
pub mod cmd;
pub mod config;

pub mod api;
pub mod client;
pub mod docker;
pub mod service;

pub mod model;
pub mod store;

pub mod reconcile;

pub mod flows;
pub mod kernel;

pub mod metrics;
pub mod version;
pub mod view;
