//! What is measured, a file for each kind.

pub mod control;
pub mod crowd;
pub mod endpoints;
pub mod flows;
pub mod memory;
pub mod publish;
pub mod refused;
pub mod traffic;
pub mod unruled;
pub mod walks;
