//! Docker Engine: its bridge networks are adopted and served as they are.
//!
//! ```text
//! engine (API, events) ─► read ─► Facts ─┐
//!                                         ├─► translate ─► Model ─► service ─► …
//! kernel::adopted (bridges, veths) ───────┘
//! ```
//!
//! Networks that it asks netctl for are [`driver`]'s. Nothing is ever written to the Engine: what it
//! made goes on when netctl ends, and what netctl serves goes on when the Engine ends.

mod adopt;
pub mod check;
pub mod driver;
mod early;
mod engine;
mod facts;
mod labels;
mod ports;
mod read;
mod session;
pub mod setup;
mod translate;

pub use adopt::follow;
