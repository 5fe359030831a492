//! The machine: everything that reads or changes it.
pub mod names;
