//! From what is wanted to steps, and the loop that takes them.

mod conflict;
pub mod controller;
mod dirty;
mod health;
pub mod lower;
mod monitor;
mod networks;
pub mod options;
mod pass;
pub mod plan;
pub mod ports;
mod shield;
pub mod step;
pub mod touch;
mod worker;

#[cfg(test)]
mod tests;
