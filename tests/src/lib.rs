//! What netctl's tests and its demo stand on: a lab of namespaces that plays one machine and its
//! surroundings, agents that send and answer inside it, packets as text, and programs run alone.
//!
//! Reading order: `place` (where a process runs), `lab` (the machine), `agent` (what happens in
//! it), `daemon` and `cli` (netctl under test), then `packet` and `prog` for the datapath alone.
//!
//! Invariants: nothing here touches the network namespace of the process that calls it, and a lab
//! leaves nothing behind when it is dropped, panics included.
#![allow(
    clippy::unwrap_used,
    reason = "test code: a panic with its place is the report"
)]

pub mod agent;
pub mod bench;
pub mod cli;
pub mod daemon;
pub mod demo;
pub mod eventually;
pub mod exposure;
pub mod fuzz;
pub mod guest;
pub mod lab;
pub mod metrics;
pub mod need;
pub mod packet;
pub mod parsers;
pub mod patience;
pub mod place;
pub mod prog;
pub mod sources;
pub mod twin;
