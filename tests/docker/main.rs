//! Tier 4: labs with a real Docker Engine, whose networks netctl serves. One file per topic;
//! every test has a lab and an Engine of its own.
#![allow(
    clippy::unwrap_used,
    reason = "test code: a panic with its place is the report"
)]

mod adopted;
mod beside;
mod compose;
mod drawn;
mod driven;
mod driver;
mod driver_ipam;
mod driver_ports;
mod driver_restarts;
mod exposure;
mod faults;
mod gateway_modes;
mod gone;
mod mode;
mod names;
mod networks;
mod nothing_else;
mod others;
mod published;
mod rebind;
mod restarts;
mod setup;
mod several;
mod shield;
mod sources;
mod start;
mod user;
